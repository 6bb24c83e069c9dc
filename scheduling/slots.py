"""Spans of time: half open, aware, pure (D1, D2; business rules 3).

A span is ``[start, end)``: touching is no conflict. Local dates and times are turned into instants here and nowhere
else.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from studio.conf import STUDIO


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Raises ``ValueError`` for naive instants and for an end that is not after the start."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a span is made of aware instants")
        if self.duration <= timedelta():
            raise ValueError("a span ends after it starts")

    def overlaps(self, other: "Span") -> bool:
        # In UTC, as below: in the hour that the clocks repeat, wall clocks say nothing about what comes first.
        return _utc(self.start) < _utc(other.end) and _utc(other.start) < _utc(self.end)

    @property
    def duration(self) -> timedelta:
        # In UTC: the difference of two local times of one zone ignores a DST change between them.
        return _utc(self.end) - _utc(self.start)

    def widened(self, before: timedelta = timedelta(), after: timedelta = timedelta()) -> "Span":
        """With travel before and after (business rules 3.2), or a room's turnaround."""
        return Span(_plus(self.start, -before), _plus(self.end, after))


def instant(day: date, at: time, zone: ZoneInfo | None = None) -> datetime:
    """The instant of a local date and time.

    A time that a DST change skips does not exist: ``ValueError``. One that it repeats means the first of the two.
    """
    zone = zone or STUDIO.zone
    local = datetime.combine(day, at.replace(tzinfo=None, fold=0), tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(f"{day} {at} does not exist in {zone.key}: the clocks go forward over it")
    return local


def local_span(day: date, start: time, end: time, zone: ZoneInfo | None = None) -> Span:
    """From a local date and two times; an end not after the start means the next day (D2)."""
    last = day if end > start else day + timedelta(days=1)
    return Span(instant(day, start, zone), instant(last, end, zone))


def lasting(start: datetime, duration: timedelta) -> Span:
    """In hours that pass, not on the wall's clock: over a change of the clocks these differ."""
    return Span(start, _plus(start, duration))


def whole_days(first: date, last: date, zone: ZoneInfo | None = None) -> Span:
    """From the first instant of one local day to the end of another, also where the clocks change at midnight."""
    return Span(_beginning(first, zone), _beginning(last + timedelta(days=1), zone))


def as_whole_days(span: Span, zone: ZoneInfo | None = None) -> tuple[date, date] | None:
    """The first and the last local day, where a span is whole days; else None."""
    zone = zone or STUDIO.zone
    first = span.start.astimezone(zone).date()
    last = (_utc(span.end) - timedelta(microseconds=1)).astimezone(zone).date()
    days = whole_days(first, last, zone)
    same = (_utc(days.start), _utc(days.end)) == (_utc(span.start), _utc(span.end))
    return (first, last) if same else None


def moved_with(coverage: Span, old: Span, new: Span) -> Span:
    """The coverage of somebody whose session moves: what they come earlier and leave later stays as it was."""
    before = _utc(old.start) - _utc(coverage.start)
    after = _utc(coverage.end) - _utc(old.end)
    start, end = _plus(new.start, -before), _plus(new.end, after)
    # Somebody who covered a part of a long session may be left with nothing of a shorter one: then they cover all of
    # it.
    return Span(start, end) if _utc(start) < _utc(end) else new


def covering(
    session: Span,
    arrives: time | None = None,
    leaves: time | None = None,
    before: timedelta = timedelta(),
    after: timedelta = timedelta(),
    zone: ZoneInfo | None = None,
) -> Span:
    """The coverage of somebody who is at ``session`` from one local time to another, with travel around it.

    Without a time they come at its start and stay to its end. A time belongs to the local day on which it lies within
    the session, or else nearest to it (D2). Raises ``ValueError`` when they would leave before they arrive, and for a
    local time that does not exist.
    """
    zone = zone or STUDIO.zone
    start = session.start if arrives is None else _nearest(session.start, arrives, session, zone)
    end = session.end if leaves is None else _nearest(session.end, leaves, session, zone)
    return Span(start, end).widened(before, after)


def _beginning(day: date, zone: ZoneInfo | None) -> datetime:
    # Of a midnight that is skipped, the instant of the change: by the offset before it. Of one that comes twice, the
    # first.
    zone = zone or STUDIO.zone
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC).astimezone(zone)


def _nearest(edge: datetime, at: time, session: Span, zone: ZoneInfo) -> datetime:
    day = edge.astimezone(zone).date()
    candidates = []
    for shift in (-1, 0, 1):
        with suppress(ValueError, OverflowError):
            candidates.append(instant(day + timedelta(days=shift), at, zone))
    if not candidates:
        raise ValueError(f"{at} does not exist around {day} in {zone.key}")
    return min(candidates, key=lambda one: (not session.start <= one <= session.end, abs(one - edge)))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _plus(moment: datetime, delta: timedelta) -> datetime:
    return (_utc(moment) + delta).astimezone(moment.tzinfo)
