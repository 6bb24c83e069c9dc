"""The board's filter, the quick booking of an appointment, and its move to another time. Shape only."""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.money import ZERO
from scheduling.slots import Span, instant, lasting
from sessions_app import artist_day
from sessions_app.forms.listing import EARLIEST, LATEST
from sessions_app.forms.people import clock
from sessions_app.forms.requests import ClientForm
from studio.conf import STUDIO
from studio.fields import AmountField
from studio.templatetags import atelier

if TYPE_CHECKING:
    from studio.models import User

USUAL_MINUTES = 60
# Up to here an appointment's length is chosen slot by slot, then by half hours.
FINE_MINUTES = 120
LONGEST_MINUTES = 12 * 60
ACTIVE, TENTATIVE = "active", "tentative"


def day_field(label: Any, **kwargs: Any) -> forms.DateField:
    """A day that every clock and calendar knows: with years beyond, adding an hour may overflow."""
    return forms.DateField(
        label=label,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
        **kwargs,
    )


def durations() -> list[tuple[int, str]]:
    """Minutes and words: each slot up to two hours, then every half hour (or slot, where it is longer)."""
    slot = STUDIO.appointment_slot_minutes
    coarse = max(slot, 30)
    fine = range(slot, FINE_MINUTES + 1, slot)
    rest = range(FINE_MINUTES + coarse, LONGEST_MINUTES + 1, coarse)
    return [(minutes, atelier.duration(minutes)) for minutes in (*fine, *rest)]


class BoardFilter(forms.Form):
    """``artist`` is there for those who see more than one."""

    day = day_field(gettext_lazy("Day"), required=False)
    artist = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["day"].widget.attrs["class"] = "form-control"


class BookForm(ClientForm):
    """Whose, when, for how long and how much. Only the artists for whom ``by`` books can be chosen."""

    artist = forms.ModelChoiceField(label=gettext_lazy("Artist"), queryset=None, empty_label=None)
    session_date = day_field(gettext_lazy("Date"))
    start_time = clock(gettext_lazy("Starts"))
    duration = forms.TypedChoiceField(label=gettext_lazy("Lasts"), coerce=int, initial=USUAL_MINUTES)
    event_description = forms.CharField(
        label=gettext_lazy("What it is"),
        required=False,
        max_length=250,
        help_text=gettext_lazy("Left empty, it is called by its client."),
    )
    price = AmountField(
        label=gettext_lazy("Price"),
        required=False,
        min_value=ZERO,
        help_text=gettext_lazy("Left empty, it is not agreed yet."),
    )
    special_notes = forms.CharField(
        label=gettext_lazy("Notes"), required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 2})
    )
    certainty = forms.ChoiceField(
        label=gettext_lazy("How sure is it?"),
        choices=[(ACTIVE, gettext_lazy("Confirmed")), (TENTATIVE, gettext_lazy("Tentative"))],
        initial=ACTIVE,
        required=False,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, by: "User", artists: QuerySet["User"], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["artist"].queryset = artists
        self.fields["client"].queryset = artist_day.clients_for(by)
        self.fields["duration"].choices = durations()

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("session_date") and values.get("start_time") and values.get("duration"):
            try:
                values["span"] = span_of(values["session_date"], values["start_time"], values["duration"])
            except (ValueError, OverflowError):
                self.add_error("start_time", _("This date and time do not exist in the studio's time zone."))
        return values


def span_of(day: date, start: Any, minutes: int) -> Span:
    """Raises ``ValueError`` for a local time that the clocks skip."""
    return lasting(instant(day, start), timedelta(minutes=minutes))


class MomentField(forms.CharField):
    """An instant: a local time, or one with its offset; None for an empty one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, **kwargs)

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return moment_of(text)
        except (ValueError, OverflowError) as wrong:
            raise forms.ValidationError(
                _("This date and time do not exist in the studio's time zone."), code="invalid"
            ) from wrong


class ShiftForm(forms.Form):
    """Another start, and if given another end and another artist. Local times, or with their offset."""

    start = MomentField()
    end = MomentField(required=False)
    artist = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


def moment_of(text: str) -> datetime:
    """An instant from ISO 8601, local to the studio unless it names its offset. Raises ``ValueError``."""
    found = datetime.fromisoformat(text.strip())
    if not EARLIEST <= found.date() <= LATEST:
        raise ValueError(f"{text} lies outside of every calendar")
    return instant(found.date(), found.time()) if found.tzinfo is None else found.astimezone(STUDIO.zone)
