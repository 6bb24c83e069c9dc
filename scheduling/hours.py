"""The hours of the studio in the database (``scheduling.opening`` says what they mean)."""

from collections import defaultdict
from datetime import date
from typing import Any, TypeVar

from django.db.models import DateField, F, IntegerField, TextField, Value
from django.db.models.functions import Cast

from scheduling.models import OpeningException, OpeningHours
from scheduling.opening import Hours, Interval

Key = TypeVar("Key", int, date)
ABSENT: Any = Value(None)


def load(first: date, last: date) -> Hours:
    """The hours of every week, and the exceptional days from ``first`` to ``last``, in one query."""
    weekly: dict[int, list[Interval]] = defaultdict(list)
    exceptions: dict[date, list[Interval]] = defaultdict(list)
    notes: dict[date, str] = {}
    for weekday, day, opens, closes, note in _rows(first, last):
        if day is None:
            weekly[weekday].append(Interval(opens, closes))
            continue
        hours = exceptions[day]
        if opens is not None:
            hours.append(Interval(opens, closes))
        notes[day] = notes.get(day) or note
    return Hours(_frozen(weekly), _frozen(exceptions), notes)


def _rows(first: date, last: date) -> Any:
    weeks = OpeningHours.objects.values_list(
        "weekday", Cast(ABSENT, DateField()), "opens", "closes", Value("", TextField())
    )
    days = OpeningException.objects.filter(day__range=(first, last)).values_list(
        Cast(ABSENT, IntegerField()), F("day"), "opens", "closes", "note"
    )
    return weeks.order_by().union(days.order_by(), all=True)


def _frozen(found: dict[Key, list[Interval]]) -> dict[Key, tuple[Interval, ...]]:
    return {key: tuple(sorted(each)) for key, each in found.items()}
