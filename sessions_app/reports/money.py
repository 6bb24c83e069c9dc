"""Money of a period: what came in, what was paid back, by day, method, kind of client and package; and what is owed.

Money counts on the day of the till (ADR 11): what is verified or paid out on its ``cash_day``, and what is voided is
taken out again on its ``void_cash_day``. All tables of a report are added from the same rows, so they agree with each
other and with the till to the cent.

A payment is divided among the packages of its session in proportion to what their lines cost, items that were sold on
their own being one part (``shares.split``). Transportation and discount belong to the session as a whole, so they are
carried by its parts in the same proportion. The lines are those of today, as on the session's page.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Case, DecimalField, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest

from catalog.models import Package
from payments import money
from payments.models import Payment, PaymentMethod, PaymentStatus, PaymentType
from sessions_app import workflow
from sessions_app.models import Session, SessionDetail
from sessions_app.models.client import ClientType
from sessions_app.models.detail import ReferenceType
from sessions_app.reports.periods import Period
from sessions_app.reports.shares import split
from sessions_app.states import Status

AMOUNT = DecimalField(max_digits=14, decimal_places=2)
ZERO = Value(money.ZERO, output_field=AMOUNT)
NO_PACKAGE = 0
AT_ONCE = 2000
FEW = 20_000


@dataclass(slots=True)
class Flow:
    """What came in and what was paid back, each less what was voided of it; in the studio's currency."""

    came_in: Decimal = money.ZERO
    paid_back: Decimal = money.ZERO

    @property
    def net(self) -> Decimal:
        return self.came_in - self.paid_back

    @property
    def is_any(self) -> bool:
        """Whether anything was counted; what came in and was voided in the same days counts for nothing."""
        return bool(self.came_in or self.paid_back)

    def add(self, amount: Decimal, *, is_refund: bool) -> None:
        if is_refund:
            self.paid_back += amount
        else:
            self.came_in += amount


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. ``key`` is what it is about: the days, a method, a kind of client, a package's id."""

    key: Any
    flow: Flow


@dataclass(frozen=True, slots=True)
class Moved:
    """One payment as it counts in the period: below zero when it was taken out."""

    day: date
    session_id: int
    method: str
    client_type: str
    is_refund: bool
    amount: Decimal


@dataclass(slots=True)
class Report:
    period: Period
    total: Flow = field(default_factory=Flow)
    voided: Flow = field(default_factory=Flow)
    by_step: list[Row] = field(default_factory=list)
    by_method: list[Row] = field(default_factory=list)
    by_client_type: list[Row] = field(default_factory=list)
    by_package: list[Row] = field(default_factory=list)
    package_names: dict[int, str] = field(default_factory=dict)


def report(period: Period) -> Report:
    """The money of the period in all its tables. Three queries."""
    moved = list(_moved(period))
    made = Report(period)
    cells: dict[tuple[date, str, str], Flow] = defaultdict(Flow)
    for each in moved:
        cells[each.day, each.method, each.client_type].add(each.amount, is_refund=each.is_refund)
        if each.amount < 0:
            made.voided.add(-each.amount, is_refund=each.is_refund)
    made.total = sum_of(cells.values())
    steps = _added(cells, lambda day, _method, _client_type: period.step_of(day))
    made.by_step = [Row(step, steps.get(step.first, Flow())) for step in period.steps()]
    methods = _added(cells, lambda _day, method, _client_type: method)
    made.by_method = [Row(method, methods.get(method, Flow())) for method in PaymentMethod.values]
    kinds = _added(cells, lambda _day, _method, client_type: client_type)
    made.by_client_type = [Row(kind, kinds.get(kind, Flow())) for kind in ClientType.values]
    made.by_package = _by_package(moved, _prices({each.session_id for each in moved}, period))
    made.package_names = _names(row.key for row in made.by_package)
    return made


def in_period(period: Period) -> QuerySet[Payment]:
    """Every payment that was counted or taken out in the period."""
    days = (period.first, period.last)
    return Payment.objects.filter(Q(cash_day__range=days) | Q(void_cash_day__range=days))


def _moved(period: Period) -> Iterable[Moved]:
    rows = (
        in_period(period)
        .order_by()
        .values_list(
            "cash_day",
            "void_cash_day",
            "session_id",
            "payment_method",
            "session__client__client_type",
            "payment_type",
            "amount",
        )
    )
    for counted, voided, session_id, method, client_type, kind, amount in rows.iterator(chunk_size=AT_ONCE):
        is_refund = kind == PaymentType.REFUND
        if counted is not None and period.first <= counted <= period.last:
            yield Moved(counted, session_id, method, client_type, is_refund, amount)
        if voided is not None and period.first <= voided <= period.last:
            yield Moved(voided, session_id, method, client_type, is_refund, -amount)


def sum_of(flows: Iterable[Flow]) -> Flow:
    whole = Flow()
    for flow in flows:
        whole.came_in += flow.came_in
        whole.paid_back += flow.paid_back
    return whole


def _added(cells: dict[tuple[date, str, str], Flow], key: Callable[[date, str, str], Hashable]) -> dict[Any, Flow]:
    groups: dict[Any, list[Flow]] = defaultdict(list)
    for cell, flow in cells.items():
        groups[key(*cell)].append(flow)
    return {each: sum_of(flows) for each, flows in groups.items()}


def _by_package(moved: Iterable[Moved], prices: dict[int, dict[int, Decimal]]) -> list[Row]:
    """The packages by what they brought, the most first; what was sold without one stands last."""
    flows: dict[int, Flow] = defaultdict(Flow)
    nothing = {NO_PACKAGE: Decimal(1)}
    # A studio sells the same things at the same prices again and again.
    known: dict[tuple[Any, ...], dict[int, Decimal]] = {}
    for each in moved:
        sold = prices.get(each.session_id, nothing)
        case = (each.amount, *sold.items())
        shares = known.get(case)
        if shares is None:
            shares = known[case] = split(each.amount, sold)
        for package, share in shares.items():
            flows[package].add(share, is_refund=each.is_refund)
    return [Row(key, flows[key]) for key in sorted(flows, key=lambda key: (key == NO_PACKAGE, -flows[key].net, key))]


def _prices(sessions: set[int], period: Period) -> dict[int, dict[int, Decimal]]:
    """What the lines of each package cost, of every session of the period; items on their own under ``NO_PACKAGE``.

    A list of sessions is looked up by their index, where a subquery would read all lines there are; a very long one is
    better found by the database.
    """
    wanted = sorted(sessions) if len(sessions) <= FEW else in_period(period).order_by().values("session_id")
    package = Case(When(reference_type=ReferenceType.PACKAGE, then=F("reference_id")), default=Value(NO_PACKAGE))
    rows = (
        SessionDetail.objects.filter(session_id__in=wanted)
        .annotate(package=package)
        .order_by("session_id", "package")
        .values_list("session_id", "package")
        .annotate(price=Sum("line_subtotal"))
    )
    prices: dict[int, dict[int, Decimal]] = defaultdict(dict)
    for session_id, package_id, price in rows.iterator(chunk_size=AT_ONCE):
        prices[session_id][package_id] = price
    return prices


def _names(packages: Iterable[int]) -> dict[int, str]:
    return dict(Package.objects.filter(pk__in=[key for key in packages if key != NO_PACKAGE]).values_list("pk", "name"))


# -- behind the figures ------------------------------------------------------------------------------------------------


def contribution(payment: Payment, period: Period) -> Decimal:
    """What a payment adds to the figure of its kind in the period: nothing, when it was voided in it again."""
    counted = payment.cash_day is not None and period.first <= payment.cash_day <= period.last
    voided = payment.void_cash_day is not None and period.first <= payment.void_cash_day <= period.last
    return payment.amount * (counted - voided)


def added_up(rows: QuerySet[Payment], period: Period) -> Flow:
    """What these payments add to the figures of the period. One query."""
    days = (period.first, period.last)
    refund = Q(payment_type=PaymentType.REFUND)
    sums = rows.order_by().aggregate(
        came_in=Coalesce(Sum("amount", filter=~refund & Q(cash_day__range=days)), ZERO)
        - Coalesce(Sum("amount", filter=~refund & Q(void_cash_day__range=days)), ZERO),
        paid_back=Coalesce(Sum("amount", filter=refund & Q(cash_day__range=days)), ZERO)
        - Coalesce(Sum("amount", filter=refund & Q(void_cash_day__range=days)), ZERO),
    )
    return Flow(sums["came_in"], sums["paid_back"])


# -- what is owed now --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owed:
    """What clients have still to pay, and what the studio has to give back, in the studio's currency."""

    to_studio: Decimal
    to_clients: Decimal


def standing() -> QuerySet[Session]:
    """Sessions with ``owes`` (what the client has still to pay) and ``is_owed`` (what goes back to the client).

    The figures are those of ``statements`` and ``money.account``, worked out by the database: the agreed total is owed
    from Pre-scheduled on, of a canceled session what the refund rules left; a pending refund is a part of what was
    paid too much, not an addition to it.
    """
    verified = Q(payments__deleted_flag=False, payments__payment_status=PaymentStatus.VERIFIED)
    pending = Q(payments__deleted_flag=False, payments__payment_status=PaymentStatus.PENDING)
    refund = Q(payments__payment_type=PaymentType.REFUND)
    signed = Case(
        When(payments__payment_type=PaymentType.REFUND, then=-F("payments__amount")),
        default=F("payments__amount"),
        output_field=AMOUNT,
    )
    kept = Case(When(status=Status.CANCELED, then=F("kept_amount")), default=F("total"), output_field=AMOUNT)
    charged = Case(
        When(status=Status.CANCELED, then=F("kept_amount")),
        When(status__in=sorted(workflow.AGREED), then=F("total")),
        default=ZERO,
        output_field=AMOUNT,
    )
    return (
        Session.objects.present()
        .annotate(
            net_paid=Coalesce(Sum(signed, filter=verified), ZERO),
            waiting=Coalesce(Sum("payments__amount", filter=pending & refund), ZERO),
        )
        .annotate(
            owes=Greatest(charged - F("net_paid"), ZERO, output_field=AMOUNT),
            is_owed=Greatest(F("waiting"), F("net_paid") - kept, ZERO, output_field=AMOUNT),
        )
    )


def owed_now() -> Owed:
    """One query over the accounts of all sessions, also of those that are over: a completed one may be unpaid (D37).

    It reads every payment once (a second or two for a million of them), so pages ask for it on its own.
    """
    sums = (
        standing()
        .order_by()
        .aggregate(to_studio=Coalesce(Sum("owes"), ZERO), to_clients=Coalesce(Sum("is_owed"), ZERO))
    )
    return Owed(sums["to_studio"], sums["to_clients"])
