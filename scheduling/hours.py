"""The hours of the studio in the database: reading them, and what an Admin does to them (permissions: system.settings).

``scheduling.opening`` says what they mean. They are advice: what is booked outside them stays booked.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connection
from django.db.models import DateField, F, IntegerField, TextField, Value
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from scheduling.models import OpeningException, OpeningHours, Weekday
from scheduling.opening import Hours, Interval
from studio import audit
from studio.access import require
from studio.conf import STUDIO
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm
from studio.templatetags.atelier import day as day_in_words

if TYPE_CHECKING:
    from studio.models import User

# Declared at once, and how far ahead.
MOST_DAYS = 62
AHEAD = timedelta(days=3 * 366)

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


def set_week(week: Mapping[int, Sequence[Interval]], *, by: "User") -> None:
    """These are the hours of every week from now on; a weekday without any is closed, and no hours at all are unknown.

    Raises ``AccessDenied``; ``InvalidInput`` for hours that go backward or overlap, naming the weekday.
    """
    with audit.act():
        require(by, Perm.SYSTEM_SETTINGS)
        for weekday in sorted(week):
            _refuse_impossible(
                week[weekday], field=f"weekday_{weekday}", of=str(Weekday(weekday).label), weekday=weekday
            )
        _take_turns(OpeningHours)
        before = _written(_weekly(OpeningHours.objects.values_list("weekday", "opens", "closes")))
        OpeningHours.objects.all().delete()
        OpeningHours.objects.bulk_create(
            OpeningHours(weekday=weekday, opens=each.opens, closes=each.closes)
            for weekday in sorted(week)
            for each in week[weekday]
        )
        after = _written({weekday: tuple(sorted(found)) for weekday, found in week.items() if found})
        if after != before:
            audit.record("opening_hours_changed", by=by, before=before, after=after)


def declare(
    first: date, last: date, *, hours: Sequence[Interval] = (), note: str = "", by: "User", now: datetime
) -> None:
    """Each of these days has other hours than its weekday, or without any is closed. What was said of it is replaced.

    Raises ``AccessDenied``; ``InvalidInput`` for days that are over, more than 62 of them or more than three years
    ahead, for hours that go backward or overlap.
    """
    with audit.act():
        require(by, Perm.SYSTEM_SETTINGS)
        today = now.astimezone(STUDIO.zone).date()
        if first < today:
            raise InvalidInput(_("This day is over: choose today or later."), field="first_day")
        if last < first:
            raise InvalidInput(_("It ends before it begins."), field="last_day")
        if last - today > AHEAD:
            raise InvalidInput(_("That is more than three years ahead."), field="last_day")
        if (last - first).days >= MOST_DAYS:
            raise InvalidInput(_("At most %(days)d days at once.") % {"days": MOST_DAYS}, field="last_day")
        _refuse_impossible(hours, field="opens", of=day_in_words(first))
        days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
        _take_turns(OpeningException)
        OpeningException.objects.filter(day__range=(first, last)).delete()
        OpeningException.objects.bulk_create(
            OpeningException(day=each, opens=opens, closes=closes, note=note.strip())
            for each in days
            for opens, closes in (sorted(hours) or [(None, None)])
        )
        facts = {"first_day": first, "last_day": last, "hours": _listed(hours), "note": note.strip()}
        audit.record("opening_day_declared", by=by, **facts)


def take_out(first: date, last: date, *, by: "User", now: datetime) -> None:
    """These days have the hours of their weekdays again.

    Raises ``AccessDenied``, ``NotFound`` where nothing was said of them, ``InvalidInput`` for days that are over.
    """
    with audit.act():
        require(by, Perm.SYSTEM_SETTINGS)
        if first < now.astimezone(STUDIO.zone).date():
            raise InvalidInput(_("This day is over: choose today or later."), field="first_day")
        _take_turns(OpeningException)
        gone, _by_model = OpeningException.objects.filter(day__range=(first, last)).delete()
        if not gone:
            raise NotFound
        audit.record("opening_day_taken_out", by=by, first_day=first, last_day=last)


def _refuse_impossible(hours: Iterable[Interval], *, field: str, of: str, **details: int) -> None:
    """Hours of one day that go backward, or have time in common."""
    for each in hours:
        if not each.goes_forward:
            text = _("%(day)s: %(hours)s goes backward.") % {"day": of, "hours": _as_words(each)}
            raise InvalidInput(text, field=field, details={"failed": ["goes_backward"], **details})
    for one, other in pairwise(sorted(hours)):
        if one.meets(other):
            words = {"day": of, "one": _as_words(one), "other": _as_words(other)}
            text = _("%(day)s: %(one)s and %(other)s overlap.") % words
            raise InvalidInput(text, field=field, details={"failed": ["overlap"], **details})


def _as_words(each: Interval) -> str:
    return _("%(start)s to %(end)s") % {"start": f"{each.opens:%H:%M}", "end": f"{each.closes:%H:%M}"}


def _take_turns(model: type[OpeningHours | OpeningException]) -> None:
    """Two who replace rows of one table at once would both write theirs: the second one waits. Readers do not."""
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {model._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")


def _weekly(rows: Iterable[tuple[int, Any, Any]]) -> dict[int, tuple[Interval, ...]]:
    weekly: dict[int, list[Interval]] = defaultdict(list)
    for weekday, opens, closes in rows:
        weekly[weekday].append(Interval(opens, closes))
    return _frozen(weekly)


def _written(week: Mapping[int, Iterable[Interval]]) -> dict[str, list[str]]:
    """For the audit log: ``{"MONDAY": ["08:00-12:00"]}``."""
    return {Weekday(weekday).name: _listed(week[weekday]) for weekday in sorted(week)}


def _listed(hours: Iterable[Interval]) -> list[str]:
    return [f"{each.opens:%H:%M}-{each.closes:%H:%M}" for each in sorted(hours)]
