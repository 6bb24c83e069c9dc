"""The report of money, the payments behind its figures, and what is owed now; each as a page and as CSV."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from payments.models import Payment, PaymentMethod
from sessions_app.forms.reports import BACK, CHOICES, IN, VOIDED, EntryFilter, ReportPeriod
from sessions_app.models import Session
from sessions_app.models.client import ClientType
from sessions_app.reports import money
from sessions_app.reports.periods import Period, Step
from studio.access import require
from studio.conf import STUDIO
from studio.csv_files import csv_response
from studio.errors import NotFound
from studio.paging import Page
from studio.roles import Perm
from studio.templatetags.atelier import day, short_date

PER_PAGE = 50
LAST_PAGE = 200
AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table as it is shown. ``short`` stands under the plot; ``url`` leads to the payments behind it."""

    label: str
    short: str
    flow: money.Flow
    url: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report. ``name`` is that of its file; ``why`` says how its rows were made."""

    name: str
    title: str
    head: str
    why: str
    lines: list[Line]
    export_url: str


@require_safe
def report_money(request: HttpRequest) -> HttpResponse:
    """Money in, paid back and net of a period, in four tables and a plot; ``format=csv`` with ``table`` gives one."""
    require(request.user, Perm.REPORT_FINANCIAL)
    today = timezone.now().astimezone(STUDIO.zone).date()
    form = ReportPeriod(request.GET)
    period = form.chosen(today)
    made = money.report(period)
    steps = [_step_line(row, period.step) for row in _begun(made.by_step, today)]
    tables = _tables(request, made, steps)
    if request.GET.get("format") == "csv":
        return _as_csv(tables, request.GET.get("table", ""), made)
    context = {
        "form": form,
        "fields": form if form.errors else ReportPeriod(initial={"since": period.first, "until": period.last}),
        "period": period,
        "presets": _presets(form),
        "report": made,
        "urls": {kind: _entries_url(period, kind=kind) for kind in (IN, BACK, VOIDED)},
        "all_url": _entries_url(period),
        "tables": tables,
        "plot": _plot(steps),
        "nav": "report-money",
    }
    return render(request, "sessions_app/report_money.html", context)


def _presets(form: ReportPeriod) -> list[dict[str, Any]]:
    return [
        {"label": label, "url": f"?period={name}", "is_current": name == form.name and not form.errors}
        for name, (label, _days) in CHOICES.items()
    ]


def _tables(request: HttpRequest, made: money.Report, steps: list[Line]) -> list[Table]:
    period = made.period
    return [
        Table(
            "period",
            _("By period"),
            _STEP_HEADS[period.step](),
            _("Each amount on the day on which it counts in the till; days without money are left out.")
            if period.step == Step.DAY
            else _("Each amount on the day on which it counts in the till."),
            [line for line in steps if period.step != Step.DAY or line.flow.is_any],
            _csv_url(request, "period"),
        ),
        Table(
            "method",
            _("By method"),
            _("Method"),
            _("As the days of the till have it."),
            [
                Line(label := PaymentMethod(row.key).label, label, row.flow, _entries_url(period, method=row.key))
                for row in made.by_method
            ],
            _csv_url(request, "method"),
        ),
        Table(
            "client",
            _("By kind of client"),
            _("Kind of client"),
            _("As the client book has them today."),
            [
                Line(label := ClientType(row.key).label, label, row.flow, _entries_url(period, client=row.key))
                for row in made.by_client_type
            ],
            _csv_url(request, "client"),
        ),
        Table(
            "package",
            _("By package"),
            _("Package"),
            _(
                "Each payment is divided to the cent among the packages of its session, in proportion to what their "
                "lines cost today. Transportation and discount are carried by all in the same proportion."
            ),
            [Line(label := _package_label(made, row.key), label, row.flow) for row in made.by_package],
            _csv_url(request, "package"),
        ),
    ]


_STEP_HEADS = {Step.DAY: lambda: _("Day"), Step.WEEK: lambda: _("Week"), Step.MONTH: lambda: _("Month")}


def _begun(rows: list[money.Row], today: date) -> list[money.Row]:
    """Without the days to come, but for those on which money counts already (ADR 11)."""
    last = max((place for place, row in enumerate(rows) if _has_begun(row, today)), default=-1)
    return rows[: last + 1]


def _has_begun(row: money.Row, today: date) -> bool:
    return row.key.first <= today or row.flow.is_any


def _step_line(row: money.Row, step: Step) -> Line:
    days: Period = row.key
    match step:
        case Step.DAY:
            label, short = day(days.first), short_date(days.first)
        case Step.WEEK:
            label = _("%(first)s to %(last)s") % {"first": day(days.first), "last": day(days.last)}
            short = short_date(days.first)
        case Step.MONTH:
            label, short = date_format(days.first, "F Y"), date_format(days.first, "M Y")
    return Line(label, short, row.flow, _entries_url(days))


def _package_label(made: money.Report, key: int) -> str:
    if key == money.NO_PACKAGE:
        return _("Without a package")
    return made.package_names.get(key) or _("A package that is no longer in the catalogue")


def _plot(steps: list[Line]) -> dict[str, Any]:
    """The table by period for the browser's plot: figures as they are, names in the reader's language."""
    return {
        "labels": [line.short for line in steps],
        "titles": [line.label for line in steps],
        "currency": STUDIO.currency,
        "series": [
            {"label": _("Money in"), "kind": "in", "data": [str(line.flow.came_in) for line in steps]},
            {"label": _("Paid back"), "kind": "back", "data": [str(line.flow.paid_back) for line in steps]},
            {"label": _("Net"), "kind": "net", "data": [str(line.flow.net) for line in steps]},
        ],
    }


def _period_query(period: Period) -> dict[str, str]:
    return {"since": period.first.isoformat(), "until": period.last.isoformat()}


def _entries_url(period: Period, **filters: str) -> str:
    return f"{reverse('report-entries')}?{urlencode(_period_query(period) | filters)}"


def _csv_url(request: HttpRequest, table: str) -> str:
    query = request.GET.copy()
    query["format"], query["table"] = "csv", table
    return f"?{query.urlencode()}"


def _as_csv(tables: list[Table], name: str, made: money.Report) -> HttpResponse:
    table = next((each for each in tables if each.name == name), None)
    if table is None:
        raise NotFound
    return csv_response(_file_name(name, made.period), _flow_head(table.head), _csv_rows(table.lines, made.total))


def _file_name(name: str, period: Period) -> str:
    return f"money-{name}-{period.first.isoformat()}-{period.last.isoformat()}"


def _flow_head(first: str) -> list[str]:
    return [first, _("Money in"), _("Paid back"), _("Net")]


def _csv_rows(lines: Iterable[Line], total: money.Flow) -> Iterator[list[Any]]:
    for line in [*lines, Line(pgettext("sum", "All"), "", total)]:
        yield [line.label, line.flow.came_in, line.flow.paid_back, line.flow.net]


# -- the payments behind a figure --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A payment with what it adds to the figure of its kind in the period, and why that is so."""

    payment: Payment
    amount: Decimal
    notes: list[str]


@require_safe
def report_entries(request: HttpRequest) -> HttpResponse:
    """Every payment that was counted or taken out in the period; what they add is the figure of the report."""
    require(request.user, Perm.REPORT_FINANCIAL)
    form = EntryFilter(request.GET)
    period = form.chosen(timezone.now().astimezone(STUDIO.zone).date())
    rows = _filtered(money.in_period(period), period, form.cleaned_data)
    shown = rows.select_related("session__client").order_by("cash_day", "id")
    if request.GET.get("format") == "csv":
        return csv_response(_file_name("payments", period), _entries_head(), _entries_csv(shown, period))
    page = Paginator(shown, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "period": period,
        "flow": money.added_up(rows, period),
        "page": page,
        "entries": [_entry(row, period) for row in page],
        "is_filtered": any(form.cleaned_data.get(name) for name in ("kind", "method", "client")),
        "reset_url": _entries_url(period),
        "export_url": _with_csv(request),
        "report_url": f"{reverse('report-money')}?{urlencode(_period_query(period))}",
        "nav": "report-money",
    }
    return render(request, "sessions_app/report_entries.html", context)


def _filtered(rows: QuerySet[Payment], period: Period, wanted: dict[str, Any]) -> QuerySet[Payment]:
    match wanted.get("kind"):
        case "in":
            rows = rows.incoming()
        case "back":
            rows = rows.refunds()
        case "voided":
            rows = rows.filter(Q(void_cash_day__range=(period.first, period.last)))
    if wanted.get("method"):
        rows = rows.filter(payment_method=wanted["method"])
    if wanted.get("client"):
        rows = rows.filter(session__client__client_type=wanted["client"])
    return rows


def _entry(payment: Payment, period: Period) -> Entry:
    notes = [_("counts on %(day)s") % {"day": day(payment.cash_day)}]
    if payment.void_cash_day is not None:
        notes.append(_("taken out on %(day)s") % {"day": day(payment.void_cash_day)})
        notes.append(payment.deleted_reason)
    return Entry(payment, money.contribution(payment, period), notes)


def _with_csv(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    query["format"] = "csv"
    return f"?{query.urlencode()}"


def _entries_head() -> list[str]:
    return [
        _("Day"),
        _("Taken out"),
        _("Session"),
        _("Client"),
        _("Kind of client"),
        _("Type"),
        _("Method"),
        _("Document number"),
        _("Amount"),
        _("In this period"),
        _("Reason for voiding"),
    ]


def _entries_csv(rows: QuerySet[Payment], period: Period) -> Iterator[list[Any]]:
    for row in rows.iterator(chunk_size=AT_ONCE):
        yield [
            row.cash_day.isoformat(),
            row.void_cash_day.isoformat() if row.void_cash_day else "",
            row.session.code,
            row.session.client.full_name,
            row.session.client.get_client_type_display(),
            row.get_payment_type_display(),
            row.get_payment_method_display(),
            row.document_number,
            row.amount,
            money.contribution(row, period),
            row.deleted_reason,
        ]


# -- what is owed now --------------------------------------------------------------------------------------------------

STUDIO_SIDE, CLIENTS_SIDE = "studio", "clients"


@require_safe
def report_owed(request: HttpRequest) -> HttpResponse:
    """Today's debts, session by session; ``part=figures`` gives the two sums alone, for the report to show."""
    require(request.user, Perm.REPORT_FINANCIAL)
    if request.GET.get("part") == "figures":
        return render(request, "sessions_app/report_owed_figures.html", {"owed": money.owed_now()})
    whom = CLIENTS_SIDE if request.GET.get("to") == CLIENTS_SIDE else STUDIO_SIDE
    amount = "is_owed" if whom == CLIENTS_SIDE else "owes"
    rows = money.standing().filter(**{f"{amount}__gt": 0}).select_related("client").order_by("starts_at", "id")
    if request.GET.get("format") == "csv":
        today = timezone.now().astimezone(STUDIO.zone).date()
        return csv_response(f"owed-to-{whom}-{today.isoformat()}", _owed_head(), _owed_csv(rows, amount))
    number = _page_number(request)
    found = list(rows[(number - 1) * PER_PAGE : number * PER_PAGE + 1])
    owed = money.owed_now()
    context = {
        "owed": owed,
        "whom": whom,
        "sum": owed.to_clients if whom == CLIENTS_SIDE else owed.to_studio,
        "rows": [{"session": each, "amount": getattr(each, amount)} for each in found[:PER_PAGE]],
        "page": Page(number, has_next=len(found) > PER_PAGE and number < LAST_PAGE),
        "export_url": f"?to={whom}&format=csv",
        "nav": "report-money",
    }
    return render(request, "sessions_app/report_owed.html", context)


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return min(int(text), LAST_PAGE) if text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text) else 1


def _owed_head() -> list[str]:
    return [_("Session"), _("Client"), _("Kind of client"), _("Date"), _("State"), _("Total"), _("Paid"), _("Owed")]


def _owed_csv(rows: QuerySet[Session], amount: str) -> Iterator[list[Any]]:
    for row in rows.iterator(chunk_size=AT_ONCE):
        yield [
            row.code,
            row.client.full_name,
            row.client.get_client_type_display(),
            row.session_date.isoformat(),
            row.get_status_display(),
            row.total,
            row.net_paid,
            getattr(row, amount),
        ]


urlpatterns = [
    path("reports/money/", report_money, name="report-money"),
    path("reports/money/payments/", report_entries, name="report-entries"),
    path("reports/money/owed/", report_owed, name="report-owed"),
]
