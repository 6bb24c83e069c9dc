"""What each move asks for, by its name in the table. Shape only; the guards decide."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from payments.models import PaymentMethod
from payments.money import ZERO
from sessions_app import sentences
from sessions_app.effects import Deposit
from sessions_app.forms.money import (
    CENT,
    DayField,
    NothingToFill,
    document_field,
    method_field,
    same_document_field,
)
from sessions_app.workflow import Transition, is_of_appointments
from studio.fields import AmountField
from studio.roles import Role

# Among those who cancel: the client, by not being there.
NO_SHOW = "no_show"


class MoveForm(NothingToFill):
    """A move without fields."""

    def payload(self) -> dict[str, Any]:
        """What ``Session.move`` gets."""
        return {}


class ConfirmForm(MoveForm):
    """The deposit may come with the confirmation (D20); left empty, what was verified before has to do."""

    amount = AmountField(label=_("Deposit received"), min_value=CENT, required=False)
    method = method_field(required=False)
    document_number = document_field(required=False)
    payment_date = DayField(label=_("Date"), required=False)
    same_document = same_document_field()

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("amount") and not values.get("method") and "method" not in self.errors:
            self.add_error("method", _("Choose cash, card or transfer."))
        return values

    def payload(self) -> dict[str, Any]:
        values = self.cleaned_data
        if not values.get("amount"):
            return {}
        deposit = Deposit(
            amount=values["amount"],
            method=values["method"],
            document_number=values.get("document_number", ""),
            payment_date=values.get("payment_date"),
        )
        return {"deposit": deposit}


class CancelForm(MoveForm):
    initiator = forms.ChoiceField(
        label=_("Who cancels?"),
        choices=[(name, sentences.INITIATORS[name]) for name in ("client", "company", "force_majeure")],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The client reads it in the e-mail."),
    )

    def payload(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("initiator", "reason")}


class CompleteForm(MoveForm):
    """How the rest of an appointment is paid, at the counter (D27)."""

    method = forms.ChoiceField(label=_("How is it paid?"), choices=PaymentMethod.choices, widget=forms.RadioSelect)
    document_number = forms.CharField(
        label=_("Document number"),
        required=False,
        max_length=60,
        help_text=_("Of the voucher or the transfer. Left empty, the appointment's code stands for it."),
    )
    shown = AmountField(required=False, min_value=ZERO, widget=forms.HiddenInput)
    """What the page said is taken; another amount is not taken without being shown first."""
    same_document = same_document_field()

    def payload(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("method", "document_number")}


class CancelAppointmentForm(MoveForm):
    """Who cancels, or that the client did not come, and what becomes of an advance (D29, D40)."""

    initiator = forms.ChoiceField(
        label=_("What happened?"),
        choices=[
            ("client", _("The client cancels")),
            (NO_SHOW, _("The client did not come")),
            ("company", _("The studio cancels")),
            ("force_majeure", _("Force majeure")),
        ],
        widget=forms.RadioSelect,
    )
    no_show = forms.BooleanField(required=False, widget=forms.HiddenInput)
    """For machines, which name the client as the one who cancels beside it."""
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Stands in the history. A client who did not come needs none."),
    )
    refund = forms.TypedChoiceField(
        label=_("And the advance?"),
        required=False,
        choices=[("", _("As usual")), ("true", _("It goes back")), ("false", _("It is kept"))],
        coerce=lambda text: text == "true",
        empty_value=None,
        widget=forms.RadioSelect,
    )
    refund_note = forms.CharField(
        label=_("Why otherwise than usual"),
        required=False,
        max_length=250,
        help_text=_("Only if you choose otherwise than the table says."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("initiator") == NO_SHOW:
            values |= {"initiator": "client", "no_show": True}
        if values.get("no_show") and not values.get("reason", "").strip():
            values["reason"] = gettext("The client did not come.")
        return values

    def payload(self) -> dict[str, Any]:
        names = ("initiator", "no_show", "reason", "refund", "refund_note")
        return {name: self.cleaned_data[name] for name in names}


class ReopenForm(MoveForm):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Stands in the history."),
    )

    def payload(self) -> dict[str, Any]:
        return {"reason": self.cleaned_data["reason"]}


class TakeForAnotherForm(MoveForm):
    """An Admin says who gets it (D11)."""

    editor = forms.ModelChoiceField(
        label=_("Editor"),
        queryset=get_user_model().objects.none(),
        required=False,
        empty_label=_("Myself"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["editor"].queryset = get_user_model().objects.active().in_role(Role.EDITOR).order_by("full_name")

    def payload(self) -> dict[str, Any]:
        editor = self.cleaned_data["editor"]
        return {"editor": editor} if editor else {}


FORMS: dict[str, type[MoveForm]] = {
    "confirm": ConfirmForm,
    "cancel": CancelForm,
    "reopen": ReopenForm,
}
APPOINTMENT_FORMS: dict[str, type[MoveForm]] = {
    "complete": CompleteForm,
    "cancel": CancelAppointmentForm,
}


def form_of(row: Transition) -> type[MoveForm]:
    """What the move asks for."""
    forms_of = APPOINTMENT_FORMS if is_of_appointments(row) else FORMS
    return forms_of.get(row.name, MoveForm)
