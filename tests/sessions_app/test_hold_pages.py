"""Holds on screen: the list, more time, letting go with what it does before the click; who sees any of it."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from scheduling.models import RoomReservation, StaffReservation
from sessions_app import board, hold_list, workflow
from sessions_app.actions import hold, people
from sessions_app.deadlines import end_of_day
from sessions_app.effects import Deposit
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.models import User
from studio.templatetags.atelier import clock, day, moment
from tests.factories.domain import RoomFactory, Studio
from tests.races.copies import copies

pytestmark = pytest.mark.django_db
JSON = {"HTTP_ACCEPT": "application/json"}
LIST, RELEASE = reverse("hold-list"), reverse("hold-release")


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


@pytest.fixture
def studio():
    return Studio(today=timezone.localdate(timezone=STUDIO.zone))


@pytest.fixture
def past():
    """Ten days ago: what was asked for then has expired."""
    return Studio(today=timezone.localdate(timezone=STUDIO.zone) - timedelta(days=10))


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def extend_url(session: Session) -> str:
    return reverse("hold-extend", args=[session.code])


def held_by(studio: Studio, days: int = 20, **values) -> Session:
    """A request for a wedding that holds the room and the photographer."""
    values = {"room_id": studio.room.pk, "photographer_ids": (studio.photographer.pk,)} | values
    return studio.request(when=studio.when(days), event_description=f"Wedding {days}", **values)


def body(answer) -> str:
    return answer.content.decode()


def test_the_list_says_what_is_held_for_whom_until_when(past):
    expired, other = held_by(past), held_by(past, 21)
    extended = held_by(past, 22)
    soon = timezone.localdate(timezone=STUDIO.zone) + timedelta(days=1)
    hold.extend(extended, until=soon, reason="Her sister decides", by=past.coordinator, now=timezone.now())
    office = browser(past.coordinator)
    page = body(office.get(LIST))
    for words in (expired.code, "Wedding 20", past.client.full_name, past.photographer.full_name, past.room.name):
        assert words in page
    assert f"{day(expired.held_until)} {clock(expired.held_until)}" in page and "expired" in page
    assert page.count('name="code"') == 2 and other.code in page and extended.code not in page
    page = body(office.get(LIST, {"which": "soon"}))
    assert extended.code in page and "Her sister decides" in page and 'name="code"' not in page
    assert expired.code not in page and extended.code in body(office.get(LIST, {"which": "all"}))
    for hostile in ({"which": "x' --"}, {"page": "-1"}, {"page": "99999"}, {"page": "٣"}):
        assert office.get(LIST, hostile).status_code == 200
    hold.release_expired([expired.code, other.code], by=past.coordinator, now=timezone.now())
    assert "No hold has expired" in body(office.get(LIST))


def test_the_list_asks_the_same_for_one_and_for_thirty(past):
    office = browser(past.coordinator)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert office.get(LIST).status_code == 200
        return len(asked)

    session = held_by(past)
    queries()
    one = queries()
    copies(session, 29, days_apart=1, with_time=True)
    assert queries() == one <= 12


def test_more_time_is_given_on_its_page(past):
    session = held_by(past)
    office, until = browser(past.coordinator), timezone.localdate(timezone=STUDIO.zone) + timedelta(days=4)
    page = body(office.get(extend_url(session)))
    assert "the hold expired on" in page and past.photographer.full_name in page and 'type="date"' in page
    for wrong in ({}, {"until": until}, {"until": "2026-13-45", "reason": "x"}, {"until": "0001-01-01", "reason": "x"}):
        answer = office.post(extend_url(session), wrong)
        assert answer.status_code == 422
    answer = office.post(extend_url(session), {"until": "9999-12-31", "reason": "Typed survives"})
    assert answer.status_code == 422 and "Typed survives" in body(answer)
    answer = office.post(extend_url(session), {"until": until, "reason": "Abroad", "next": LIST})
    assert (answer.status_code, answer["Location"]) == (302, LIST)
    session.refresh_from_db()
    assert (session.held_until, session.hold_reason) == (end_of_day(until), "Abroad")
    page = body(office.get(session.get_absolute_url()))
    assert "Held until" in page and "Abroad" in page and extend_url(session) in page
    bare = past.request(when=past.when(30))
    assert office.get(extend_url(bare)).status_code == 409
    assert "Held until" not in body(office.get(bare.get_absolute_url()))


def test_letting_one_go_tells_before_the_click_and_does_it(studio):
    session = held_by(studio)
    office = browser(studio.coordinator)
    page = body(office.get(RELEASE, {"code": session.code}))
    assert f"Free again: {studio.photographer.full_name}" in page and studio.room.name in page
    assert f"Told on their dashboard: {studio.photographer.full_name}" in page and extend_url(session) in page
    # One that has not expired, and without what stood on the page, is not let go.
    assert office.post(RELEASE, {"code": session.code}, **JSON).status_code == 409
    for seen in ("", "yesterday", "2026-01-01T10:00:00"):
        assert office.post(RELEASE, {"code": session.code, "seen": seen}).status_code == 422
    stale = session.held_until
    tomorrow = studio.today + timedelta(days=1)
    hold.extend(session, until=tomorrow, reason="x", by=studio.coordinator, now=timezone.now())
    answer = office.post(RELEASE, {"code": session.code, "seen": stale.isoformat()})
    assert answer.status_code == 409 and "meanwhile" in body(answer)
    seen = Session.objects.get(pk=session.pk).held_until.isoformat()
    answer = office.post(RELEASE, {"code": session.code, "seen": seen, "reason": "Booked elsewhere"}, follow=True)
    assert "Free again" in body(answer) and answer.redirect_chain[-1][0] == session.get_absolute_url()
    assert not StaffReservation.objects.holding().exists() and not RoomReservation.objects.holding().exists()
    assert office.get(RELEASE, {"code": session.code}).status_code == 409


def test_many_go_in_one_act_and_what_stays_is_named(past):
    expired = [held_by(past), held_by(past, 21)]
    extended = held_by(past, 22)
    tomorrow = timezone.localdate(timezone=STUDIO.zone) + timedelta(days=1)
    hold.extend(extended, until=tomorrow, reason="x", by=past.coordinator, now=timezone.now())
    office = browser(past.coordinator)
    codes = [each.code for each in expired]
    page = body(office.get(RELEASE, {"code": [*codes, extended.code]}))
    assert "Release all 2" in page and "These stay as they are" in page
    assert [f'name="code" value="{code}"' in page for code in (*codes, extended.code)] == [True, True, False]
    assert body(office.get(RELEASE, {"all": "1"})).count('type="hidden" name="code"') == 2
    answer = office.post(RELEASE, {"code": [*codes, extended.code, "S-1999-0001"]}, **JSON).json()
    assert [each["session"] for each in answer["released"]] == codes
    assert [each["session"] for each in answer["kept"]] == [extended.code, "S-1999-0001"]
    answer = office.post(RELEASE, {"code": [*codes, extended.code]})
    assert answer.status_code == 409 and "Nothing was let go" in body(answer)
    # Nothing chosen, nonsense chosen, too many chosen.
    assert office.get(RELEASE)["Location"] == LIST
    assert office.post(RELEASE, {"code": ["'; --", "ñ" * 9, "S-" * 99]}).status_code == 422
    many = [f"S-{number}" for number in range(300)]
    assert office.post(RELEASE, {"code": many}, **JSON).status_code == 422


def test_who_has_paid_keeps_no_other_from_being_let_go(past):
    """D14: they stay, and come last; what does not fit into one act is said."""
    first = past.walk(workflow.PRE_SCHEDULED, room_id=past.room.pk, when=past.when(18))
    rest = Deposit(amount=first.session.deposit_amount, method="Cash", document_number="B-1")
    first.session.confirm(by=past.coordinator, now=past.now, deposit=rest)
    first.session.reopen(by=past.coordinator, now=past.now)
    unpaid = [past.request(room_id=past.room.pk, when=past.when(day)) for day in (20, 21, 22)]
    codes, now = [each.code for each in unpaid], timezone.now()
    assert hold_list.first_to_go(past.coordinator, now, at_most=2) == (codes[:2], 1)
    assert hold_list.first_to_go(past.coordinator, now, at_most=4) == ([*codes, first.session.code], 0)
    office = browser(past.coordinator)
    page = body(office.get(RELEASE, {"all": "1"}))
    assert "Release all 3" in page and "These stay as they are" in page and "at most at once" not in page
    copies(unpaid[-1], hold.AT_ONCE, days_apart=1)
    page = body(office.get(RELEASE, {"all": "1"}))
    assert "200 at most at once; 3 remain." in page and "Release all 200" in page


def test_what_expired_waits_on_the_home_with_its_act(past):
    session = held_by(past)
    (row,) = board.waiting(now=timezone.now(), with_money=True)
    assert row.text == f"the hold expired on {moment(session.held_until)}"
    assert row.why == f"Held for {past.client.full_name} on {day(session.starts_at)}: 1 person, {past.room.name}."
    assert row.url.startswith(f"{RELEASE}?code={session.code}")
    assert browser(past.coordinator).get(row.url).status_code == 200
    people.take_room(session, by=past.coordinator, now=past.now)
    (row,) = board.waiting(now=timezone.now(), with_money=False)
    assert row.why.endswith(": 1 person.")
    hold.release_expired([session.code], by=past.coordinator, now=timezone.now())
    (row,) = board.waiting(now=timezone.now(), with_money=True)
    assert row.label == "Answer"


def test_who_asks_for_the_same_time_sees_until_when_it_is_held(past, studio):
    """The office alone: photographers learn neither the hold of their own session nor of any other."""
    expired = held_by(past, 30)
    goes_on = held_by(studio, 20, room_id=RoomFactory().pk)
    asking = studio.request(when=studio.when(20))
    office = browser(studio.coordinator)
    address = reverse("session-people", args=[asking.code])
    page = body(office.get(address))
    assert f"its hold expired on {moment(expired.held_until)}" in page
    assert f"held until {moment(goes_on.held_until)}" in page
    start = studio.when(20)
    asked = {"session_date": start.session_date, "start_time": "14:00", "end_time": "16:00"}
    assert f"held until {moment(goes_on.held_until)}" in body(office.get(reverse("session-free"), asked))
    listed = body(office.get(reverse("session-list")))
    assert "held until" in listed and "hold expired" in listed and LIST in listed
    own = browser(studio.photographer)
    for page in (own.get(goes_on.get_absolute_url()), own.get(reverse("session-list")), own.get(reverse("home"))):
        assert page.status_code == 200 and "held until" not in body(page).lower() and LIST not in body(page)
    facts = own.get(goes_on.get_absolute_url(), **JSON).json()["session"]
    assert "held_until" not in facts and "hold_reason" not in facts
    assert office.get(goes_on.get_absolute_url(), **JSON).json()["session"]["held_until"]
    own_paths = {name: own.get(url).status_code for name, url in (("list", LIST), ("extend", extend_url(goes_on)))}
    assert own_paths == {"list": 403, "extend": 403}


def test_reopening_tells_until_when_it_will_be_held(studio):
    walk = studio.walk(workflow.PRE_SCHEDULED, room_id=studio.room.pk)
    page = body(browser(studio.coordinator).get(reverse("session-move", args=[walk.session.code, "reopen"])))
    until = end_of_day(studio.today + timedelta(days=STUDIO.hold_days))
    assert f"What it holds is held until {moment(until)}." in page
    bare = studio.walk(workflow.PRE_SCHEDULED, when=studio.when(21)).session
    assert "is held until" not in body(
        browser(studio.coordinator).get(reverse("session-move", args=[bare.code, "reopen"]))
    )
