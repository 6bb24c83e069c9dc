"""In which order free people are proposed, and why: pure (business rules 3.2, 10.2).

First who gets there in time from what they do before, and away in time to what they do after; then who has had the
least to do this month; then by name. The reasons are figures, put into words where they are shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from scheduling.search import Neighbour


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Somebody who is free. ``sessions`` and ``work`` (what they take) are those of the month."""

    pk: int
    name: str
    sessions: int = 0
    work: timedelta = timedelta()
    # Minutes to and from what they do before and after, where these are too few for the way.
    short_before: timedelta | None = None
    short_after: timedelta | None = None

    @property
    def gets_there(self) -> bool:
        return self.short_before is None and self.short_after is None


def order(people: Iterable[Suggestion], *, wished: Iterable[int] = ()) -> list[Suggestion]:
    """The best first; whoever the client wishes for, in the order of the wishes, before everybody else."""
    rank = {pk: place for place, pk in enumerate(wished)}
    return sorted(
        people,
        key=lambda each: (rank.get(each.pk, len(rank)), not each.gets_there, each.work, each.name.casefold(), each.pk),
    )


def short(neighbour: Neighbour | None, *, outside: bool, travel: int, between: int) -> int | None:
    """The ticks between two sessions where they are fewer than the way takes; None where they are enough.

    Two sessions in the house have no way between them. ``travel`` is part of the coverage already, as the neighbour's
    own way is of theirs; ``between`` is what a way takes.
    """
    if neighbour is None or not (outside or neighbour.outside):
        return None
    needed = between - (travel if outside else 0) - neighbour.way
    return neighbour.gap if neighbour.gap < needed else None
