"""What the calendar is asked for, and where something in it is to go. Shape only."""

import re
from datetime import date, datetime
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.availability import photographers
from scheduling.models import Room, StaffReservation
from scheduling.slots import Span, whole_days
from sessions_app import calendar
from sessions_app.actions.request import When
from sessions_app.actions.shift import Shift
from sessions_app.calendar import Filters
from sessions_app.forms.appointments import MomentField
from sessions_app.forms.listing import EARLIEST, LATEST
from sessions_app.forms.people import clock
from sessions_app.models import Session
from sessions_app.states import Status
from studio.conf import STUDIO
from studio.errors import InvalidInput

VIEWS = {
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "list": gettext_lazy("List"),
}
# A month with the weeks that it begins and ends in is 42 days.
LONGEST_WINDOW = 62
RESOURCE = re.compile(r"(?P<kind>[rp])-(?P<pk>[0-9]{1,18})|none")


class FilterForm(forms.Form):
    """The rooms and the people can be chosen by those who see them all."""

    room = forms.ModelChoiceField(label=gettext_lazy("Room"), queryset=None, required=False)
    person = forms.ModelChoiceField(label=gettext_lazy("Who"), queryset=None, required=False)
    state = forms.ChoiceField(label=gettext_lazy("State"), required=False)

    def __init__(self, *args: Any, sees_all: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["state"].choices = [("", _("All but canceled")), *Status.choices]
        if sees_all:
            # Whoever left may still be looked at, by the address.
            self.fields["room"].queryset = Room.objects.all()
            self.fields["room"].empty_label = _("All")
            self.fields["person"].queryset = calendar.people()
            self.fields["person"].empty_label = _("All")
        else:
            del self.fields["room"], self.fields["person"]

    def filters(self) -> Filters:
        wanted = {name: self.cleaned_data.get(name) for name in ("room", "person")}
        ids = {f"{name}_id": each.pk if each else None for name, each in wanted.items()}
        return Filters(**ids, status=self.cleaned_data.get("state") or "")


class CalendarForm(FilterForm):
    """With what is shown of which days, which are chosen beside the filter. An address may say it all."""

    view = forms.ChoiceField(choices=list(VIEWS.items()), required=False, widget=forms.HiddenInput)
    date = forms.DateField(
        label=gettext_lazy("Day"),
        required=False,
        widget=forms.HiddenInput,
        input_formats=["%Y-%m-%d"],
        validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
    )


class WindowField(forms.CharField):
    """An edge of the window: a local day, or an instant with its offset. A bare time of day could be anybody's."""

    def __init__(self, *, label: Any) -> None:
        super().__init__(label=label, max_length=40)

    def clean(self, value: Any) -> datetime:
        text = super().clean(value)
        try:
            if len(text) == len("2026-11-28"):
                found = whole_days(date.fromisoformat(text), date.fromisoformat(text)).start
            else:
                found = datetime.fromisoformat(text)
            if found.tzinfo is not None and EARLIEST <= found.date() <= LATEST:
                return found
        except (ValueError, OverflowError):
            pass
        raise forms.ValidationError(
            _("“%(text)s” is no day like 2026-11-28 and no time with its offset, like 2026-11-28T10:00-06:00.")
            % {"text": text}
        )


class FeedForm(FilterForm):
    start = WindowField(label=gettext_lazy("From"))
    end = WindowField(label=gettext_lazy("To"))

    def span(self) -> Span:
        return Span(self.cleaned_data["start"], self.cleaned_data["end"])

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        start, end = values.get("start"), values.get("end")
        if start and end:
            if end.timestamp() <= start.timestamp():
                raise forms.ValidationError(_("The end lies before the start."))
            if (end.date() - start.date()).days > LONGEST_WINDOW:
                raise forms.ValidationError(
                    _("The calendar shows %(days)d days at once: ask for fewer.") % {"days": LONGEST_WINDOW}
                )
        return values


class SeenSpanForm(forms.Form):
    """When it was on the page that is acted upon."""

    seen_start = MomentField(widget=forms.HiddenInput)
    seen_end = MomentField(widget=forms.HiddenInput)

    def seen(self) -> Span:
        return _span(self.cleaned_data["seen_start"], self.cleaned_data["seen_end"])


class DragForm(SeenSpanForm):
    """Where something was dropped. What is not sent has not changed: the exact time of it is known from ``seen``."""

    start = MomentField(required=False)
    end = MomentField(required=False)
    from_resource = forms.RegexField(RESOURCE.pattern, required=False, max_length=20)
    to_resource = forms.RegexField(RESOURCE.pattern, required=False, max_length=20)

    def shift(self) -> Shift:
        """Raises ``InvalidInput``."""
        values, seen = self.cleaned_data, self.seen()
        span = None
        if values["start"] or values["end"]:
            span = _span(values["start"] or seen.start, values["end"] or seen.end)
        return Shift(span=span, **self._resources())

    def _resources(self) -> dict[str, Any]:
        old, new = (self.cleaned_data[name] for name in ("from_resource", "to_resource"))
        if old == new or not new:
            return {}
        kind, pk = _parted(new)
        old_kind, old_pk = _parted(old or "none")
        if kind == "r" and old_kind in ("r", ""):
            return {"room_id": pk, "room_was": old_pk}
        if kind == "p" and old_kind == "p":
            return {"instead": {old_pk: pk}}
        if kind == "p" and not old_kind:
            return {"added": pk}
        if not kind:
            raise InvalidInput(_("Take the room back or somebody off on the session's own page."), field="to_resource")
        raise InvalidInput(_("A room takes the place of a room, a person that of a person."), field="to_resource")


class MoveForm(SeenSpanForm):
    """The same by keyboard and on a phone. Nothing is sent of what this person may not change now."""

    session_date = forms.DateField(
        label=gettext_lazy("Date"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        input_formats=["%Y-%m-%d"],
    )
    start_time = clock(gettext_lazy("Starts"))
    end_time = clock(gettext_lazy("Ends"), help_text=gettext_lazy("Not after the start: it ends on the next day."))
    room = forms.ModelChoiceField(label=gettext_lazy("Room"), queryset=None, required=False)
    seen_room = forms.IntegerField(required=False, widget=forms.HiddenInput)

    field_order = ("session_date", "start_time", "end_time", "room")

    def __init__(
        self,
        *args: Any,
        session: Session,
        assignments: list[StaffReservation],
        may_move: bool,
        may_give: bool,
        **kwargs: Any,
    ) -> None:
        self.session = session
        super().__init__(*args, initial=_initial(session), **kwargs)
        for name in () if may_move else ("session_date", "start_time", "end_time"):
            del self.fields[name]
        if may_give and not session.is_external:
            self.fields["room"].queryset = calendar.rooms() | Room.objects.filter(pk=session.room_id)
            self.fields["room"].empty_label = None if session.room_id else _("No room yet")
        else:
            del self.fields["room"]
        self.places: dict[str, int | None] = {}
        if may_give:
            self._ask_for_people(assignments)

    def _ask_for_people(self, assignments: list[StaffReservation]) -> None:
        """One choice for each who is on it: they stay, or somebody comes instead."""
        free = photographers()
        for row in assignments:
            name = f"person_{row.staff_id}"
            self.places[name] = row.staff_id
            others = [(each.pk, each.full_name) for each in free if each.pk != row.staff_id]
            self.fields[name] = forms.TypedChoiceField(
                label=_("Instead of %(person)s") % {"person": row.staff.full_name},
                choices=[("", _("%(person)s stays") % {"person": row.staff.full_name}), *others],
                coerce=int,
                empty_value=None,
                required=False,
            )
        if not assignments:
            self.places["person"] = None
            self.fields["person"] = forms.TypedChoiceField(
                label=_("Photographer"),
                choices=[("", _("Nobody yet")), *((each.pk, each.full_name) for each in free)],
                coerce=int,
                empty_value=None,
                required=False,
            )

    @property
    def people_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.places]

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        chosen = [values[name] for name in self.places if values.get(name) is not None]
        if len(set(chosen)) < len(chosen):
            raise forms.ValidationError(_("The same person cannot come twice."))
        return values

    def shift(self) -> Shift:
        """Raises ``InvalidInput`` for a time that does not exist."""
        chosen = {self.places[name]: self.cleaned_data[name] for name in self.places if self.cleaned_data[name]}
        room, room_was = self.cleaned_data.get("room"), self.cleaned_data["seen_room"]
        is_other = room is not None and room.pk not in (room_was, self.session.room_id)
        return Shift(
            span=self._when(),
            room_id=room.pk if is_other else None,
            room_was=room_was,
            instead={old: new for old, new in chosen.items() if old is not None},
            added=chosen.get(None),
        )

    def _when(self) -> Span | None:
        """Nothing where the time is as it was: its instants are known better than a form can say them."""
        if "session_date" not in self.fields:
            return None
        typed = [self.cleaned_data[name] for name in ("session_date", "start_time", "end_time")]
        seen = self.seen()
        start, end = seen.start.astimezone(STUDIO.zone), seen.end.astimezone(STUDIO.zone)
        as_seen = [start.date(), *(_to_the_minute(each) for each in (start, end))]
        if typed == as_seen:
            return None
        return When(session_date=typed[0], start_time=typed[1], end_time=typed[2]).span()


def _initial(session: Session) -> dict[str, Any]:
    return {
        "session_date": session.session_date,
        "start_time": session.start_time,
        "end_time": session.end_time,
        "room": session.room_id,
        "seen_start": session.starts_at.isoformat(),
        "seen_end": session.ends_at.isoformat(),
        "seen_room": session.room_id,
    }


def _to_the_minute(moment: datetime) -> Any:
    return moment.time().replace(second=0, microsecond=0)


def _parted(resource: str) -> tuple[str, int | None]:
    found = RESOURCE.fullmatch(resource)
    return (found["kind"] or "", int(found["pk"]) if found["pk"] else None) if found else ("", None)


def _span(start: datetime, end: datetime) -> Span:
    try:
        return Span(start, end)
    except ValueError as wrong:
        raise InvalidInput(_("A session ends after it starts."), field="end") from wrong
