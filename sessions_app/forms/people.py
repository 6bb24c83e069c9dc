"""Room, photographers, editor: choices that say who is free, and coverage as times and travel."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.availability import photographers
from scheduling.models import Room, RoomStatus
from scheduling.refusals import Taken
from scheduling.slots import Span, covering
from sessions_app import agenda, serving
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.roles import Role
from studio.templatetags.atelier import moment

if TYPE_CHECKING:
    from studio.models import User

LONGEST_TRAVEL = 12 * 60


@dataclass(frozen=True, slots=True)
class Option:
    """A room or a person, and what is in the way of having them; ``proposal`` says why they come where they come."""

    pk: int
    name: str
    in_the_way: list[Taken] = field(default_factory=list)
    now: datetime | None = None
    proposal: str = ""

    @property
    def is_free(self) -> bool:
        return not self.in_the_way

    @property
    def why(self) -> str:
        return "; ".join(in_words(row, self.now) for row in self.in_the_way[:3])

    @property
    def label(self) -> str:
        told = self.proposal if self.is_free else self.why
        return f"{self.name} — {told}" if told else self.name


@dataclass(frozen=True, slots=True)
class Offer:
    """Who and what there is for a span; without a span nobody is known to be busy."""

    rooms: list[Option]
    people: list[Option]
    is_dated: bool


def offer(
    span: Span | None,
    exclude_session_id: int | None = None,
    keep_room: Room | None = None,
    *,
    now: datetime | None = None,
    outside: bool = False,
) -> Offer:
    """Rooms and photographers with what is in their way, in at most four queries: free ones first, the best before.

    ``now`` tells a hold that has expired from one that goes on; ``outside`` says that it is not in the house.
    """
    if span is None:
        rooms = [Option(room.pk, room.name) for room in Room.objects.filter(status=RoomStatus.ACTIVE)]
        return Offer(_kept(rooms, keep_room), [Option(each.pk, each.full_name) for each in photographers()], False)
    first, last = (each.astimezone(STUDIO.zone).date() for each in (span.start, span.end))
    there = agenda.load(first, last, exclude_session_id=exclude_session_id)
    people_taken, rooms_taken = there.looks(span, span)
    people = [
        Option(each.pk, each.name, now=now, proposal=serving.load_of(each, span.start))
        for each in there.suggestions(span, outside=outside)
    ]
    people += [
        Option(each.pk, each.name, people_taken[each.pk].taken, now) for each in there.people if each.pk in people_taken
    ]
    rooms = [
        Option(each.pk, each.name, rooms_taken[each.pk].taken if each.pk in rooms_taken else [], now)
        for each in there.rooms
        if each.is_in_use
    ]
    return Offer(_kept(sorted(rooms, key=lambda option: not option.is_free), keep_room), people, True)


def _kept(rooms: list[Option], room: Room | None) -> list[Option]:
    """The room that the session has stays a choice when it is out of use by now."""
    if room is None or any(option.pk == room.pk for option in rooms):
        return rooms
    return [Option(room.pk, room.name), *rooms]


def in_words(row: Taken, now: datetime | None = None) -> str:
    """``S-2026-0412 14:00–16:30, held until 27 Nov 23:59``: what is in the way, for somebody of the office."""
    text = f"{row.what()} {date_format(row.starts_at, 'H:i')}–{date_format(row.ends_at, 'H:i')}"
    until = row.held_until
    if until is None:
        return text
    if now is not None and until <= now:
        return _("%(taken)s, its hold expired on %(when)s") % {"taken": text, "when": moment(until)}
    return _("%(taken)s, held until %(when)s") % {"taken": text, "when": moment(until)}


def grouped(options: Iterable[Option], *, is_dated: bool, empty: str) -> list[tuple[Any, Any]]:
    """The choices of a select: free ones, then busy ones with the reason."""
    options = list(options)
    if not is_dated:
        return [("", empty), *((option.pk, option.name) for option in options)]
    free = [(option.pk, option.label) for option in options if option.is_free]
    busy = [(option.pk, option.label) for option in options if not option.is_free]
    groups = [(_("Free"), free), (_("Taken at that time"), busy)]
    return [("", empty), *((label, choices) for label, choices in groups if choices)]


def clock(label: Any, *, required: bool = True, help_text: Any = "") -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=required,
        help_text=help_text,
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
        input_formats=["%H:%M", "%H:%M:%S"],
    )


def travel(label: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=0,
        max_value=LONGEST_TRAVEL,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "step": 5, "placeholder": "0"}),
    )


class RoomForm(forms.Form):
    """Every room is a valid choice: one that is not in use is refused by the act, with its reason."""

    room = forms.ModelChoiceField(label=gettext_lazy("Room"), queryset=Room.objects.all(), required=False)

    def __init__(self, *args: Any, session: Session, offered: Offer, **kwargs: Any) -> None:
        self.session = session
        super().__init__(*args, auto_id="room_%s", **kwargs)
        empty = _("No room: give it back") if session.room_id else _("No room yet")
        self.fields["room"].choices = grouped(offered.rooms, is_dated=offered.is_dated, empty=empty)

    def clean_room(self) -> Room | None:
        if self.cleaned_data["room"] is None and self.session.room_id is None:
            raise forms.ValidationError(_("Choose a room."))
        return self.cleaned_data["room"]


class CoverageForm(forms.Form):
    """From when to when somebody is there, and the travel around it (business rules 3.2, 10.2)."""

    coverage_start_time = clock(gettext_lazy("Arrives"), required=False)
    coverage_end_time = clock(gettext_lazy("Leaves"), required=False)
    travel_before = travel(gettext_lazy("Travel before"))
    travel_after = travel(gettext_lazy("Travel after"))

    def __init__(self, *args: Any, session: Session, **kwargs: Any) -> None:
        self.session = session
        super().__init__(*args, **kwargs)
        if not session.is_external:
            del self.fields["travel_before"], self.fields["travel_after"]
        whole = _("Empty: for the whole session, %(start)s to %(end)s.") % {
            "start": f"{session.start_time:%H:%M}",
            "end": f"{session.end_time:%H:%M}",
        }
        self.fields["coverage_start_time"].help_text = whole

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if not self.errors:
            try:
                values["coverage"] = covering(
                    self.session.span,
                    values.get("coverage_start_time"),
                    values.get("coverage_end_time"),
                    timedelta(minutes=values.get("travel_before") or 0),
                    timedelta(minutes=values.get("travel_after") or 0),
                )
            except (ValueError, OverflowError):
                self.add_error("coverage_end_time", _("They would leave before they arrive."))
        return values


class AssignForm(CoverageForm):
    photographer = forms.ModelChoiceField(label=gettext_lazy("Photographer"), queryset=None)
    lead = forms.BooleanField(label=gettext_lazy("Leads the shoot"), required=False)
    notes = forms.CharField(
        label=gettext_lazy("Note for them"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )

    field_order = ("photographer", "coverage_start_time", "coverage_end_time", "travel_before", "travel_after")

    def __init__(self, *args: Any, session: Session, people: list[Option], **kwargs: Any) -> None:
        super().__init__(*args, session=session, auto_id="assign_%s", **kwargs)
        field = self.fields["photographer"]
        field.queryset = photographers()
        field.choices = grouped(people, is_dated=True, empty=_("Choose…"))


class ReassignForm(forms.Form):
    photographer = forms.ModelChoiceField(label=gettext_lazy("Who comes instead"), queryset=None)

    def __init__(self, *args: Any, people: list[Option], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["photographer"]
        field.queryset = photographers()
        field.choices = grouped(people, is_dated=True, empty=_("Choose…"))


class EditorForm(forms.Form):
    editor = forms.ModelChoiceField(label=gettext_lazy("Editor"), queryset=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["editor"].queryset = editors()


class Nothing(forms.Form):
    """An act that needs no words."""


def editors() -> QuerySet["User"]:
    people = get_user_model().objects.filter(is_active=True, groups__name=Role.EDITOR)
    return people.order_by("full_name", "id")
