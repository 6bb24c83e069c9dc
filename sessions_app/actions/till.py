"""Closing the days of the till: who may, in one transaction (ADR 11)."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from payments import till
from payments.models import CashClosing
from studio import audit
from studio.access import require
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User


def close_days(
    day: date,
    *,
    counted: Mapping[str, Decimal],
    by: "User",
    now: datetime,
    notes: str = "",
    seen: Mapping[str, Decimal] | None = None,
) -> CashClosing:
    """Close every open day up to ``day`` with what was counted of each method; ``seen`` is what the person saw.

    Raises ``AccessDenied`` without ``payment.verify``, else what ``till.close`` raises.
    """
    with audit.act():
        require(by, Perm.PAYMENT_VERIFY)
        return till.close(day, counted=counted, notes=notes, seen=seen, by=by, now=now)
