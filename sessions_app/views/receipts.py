"""Receipts: the list by number, and each of them on paper (ADR 11)."""

import re
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from payments.models import Payment, PaymentStatus, Receipt
from sessions_app.documents.receipt import of_receipt
from sessions_app.views.finding import LARGEST_ID
from studio.access import allows, require
from studio.errors import NotFound
from studio.pdf import pdf_response
from studio.roles import Perm

PAGE_SIZE = 50
VALID, VOIDED = "valid", "voided"


class ReceiptFilter(forms.Form):
    q = forms.CharField(label=_("Number, client or session"), required=False, max_length=100)
    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[("", _("Any")), (VALID, _("Valid")), (VOIDED, _("Voided"))]
    )


@require_safe
def receipt_list(request: HttpRequest) -> HttpResponse:
    """Every receipt, the newest first; found by its number, however it is written."""
    require(request.user, Perm.PAYMENT_REGISTER)
    form = ReceiptFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    rows = _filtered(Receipt.objects.select_related("payment__session"), wanted)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "is_filtered": any(wanted.values()),
        "without": Payment.objects.filter(payment_status=PaymentStatus.VERIFIED, amount__gt=0, receipt=None).count(),
        "nav": "payment-list",
    }
    return render(request, "sessions_app/receipt_list.html", context)


def _filtered(rows: QuerySet[Receipt], wanted: dict[str, Any]) -> QuerySet[Receipt]:
    if wanted.get("state") == VOIDED:
        rows = rows.filter(payment__deleted_flag=True)
    elif wanted.get("state") == VALID:
        rows = rows.exclude(payment__deleted_flag=True)
    text = (wanted.get("q") or "").strip()
    if not text:
        return rows
    number = re.fullmatch(r"(?:R\s*-?\s*)?0*([0-9]{1,18})", text, re.IGNORECASE | re.ASCII)
    if number:
        return rows.filter(number=int(number[1]))
    return rows.filter(Q(facts__client_name__icontains=text) | Q(facts__session_code__icontains=text))


@require_safe
def receipt_pdf(request: HttpRequest, number: int) -> HttpResponse:
    """The paper, in the client's language; of a voided payment with the mark, when and why.

    For the office, and for the artist whose appointment was paid: the client stands before them.
    """
    rows = Receipt.objects.select_related("payment__session", "issued_by")
    found = rows.filter(number=number).first() if number <= LARGEST_ID else None
    if not _is_of_own_appointment(found, request.user):
        require(request.user, Perm.PAYMENT_REGISTER)
    if found is None:
        raise NotFound
    return pdf_response(of_receipt(found), f"{found}.pdf")


def _is_of_own_appointment(receipt: Receipt | None, user: Any) -> bool:
    session = receipt.payment.session if receipt is not None and receipt.payment is not None else None
    return session is not None and session.is_appointment and allows(user, Perm.APPOINTMENT_MANAGE_OWN, session)


urlpatterns = [
    path("money/receipts/", receipt_list, name="receipt-list"),
    path("money/receipts/<int:number>/", receipt_pdf, name="receipt-pdf"),
]
