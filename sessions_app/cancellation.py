"""What cancelling a session would pay back: one answer for the preview and for the act (business rules 4; D14, D18)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from payments.money import ZERO, Account
from payments.refunds import CLIENT, COMPANY, FORCE_MAJEURE, Percentages, calculate_refund
from sessions_app import workflow

if TYPE_CHECKING:
    from sessions_app.models import Session


@dataclass(frozen=True, slots=True)
class Refund:
    amount: Decimal
    reason: str
    base: Decimal
    """What the rules are applied to: verified payments, less what was paid back or is owed back anyway."""
    excess: Decimal
    """What was paid above the total and is not written down as owed yet: it goes back whole (D32)."""


def refund_of(
    session: "Session", account: Account, *, initiator: str, now: datetime, status: str | None = None
) -> Refund:
    """The refund that this way of cancelling at ``now`` leaves owed, with the reason of the rules.

    ``status`` is the state that is left, by default the present one.
    A session that was Confirmed before it was reopened counts as Confirmed, by the deadline it had (D14). The
    percentages are those that were in force when it was confirmed, kept with it.
    """
    status, deadline = status or session.status, session.changes_deadline
    if status in (workflow.NEGOTIATION, workflow.PRE_SCHEDULED) and session.kept_changes_deadline is not None:
        status, deadline = workflow.CONFIRMED, session.kept_changes_deadline
    base = max(account.net_paid - account.refund_owed, Decimal("0.00"))
    excess = account.refund_owed - account.pending_refunds
    amount, reason = calculate_refund(status, base, initiator, deadline, now, terms_of(session))
    return Refund(amount + excess, reason, base, excess)


def terms_of(session: "Session") -> Percentages:
    """The refund percentages that hold for the session: those it was confirmed with, before that the present ones."""
    return Percentages(**session.refund_terms) if session.refund_terms else Percentages.in_force()


@dataclass(frozen=True, slots=True)
class Advance:
    """What becomes of the money that was paid for an appointment when it is canceled (D40)."""

    back: Decimal
    kept: Decimal


def advance_of(account: Account, *, gives_back: bool) -> Advance:
    """Everything goes back, or only what was paid above the price; what is written down as owed is no part of it."""
    free = account.net_paid - account.pending_refunds
    back = free if gives_back else max(ZERO, account.refund_owed - account.pending_refunds)
    return Advance(back, free - back)


@dataclass(frozen=True, slots=True)
class Preview:
    initiator: str
    today: Refund
    later: Refund | None
    later_from: datetime | None
    """When another amount begins to hold: the moment after the changes deadline, while that lies ahead."""


def previews(session: "Session", account: Account, *, now: datetime) -> Iterable[Preview]:
    """Each way in which people cancel, with what it pays back now and after the changes deadline."""
    deadline = session.changes_deadline or session.kept_changes_deadline
    turns = deadline + timedelta(seconds=1) if deadline is not None and now <= deadline else None
    for initiator in (CLIENT, COMPANY, FORCE_MAJEURE):
        yield Preview(
            initiator,
            refund_of(session, account, initiator=initiator, now=now),
            refund_of(session, account, initiator=initiator, now=turns) if turns else None,
            turns,
        )
