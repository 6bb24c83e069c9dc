"""Who and what is free: the questions (business rules 3). Nothing here writes or locks; ``booking`` decides."""

from datetime import date, time, timedelta

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from scheduling.models import Reservation, RoomReservation, StaffReservation
from scheduling.slots import Span, local_span
from studio.conf import STUDIO
from studio.roles import Role


def in_the_way(
    reservations: type[Reservation], resource_id: int, span: Span, exclude_session_id: int | None = None
) -> QuerySet[Reservation]:
    """The live reservations of one resource that overlap the span, first things first."""
    found = (
        reservations.objects.holding().overlapping(span).filter(**{f"{reservations.resource_field}_id": resource_id})
    )
    if exclude_session_id is not None:
        found = found.exclude(session_id=exclude_session_id)
    return found.select_related("session__client").order_by("during", "id")


def held_for_room(span: Span) -> Span:
    """What a session takes of its room: its own time and the turnaround after it (``ROOM_TURNAROUND_MINUTES``)."""
    return span.widened(after=timedelta(minutes=STUDIO.room_turnaround_minutes))


def is_room_available(
    room_id: int, session_date: date, start_time: time, end_time: time, exclude_session_id: int | None = None
) -> bool:
    """Whether the room is free between two local times (business rules 3.1).

    An end not after the start means the next day (D2). Raises ``ValueError`` for a local time that does not exist.
    """
    span = held_for_room(local_span(session_date, start_time, end_time))
    return not in_the_way(RoomReservation, room_id, span, exclude_session_id).exists()


def is_photographer_available(
    photographer_id: int,
    assignment_date: date,
    coverage_start_time: time,
    coverage_end_time: time,
    exclude_session_id: int | None = None,
) -> bool:
    """Whether the person is free for a coverage, travel included (business rules 3.2); times as above."""
    span = local_span(assignment_date, coverage_start_time, coverage_end_time)
    return not in_the_way(StaffReservation, photographer_id, span, exclude_session_id).exists()


def photographers() -> QuerySet:
    """People who may be put on a shoot."""
    people = get_user_model().objects.filter(is_active=True, groups__name=Role.PHOTOGRAPHER)
    return people.order_by("full_name", "id")
