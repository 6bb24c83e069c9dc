"""An appointment as it is changed: time, artist, price, words, and what was agreed about the commission. Shape only."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from payments.money import ZERO
from scheduling.slots import Span
from sessions_app.actions.request import When
from sessions_app.forms.people import clock
from sessions_app.models import Session
from studio.fields import AmountField
from studio.roles import Role

# What only the office decides (permissions: appointment.manage.own).
OFFICE_ONLY = ("artist", "commission")
PERCENT = Decimal(100)


class AppointmentEditForm(forms.Form):
    """``artist`` and ``commission`` are there for the office alone."""

    session_date = forms.DateField(
        label=_("Date"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}), input_formats=["%Y-%m-%d"]
    )
    start_time = clock(_("Starts"))
    end_time = clock(_("Ends"), help_text=_("Not after the start: it ends on the next day."))
    artist = forms.ModelChoiceField(label=_("Artist"), queryset=None, empty_label=None)
    event_description = forms.CharField(
        label=_("What it is"), required=False, max_length=250, help_text=_("Left empty, it is called by its client.")
    )
    price = AmountField(
        label=_("Price"), required=False, min_value=ZERO, help_text=_("Left empty, it is not agreed yet.")
    )
    special_notes = forms.CharField(
        label=_("Notes"), required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3})
    )
    commission = forms.DecimalField(
        label=_("Commission of this appointment"),
        required=False,
        min_value=0,
        max_value=100,
        max_digits=4,
        decimal_places=1,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("Left empty, the artist's own rate holds."),
    )

    def __init__(self, *args: Any, session: Session, artist_id: int, is_office: bool, **kwargs: Any) -> None:
        rate = session.commission_override
        initial = {
            "session_date": session.session_date,
            "start_time": session.start_time,
            "end_time": session.end_time,
            "artist": artist_id,
            "event_description": session.event_description,
            # As it is typed: the field takes both separators, and a bare point reads the same in every language.
            "price": "" if session.price is None else f"{session.price:.2f}",
            "special_notes": session.special_notes,
            "commission": "" if rate is None else f"{(rate * PERCENT).normalize():f}",
        }
        super().__init__(*args, initial=initial, **kwargs)
        artists = get_user_model().objects.active().in_role(Role.ARTIST)
        # Who has it keeps it, also when they are no artist any more.
        self.fields["artist"].queryset = (
            get_user_model().objects.filter(pk__in=artists.values("pk")) | get_user_model().objects.filter(pk=artist_id)
        ).order_by("full_name")
        for name in () if is_office else OFFICE_ONLY:
            del self.fields[name]

    def span(self) -> Span:
        """Raises ``InvalidInput`` beside the field for a time that is none."""
        values = self.cleaned_data
        when = When(session_date=values["session_date"], start_time=values["start_time"], end_time=values["end_time"])
        return when.span()

    def changes(self) -> dict[str, Any]:
        """What ``appoint.change`` takes. What a machine does not send stays as it is."""
        values = self.cleaned_data
        changes: dict[str, Any] = {"span": self.span()}
        for name, given in (("event_description", "title"), ("special_notes", "notes"), ("price", "price")):
            if name in self.data:
                changes[given] = values[name]
        if values.get("artist") is not None:
            changes["artist_id"] = values["artist"].pk
        if "commission" in self.fields and "commission" in self.data:
            rate = values["commission"]
            changes["commission_override"] = None if rate is None else rate / PERCENT
        return changes
