"""The closure of a room against its booking at the same instant: whoever comes first has the time."""

from functools import partial

import pytest

from scheduling.models import RoomReservation
from scheduling.slots import Span
from sessions_app.actions import closure, people
from tests.factories.domain import RoomFactory, Studio, at
from tests.races import guards
from tests.races.copies import copies
from tests.races.together import ONE_GUARD, WIDTH, Act, Crowd, Tally, assert_typed, show, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def half(transactional_db: None, studio: Studio) -> list:
    """Sessions of one slot; the other half of the crowd closes the room."""
    return copies(studio.request(), WIDTH // 2)


def race(crowd: Crowd, line: Tally, studio: Studio, sessions: list) -> list:
    """Half of them book the room, half of them close it; each closure a little later than the one before."""
    room, day = RoomFactory(), str(sessions[0].session_date)
    acts: list[Act] = []
    for place, session in enumerate(sessions):
        when = Span(at(day, f"15:{place:02}"), at(day, f"18:{place:02}"))
        acts.append(partial(closure.close, room, span=when, by=studio.coordinator, now=studio.now))
        acts.append(partial(people.give_room, session, room_id=room.pk, by=studio.coordinator, now=studio.now))
    outcomes = crowd.race(acts)
    line.add(outcomes, broken=RoomReservation.objects.holding().filter(room=room).count() - 1)
    return outcomes


def test_one_of_booking_and_closure_has_the_room(studio, half, crowd, tally):
    line = tally("closure against booking")
    for _round in range(ONE_GUARD):
        outcomes = race(crowd, line, studio, half)
        assert_typed(outcomes, "ROOM_NOT_AVAILABLE")
        assert len(winners(outcomes)) == 1
    assert line.broken == 0


def test_without_lock_and_constraint_both_have_it(studio, half, crowd, tally, monkeypatch):
    guards.without_resource_locks(monkeypatch)
    line = tally("closure against booking, CONTROL")
    with guards.without_constraints(guards.ROOM_CONSTRAINT):

        def attempt() -> int:
            race(crowd, line, studio, half)
            return line.broken

        show(attempt)
        RoomReservation.objects.all().delete()
