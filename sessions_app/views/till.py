"""A day of the till: what came in and went out by method, and its closing (ADR 11)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from payments import money, till
from payments.ledger import EARLIEST_PAYMENT
from payments.models import CashClosing, CommissionStatement, PaymentMethod
from sessions_app.actions.till import close_days
from sessions_app.documents.commission import number_of
from sessions_app.forms.till import ClosingForm
from studio.access import allows, require
from studio.acting import Done, act
from studio.conf import STUDIO
from studio.csv_files import csv_response
from studio.errors import NotFound
from studio.roles import Perm
from studio.templatetags.atelier import clock, long_day

CLOSINGS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """One method of a closing as it was closed."""

    label: str
    came_in: Decimal
    went_out: Decimal
    counted: Decimal
    commissions: Decimal | None = None
    """What was paid to people in these days; in no other figure (ADR 12)."""

    @property
    def expected(self) -> Decimal:
        return self.came_in - self.went_out

    @property
    def difference(self) -> Decimal:
        return self.counted - self.expected


@dataclass(frozen=True, slots=True)
class Closed:
    """A closing with its figures as amounts."""

    closing: CashClosing
    lines: list[Counted]

    @property
    def difference(self) -> Decimal:
        return sum((line.difference for line in self.lines), money.ZERO)

    @property
    def is_even(self) -> bool:
        """Whether each method was counted as the books say; two differences may add up to nothing."""
        return not any(line.difference for line in self.lines)

    @property
    def commissions(self) -> list[Counted]:
        return [line for line in self.lines if line.commissions is not None]

    @property
    def expected(self) -> Decimal:
        return sum((line.expected for line in self.lines), money.ZERO)

    @property
    def counted(self) -> Decimal:
        return sum((line.counted for line in self.lines), money.ZERO)


def closed(closing: CashClosing) -> Closed:
    lines = [
        Counted(
            PaymentMethod(method).label,
            Decimal(closing.expected[method]["in"]),
            Decimal(closing.expected[method]["out"]),
            Decimal(closing.counted[method]),
            Decimal(closing.expected[method]["commissions"]) if "commissions" in closing.expected[method] else None,
        )
        for method in PaymentMethod.values
        if method in closing.expected
    ]
    return Closed(closing, lines)


@require_http_methods(["GET", "HEAD", "POST"])
def till_day(request: HttpRequest) -> HttpResponse:
    """One day: its takings, each entry, and the form that closes it with the open days before it.

    ``?day=`` chooses it, today without; ``?format=csv`` gives its entries. A POST with ``preview`` shows the
    differences and closes nothing.
    """
    user, now = request.user, timezone.now()
    require(user, Perm.PAYMENT_REGISTER)
    today = now.astimezone(STUDIO.zone).date()
    day = _day(request, today)
    if request.method == "POST":
        require(user, Perm.PAYMENT_VERIFY)
    entries = till.entries(day, day)
    if request.GET.get("format") == "csv":
        rows = [*_csv_rows(entries), *_csv_memo(day, till.commissions(day, day))]
        return csv_response(f"till-{day.isoformat()}", _csv_head(), rows)
    through = till.closed_through()
    first = till.first_day_after(through)
    is_closed = through is not None and day <= through
    begins = min(first or day, day)
    form = ClosingForm(request.POST if request.method == "POST" else None, takings=till.takings(begins, day))

    def do(values: dict[str, Any]) -> Done:
        closing = close_days(day, counted=form.counted(), seen=form.seen(), notes=values["notes"], by=user, now=now)
        text = _("The till is closed through %(day)s.") % {"day": long_day(closing.day)}
        return Done(text, _address(day), facts={"closing": _facts(closing)})

    def context() -> dict[str, Any]:
        closing = till.closing_of(day) if is_closed else None
        if request.method == "POST":  # asked again after a refusal: what is true now
            form.takings = till.takings(begins, day)
        takings = form.takings if begins == day else till.takings(day, day)
        commissions = till.commissions(begins, day)
        page = Paginator(CashClosing.objects.select_related("closed_by"), CLOSINGS_SHOWN).get_page(
            request.GET.get("page")
        )
        return {
            "day": day,
            "today": today,
            "is_closed": is_closed,
            "closed": closed(closing) if closing else None,
            "takings": takings,
            "sum": till.Takings("", sum(t.came_in for t in takings), sum(t.went_out for t in takings)),
            "entries": entries,
            "commissions": _memo(till.commissions(day, day) if begins < day else commissions),
            "commissions_to_close": _by_method(commissions),
            "differences": form.differences(),
            "open_since": begins if begins < day else None,
            "may_close": not is_closed and day <= today and (first is None or day >= first),
            "not_possible": "" if is_closed else _not_possible(day, today, first),
            "effects": _closing_means(begins, day, today),
            "allowed": allows(user, Perm.PAYMENT_VERIFY),
            "previous_url": _address(day - timedelta(days=1)) if day > EARLIEST_PAYMENT else "",
            "next_url": _address(day + timedelta(days=1)) if day < today or (through and day <= through) else "",
            "export_url": f"{_address(day)}&format=csv",
            "action_url": _address(day),
            "page": page,
            "closings": [closed(each) for each in page],
            "nav": "payment-list",
        }

    if request.method == "POST" and "preview" in request.POST:
        form.is_valid()
        return render(request, "sessions_app/till.html", {"form": form, **context()})
    return act(request, form, do, template="sessions_app/till.html", context=context)


def _day(request: HttpRequest, today: date) -> date:
    """The day of the address; raises ``NotFound`` for what is no day, or one that is not in the books."""
    text = request.GET.get("day", "")
    if not text:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise NotFound from None
    # Money that is decided on after a closing counts tomorrow, so that day can be looked at.
    if len(text) != 10 or not EARLIEST_PAYMENT <= day <= today + timedelta(days=1):
        raise NotFound
    return day


def _address(day: date) -> str:
    return f"{reverse('till')}?day={day.isoformat()}"


def _memo(statements: list[CommissionStatement]) -> list[dict[str, Any]]:
    return [
        {
            "statement": each,
            "number": number_of(each),
            "method": PaymentMethod(each.payment_method).label,
            "url": reverse("commission-statement", args=[each.pk]),
        }
        for each in statements
    ]


def _by_method(statements: list[CommissionStatement]) -> list[tuple[str, Decimal]]:
    return [(PaymentMethod(method).label, amount) for method, amount in till.by_method(statements).items()]


def _not_possible(day: date, today: date, first: date | None) -> str:
    if day > today:
        return _("This day has not begun. What counts here was decided on after today's closing.")
    if first is not None and day < first:
        return _("No money has counted until this day.")
    return ""


def _closing_means(begins: date, day: date, today: date) -> list[dict[str, str]]:
    """What closing does, said before the click."""
    effects = [
        {
            "icon": "lock",
            "text": _("%(day)s can never be changed or opened again.") % {"day": long_day(day)}
            if begins == day
            else _("The days from %(first)s to %(last)s are closed together, and can never be changed or opened again.")
            % {"first": long_day(begins), "last": long_day(day)},
        },
        {
            "icon": "calendar-plus",
            "text": _("Money that is verified, paid out or voided from now on counts on %(day)s.")
            % {"day": long_day(max(today, day + timedelta(days=1)))},
        },
        {
            "icon": "journal-check",
            "text": _("What you counted is kept with what the books say, your name and your note."),
            "why": _("Kept in the audit log."),
        },
    ]
    if day == today:
        effects.append({"icon": "clock-history", "text": _("Today is not over: close it when the last money is in.")})
    return effects


def _facts(closing: CashClosing) -> dict[str, Any]:
    return {
        "first_day": closing.first_day.isoformat(),
        "day": closing.day.isoformat(),
        "expected": closing.expected,
        "counted": closing.counted,
        "notes": closing.notes,
    }


def _csv_head() -> list[str]:
    return [
        _("Day"),
        _("Time"),
        _("Session"),
        _("Client"),
        _("Type"),
        _("Entry"),
        _("Method"),
        _("Document number"),
        _("Receipt"),
        _("Amount"),
        _("Decided by"),
        _("Reason for voiding"),
    ]


def _csv_rows(entries: list[till.Entry]) -> Iterator[list[Any]]:
    for each in entries:
        payment = each.payment
        receipt = getattr(payment, "receipt", None)
        yield [
            each.day.isoformat(),
            clock(each.at),
            payment.session.code,
            payment.session.client.full_name,
            payment.get_payment_type_display(),
            _("voided") if each.is_void else _("counted"),
            payment.get_payment_method_display(),
            payment.document_number,
            str(receipt) if receipt else "",
            each.amount,
            each.by.full_name if each.by else "",
            payment.deleted_reason if each.is_void else "",
        ]


def _csv_memo(day: date, statements: list[CommissionStatement]) -> Iterator[list[Any]]:
    """The commissions of the day: they leave the same drawer, and are in no sum of the entries."""
    for each in statements:
        yield [
            day.isoformat(),
            clock(each.paid_at),
            "",
            each.person.full_name,
            _("Commission"),
            _("memo, not in the takings"),
            PaymentMethod(each.payment_method).label,
            each.document_number,
            number_of(each),
            -each.total,
            each.paid_by.full_name,
            "",
        ]


urlpatterns = [path("money/till/", till_day, name="till")]
