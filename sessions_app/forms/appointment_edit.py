"""An appointment as it is changed: time, artist, price, words, and what was agreed about the commission. Shape only."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from payments.money import ZERO
from scheduling.slots import Span
from sessions_app import sentences
from sessions_app.actions import appoint
from sessions_app.actions.request import When
from sessions_app.forms.people import clock
from sessions_app.forms.seen import SeenForm
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import InvalidInput
from studio.fields import AmountField
from studio.roles import Role

# What only the office decides (permissions: appointment.manage.own).
OFFICE_ONLY = ("artist", "commission")
# Only together do they say when it is.
TIME = ("session_date", "start_time", "end_time")
PERCENT = Decimal(100)


class AppointmentEditForm(SeenForm):
    """``artist`` and ``commission`` are there for the office alone.

    Of words, price, artist and commission whoever changed it last has it. A time that somebody else changed meanwhile
    is said, for half of theirs and half of this one would be a time that nobody meant.
    """

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
        self.session = session
        self.changed: set[str] = set()
        rate = session.commission_override
        initial = {
            # As it is shown, to the minute.
            "session_date": f"{session.session_date:%Y-%m-%d}",
            "start_time": f"{session.start_time:%H:%M}",
            "end_time": f"{session.end_time:%H:%M}",
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

    def as_seen(self, name: str) -> Any:
        """A machine that does not say what it saw is taken to have seen what is saved."""
        seen = super().as_seen(name)
        return self.initial[name] if seen is None else seen

    def clean(self) -> dict[str, Any]:
        """What they left as they saw it becomes what is saved now, here and where the form comes back."""
        values = super().clean()
        self.changed = {
            name for name, value in values.items() if self.is_sent(name) and not self.is_untouched(name, value)
        }
        was_moved = any(self.as_seen(name) != self.initial[name] for name in TIME)
        self.data = self.data.copy()
        for name in values.keys() - self.changed:
            if self.is_sent(name):
                self.data[name] = self.initial[name]
            if name in TIME:
                values[name] = self.fields[name].clean(self.initial[name])
        is_another = any(values.get(name) != self.fields[name].clean(self.initial[name]) for name in TIME)
        if was_moved and is_another and self.changed.intersection(TIME):
            when = sentences.local(self.session.starts_at)
            self.add_error(
                "start_time", gettext("Somebody moved it meanwhile, to %(when)s: check the time.") % {"when": when}
            )
        return values

    def span(self) -> Span:
        """Raises ``InvalidInput`` beside the field for a time that is none."""
        typed = When(**{name: self.cleaned_data[name] for name in TIME}).span()
        if self.cleaned_data["end_time"] <= self.cleaned_data["start_time"]:
            appoint.refuse_slip(typed)
        saved = self.session.span
        try:
            return Span(_as_saved(typed.start, saved.start), _as_saved(typed.end, saved.end))
        except ValueError as wrong:
            raise InvalidInput(gettext("An appointment ends after it starts."), field="end_time") from wrong

    def changes(self) -> dict[str, Any]:
        """What ``appoint.change`` takes: only what they changed. What a machine does not send stays as it is."""
        values = self.cleaned_data
        changes: dict[str, Any] = {}
        if self.changed.intersection(TIME):
            changes["span"] = self.span()
        for name, given in (("event_description", "title"), ("special_notes", "notes"), ("price", "price")):
            if name in self.changed:
                changes[given] = values[name]
        if "artist" in self.changed:
            changes["artist_id"] = values["artist"].pk
        if "commission" in self.changed:
            rate = values["commission"]
            changes["commission_override"] = None if rate is None else rate / PERCENT
        return changes


def _as_saved(typed: datetime, saved: datetime) -> datetime:
    """What is saved where it reads the same: seconds, and the second pass of a repeated hour, are not shown."""
    both = (each.astimezone(STUDIO.zone).replace(second=0, microsecond=0, tzinfo=None) for each in (typed, saved))
    return saved if len(set(both)) == 1 else typed
