"""The questions that the requirements name (business rules 3.1, 3.2; D2, D34)."""

from datetime import date, time, timedelta

import pytest

from scheduling import booking
from scheduling.availability import is_photographer_available, is_room_available
from scheduling.models import StaffReservation
from sessions_app import workflow
from studio.conf import STUDIO
from studio.errors import InvalidInput, PhotographerNotAvailable, RoomNotAvailable
from tests.factories.domain import RoomFactory, Studio, at

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 22)

# The session is on this day from 14:00 to 16:30; both ends are half open.
ASKED = [
    ("12:00", "14:00", True),
    ("16:30", "18:00", True),
    ("12:00", "14:01", False),
    ("16:29", "18:00", False),
    ("15:00", "15:30", False),
    ("10:00", "20:00", False),
    ("18:00", "02:00", True),
    ("16:00", "01:00", False),
]


@pytest.fixture
def booked() -> Studio:
    studio = Studio()
    studio.session = studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    return studio


def test_room_and_photographer_are_free_outside_of_what_they_do(booked):
    """D2: half open, also past midnight."""
    for start, end, free in ASKED:
        times = (DAY, time.fromisoformat(start), time.fromisoformat(end))
        assert is_room_available(booked.room.pk, *times) is free, (start, end)
        assert is_photographer_available(booked.photographer.pk, *times) is free, (start, end)
    times = (DAY, time(14), time(16, 30))
    assert is_room_available(booked.room.pk, *times, exclude_session_id=booked.session.pk)
    assert is_photographer_available(booked.photographer.pk, *times, exclude_session_id=booked.session.pk)
    assert is_room_available(booked.room.pk, DAY + timedelta(days=1), time(14), time(16, 30))


def test_time_off_is_in_the_way_whatever_session_is_left_out(booked):
    day = DAY + timedelta(days=5)
    StaffReservation.objects.create(
        staff=booked.photographer, during=(at(day, "08:00"), at(day, "18:00")), created_at=booked.now
    )
    times = (day, time(10), time(11))
    assert not is_photographer_available(booked.photographer.pk, *times, exclude_session_id=booked.session.pk)


def test_turnaround_keeps_a_room_taken_after_a_session():
    """Ours: ROOM_TURNAROUND_MINUTES, for rooms and not for people."""
    with STUDIO.overridden(room_turnaround_minutes=30):
        studio = Studio()
        studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
        assert not is_room_available(studio.room.pk, DAY, time(16, 59), time(18))
        assert is_room_available(studio.room.pk, DAY, time(17), time(18))
        assert not is_room_available(studio.room.pk, DAY, time(12), time(13, 31))
        assert is_room_available(studio.room.pk, DAY, time(12), time(13, 30))
        assert is_photographer_available(studio.photographer.pk, DAY, time(16, 30), time(18))


def test_canceled_session_is_in_nobodys_way(booked):
    """Business rules 3.1: the time is free at once, and may be given to another session."""
    booked.session.cancel(by=booked.coordinator, now=booked.now, reason="Ill", initiator="client")
    assert is_room_available(booked.room.pk, DAY, time(14), time(16, 30))
    assert is_photographer_available(booked.photographer.pk, DAY, time(14), time(16, 30))
    booked.request(room_id=booked.room.pk, photographer_ids=(booked.photographer.pk,))


def test_constraint_speaks_the_same_error_where_a_lock_was_forgotten(booked):
    """Style 5: without the look before, the exclusion constraint refuses, and is translated."""
    with pytest.raises(PhotographerNotAvailable), booking._constraint_speaks(None, booked.photographer):
        StaffReservation.objects.create(
            staff=booked.photographer, during=(at(DAY, "15:00"), at(DAY, "15:30")), created_at=booked.now
        )


def test_room_out_of_use_is_not_given(booked):
    broken = RoomFactory(status="Maintenance")
    with pytest.raises(RoomNotAvailable):
        booked.request(when=booked.when(days=25), room_id=broken.pk)
    with pytest.raises(InvalidInput):
        booked.request(when=booked.when(days=25), room_id=0)


def test_release_frees_the_time_and_keeps_the_membership(booked):
    """D34."""
    freed = booking.release(booked.session.pk, now=booked.now)
    assert freed == [booked.photographer]
    (row,) = booked.session.assignments.all()
    assert (row.released_at, row.is_current) == (booked.now, True)
    assert booking.release(booked.session.pk, now=booked.now) == []


def test_completed_session_frees_the_time():
    """D34, for photography sessions."""
    walk = Studio().walk(workflow.COMPLETED)
    day = walk.session.session_date
    assert is_photographer_available(walk.studio.photographer.pk, day, time(14), time(16, 30))
    assert is_room_available(walk.studio.room.pk, day, time(14), time(16, 30))
