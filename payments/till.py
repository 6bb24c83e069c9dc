"""The till: on which day money counts, what a day holds, and its closing (decisions in ADR 11).

Money counts on the day on which it is verified or paid out, and what is voided is taken out on the day of the voiding;
once a day is closed, both go to the next one. So a closed day never changes, and the days add up to the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from payments import money
from payments.models import CashClosing, Payment, PaymentMethod, PaymentType, Till
from studio import audit
from studio.conf import STUDIO
from studio.errors import InvalidInput

if TYPE_CHECKING:
    from studio.models import User


@dataclass(frozen=True, slots=True)
class Takings:
    """What one method took in and gave out in some days, in the studio's currency."""

    method: str
    came_in: Decimal
    went_out: Decimal

    @property
    def net(self) -> Decimal:
        return self.came_in - self.went_out


def open_day(now: datetime) -> date:
    """The day of the till for money that is decided on at ``now``; it stays open until the transaction ends."""
    today = now.astimezone(STUDIO.zone).date()
    closed = _held_shared()
    return today if closed is None or today > closed else closed + timedelta(days=1)


def _held_shared() -> date | None:
    """The last closed day, read under a shared lock: closing waits for us, and we for it. Django knows no FOR SHARE."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT closed_through FROM payments_till FOR SHARE")
        return cursor.fetchone()[0]


def takings(first_day: date, day: date) -> list[Takings]:
    """What each method took in and gave out from ``first_day`` to ``day``, both included. Two queries."""
    found = {method: [money.ZERO, money.ZERO] for method in PaymentMethod.values}
    counted = Payment.objects.filter(cash_day__range=(first_day, day)).annotate(day=F("cash_day"))
    voided = Payment.objects.filter(void_cash_day__range=(first_day, day)).annotate(day=F("void_cash_day"))
    for rows, sign in ((counted, 1), (voided, -1)):
        for method, kind, amount in (
            rows.order_by().values_list("payment_method", "payment_type").annotate(Sum("amount"))
        ):
            found[method][kind == PaymentType.REFUND] += sign * amount
    return [Takings(method, came_in, went_out) for method, (came_in, went_out) in found.items()]


def first_open_day() -> date | None:
    """The day after the last closing; without one, the first day on which money counts. None while there is none."""
    closed = Till.objects.values_list("closed_through", flat=True).get()
    if closed is not None:
        return closed + timedelta(days=1)
    return (
        Payment.objects.filter(cash_day__isnull=False).order_by("cash_day").values_list("cash_day", flat=True).first()
    )


def close(day: date, *, counted: Mapping[str, Decimal], notes: str = "", by: "User", now: datetime) -> CashClosing:
    """Close every open day up to ``day``, today at the latest, with what was counted of each method.

    The caller's transaction. Raises ``InvalidInput`` for a day that is closed or has not begun, for an amount that is
    missing or odd, and for a difference without a note.
    """
    till = Till.objects.select_for_update().get()
    today = now.astimezone(STUDIO.zone).date()
    first = first_open_day() or day
    if till.closed_through is not None and day <= till.closed_through:
        raise InvalidInput(_("This day is closed already."), field="day", details={"failed": ["closed_already"]})
    if day > today:
        raise InvalidInput(_("A day is closed when it has begun."), field="day", details={"failed": ["not_begun"]})
    first = min(first, day)
    expected = takings(first, day)
    for each in expected:
        amount = counted.get(each.method)
        if amount is None or not amount.is_finite() or amount != money.quantise(amount):
            raise InvalidInput(
                _("Say how much was counted, with at most two decimal places."), field=f"counted_{each.method.lower()}"
            )
    if any(counted[each.method] != each.net for each in expected) and not notes.strip():
        raise InvalidInput(
            _("What was counted is not what the books say: write down why."),
            field="notes",
            details={"failed": ["difference_without_note"]},
        )
    till.closed_through = day
    till.save(update_fields=["closed_through"])
    closing = CashClosing.objects.create(
        first_day=first,
        day=day,
        expected={each.method: {"in": str(each.came_in), "out": str(each.went_out)} for each in expected},
        counted={each.method: str(money.quantise(counted[each.method])) for each in expected},
        notes=notes.strip(),
        closed_by=by,
        closed_at=now,
    )
    audit.record("till_closed", by=by, about=closing, expected=closing.expected, counted=closing.counted)
    return closing
