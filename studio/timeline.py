"""A day as a picture: rooms and people beneath each other, what takes them from left to right.

Pure: values in, coordinates out. `components/day.html` draws them; nothing is measured in the browser and no style
is written into the page (strict CSP).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LEFT = 76
RIGHT = 34
LANE = 35
TOP = 22
WIDTH = 830
# Letters of 11 pixels are about this wide; longer labels are cut.
LETTER = 6


@dataclass(frozen=True)
class Taken:
    """A stretch of time of one lane, half open. `css` is the class of a state ("s-confirmed"), with "held" for time
    that is only kept, or "off" for time off and closures."""

    starts: datetime
    ends: datetime
    label: str
    css: str = ""
    url: str = ""


@dataclass(frozen=True)
class Lane:
    """A room or a person, with what takes it."""

    label: str
    taken: Sequence[Taken] = ()


@dataclass(frozen=True)
class Tick:
    x: int
    label: str


@dataclass(frozen=True)
class Block:
    """What is drawn of a `Taken`: cut to the day, with its words cut to its width."""

    x: int
    y: int
    width: int
    height: int
    text_x: int
    text_y: int
    label: str
    short: str
    hours: str
    css: str
    url: str


@dataclass(frozen=True)
class DrawnLane:
    label: str
    y: int
    text_y: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class DayPicture:
    width: int
    height: int
    ticks: tuple[Tick, ...] = field(default=())
    lanes: tuple[DrawnLane, ...] = field(default=())
    now_x: int | None = None


def draw(
    lanes: Iterable[Lane],
    *,
    day: date,
    zone: ZoneInfo,
    now: datetime | None = None,
    first_hour: int = 8,
    last_hour: int = 20,
) -> DayPicture:
    """The picture of `day` in `zone`.

    Shows from `first_hour` to `last_hour`, and more when something of that day lies outside of them. What
    began the day before or goes on into the next is cut at midnight. Positions follow the clock on the wall:
    on a day on which it is changed, an hour may be missing or be drawn twice as full.
    """
    lanes = tuple(lanes)
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    next_midnight = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)

    def hour_of(moment: datetime) -> float:
        if moment <= midnight:
            return 0.0
        if moment >= next_midnight:
            return 24.0
        local = moment.astimezone(zone)
        return local.hour + local.minute / 60

    shown = [
        (lane, [each for each in lane.taken if each.starts < next_midnight and each.ends > midnight]) for lane in lanes
    ]
    # Time off and closures last whole days; they do not stretch the picture.
    working = [each for _lane, taken in shown for each in taken if "off" not in each.css.split()]
    first = min([first_hour, *(int(hour_of(each.starts)) for each in working)])
    last = max([last_hour, *(-int(-hour_of(each.ends) // 1) for each in working)])
    scale = (WIDTH - LEFT - RIGHT) / (last - first)

    # Whole units, because templates write fractions in the reader's language: "76,5" is not a coordinate.
    def x_of(hour: float) -> int:
        return round(LEFT + (min(max(hour, first), last) - first) * scale)

    step = 1 if last - first <= 14 else 2
    drawn = []
    for index, (lane, taken) in enumerate(shown):
        y = TOP + index * LANE
        blocks = []
        for each in sorted(taken, key=lambda one: one.starts):
            x, end = x_of(hour_of(each.starts)), x_of(hour_of(each.ends))
            width = max(end - x, 3)
            blocks.append(
                Block(
                    x=x,
                    y=y + 4,
                    width=width,
                    height=LANE - 8,
                    text_x=x + 7,
                    text_y=y + 21,
                    label=each.label,
                    short=shortened(each.label, width - 12),
                    hours=_hours(each, midnight, next_midnight, zone),
                    css=each.css,
                    url=each.url,
                )
            )
        drawn.append(DrawnLane(shortened(lane.label, LEFT - 8), y, y + 21, tuple(blocks)))
    is_today = now is not None and midnight <= now < next_midnight
    now_hour = hour_of(now) if is_today and now is not None else None
    return DayPicture(
        width=WIDTH,
        height=TOP + LANE * len(drawn) + 4,
        ticks=tuple(Tick(x_of(hour), f"{hour}:00") for hour in range(first, last + 1, step)),
        lanes=tuple(drawn),
        now_x=x_of(now_hour) if now_hour is not None and first <= now_hour <= last else None,
    )


def shortened(text: str, width: float) -> str:
    """`text` cut to so many pixels, with an ellipsis; nothing when not even three letters fit."""
    room = int(width // LETTER)
    if len(text) <= room:
        return text
    return f"{text[: room - 1].rstrip()}…" if room >= 4 else ""


def _hours(each: Taken, midnight: datetime, next_midnight: datetime, zone: ZoneInfo) -> str:
    starts = "0:00" if each.starts <= midnight else f"{each.starts.astimezone(zone):%H:%M}"
    ends = "24:00" if each.ends >= next_midnight else f"{each.ends.astimezone(zone):%H:%M}"
    return f"{starts}–{ends}"
