"""The filter of the session list. Shape only: what is wrong is left out of the filter and said (screens)."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from sessions_app.states import SessionType, Status

EARLIEST, LATEST = date(1990, 1, 1), date(2199, 12, 31)

WHEN = {
    "today": _("Today"),
    "week": _("This week"),
    "month": _("This month"),
    "upcoming": _("Upcoming"),
    "past": _("Past"),
}


def _day(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
    )


class SessionFilter(forms.Form):
    """``from`` and ``to`` are words of Python, so that these fields are added by name."""

    q = forms.CharField(label=_("Search"), required=False, max_length=100)
    type = forms.ChoiceField(
        label=_("Type"), required=False, choices=[("", _("All")), *SessionType.choices], widget=forms.Select
    )
    photographer = forms.ModelChoiceField(label=_("Who"), required=False, queryset=None, empty_label=_("All"))
    room = forms.ModelChoiceField(label=_("Room"), required=False, queryset=None, empty_label=_("All"))
    when = forms.ChoiceField(label=_("When"), required=False, choices=list(WHEN.items()), widget=forms.HiddenInput)
    state = forms.MultipleChoiceField(
        label=_("State"), required=False, choices=Status.choices, widget=forms.MultipleHiddenInput
    )

    def __init__(self, *args: Any, photographers: QuerySet | None, rooms: QuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["from"] = _day(_("From"))
        self.fields["to"] = _day(_("To"))
        self.fields["room"].queryset = rooms
        if photographers is None:
            del self.fields["photographer"]
        else:
            self.fields["photographer"].queryset = photographers
        self.order_fields(["q", "from", "to", "type", "photographer", "room"])
