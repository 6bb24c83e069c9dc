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
# Of one kind (another hour, another day, ...), and of one other day where there are not enough.
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

    def is_less_than(self, other: "Sacrifice") -> bool:
        """The other one gives up the same and something else besides."""
        mine, theirs = (
            {name: getattr(each, name) for name in self.__slots__ if getattr(each, name)} for each in (self, other)
        )
        return len(mine) < len(theirs) and mine.items() <= theirs.items()

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

    None gives up everything that another one gives up, and something besides. Where that leaves fewer than five, more
    of a kind are taken, then more of a day, then what is nearer to each other, as far as there are any.
    """
    ranked = sorted(proposals, key=lambda each: (each.sacrifice.cost, each.at, each.key))
    chosen: list[Proposal] = []
    for place, (of_a_kind, least_apart, of_a_day) in enumerate(
        ((OF_A_KIND, apart, 1), (shown, apart, 1), (shown, apart, OF_A_DAY), (shown, 0, shown))
    ):
        enough = AT_LEAST if place else shown
        for each in ranked:
            if len(chosen) >= enough:
                break
            if each not in chosen and _differs(each, chosen, of_a_kind, least_apart, of_a_day):
                chosen.append(each)
    return sorted(chosen, key=lambda each: (each.sacrifice.cost, each.at, each.key))


def _differs(proposal: Proposal, chosen: Sequence[Proposal], of_a_kind: int, apart: int, of_a_day: int) -> bool:
    sacrifice, kind = proposal.sacrifice, proposal.sacrifice.kind
    alike = [each for each in chosen if each.sacrifice.kind == kind]
    if len(alike) >= of_a_kind:
        return False
    same_day = [each for each in alike if each.day == proposal.day]
    if kind == DAY and len(same_day) >= of_a_day:
        return False
    if any(abs(each.at - proposal.at) < apart for each in same_day):
        return False
    return not any(each.sacrifice.is_less_than(sacrifice) for each in chosen)
