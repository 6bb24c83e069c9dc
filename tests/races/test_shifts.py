"""The calendar under two hands: one session dragged to several places, and a drag against a booking of one (D34)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from scheduling.models import AssignmentStatus, RoomReservation, StaffReservation
from scheduling.slots import Span
from sessions_app.actions.request import At
from sessions_app.actions.shift import Shift, shift
from sessions_app.models import Session
from studio.roles import Role
from tests.factories.domain import ClientFactory, RoomFactory, Studio, person
from tests.races import guards
from tests.races.copies import same
from tests.races.together import FEWER, Act, Crowd, Tally, assert_typed, show, turned, untyped, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

WIDTH = 4


@pytest.fixture
def few(transactional_db: None) -> Iterator[Crowd]:
    people = Crowd(WIDTH)
    yield people
    people.close()


def booked(studio: Studio, number: int, start: str = "14:00", end: str = "15:00") -> Session:
    """With a room and a photographer, each on a day of its own."""
    return studio.request(
        when=studio.when(20 + number, start, end), room_id=RoomFactory().pk, photographer_ids=(studio.photographer.pk,)
    )


# -- one session, dragged to several places ----------------------------------------------------------------------------


def drags(studio: Studio, session: Session) -> list[Act]:
    """Each gives it to somebody else, in another room, and most of them at another time."""
    acts = []
    for hours, each in enumerate(same(session, WIDTH)):
        to = Shift(
            span=Span(*(edge + timedelta(hours=hours) for edge in (session.starts_at, session.ends_at))),
            room_id=RoomFactory().pk,
            instead={studio.photographer.pk: person(Role.PHOTOGRAPHER).pk},
        )
        acts.append(partial(shift, each, to=to, seen=session.span, by=studio.coordinator, now=studio.now))
    return acts


def torn(session: Session) -> int:
    """What of it is not in one place: people and rooms above one each, what is held at another time or elsewhere."""
    session.refresh_from_db()
    rooms = list(session.room_reservations.filter(released_at=None))
    staff = list(session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED))
    elsewhere = sum(row.span != session.span for row in (*rooms, *staff))
    granted = set(session.grants.values_list("user_id", flat=True)) ^ {row.staff_id for row in staff}
    wrong_room = [row for row in rooms if row.room_id != session.room_id]
    return abs(len(rooms) - 1) + abs(len(staff) - 1) + elsewhere + len(granted) + len(wrong_room)


def drag_once(studio: Studio, few: Crowd, line: Tally, number: int) -> int:
    session = booked(studio, number)
    outcomes = few.race(turned(drags(studio, session), number))
    broken = torn(session) + abs(len(winners(outcomes)) - 1) + untyped(outcomes)
    line.add(outcomes, broken=broken)
    if not broken:
        # Moved meanwhile; or, where the time stayed, given to somebody else meanwhile.
        assert_typed(outcomes, "INVALID_STATE_TRANSITION", "INVALID_INPUT")
    return broken


def test_one_drag_of_a_session_wins_whole(studio, few, tally):
    line = tally("drag against drag")
    assert sum(drag_once(studio, few, line, number) for number in range(FEWER)) == 0


def test_without_the_lock_drags_tear_a_session_apart(studio, few, tally, monkeypatch):
    guards.without_row_locks(monkeypatch)
    line, numbers = tally("drag against drag, CONTROL"), iter(range(60))
    show(lambda: drag_once(studio, few, line, next(numbers)))
    guards.empty()


# -- a drag against a booking of the same place ------------------------------------------------------------------------


def drags_and_bookings(studio: Studio, number: int) -> list[Act]:
    """Two other sessions are dragged to where two clients are being booked: one room, one person, one time."""
    room, photographer = RoomFactory(), person(Role.PHOTOGRAPHER)
    when = studio.when(20 + number, "17:00", "18:00")
    to = Shift(span=when.span(), room_id=room.pk)
    acts: list[Act] = []
    for start, end in (("09:00", "10:00"), ("11:00", "12:00")):
        session = booked(studio, number, start, end)
        here = replace(to, instead={studio.photographer.pk: photographer.pk})
        acts += [
            partial(shift, session, to=here, seen=session.span, by=studio.coordinator, now=studio.now),
            partial(
                studio.request,
                client=ClientFactory(),
                when=At(when.span()),
                room_id=room.pk,
                photographer_ids=(photographer.pk,),
            ),
        ]
    return acts


def place_once(studio: Studio, few: Crowd, line: Tally, number: int) -> int:
    acts = drags_and_bookings(studio, number)
    outcomes = few.race(turned(acts, number))
    at = studio.when(20 + number, "17:00", "18:00").span()
    held = [rows.objects.holding().overlapping(at).count() for rows in (RoomReservation, StaffReservation)]
    broken = sum(abs(count - 1) for count in held) + abs(len(winners(outcomes)) - 1) + untyped(outcomes)
    line.add(outcomes, broken=broken)
    if not broken:
        assert_typed(outcomes, "ROOM_NOT_AVAILABLE", "PHOTOGRAPHER_NOT_AVAILABLE")
    return broken


def test_a_drag_and_a_booking_never_share_a_place(studio, few, tally):
    line = tally("drag against booking")
    assert sum(place_once(studio, few, line, number) for number in range(FEWER)) == 0


def test_without_guards_a_drag_and_a_booking_share_a_place(studio, few, tally, monkeypatch):
    guards.without_resource_locks(monkeypatch)
    line, numbers = tally("drag against booking, CONTROL"), iter(range(60))
    with guards.without_constraints(guards.ROOM_CONSTRAINT, guards.STAFF_CONSTRAINT):
        show(lambda: place_once(studio, few, line, next(numbers)))
