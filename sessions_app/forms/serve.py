"""What a client on the phone asks for, and what they take. Shape only."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core import signing
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import Package
from payments.money import ZERO
from scheduling.availability import photographers
from scheduling.models import Room, RoomStatus
from scheduling.slots import Span
from sessions_app.actions.serve import Chosen
from sessions_app.feasibility import Offer, Wish
from sessions_app.forms.people import LONGEST_TRAVEL, clock
from sessions_app.forms.requests import ClientForm
from sessions_app.states import SHOOTS, SessionType
from studio.conf import STUDIO
from studio.errors import InvalidInput
from studio.templatetags.atelier import duration as in_hours

MOST_PHOTOGRAPHERS = 10
FARTHEST = timedelta(days=5 * 366)
# An answer that has lain on the screen since yesterday is asked for again.
OFFER_LASTS = timedelta(hours=24)
SALT = "sessions_app.offer"

LONGEST_TEXT = 40
_HOURS = re.compile(r"(\d{1,3})(?:[.,](\d{1,2}))?\s*(?:h|hrs?|horas?|hours?)?")
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)(?:\s*(?:h|hrs?|horas?|hours?))?")
_MINUTES = re.compile(r"(\d{1,4})\s*(?:m|min|mins|minutos?|minutes?)")
_BOTH = re.compile(r"(\d{1,3})\s*(?:h|hrs?|horas?|hours?)\s*(?:y|and)?\s*(\d{1,2})\s*(?:m|min|mins|minutos?|minutes?)?")


class DurationField(forms.Field):
    """ "4", "4 h", "1,5 h", "1:30", "90 min", "2 h 30": whole minutes, up to the longest session."""

    def to_python(self, value: Any) -> timedelta | None:
        if isinstance(value, timedelta):
            return value
        text = str(value or "").strip().casefold()
        if not text:
            return None
        minutes = _minutes(text[:LONGEST_TEXT])
        if minutes is None:
            raise forms.ValidationError(_("Say how long, such as 4 h, 1:30 or 90 min."))
        if minutes <= 0:
            raise forms.ValidationError(_("A session lasts a minute at least."))
        if minutes > STUDIO.max_session_hours * 60:
            raise forms.ValidationError(
                _("A session lasts %(hours)d hours at most.") % {"hours": STUDIO.max_session_hours}
            )
        return timedelta(minutes=minutes)

    def prepare_value(self, value: Any) -> Any:
        return in_hours(value) if isinstance(value, timedelta) else value


def _minutes(text: str) -> int | None:
    if found := _HOURS.fullmatch(text):
        part = Decimal(f"0.{found[2]}") if found[2] else Decimal(0)
        return int(found[1]) * 60 + round(part * 60)
    if found := _CLOCK.fullmatch(text) or _BOTH.fullmatch(text):
        return int(found[1]) * 60 + int(found[2])
    if found := _MINUTES.fullmatch(text):
        return int(found[1])
    return None


class Known(forms.TypedMultipleChoiceField):
    """Of what is sent, what can be chosen: a package of the other type of session is no longer meant."""

    def to_python(self, value: Any) -> list[str]:
        return [each for each in super().to_python(value) if self.valid_value(each)]


class WishForm(forms.Form):
    """The question, in the address. What is not said has a sensible value."""

    session_type = forms.ChoiceField(label=gettext_lazy("Type"), choices=SHOOTS, initial=SessionType.STUDIO)
    first_day = forms.DateField(
        label=gettext_lazy("Date"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    start_time = clock(gettext_lazy("From"), required=False)
    duration = DurationField(
        label=gettext_lazy("Duration"),
        initial=timedelta(hours=1),
        widget=forms.TextInput(attrs={"list": "durations", "autocomplete": "off"}),
    )
    photographers = forms.IntegerField(
        label=gettext_lazy("Photographers"),
        min_value=1,
        max_value=MOST_PHOTOGRAPHERS,
        initial=1,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    last_day = forms.DateField(
        label=gettext_lazy("Or any day until"),
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    location = forms.CharField(label=gettext_lazy("Place"), required=False, max_length=250)
    travel = forms.IntegerField(
        label=gettext_lazy("Way there, and back"),
        required=False,
        min_value=0,
        max_value=LONGEST_TRAVEL,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "step": 5, "placeholder": "0"}),
    )
    remote = forms.BooleanField(label=gettext_lazy("Far away: with transportation"), required=False)
    packages = Known(label=gettext_lazy("Packages"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple)
    people = forms.TypedMultipleChoiceField(
        label=gettext_lazy("With these photographers"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Only if the client wishes for somebody."),
    )
    room = forms.TypedChoiceField(label=gettext_lazy("In this room"), coerce=int, empty_value=None, required=False)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        kind = self.data.get("session_type") or self.initial.get("session_type") or SessionType.STUDIO
        packages = Package.objects.sellable_for(kind).order_by("name", "id").values_list("pk", "name")
        rooms = Room.objects.exclude(status=RoomStatus.INACTIVE).order_by("name", "id").values_list("pk", "name")
        self.fields["packages"].choices = list(packages)
        self.fields["people"].choices = list(photographers().values_list("pk", "full_name"))
        self.fields["room"].choices = [("", _("Any room")), *rooms]
        self.fields["first_day"].widget.attrs["min"] = today.isoformat()

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        first, last = values.get("first_day"), values.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", _("This day comes before the first one."))
        for name in ("first_day", "last_day"):
            if values.get(name) and values[name] > self.today + FARTHEST:
                self.add_error(name, _("That is more than five years ahead."))
        return values

    def wish(self) -> Wish:
        values = self.cleaned_data
        is_external = values["session_type"] == SessionType.EXTERNAL
        return Wish(
            session_type=values["session_type"],
            first_day=values["first_day"],
            last_day=values["last_day"] or values["first_day"],
            start_time=values["start_time"],
            duration=values["duration"],
            photographers=values["photographers"],
            location=values["location"] if is_external else "",
            travel=timedelta(minutes=values["travel"] or 0) if is_external else timedelta(),
            people=tuple(values["people"]),
            room=None if is_external else values["room"],
        )

    def package_ids(self) -> tuple[int, ...]:
        return tuple(self.cleaned_data["packages"])

    def transportation_cost(self) -> Decimal:
        """The remote default (D23)."""
        values = self.cleaned_data
        far = values["remote"] and values["session_type"] == SessionType.EXTERNAL
        return STUDIO.remote_transportation_cost if far else ZERO


class TakeForm(ClientForm):
    """For whom, and which of the offers."""

    # Each button sends its own; without one there is nothing to open.
    offer = forms.CharField(widget=forms.HiddenInput, required=False, max_length=4000)
    event_description = forms.CharField(
        label=gettext_lazy("What it is"),
        required=False,
        max_length=250,
        help_text=gettext_lazy("In a word or two: the name by which everybody finds it."),
    )


@dataclass(frozen=True, slots=True)
class Question:
    """What an offer was an answer to, as far as it is written down with it."""

    wish: Wish
    package_ids: tuple[int, ...]
    transportation_cost: Decimal


def sealed(offer: Offer, question: Question) -> str:
    """An offer as a button carries it: signed, so that what comes back is what was offered."""
    wish = question.wish
    values = {
        "type": wish.session_type,
        "span": _ends(offer.span),
        "people": [[each.pk, *_ends(each.coverage)] for each in offer.people],
        "room": offer.room.pk if offer.room else None,
        "location": wish.location,
        "packages": question.package_ids,
        "transportation": str(question.transportation_cost),
    }
    return signing.dumps(values, salt=SALT, compress=True)


def opened(token: str) -> Chosen:
    """Raises ``InvalidInput`` for what is not an offer of ours, or one of yesterday."""
    try:
        values = signing.loads(token, salt=SALT, max_age=OFFER_LASTS)
    except signing.BadSignature as wrong:
        raise InvalidInput(_("This offer is no longer valid: ask once more.")) from wrong
    return Chosen(
        session_type=values["type"],
        span=_span(*values["span"]),
        people=tuple((pk, _span(start, end)) for pk, start, end in values["people"]),
        room_id=values["room"],
        location=values["location"],
        packages=tuple(values["packages"]),
        transportation_cost=Decimal(values["transportation"]),
    )


def _ends(span: Span) -> list[str]:
    return [span.start.isoformat(), span.end.isoformat()]


def _span(start: str, end: str) -> Span:
    return Span(datetime.fromisoformat(start), datetime.fromisoformat(end))
