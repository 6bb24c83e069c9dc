"""Amounts and payments as people type them. Shape only; what is owed and allowed is the ledger's."""

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from payments.models import PaymentMethod, PaymentType
from studio.fields import AmountField

CENT = Decimal("0.01")


class DayField(forms.DateField):
    """A date by the browser's own picker, which speaks ISO in every language."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("input_formats", ["%Y-%m-%d"])
        kwargs.setdefault("widget", forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
        super().__init__(**kwargs)


def method_field(**kwargs: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Method"), choices=[("", "—"), *PaymentMethod.choices], **kwargs)


def document_field(**kwargs: Any) -> forms.CharField:
    return forms.CharField(
        label=_("Document number"),
        max_length=60,
        help_text=_("Of the transfer, voucher or receipt."),
        **kwargs,
    )


def same_document_field() -> forms.BooleanField:
    """Ticked after the warning that the number was used; pages show it only then."""
    return forms.BooleanField(label=_("The document is right: record it all the same"), required=False)


class PaymentForm(forms.Form):
    """Money that came in."""

    amount = AmountField(label=_("Amount"), min_value=CENT)
    method = method_field()
    document_number = document_field()
    payment_date = DayField(label=_("Date"))
    notes = forms.CharField(label=_("Notes"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))
    same_document = same_document_field()


class PayOutForm(forms.Form):
    """Money that was given back."""

    method = method_field()
    document_number = document_field()
    payment_date = DayField(label=_("Date"))
    same_document = same_document_field()


class VoidForm(forms.Form):
    reason = forms.CharField(
        label=_("Why it is voided"),
        max_length=250,
        help_text=_("It stays in the list, struck through, with your name and this reason."),
    )


class NothingToFill(forms.Form):
    """An act that asks nothing."""


ALL, TO_VERIFY, OWED = "all", "to-verify", "owed"
STANDS = [
    ("", _("Any")),
    ("Pending", _("Pending")),
    ("Verified", _("Verified")),
    ("Rejected", _("Rejected")),
    ("voided", _("Voided")),
]


class PaymentFilter(forms.Form):
    """What the list of payments shows. A value that makes no sense filters nothing and says so."""

    q = forms.CharField(label=_("Client, code or document"), required=False, max_length=100)
    since = DayField(label=_("From"), required=False)
    until = DayField(label=_("Until"), required=False)
    method = forms.ChoiceField(label=_("Method"), required=False, choices=[("", _("Any")), *PaymentMethod.choices])
    kind = forms.ChoiceField(label=_("Type"), required=False, choices=[("", _("Any")), *PaymentType.choices])
    status = forms.ChoiceField(label=_("Status"), required=False, choices=STANDS)
    tab = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)

    def clean_tab(self) -> str:
        tab = self.cleaned_data["tab"]
        return tab if tab in (ALL, TO_VERIFY, OWED) else ""

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        since: date | None = values.get("since")
        until: date | None = values.get("until")
        if since and until and since > until:
            self.add_error("until", _("This is before the first day."))
        return values

    @property
    def is_filtered(self) -> bool:
        return any(self.cleaned_data.get(name) for name in self.fields if name != "tab")
