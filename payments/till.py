"""The till: on which day money counts, what a day holds, and its closing (decisions in ADR 11).

Money counts on the day on which it is verified or paid out, and what is voided is taken out on the day of the voiding;
once a day is closed, both go to the next one. So a closed day never changes, and the days add up to the ledger.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from payments import money
from payments.models import CashClosing, CommissionStatement, Payment, PaymentMethod, PaymentType, Till
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

    @property
    def label(self) -> str:
        return PaymentMethod(self.method).label


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a day: money that counted on it, or (``is_void``) that was taken out of the books on it.

    ``amount`` has the sign with which it changes what is in the till.
    """

    payment: Payment
    day: date
    is_void: bool

    @property
    def amount(self) -> Decimal:
        is_out = (self.payment.payment_type == PaymentType.REFUND) != self.is_void
        return -self.payment.amount if is_out else self.payment.amount

    @property
    def at(self) -> datetime:
        return self.payment.deleted_at if self.is_void else self.payment.verified_at

    @property
    def is_late(self) -> bool:
        """Decided on another day than the one on which it counts, which was closed by then."""
        return counts_late(self.day, self.at)

    @property
    def by(self) -> "User | None":
        return self.payment.deleted_by if self.is_void else self.payment.verified_by


def counts_late(day: date, decided_at: datetime) -> bool:
    """Whether money counts on a later day than that of its decision, because that one was closed."""
    return day > decided_at.astimezone(STUDIO.zone).date()


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
    counted = Payment.objects.filter(cash_day__range=(first_day, day))
    voided = Payment.objects.filter(void_cash_day__range=(first_day, day))
    for rows, sign in ((counted, 1), (voided, -1)):
        sums = rows.order_by().values_list("payment_method", "payment_type").annotate(Sum("amount"))
        for method, kind, amount in sums:
            found[method][kind == PaymentType.REFUND] += sign * amount
    return [Takings(method, came_in, went_out) for method, (came_in, went_out) in found.items()]


def entries(first_day: date, day: date) -> list[Entry]:
    """Every line of these days in the order in which it happened, with session, client, people and receipt. One query.

    What was verified and voided in them stands there twice, once with each sign. A settlement of 0.00 (D27) moved no
    money, and is left out.
    """
    days = (first_day, day)
    rows = Payment.objects.filter(Q(cash_day__range=days) | Q(void_cash_day__range=days), amount__gt=0).select_related(
        "session__client", "verified_by", "deleted_by", "receipt"
    )
    found = []
    for row in rows:
        if row.cash_day is not None and first_day <= row.cash_day <= day:
            found.append(Entry(row, row.cash_day, is_void=False))
        if row.void_cash_day is not None and first_day <= row.void_cash_day <= day:
            found.append(Entry(row, row.void_cash_day, is_void=True))
    return sorted(found, key=lambda each: (each.day, each.at, each.payment.pk))


def commissions(first_day: date, day: date) -> list[CommissionStatement]:
    """The commissions that were paid in these days, with the people, the first one first. Two queries.

    A memo beside the takings: it is not the sessions' money, but in cash it leaves the same drawer (ADR 12). What was
    paid after the closing of its day stands on the next one.
    """
    start = datetime.combine(first_day - timedelta(days=1), time.min, tzinfo=STUDIO.zone)
    end = datetime.combine(day + timedelta(days=1), time.min, tzinfo=STUDIO.zone)
    paid = CommissionStatement.objects.filter(paid_at__gte=start, paid_at__lt=end).select_related("person", "paid_by")
    ended = dict(
        CashClosing.objects.filter(day__range=(first_day - timedelta(days=1), day)).values_list("day", "closed_at")
    )
    return [
        statement
        for statement in paid.order_by("paid_at", "pk")
        if first_day <= _day_of_commission(statement.paid_at, ended) <= day
    ]


def _day_of_commission(paid_at: datetime, ended: Mapping[date, datetime]) -> date:
    day = paid_at.astimezone(STUDIO.zone).date()
    return day + timedelta(days=1) if day in ended and ended[day] <= paid_at else day


def by_method(statements: Iterable[CommissionStatement]) -> dict[str, Decimal]:
    """What they come to by method, in the studio's currency; methods without any are left out."""
    sums: dict[str, Decimal] = {}
    for each in statements:
        sums[each.payment_method] = sums.get(each.payment_method, money.ZERO) + each.total
    return {method: sums[method] for method in PaymentMethod.values if method in sums}


def moment_after_closing(now: datetime) -> datetime:
    """``now``, or the moment of the closing when today's was going on meanwhile; the till stays open until the
    transaction ends. So a closing knows of every commission that stands on its days."""
    _held_shared()
    ended = CashClosing.objects.filter(day=now.astimezone(STUDIO.zone).date()).values_list("closed_at", flat=True)
    return max([now, *ended])


def closed_through() -> date | None:
    """The last day that is closed, for looking; who decides on money asks ``open_day``."""
    return Till.objects.values_list("closed_through", flat=True).get()


def closing_of(day: date) -> CashClosing | None:
    """The closing that holds this day."""
    return CashClosing.objects.filter(first_day__lte=day, day__gte=day).select_related("closed_by").first()


def first_open_day() -> date | None:
    """The day after the last closing; without one, the first day on which money counts. None while there is none."""
    return first_day_after(closed_through())


def first_day_after(closed: date | None) -> date | None:
    """``first_open_day`` for who has read ``closed_through``."""
    if closed is not None:
        return closed + timedelta(days=1)
    counted = Payment.objects.filter(cash_day__isnull=False).order_by("cash_day")
    return counted.values_list("cash_day", flat=True).first()


def close(
    day: date,
    *,
    counted: Mapping[str, Decimal],
    notes: str = "",
    seen: Mapping[str, Decimal] | None = None,
    by: "User",
    now: datetime,
) -> CashClosing:
    """Close every open day up to ``day``, today at the latest, with what was counted of each method.

    The caller's transaction. ``seen`` is what the books said of each method when the person looked. Raises
    ``InvalidInput`` for a day that is closed, has not begun or lies before the first money; for an amount that is
    missing or odd; when money was decided on since ``seen``; and for a difference without a note.
    """
    till = Till.objects.select_for_update().get()
    if till.closed_through is not None and day <= till.closed_through:
        raise InvalidInput(_("This day is closed already."), details={"failed": ["closed_already"]})
    if day > now.astimezone(STUDIO.zone).date():
        raise InvalidInput(_("A day is closed when it has begun."), details={"failed": ["not_begun"]})
    first = first_day_after(till.closed_through) or day
    if day < first:
        raise InvalidInput(_("No money has counted until this day."), details={"failed": ["before_the_first"]})
    expected = takings(first, day)
    for each in expected:
        amount = counted.get(each.method)
        if amount is None or not money.is_exact(amount):
            raise InvalidInput(
                _("Say how much was counted, with at most two decimal places."),
                field=field_of(each.method),
                details={"failed": ["not_counted"]},
            )
    if seen is not None and any(seen.get(each.method) != each.net for each in expected):
        raise InvalidInput(
            _("Money has been decided on since you looked. Compare what you counted with the new figures."),
            details={"failed": ["changed_meanwhile"]},
        )
    if any(counted[each.method] != each.net for each in expected) and not notes.strip():
        raise InvalidInput(
            _("What was counted is not what the books say: write down why."),
            field="notes",
            details={"failed": ["difference_without_note"]},
        )
    paid = by_method(each for each in commissions(first, day) if each.paid_at < now)
    till.closed_through = day
    till.save(update_fields=["closed_through"])
    closing = CashClosing.objects.create(
        first_day=first,
        day=day,
        expected={each.method: _as_kept(each, paid.get(each.method)) for each in expected},
        counted={each.method: str(money.quantise(counted[each.method])) for each in expected},
        notes=notes.strip(),
        closed_by=by,
        closed_at=now,
    )
    audit.record("till_closed", by=by, about=closing, expected=closing.expected, counted=closing.counted)
    return closing


def _as_kept(takings: Takings, commissions_paid: Decimal | None) -> dict[str, str]:
    """What a closing keeps of one method; the memo of commissions only where there were any."""
    kept = {"in": str(takings.came_in), "out": str(takings.went_out)}
    return kept | ({"commissions": str(commissions_paid)} if commissions_paid is not None else {})


def field_of(method: str) -> str:
    """The name of the field in which a form asks what was counted of this method."""
    return f"counted_{method.lower()}"
