"""The agenda of a busy studio, day by day: who is where, when, and how far each session has come. Pure.

Each day is laid out by dice of its own, so that the same size, day and seed always give the same agenda: what they
show depends on the words that they are made from alone. A day has three parts; in each of them a person and a room are
at one place at most, with time for the way between them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple, Protocol, TypeVar

from sessions_app import workflow

Thing = TypeVar("Thing")

DAYS_AHEAD = 60
AHEAD = 0.6
"""At most this share of a small data set lies ahead; of a large one it is the days above."""

A_DAY = 1.2
"""Sessions a day for each photographer: 24 for twenty."""
WEEK = (0.9, 0.9, 1.0, 1.0, 1.2, 1.5, 0.5)
"""Of them from Monday to Sunday."""

# Starts and lengths in minutes of the local day. The longest of a part ends an hour and a half before the next begins.
PARTS = (((480, 510, 540), 0.3), ((780, 810, 840), 0.35), ((1080, 1110), 0.35))
LENGTHS = (60, 90, 120, 150)
PARTY = 360
"""An evening that goes on until after midnight."""
TRAVEL = 45
"""Before and after a session elsewhere; half of what lies between two parts of a day."""

APPOINTMENTS, IN_STUDIO = 0.15, 0.6
PACKAGES = {workflow.STUDIO_SESSION: (0, 1, 2), workflow.EXTERNAL_SESSION: (3, 4)}

# Everybody is off for three days of each quarter, and each room closed for a day of every seventh week, one after the
# other.
OFF_EVERY, OFF_FOR, CLOSED_EVERY = 91, 3, 47


class Dice(Protocol):
    """As ``random.Random``."""

    def choice(self, seq: Sequence[Thing], /) -> Thing: ...

    def sample(self, population: Sequence[Thing], k: int, /) -> list[Thing]: ...

    def randrange(self, stop: int, /) -> int: ...

    def random(self) -> float: ...


class Size(NamedTuple):
    """How large a studio: every fifth photographer is an artist as well, and every fifth has an editor to work for."""

    sessions: int
    photographers: int = 20
    rooms: int = 6

    @property
    def artists(self) -> int:
        return max(1, self.photographers // 5)

    @property
    def editors(self) -> int:
        return max(1, self.photographers // 5)

    @property
    def clients(self) -> int:
        return max(1, self.sessions // 4)


class Planned(NamedTuple):
    """One session. People, rooms, packages and clients are numbers from 0 on."""

    day: date
    starts: int
    """Minutes from the local midnight; an end above 1440 is on the next day."""
    ends: int
    session_type: str
    status: str
    canceled_from: str
    """The state that it was in when it was canceled, else nothing."""
    package: int
    room: int | None
    lead: int | None
    second: int | None
    travel: int
    editor: int | None
    client: int
    turn: int
    """From 0 to 9999: by it the small things differ."""


@dataclass(frozen=True)
class Agenda:
    """``changes_days`` before a session its people and room are settled (business rules 2.2)."""

    size: Size
    today: date
    seed: int
    changes_days: int
    dice: Callable[[str], Dice]

    def latest_first(self) -> Iterator[Planned]:
        """As many as were asked for, from the last day ahead back into the past."""
        yield from reversed(self._ahead)
        left = self.size.sessions - len(self._ahead)
        day = self.today
        while left > 0:
            day -= timedelta(days=1)
            for planned in reversed(self.of_day(day)[-left:]):
                yield planned
                left -= 1

    @cached_property
    def _ahead(self) -> list[Planned]:
        most = round(self.size.sessions * AHEAD)
        found: list[Planned] = []
        for offset in range(DAYS_AHEAD + 1):
            found += self.of_day(self.today + timedelta(days=offset))
            if len(found) >= most:
                break
        return found[:most]

    def of_day(self, day: date) -> list[Planned]:
        """In the order in which they begin."""
        dice = self.dice(f"{self.seed}/{day.toordinal()}")
        wanted = 0 if is_quiet(day) else self.size.photographers * A_DAY * WEEK[day.weekday()]
        people = [each for each in range(self.size.photographers) if not is_off(each, day)]
        rooms = [each for each in range(self.size.rooms) if not is_closed(each, day)]
        found: list[Planned] = []
        for starts, share in PARTS:
            free, open_rooms = dice.sample(people, len(people)), dice.sample(rooms, len(rooms))
            for _ in range(round(wanted * share)):
                if free:
                    found.append(self._one(day, dice, starts, free, open_rooms, len(found)))
        return sorted(found, key=lambda each: each.starts)

    def _one(
        self, day: date, dice: Dice, starts: tuple[int, ...], free: list[int], rooms: list[int], place: int
    ) -> Planned:
        """The next session of a part of the day; takes its people and its room from those that are free."""
        start, length, turn = dice.choice(starts), dice.choice(LENGTHS), dice.randrange(10_000)
        kind, lead = self._kind(dice.random(), free, rooms)
        free.remove(lead)
        room = rooms.pop() if kind == workflow.STUDIO_SESSION else None
        is_away = kind == workflow.EXTERNAL_SESSION
        second = free.pop() if is_away and turn % 2 and free else None
        if is_away and start == PARTS[-1][0][-1] and turn % 3 == 0 and not _is_off_tomorrow(day, lead, second):
            length = PARTY
        status, canceled_from = self._how_far(day, kind, start + length, turn, place)
        if status in (workflow.REQUEST, workflow.NEGOTIATION) and turn % 4 == 0:
            room = lead = second = None  # asked for, and nothing held yet
        return Planned(
            day=day,
            starts=start,
            ends=start + length,
            session_type=kind,
            status=status,
            canceled_from=canceled_from,
            package=dice.choice(PACKAGES.get(kind, (0,))),
            room=room,
            lead=lead,
            second=second,
            travel=TRAVEL if is_away else 0,
            editor=place % self.size.editors
            if status in workflow.WITH_EDITOR and kind != workflow.APPOINTMENT
            else None,
            client=dice.randrange(self.size.clients),
            turn=turn,
        )

    def _kind(self, drawn: float, free: list[int], rooms: list[int]) -> tuple[str, int]:
        """What it is and who does it: an appointment wants an artist, a session in the studio a room."""
        if drawn < APPOINTMENTS:
            artist = next((each for each in free if each < self.size.artists), None)
            if artist is not None:
                return workflow.APPOINTMENT, artist
        if rooms and drawn < APPOINTMENTS + IN_STUDIO:
            return workflow.STUDIO_SESSION, free[-1]
        return workflow.EXTERNAL_SESSION, free[-1]

    def _how_far(self, day: date, kind: str, ends: int, turn: int, place: int) -> tuple[str, str]:
        """The state, and the one before it for what is canceled, as the first hour of today finds them."""
        offset = (day - self.today).days
        if kind == workflow.APPOINTMENT:
            return _appointment(offset, turn)
        if turn % 12 == 0 and not -12 < offset < self.changes_days:
            states = CANCELED_FROM if offset < 0 else CANCELED_AHEAD_FROM
            return workflow.CANCELED, states[turn // 12 % len(states)]
        if offset >= 0 or (offset == -1 and ends > 24 * 60):
            return _ahead(offset, turn, self.changes_days), ""
        if offset > -3:
            return workflow.ATTENDED, ""
        if offset > -5 and place < 5 * self.size.editors:
            return workflow.IN_EDITING, ""
        return workflow.COMPLETED if offset <= -12 else workflow.READY, ""


def _appointment(offset: int, turn: int) -> tuple[str, str]:
    if turn % 10 == 0:
        return workflow.CANCELED, workflow.ACTIVE
    if offset < 0:
        return workflow.COMPLETED, ""
    return (workflow.WAITING if turn % 8 == 1 else workflow.ACTIVE), ""


# The client thinks better of it, does not pay, asks in time, or when everything is settled.
CANCELED_FROM = (workflow.REQUEST, workflow.PRE_SCHEDULED, workflow.CONFIRMED, workflow.ASSIGNED)
CANCELED_AHEAD_FROM = (workflow.REQUEST, workflow.CONFIRMED)
NEAR = (workflow.CONFIRMED, workflow.CONFIRMED, workflow.PRE_SCHEDULED, workflow.CONFIRMED, workflow.NEGOTIATION)
FAR = (workflow.REQUEST, workflow.CONFIRMED, workflow.PRE_SCHEDULED, workflow.NEGOTIATION, workflow.REQUEST)


def _ahead(offset: int, turn: int, changes_days: int) -> str:
    """Settled when the client can no longer change it; before that, the further away the less is agreed."""
    if offset < changes_days:
        return workflow.ASSIGNED
    return (NEAR if offset < 21 else FAR)[turn % 5]


def is_quiet(day: date) -> bool:
    """Every fifth Saturday nothing takes place."""
    return day.weekday() == 5 and day.toordinal() // 7 % 5 == 0


def is_off(person: int, day: date) -> bool:
    return (day.toordinal() + person * 37) % OFF_EVERY < OFF_FOR


def _is_off_tomorrow(day: date, *people: int | None) -> bool:
    """Nobody comes home from a party after their time off has begun."""
    return any(each is not None and is_off(each, day + timedelta(days=1)) for each in people)


def is_closed(room: int, day: date) -> bool:
    return (day.toordinal() + room * 23) % CLOSED_EVERY == 0


def times_off(photographers: int, first: date, last: date) -> Iterator[tuple[int, date, date]]:
    """Who is off from which day to which, for all that begin within the days."""
    for person in range(photographers):
        begins = first + timedelta(days=-(first.toordinal() + person * 37) % OFF_EVERY)
        while begins <= last:
            yield person, begins, begins + timedelta(days=OFF_FOR - 1)
            begins += timedelta(days=OFF_EVERY)


def closures(rooms: int, first: date, last: date) -> Iterator[tuple[int, date]]:
    """Which room is closed on which day."""
    for room in range(rooms):
        day = first + timedelta(days=-(first.toordinal() + room * 23) % CLOSED_EVERY)
        while day <= last:
            yield room, day
            day += timedelta(days=CLOSED_EVERY)
