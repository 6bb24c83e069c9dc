"""What a cancellation pays back (business rules 4; D14, D18)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from payments.money import ZERO, percentage_of
from studio.conf import STUDIO

CLIENT, COMPANY, FORCE_MAJEURE, SYSTEM = "client", "company", "force_majeure", "system"
INITIATORS = (CLIENT, COMPANY, FORCE_MAJEURE, SYSTEM)

BEFORE_CONFIRMATION = ("Request", "Negotiation", "Pre-scheduled")
SERVICE_PROVIDED = ("Attended", "In Editing", "Ready for Delivery", "Completed")


@dataclass(frozen=True, slots=True)
class Percentages:
    """Business rules 7, in per cent."""

    within_deadline: int
    after_deadline: int
    force_majeure: int
    client_after_assigned: int

    @classmethod
    def in_force(cls) -> "Percentages":
        return cls(
            STUDIO.refund_within_deadline,
            STUDIO.refund_after_deadline,
            STUDIO.refund_force_majeure,
            STUDIO.refund_client_after_assigned,
        )


def calculate_refund(
    session_status: str,
    total_paid: Decimal,
    initiator: str,
    changes_deadline: datetime | None,
    now: datetime,
    percentages: Percentages | None = None,
) -> tuple[Decimal, str]:
    """The refund in the studio's currency and the reason, in the words of business rules 4.2.

    ``total_paid`` is what was verified, less what was paid back before (D18). ``changes_deadline`` and ``now`` are
    aware; the deadline itself is still within it. A session that was Confirmed before it was reopened is passed as
    ``"Confirmed"`` with the deadline it had (D14). ``system`` counts as the client: the studio did not fail. Raises
    ``ValueError`` for an unknown initiator or status.
    """
    if initiator not in INITIATORS:
        raise ValueError(f"unknown initiator {initiator!r}")
    rates = percentages or Percentages.in_force()
    studio_failed = initiator in (COMPANY, FORCE_MAJEURE)
    if total_paid <= 0:
        return ZERO, "No payments made"
    if session_status in BEFORE_CONFIRMATION:
        return ZERO, "Cancellation before confirmation"
    if session_status in SERVICE_PROVIDED:
        return ZERO, "Service already provided - no refund"
    if session_status not in ("Confirmed", "Assigned"):
        raise ValueError(f"a session in {session_status!r} is not cancelled")
    if studio_failed:
        return _share(total_paid, rates.force_majeure, "Company cannot fulfill")
    if session_status == "Assigned":
        return _share(total_paid, rates.client_after_assigned, "Client cancellation after assignment")
    if changes_deadline is not None and now <= changes_deadline:
        refund = percentage_of(total_paid, rates.within_deadline)
        full = rates.within_deadline == 100
        return refund, "Within changes deadline" + ("" if full else f" - {rates.within_deadline}% refund")
    return percentage_of(total_paid, rates.after_deadline), f"After changes deadline - {rates.after_deadline}% refund"


def _share(paid: Decimal, percentage: int, because: str) -> tuple[Decimal, str]:
    words = {100: "full refund", 0: "no refund"}.get(percentage, f"{percentage}% refund")
    return percentage_of(paid, percentage), f"{because} - {words}"
