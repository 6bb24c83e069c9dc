"""What is most like a wish that cannot be met: pure.

Everything that differs from the wish is something that the client gives up, and has a price of its own, in points that
mean nothing but an order: an hour less than a person, a person less than a day. What costs the least is proposed
first, without proposing the same thing over and over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# How many are shown, and how many of them at least where there are as many.
SHOWN, AT_LEAST = 8, 5
# Starts of one day that are nearer to each other than this are one proposal.
APART = timedelta(minutes=60)
# Of one kind (another hour, another day, ...), and of one other day.
OF_A_KIND, OF_A_DAY = 3, 2

HOUR, ROOM, PERSON, PART, FEWER, DAY = "hour", "room", "person", "part", "fewer", "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sacrifice:
    """What the client gives up. ``days`` and ``shift`` are signed: later is more.

    ``replaced`` wished people of whom somebody else comes instead; ``missing`` photographers who do not come;
    ``absent`` the time that photographers miss of the session, of ``parts`` of them.
    """

    days: int = 0
    shift: timedelta = timedelta()
    replaced: int = 0
    other_room: bool = False
    missing: int = 0
    parts: int = 0
    absent: timedelta = timedelta()
    # Outside of the opening hours, where the wish was inside: somebody of the studio gives that up.
    odd_hours: bool = False

    @property
    def cost(self) -> float:
        minutes = abs(self.shift) / timedelta(minutes=1)
        cost = 0.0
        if minutes:
            cost += 10 + minutes / 15
        if self.other_room:
            cost += 8
        cost += 12 * self.replaced
        cost += 25 * self.parts + self.absent / timedelta(minutes=10)
        cost += 60 * self.missing
        cost += _days(abs(self.days))
        # An hour earlier or a day before is no better than later, but asks more of a client who has planned.
        if self.days < 0:
            cost += 4
        if self.odd_hours:
            cost += 20
        return cost

    @property
    def kind(self) -> str:
        """What it is in the first place."""
        if self.days:
            return DAY
        if self.missing:
            return FEWER
        if self.parts:
            return PART
        if self.shift:
            return HOUR
        if self.replaced:
            return PERSON
        return ROOM


def _days(days: int) -> float:
    """Each day asks more; the same weekday of another week asks less than a day beside it."""
    if not days:
        return 0
    by_day = 30 + 6 * days
    return min(by_day, 38 + 4 * (days // 7)) if days % 7 == 0 else by_day


@dataclass(frozen=True, slots=True)
class Proposal:
    """One that could be shown. ``key`` is whose it is; ``at`` its start in ticks of the search."""

    key: int
    day: date
    at: int
    sacrifice: Sacrifice


def select(proposals: Iterable[Proposal], *, apart: int, shown: int = SHOWN) -> list[Proposal]:
    """The cheapest ones that differ from each other, in their order; ``apart`` are the ticks of ``APART``.

    Where that leaves fewer than five, the cheapest of the rest fill up.
    """
    ranked = sorted(proposals, key=lambda each: (each.sacrifice.cost, each.at, each.key))
    chosen: list[Proposal] = []
    rest: list[Proposal] = []
    for each in ranked:
        if len(chosen) == shown:
            break
        (chosen if _differs(each, chosen, apart) else rest).append(each)
    if len(chosen) < AT_LEAST:
        chosen += rest[: AT_LEAST - len(chosen)]
    return sorted(chosen, key=lambda each: (each.sacrifice.cost, each.at, each.key))


def _differs(proposal: Proposal, chosen: Sequence[Proposal], apart: int) -> bool:
    kind = proposal.sacrifice.kind
    alike = [each for each in chosen if each.sacrifice.kind == kind]
    if len(alike) >= OF_A_KIND:
        return False
    same_day = [each for each in alike if each.day == proposal.day]
    return len(same_day) < (OF_A_DAY if kind == DAY else OF_A_KIND) and all(
        abs(each.at - proposal.at) >= apart for each in same_day
    )
