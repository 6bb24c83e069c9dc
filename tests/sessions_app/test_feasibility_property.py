"""What feasibility offers can be booked, and what it calls taken is refused in the same words (business rules 3).

A thousand agendas of photographers and rooms at random, each with a question of its own: every offer and every
alternative is really booked, and everybody and every room that was called taken is really asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduling import booking
from scheduling.availability import held_for_room
from scheduling.models import OpeningHours, Room, RoomReservation, StaffReservation
from scheduling.search import tick
from scheduling.slots import Span
from sessions_app import workflow
from sessions_app.actions import serve
from sessions_app.actions.serve import Chosen
from sessions_app.feasibility import Answer, Offer, Wish, answer
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import PhotographerNotAvailable, RoomNotAvailable, StudioError
from studio.models import User
from studio.roles import Role
from tests.factories.at_work import tried
from tests.factories.domain import RoomFactory, Studio, at, person

pytestmark = pytest.mark.django_db

# In five parts, so that the workers of a run share them: a thousand examples.
PARTS, EXAMPLES = 5, 200
DAYS = 4
ZONES = ("America/Guatemala", "Europe/Madrid", "America/Havana")
# A Monday, and the Saturdays before the clocks of Madrid and Havana change.
TODAYS = (date(2026, 3, 2), date(2026, 3, 27), date(2026, 10, 24), date(2026, 10, 31), date(2026, 3, 6))


@dataclass
class House:
    studio: Studio
    people: list[User]
    rooms: list[Room]
    session: Session
    """A request without people and room, to which everything is given by turns."""


@pytest.fixture
def house() -> House:
    studio = Studio()
    people = [studio.photographer, *(person(Role.PHOTOGRAPHER) for _ in range(2))]
    rooms = [studio.room, RoomFactory(), RoomFactory(status="Maintenance")]
    return House(studio, people, rooms, studio.request(when=studio.when(days=400)))


def minutes(low: int, high: int, step: int = 1) -> st.SearchStrategy[timedelta]:
    return st.integers(low // step, high // step).map(lambda each: timedelta(minutes=each * step))


@st.composite
def questions(draw: st.DrawFn) -> Wish:
    external = draw(st.booleans())
    first = draw(st.integers(0, DAYS - 1))
    return Wish(
        session_type=workflow.EXTERNAL_SESSION if external else workflow.STUDIO_SESSION,
        first_day=date(1, 1, 1) + timedelta(days=first),
        last_day=date(1, 1, 1) + timedelta(days=first + draw(st.sampled_from([0, 0, 0, 2]))),
        start_time=draw(st.one_of(st.none(), st.times().map(_whole_minutes), st.just(time(23, 59)))),
        duration=draw(minutes(15, 600, 15)),
        photographers=draw(st.sampled_from([1, 1, 1, 2, 2, 3])),
        location="Antigua" if external else "",
        travel=draw(st.sampled_from([timedelta(), timedelta(minutes=45)])),
        people=tuple(draw(st.lists(st.integers(0, 2), max_size=2, unique=True))),
        room=None if external else draw(st.one_of(st.none(), st.integers(0, 2))),
    )


def _whole_minutes(value: time) -> time:
    return value.replace(second=0, microsecond=0)


@st.composite
def busy(draw: st.DrawFn) -> list[tuple[timedelta, timedelta]]:
    """Stretches that follow each other from the first midnight on, by minutes, some touching."""
    found, at_ = [], draw(minutes(0, 24 * 60))
    for _ in range(draw(st.integers(0, 12))):
        length = draw(minutes(5, 14 * 60))
        found.append((at_, at_ + length))
        at_ += length + draw(st.sampled_from([timedelta(), timedelta(minutes=30), timedelta(hours=7)]))
    return found


def fill(house: House, midnight: datetime, agendas: list[list[tuple[timedelta, timedelta]]]) -> None:
    """Time off and closures, under the constraints."""
    lanes = [*house.people, *house.rooms]
    rows: dict[type, list] = {StaffReservation: [], RoomReservation: []}
    for resource, lane in zip(lanes, agendas, strict=True):
        kind, name = (StaffReservation, "staff") if isinstance(resource, User) else (RoomReservation, "room")
        rows[kind] += [
            kind(**{name: resource}, during=(midnight + start, midnight + end), created_at=midnight)
            for start, end in lane
        ]
    for kind, found in rows.items():
        kind.objects.bulk_create(found)


def chosen(wish: Wish, offer: Offer) -> Chosen:
    return Chosen(
        session_type=wish.session_type,
        span=offer.span,
        people=tuple((each.pk, each.coverage) for each in offer.people),
        room_id=offer.room.pk if offer.room else None,
        location=wish.location,
    )


def book(house: House, offer: Offer, now: datetime) -> None:
    """Everything that the offer names, by the functions that accept or refuse it."""
    with tried():
        for each in offer.people:
            booking.reserve_staff(
                session_id=house.session.pk, staff_id=each.pk, coverage=each.coverage, lead=False, by=None, now=now
            )
        if offer.room is not None:
            booking.reserve_room(session_id=house.session.pk, room_id=offer.room.pk, span=offer.span, by=None, now=now)


def insert(offer: Offer, now: datetime) -> None:
    """The same past the functions, a tenth of the time: the constraints have nothing against it."""
    with tried():
        StaffReservation.objects.bulk_create(
            StaffReservation(staff_id=each.pk, during=(each.coverage.start, each.coverage.end), created_at=now)
            for each in offer.people
        )
        if offer.room is not None:
            held = held_for_room(offer.span)
            RoomReservation.objects.create(room_id=offer.room.pk, during=(held.start, held.end), created_at=now)


def refusals(house: House, given_: Answer, now: datetime) -> Iterator[tuple[StudioError, StudioError | None]]:
    """What was said of everybody and every room that was called taken, and what booking says."""
    look = given_.look
    for one, said in look.busy:
        try:
            with tried():
                booking.reserve_staff(
                    session_id=house.session.pk, staff_id=one.pk, coverage=look.coverage, lead=False, by=None, now=now
                )
        except PhotographerNotAvailable as refused:
            yield said.error, refused
        else:
            yield said.error, None
    for room, said in look.rooms_taken:
        try:
            with tried():
                booking.reserve_room(session_id=house.session.pk, room_id=room.pk, span=look.span, by=None, now=now)
        except RoomNotAvailable as refused:
            yield said.error, refused
        else:
            yield said.error, None


@pytest.mark.parametrize("part", range(PARTS))
def test_offers_are_booked_and_what_is_called_taken_is_refused(house, part):
    today, zone = TODAYS[part], ZONES[part % len(ZONES)]
    seen = {"offers": 0, "alternatives": 0, "refusals": 0, "acts": 0}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        questions(),
        st.lists(busy(), min_size=6, max_size=6),
        st.booleans(),
        st.sampled_from([0, 20]),
        st.sampled_from([False] * 9 + [True]),
    )
    def ask(asked: Wish, agendas: list, has_hours: bool, turnaround: int, whole: bool) -> None:
        with STUDIO.overridden(time_zone=zone, room_turnaround_minutes=turnaround), tried():
            now = at(today, "10:10")
            wish = _of(house, asked, today)
            fill(house, at(today, "00:00").astimezone(UTC), agendas)
            if has_hours:
                OpeningHours.objects.bulk_create(
                    OpeningHours(weekday=day, opens=time(9), closes=time(19)) for day in range(6)
                )
            given_ = answer(wish, now=now)
            seen["offers"] += len(given_.offers)
            seen["alternatives"] += len(given_.alternatives)
            every = [*given_.offers, *(each.offer for each in given_.alternatives)]
            for offer in every[:1] + every[-1:]:
                book(house, offer, now)
            for offer in every[1:-1]:
                insert(offer, now)
            for offer in given_.offers:
                assert len(offer.people) == wish.needs and {each.pk for each in offer.people} >= set(wish.people)
                assert all(each.coverage == wish.coverage(offer.span) for each in offer.people)
                assert wish.first_day <= offer.day <= wish.last_day
                assert wish.start_time in (None, offer.span.start.astimezone(ZoneInfo(zone)).time())
                assert (offer.room is None) == wish.is_external and wish.room in (None, offer.room and offer.room.pk)
            costs = [each.sacrifice.cost for each in given_.alternatives]
            assert costs == sorted(costs) and 0 not in costs
            # The whole act, with all of its rules, once in a while: it takes ten times as long.
            if given_.best is not None and whole:
                seen["acts"] += 1
                with tried():
                    session = serve.hold(
                        chosen(wish, given_.best), client=house.studio.client, by=house.studio.coordinator, now=now
                    )
                    assert _ends(session.span) == _ends(given_.best.span)
                    assert session.assignments.holding().count() == len(given_.best.people)
            if not given_.offers and given_.look is not None:
                # The time at which the least is missing: where nothing is missing, "no" would be wrong.
                free = {one.pk for one in given_.look.free}
                rooms = {one.pk for one in given_.look.rooms}
                has_room = wish.is_external or bool(rooms if wish.room is None else rooms & {wish.room})
                assert len(free) < wish.needs or not set(wish.people) <= free or not has_room
            if given_.look is not None:
                for said, refused in refusals(house, given_, now):
                    seen["refusals"] += 1
                    assert refused is not None and (refused.message, refused.details) == (said.message, said.details)
                taken = {one.pk for one, _said in given_.look.busy}
                assert taken | {one.pk for one in given_.look.free} == {each.pk for each in house.people}
                assert taken.isdisjoint(one.pk for one in given_.look.free)

    ask()
    # The questions are of all kinds: a check of nothing would be none.
    assert min(seen.values()) > EXAMPLES // 20


def _ends(span: Span) -> tuple[int, int]:
    return tick(span.start), tick(span.end)


def _of(house: House, asked: Wish, today: date) -> Wish:
    """A question with the people and rooms of this house, and days from today on."""
    since = date(1, 1, 1)
    values = {name: getattr(asked, name) for name in Wish.__slots__}
    return Wish(
        **values
        | {
            "first_day": today + (asked.first_day - since),
            "last_day": today + (asked.last_day - since),
            "people": tuple(house.people[index].pk for index in asked.people),
            "room": None if asked.room is None else house.rooms[asked.room].pk,
        }
    )
