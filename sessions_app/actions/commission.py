"""Commissions: what is agreed for one session, and paying what was earned (D27; ADR 12)."""

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from payments import earnings
from payments.models import CommissionStatement
from sessions_app import workflow
from sessions_app.actions.pay import warn_of_document
from sessions_app.actions.reach import locked_for, touch
from sessions_app.models import Session
from studio import audit
from studio.access import require
from studio.errors import ImmutableSession, InvalidInput
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User

AGREED = "commission_agreed"
THOUSANDTH = Decimal("0.001")


def agree_commission(session: Session, *, rate: Decimal | None, by: "User", now: datetime) -> Session:
    """Let this share of the price, from 0 to 1, count for everybody who shoots the session; None: each their own rate.

    Who agreed it, when, and what it was before stay in the audit log. Raises ``ImmutableSession`` once the session is
    completed, whose commissions are fixed, or canceled; ``InvalidInput`` for what is no share to the thousandth.
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.SESSION_ASSIGN_RESOURCES)
        reason = why_fixed(session)
        if reason:
            raise ImmutableSession(reason, details={"failed": ["commission_is_fixed"], "current": session.status})
        if enter_rate(session, rate, by=by):
            touch(session, by=by, now=now)
    return session


def enter_rate(session: Session, rate: Decimal | None, *, by: "User | None") -> bool:
    """Put the agreed rate on the locked session, which the caller saves, and into the audit log; whether it is another.

    Raises ``InvalidInput`` for what is no share to the thousandth.
    """
    if rate is not None and not (rate.is_finite() and 0 <= rate <= 1 and rate == rate.quantize(THOUSANDTH)):
        raise InvalidInput(
            _("A commission lies from 0 to 100 %, with at most one decimal place."),
            field="percent",
            details={"rate": str(rate)},
        )
    before = session.commission_override
    if rate == before:
        return False
    session.commission_override = rate
    audit.record(
        AGREED,
        by=by,
        about=session,
        before=None if before is None else str(before),
        after=None if rate is None else str(rate.quantize(THOUSANDTH)),
    )
    return True


def why_fixed(session: Session) -> str:
    """Why nothing is agreed any more, or ""."""
    if session.status == workflow.COMPLETED:
        return _("The commissions were fixed when the session was completed; only its payments correct them.")
    if session.status == workflow.CANCELED:
        return _("The session is canceled: nobody earns a commission with it.")
    return ""


def pay_commission(
    person: "User",
    *,
    last_day: date,
    expected: Decimal,
    method: str,
    document_number: str,
    by: "User",
    now: datetime,
    notes: str = "",
    lines: int | None = None,
    same_document: bool = True,
) -> CommissionStatement:
    """Pay the person what is open up to ``last_day``, see ``earnings.pay_statement``; for who pays refunds out.

    ``same_document``: the number may be in the books already; without it, see ``warn_of_document``.
    """
    with audit.act():
        require(by, Perm.PAYMENT_REFUND)
        if not same_document:
            warn_of_document(document_number)
        return earnings.pay_statement(
            person,
            last_day=last_day,
            expected=expected,
            lines=lines,
            method=method,
            document_number=document_number,
            notes=notes,
            by=by,
            now=now,
        )
