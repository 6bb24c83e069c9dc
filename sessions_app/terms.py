"""What a session would come to, before there is one: price, deposit, deadlines and delivery (business rules 2, 5, 6).

The figures are those that the acts would write now: the same pure functions, the catalogue's prices of today.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.db.models import DateField, DateTimeField, IntegerField, Q, TextField, Value
from django.db.models.functions import Cast

from catalog.explode import explode, package_discount
from catalog.models import Package, PackageItem
from payments import money
from sessions_app import deadlines, workflow
from sessions_app.editing_load import Desk, Waiting
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.roles import Role

EDITOR = "editor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of the packages, sold once each with what they save, and the transportation (D22, D23)."""

    packages: tuple[str, ...] = ()
    subtotal: Decimal = money.ZERO
    discount: Decimal = money.ZERO
    transportation_cost: Decimal = money.ZERO
    editing_days: int = 0

    @property
    def total(self) -> Decimal:
        return money.total(self.subtotal, self.transportation_cost, self.discount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For a session on ``day`` that is held now. ``deliverable`` is None when nobody edits."""

    day: date
    price: Price
    deposit_percentage: int
    held_until: datetime | None
    payment_deadline: datetime
    changes_deadline: datetime
    changes_are_over: bool
    promised: date
    deliverable: date | None
    in_editing: int

    @property
    def deposit(self) -> Decimal:
        return money.deposit_amount(self.price.total, self.deposit_percentage)

    @property
    def days_late(self) -> int:
        """By how many days the usual promise would be broken."""
        return 0 if self.deliverable is None else max(0, (self.deliverable - self.promised).days)


def price_of(package_ids: Iterable[int], *, transportation_cost: Decimal = money.ZERO) -> Price:
    """One query. Packages that there are not (any more) count for nothing."""
    wanted = list(dict.fromkeys(package_ids))
    content: dict[int, list[PackageItem]] = {}
    if wanted:
        rows = PackageItem.objects.filter(package__in=wanted).select_related("package", "item")
        for row in rows.order_by("display_order", "id"):
            content.setdefault(row.package_id, []).append(row)
    packages: list[Package] = []
    subtotal = discount = money.ZERO
    for pk in wanted:
        found = content.get(pk)
        if not found:
            continue
        package = found[0].package
        lines = explode(pk, [(row.item.as_sold_now(), row.quantity) for row in found])
        packages.append(package)
        subtotal += sum((line.line_subtotal for line in lines), money.ZERO)
        discount += package_discount(package.base_price, lines)
    return Price(
        packages=tuple(package.name for package in packages),
        subtotal=subtotal,
        discount=discount,
        transportation_cost=transportation_cost,
        editing_days=max((package.estimated_editing_days for package in packages), default=STUDIO.default_editing_days),
    )


def terms(
    starts_at: datetime, *, price: Price, desk: Desk, now: datetime, deposit_percentage: int | None = None
) -> Terms:
    """As they would be if the session were held now, and quoted today."""
    day, today = (each.astimezone(STUDIO.zone).date() for each in (starts_at, now))
    changes = deadlines.changes_deadline(day)
    percentage = STUDIO.default_deposit_percentage if deposit_percentage is None else deposit_percentage
    return Terms(
        day=day,
        price=price,
        deposit_percentage=percentage,
        held_until=deadlines.hold_deadline(now, starts_at),
        payment_deadline=deadlines.payment_deadline(now),
        changes_deadline=changes,
        changes_are_over=changes < now,
        promised=deadlines.estimated_delivery_date(day, price.editing_days),
        deliverable=desk.delivers(day, price.editing_days, today=today),
        in_editing=desk.before(day),
    )


def desk(*, until: date, now: datetime) -> Desk:
    """What the editors have, and what will be shot by ``until``: one query."""
    today = now.astimezone(STUDIO.zone).date()
    sessions = Session.objects.present().filter(
        Q(status__in=[workflow.ATTENDED, workflow.IN_EDITING])
        | Q(status__in=[workflow.CONFIRMED, workflow.ASSIGNED], starts_at__lte=deadlines.end_of_day(until))
    )
    rows = sessions.order_by().values_list(
        "status", "starts_at", Cast("estimated_editing_days", IntegerField()), "estimated_delivery_date"
    )
    editors = (
        get_user_model()
        .objects.active()
        .in_role(Role.EDITOR)
        .order_by()
        .values_list(Value(EDITOR, TextField()), Value(now, DateTimeField()), Cast("pk", IntegerField()), _no_day())
    )
    count, busy, waiting = 0, [], []
    for status, starts_at, days, promised in rows.union(editors, all=True):
        if status == EDITOR:
            count += 1
            continue
        shot = starts_at.astimezone(STUDIO.zone).date()
        if status == workflow.IN_EDITING:
            busy.append(promised or shot + timedelta(days=days))
        else:
            # What was shot already waits since then, but nobody can begin before today.
            waiting.append(Waiting(max(shot, today), days))
    limit = STUDIO.max_concurrent_editing_sessions
    places = count * limit if limit or not count else None
    return Desk(places, tuple(busy), tuple(waiting))


def _no_day() -> Cast:
    return Cast(Value(None), DateField())
