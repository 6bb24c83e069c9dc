"""Time off and closures as people put them down: days, and hours where it is less than a day. Shape only."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.slots import Span, instant, whole_days
from sessions_app.actions import closure, time_off
from sessions_app.forms.people import clock

if TYPE_CHECKING:
    from studio.models import User


def day_field(label: Any, *, required: bool = True, help_text: Any = "") -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, required=required, help_text=help_text, widget=widget)


class DaysForm(forms.Form):
    """From one day to another, or hours of them: ``span``."""

    first_day = day_field(gettext_lazy("First day"))
    last_day = day_field(gettext_lazy("Last day"), required=False, help_text=gettext_lazy("Empty: one day."))
    start_time = clock(gettext_lazy("From"), required=False)
    end_time = clock(gettext_lazy("Until"), required=False, help_text=gettext_lazy("Without times it is whole days."))

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if self.errors:
            return values
        first = values["first_day"]
        last = values.get("last_day") or first
        if last < first:
            self.add_error("last_day", _("It ends before it begins."))
            return values
        try:
            days = whole_days(first, last)
            start = self._edge("start_time", first) or days.start
            end = self._edge("end_time", last) or days.end
        except OverflowError:
            self.add_error("first_day", _("This date and time do not exist in the studio's time zone."))
            return values
        if not self.errors:
            try:
                values["span"] = Span(start, end)
            except ValueError:
                self.add_error("end_time", _("It ends before it begins."))
        return values

    def _edge(self, name: str, day: date) -> datetime | None:
        at = self.cleaned_data.get(name)
        if at is None:
            return None
        try:
            return instant(day, at)
        except ValueError:
            self.add_error(name, _("This date and time do not exist in the studio's time zone."))
            return None


class TimeOffForm(DaysForm):
    """With one person alone for whom it may be put down, nobody has to be chosen."""

    person = forms.ModelChoiceField(label=gettext_lazy("Who"), queryset=None)
    notes = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Read by the person and the office only."),
    )

    field_order = ("person",)

    def __init__(self, *args: Any, by: "User", chooses: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        if chooses:
            self.fields["person"].queryset = time_off.bookable_people()
        else:
            del self.fields["person"]

    def whose(self) -> "User":
        return self.cleaned_data.get("person") or self.by


class ClosureForm(DaysForm):
    room = forms.ModelChoiceField(
        label=gettext_lazy("Room"), queryset=closure.rooms(), empty_label=gettext_lazy("Choose…")
    )
    notes = forms.CharField(
        label=gettext_lazy("Why"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Said to whoever asks for the room at that time."),
    )

    field_order = ("room",)
