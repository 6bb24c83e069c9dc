"""The ten moves through their page: what it tells before the click, what it takes, and every way of saying no."""

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
from sessions_app import workflow
from sessions_app.actions import pay, price
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.models import AuditEvent
from studio.roles import Role
from tests.factories.domain import Studio, person

pytestmark = pytest.mark.django_db

AS_JSON = {"accept": "application/json"}


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio(today=timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=1))


def browser(user) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def url(session, name: str) -> str:
    return reverse("session-move", args=[session.code, name])


def get(user, session, name, **headers):
    return browser(user).get(url(session, name), headers=headers)


def post(user, session, name, data=None, **headers):
    return browser(user).post(url(session, name), data or {}, headers=headers)


def shot_yesterday(studio: Studio) -> Studio:
    """A studio in which a session of the first day has come and gone."""
    studio.today = timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=30)
    return studio


DEPOSIT = {"amount": "500.00", "method": "Cash", "document_number": "R-1", "payment_date": "2026-01-02"}


def today() -> str:
    return timezone.now().astimezone(STUDIO.zone).date().isoformat()


def test_the_whole_path_can_be_walked_through_the_pages(studio):
    studio = shot_yesterday(studio)
    walk = studio.walk(workflow.NEGOTIATION)
    session = walk.session
    price.add_package(session, package=studio.package, by=studio.coordinator, now=walk.now)
    coordinator = studio.coordinator
    assert post(coordinator, session, "preschedule").status_code == 302
    answer = post(coordinator, session, "confirm", DEPOSIT | {"payment_date": today()}, **AS_JSON)
    assert answer.json()["session"]["status"] == workflow.CONFIRMED
    walk.equip()
    assert post(coordinator, session, "assign").status_code == 302
    assert post(studio.photographer, session, "attend").status_code == 302
    assert post(studio.editor, session, "take").status_code == 302
    assert post(studio.editor, session, "ready").status_code == 302
    answer = post(coordinator, session, "complete", **AS_JSON)
    assert answer.json()["session"] == {
        "code": session.code,
        "status": workflow.COMPLETED,
        "estimated_delivery_date": answer.json()["session"]["estimated_delivery_date"],
        "payment_deadline": None,
        "changes_deadline": answer.json()["session"]["changes_deadline"],
        "held_until": None,
    }


def test_an_act_says_what_happened_and_the_next_act(studio):
    session = studio.walk(workflow.REQUEST).session
    answer = browser(studio.coordinator).post(url(session, "negotiate"), follow=True)
    body = answer.content.decode()
    assert f"{session.code} is in negotiation." in body
    assert reverse("session-lines", args=[session.code]) in body


def test_an_unknown_move_is_not_there(studio):
    session = studio.request()
    for method in (get, post):
        answer = method(studio.coordinator, session, "teleport", **AS_JSON)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


# -- before the click --------------------------------------------------------------------------------------------------


def test_each_page_tells_what_the_move_does(studio):
    telling = {
        workflow.NEGOTIATION: ("preschedule", ["for the deposit", "The deposit is fixed: Q\N{NO-BREAK SPACE}500.00"]),
        workflow.PRE_SCHEDULED: ("confirm", ["Changes are possible until", "The client is told by e-mail"]),
        workflow.CONFIRMED: ("reopen", ["A refund still goes by", "no longer applies"]),
    }
    for status, (name, sentences) in telling.items():
        walk = studio.walk(status)
        if status == workflow.NEGOTIATION:
            price.add_package(walk.session, package=studio.package, by=studio.coordinator, now=walk.now)
        body = get(studio.coordinator, walk.session, name).content.decode()
        for sentence in sentences:
            assert sentence in body, (name, sentence)


def test_a_machine_reads_the_same_before_the_act(studio):
    session = studio.walk(workflow.NEGOTIATION).session
    facts = get(studio.coordinator, session, "preschedule", **AS_JSON).json()
    assert (facts["move"], facts["target"], facts["possible"]) == ("preschedule", workflow.PRE_SCHEDULED, False)
    assert "Nothing is sold yet" in facts["reason"] and facts["effects"]


def test_canceling_shows_the_refund_of_each_initiator_before_the_click(studio):
    walk = studio.walk(workflow.CONFIRMED).equip()
    body = get(studio.coordinator, walk.session, "cancel").content.decode()
    assert "Q\N{NO-BREAK SPACE}500.00" in body and "Q\N{NO-BREAK SPACE}250.00" in body
    assert "100 % of Q\N{NO-BREAK SPACE}500.00" in body and "50 % of Q\N{NO-BREAK SPACE}500.00" in body
    assert f"Told that they are free: {studio.photographer.full_name}." in body
    assert studio.room.name in body and walk.session.client.email in body


def test_the_preview_is_what_the_act_does(studio):
    session = studio.walk(workflow.CONFIRMED).session
    answer = post(studio.coordinator, session, "cancel", {"initiator": "client", "reason": "Ill"}, **AS_JSON)
    assert answer.json()["session"]["status"] == workflow.CANCELED
    refund = Payment.objects.get(session=session, payment_type="Refund")
    assert (refund.amount, refund.payment_status) == (Decimal("500.00"), "Pending")
    assert "Q\N{NO-BREAK SPACE}500.00 is owed back." in answer.json()["message"]


def test_completing_warns_of_the_missing_balance_and_does_not_refuse(studio):
    session = studio.walk(workflow.READY).session
    body = get(studio.coordinator, session, "complete").content.decode()
    assert "Q\N{NO-BREAK SPACE}500.00 is missing." in body
    assert post(studio.coordinator, session, "complete").status_code == 302


def test_a_studio_that_wants_full_payment_has_the_act_disabled_with_the_reason(studio):
    session = studio.walk(workflow.READY).session
    with STUDIO.overridden(require_full_payment=True):
        assert 'aria-describedby="why-submit"' in get(studio.coordinator, session, "complete").content.decode()
        answer = post(studio.coordinator, session, "complete", **AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "INSUFFICIENT_PAYMENT")


# -- confirming with the deposit ---------------------------------------------------------------------------------------


def test_the_missing_deposit_is_filled_in_and_may_come_with_the_confirmation(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    body = get(studio.coordinator, session, "confirm").content.decode()
    assert 'value="500.00"' in body and f'value="{today()}"' in body
    post(
        studio.coordinator,
        session,
        "confirm",
        {"amount": "700", "method": "Card", "document_number": "V-1", "payment_date": today()},
    )
    rows = (
        Payment.objects.filter(session=session).order_by("id").values_list("payment_type", "amount", "payment_status")
    )
    assert list(rows) == [("Deposit", Decimal("500.00"), "Verified"), ("Balance", Decimal("200.00"), "Verified")]
    session.refresh_from_db()
    assert session.status == workflow.CONFIRMED


def test_a_deposit_that_waits_is_offered_for_verification_instead_of_a_second_one(studio):
    walk = studio.walk(workflow.PRE_SCHEDULED)
    payment = pay.register_deposit(
        walk.session,
        amount=Decimal("500.00"),
        method="Cash",
        document_number="BI-1",
        payment_date=studio.today,
        by=studio.coordinator,
        now=walk.now,
    )[0]
    body = get(studio.coordinator, walk.session, "confirm").content.decode()
    assert reverse("payment-verify", args=[payment.pk]) in body
    assert 'name="amount"' not in body and "Verify what is waiting first" in body


def test_typed_input_survives_a_refusal_beside_its_field(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    answer = post(
        studio.coordinator,
        session,
        "confirm",
        {"amount": "1000.01", "method": "Card", "document_number": "V-77", "payment_date": today()},
    )
    body = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="V-77"' in body and 'value="1000.01"' in body and "more than is left to pay" in body
    assert not Payment.objects.filter(session=session).exists()


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e9", "-5", "0", "12.345", "abc", "9" * 40, "1,2,3"])
def test_an_amount_that_is_none_is_refused_by_the_form(studio, amount):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    answer = post(
        studio.coordinator,
        session,
        "confirm",
        {"amount": amount, "method": "Card", "document_number": "V-1", "payment_date": today()},
        **AS_JSON,
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
    assert "amount" in answer.json()["details"]["fields"]


def test_an_amount_without_a_method_is_asked_for_it(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    answer = post(studio.coordinator, session, "confirm", {"amount": "500"}, **AS_JSON)
    assert answer.json()["details"]["fields"].keys() == {"method"}


# -- every way of saying no --------------------------------------------------------------------------------------------


def expired(studio: Studio) -> Session:
    """Pre-scheduled so long ago that the deadline for the deposit is over."""
    walk = shot_yesterday(studio).walk(workflow.PRE_SCHEDULED, when=studio.when(60))
    return walk.session


def late(studio: Studio) -> Session:
    """Confirmed, with the deadline for changes behind us."""
    studio = shot_yesterday(studio)
    return studio.walk(workflow.CONFIRMED, when=studio.when(31)).session


REFUSALS = {
    "a move that does not leave this state": (
        lambda studio: studio.request(),
        "confirm",
        {},
        (409, "INVALID_STATE_TRANSITION", "wrong_state"),
    ),
    "nothing is sold": (
        lambda studio: studio.walk(workflow.NEGOTIATION).session,
        "preschedule",
        {},
        (409, "INVALID_STATE_TRANSITION", "no_lines"),
    ),
    "changes are still possible": (
        lambda studio: studio.walk(workflow.CONFIRMED).equip().session,
        "assign",
        {},
        (409, "INVALID_STATE_TRANSITION", "changes_deadline_not_passed"),
    ),
    "the deposit came too late": (
        expired,
        "confirm",
        DEPOSIT,
        (422, "PAYMENT_DEADLINE_EXPIRED", "payment_deadline_passed"),
    ),
    "the deposit is missing": (
        lambda studio: studio.walk(workflow.PRE_SCHEDULED).session,
        "confirm",
        {},
        (422, "INSUFFICIENT_PAYMENT", "deposit_missing"),
    ),
    "changes are over": (late, "reopen", {}, (422, "CHANGES_DEADLINE_EXPIRED", "changes_deadline_passed")),
    "nobody and nowhere": (late, "assign", {}, (422, "MISSING_RESOURCES", "resources_missing")),
    "more than the session costs": (
        lambda studio: studio.walk(workflow.PRE_SCHEDULED).session,
        "confirm",
        DEPOSIT | {"amount": "1000.01"},
        (422, "PAYMENT_EXCEEDS_TOTAL", None),
    ),
    "no reason": (
        lambda studio: studio.walk(workflow.CONFIRMED).session,
        "cancel",
        {"initiator": "client"},
        (422, "INVALID_INPUT", None),
    ),
    "nobody known cancels": (
        lambda studio: studio.walk(workflow.CONFIRMED).session,
        "cancel",
        {"initiator": "system", "reason": "x"},
        (422, "INVALID_INPUT", None),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_each_refusal_has_its_code_its_status_and_its_page(studio, case):
    make, name, data, (status, code, failed) = REFUSALS[case]
    session = make(studio)
    before = session.status
    data = data | ({"payment_date": today()} if "amount" in data else {})
    answer = post(studio.coordinator, session, name, data, **AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    if failed:
        assert failed in answer.json()["details"]["failed"]
    page = post(studio.coordinator, session, name, data)
    assert page.status_code == status
    assert b"<form" in page.content
    session.refresh_from_db()
    assert session.status == before


@pytest.mark.parametrize("name", workflow.PHOTOGRAPHY)
def test_the_page_and_the_act_ask_for_the_same_permission(studio, name):
    walk = studio.walk(workflow.CONFIRMED).equip()
    session = walk.session
    for user in (studio.coordinator, studio.photographer, studio.editor, person(Role.ARTIST)):
        shown, done = get(user, session, name, **AS_JSON), post(user, session, name, **AS_JSON)
        assert (shown.status_code in (403, 404)) == (done.status_code in (403, 404)), user
        if shown.status_code in (403, 404):
            assert shown.json()["code"] == done.json()["code"]


def test_on_it_but_not_allowed_is_403_and_not_on_it_is_404(studio):
    session = studio.walk(workflow.CONFIRMED).equip().session
    refused = post(studio.photographer, session, "cancel", {"initiator": "client", "reason": "x"}, **AS_JSON)
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")
    hidden = post(person(Role.PHOTOGRAPHER), session, "cancel", {"initiator": "client", "reason": "x"}, **AS_JSON)
    assert (hidden.status_code, hidden.json()["code"]) == (404, "SESSION_NOT_FOUND")
    assert AuditEvent.objects.filter(event="denied").count() == 2


def test_the_loser_of_the_queue_is_told_that_another_editor_has_it(studio):
    session = studio.walk(workflow.ATTENDED).session
    other = person(Role.EDITOR)
    assert post(studio.editor, session, "take").status_code == 302
    for answer in (post(other, session, "take", **AS_JSON), get(other, session, "take", **AS_JSON)):
        assert (answer.status_code, answer.json()["code"]) == (409, "INVALID_STATE_TRANSITION")
        assert answer.json()["message"] == "Another editor has taken it."
    page = post(other, session, "take")
    assert page.status_code == 409 and "Another editor has taken it." in page.content.decode()


def test_an_admin_chooses_who_gets_it(studio):
    session = studio.walk(workflow.ATTENDED).session
    assert studio.editor.full_name in get(studio.admin, session, "take").content.decode()
    post(studio.admin, session, "take", {"editor": studio.editor.pk})
    session.refresh_from_db()
    assert session.assigned_editor == studio.editor


@pytest.mark.parametrize("wrong", ["x", str(2**70), "0"])
def test_an_editor_who_is_none_is_refused_by_the_form(studio, wrong):
    session = studio.walk(workflow.ATTENDED).session
    answer = post(studio.admin, session, "take", {"editor": wrong}, **AS_JSON)
    assert answer.status_code == 422 and "editor" in answer.json()["details"]["fields"]
    answer = post(studio.admin, session, "take", {"editor": str(studio.photographer.pk)})
    assert answer.status_code == 422


def test_an_admin_who_acts_for_another_is_told_of_the_audit_log(studio):
    session = shot_yesterday(studio).walk(workflow.ASSIGNED).session
    page = browser(studio.admin).get(session.get_absolute_url()).content.decode()
    assert url(session, "attend") in page
    assert "written to the audit log" in get(studio.admin, session, "attend").content.decode()
    assert post(studio.admin, session, "attend").status_code == 302
    assert AuditEvent.objects.filter(event="admin_override").count() == 1


def test_an_editor_cannot_hand_it_to_another(studio):
    session = studio.walk(workflow.ATTENDED).session
    post(studio.editor, session, "take", {"editor": person(Role.EDITOR).pk})
    session.refresh_from_db()
    assert session.assigned_editor == studio.editor


def test_attendance_is_marked_with_one_post(studio):
    session = shot_yesterday(studio).walk(workflow.ASSIGNED).session
    attend = reverse("session-attend", args=[session.code])
    client = browser(studio.photographer)
    assert client.get(attend).status_code == 405
    assert client.post(attend, headers=AS_JSON).json()["session"]["status"] == workflow.ATTENDED
    again = client.post(attend, headers=AS_JSON)
    assert (again.status_code, again.json()["code"]) == (409, "INVALID_STATE_TRANSITION")
    assert client.post(attend).status_code == 409
    assert browser(studio.coordinator).post(attend, headers=AS_JSON).status_code == 403


def test_the_answer_to_a_photographer_has_no_deadlines_of_money(studio):
    session = shot_yesterday(studio).walk(workflow.ASSIGNED).session
    facts = (
        browser(studio.photographer)
        .post(reverse("session-attend", args=[session.code]), headers=AS_JSON)
        .json()["session"]
    )
    assert set(facts) == {"code", "status", "estimated_delivery_date"}


def test_json_bodies_do_the_same(studio):
    session = studio.walk(workflow.CONFIRMED).session
    answer = browser(studio.coordinator).post(
        url(session, "cancel"), {"initiator": "company", "reason": "Flood"}, content_type="application/json"
    )
    assert answer.json()["ok"] is True and answer.json()["session"]["status"] == workflow.CANCELED


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (workflow.NEGOTIATION, "preschedule"),
        (workflow.PRE_SCHEDULED, "confirm"),
        (workflow.CONFIRMED, "cancel"),
        (workflow.READY, "complete"),
    ],
)
def test_the_page_of_a_move_stays_within_the_budget(studio, status, name):
    session = studio.walk(status).session
    client = browser(studio.coordinator)
    client.get(url(session, name))
    with CaptureQueriesContext(connection) as caught:
        assert client.get(url(session, name)).status_code == 200
    assert len(caught) <= 15
