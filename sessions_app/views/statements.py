"""A client's statement: on the screen, as CSV and on paper."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from sessions_app.documents.statement import of_client
from sessions_app.forms.money import DayField
from sessions_app.statements import Statement, statement
from sessions_app.views.finding import present_client
from studio.access import require
from studio.csv_files import csv_response
from studio.pdf import pdf_response
from studio.roles import Perm


class PeriodForm(forms.Form):
    """From when to when; a period that makes no sense shows everything and says so."""

    since = DayField(label=gettext_lazy("From"), required=False)
    until = DayField(label=gettext_lazy("Until"), required=False)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        since: date | None = values.get("since")
        until: date | None = values.get("until")
        if since and until and since > until:
            self.add_error("until", _("This is before the first day."))
        return values


@require_safe
def client_statement(request: HttpRequest, pk: int) -> HttpResponse:
    """What was agreed, paid and given back, with the balance after each; ``format=pdf`` in the client's language."""
    client = present_client(request, pk)
    require(request.user, Perm.PAYMENT_REGISTER)
    form = PeriodForm(request.GET)
    period = form.cleaned_data if form.is_valid() else {}
    days = {"first_day": period.get("since"), "last_day": period.get("until")}
    wanted = request.GET.get("format")
    if wanted == "pdf":
        return pdf_response(of_client(client, now=timezone.now(), **days), f"{_('statement')}-{client.pk}.pdf")
    account = statement(client, **days)
    if wanted == "csv":
        return csv_response(f"{_('statement')}-{client.pk}", _csv_head(), _csv_rows(account))
    query = request.GET.copy()
    context = {
        "client": client,
        "account": account,
        "form": form,
        "is_filtered": any(period.values()),
        "export_url": _with_format(query, "csv"),
        "paper_url": _with_format(query, "pdf"),
        "nav": "client-list",
    }
    return render(request, "sessions_app/statement.html", context)


def _with_format(query: Any, wanted: str) -> str:
    query["format"] = wanted
    return f"?{query.urlencode()}"


def _csv_head() -> list[str]:
    return [_("Date"), _("Session"), _("What"), _("Document number"), _("To pay"), _("Paid"), _("Balance")]


def _csv_rows(account: Statement) -> Iterator[list[Any]]:
    yield [account.first_day or "", "", _("Balance before"), "", "", "", account.opening]
    for each in account.movements:
        yield [
            each.day.isoformat(),
            each.session.code,
            each.text,
            each.document,
            each.charge or "",
            each.paid or "",
            each.balance,
        ]
    yield [account.last_day or "", "", _("Balance after"), "", "", "", account.closing]


urlpatterns = [path("clients/<int:pk>/statement/", client_statement, name="client-statement")]
