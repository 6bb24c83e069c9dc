"""What each move asks for, by its name in the table. Shape only; the guards decide."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

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
from studio.fields import AmountField
from studio.roles import Role


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
