"""Many at once: threads that wait at a line, each with its own connection, and are released together.

``RACE_ROUNDS`` and ``RACE_WIDTH`` in the environment set how often and how many: 20 rounds of 32. `python3 run.py
races` sets ``RACE_ALL`` and runs that many of every race. In the whole suite room, photographer and overlapping spans
are raced in full, and the others less often, to fit into two and a half minutes on two cores: ``HALF`` where the losers
lose early, ``FEWER`` where all do the whole work. The variants with one guard only are few everywhere (``ONE_GUARD``).
A race that its control does not show proves nothing: a control is tried ``TRIES`` times, until it shows.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from django.db import connection

from studio.errors import StudioError

ROUNDS = int(os.environ.get("RACE_ROUNDS", "20"))
WIDTH = int(os.environ.get("RACE_WIDTH", "32"))
ALL = os.environ.get("RACE_ALL") == "1"
HALF = ROUNDS if ALL else max(1, ROUNDS // 2)
FEWER = ROUNDS if ALL else max(1, ROUNDS // 6)
ONE_GUARD = max(1, ROUNDS // 7)
TRIES = 20

Act = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one act: its value, or what it raised, and how long it took from the release."""

    value: Any
    error: Exception | None
    seconds: float

    @property
    def won(self) -> bool:
        return self.error is None

    @property
    def code(self) -> str:
        """The code of a typed error; for any other one the class, which no person should ever meet."""
        if self.error is None:
            return ""
        return self.error.code if isinstance(self.error, StudioError) else type(self.error).__name__


class Crowd:
    """``width`` threads that live for the whole test, so that a round begins with open connections."""

    def __init__(self, width: int = WIDTH) -> None:
        self.width = width
        self.deadlock_timeout = ""
        self._line = threading.Barrier(width)
        self._acts: list[SimpleQueue[Act | None]] = [SimpleQueue() for _ in range(width)]
        self._outcomes: SimpleQueue[tuple[int, Outcome]] = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, args=(place,), daemon=True) for place in range(width)]
        for thread in self._threads:
            thread.start()

    def race(self, acts: Sequence[Act]) -> list[Outcome]:
        """Do all of ``acts`` at once, one in each thread; their outcomes in the same order."""
        assert len(acts) == self.width, f"{len(acts)} acts for {self.width} threads"
        for queue, act in zip(self._acts, acts, strict=True):
            queue.put(act)
        found = dict(self._outcomes.get(timeout=120) for _ in acts)
        return [found[place] for place in range(self.width)]

    def close(self) -> None:
        for queue in self._acts:
            queue.put(None)
        for thread in self._threads:
            thread.join(timeout=30)

    def _run(self, place: int) -> None:
        try:
            while (act := self._acts[place].get()) is not None:
                self._outcomes.put((place, self._at_the_line(act)))
        finally:
            connection.close()

    def _at_the_line(self, act: Act) -> Outcome:
        begun = time.perf_counter()
        try:
            self._make_ready()
            self._line.wait(timeout=60)
            begun = time.perf_counter()
            value = act()
        except Exception as error:
            return Outcome(None, error, time.perf_counter() - begun)
        return Outcome(value, None, time.perf_counter() - begun)

    def _make_ready(self) -> None:
        with connection.cursor() as cursor:
            # A lock that is never let go of has to fail the test, not to hang it.
            cursor.execute("SET statement_timeout = '60s'")
            if self.deadlock_timeout:
                cursor.execute(f"SET deadlock_timeout = '{self.deadlock_timeout}'")


@dataclass
class Tally:
    """One line of the table: counts over all rounds of one race. ``shown`` is the line itself, as plain texts."""

    name: str
    rounds: int = 0
    width: int = 0
    winners: int = 0
    losers: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    worst: float = 0.0
    shown: dict[str, str] = field(default_factory=dict)

    def add(self, outcomes: Sequence[Outcome], broken: int = 0, won: int | None = None) -> None:
        """``broken`` counts what this round must not have left behind: double bookings, second refunds.

        ``won`` is given where an act may end well without having done anything, as a job does.
        """
        self.rounds += 1
        self.width = len(outcomes)
        self.winners += len(winners(outcomes)) if won is None else won
        self.losers.update(outcome.code for outcome in outcomes if not outcome.won)
        self.broken += broken
        self.worst = max(self.worst, *(outcome.seconds for outcome in outcomes))
        self.shown |= {
            "race": self.name,
            "rounds": str(self.rounds),
            "width": str(self.width),
            "winners": str(self.winners),
            "broken": str(self.broken),
            "worst wait": f"{self.worst:.2f} s",
            "losers": ", ".join(f"{code} {count}" for code, count in sorted(self.losers.items())) or "-",
        }


def assert_typed(outcomes: Sequence[Outcome], *codes: str) -> None:
    """Every loser was told why, in one of these codes: never an error of the database."""
    for outcome in outcomes:
        if not outcome.won and outcome.code not in codes:
            raise AssertionError(f"a loser got {outcome.code} instead of {codes}") from outcome.error


def untyped(outcomes: Sequence[Outcome]) -> int:
    """How many got an error that is not the studio's own."""
    return sum(not outcome.won and not isinstance(outcome.error, StudioError) for outcome in outcomes)


def show(attempt: Callable[[], int]) -> None:
    """Try a control until it shows its race: ``attempt`` is one round and returns what it broke."""
    for _ in range(TRIES):
        if attempt():
            return
    raise AssertionError("Without its guard the race does not show: it would not show a missing guard either.")


def turned(acts: list[Act], number: int) -> list[Act]:
    """The same acts with another one in front: threads do not all start at quite the same moment."""
    number %= len(acts)
    return acts[number:] + acts[:number]


def winners(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.won]
