"""A day in slots: what takes whose time, and where there is room (D25, D34). Pure: values in, rows out.

A day runs from local midnight to local midnight, so that it has 23 or 25 hours when the clocks change. Its rows are
the slots, cut where a reservation begins or ends within one: every reservation is covered by whole rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from scheduling.slots import Span


class Kind(StrEnum):
    FREE = "free"
    REST = "rest"
    """Nobody has it, and nothing fits: less than a slot, or less than a slot with the minutes around it."""
    BEFORE = "before"
    CORE = "core"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Held:
    """Time that is taken: ``core`` is what it is for; what ``span`` has around it are the minutes before and after.

    ``stretches``: the day is shown long enough for it. Time off of weeks does not make a day of 24 hours.
    """

    key: int
    span: Span
    core: Span
    stretches: bool = True


@dataclass(frozen=True, slots=True)
class Lane:
    """Somebody's reservations, and the minutes that an appointment of theirs holds before and after itself."""

    held: Sequence[Held] = ()
    before: timedelta = timedelta()
    after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of a lane from row ``row`` on, ``rows`` of them. ``key`` is the reservation's; None: nobody has it."""

    kind: Kind
    span: Span
    row: int
    rows: int
    key: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """``slot`` is the slot that it is of; ``is_first`` of that slot, which has ``rows`` of them."""

    span: Span
    slot: Span
    is_first: bool
    rows: int


@dataclass(frozen=True, slots=True)
class Grid:
    window: Span
    rows: list[Row]
    lanes: list[list[Cell]]


def day_span(day: date, zone: ZoneInfo) -> Span:
    """From local midnight to the next: 23, 24 or 25 hours."""
    ends = (datetime.combine(each, time.min, tzinfo=zone) for each in (day, day + timedelta(days=1)))
    return Span(*(each.astimezone(UTC) for each in ends))


def window(day: date, zone: ZoneInfo, *, begins: int, ends: int, slot: timedelta, held: Iterable[Held] = ()) -> Span:
    """What is shown of a day: from one local hour to another, by whole slots wider where something lies outside.

    Hours that make no day (20 to 9) show the whole of it.
    """
    whole = day_span(day, zone)
    if begins >= ends:
        begins, ends = 0, 24
    first = _clock(day, begins, zone) if begins < 24 else whole.start
    last = _clock(day, ends, zone) if ends < 24 else whole.end
    start, end = first, max(last, first + slot)
    for each in held:
        if each.stretches and each.span.overlaps(whole):
            start, end = min(start, _utc(each.span.start)), max(end, _utc(each.span.end))
    before, after = -(-(first - start) // slot), -(-(end - first) // slot)
    return Span(max(whole.start, first - before * slot), min(whole.end, first + after * slot))


def slots_of(shown: Span, slot: timedelta) -> list[Span]:
    """The window by slots; the last one is shorter where the day ends within it."""
    cuts, at = [], _utc(shown.start)
    while at < _utc(shown.end):
        cuts.append(Span(at, min(at + slot, _utc(shown.end))))
        at += slot
    return cuts


def grid(shown: Span, slot: timedelta, lanes: Iterable[Lane], zone: ZoneInfo) -> Grid:
    """The rows of the window, and each lane cut into cells that cover it without a gap."""
    lanes = list(lanes)
    slots = slots_of(shown, slot)
    inside = [list(_inside(lane, shown)) for lane in lanes]
    edges = {_utc(each.start) for each in slots} | {_utc(shown.end)}
    edges |= {edge for cells in inside for _kind, span, _key in cells for edge in (span.start, span.end)}
    cuts = sorted(edges)
    index = {cut: number for number, cut in enumerate(cuts)}
    rows = [
        Row(Span(start, end), each, start == each.start, index[each.end] - index[each.start])
        for each in slots
        for start, end in pairwise(cuts[index[each.start] : index[each.end] + 1])
    ]

    def cell(kind: Kind, span: Span, key: int | None = None) -> Cell:
        return Cell(kind, span, index[span.start], index[span.end] - index[span.start], key)

    drawn = []
    for lane, taken in zip(lanes, inside, strict=True):
        cells = [cell(*each) for each in taken]
        for each in slots:
            for span in _gaps(each, [span for _kind, span, _key in taken]):
                is_whole = span == each and span.duration == slot
                cells.append(cell(Kind.FREE if is_whole and fits(span, lane, zone) else Kind.REST, span))
        drawn.append(sorted(cells, key=lambda one: one.row))
    return Grid(shown, rows, drawn)


def fits(span: Span, lane: Lane, zone: ZoneInfo) -> bool:
    """Whether an appointment of this time can be booked: with the minutes around it, and by its local time.

    The hour that the clocks repeat is named only once: its second half hour cannot be written down (D2).
    """
    held = span.widened(lane.before, lane.after)
    return not span.start.astimezone(zone).fold and not any(held.overlaps(each.span) for each in lane.held)


def free_starts(shown: Span, slot: timedelta, duration: timedelta, lane: Lane, zone: ZoneInfo) -> list[datetime]:
    """When an appointment of this length may begin, slot by slot, and be over by the end of the window."""
    return [
        each.start
        for each in slots_of(shown, slot)
        if each.start + duration <= shown.end and fits(Span(each.start, each.start + duration), lane, zone)
    ]


def _inside(lane: Lane, shown: Span) -> Iterator[tuple[Kind, Span, int]]:
    """What of the lane's reservations lies in the window, as before, core and after."""
    for each in sorted(lane.held, key=lambda held: held.span.start):
        core = _cut(each.core, each.span.start, each.span.end) or each.span
        for kind, start, end in (
            (Kind.BEFORE, each.span.start, core.start),
            (Kind.CORE, core.start, core.end),
            (Kind.AFTER, core.end, each.span.end),
        ):
            piece = _cut(Span(start, end), shown.start, shown.end) if _utc(start) < _utc(end) else None
            if piece is not None:
                yield kind, piece, each.key


def _gaps(slot: Span, taken: Sequence[Span]) -> Iterator[Span]:
    """What is left of a slot; ``taken`` is in order and does not overlap."""
    at = slot.start
    for each in taken:
        if not each.overlaps(slot):
            continue
        if at < each.start:
            yield Span(at, each.start)
        at = max(at, each.end)
    if at < slot.end:
        yield Span(at, slot.end)


def _cut(span: Span, start: datetime, end: datetime) -> Span | None:
    first, last = max(_utc(span.start), _utc(start)), min(_utc(span.end), _utc(end))
    return Span(first, last) if first < last else None


def _clock(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """The instant of a local hour; one that the clocks skip is the one to which they go forward."""
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
