"""What photographers and editors write down. Shape only; the rules are in the actions."""

from datetime import date, timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.editing import LONGEST_EDITING
from studio.templatetags.atelier import day

LONGEST_NOTE = 5000


class NotesForm(forms.Form):
    observations = forms.CharField(
        label=_("Observations"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("For the editor: light, favourites, what to look for."),
    )
    incidents = forms.CharField(
        label=_("Incidents"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("For coordination: delays, damages, what the client was promised."),
    )


class ObserveForm(forms.Form):
    observations = forms.CharField(
        label=_("Observations"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 8}),
    )


class DeliveryForm(forms.Form):
    """Another delivery date: one of the next ones with a tap, any other by date, or a number of days by a machine."""

    editing_days = forms.IntegerField(
        label=_("New delivery date"),
        required=False,
        min_value=1,
        max_value=LONGEST_EDITING,
        widget=forms.RadioSelect,
    )
    delivery_date = forms.DateField(
        label=_("Another date"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    note = forms.CharField(
        label=_("Why it moves"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Kept with your observations; the client reads only the new date."),
    )

    def __init__(self, *args: object, session_date: date, present_days: int, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.session_date = session_date
        later = [present_days + more for more in (1, 2, 3, 5, 7) if present_days + more <= LONGEST_EDITING]
        self.fields["editing_days"].widget.choices = [
            (days, f"{day(session_date + timedelta(days=days))} (+{days - present_days})") for days in later
        ]

    def clean(self) -> dict:
        """The date that was typed counts before the one that was tapped."""
        values = super().clean()
        chosen = values.get("delivery_date")
        if chosen is not None:
            values["editing_days"] = (chosen - self.session_date).days
        elif values.get("editing_days") is None and not self.errors:
            self.add_error("editing_days", _("Choose the new date."))
        return values
