""" "Can we serve this client?": one answer while the client is on the phone (business rules 3; screens).

Nothing here decides by itself what is free: the spans are those that ``booking`` would reserve, what is in their way
is refused with the words of ``scheduling.refusals``, the date rule is the workflow's. So an offer is accepted and a
refusal is repeated by the act that follows, as long as nobody else was quicker.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import partial

from django.utils.translation import gettext as _

from scheduling import hours
from scheduling.availability import held_for_room
from scheduling.opening import Hours, Interval
from scheduling.search import MICROSECOND, Starts, existing, starts_of_day, tick, ticks
from scheduling.slots import Span, instant, lasting
from scheduling.suggestions import Suggestion
from sessions_app import agenda, alternatives, sentences, workflow
from sessions_app.actions.request import no_such_time
from sessions_app.agenda import PERSON, ROOM, Agenda, Person, Place, Refused
from sessions_app.alternatives import Proposal, Sacrifice
from sessions_app.states import SessionType
from studio.conf import STUDIO
from studio.errors import InvalidInput, StudioError

# So many days are looked at, and so many around a wish that cannot be met.
MOST_DAYS = 60
LOOK_BACK, LOOK_AHEAD, LOOK_AHEAD_AT_LEAST = 7, 42, 14
STEP = timedelta(minutes=30)
OFFERS_SHOWN = 12
# Who comes for less than half of the session has not come.
LEAST_PART = 2
# What is proposed where nobody has said when the studio is open.
USUAL = (Interval(time(8), time(21)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the client asks for. ``start_time`` is local, None for any hour within the opening hours.

    ``travel`` is the way of everybody there and back, of an external session. ``people`` and ``room`` are wishes: these
    photographers, the first one leads, and this room.
    """

    session_type: str
    first_day: date
    last_day: date
    start_time: time | None
    duration: timedelta
    photographers: int = 1
    location: str = ""
    travel: timedelta = timedelta()
    people: tuple[int, ...] = ()
    room: int | None = None

    @property
    def is_external(self) -> bool:
        return self.session_type == SessionType.EXTERNAL

    @property
    def needs(self) -> int:
        """Photographers."""
        return max(self.photographers, len(self.people))

    @property
    def way(self) -> timedelta:
        return self.travel if self.is_external else timedelta()

    def coverage(self, span: Span) -> Span:
        """What the session takes of everybody's time (business rules 3.2)."""
        return span.widened(self.way, self.way)


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody who comes, and their coverage; ``late`` and ``early`` are what they miss of the session."""

    pk: int
    name: str
    coverage: Span
    late: timedelta = timedelta()
    early: timedelta = timedelta()

    @property
    def is_whole(self) -> bool:
        return not (self.late or self.early)


@dataclass(frozen=True, slots=True)
class Offer:
    """A time with the people and the room that are free for it. ``is_outside`` the opening hours."""

    span: Span
    people: tuple[Part, ...]
    room: Place | None
    is_outside: bool = False

    @property
    def day(self) -> date:
        return self.span.start.astimezone(STUDIO.zone).date()


@dataclass(frozen=True, slots=True)
class Alternative:
    offer: Offer
    sacrifice: Sacrifice
    # Wished people who do not come, by name.
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One time looked at closely: who is free, the best first, and why the others are not."""

    span: Span
    coverage: Span
    free: list[Suggestion]
    busy: list[tuple[Person, Refused]]
    rooms: list[Place]
    rooms_taken: list[tuple[Place, Refused]]


@dataclass(slots=True)
class Answer:
    """``offers`` meet the wish, in order of time; where there are none, ``alternatives`` come near.

    ``impossible`` is what refuses the time itself, whoever is free: it is over, or it does not exist.
    """

    wish: Wish
    now: datetime
    offers: list[Offer] = field(default_factory=list)
    offers_in_all: int = 0
    alternatives: list[Alternative] = field(default_factory=list)
    look: Look | None = None
    impossible: StudioError | None = None
    # How many photographers there are.
    staff: int = 0
    # The last day that was looked at, where the wish asks for more.
    capped_at: date | None = None
    hours: Hours = field(default_factory=Hours)

    @property
    def is_possible(self) -> bool:
        return bool(self.offers)

    @property
    def best(self) -> Offer | None:
        """What would be held by one click."""
        if self.offers:
            return self.offers[0]
        return self.alternatives[0].offer if self.alternatives else None


def answer(wish: Wish, *, now: datetime) -> Answer:
    """Whether it can be done, with whom and where, or what else; four queries.

    ``wish`` has been checked: days in order, a duration above zero and up to ``MAX_SESSION_HOURS``, people and rooms
    that there are.
    """
    return _Search(wish, now).answer()


class _Search:
    """One question under way."""

    def __init__(self, wish: Wish, now: datetime) -> None:
        self.now = now
        self.zone = STUDIO.zone
        self.today = now.astimezone(self.zone).date()
        # Of days that have passed nothing is looked at, unless all have.
        first = max(wish.first_day, self.today) if wish.last_day >= self.today else wish.first_day
        last = min(wish.last_day, first + timedelta(days=MOST_DAYS - 1))
        self.capped_at = last if last < wish.last_day else None
        self.wish = replace(wish, first_day=first, last_day=last)
        ahead = max(LOOK_AHEAD_AT_LEAST, LOOK_AHEAD - (last - first).days - 1)
        self.first = max(self.today, _sooner(first, timedelta(days=LOOK_BACK)))
        self.last = max(last, self.today) + timedelta(days=ahead)
        # A session of the last day may go on into the next one.
        self.hours = hours.load(self.first, self.last + timedelta(days=1))
        self.agenda: Agenda = agenda.load(self.first, self.last)
        self.way, self.length = ticks(self.wish.way), ticks(self.wish.duration)
        turnaround = held_for_room(Span(now, now + self.wish.duration)).duration - self.wish.duration
        self.turnaround = ticks(turnaround)
        # The starts from which all of it is within the opening hours, in ticks.
        self.usual: set[int] = set()
        self.starts = Starts.of(self._moments())
        self.person_masks = {
            each.pk: self.agenda.of(PERSON, each.pk).blocked(
                self.starts.at, before=self.way, after=self.length + self.way
            )
            for each in self.agenda.people
        }
        self.usable_rooms = [] if self.wish.is_external else [each for each in self.agenda.rooms if each.is_in_use]
        self.room_masks = {
            each.pk: self.agenda.of(ROOM, each.pk).blocked(
                self.starts.at, before=0, after=self.length + self.turnaround
            )
            for each in self.usable_rooms
        }
        self.wanted = self._wanted()
        self.wanted_set = set(self.wanted)
        # Who asks for the evening gives up nothing when another day's evening is offered.
        self.wants_odd_hours = any(self._odd_hours(index) for index in self.wanted)

    # -- the times that come into question ------------------------------------------------------------------------

    def _moments(self) -> list[datetime]:
        """Every start within the opening hours that has not passed, and the wished time of each day."""
        found = []
        days = [self.first + timedelta(days=count) for count in range((self.last - self.first).days + 1)]
        for day, open_time in zip(days, self._open_time(days), strict=True):
            begin = partial(starts_of_day, day, open_time, step=STEP, zone=self.zone)
            moments = begin(duration=self.wish.duration)
            self.usual.update(tick(moment) for moment in moments)
            if not moments:
                # Too long for the hours of the day: then it begins within them, and goes on when the studio is closed.
                moments = begin(duration=STEP)
            if self.wish.start_time is not None:
                wished = existing(day, self.wish.start_time, self.zone)
                moments += [wished] if wished is not None else []
            # Tomorrow has not passed.
            found += [moment for moment in moments if day > self.today or self._blocker(moment) is None]
        return found

    def _open_time(self, days: Sequence[date]) -> list[list[Span]]:
        """By day the hours in which something is proposed: those of the studio, or the usual ones of a day.

        Hours that go on over midnight are one stretch for both days.
        """
        hours_of = self.hours
        if not hours_of.weekly:
            usual = dict.fromkeys((*days, days[-1] + timedelta(days=1)), USUAL)
            hours_of = Hours(exceptions=usual | dict(hours_of.exceptions))
        spans = hours_of.between(days[0], days[-1] + timedelta(days=1), self.zone)
        found: list[list[Span]] = [[] for _day in days]
        for span in spans:
            first, last = (each.astimezone(self.zone).date() for each in (span.start, span.end))
            for place in range(max(0, (first - days[0]).days), min(len(days), (last - days[0]).days + 1)):
                found[place].append(span)
        return found

    def _blocker(self, moment: datetime) -> workflow.Blocker | None:
        local = moment.astimezone(self.zone)
        return workflow.date_blocker(workflow.REQUEST, local.date(), local, self.now, False)

    def _wanted(self) -> list[int]:
        """The starts that the wish names, by index."""
        wish = self.wish
        found = []
        for index, moment in enumerate(self.starts.moments):
            local = moment.astimezone(self.zone)
            in_days = wish.first_day <= local.date() <= wish.last_day
            if in_days and (wish.start_time is None or local.time() == wish.start_time):
                found.append(index)
        return found

    # -- the answer -----------------------------------------------------------------------------------------------

    def answer(self) -> Answer:
        given = Answer(self.wish, self.now, capped_at=self.capped_at, hours=self.hours, staff=len(self.agenda.people))
        possible = [index for index in self.wanted if self._meets_the_wish(index)]
        given.offers_in_all = len(possible)
        # Within the opening hours first: on Sunday only if there is no Monday.
        usual = self._spread([index for index in possible if not self._odd_hours(index)])
        odd = self._spread([index for index in possible if self._odd_hours(index)])
        given.offers = [self._offer(index) for index in [*usual, *odd][:OFFERS_SHOWN]]
        if given.offers:
            given.look = self._look(given.offers[0].span)
            if not usual:
                given.alternatives = self._alternatives(within_hours=True)
            return given
        if self.wanted:
            given.look = self._look(self._span(self._nearest_miss()))
        else:
            given.impossible = self._impossible()
        given.alternatives = self._alternatives()
        return given

    def _meets_the_wish(self, index: int) -> bool:
        free = self._free_people(index)
        if len(free) < self.wish.needs or not set(self.wish.people) <= free:
            return False
        return self.wish.is_external or self._room_for(index, only=self.wish.room) is not None

    def _spread(self, indexes: Sequence[int]) -> list[int]:
        """Not every half hour of a day: an hour apart, and one a day where many days are asked for."""
        one_a_day = self.wish.first_day != self.wish.last_day
        chosen: list[int] = []
        for index in indexes:
            if chosen:
                near = self.starts.at[index] - self.starts.at[chosen[-1]] < ticks(alternatives.APART)
                if near or (one_a_day and self._day(index) == self._day(chosen[-1])):
                    continue
            chosen.append(index)
        return chosen

    def _nearest_miss(self) -> int:
        """Of the wished times, the one at which the least is missing."""

        def missing(index: int) -> tuple[int, int]:
            free = self._free_people(index)
            short = max(0, self.wish.needs - len(free)) + len(set(self.wish.people) - free)
            no_room = not self.wish.is_external and self._room_for(index, only=self.wish.room) is None
            return short + no_room, index

        return min(self.wanted, key=missing)

    def _impossible(self) -> StudioError:
        """Why none of the wished times is one at which a session could start."""
        at = self.wish.start_time
        for count in range((self.wish.last_day - self.wish.first_day).days + 1):
            day = self.wish.first_day + timedelta(days=count)
            try:
                moment = instant(day, at or time(23, 59), self.zone)
            except (ValueError, OverflowError):
                return no_such_time()
            blocker = self._blocker(moment)
            if blocker is not None:
                return sentences.error_of(blocker)
        if self.wish.first_day == self.today and self.hours.of(self.today):
            return InvalidInput(_("Nothing is left of this day."), field="first_day", details={"failed": ["over"]})
        return InvalidInput(_("The studio is closed on these days."), field="first_day", details={"failed": ["closed"]})

    # -- one start ------------------------------------------------------------------------------------------------

    def _free_people(self, index: int) -> set[int]:
        return {pk for pk, mask in self.person_masks.items() if not mask >> index & 1}

    def _room_for(self, index: int, *, only: int | None = None) -> Place | None:
        for room in self.usable_rooms:
            if (only is None or room.pk == only) and not self.room_masks[room.pk] >> index & 1:
                return room
        return None

    def _span(self, index: int) -> Span:
        return lasting(self.starts.moments[index], self.wish.duration)

    def _day(self, index: int) -> date:
        return self.starts.moments[index].astimezone(self.zone).date()

    def _offer(self, index: int, *, parts: Sequence[Part] = (), fewer: int = 0) -> Offer:
        """With the wished people as far as they are free, then those who are proposed first."""
        span = self._span(index)
        coverage = self.wish.coverage(span)
        ranked = self.agenda.suggestions(
            coverage, outside=self.wish.is_external, travel=self.wish.way, wished=self.wish.people
        )
        whole = [Part(each.pk, each.name, coverage) for each in ranked[: self.wish.needs - len(parts) - fewer]]
        room = None
        if not self.wish.is_external:
            wished = self._room_for(index, only=self.wish.room) if self.wish.room is not None else None
            room = wished or self._room_for(index)
        return Offer(span, (*whole, *parts), room, self.hours.outside(span, self.zone))

    def _look(self, span: Span) -> Look:
        coverage = self.wish.coverage(span)
        people, rooms = self.agenda.looks(span, coverage)
        free = self.agenda.suggestions(
            coverage, outside=self.wish.is_external, travel=self.wish.way, wished=self.wish.people
        )
        shown = [] if self.wish.is_external else self.agenda.rooms
        return Look(
            span=span,
            coverage=coverage,
            free=free,
            busy=[(each, people[each.pk]) for each in self.agenda.people if each.pk in people],
            rooms=[each for each in shown if each.pk not in rooms],
            rooms_taken=[(each, rooms[each.pk]) for each in shown if each.pk in rooms],
        )

    # -- what comes near ------------------------------------------------------------------------------------------

    def _alternatives(self, *, within_hours: bool = False) -> list[Alternative]:
        """At least five, where there are as many, in the order of what the client gives up."""
        if not self.agenda.people:
            return []
        made = {}
        proposals = []
        for index in range(len(self.starts)):
            if within_hours and self._odd_hours(index):
                continue
            for sacrifice, make in self._possible_at(index):
                key = len(made)
                made[key] = (sacrifice, make)
                proposals.append(Proposal(key, self._day(index), self.starts.at[index], sacrifice))
        chosen = alternatives.select(proposals, apart=ticks(alternatives.APART))
        return [self._alternative(*made[each.key]) for each in chosen]

    def _alternative(self, sacrifice: Sacrifice, make: "partial[Offer]") -> Alternative:
        offer = make()
        there = {each.pk for each in offer.people}
        names = {each.pk: each.name for each in self.agenda.people}
        without = [names[pk] for pk in self.wish.people if pk in names and pk not in there]
        return Alternative(offer, sacrifice, tuple(without))

    def _possible_at(self, index: int) -> Iterable[tuple[Sacrifice, "partial[Offer]"]]:
        room = None if self.wish.is_external else self._room_for(index)
        if not self.wish.is_external and room is None:
            return
        free = self._free_people(index)
        wanted = index in self.wanted_set
        lost_room = self.wish.room is not None and self._room_for(index, only=self.wish.room) is None
        lost_people = len(set(self.wish.people) - free)
        # Nobody has more photographers than there are: that is given up everywhere.
        reach = min(self.wish.needs, len(self.agenda.people))
        if len(free) >= reach:
            days, shift = self._away(index)
            odd = self._odd_hours(index) and not self.wants_odd_hours
            missing = self.wish.needs - reach
            sacrifice = Sacrifice(
                days=days, shift=shift, replaced=lost_people, other_room=lost_room, odd_hours=odd, missing=missing
            )
            if sacrifice != Sacrifice():
                yield sacrifice, partial(self._offer, index, fewer=missing)
        elif wanted and free:
            missing = self.wish.needs - len(free)
            # A wished person who only comes for a part of it, or not at all, is counted as that and not as replaced.
            lost = max(0, lost_people - missing)
            base = Sacrifice(replaced=lost, other_room=lost_room)
            yield replace(base, missing=missing), partial(self._offer, index, fewer=missing)
            parts = self._parts(index, free)[:missing]
            if parts:
                absent = sum((each.late + each.early for each in parts), timedelta())
                rest = missing - len(parts)
                yield (
                    replace(base, missing=rest, parts=len(parts), absent=absent),
                    partial(self._offer, index, parts=parts, fewer=rest),
                )

    def _away(self, index: int) -> tuple[int, timedelta]:
        """Days and time of the day between a start and what was wished for."""
        wish, local = self.wish, self.starts.moments[index].astimezone(self.zone)
        nearest = min(max(local.date(), wish.first_day), wish.last_day)
        days = (local.date() - nearest).days
        if wish.start_time is None:
            return days, timedelta()
        wall = datetime.combine(local.date(), local.time()) - datetime.combine(local.date(), wish.start_time)
        return days, wall

    def _odd_hours(self, index: int) -> bool:
        return self.starts.at[index] not in self.usual and self.hours.outside(self._span(index), self.zone)

    def _parts(self, index: int, free: set[int]) -> list[Part]:
        """Those who are there for more than half of the session, from when they are free or until they have to go."""
        span = self._span(index)
        coverage = self.wish.coverage(span)
        start, end = tick(coverage.start), tick(coverage.end)
        found = []
        for person in self.agenda.people:
            if person.pk in free:
                continue
            taken = self.agenda.of(PERSON, person.pk).in_the_way(start, end)
            # Before the first thing that is in the way, and after the last.
            for begin, finish in ((start, taken[0][0]), (taken[-1][1], end)):
                part = self._part(person, coverage, begin, finish)
                if part is not None:
                    found.append(part)
        return sorted(found, key=lambda each: (each.late + each.early, each.pk not in self.wish.people, each.name))

    def _part(self, person: Person, coverage: Span, begin: int, finish: int) -> Part | None:
        """From when somebody is free, with the way, rounded to five minutes; None for less than half of the session."""
        start, end = tick(coverage.start), tick(coverage.end)
        five = ticks(timedelta(minutes=5))
        late = max(0, -(-(begin - start) // five) * five)
        early = max(0, -(-(end - finish) // five) * five)
        if (late and early) or not (late or early) or self.length - late - early < self.length // LEAST_PART:
            return None
        missed_before, missed_after = late * MICROSECOND, early * MICROSECOND
        stays = coverage.widened(-missed_before, -missed_after)
        return Part(person.pk, person.name, stays, missed_before, missed_after)


def _sooner(day: date, by: timedelta) -> date:
    return date.min if day - date.min < by else day - by
