"""A session's page: which of the two, what stands on it, what never does, and what it costs."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from payments.models import Payment
from scheduling import hours
from sessions_app import story, workflow
from sessions_app.actions import hold, pay, people, price, request
from sessions_app.consequences import TELLERS
from sessions_app.effects import EFFECTS
from sessions_app.history_lines import HOLD_EXTENDED, change_in_words
from studio.conf import STUDIO
from studio.models import AuditEvent, OutgoingEmail
from studio.roles import Role
from studio.templatetags.atelier import day, moment
from tests.factories.domain import ItemFactory, Studio, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    """A studio of today: pages read the clock."""
    return Studio(today=timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=1))


def browser(user) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def page(user, session, **headers):
    return browser(user).get(reverse("session-page", args=[session.code]), headers=headers)


AS_JSON = {"accept": "application/json"}


def test_the_office_sees_the_whole_story(studio):
    walk = studio.walk(workflow.CONFIRMED).equip()
    body = page(studio.coordinator, walk.session).content.decode()
    assert "1,000.00" in body and "500.00" in body
    assert studio.photographer.full_name in body and studio.room.name in body
    assert "5555-0999" in body
    assert "Confirmation, with place, time and balance" in body
    assert reverse("session-move", args=[walk.session.code, "cancel"]) in body


@pytest.mark.parametrize("status", workflow.STATES)
def test_every_state_has_a_page_for_the_office_and_those_on_it(studio, status):
    session = studio.walk(status).session
    for user in (studio.coordinator, studio.admin):
        assert page(user, session).status_code == 200
        assert page(user, session, **AS_JSON).status_code == 200
    for user in (studio.photographer, studio.editor):
        expected = 200 if type(session).objects.visible_to(user).filter(pk=session.pk).exists() else 404
        assert page(user, session).status_code == expected


def test_a_blocked_move_stands_disabled_with_its_reason(studio):
    session = studio.walk(workflow.NEGOTIATION).session
    moves = {move.name: move for move in story.moves_of(session, by=studio.coordinator, now=timezone.now())}
    assert "Nothing is sold yet" in moves["preschedule"].reason
    assert moves["cancel"].reason == ""
    body = page(studio.coordinator, session).content.decode()
    assert 'aria-describedby="why-preschedule"' in body


def test_a_missing_deposit_does_not_lock_the_door_to_confirming(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    moves = {move.name: move for move in story.moves_of(session, by=studio.coordinator, now=studio.now)}
    assert moves["confirm"].reason == ""
    assert list(moves) == ["confirm", "reopen", "cancel"]


def test_moves_that_are_never_a_persons_are_not_there(studio):
    session = studio.walk(workflow.ASSIGNED).session
    names = {move.name for move in story.moves_of(session, by=studio.coordinator, now=timezone.now())}
    assert names == {"cancel"}
    assert {move.name for move in story.moves_of(session, by=studio.photographer, now=timezone.now())} == {"attend"}


def test_an_editor_may_take_from_the_queue_on_its_page(studio):
    session = studio.walk(workflow.ATTENDED).session
    body = page(studio.editor, session).content.decode()
    assert reverse("session-move", args=[session.code, "take"]) in body


def test_the_second_photographer_still_says_they_were_there(studio):
    walk = studio.walk(workflow.CONFIRMED).equip()
    second = person(Role.PHOTOGRAPHER)
    people.assign_photographer(
        walk.session, photographer_id=second.pk, coverage=walk.session.span, by=studio.coordinator, now=walk.now
    )
    walk.to(workflow.ASSIGNED)
    walk.session.attend(by=studio.photographer, now=walk.session.ends_at)
    assert "I was there too" in page(second, walk.session).content.decode()
    assert "I was there too" not in page(studio.photographer, walk.session).content.decode()


def test_the_lines_link_goes_when_the_state_forbids_it_and_an_admin_is_told_of_the_audit(studio):
    session = studio.walk(workflow.ASSIGNED).session
    lines = reverse("session-lines", args=[session.code])
    assert f'href="{lines}"' not in page(studio.coordinator, session).content.decode()
    body = page(studio.admin, session).content.decode()
    assert f'href="{lines}"' in body and "audit log" in body


def test_a_canceled_session_shows_where_it_ended(studio):
    session = studio.walk(workflow.CONFIRMED).to(workflow.CANCELED).session
    steps = story.steps_of(session, list(session.history.order_by("-id")))
    assert [step.stage for step in steps] == ["done"] * 4 + ["ended"] + ["ahead"] * 5
    assert "Ill" in page(studio.coordinator, session).content.decode()


def test_a_reopened_session_shows_no_date_for_what_lies_ahead_again(studio):
    walk = studio.walk(workflow.CONFIRMED)
    walk.session.reopen(by=studio.coordinator, now=walk.now)
    steps = story.steps_of(walk.session, list(walk.session.history.order_by("-id")))
    assert [step.stage for step in steps][:4] == ["done", "now", "ahead", "ahead"]
    assert steps[3].when is None


def test_a_high_risk_client_is_flagged_with_the_figures(studio):
    for _index in range(3):
        studio.walk(workflow.CANCELED)
    body = page(studio.coordinator, studio.request()).content.decode()
    assert "High risk: 3 of the client" in body and "The whole price is asked for as the deposit" in body


def test_what_was_paid_above_the_total_can_be_written_down(studio):
    walk = studio.walk(workflow.CONFIRMED)
    line = walk.session.lines.order_by("-line_subtotal").first()
    price.remove_line(walk.session, line_id=line.pk, by=studio.coordinator, now=walk.now)
    body = page(studio.coordinator, walk.session).content.decode()
    assert reverse("session-owe", args=[walk.session.code]) in body


# -- what must never be read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [workflow.CONFIRMED, workflow.ASSIGNED, workflow.ATTENDED, workflow.IN_EDITING])
def test_no_amount_and_no_private_record_reaches_those_on_a_session(studio, status):
    """Second phone, address, notes, type, and every figure of money (permissions, object level)."""
    walk = studio.walk(workflow.NEGOTIATION)
    price.add_package(walk.session, package=studio.package, by=studio.coordinator, now=walk.now)
    walk.session.refresh_from_db()
    walk.to(workflow.CONFIRMED).equip()
    if status != workflow.CONFIRMED:
        walk.to(status)
    session = walk.session
    private = ["5555-0999", "Secret street", "Pays late", "Individual", "Institutional"]
    amounts = ["900", "1,000", "1000", "500.00", "5.00", "100.00", STUDIO.currency + "\N{NO-BREAK SPACE}"]
    readers = [studio.photographer] + ([studio.editor] if status in (workflow.ATTENDED, workflow.IN_EDITING) else [])
    for reader in readers:
        html = page(reader, session).content.decode()
        facts = page(reader, session, **AS_JSON).json()
        for secret in (*private, *amounts):
            assert secret not in html.split("<main", 1)[1], secret
            assert secret not in json.dumps(facts, ensure_ascii=False), secret
        assert session.client.full_name in html and "5555-0142" in html and session.client.email in html
        assert set(facts["session"]["contact"]) == {"full_name", "primary_phone", "email"}
        assert set(facts["session"]["lines"][0]) == {"name", "quantity"}


def test_strangers_get_404_and_nobody_gets_past_the_sign_in(studio):
    session = studio.walk(workflow.CONFIRMED).session
    for user in (studio.photographer, studio.editor, person(Role.ARTIST)):
        answer = page(user, session, **AS_JSON)
        assert (answer.status_code, answer.json()["code"]) == (404, "SESSION_NOT_FOUND")
    assert page(person(), session).status_code == 403
    assert Browser().get(reverse("session-page", args=[session.code])).status_code == 302
    missing = browser(studio.coordinator).get(reverse("session-page", args=["S-1"]), headers=AS_JSON)
    assert (missing.status_code, missing.json()["code"]) == (404, "SESSION_NOT_FOUND")


def test_the_office_reads_in_the_history_what_became_of_the_hold_and_of_the_time(studio):
    session = studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    acting = {"by": studio.coordinator, "now": timezone.now()}
    until, usual, old = studio.today + timedelta(days=12), session.held_until, session.span
    hold.extend(session, until=until, reason="She is abroad", **acting)
    request.edit(session, when=studio.when(days=25, start="09:00", end="10:00"), **acting)
    session.refresh_from_db()
    told = f"Held until {moment(session.held_until)} instead of {moment(usual)}"
    body = page(studio.photographer, session).content.decode()
    assert "Held until" not in body and "She is abroad" not in body
    hold.release(session, reason="Booked elsewhere", **acting)
    session.refresh_from_db()
    events = story.whole(session, **acting).events
    assert [(event.title, event.why) for event in events] == [
        (f"Hold released: {studio.photographer.full_name}, {studio.room.name}", "Booked elsewhere"),
        (f"Moved from {day(old.start)} 14:00–16:30 to {day(session.starts_at)} 09:00–10:00", ""),
        (told, "She is abroad"),
        ("Request written down", ""),
    ]
    assert {event.by for event in events} == {studio.coordinator.full_name}
    again = AuditEvent(event=HOLD_EXTENDED, details={"until": usual.isoformat(), "before": usual.isoformat()})
    assert change_in_words(again).title == f"Still held until {moment(usual)}"
    assert told in page(studio.coordinator, session).content.decode()


def test_the_office_is_warned_of_a_time_outside_the_opening_hours_until_it_has_been(studio):
    walk = studio.walk(workflow.ASSIGNED)
    hours.declare(walk.session.session_date, walk.session.session_date, note="Holiday", by=studio.admin, now=walk.now)
    warning = "That is outside the opening hours"
    assert warning in page(studio.coordinator, walk.session).content.decode()
    assert warning not in page(studio.photographer, walk.session).content.decode()
    assert warning not in page(studio.coordinator, walk.to(workflow.ATTENDED).session).content.decode()


# -- what it costs -----------------------------------------------------------------------------------------------------


def queries(user, session) -> int:
    client = browser(user)
    url = reverse("session-page", args=[session.code])
    client.get(url)
    with CaptureQueriesContext(connection) as caught:
        assert client.get(url).status_code == 200
    return len(caught)


def test_the_page_costs_the_same_however_much_there_is_to_tell(studio):
    walk = studio.walk(workflow.CONFIRMED).equip()
    session = walk.session
    readers = (studio.coordinator, studio.admin, studio.photographer)
    before = [queries(user, session) for user in readers]
    for _index in range(30):
        price.add_item(session, item=ItemFactory(), quantity=1, by=studio.coordinator, now=walk.now)
    for index in range(10):
        photographer = person(Role.PHOTOGRAPHER)
        people.assign_photographer(
            session, photographer_id=photographer.pk, coverage=session.span, by=studio.coordinator, now=walk.now
        )
        pay.register_balance(
            session,
            amount=Decimal("10.00"),
            method="Cash",
            document_number=str(index),
            payment_date=studio.today,
            by=person(Role.COORDINATOR),
            now=walk.now,
        )
        session.refresh_from_db()
        session.reopen(by=studio.coordinator, now=walk.now)
        session.preschedule(by=studio.coordinator, now=walk.now)
        missing = session.deposit_amount - Decimal(500 + 10 * index)
        Payment.objects.filter(session=session, payment_status="Pending").update(
            payment_status="Verified", verified_at=walk.now
        )
        if missing > 0 and index == 0:
            Payment.objects.create(
                session=session,
                payment_type="Balance",
                amount=missing,
                payment_method="Cash",
                document_number="R-1",
                payment_status="Verified",
                payment_date=studio.today,
                registered_at=walk.now,
                verified_at=walk.now,
            )
        session.confirm(by=studio.coordinator, now=walk.now)
    after = [queries(user, session) for user in readers]
    assert before == after
    assert max(after) <= 15
    assert OutgoingEmail.objects.filter(about_id=session.pk).count() >= 10


@pytest.mark.parametrize("status", workflow.STATES)
def test_every_state_stays_within_the_budget(studio, status):
    session = studio.walk(status).session
    for user in (studio.coordinator, studio.admin, studio.photographer, studio.editor):
        if type(session).objects.visible_to(user).filter(pk=session.pk).exists():
            assert queries(user, session) <= 15


def test_every_effect_of_the_table_has_its_sentence():
    """A new effect that nobody is told of before the click is a hole in the promise of the page."""
    assert set(TELLERS) == set(EFFECTS)


def test_a_page_only_answers_reading(studio):
    session = studio.request()
    url = reverse("session-page", args=[session.code])
    assert browser(studio.coordinator).post(url).status_code == 405


def test_the_page_tells_when_and_what_the_client_wants(studio):
    session = studio.walk(workflow.REQUEST, special_notes="Soft light").session
    body = page(studio.coordinator, session).content.decode()
    assert "14:00" in body and "Soft light" in body
