"""The refund matrix, row by row, and its edges to the second (business rules 4; D14, D18). Pure: no database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from payments.refunds import Percentages, calculate_refund
from studio.conf import STUDIO

DEADLINE = datetime(2026, 3, 15, 5, 59, 59, tzinfo=UTC)
BEFORE, AT, AFTER = DEADLINE - timedelta(days=3), DEADLINE, DEADLINE + timedelta(seconds=1)
PAID = Decimal("500.00")

NOTHING_PAID = "No payments made"
EARLY = "Cancellation before confirmation"
WITHIN = "Within changes deadline"
LATE = "After changes deadline - 50% refund"
STUDIO_FAILED = "Company cannot fulfill - full refund"
ASSIGNED = "Client cancellation after assignment - no refund"
DONE = "Service already provided - no refund"


def refund(status: str, initiator: str, now: datetime, paid: Decimal = PAID, deadline: datetime | None = DEADLINE):
    amount, reason = calculate_refund(status, paid, initiator, deadline, now)
    return str(amount), reason


@pytest.mark.parametrize("initiator", ["client", "company", "force_majeure", "system"])
@pytest.mark.parametrize("status", ["Request", "Negotiation", "Pre-scheduled"])
def test_before_confirmation_nothing_is_paid_back(status, initiator):
    """Rows 1 to 3, and step 2 of the logic (4.2)."""
    assert refund(status, initiator, BEFORE, deadline=None) == ("0.00", EARLY)


@pytest.mark.parametrize("initiator", ["client", "company", "force_majeure", "system"])
@pytest.mark.parametrize(
    "status",
    [
        "Request",
        "Negotiation",
        "Pre-scheduled",
        "Confirmed",
        "Assigned",
        "Attended",
        "In Editing",
        "Ready for Delivery",
    ],
)
def test_nothing_paid_is_the_first_reason_of_all(status, initiator):
    """Step 1 of the logic (4.2)."""
    assert refund(status, initiator, BEFORE, paid=Decimal("0.00")) == ("0.00", NOTHING_PAID)


@pytest.mark.parametrize("initiator", ["client", "system"])
@pytest.mark.parametrize(
    ("now", "amount", "reason"),
    [
        (BEFORE, "500.00", WITHIN),
        (AT - timedelta(microseconds=1), "500.00", WITHIN),
        (AT, "500.00", WITHIN),  # the deadline's own second is within it
        (AT + timedelta(microseconds=1), "250.00", LATE),
        (AFTER, "250.00", LATE),
        (AFTER + timedelta(days=30), "250.00", LATE),
    ],
)
def test_confirmed_session_by_its_changes_deadline(initiator, now, amount, reason):
    """Rows 4 and 5, to the microsecond."""
    assert refund("Confirmed", initiator, now) == (amount, reason)


@pytest.mark.parametrize("now", [BEFORE, AT, AFTER])
@pytest.mark.parametrize("initiator", ["company", "force_majeure"])
@pytest.mark.parametrize("status", ["Confirmed", "Assigned"])
def test_studio_that_cannot_fulfil_pays_all_back(status, initiator, now):
    """Row 6; D18 says the same of a Confirmed session, whatever its deadline."""
    assert refund(status, initiator, now) == ("500.00", STUDIO_FAILED)


@pytest.mark.parametrize("now", [BEFORE, AT, AFTER])
@pytest.mark.parametrize("initiator", ["client", "system"])
def test_client_who_cancels_an_assigned_session_gets_nothing(initiator, now):
    """Row 7."""
    assert refund("Assigned", initiator, now) == ("0.00", ASSIGNED)


@pytest.mark.parametrize("initiator", ["client", "company", "force_majeure", "system"])
@pytest.mark.parametrize("status", ["Attended", "In Editing", "Ready for Delivery", "Completed"])
@pytest.mark.parametrize("now", [BEFORE, AFTER])
def test_service_that_was_provided_is_not_paid_back(status, initiator, now):
    """Row 8."""
    assert refund(status, initiator, now) == ("0.00", DONE)


def test_confirmed_session_without_a_deadline_has_no_time_for_changes():
    """D4."""
    assert refund("Confirmed", "client", BEFORE, deadline=None) == ("250.00", LATE)


@pytest.mark.parametrize(("paid", "half"), [("500.01", "250.01"), ("0.01", "0.01"), ("333.33", "166.67")])
def test_half_of_an_odd_amount_is_rounded_half_up(paid, half):
    """D17."""
    assert refund("Confirmed", "client", AFTER, paid=Decimal(paid))[0] == half


RATES = Percentages(within_deadline=90, after_deadline=25, force_majeure=80, client_after_assigned=10)


@pytest.mark.parametrize(
    ("status", "initiator", "now", "amount", "reason"),
    [
        ("Confirmed", "client", AT, "450.00", "Within changes deadline - 90% refund"),
        ("Confirmed", "client", AFTER, "125.00", "After changes deadline - 25% refund"),
        ("Confirmed", "company", AFTER, "400.00", "Company cannot fulfill - 80% refund"),
        ("Assigned", "force_majeure", AFTER, "400.00", "Company cannot fulfill - 80% refund"),
        ("Assigned", "client", AFTER, "50.00", "Client cancellation after assignment - 10% refund"),
        ("Attended", "client", AFTER, "0.00", DONE),
    ],
)
def test_other_percentages_are_applied_and_named(status, initiator, now, amount, reason):
    """D17: refund percentages come from settings."""
    found, why = calculate_refund(status, PAID, initiator, DEADLINE, now, RATES)
    assert (str(found), why) == (amount, reason)


def test_percentages_are_read_when_asked():
    """Business rules 7."""
    with STUDIO.overridden(refund_after_deadline=30):
        assert refund("Confirmed", "client", AFTER) == ("150.00", "After changes deadline - 30% refund")
    with STUDIO.overridden(refund_within_deadline=0):
        assert refund("Confirmed", "client", AT)[0] == "0.00"


@pytest.mark.parametrize("initiator", ["", "Client", "bride"])
def test_unknown_initiator_is_refused(initiator):
    with pytest.raises(ValueError, match="initiator"):
        calculate_refund("Confirmed", PAID, initiator, DEADLINE, BEFORE)


@pytest.mark.parametrize("status", ["Canceled", "confirmed", ""])
def test_state_that_is_not_canceled_from_is_refused(status):
    with pytest.raises(ValueError):
        calculate_refund(status, PAID, "client", DEADLINE, BEFORE)


@pytest.mark.parametrize("paid", ["-0.01", "-500.00"])
def test_more_paid_back_than_in_gives_nothing(paid):
    assert refund("Confirmed", "company", AFTER, paid=Decimal(paid)) == ("0.00", NOTHING_PAID)
