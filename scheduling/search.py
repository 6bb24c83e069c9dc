"""Which of many possible starts are free: pure (business rules 3; D2).

A search looks at the starts of a whole season at once. Time is counted in microseconds since 1970, and the starts at
which a resource is taken are the bits of one integer: a season of half hours and everything that holds a person become
a few shifts instead of a question for each half hour.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduling.slots import Span, instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTE = 60_000_000
# Minutes of a day whose clocks do not change.
DAY = 24 * 60


def tick(moment: datetime) -> int:
    """Microseconds since 1970."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def ticks(duration: timedelta) -> int:
    return duration // MICROSECOND


@dataclass(slots=True)
class Busy:
    """What holds one resource, in order of time; nothing in it overlaps (the database sees to that)."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    outside: list[bool] = field(default_factory=list)
    """Whether it takes place out of the house."""
    is_session: list[bool] = field(default_factory=list)
    ways: list[tuple[int, int]] = field(default_factory=list)
    """The way there and the way back that are in it, in ticks."""

    def add(
        self, start: int, end: int, *, outside: bool = False, is_session: bool = True, ways: tuple[int, int] = (0, 0)
    ) -> None:
        """In order of time."""
        self.starts.append(start)
        self.ends.append(end)
        self.outside.append(outside)
        self.is_session.append(is_session)
        self.ways.append(ways)

    def is_free(self, start: int, end: int) -> bool:
        """``[start, end)``: touching is no conflict."""
        return bisect_right(self.ends, start) == bisect_left(self.starts, end)

    def in_the_way(self, start: int, end: int) -> list[tuple[int, int]]:
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        return list(zip(self.starts[first:last], self.ends[first:last], strict=True))

    def blocked(self, starts: Sequence[int], *, before: int, after: int) -> int:
        """Bit i is set where something overlaps ``[starts[i] - before, starts[i] + after)``."""
        mask = 0
        for begin, end in zip(self.starts, self.ends, strict=True):
            low = bisect_right(starts, begin - after)
            high = bisect_left(starts, end + before)
            if high > low:
                mask |= ((1 << (high - low)) - 1) << low
        return mask

    def work(self, start: int, end: int) -> tuple[int, int]:
        """How many sessions begin in ``[start, end)``, and how many ticks they take."""
        low, high = bisect_left(self.starts, start), bisect_left(self.starts, end)
        taken = [self.ends[i] - self.starts[i] for i in range(low, high) if self.is_session[i]]
        return len(taken), sum(taken)

    def neighbours(self, start: int, end: int) -> "tuple[Neighbour | None, Neighbour | None]":
        """The sessions before and after ``[start, end)``, with the ticks between."""
        before = after = None
        index = bisect_right(self.ends, start) - 1
        if index >= 0 and self.is_session[index]:
            before = Neighbour(start - self.ends[index], self.outside[index], self.ways[index][1])
        index = bisect_left(self.starts, end)
        if index < len(self.starts) and self.is_session[index]:
            after = Neighbour(self.starts[index] - end, self.outside[index], self.ways[index][0])
        return before, after


@dataclass(frozen=True, slots=True)
class Neighbour:
    """``way`` is what of the way between the two is reserved with the neighbour already."""

    gap: int
    outside: bool
    way: int = 0


@dataclass(frozen=True, slots=True)
class Starts:
    """Possible starts, in order of time; ``moments[i]`` is ``at[i]``."""

    moments: list[datetime]
    at: list[int]

    @classmethod
    def of(cls, moments: Iterable[datetime]) -> "Starts":
        by_tick = {tick(moment): moment for moment in moments}
        at = sorted(by_tick)
        return cls([by_tick[each] for each in at], at)

    def __len__(self) -> int:
        return len(self.at)


def starts_of_day(
    day: date, open_time: Iterable[Span], *, duration: timedelta, step: timedelta, zone: ZoneInfo
) -> list[datetime]:
    """The starts of a local day on the steps of its clock, such that all of ``duration`` is within ``open_time``.

    The steps are those of the wall's clock: 9:00, 9:30, also after the clocks change at night. A time that they skip is
    none, of one that they repeat it is the first.
    """
    spans = [(tick(each.start), tick(each.end)) for each in open_time]
    if not spans:
        return []
    length, minutes = ticks(duration), step // timedelta(minutes=1)
    midnight = datetime.combine(day, time(0), tzinfo=zone)
    last_minute = datetime.combine(day, time(23, 59), tzinfo=zone)
    # Without a change of the clocks the day is an addition.
    is_plain = midnight.utcoffset() == last_minute.utcoffset() == last_minute.replace(fold=1).utcoffset()
    if is_plain:
        minutes_in = _minutes_within(spans, length, tick(midnight), minutes)
        return [midnight.replace(hour=minute // 60, minute=minute % 60) for minute in minutes_in]
    found = []
    for minute in range(0, DAY, minutes):
        moment = existing(day, time(minute // 60, minute % 60), zone)
        start = None if moment is None else tick(moment)
        if start is not None and any(opens <= start and start + length <= closes for opens, closes in spans):
            found.append(moment)
    return found


def _minutes_within(spans: Iterable[tuple[int, int]], length: int, midnight: int, step: int) -> list[int]:
    """The minutes of the day from which ``length`` lies within one of the spans, on a day without a change."""
    found: set[int] = set()
    for opens, closes in spans:
        first = max(0, -(-(opens - midnight) // (step * MINUTE)) * step)
        last = min(DAY - step, (closes - length - midnight) // MINUTE)
        found.update(range(first, last + 1, step))
    return sorted(found)


def existing(day: date, at: time, zone: ZoneInfo) -> datetime | None:
    """The instant of a local time, or None where the clocks skip it."""
    try:
        return instant(day, at, zone)
    except (ValueError, OverflowError):
        return None
