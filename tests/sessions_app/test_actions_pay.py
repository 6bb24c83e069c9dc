"""Money through the actions: who may, what is refused, what is written (business rules 5, 10.1; D13, D19 to D21)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from payments.ledger import validate_payments
from sessions_app import workflow
from sessions_app.actions import pay, price, shoot
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import (
    AccessDenied,
    ImmutableSession,
    InsufficientPayment,
    InvalidInput,
    InvalidStateTransition,
    PaymentDeadlineExpired,
    PaymentExceedsTotal,
    SessionNotFound,
)
from studio.models import AuditEvent
from studio.roles import Role
from tests.factories.domain import Studio, Walk, person

pytestmark = pytest.mark.django_db

D = Decimal


def money_in(walk: Walk, amount: str, *, deposit: bool = True, by=None, **values):
    act = pay.register_deposit if deposit else pay.register_balance
    given = {"method": "Transfer", "document_number": "BI-7", "payment_date": walk.studio.today} | values
    return act(walk.session, amount=D(amount), by=by or walk.studio.coordinator, now=walk.now, **given)


def figures(walk: Walk) -> dict[str, Decimal]:
    return validate_payments(walk.session.pk)


@pytest.mark.parametrize(
    ("amount", "parts"),
    [
        ("500.00", [("Deposit", "500.00")]),
        ("700.00", [("Deposit", "500.00"), ("Balance", "200.00")]),
        ("1000.00", [("Deposit", "500.00"), ("Balance", "500.00")]),
        ("300.00", [("Deposit", "300.00")]),
    ],
)
def test_what_exceeds_the_deposit_becomes_a_balance(amount, parts):
    """Business rules 10.1 A, D20: one document number; pending until verified."""
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    payments = money_in(walk, amount)
    assert [(row.payment_type, str(row.amount)) for row in payments] == parts
    assert {(row.document_number, row.payment_status) for row in payments} == {("BI-7", "Pending")}
    assert figures(walk)["net_paid"] == 0
    for row in payments:
        pay.verify(row, by=walk.studio.coordinator, now=walk.now)
    assert figures(walk)["net_paid"] == D(amount)


def test_more_than_the_total_is_refused_whole():
    """D20."""
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    with pytest.raises(PaymentExceedsTotal) as refused:
        money_in(walk, "1000.01")
    assert refused.value.details["largest_possible"] == "1000.00"
    assert not walk.session.payments.exists()


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "Infinity"])
def test_odd_amounts_are_refused(amount):
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    with pytest.raises(InvalidInput):
        money_in(walk, amount)
    assert not walk.session.payments.exists()


@pytest.mark.parametrize("document_number", ["", "   "])
def test_entry_without_a_document_is_refused(document_number):
    """The facts of the records: every payment has its document number."""
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    with pytest.raises(InvalidInput) as refused:
        money_in(walk, "500.00", document_number=document_number)
    assert refused.value.field == "document_number"
    assert not walk.session.payments.exists()


def test_second_deposit_is_refused_and_a_rejected_one_does_not_count():
    """D21."""
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    (first,) = money_in(walk, "500.00")
    with pytest.raises(InvalidInput) as refused:
        money_in(walk, "500.00")
    assert refused.value.details["failed"] == ["deposit_exists"]
    pay.reject(first, by=walk.studio.coordinator, now=walk.now)
    (second,) = money_in(walk, "500.00")
    pay.void(second, reason="Typed twice", by=walk.studio.coordinator, now=walk.now)
    assert len(money_in(walk, "500.00")) == 1
    assert walk.session.payments.count() == 3


def test_balance_comes_after_the_deposit():
    """Business rules 5.4."""
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    with pytest.raises(ImmutableSession):
        money_in(walk, "100.00", deposit=False)
    money_in(walk, "500.00")
    assert money_in(walk, "500.00", deposit=False).payment_type == "Balance"
    with pytest.raises(PaymentExceedsTotal):
        money_in(walk, "0.01", deposit=False)


def test_no_deposit_before_it_is_asked_for_and_none_after_the_end():
    walk = Studio().walk(workflow.NEGOTIATION)
    with pytest.raises(ImmutableSession):
        money_in(walk, "100.00")
    walk.to(workflow.CANCELED)
    with pytest.raises(ImmutableSession):
        money_in(walk, "100.00", deposit=False)


def test_payment_is_decided_once():
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    (row,) = money_in(walk, "500.00")
    pay.verify(row, by=walk.studio.coordinator, now=walk.now)
    for act in (pay.verify, pay.reject):
        with pytest.raises(InvalidInput) as refused:
            act(row, by=walk.studio.coordinator, now=walk.now)
        assert refused.value.details["failed"] == ["already_decided"]


@pytest.mark.parametrize(("limit", "large"), [("499.99", 1), ("500.00", 0)])
def test_payments_above_the_audited_amount_are_in_the_log(limit, large):
    """Permissions, Logged: above it, not at it."""
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    (row,) = money_in(walk, "500.00")
    with STUDIO.overridden(audited_payment_amount=D(limit)):
        pay.verify(row, by=walk.studio.coordinator, now=walk.now)
    assert AuditEvent.objects.filter(event="large_payment").count() == large


def test_confirming_after_the_deadline_or_with_too_little_writes_nothing():
    """Business rules 1.3: to the second; a deposit that came with it is not recorded either."""
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    deadline = Session.objects.get(pk=walk.session.pk).payment_deadline
    by = walk.studio.coordinator
    with pytest.raises(PaymentDeadlineExpired):
        walk.session.confirm(by=by, now=deadline + timedelta(seconds=1), deposit=walk.deposit())
    with pytest.raises(InsufficientPayment) as refused:
        walk.session.confirm(by=by, now=deadline, deposit=walk.deposit("499.99"))
    assert refused.value.details["missing"] == "0.01"
    with pytest.raises(InsufficientPayment):
        walk.session.confirm(by=by, now=deadline)
    assert not walk.session.payments.exists()
    walk.session.confirm(by=by, now=deadline, deposit=walk.deposit("800.00"))
    assert figures(walk)["net_paid"] == 800


def test_reopened_session_asks_only_for_what_is_missing():
    """D13: 500.00 of a new deposit of 1000.00 is there; the rest is a balance payment."""
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    walk.session.reopen(by=studio.coordinator, now=walk.now)
    price.add_package(walk.session, package=studio.package, by=studio.coordinator, now=walk.now)
    walk.session.preschedule(by=studio.coordinator, now=walk.now)
    assert walk.session.deposit_amount == 1000
    with pytest.raises(InsufficientPayment) as refused:
        walk.session.confirm(by=studio.coordinator, now=walk.now)
    assert refused.value.details["missing"] == "500.00"
    walk.session.confirm(by=studio.coordinator, now=walk.now, deposit=walk.deposit("500.00"))
    kinds = walk.session.payments.values_list("payment_type", flat=True)
    assert sorted(kinds) == ["Balance", "Deposit"]


def test_overpaid_session_is_settled_by_a_refund_before_it_goes_on():
    """D13, D19, D32: owed, then paid out, then it may be pre-scheduled."""
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    by = studio.coordinator
    walk.session.reopen(by=by, now=walk.now)
    line = walk.session.lines.order_by("-line_subtotal").first()
    price.remove_line(walk.session, line_id=line.pk, by=by, now=walk.now)
    assert figures(walk)["refund_owed"] == 400
    with pytest.raises(InvalidStateTransition) as refused:
        walk.session.preschedule(by=by, now=walk.now)
    assert refused.value.details["failed"] == ["overpaid"]
    refund = pay.owe_difference(walk.session, by=by, now=walk.now)
    assert figures(walk)["refund_owed"] == 400
    with pytest.raises(InvalidInput):
        pay.owe_difference(walk.session, by=by, now=walk.now)
    pay.pay_out(refund, method="Cash", document_number="R-1", payment_date=studio.today, by=by, now=walk.now)
    assert (figures(walk)["refund_owed"], figures(walk)["net_paid"]) == (0, 100)
    assert AuditEvent.objects.filter(event="refund_paid").count() == 1
    walk.session.preschedule(by=by, now=walk.now)


@pytest.mark.parametrize("state", [workflow.PRE_SCHEDULED, workflow.CONFIRMED, workflow.ATTENDED])
def test_money_that_arrives_for_a_canceled_session_is_owed_back(state):
    """D18, D19: what the studio keeps was settled by the cancellation; the rest is the client's, once."""
    studio = Studio()
    by = studio.coordinator
    walk = studio.walk(state)
    if state == workflow.PRE_SCHEDULED:
        (late,) = money_in(walk, "300.00")
    else:
        late = money_in(walk, "300.00", deposit=False)
    walk.to(workflow.CANCELED)
    owed = figures(walk)["refund_owed"]
    pay.verify(late, by=by, now=walk.now)
    assert figures(walk)["refund_owed"] == owed + 300
    with pytest.raises(InvalidInput):
        pay.owe_difference(walk.session, by=by, now=walk.now)
    refund = walk.session.payments.filter(payment_type="Refund").latest("pk")
    assert (refund.amount, refund.payment_status) == (300, "Pending")
    assert AuditEvent.objects.filter(event="refund_owed", details__reason="paid after the cancellation").count() == 1
    pay.pay_out(refund, method="Cash", document_number="R-1", payment_date=studio.today, by=by, now=walk.now)
    assert figures(walk)["refund_owed"] == owed


def test_refund_of_a_canceled_session_that_was_voided_by_mistake_is_written_down_again():
    """D19: it stays owed until it is paid out."""
    walk = Studio().walk(workflow.CONFIRMED).to(workflow.CANCELED)
    refund = walk.session.payments.get(payment_type="Refund")
    pay.void(refund, reason="Wrong one", by=walk.studio.coordinator, now=walk.now)
    assert pay.owe_difference(walk.session, by=walk.studio.coordinator, now=walk.now).amount == 500


@pytest.mark.parametrize("written", [True, False])
def test_what_was_paid_above_the_total_goes_back_whole_when_it_is_canceled(written):
    """D18, D32: the percentage is for the price; whether somebody wrote the difference down makes no difference."""
    studio = Studio()
    by = studio.coordinator
    walk = studio.walk(workflow.CONFIRMED)
    line = walk.session.lines.order_by("-line_subtotal").first()
    price.remove_line(walk.session, line_id=line.pk, by=by, now=walk.now)
    if written:
        pay.owe_difference(walk.session, by=by, now=walk.now)
    walk.session.refresh_from_db()
    late = walk.session.changes_deadline + timedelta(seconds=1)
    walk.session.cancel(by=by, now=late, reason="No time", initiator="client")
    # 500.00 was paid, the total is 100.00: 400.00 and the half of 100.00.
    assert figures(walk)["refund_owed"] == 450
    assert walk.session.kept_amount == 50


def test_payment_that_was_refunded_is_not_voided():
    """D21: refunds would exceed what stays paid."""
    walk = Studio().walk(workflow.CONFIRMED)
    deposit = walk.session.payments.get()
    walk.to(workflow.CANCELED)
    with pytest.raises(InvalidInput) as refused:
        pay.void(deposit, reason="Wrong", by=walk.studio.coordinator, now=walk.now)
    assert refused.value.details["failed"] == ["refunded"]


def test_refund_is_paid_out_and_never_verified():
    walk = Studio().walk(workflow.CONFIRMED).to(workflow.CANCELED)
    refund = walk.session.payments.get(payment_type="Refund")
    for act in (pay.verify, pay.reject):
        with pytest.raises(InvalidInput):
            act(refund, by=walk.studio.coordinator, now=walk.now)


@pytest.mark.parametrize("days", [1, 10_000, -20_000])
def test_payment_is_dated_today_or_before(days):
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    with pytest.raises(InvalidInput) as refused:
        money_in(walk, "500.00", payment_date=walk.studio.today + timedelta(days=days))
    assert refused.value.field == "payment_date"


def test_deposit_that_comes_with_the_confirmation_is_dated_today_or_before():
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    ahead = replace(walk.deposit(), payment_date=walk.studio.today + timedelta(days=1))
    with pytest.raises(InvalidInput) as refused:
        walk.session.confirm(by=walk.studio.coordinator, now=walk.now, deposit=ahead)
    assert refused.value.field == "payment_date"
    assert not walk.session.payments.exists()


def test_only_the_office_handles_money():
    studio = Studio()
    walk = studio.walk(workflow.PRE_SCHEDULED, photographer_ids=(studio.photographer.pk,))
    (row,) = money_in(walk, "500.00")
    for by, error in ((studio.photographer, AccessDenied), (person(Role.EDITOR), SessionNotFound)):
        with pytest.raises(error):
            money_in(walk, "100.00", by=by)
        with pytest.raises(error):
            pay.verify(row, by=by, now=walk.now)
        assert AuditEvent.objects.filter(event="denied", actor_id=by.pk).count() == 2


def test_unknown_session_is_session_not_found():
    with pytest.raises(SessionNotFound):
        validate_payments(0)


# -- the shoot --------------------------------------------------------------------------------------------------------


def test_each_photographer_marks_their_own_attendance_until_it_is_completed():
    """D10, business rules 10.2; completed is read only."""
    studio = Studio()
    both = (studio.photographer.pk, person(Role.PHOTOGRAPHER).pk)
    walk = studio.walk(workflow.ASSIGNED, photographer_ids=both)
    first, second = (row.staff for row in walk.session.assignments.order_by("pk"))
    walk.now = walk.session.ends_at
    assert shoot.mark_attended(walk.session, by=first, now=walk.now).status == workflow.ATTENDED
    with pytest.raises(InvalidStateTransition):
        shoot.mark_attended(walk.session, by=first, now=walk.now)
    walk.session.refresh_from_db()
    walk.to(workflow.COMPLETED)
    with pytest.raises(InvalidStateTransition):
        shoot.mark_attended(walk.session, by=second, now=walk.now)
    assert walk.session.history.filter(new_status="Attended").count() == 1
