"""The list of sessions, its CSV, and the search at the top."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from sessions_app import workflow
from sessions_app.actions import people, price
from studio.conf import STUDIO
from studio.models import User
from studio.roles import Role
from tests.factories.domain import ClientFactory, RoomFactory, Studio, person

pytestmark = pytest.mark.django_db
BUDGET = 15


@pytest.fixture
def studio():
    return Studio(today=timezone.localdate(timezone=STUDIO.zone))


def browser(user: User) -> Browser:
    """Somebody signed in who reads English."""
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def shown(user, **query):
    return browser(user).get(reverse("session-list"), query)


def codes(response):
    return [row.session.code for row in response.context["rows"]]


def test_the_office_sees_every_session_with_its_figures(studio):
    session = studio.walk(workflow.CONFIRMED).session
    page = shown(studio.coordinator)
    text = page.content.decode()
    assert session.code in text and "1,000.00" in text and "500.00" in text
    assert studio.client.full_name in text


def test_photographers_and_editors_see_only_theirs_and_no_figure(studio):
    mine = studio.walk(workflow.CONFIRMED).equip().session
    other = studio.request(event_description="Somebody else's")
    for reader in (studio.photographer,):
        page = shown(reader)
        text = page.content.decode()
        assert mine.code in text and other.code not in text
        assert "1,000.00" not in text and "500.00" not in text
        for private in (studio.client.secondary_phone, studio.client.delivery_address, studio.client.notes):
            assert private not in text
    assert codes(shown(studio.editor)) == []


def test_an_editor_sees_the_queue_without_figures():
    studio = Studio(today=timezone.localdate(timezone=STUDIO.zone) - timedelta(days=40))
    session = studio.walk(workflow.ATTENDED).session
    page = shown(studio.editor)
    assert codes(page) == [session.code]
    assert "1,000.00" not in page.content.decode()


def test_sorting_by_total_is_not_open_to_those_who_may_not_know_it(studio):
    studio.walk(workflow.CONFIRMED).equip()
    page = shown(studio.photographer, sort="-total")
    assert page.status_code == 200 and page.context["ignored"]
    assert not shown(studio.coordinator, sort="-total").context["ignored"]


def test_a_second_phone_cannot_be_found_out_by_searching(studio):
    mine = studio.walk(workflow.CONFIRMED).equip().session
    assert codes(shown(studio.photographer, q=studio.client.secondary_phone)) == []
    assert codes(shown(studio.photographer, q=studio.client.full_name)) == [mine.code]
    assert codes(shown(studio.coordinator, q=studio.client.secondary_phone)) == [mine.code]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": ["Negotiation"]}, {"b"}),
        ({"state": ["Request", "Negotiation"]}, {"a", "b"}),
        ({"type": "External"}, {"b"}),
        ({"when": "upcoming"}, {"a", "b"}),
        ({"when": "past"}, set()),
        ({"when": "today"}, set()),
        ({"q": "garden"}, {"b"}),
        ({"from": "2100-01-01"}, set()),
        ({"to": "2100-01-01"}, {"a", "b"}),
    ],
)
def test_each_filter_leaves_what_it_says(studio, query, expected):
    named = {
        studio.request(event_description="Maternity").code: "a",
        studio.walk(
            workflow.NEGOTIATION, session_type="External", event_description="Wedding in a garden"
        ).session.code: "b",
    }
    assert {named[code] for code in codes(shown(studio.coordinator, **query))} == expected


def test_filters_by_room_and_photographer(studio):
    with_both = studio.walk(workflow.CONFIRMED).equip().session
    studio.request(when=studio.when(30))
    assert codes(shown(studio.coordinator, room=studio.room.pk)) == [with_both.code]
    assert codes(shown(studio.coordinator, photographer=studio.photographer.pk)) == [with_both.code]


@pytest.mark.parametrize(
    "query",
    [
        {"state": "xyz"},
        {"from": "31/02"},
        {"from": "0001-01-01"},
        {"to": "9999-12-31"},
        {"from": "2026-05-02", "to": "2026-05-01"},
        {"page": "abc"},
        {"page": "99999"},
        {"page": "-1"},
        {"page": "7"},
        {"sort": "foo"},
        {"type": "Elsewhere"},
        {"room": "9" * 40},
        {"photographer": "' or 1=1"},
        {"when": "someday"},
        {"q": "x" * 5000},
    ],
)
def test_what_cannot_be_meant_is_left_out_and_said(studio, query):
    session = studio.request()
    page = shown(studio.coordinator, **query)
    assert page.status_code == 200
    assert codes(page) == [session.code]
    assert page.context["ignored"], query


@pytest.mark.parametrize("query", [{"q": "a\x00b"}, {"q": "'%_\\\"<script>"}, {"q": "& | ! :*"}, {"page": "٣"}])
def test_hostile_text_is_never_an_error_of_ours(studio, query):
    studio.request()
    assert shown(studio.coordinator, **query).status_code in (200, 400)
    assert browser(studio.coordinator).get(reverse("search"), query).status_code in (200, 400)


def test_fifty_rows_a_page_in_a_stable_order(studio):
    for day in range(51):
        studio.request(when=studio.when(day + 1))
    first, second = shown(studio.coordinator), shown(studio.coordinator, page="2")
    assert len(codes(first)) == 50 and len(codes(second)) == 1
    assert not set(codes(first)) & set(codes(second))
    assert "page=2" in first.content.decode()
    by_code = codes(shown(studio.coordinator, sort="code"))
    assert by_code == sorted(by_code)


def test_the_filter_stays_in_the_links(studio):
    studio.request()
    text = shown(studio.coordinator, state="Request", q="mat").content.decode()
    assert "state=Request&amp;q=mat&amp;sort=code" in text or "sort=code" in text
    assert "format=csv" in text and "state=Request&amp;q=mat&amp;format=csv" in text


def test_an_empty_list_says_what_to_do(studio):
    assert reverse("session-new") in shown(studio.coordinator).content.decode()
    assert reverse("session-new") not in shown(studio.photographer).content.decode()
    studio.request()
    assert "Show all sessions" in shown(studio.coordinator, state="Completed").content.decode()


def csv_of(user, **query):
    return b"".join(shown(user, format="csv", **query).streaming_content).decode("utf-8-sig")


def test_the_csv_has_figures_for_the_office_only_and_no_formulas(studio):
    studio.client.full_name = "=HYPERLINK(1)"
    studio.client.primary_phone = "+502 5555-0142"
    studio.client.save()
    session = studio.walk(workflow.CONFIRMED, event_description="@sum").equip().session
    office, theirs = csv_of(studio.coordinator), csv_of(studio.photographer)
    assert "1000.00" in office and "Balance" in office
    assert session.code in theirs and "1000.00" not in theirs and "Balance" not in theirs
    for text in (office, theirs):
        assert "'=HYPERLINK(1)" in text and "'@sum" in text and "'+502" in text
        assert studio.client.secondary_phone not in text and studio.client.notes not in text


def test_the_list_costs_the_same_for_one_row_and_for_thirty(studio):
    seen = browser(studio.coordinator)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert seen.get(reverse("session-list")).status_code == 200
        return len(asked)

    studio.walk(workflow.CONFIRMED).equip()
    queries()
    one = queries()
    for day in range(30):
        walk = studio.walk(workflow.NEGOTIATION, when=studio.when(day + 21), client=ClientFactory())
        walk.equip()
    assert queries() == one <= BUDGET


def test_search_goes_straight_to_an_exact_code_within_reach(studio):
    session = studio.request()
    found = browser(studio.coordinator).get(reverse("search"), {"q": session.code.lower()})
    assert found.status_code == 302 and found["Location"] == session.get_absolute_url()
    hidden = browser(studio.photographer).get(reverse("search"), {"q": session.code})
    assert hidden.status_code == 200 and not hidden.context["sessions"]


def test_search_shows_clients_only_to_those_with_the_book(studio):
    session = studio.walk(workflow.CONFIRMED).equip().session
    office = browser(studio.coordinator).get(reverse("search"), {"q": studio.client.full_name})
    assert [client for client, _ in office.context["clients"]] == [studio.client]
    assert office.context["sessions"] == [session]
    theirs = browser(studio.photographer).get(reverse("search"), {"q": studio.client.full_name})
    assert theirs.context["clients"] == [] and theirs.context["sessions"] == [session]
    assert browser(studio.coordinator).get(reverse("search")).status_code == 200


def test_nobody_without_a_role_and_nobody_signed_out_sees_a_list(studio):
    session = studio.request()
    for name in ("session-list", "search"):
        assert browser(person()).get(reverse(name)).status_code == 403
        anonymous = Browser().get(reverse(name), {"q": session.code})
        assert anonymous.status_code in (302, 401, 403)
        assert session.code not in anonymous.content.decode()
    assert codes(shown(person(Role.ARTIST))) == []


def test_rooms_of_another_session_and_people_are_named(studio):
    other = person(Role.PHOTOGRAPHER, full_name="Zoe Second")
    walk = studio.walk(workflow.NEGOTIATION).equip()
    people.give_room(walk.session, room_id=RoomFactory(name="Attic").pk, by=studio.coordinator, now=studio.now)
    people.assign_photographer(
        walk.session, photographer_id=other.pk, coverage=walk.session.span, by=studio.coordinator, now=studio.now
    )
    price.set_price(
        walk.session,
        transportation_cost=Decimal("0.00"),
        discount=Decimal("0.00"),
        discount_reason="",
        deposit_percentage=50,
        deposit_note="",
        by=studio.coordinator,
        now=studio.now,
    )
    text = shown(studio.coordinator).content.decode()
    assert "Attic" in text and "Zoe" in text
