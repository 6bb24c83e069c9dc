"""The client book as people type it. Shape only; who may and what follows is the actions'."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from sessions_app.models import Client

FIELDS = (
    "full_name",
    "client_type",
    "email",
    "language",
    "primary_phone",
    "secondary_phone",
    "delivery_address",
    "notes",
    "active",
)


class ClientForm(forms.ModelForm):
    """One client. Saved by ``actions.book``, never by the form."""

    class Meta:
        model = Client
        fields = FIELDS
        widgets = {
            "full_name": forms.TextInput(attrs={"autocomplete": "off"}),
            "email": forms.EmailInput(attrs={"autocomplete": "off"}),
            "primary_phone": forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
            "secondary_phone": forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
            "delivery_address": forms.Textarea(attrs={"rows": 2, "maxlength": 1000}),
            "notes": forms.Textarea(attrs={"rows": 3, "maxlength": 4000}),
        }
        help_texts = {
            "email": _("Confirmations, reminders and the news that the material is ready go here."),
            "delivery_address": _("Where printed material goes, when it is not collected."),
            "notes": _("For the office; photographers and editors do not see them."),
            "active": _("No new sessions are opened for an inactive client."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", _("The studio's")), *self.fields["language"].choices[1:]]
        self.fields["delivery_address"].max_length = 1000
        self.fields["notes"].max_length = 4000
        if self.instance.pk is None:
            del self.fields["active"]

    def clean_primary_phone(self) -> str:
        return _phone(self.cleaned_data["primary_phone"])

    def clean_secondary_phone(self) -> str:
        return _phone(self.cleaned_data["secondary_phone"])

    def clean_delivery_address(self) -> str:
        return _short(self.cleaned_data["delivery_address"], 1000)

    def clean_notes(self) -> str:
        return _short(self.cleaned_data["notes"], 4000)

    def values(self) -> dict[str, Any]:
        """What was typed, as the model has tidied it."""
        return {name: getattr(self.instance, name) for name in self.fields}


def _phone(text: str) -> str:
    """A number that can be dialled: figures and what people put between them."""
    if text and (not re.fullmatch(r"[0-9+()\-./ x#*]+", text) or len(re.findall(r"[0-9]", text)) < 4):
        raise ValidationError(_("Write a phone number, such as 5555-0142."))
    return text


def _short(text: str, longest: int) -> str:
    if len(text) > longest:
        raise ValidationError(_("At most %(longest)d characters.") % {"longest": longest})
    return text


class ClientFilter(forms.Form):
    """What the client book is narrowed to, by its address."""

    q = forms.CharField(label=_("Name, phone or e-mail"), required=False, max_length=100)
    show = forms.ChoiceField(
        label=_("Show"),
        required=False,
        choices=[
            ("", _("Active")),
            ("risk", _("High risk")),
            ("inactive", _("Inactive")),
            ("all", _("All")),
        ],
    )


class DeleteClientForm(forms.Form):
    """Nothing to type: the page says what happens."""
