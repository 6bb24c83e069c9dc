"""What every edge of the graph promises: deadlines, history, money, time, mail and notices."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments.ledger import validate_payments
from payments.models import CommissionLine
from payments.money import ZERO
from payments.refunds import Percentages
from sessions_app import workflow
from sessions_app.actions import price
from sessions_app.actions.commission import agree_commission
from sessions_app.cancellation import terms_of
from sessions_app.deadlines import changes_deadline, hold_deadline, payment_deadline
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput
from studio.models import AuditEvent, Notice, OutgoingEmail, User
from studio.roles import Perm
from tests.matrix.conftest import Ten, tried
from tests.matrix.test_transitions import TARGETS

pytestmark = pytest.mark.django_db

SHOOTERS = ("photographer", "photographer_editor")
EDITORS = ("photographer_editor", "editor", "other_editor")
FREED = {"assignment_off": SHOOTERS}
CANCELED = (["cancellation_email"], FREED, ["session_canceled"])
CANCELED_WITH_REFUND = (["cancellation_email"], FREED, ["refund_owed", "session_canceled"])

# e-mails, notices by kind and recipients, and lines of the audit log, when the ordinary executor does it.
TOLD: dict[tuple[str, str], tuple[list[str], dict[str, tuple[str, ...]], list[str]]] = {
    ("negotiate", "Request"): ([], {}, []),
    ("preschedule", "Negotiation"): ([], {}, []),
    ("confirm", "Pre-scheduled"): (["confirmation_email"], {}, []),
    ("reopen", "Pre-scheduled"): ([], {}, []),
    ("reopen", "Confirmed"): ([], {}, []),
    ("assign", "Confirmed"): ([], {"session_settled": SHOOTERS}, []),
    ("attend", "Assigned"): ([], {"session_for_editing": EDITORS}, []),
    ("take", "Attended"): ([], {}, []),
    ("ready", "In Editing"): (["material_ready_email"], {"material_ready": ("coordinator",)}, []),
    ("complete", "Ready for Delivery"): ([], {}, []),
    ("cancel", "Request"): CANCELED,
    ("cancel", "Negotiation"): CANCELED,
    ("cancel", "Pre-scheduled"): CANCELED,
    ("cancel", "Confirmed"): CANCELED_WITH_REFUND,
    ("cancel", "Assigned"): CANCELED,
    ("cancel", "Attended"): CANCELED,
    ("cancel", "In Editing"): CANCELED,
    ("cancel", "Ready for Delivery"): CANCELED,
}
EXECUTOR = {"attend": "photographer", "take": "other_editor", "ready": "editor"}


def carry_out(ten: Ten, transition: str, state: str, actor: str, **payload: Any) -> Session:
    given = ten.payload(transition, actor) | payload
    session = ten.session(state)
    session.move(transition, by=ten.by(actor), now=ten.moment(transition, state), **given)
    return Session.objects.get(pk=session.pk)


@pytest.mark.parametrize(("transition", "state"), TOLD)
def test_edge_writes_its_history_and_tells_whom_it_should(ten, transition, state):
    actor = EXECUTOR.get(transition, "coordinator")
    mails, notices, audited = TOLD[transition, state]
    with tried():
        before = {
            model: set(model.objects.values_list("pk", flat=True)) for model in (AuditEvent, Notice, OutgoingEmail)
        }
        session = carry_out(ten, transition, state, actor)
        new = {model: model.objects.exclude(pk__in=known) for model, known in before.items()}

        row = session.history.last()
        assert (row.previous_status, row.new_status) == (state, TARGETS[transition, state])
        assert (row.changed_by, row.changed_at) == (ten.by(actor), ten.moment(transition, state))
        assert row.reason == ten.payload(transition, actor).get("reason", "")
        assert (session.updated_by, session.updated_at) == (row.changed_by, row.changed_at)

        assert [(mail.kind, mail.to) for mail in new[OutgoingEmail]] == [(kind, session.client.email) for kind in mails]
        told = Counter((notice.kind, notice.recipient_id) for notice in new[Notice])
        assert told == Counter((kind, ten.by(name).pk) for kind, names in notices.items() for name in names)
        assert sorted(new[AuditEvent].values_list("event", flat=True)) == audited


def test_table_has_every_edge():
    assert set(TOLD) == set(TARGETS)


def test_prescheduling_fixes_deadline_and_deposit(ten):
    """Business rules 1.3, 2.1, 5.1; D3."""
    with tried():
        session = carry_out(ten, "preschedule", "Negotiation", "coordinator")
        assert session.payment_deadline == payment_deadline(ten.walks["Negotiation"].now)
        assert session.deposit_amount == Decimal("500.00")


def test_confirming_records_the_deposit_and_opens_the_time_for_changes(ten):
    """Business rules 1.3, 2.2; D20: recorded and verified in the same act."""
    with tried():
        session = carry_out(ten, "confirm", "Pre-scheduled", "coordinator")
        assert session.payment_deadline is None
        assert session.changes_deadline == changes_deadline(session.session_date)
        (deposit,) = session.payments.all()
        assert (deposit.payment_type, deposit.payment_status, deposit.amount) == ("Deposit", "Verified", 500)
        assert (deposit.registered_by, deposit.verified_by) == (ten.by("coordinator"), ten.by("coordinator"))


@pytest.mark.parametrize("state", ["Pre-scheduled", "Confirmed"])
def test_reopening_clears_deadlines_and_keeps_what_is_held(ten, state):
    """Business rules 1.4, D13, D14."""
    with tried():
        before = ten.session(state)
        session = carry_out(ten, "reopen", state, "coordinator")
        assert (session.payment_deadline, session.changes_deadline) == (None, None)
        assert session.kept_changes_deadline == before.changes_deadline
        assert session.room_id == before.room_id
        assert session.assignments.filter(released_at=None).count() == 2
        assert session.room_reservations.filter(released_at=None).count() == 1
        assert validate_payments(session.pk) == validate_payments(before.pk)
        # As a request's, they are held for a while; the deposit no longer says until when.
        assert (before.held_until, session.held_until) == (
            None,
            hold_deadline(ten.moment("reopen", state), session.starts_at),
        )


@pytest.mark.parametrize(("transition", "state"), [("preschedule", "Negotiation"), ("cancel", "Request")])
def test_a_hold_ends_with_the_negotiation(ten, transition, state):
    with tried():
        assert ten.session(state).held_until is not None
        assert carry_out(ten, transition, state, "coordinator").held_until is None


def test_assigning_promises_the_delivery(ten):
    """Business rules 2.3."""
    with tried():
        session = carry_out(ten, "assign", "Confirmed", "system")
        assert session.estimated_delivery_date == session.session_date + timedelta(days=5)
        assert session.history.last().changed_by is None


def test_attending_notes_who_was_there_and_shows_it_to_editors(ten):
    """Business rules 1.3; D10: the mark of one says nothing about the other."""
    with tried():
        assert not Session.objects.visible_to(ten.by("other_editor")).filter(pk=ten.session("Assigned").pk).exists()
        session = carry_out(ten, "attend", "Assigned", "photographer")
        marked = {row.staff: row.attended_at is not None for row in session.assignments.filter(released_at=None)}
        assert marked == {ten.by("photographer"): True, ten.by("photographer_editor"): False}
        assert Session.objects.visible_to(ten.by("other_editor")).filter(pk=session.pk).exists()


def test_attending_by_an_admin_notes_nobody_as_there(ten):
    with tried():
        session = carry_out(ten, "attend", "Assigned", "admin")
        assert not session.assignments.filter(attended_at__isnull=False).exists()


def test_taking_makes_the_editor_and_ends_the_queue(ten):
    """Business rules 1.3, D11."""
    with tried():
        session = carry_out(ten, "take", "Attended", "other_editor")
        assert session.assigned_editor == ten.by("other_editor")
        grants = session.grants.filter(user=ten.by("other_editor")).values_list("permission__codename", flat=True)
        assert set(grants) == {Perm.SESSION_VIEW_OWN.value, Perm.SESSION_MARK_READY.value}
        assert not Session.objects.visible_to(ten.by("editor")).filter(pk=session.pk).exists()


def test_completing_frees_the_time_and_keeps_the_view(ten):
    """D34."""
    with tried():
        session = carry_out(ten, "complete", "Ready for Delivery", "coordinator")
        assert not session.assignments.filter(released_at=None).exists()
        assert not session.room_reservations.filter(released_at=None).exists()
        for name in (*SHOOTERS, "editor"):
            assert Session.objects.visible_to(ten.by(name)).filter(pk=session.pk).exists(), name


# The session's rate, then the two photographers' own; who earns what of 999.95, and whose rate it was.
COMMISSIONS = [
    (None, None, None, {}),
    (None, "0.125", None, {"photographer": ("0.125", "124.99", "Person")}),
    (
        None,
        "0.125",
        "0.333",
        {"photographer": ("0.125", "124.99", "Person"), "photographer_editor": ("0.333", "332.98", "Person")},
    ),
    (
        "0.2",
        "0.125",
        None,
        {"photographer": ("0.200", "199.99", "Session"), "photographer_editor": ("0.200", "199.99", "Session")},
    ),
    # Zero is a rate, not a missing one.
    (
        "0",
        "0.125",
        None,
        {"photographer": ("0.000", "0.00", "Session"), "photographer_editor": ("0.000", "0.00", "Session")},
    ),
]


@pytest.mark.parametrize(("agreed", "own", "others", "expected"), COMMISSIONS)
def test_completing_fixes_what_each_photographer_with_a_rate_earns(ten, agreed, own, others, expected):
    """D27. Who was taken off before earns nothing, whatever their rate."""
    state = workflow.READY
    with tried():
        rates = {"photographer": own, "photographer_editor": others, "former_photographer": "0.5"}
        for name, rate in rates.items():
            User.objects.filter(pk=ten.by(name).pk).update(commission_rate=rate)
        now, price_of = ten.moment("complete", state), {"transportation_cost": ZERO, "deposit_percentage": 50}
        price_of |= {"discount": Decimal("0.05"), "discount_reason": "Rounded", "deposit_note": ""}
        price.set_price(ten.session(state), by=ten.by("admin"), now=now, **price_of)
        if agreed is not None:
            agree_commission(ten.session(state), rate=Decimal(agreed), by=ten.by("coordinator"), now=now)
        session = carry_out(ten, "complete", state, "coordinator")

        lines = CommissionLine.objects.filter(session=session)
        assert {(line.person_id, str(line.rate), str(line.amount), line.rate_source) for line in lines} == {
            (ten.by(name).pk, *figures) for name, figures in expected.items()
        }
        assert {(line.kind, line.base, line.statement_id, line.created_by_id) for line in lines} <= {
            ("Earned", Decimal("999.95"), None, ten.by("coordinator").pk)
        }
        User.objects.filter(pk=ten.by("photographer").pk).update(commission_rate="0.9")
        assert {str(line.amount) for line in lines.all()} == {amount for _rate, amount, _source in expected.values()}


@pytest.mark.parametrize("state", workflow.STATES[:8])
def test_canceling_frees_everything_and_keeps_the_view(ten, state):
    """Business rules 1.3, D34."""
    with tried():
        now = ten.moment("cancel", state)
        session = carry_out(ten, "cancel", state, "coordinator")
        assert (session.canceled_at, session.cancellation_reason) == (now, "The bride has a fever")
        assert (session.canceled_by_initiator, session.payment_deadline) == ("client", None)
        assert not session.assignments.filter(released_at=None).exists()
        assert not session.room_reservations.filter(released_at=None).exists()
        for name in SHOOTERS:
            assert Session.objects.visible_to(ten.by(name)).filter(pk=session.pk).exists()
        assert not Session.objects.visible_to(ten.by("former_photographer")).filter(pk=session.pk).exists()
        waiting = OutgoingEmail.objects.filter(about_id=session.pk, status="waiting")
        assert [mail.kind for mail in waiting] == ["cancellation_email"]


# Business rules 4.1, 500.00 verified from Confirmed on: state, initiator, after the changes deadline, refund, reason.
REFUNDS = [
    ("Request", "client", False, "0.00", "No payments made"),
    ("Negotiation", "company", False, "0.00", "No payments made"),
    ("Pre-scheduled", "client", False, "0.00", "No payments made"),
    ("Confirmed", "client", False, "500.00", "Within changes deadline"),
    ("Confirmed", "client", True, "250.00", "After changes deadline - 50% refund"),
    ("Confirmed", "company", True, "500.00", "Company cannot fulfill - full refund"),
    ("Assigned", "company", True, "500.00", "Company cannot fulfill - full refund"),
    ("Assigned", "force_majeure", True, "500.00", "Company cannot fulfill - full refund"),
    ("Assigned", "client", True, "0.00", "Client cancellation after assignment - no refund"),
    ("Attended", "company", True, "0.00", "Service already provided - no refund"),
    ("In Editing", "client", True, "0.00", "Service already provided - no refund"),
    ("Ready for Delivery", "force_majeure", True, "0.00", "Service already provided - no refund"),
]


@pytest.mark.parametrize(("state", "initiator", "late", "amount", "reason"), REFUNDS)
def test_canceling_owes_what_the_matrix_says(ten, state, initiator, late, amount, reason):
    """Business rules 4.1; D19: owed at first, the session's own words kept beside it, and told to the client."""
    with tried():
        session = ten.session(state)
        now = ten.walks[state].now
        if late and session.changes_deadline:
            now = max(now, session.changes_deadline + timedelta(seconds=1))
        session.cancel(by=ten.by("coordinator"), now=now, reason="Ill", initiator=initiator)
        owed = session.payments.filter(payment_type="Refund")
        assert [(row.payment_status, str(row.amount)) for row in owed] == (
            [("Pending", amount)] if Decimal(amount) else []
        )
        assert session.refund_reason == reason
        assert validate_payments(session.pk)["refund_owed"] == Decimal(amount)
        mail = OutgoingEmail.objects.get(about_id=session.pk, kind="cancellation_email")
        assert (mail.context["refund_amount"], mail.context["refund_reason"]) == (amount, reason)


def test_reopened_session_is_refunded_as_if_confirmed(ten):
    """D14: reopened within its deadline, canceled in Negotiation, before and after it."""
    with tried():
        session = carry_out(ten, "reopen", "Confirmed", "coordinator")
        deadline, by = session.kept_changes_deadline, ten.by("coordinator")
        for now, amount in ((deadline, 500), (deadline + timedelta(seconds=1), 250)):
            with tried():
                again = Session.objects.get(pk=session.pk)
                again.cancel(by=by, now=now, reason="Ill", initiator="client")
                assert validate_payments(session.pk)["refund_owed"] == amount


@pytest.mark.parametrize("transition", ["attend", "take", "ready"])
def test_what_an_admin_does_for_others_is_an_override_in_the_audit_log(ten, transition):
    """D15."""
    (state,) = (source for name, source in TARGETS if name == transition)
    with tried():
        carry_out(ten, transition, state, "admin")
        line = AuditEvent.objects.filter(event="admin_override").latest("pk")
        assert (line.actor_id, line.details) == (ten.by("admin").pk, {"transition": transition, "source": state})


def test_admin_puts_an_editor_on_a_session_and_nobody_else_does(ten):
    """D11."""
    with tried():
        session = carry_out(ten, "take", "Attended", "admin", editor=ten.by("other_editor"))
        assert session.assigned_editor == ten.by("other_editor")
    with tried(), pytest.raises(AccessDenied):
        carry_out(ten, "take", "Attended", "editor", editor=ten.by("other_editor"))
    with tried(), pytest.raises(InvalidInput):
        carry_out(ten, "take", "Attended", "admin", editor=ten.by("coordinator"))
    with tried():
        assert carry_out(ten, "take", "Attended", "editor", editor=ten.by("editor")).assigned_editor


@pytest.mark.parametrize("payload", [{}, {"reason": None, "initiator": "client"}, {"reason": "Ill"}])
def test_canceling_without_its_reason_or_initiator_is_refused(ten, payload):
    """D7."""
    session = ten.session("Request")
    with tried(), pytest.raises(InvalidInput):
        session.cancel(by=ten.by("coordinator"), now=ten.walks["Request"].now, **payload)


def test_unknown_payload_is_an_error_of_the_program(ten):
    with tried(), pytest.raises(TypeError):
        ten.session("Request").negotiate(by=ten.by("coordinator"), discount=5)


def test_confirming_keeps_the_refund_percentages_whatever_is_set_later(ten):
    """Business rules 4, 7; D14, D18: what the client agreed to, through a reopening until it is confirmed anew."""
    by, now = ten.by("coordinator"), ten.walks["Pre-scheduled"].now
    late = {"refund_after_deadline": 10, "refund_within_deadline": 20, "refund_force_majeure": 30}
    with tried(), STUDIO.overridden(**late):
        before = ten.session("Pre-scheduled")
        assert (before.refund_terms, terms_of(before)) == (None, Percentages.in_force())
        session = ten.session("Confirmed")
        agreed = Percentages(within_deadline=100, after_deadline=50, force_majeure=100, client_after_assigned=0)
        assert terms_of(session) == agreed != Percentages.in_force()
        session.reopen(by=by, now=now)
        assert terms_of(Session.objects.get(pk=session.pk)) == agreed
        with tried():
            session.cancel(by=by, now=now, reason="Ill", initiator="client")
            assert (session.payments.refunds().get().amount, session.refund_reason) == (500, "Within changes deadline")
        session.preschedule(by=by, now=now)
        session.confirm(by=by, now=now)
        assert terms_of(Session.objects.get(pk=session.pk)) == Percentages.in_force() != agreed


def test_prescheduling_keeps_the_quote_once_for_each_that_differs(ten):
    """D13: the content as it was given; the same again is no new version, another price is."""
    with tried():
        session = carry_out(ten, "preschedule", "Negotiation", "coordinator")
        by, now = ten.by("coordinator"), ten.walks["Negotiation"].now
        (first,) = session.quotes.all()
        assert (first.number, first.total, first.made_by, first.made_at) == (1, 1000, by, now)
        assert (first.content["total"], len(first.content["lines"])) == ("1000.00", 2)
        for discount, numbers in (("0.00", [1]), ("100.00", [1, 2])):
            session.reopen(by=by, now=now)
            price.set_price(session, discount=Decimal(discount), discount_reason="Friends", by=by, now=now)
            session = Session.objects.get(pk=session.pk)
            session.preschedule(by=by, now=now)
            assert [row.number for row in session.quotes.order_by("number")] == numbers
        first.refresh_from_db()
        assert first.content["total"] == "1000.00" and session.quotes.latest("number").content["total"] == "900.00"
