"""When the studio is open: pure (business rules 3; the hours are advice, a booking outside them is not refused).

Hours are said on the wall's clock and become instants day by day. Of a time that the clocks repeat the first one
counts, as everywhere (``slots.instant``). A time that they skip is the instant of the change: who opens at 2:30 when
the clocks go from 2 to 3 opens at 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scheduling.slots import Span
from studio.conf import STUDIO

MIDNIGHT = time(0)
SECOND = timedelta(seconds=1)


class Interval(NamedTuple):
    """Local times of one day. It closes after it opens; midnight is the end of the day."""

    opens: time
    closes: time

    @property
    def goes_forward(self) -> bool:
        return self.closes > self.opens or self.closes == MIDNIGHT

    def meets(self, other: "Interval") -> bool:
        """They have time in common; touching is none."""
        return _starts_before(self, other) and _starts_before(other, self)


ALL_DAY = (Interval(MIDNIGHT, MIDNIGHT),)


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of every week, and the days that differ from them.

    ``weekly`` by ``date.weekday()``: a weekday that is not in it is closed, unless nothing is in it at all. A day of
    ``exceptions`` has these hours instead; with none, it is closed. ``notes`` say why such a day differs.
    """

    weekly: Mapping[int, tuple[Interval, ...]] = field(default_factory=dict)
    exceptions: Mapping[date, tuple[Interval, ...]] = field(default_factory=dict)
    notes: Mapping[date, str] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Somebody has said when the studio is open. Otherwise nothing is outside."""
        return bool(self.weekly or self.exceptions)

    def of(self, day: date) -> tuple[Interval, ...]:
        """The local hours of a day, in their order; none when it is closed."""
        if day in self.exceptions:
            return tuple(sorted(self.exceptions[day]))
        if not self.weekly:
            return ALL_DAY
        return tuple(sorted(self.weekly.get(day.weekday(), ())))

    def spans(self, day: date, zone: ZoneInfo | None = None) -> list[Span]:
        """The hours of a local day as instants (in UTC), in their order; those that touch are one."""
        zone = zone or STUDIO.zone
        edges = [(_instant(day, each.opens, zone), _closing(day, each.closes, zone)) for each in self.of(day)]
        return _joined([edge for edge in edges if edge[0] < edge[1]])

    def outside(self, span: Span, zone: ZoneInfo | None = None) -> bool:
        """Some of the span lies outside the hours, the night between two days that are open around it included."""
        if not self.is_known:
            return False
        start, end = span.start.astimezone(UTC), span.end.astimezone(UTC)
        return not any(each.start <= start and end <= each.end for each in self.between(*days_of(span, zone), zone))

    def between(self, first: date, last: date, zone: ZoneInfo | None = None) -> list[Span]:
        """All open time of some days as instants; what is open over a midnight between them is one."""
        days = (first + timedelta(days=count) for count in range((last - first).days + 1))
        return _joined([(each.start, each.end) for day in days for each in self.spans(day, zone)])


def days_of(span: Span, zone: ZoneInfo | None = None) -> tuple[date, date]:
    """The first and the last local day of which the span has something."""
    zone = zone or STUDIO.zone
    end = span.end.astimezone(UTC) - timedelta.resolution
    return span.start.astimezone(zone).date(), end.astimezone(zone).date()


def _starts_before(one: Interval, other: Interval) -> bool:
    return other.closes == MIDNIGHT or one.opens < other.closes


def _joined(edges: list[tuple[datetime, datetime]]) -> list[Span]:
    joined: list[tuple[datetime, datetime]] = []
    for start, end in sorted(edges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return [Span(start, end) for start, end in joined]


def _closing(day: date, closes: time, zone: ZoneInfo) -> datetime:
    if closes != MIDNIGHT:
        return _instant(day, closes, zone)
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return _instant(day + timedelta(days=1), MIDNIGHT, zone)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """In UTC; of a time that the clocks skip, when they change."""
    local = datetime.combine(day, at.replace(tzinfo=None, fold=0), tzinfo=zone)
    late = local.astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return late
    early = local.replace(fold=1).astimezone(UTC)  # by the offset after the change, so before it
    before = early.astimezone(zone).utcoffset()
    while late - early > SECOND:
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
