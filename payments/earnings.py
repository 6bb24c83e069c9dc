"""The only writer of commissions: lines are added, never changed (D27).

The callers hold the lock of the session row and have asked for permission.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Sum

from payments import commissions, money
from payments.commissions import Rate
from payments.models import CommissionLine, Payment
from payments.models.commission import CommissionKind
from studio.conf import STUDIO

if TYPE_CHECKING:
    from studio.models import User


def earn(
    session_id: int, person: "User", *, base: Decimal, rate: Rate, by: "User | None", now: datetime
) -> CommissionLine:
    """Fix what the person earns with a session, once: base x rate, whatever the rates are later (D27)."""
    return CommissionLine.objects.create(
        session_id=session_id,
        person=person,
        kind=CommissionKind.EARNED,
        base=base,
        rate=rate.value,
        rate_source=rate.source,
        amount=commissions.commission(base, rate.value),
        earned_on=_day(now),
        created_at=now,
        created_by=by,
    )


def correct(
    session_id: int,
    *,
    price: Decimal,
    net_before: Decimal,
    net_after: Decimal,
    payment: Payment,
    reason: str,
    by: "User",
    now: datetime,
) -> list[CommissionLine]:
    """Follow the money of a completed session with lines of their own: the ones that were written stand.

    One for each person who earned with it, at the rate that was fixed. Empty when nothing is to be corrected.
    """
    missing = [commissions.shortfall(price, net) for net in (net_before, net_after)]
    written = []
    for earned in CommissionLine.objects.filter(session_id=session_id, kind=CommissionKind.EARNED).order_by("person"):
        lines = CommissionLine.objects.filter(session_id=session_id, person_id=earned.person_id)
        corrected = lines.filter(kind=CommissionKind.CORRECTION).aggregate(base=Sum("base"))["base"] or money.ZERO
        base = commissions.correction(*missing, corrected)
        if base:
            written.append(
                CommissionLine.objects.create(
                    session_id=session_id,
                    person_id=earned.person_id,
                    kind=CommissionKind.CORRECTION,
                    base=base,
                    rate=earned.rate,
                    rate_source=earned.rate_source,
                    amount=commissions.commission(base, earned.rate),
                    reason=reason,
                    payment=payment,
                    earned_on=_day(now),
                    created_at=now,
                    created_by=by,
                )
            )
    return written


def _day(now: datetime) -> date:
    return now.astimezone(STUDIO.zone).date()
