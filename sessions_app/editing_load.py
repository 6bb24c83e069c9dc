"""By when the editors can deliver: pure (business rules 2.3, 10.3; D11).

The promise is the session's date and its editing days. Whether it can be kept depends on the places that the editors
have: each may edit so many sessions at once, each session takes its place for its days, and what is shot earlier is
begun earlier.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from heapq import heapify, heapreplace


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session that an editor has still to take: from ``ready`` on, for ``days``."""

    ready: date
    days: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What the editors have before them. ``places`` is None without a limit, and 0 when nobody edits.

    ``until`` is by when each session that is in editing has to be done.
    """

    places: int | None
    until: tuple[date, ...] = ()
    waiting: tuple[Waiting, ...] = ()

    def before(self, ready: date) -> int:
        """How many sessions come before one that is shot on ``ready``: those by which its delivery is reckoned."""
        return len(self.until) + len(_first(self.waiting, ready))

    def delivers(self, ready: date, days: int, *, today: date) -> date | None:
        """The first day by which a session that is shot on ``ready`` can be done; None when nobody edits.

        What waits and is shot until ``ready`` goes first. A session in editing that is late is done today at the
        earliest.
        """
        if self.places is None:
            return ready + timedelta(days=days)
        if self.places < 1:
            return None
        until = [max(each, today) for each in self.until]
        # Somebody may have more than the limit (D11): places are free again when fewer than that are left.
        over = max(0, len(until) - self.places)
        free = sorted(until)[over:] + [today] * max(0, self.places - len(until))
        heapify(free)
        for each in _first(self.waiting, ready):
            heapreplace(free, max(free[0], each.ready) + timedelta(days=each.days))
        return max(free[0], ready) + timedelta(days=days)


def _first(waiting: Iterable[Waiting], ready: date) -> list[Waiting]:
    return sorted((each for each in waiting if each.ready <= ready), key=lambda each: (each.ready, each.days))
