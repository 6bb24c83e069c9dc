"""Opening hours as people put them down: times of a week, and days that differ. Shape only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.models import Weekday
from scheduling.opening import Hours, Interval
from sessions_app.forms.people import clock
from sessions_app.forms.time_off import day_field

# Of a weekday: so many are shown at least, one more than there are, and never more than the most.
FEWEST, MOST = 2, 4


@dataclass(frozen=True, slots=True)
class Edge:
    """One time of a weekday, as it stands on the page."""

    bound: BoundField

    def widget(self) -> SafeString:
        return self.bound.as_widget(attrs={"class": f"form-control{' is-invalid' if self.bound.errors else ''}"})


@dataclass(frozen=True, slots=True)
class Day:
    """A weekday with its times, from and until."""

    label: str
    pairs: list[tuple[Edge, Edge]]

    @property
    def errors(self) -> list[str]:
        return [error for pair in self.pairs for edge in pair for error in edge.bound.errors]


class WeekForm(forms.Form):
    """From and until, several times a weekday; a weekday that is left empty is closed."""

    def __init__(self, *args: Any, hours: Hours, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places: dict[int, int] = {}
        for weekday in Weekday:
            known = sorted(hours.weekly.get(weekday, ()))
            # Somebody else may have changed how many there are since the form was shown.
            typed = [place + 1 for place in range(MOST) if self.data.get(_name("opens", weekday, place))]
            self.places[weekday] = min(max(FEWEST, len(known) + 1, *typed), max(MOST, len(known)))
            for place in range(self.places[weekday]):
                opens, closes = known[place] if place < len(known) else (None, None)
                values = {"day": weekday.label, "n": place + 1}
                self._add("opens", weekday, place, opens, _("%(day)s, hours %(n)d: from") % values)
                self._add("closes", weekday, place, closes, _("%(day)s, hours %(n)d: until") % values)

    def _add(self, edge: str, weekday: int, place: int, at: time | None, label: str) -> None:
        self.fields[_name(edge, weekday, place)] = clock(label, required=False)
        self.initial[_name(edge, weekday, place)] = at

    def days(self) -> Iterator[Day]:
        for weekday in Weekday:
            pairs = [
                (Edge(self[_name("opens", weekday, place)]), Edge(self[_name("closes", weekday, place)]))
                for place in range(self.places[weekday])
            ]
            yield Day(str(weekday.label), pairs)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if not any(name in self.data for name in self.fields):
            raise forms.ValidationError(_("Check what you have typed."))
        for weekday in Weekday:
            for place in range(self.places[weekday]):
                _both(self, _name("opens", weekday, place), _name("closes", weekday, place))
        return values

    def week(self) -> dict[int, list[Interval]]:
        return {
            int(weekday): [
                Interval(opens, closes)
                for place in range(self.places[weekday])
                for opens, closes in [_pair(self, _name("opens", weekday, place), _name("closes", weekday, place))]
                if opens is not None
            ]
            for weekday in Weekday
        }


class OtherDayForm(forms.Form):
    """One day or several that differ: closed, or open at other times."""

    CLOSED, OTHER = "closed", "hours"

    first_day = day_field(gettext_lazy("First day"))
    last_day = day_field(gettext_lazy("Last day"), required=False, help_text=gettext_lazy("Empty: one day."))
    kind = forms.ChoiceField(
        label=gettext_lazy("On these days"),
        choices=[(CLOSED, gettext_lazy("Closed")), (OTHER, gettext_lazy("Other hours"))],
        initial=CLOSED,
        widget=forms.RadioSelect,
    )
    opens = clock(gettext_lazy("From"), required=False)
    closes = clock(gettext_lazy("Until"), required=False)
    opens_again = clock(gettext_lazy("From"), required=False)
    closes_again = clock(gettext_lazy("Until"), required=False)
    note = forms.CharField(
        label=gettext_lazy("Why"),
        required=False,
        max_length=100,
        help_text=gettext_lazy("Such as the name of the holiday. It is said to whoever books then."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("kind") == self.OTHER and not self.errors:
            _both(self, "opens", "closes", required=True)
            _both(self, "opens_again", "closes_again")
        return values

    def hours(self) -> list[Interval]:
        if self.cleaned_data["kind"] == self.CLOSED:
            return []
        pairs = [_pair(self, "opens", "closes"), _pair(self, "opens_again", "closes_again")]
        return [Interval(opens, closes) for opens, closes in pairs if opens is not None]

    def days(self) -> tuple[date, date]:
        return self.cleaned_data["first_day"], self.cleaned_data["last_day"] or self.cleaned_data["first_day"]


class TakeOutForm(forms.Form):
    first_day = day_field("")
    last_day = day_field("")


def place_of(details: Mapping[str, Any]) -> str:
    """The field of a weekday beside which a refusal of the act is said."""
    return _name("opens", details["weekday"], 0)


def _name(edge: str, weekday: int, place: int) -> str:
    return f"{edge}_{int(weekday)}_{place}"


def _pair(form: forms.Form, opens: str, closes: str) -> tuple[Any, Any]:
    values = form.cleaned_data
    return values.get(opens), values.get(closes)


def _both(form: forms.Form, opens: str, closes: str, *, required: bool = False) -> None:
    begins, ends = _pair(form, opens, closes)
    if {opens, closes} & set(form.errors):
        return
    if isinstance(begins, time) and ends is None:
        form.add_error(closes, _("Until when?"))
    elif begins is None and (isinstance(ends, time) or required):
        form.add_error(opens, _("From when?"))
