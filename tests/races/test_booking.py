"""Nobody and nothing is booked twice (business rules 3.1, 3.2), with every subset of the two guards.

Both guards: one winner, typed losers. Either guard alone: still no double booking, and still typed losers. None: the
race shows, or else these tests would show nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import time, timedelta
from functools import partial

import pytest
from django.db import connection

from scheduling import booking
from sessions_app.actions import appoint, people, request
from sessions_app.actions.request import When
from sessions_app.models import Session
from sessions_app.states import SessionType
from studio.roles import Role
from tests.factories.domain import ClientFactory, RoomFactory, Studio, person
from tests.races import guards
from tests.races.copies import copies
from tests.races.together import FEWER, ONE_GUARD, ROUNDS, WIDTH, Act, Crowd, Tally, assert_typed, show, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

Booking = Callable[[], list[Act]]
TAKEN = ("ROOM_NOT_AVAILABLE", "PHOTOGRAPHER_NOT_AVAILABLE")


def same_room(studio: Studio) -> Booking:
    """Sessions of one slot, and one room for all of them."""
    sessions = copies(studio.request(), WIDTH)

    def acts() -> list[Act]:
        room = RoomFactory()
        give = partial(people.give_room, room_id=room.pk, by=studio.coordinator, now=studio.now)
        return [partial(give, session) for session in sessions]

    return acts


def same_photographer(studio: Studio) -> Booking:
    """Sessions of one slot, and one photographer for all of them."""
    sessions = copies(studio.request(), WIDTH)

    def acts() -> list[Act]:
        photographer = person(Role.PHOTOGRAPHER)
        assign = partial(
            people.assign_photographer, photographer_id=photographer.pk, by=studio.coordinator, now=studio.now
        )
        return [partial(assign, session, coverage=session.span) for session in sessions]

    return acts


def overlapping(studio: Studio) -> Booking:
    """New requests that overlap, no two for the same minutes: one room for all, one photographer for every other."""
    clients = ClientFactory.create_batch(WIDTH)

    def acts() -> list[Act]:
        room, photographer = RoomFactory(), person(Role.PHOTOGRAPHER)
        return [
            partial(
                studio.request,
                client=client,
                when=minutes_later(studio, 2 * number),
                room_id=room.pk,
                photographer_ids=() if number % 2 else (photographer.pk,),
            )
            for number, client in enumerate(clients)
        ]

    return acts


def same_artist(studio: Studio) -> Booking:
    """One person who photographs and takes appointments: half want them for the one, half for the other (D25)."""
    shoots = copies(studio.request(), WIDTH // 2)
    client = ClientFactory()

    def acts() -> list[Act]:
        both = person(Role.PHOTOGRAPHER, Role.ARTIST)
        assign = partial(people.assign_photographer, photographer_id=both.pk, by=studio.coordinator, now=studio.now)
        book = partial(
            appoint.book,
            client=client,
            artist_id=both.pk,
            span=shoots[0].span,
            by=studio.coordinator,
            now=studio.now,
        )
        return [act for shoot in shoots for act in (partial(assign, shoot, coverage=shoot.span), book)]

    return acts


RACES = [same_room, same_photographer, overlapping, same_artist]


def minutes_later(studio: Studio, minutes: int) -> When:
    begin = studio.now.replace(hour=14, minute=0) + timedelta(days=20, minutes=minutes)
    end = begin + timedelta(minutes=2 * WIDTH + 10)
    return When(session_date=begin.date(), start_time=begin.time(), end_time=time(end.hour, end.minute))


def double_bookings() -> int:
    """Pairs of live reservations of one room or one person that overlap, asked in SQL."""
    found = 0
    with connection.cursor() as cursor:
        for table, resource in (("room", "room_id"), ("staff", "staff_id")):
            cursor.execute(
                f"SELECT count(*) FROM scheduling_{table}reservation a JOIN scheduling_{table}reservation b"
                f" ON a.{resource} = b.{resource} AND a.id < b.id AND a.during && b.during"
                " WHERE a.released_at IS NULL AND b.released_at IS NULL"
            )
            found += cursor.fetchone()[0]
    return found


def run(crowd: Crowd, line: Tally, acts: Booking, rounds: int) -> None:
    for _ in range(rounds):
        outcomes = crowd.race(acts())
        line.add(outcomes, broken=double_bookings())
        assert_typed(outcomes, *TAKEN)
        assert len(winners(outcomes)) == 1
    assert line.broken == 0


@pytest.mark.parametrize("race", RACES)
def test_one_of_many_bookings_wins(race, studio, crowd, tally):
    run(crowd, tally(_named(race)), race(studio), ROUNDS)


@pytest.mark.parametrize("race", RACES)
def test_the_constraint_alone_lets_no_double_booking_in(race, studio, crowd, tally, monkeypatch):
    """Writers without locks deadlock in the exclusion constraint: that, too, is told as taken."""
    guards.without_resource_locks(monkeypatch)
    crowd.deadlock_timeout = "10ms"
    run(crowd, tally(f"{_named(race)}, constraint only"), race(studio), ONE_GUARD)


@pytest.mark.parametrize("race", RACES)
def test_the_locks_alone_let_no_double_booking_in(race, studio, crowd, tally, no_constraints):
    run(crowd, tally(f"{_named(race)}, locks only"), race(studio), ONE_GUARD)


@pytest.mark.parametrize("race", RACES)
def test_without_guards_double_bookings_appear(race, studio, crowd, tally, no_constraints, monkeypatch):
    guards.without_resource_locks(monkeypatch)
    line, acts = tally(f"{_named(race)}, CONTROL"), race(studio)

    def attempt() -> int:
        line.add(crowd.race(acts()), broken=double_bookings())
        return line.broken

    show(attempt)


@pytest.fixture
def no_constraints(transactional_db: None, crowd: Crowd) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(guards.without_constraints(guards.ROOM_CONSTRAINT, guards.STAFF_CONSTRAINT))
        yield


# -- no deadlocks --------------------------------------------------------------------------------------------------


def opposite_pairs(studio: Studio) -> Booking:
    """Requests of many clients for the same two photographers, each named first by every other one."""
    clients = ClientFactory.create_batch(WIDTH)

    def acts() -> list[Act]:
        pair = (person(Role.PHOTOGRAPHER).pk, person(Role.PHOTOGRAPHER).pk)
        orders = (pair, pair[::-1])
        return [
            partial(
                studio.request,
                client=client,
                session_type=SessionType.EXTERNAL,
                photographer_ids=orders[number % 2],
            )
            for number, client in enumerate(clients)
        ]

    return acts


def test_photographers_named_in_opposite_order_never_deadlock(studio, crowd, tally):
    run(crowd, tally("opposite orders"), opposite_pairs(studio), FEWER)


def test_photographers_locked_one_by_one_deadlock(studio, crowd, tally, monkeypatch):
    """The control: each lock is still taken, but in the order of the request."""
    lock = booking.lock_people

    def only_single(ids):
        ids = set(ids)
        return lock(ids) if len(ids) == 1 else guards.read_people(ids)

    monkeypatch.setattr(booking, "lock_people", only_single)
    crowd.deadlock_timeout = "10ms"
    line, acts = tally("opposite orders, CONTROL"), opposite_pairs(studio)

    def attempt() -> int:
        outcomes = crowd.race(acts())
        line.add(outcomes, broken=sum(outcome.code == "OperationalError" for outcome in outcomes))
        return line.broken

    show(attempt)


def test_exchanging_photographers_both_ways_never_deadlocks(studio, crowd, tally):
    """Half of the sessions go from one photographer to the other, half back; on different days, so all succeed."""
    line = tally("exchange both ways")
    first, second = person(Role.PHOTOGRAPHER), person(Role.PHOTOGRAPHER)
    sessions = copies(studio.request(session_type=SessionType.EXTERNAL), WIDTH, days_apart=1)
    on_it = [
        people.assign_photographer(
            session,
            photographer_id=(first, second)[number % 2].pk,
            coverage=session.span,
            by=studio.coordinator,
            now=studio.now,
        )
        for number, session in enumerate(sessions)
    ]
    for _ in range(FEWER):
        outcomes = crowd.race(
            [
                partial(
                    people.reassign,
                    session,
                    assignment_id=row.pk,
                    photographer_id=(second if row.staff_id == first.pk else first).pk,
                    by=studio.coordinator,
                    now=studio.now,
                )
                for session, row in zip(sessions, on_it, strict=True)
            ]
        )
        line.add(outcomes, broken=double_bookings())
        assert_typed(outcomes)
        on_it = [outcome.value for outcome in outcomes]
    assert line.broken == 0


def test_a_swap_of_time_between_sessions_never_deadlocks(studio, crowd, tally):
    """Every session holds the same people at another hour; all move at once, each to its own new day."""
    line = tally("many move together")
    pair = (person(Role.PHOTOGRAPHER).pk, person(Role.PHOTOGRAPHER).pk)
    held = studio.request(room_id=studio.room.pk, photographer_ids=pair)
    sessions = copies(held, WIDTH, days_apart=1, with_time=True)
    for number in range(FEWER):
        outcomes = crowd.race([moved(session, studio, (number + 1) * 100) for session in sessions])
        line.add(outcomes, broken=double_bookings())
        assert_typed(outcomes)
    assert line.broken == 0


def moved(session: Session, studio: Studio, days: int) -> Act:
    when = When(
        session_date=session.session_date + timedelta(days=days),
        start_time=session.start_time,
        end_time=session.end_time,
    )
    return partial(request.edit, session, when=when, by=studio.coordinator, now=studio.now)


def _named(race: Callable[[Studio], Booking]) -> str:
    return race.__name__.replace("_", " ")
