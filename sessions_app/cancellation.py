"""What cancelling a session would pay back: one answer for the preview and for the act (business rules 4; D14, D18)."""

from dataclasses import dataclass, replace
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
    if counts_as_confirmed(session, status):
        status, deadline = workflow.CONFIRMED, session.kept_changes_deadline
    base = max(account.net_paid - account.refund_owed, Decimal("0.00"))
    excess = account.refund_owed - account.pending_refunds
    amount, reason = calculate_refund(status, base, initiator, deadline, now, terms_of(session))
    return Refund(amount + excess, reason, base, excess)


def counts_as_confirmed(session: "Session", status: str | None = None) -> bool:
    """It was Confirmed before it was reopened, and has not been confirmed again (D14)."""
    reopened = (status or session.status) in (workflow.NEGOTIATION, workflow.PRE_SCHEDULED)
    return reopened and session.kept_changes_deadline is not None


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
class Column:
    """A time during which every way of canceling pays back the same."""

    at: datetime
    """From when on: now, or the moment after a deadline."""
    refunds: dict[str, Refund]
    """By who cancels."""
    holds_tomorrow: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    columns: list[Column]
    next_deadline: datetime | None
    """The first deadline that lies ahead: for payment or for changes."""
    once_assigned: Refund | None
    """What a client would get back when a Confirmed session is assigned meanwhile."""


def preview(session: "Session", account: Account, *, now: datetime) -> Preview:
    """What each way of canceling pays back now, at this hour tomorrow and after each deadline that lies ahead.

    Moments that come to the same are one column.
    """
    tomorrow = now + timedelta(days=1)
    deadlines = sorted(each for each in deadlines_of(session) if each >= now)
    columns: list[Column] = []
    for at in sorted({now, tomorrow, *(each + timedelta(seconds=1) for each in deadlines)}):
        refunds = {who: refund_of(session, account, initiator=who, now=at) for who in (CLIENT, COMPANY, FORCE_MAJEURE)}
        if not columns or refunds != columns[-1].refunds:
            columns.append(Column(at, refunds))
        if at == tomorrow:
            columns[-1] = replace(columns[-1], holds_tomorrow=True)
    once_assigned = None
    if session.status == workflow.CONFIRMED:
        once_assigned = refund_of(session, account, initiator=CLIENT, now=now, status=workflow.ASSIGNED)
    return Preview(columns, deadlines[0] if deadlines else None, once_assigned)


def deadlines_of(session: "Session") -> list[datetime]:
    """For payment, and for changes: its own or the one that it had before it was reopened (D14)."""
    given = (session.payment_deadline, session.changes_deadline or session.kept_changes_deadline)
    return [each for each in given if each is not None]
