"""Who and what there is for a span of days, and when each is taken: a query for feasibility and suggestions.

Three questions to the database however many days, people and rooms: what there is, what holds it, and, for the one
span that is looked at closely, by whom.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    CharField,
    F,
    Func,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce

from scheduling.availability import held_for_room, photographers
from scheduling.booking import CONFLICTS_NAMED
from scheduling.models import Begins, Ends, Room, RoomReservation, RoomStatus, StaffReservation
from scheduling.refusals import Taken, person_refusal, room_refusal
from scheduling.search import MICROSECOND, Busy, tick, ticks
from scheduling.slots import Span, whole_days
from scheduling.suggestions import Suggestion, order, short
from sessions_app import workflow
from studio.conf import STUDIO
from studio.errors import StudioError

PERSON, ROOM = "person", "room"
NOBODY = Busy()
EARLIEST, LATEST = date(2, 1, 1), date(9998, 12, 31)


class Ticks(Func):
    """Microseconds since 1970, as ``scheduling.search.tick`` counts them."""

    template = "(EXTRACT(EPOCH FROM %(expressions)s) * 1000000)::bigint"
    output_field = BigIntegerField()


@dataclass(frozen=True, slots=True)
class Person:
    pk: int
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """A room."""

    pk: int
    name: str
    code: str
    status: str

    @property
    def is_in_use(self) -> bool:
        return self.status == RoomStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Refused:
    """What booking would say, and what is in the way, by name for the office."""

    error: StudioError
    taken: list[Taken]


@dataclass(slots=True)
class Agenda:
    """Photographers and rooms by name, and what holds them."""

    people: list[Person]
    rooms: list[Place]
    busy: dict[tuple[str, int], Busy] = field(default_factory=dict)
    exclude_session_id: int | None = None
    _work: dict[tuple[int, date], tuple[int, int]] = field(default_factory=dict)

    def of(self, kind: str, pk: int) -> Busy:
        return self.busy.get((kind, pk), NOBODY)

    def suggestions(
        self, coverage: Span, *, outside: bool, travel: timedelta = timedelta(), wished: Iterable[int] = ()
    ) -> list[Suggestion]:
        """Those who are free for the whole coverage, the best first."""
        start, end = tick(coverage.start), tick(coverage.end)
        found = []
        for person in self.people:
            busy = self.of(PERSON, person.pk)
            if busy.is_free(start, end):
                found.append(self._suggestion(person, busy, coverage, outside=outside, travel=ticks(travel)))
        return order(found, wished=wished)

    def _suggestion(self, person: Person, busy: Busy, coverage: Span, *, outside: bool, travel: int) -> Suggestion:
        before, after = busy.neighbours(tick(coverage.start), tick(coverage.end))
        between = ticks(timedelta(minutes=STUDIO.travel_minutes))
        gaps = [short(each, outside=outside, travel=travel, between=between) for each in (before, after)]
        sessions, work = self._work_of(person.pk, busy, coverage.start.astimezone(STUDIO.zone).date().replace(day=1))
        return Suggestion(
            pk=person.pk,
            name=person.name,
            sessions=sessions,
            work=work * MICROSECOND,
            short_before=None if gaps[0] is None else gaps[0] * MICROSECOND,
            short_after=None if gaps[1] is None else gaps[1] * MICROSECOND,
        )

    def _work_of(self, pk: int, busy: Busy, month: date) -> tuple[int, int]:
        known = self._work.get((pk, month))
        if known is None:
            span = months(month, month)
            known = self._work[pk, month] = busy.work(tick(span.start), tick(span.end))
        return known

    def looks(self, span: Span, coverage: Span) -> "tuple[dict[int, Refused], dict[int, Refused]]":
        """Whom and what one cannot have for a session of this span: what booking would say, by person and room."""
        held = held_for_room(span)
        widest = Span(min(coverage.start, held.start, key=tick), max(coverage.end, held.end, key=tick))
        taken: dict[tuple[str, int], list[Taken]] = {}
        for kind, pk, each in self._taken(widest):
            if Span(each.starts_at, each.ends_at).overlaps(coverage if kind == PERSON else held):
                taken.setdefault((kind, pk), []).append(each)
        people, rooms = {}, {}
        for each in self.people:
            found = taken.get((PERSON, each.pk), [])
            refusal = person_refusal(pk=each.pk, name=each.name, taken=found[:CONFLICTS_NAMED])
            if refusal is not None:
                people[each.pk] = Refused(refusal, found)
        for each in self.rooms:
            found = taken.get((ROOM, each.pk), [])
            refusal = room_refusal(code=each.code, name=each.name, status=each.status, taken=found[:CONFLICTS_NAMED])
            if refusal is not None:
                rooms[each.pk] = Refused(refusal, found)
        return people, rooms

    def _taken(self, span: Span) -> Iterable[tuple[str, int, Taken]]:
        title = Coalesce(F("session__event_description"), Value(""), output_field=CharField())
        columns = ("during", "session__code", title, "session__client__full_name", "session__held_until", "notes")
        rooms = self._rows(RoomReservation, span).values_list(Value(ROOM, TextField()), "room_id", *columns)
        people = self._rows(StaffReservation, span).values_list(Value(PERSON, TextField()), "staff_id", *columns)
        found = sorted(rooms.order_by().union(people.order_by(), all=True), key=lambda row: row[2].lower)
        for kind, pk, during, code, description, client, held_until, notes in found:
            yield (
                kind,
                pk,
                Taken(
                    starts_at=during.lower.astimezone(STUDIO.zone),
                    ends_at=during.upper.astimezone(STUDIO.zone),
                    code=code,
                    title=description or client or "",
                    held_until=held_until,
                    is_room=kind == ROOM,
                    note="" if code else notes,
                ),
            )

    def _rows(self, reservations: Any, span: Span) -> QuerySet:
        return _holding(reservations, span, self.exclude_session_id)


def load(first: date, last: date, *, exclude_session_id: int | None = None) -> Agenda:
    """What there is and what holds it from one local day to another: two queries.

    People's in whole months, so that it is known how much everybody has to do in each of them.
    """
    covers, whole = (
        span.widened(timedelta(days=1), timedelta(days=2)) for span in (_days(first, last), months(first, last))
    )
    rooms = Room.objects.exclude(status=RoomStatus.INACTIVE)
    there_is = rooms.values_list(Value(ROOM, TextField()), "pk", "name", "code", "status").union(
        photographers()
        .values_list(Value(PERSON, TextField()), "pk", "full_name", Value("", TextField()), Value("", TextField()))
        .order_by(),
        all=True,
    )
    found = sorted(there_is, key=lambda row: (row[2].casefold(), row[1]))
    agenda = Agenda(
        people=[Person(pk, name) for kind, pk, name, _code, _status in found if kind == PERSON],
        rooms=[Place(pk, name, code, status) for kind, pk, name, code, status in found if kind == ROOM],
        exclude_session_id=exclude_session_id,
    )
    known = {(kind, pk) for kind, pk, *_rest in found}
    for kind, pk, start, end, outside, is_session, begins, ends in _held(covers, whole, exclude_session_id):
        if (kind, pk) in known:
            ways = (max(0, begins - start), max(0, end - ends)) if outside else (0, 0)
            busy = agenda.busy.setdefault((kind, pk), Busy())
            busy.add(start, end, outside=outside, is_session=is_session, ways=ways)
    return agenda


def _held(days: Span, months_: Span, exclude_session_id: int | None) -> Sequence[tuple[Any, ...]]:
    """Kind, whose, from when to when, out of the house, a session, and the session's own time; times in ticks.

    The database reckons them: to read thousands of moments as text took longer than all the rest.
    """
    begins, ends = Ticks(Begins("during")), Ticks(Ends("during"))
    never = Value(False, BooleanField())
    outside = Case(When(session__session_type=workflow.EXTERNAL_SESSION, then=Value(True)), default=never)
    is_session = Case(When(session__isnull=False, then=Value(True)), default=never)
    rooms = _holding(RoomReservation, days, exclude_session_id).values_list(
        Value(ROOM, TextField()), "room_id", begins, ends, never, is_session, _no_time(), _no_time()
    )
    people = _holding(StaffReservation, months_, exclude_session_id).values_list(
        Value(PERSON, TextField()),
        "staff_id",
        begins,
        ends,
        outside,
        is_session,
        Ticks("session__starts_at"),
        Ticks("session__ends_at"),
    )
    return sorted(rooms.order_by().union(people.order_by(), all=True), key=lambda row: row[2])


def _no_time() -> Cast:
    return Cast(Value(None), BigIntegerField())


def _holding(reservations: Any, span: Span, exclude_session_id: int | None) -> QuerySet:
    found = reservations.objects.holding().overlapping(span)
    if exclude_session_id is not None:
        found = found.filter(~Q(session_id=exclude_session_id) | Q(session__isnull=True))
    return found


def _days(first: date, last: date) -> Span:
    """At the edges of the calendar, where nobody books, nothing is looked at."""
    return whole_days(*_bookable(first, last))


def _bookable(first: date, last: date) -> tuple[date, date]:
    return min(max(first, EARLIEST), LATEST), min(max(last, EARLIEST), LATEST)


def months(first: date, last: date) -> Span:
    """The whole months of these days."""
    first, last = _bookable(first, last)
    end = (last.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return whole_days(first.replace(day=1), end)
