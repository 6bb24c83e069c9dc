"""Sittings in a row: the plan by which they are laid out, and each as it was moved or dropped. Shape only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.slots import Span
from sessions_app.actions.appoint import LONGEST_SERIES, SERIES_TITLE
from sessions_app.forms.appointments import BookForm, day_field, span_of
from sessions_app.forms.people import clock
from studio.errors import InvalidInput, StudioError

DAYS, WEEKS = "days", "weeks"


@dataclass(slots=True)
class Sitting:
    """One row of the plan: what was typed, and what is wrong with it or has to be known."""

    number: int
    day: str
    start: str
    is_kept: bool = True
    span: Span | None = None
    error: StudioError | None = None
    # Of the opening hours.
    outside: str = ""


class SeriesForm(BookForm):
    """The first sitting, how often it is repeated, and the same price for each."""

    every = forms.IntegerField(
        label=gettext_lazy("Every"),
        min_value=1,
        max_value=365,
        initial=2,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    unit = forms.ChoiceField(
        label=gettext_lazy("Weeks or days"),
        choices=[(WEEKS, gettext_lazy("weeks")), (DAYS, gettext_lazy("days"))],
        initial=WEEKS,
    )
    count = forms.IntegerField(
        label=gettext_lazy("Sittings"),
        min_value=1,
        max_value=LONGEST_SERIES,
        initial=6,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["session_date"].label = _("First date")
        self.fields["price"].label = _("Price of each sitting")
        title = self.fields["event_description"]
        # Its validator was made for the other length.
        title.validators = [MaxLengthValidator(SERIES_TITLE)]
        title.widget.attrs["maxlength"] = SERIES_TITLE
        title.help_text = _("Each is numbered: “Sleeve 1/6”.")

    def laid_out(self) -> list[Sitting]:
        """The sittings by the plan, at the same time of the clock whatever the clocks do in between."""
        values = self.cleaned_data
        step = timedelta(days=values["every"] * (7 if values["unit"] == WEEKS else 1))
        days = laid_out(values["session_date"], step, values["count"])
        start = f"{values['start_time']:%H:%M}"
        found = [Sitting(number, each.isoformat(), start) for number, each in enumerate(days, start=1)]
        return self._timed(found)

    def as_sent(self) -> list[Sitting]:
        """The rows as they were moved and dropped; none when there was no plan yet."""
        return self._timed(rows_of(self.data))

    def _timed(self, rows: list[Sitting]) -> list[Sitting]:
        minutes = self.cleaned_data["duration"]
        for row in rows:
            if not row.is_kept:
                continue
            try:
                row.span = span_of(_DAY.clean(row.day), _START.clean(row.start), minutes)
            except forms.ValidationError as wrong:
                row.error = InvalidInput(" ".join(wrong.messages))
            except (ValueError, OverflowError):
                row.error = InvalidInput(_("This date and time do not exist in the studio's time zone."))
        return rows


def laid_out(first: date, step: timedelta, count: int) -> list[date]:
    return [first + number * step for number in range(count)]


def rows_of(sent: Mapping[str, str]) -> list[Sitting]:
    """The rows of the plan that a form brought: ``day-1``, ``start-1``, ``keep-1``."""
    found = []
    for number in range(1, LONGEST_SERIES + 1):
        if f"day-{number}" not in sent:
            break
        day, start = (str(sent.get(f"{name}-{number}", ""))[:20] for name in ("day", "start"))
        found.append(Sitting(number, day, start, is_kept=bool(sent.get(f"keep-{number}"))))
    return found


_DAY = day_field("")
_START: forms.TimeField = clock("")
