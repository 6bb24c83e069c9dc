"""Commissions: who earned what in a period, each figure's origin, paying, and the statements; and everybody's own.

The office sees all of it (``payment.register``) and pays (``payment.refund``); everybody else their own lines and
statements, without what would tell a price (ADR 12).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_safe

from payments import commissions as rates
from payments import earnings, money
from payments.models import CommissionLine, CommissionStatement, PaymentMethod
from sessions_app import commissions
from sessions_app.actions.commission import agree_commission, pay_commission, why_fixed
from sessions_app.commissions import Figure, Sums, figures_of, percent, with_origins
from sessions_app.documents.commission import gone_from, number_of, of_statement
from sessions_app.effects import people_on
from sessions_app.forms.commission import AgreeForm, LastDayForm, PayCommissionForm
from sessions_app.models import Session
from sessions_app.views.finding import LARGEST_ID, visible_session
from sessions_app.views.statements import PeriodForm
from studio.access import allows, require
from studio.acting import Done, act
from studio.conf import STUDIO
from studio.csv_files import csv_response
from studio.errors import AccessDenied, NotFound
from studio.models import User
from studio.paging import Page
from studio.pdf import pdf_response
from studio.roles import Perm, roles_of
from studio.templatetags.atelier import money as in_words

PER_PAGE = 50
LAST_PAGE = 200
LATEST = 5
LINES, STATEMENTS = "lines", "statements"


@dataclass(frozen=True, slots=True)
class Period:
    """The days that a page is about, both included; ``first`` None is from the beginning."""

    first: date | None
    last: date

    @property
    def query(self) -> str:
        return urlencode({"since": self.first.isoformat() if self.first else "", "until": self.last.isoformat()})


# -- the office --------------------------------------------------------------------------------------------------------


@require_safe
def commission_list(request: HttpRequest) -> HttpResponse:
    """Who earned what in the period, this month without one, and what is left to pay; ``format=csv`` as a file."""
    require(request.user, Perm.PAYMENT_REGISTER)
    today = _today()
    form, period = _period(request, today)
    people = commissions.earners(period.first, period.last)
    if request.GET.get("format") == "csv":
        rows = (_earner_cells(commissions.as_earner(row)) for row in people)
        return csv_response(f"commissions-{period.last.isoformat()}", _earner_head(), rows)
    rows, page = _paged(request, people)
    context = {
        "form": form,
        "period": period,
        "chips": _period_chips(period, today),
        "people": [commissions.as_earner(row) for row in rows],
        "page": page,
        "all": commissions.sums_of_all(period.first, period.last),
        "export_url": _with(request, format="csv"),
        "nav": "payment-list",
    }
    return render(request, "sessions_app/commission_list.html", context)


@require_safe
def commission_person(request: HttpRequest, pk: int) -> HttpResponse:
    """One person's lines of a period with the origin of each, and their statements; ``format=csv`` the lines."""
    require(request.user, Perm.PAYMENT_REGISTER)
    person = _person(pk)
    return _of_person(
        request,
        person,
        template="sessions_app/commission_person.html",
        statement_route="commission-statement",
        context={
            "pay_url": reverse("commission-pay", args=[person.pk]) if allows(request.user, Perm.PAYMENT_REFUND) else "",
            "staff_url": reverse("staff-edit", args=[person.pk]) if allows(request.user, Perm.USER_VIEW) else "",
            "list_url": reverse("commission-list"),
            "nav": "payment-list",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def commission_pay(request: HttpRequest, pk: int) -> HttpResponse:
    """Pay what is open up to a day (``?until=``, today without): exactly the lines that are shown."""
    user, now = request.user, timezone.now()
    require(user, Perm.PAYMENT_REFUND)
    person, today = _person(pk), _today()
    asked = LastDayForm({"until": request.GET.get("until") or today.isoformat()}, today=today)
    last_day = asked.cleaned_data["until"] if asked.is_valid() else today
    form = PayCommissionForm(request.POST if request.method == "POST" else None)

    def do(values: dict[str, Any]) -> Done:
        statement = pay_commission(person, by=user, now=now, **values)
        text = _("%(amount)s is paid to %(person)s.") % {"amount": in_words(statement.total), "person": person}
        return Done(text, reverse("commission-statement", args=[statement.pk]), facts=_facts(statement))

    def context() -> dict[str, Any]:
        until = last_day
        if form.is_bound:
            until = min(getattr(form, "cleaned_data", {}).get("last_day") or today, today)
        lines = figures_of(with_origins(earnings.unpaid(person, until)), user)
        total = sum((each.line.amount for each in lines), money.ZERO)
        form.show(until, total, len(lines))
        return {
            "person": person,
            "page_title": _("Pay the commission of %(person)s") % {"person": person.short_name},
            "day_form": LastDayForm({"until": until.isoformat()}, today=today) if form.is_bound else asked,
            "last_day": until,
            "figures": lines,
            "total": total,
            "shows_price": True,
            "effects": _paying_means(person, len(lines)),
            "act_label": _("Pay %(amount)s") % {"amount": in_words(total)} if total > 0 else _("Pay"),
            "act_reason": _nothing_to_pay(total),
            "cancel_url": reverse("commission-person", args=[person.pk]),
            "nav": "payment-list",
        }

    return act(request, form, do, template="sessions_app/commission_pay.html", context=context)


@require_safe
def commission_statement(request: HttpRequest, number: int) -> HttpResponse:
    """A statement as it was paid; ``format=pdf`` for the person, ``format=csv`` with every figure."""
    require(request.user, Perm.PAYMENT_REGISTER)
    statement = _statement(CommissionStatement.objects.all(), number)
    return _of_statement(
        request,
        statement,
        context={
            "person_url": reverse("commission-person", args=[statement.person_id]),
            "list_url": reverse("commission-list"),
            "nav": "payment-list",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def session_commission(request: HttpRequest, code: str) -> HttpResponse:
    """What everybody on the session earns with it, and the rate agreed for it, until completing fixes both."""
    user = request.user
    session = visible_session(request, code)
    require(user, Perm.SESSION_ASSIGN_RESOURCES, session)
    initial = {"percent": session.commission_override}
    form = AgreeForm(request.POST if request.method == "POST" else None, initial=initial)

    def do(values: dict[str, Any]) -> Done:
        agreed = agree_commission(session, rate=values["percent"], by=user, now=timezone.now()).commission_override
        text = (
            _("Everybody's own rate counts for this session.")
            if agreed is None
            else _("%(percent)s is agreed for this session.") % {"percent": percent(agreed)}
        )
        facts = {"commission_override": None if agreed is None else str(agreed)}
        page = reverse("session-commission", args=[session.code])
        return Done(text, page, session.get_absolute_url(), _("To the session"), facts)

    def context() -> dict[str, Any]:
        present = Session.objects.select_related("client").get(pk=session.pk)
        return {
            "session": present,
            "page_title": _("Commission"),
            "agreed": percent(present.commission_override) if present.commission_override is not None else "",
            "agreement": commissions.agreement_of(present),
            "shares": _shares(present),
            "figures": figures_of(with_origins(present.commission_lines.order_by("earned_on", "pk")), user),
            "shows_price": True,
            "act_reason": why_fixed(present),
            "act_label": _("Save"),
            "cancel_url": present.get_absolute_url()
            if present.is_appointment
            else reverse("session-people", args=[present.code]),
            "nav": "session-list",
        }

    return act(request, form, do, template="sessions_app/session_commission.html", context=context)


# -- one's own ---------------------------------------------------------------------------------------------------------


@require_safe
def own_commission(request: HttpRequest) -> HttpResponse:
    """What the person who is signed in earned and was paid; nobody else's, and no price that is not theirs to know."""
    _require_a_role(request)
    return _of_person(
        request,
        request.user,
        template="sessions_app/commission_person.html",
        statement_route="own-commission-statement",
        context={"is_own": True, "nav": "own-commission"},
    )


@require_safe
def own_commission_statement(request: HttpRequest, number: int) -> HttpResponse:
    """One of one's own statements; of anybody else's it does not say that it exists."""
    _require_a_role(request)
    statement = _statement(commissions.statements_of(request.user), number)
    return _of_statement(
        request,
        statement,
        context={"is_own": True, "list_url": reverse("own-commission"), "nav": "own-commission"},
    )


# -- what the pages show -----------------------------------------------------------------------------------------------


def _of_person(
    request: HttpRequest, person: User, *, template: str, statement_route: str, context: dict[str, Any]
) -> HttpResponse:
    today = _today()
    form, period = _period(request, today)
    lines = with_origins(commissions.lines_of(person, period.first, period.last))
    if request.GET.get("format") == "csv":
        name = f"commission-{person.pk}-{period.last.isoformat()}"
        return csv_response(name, _csv_head(), _csv_rows(figures_of(lines.reverse(), request.user)))
    tab = STATEMENTS if request.GET.get("tab") == STATEMENTS else LINES
    statements = commissions.statements_of(person)
    rows, page = _paged(request, lines if tab == LINES else statements)
    shown = figures_of(rows, request.user) if tab == LINES else []
    open_now = commissions.sums_of(person, None, today).unpaid
    return render(
        request,
        template,
        {
            "person": person,
            "form": form,
            "period": period,
            "period_chips": _period_chips(period, today),
            "tab": tab,
            "tab_chips": _tab_chips(request, tab),
            "sums": commissions.sums_of(person, period.first, period.last),
            "open_now": open_now,
            "figures": shown,
            "shows_price": any(each.shows_price for each in shown),
            "on_this_page": sum((each.line.amount for each in shown), money.ZERO),
            "page": page,
            "statements": _numbered(rows if tab == STATEMENTS else statements[:LATEST], statement_route),
            "statements_url": _with(request, tab=STATEMENTS),
            "export_url": _with(request, format="csv"),
            **context,
        },
    )


def _of_statement(request: HttpRequest, statement: CommissionStatement, *, context: dict[str, Any]) -> HttpResponse:
    wanted = request.GET.get("format")
    if wanted == "pdf":
        return pdf_response(of_statement(statement), f"{number_of(statement)}.pdf")
    lines = figures_of(with_origins(statement.lines.order_by("earned_on", "pk")), request.user)
    if wanted == "csv":
        return csv_response(number_of(statement), _csv_head(), _csv_rows(lines))
    return render(
        request,
        "sessions_app/commission_statement.html",
        {
            "statement": statement,
            "number": number_of(statement),
            "method": PaymentMethod(statement.payment_method).label,
            "figures": lines,
            "gone": gone_from(statement, lines),
            "shows_price": any(each.shows_price for each in lines),
            **context,
        },
    )


@dataclass(frozen=True, slots=True)
class Share:
    """What somebody would earn with a session if it were completed as it stands. ``percent`` is "" for nothing."""

    person: User
    percent: str
    origin: str
    amount: Decimal | None


def _shares(session: Session) -> list[Share]:
    shares = []
    for person in people_on(session):
        usual = rates.DEFAULT_RATE if session.is_appointment else None
        rate = rates.rate_of(session.commission_override, person.commission_rate, default=usual)
        if rate is None:
            shares.append(Share(person, "", _("no rate: earns no commission"), None))
        else:
            origin = CommissionLine(rate_source=rate.source).get_rate_source_display()
            shares.append(Share(person, percent(rate.value), origin, rates.commission(session.total, rate.value)))
    return shares


def _numbered(statements: Iterable[CommissionStatement], route: str) -> list[dict[str, Any]]:
    return [
        {
            "statement": each,
            "number": number_of(each),
            "url": reverse(route, args=[each.pk]),
            "method": PaymentMethod(each.payment_method).label,
        }
        for each in statements
    ]


def _paying_means(person: User, lines: int) -> list[dict[str, str]]:
    """Of nothing to pay there is nothing to foresee."""
    if not lines:
        return []
    return [
        {
            "icon": "lock",
            "text": _("The statement freezes with the lines that are shown here: %(n)d.") % {"n": lines},
            "why": _("What is corrected later comes on the next statement."),
        },
        {"icon": "person-check", "text": _("%(person)s sees it under Earnings.") % {"person": person.short_name}},
        {
            "icon": "cash",
            "text": _("The till shows it beside the takings of today; it is not the sessions' money."),
        },
        {"icon": "journal-check", "text": _("Kept in the audit log.")},
    ]


def _nothing_to_pay(total: Decimal) -> str:
    if total < 0:
        return _("Corrections exceed what was earned: these lines stay open until more is earned.")
    return "" if total else _("There is nothing to pay up to this day.")


def _period_chips(period: Period, today: date) -> list[dict[str, Any]]:
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    offered = (
        (_("This month"), Period(month, today)),
        (_("Last month"), Period(before.replace(day=1), before)),
        (_("This year"), Period(today.replace(month=1, day=1), today)),
    )
    return [{"label": label, "url": f"?{each.query}", "is_current": each == period} for label, each in offered]


def _tab_chips(request: HttpRequest, tab: str) -> list[dict[str, Any]]:
    labels = {LINES: _("Lines"), STATEMENTS: _("Statements")}
    return [
        {"label": label, "url": _with(request, tab=name), "is_current": name == tab} for name, label in labels.items()
    ]


def _facts(statement: CommissionStatement) -> dict[str, Any]:
    return {
        "statement": {
            "id": statement.pk,
            "number": number_of(statement),
            "person": statement.person_id,
            "first_day": statement.first_day.isoformat(),
            "last_day": statement.last_day.isoformat(),
            "total": str(statement.total),
        }
    }


# -- files -------------------------------------------------------------------------------------------------------------


def _earner_head() -> list[str]:
    return [_("Person"), _("Earned"), _("Corrected"), _("Paid"), _("To pay"), _("To pay from before")]


def _earner_cells(earner: commissions.Earner) -> list[Any]:
    sums: Sums = earner.sums
    return [earner.name, sums.earned, sums.corrected, sums.paid, sums.unpaid, sums.before]


def _csv_head() -> list[str]:
    return [
        _("Day"),
        _("Session"),
        _("What"),
        _("Type"),
        _("Base"),
        _("Rate"),
        _("Origin of the rate"),
        _("Agreed by"),
        _("Amount"),
        _("Reason"),
        _("Receipt"),
        pgettext("commission", "Statement"),
    ]


def _csv_rows(lines: Iterable[Figure]) -> Iterator[list[Any]]:
    for each in lines:
        line = each.line
        yield [
            line.earned_on.isoformat(),
            each.session.code,
            each.title,
            line.get_kind_display(),
            "" if each.base is None else each.base,
            "" if each.rate is None else each.rate,
            each.origin,
            f"{each.agreed.actor_name} {each.agreed.at.astimezone(STUDIO.zone):%Y-%m-%d %H:%M}" if each.agreed else "",
            line.amount,
            each.reason,
            str(getattr(each.cause, "receipt", None) or ""),
            number_of(line.statement) if line.statement else "",
        ]


# -- finding -----------------------------------------------------------------------------------------------------------


def _today() -> date:
    return timezone.now().astimezone(STUDIO.zone).date()


def _require_a_role(request: HttpRequest) -> None:
    if not roles_of(request.user):
        raise AccessDenied(user=request.user)


def _person(pk: int) -> User:
    found = get_user_model().objects.filter(pk=pk).first() if pk <= LARGEST_ID else None
    if found is None:
        raise NotFound
    return found


def _statement(rows: QuerySet[CommissionStatement], number: int) -> CommissionStatement:
    found = rows.select_related("person", "paid_by").filter(pk=number).first() if number <= LARGEST_ID else None
    if found is None:
        raise NotFound
    return found


def _period(request: HttpRequest, today: date) -> tuple[PeriodForm, Period]:
    """The days that the address asks for; this month when it asks for none, or for what makes no sense."""
    month = Period(today.replace(day=1), today)
    if not {"since", "until"} & set(request.GET):
        return PeriodForm({"since": month.first.isoformat(), "until": month.last.isoformat()}), month
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return form, month
    return form, Period(form.cleaned_data["since"], form.cleaned_data["until"] or today)


def _paged(request: HttpRequest, rows: QuerySet) -> tuple[list[Any], Page]:
    """One page of the rows; what is no page is the first one."""
    text = request.GET.get("page", "")
    number = int(text) if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LAST_PAGE else 1
    found = list(rows[(number - 1) * PER_PAGE : number * PER_PAGE + 1])
    if not found and number > 1:
        number, found = 1, list(rows[: PER_PAGE + 1])
    return found[:PER_PAGE], Page(number, has_next=len(found) > PER_PAGE and number < LAST_PAGE)


def _with(request: HttpRequest, **changes: str) -> str:
    """The page's address with these changes, on its first page."""
    query = request.GET.copy()
    for name in ("page", "format", "tab"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = value
    return f"?{query.urlencode()}"


urlpatterns = [
    path("money/commissions/", commission_list, name="commission-list"),
    path("money/commissions/<int:pk>/", commission_person, name="commission-person"),
    path("money/commissions/<int:pk>/pay/", commission_pay, name="commission-pay"),
    path("money/commissions/statements/<int:number>/", commission_statement, name="commission-statement"),
    path("sessions/<str:code>/commission/", session_commission, name="session-commission"),
    path("me/commission/", own_commission, name="own-commission"),
    path("me/commission/<int:number>/", own_commission_statement, name="own-commission-statement"),
]
