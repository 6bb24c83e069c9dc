"""The only writer of reservations: reserve, move, release.

Every function runs inside the caller's transaction, who has locked the session row and asked for permission. Then
people are locked by id, then rooms by id, always in this order: the loser of a race waits, looks, and gets a sentence
instead of a deadlock. Should a lock ever be forgotten, the exclusion constraint still refuses, and is translated here
to the same error.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from scheduling.availability import held_for_room, in_the_way
from scheduling.models import AssignmentStatus, Reservation, Room, RoomReservation, StaffReservation
from scheduling.refusals import Taken, person_refusal, room_refusal
from scheduling.slots import Span
from studio.errors import InvalidInput, PhotographerNotAvailable, RoomNotAvailable, StudioError
from studio.roles import Role

if TYPE_CHECKING:
    from studio.models import User

ROOM_NEVER_TWICE = "room_never_twice"
STAFF_NEVER_TWICE = "staff_never_twice"
DEADLOCK = "40P01"
# A refusal names so many of what is in the way.
CONFLICTS_NAMED = 5


def lock_people(ids: Iterable[int]) -> dict[int, "User"]:
    rows = get_user_model().objects.select_for_update(no_key=True).filter(pk__in=set(ids)).order_by("pk")
    return {row.pk: row for row in rows}


def lock_rooms(ids: Iterable[int]) -> dict[int, Room]:
    rows = Room.objects.select_for_update(no_key=True).filter(pk__in=set(ids)).order_by("pk")
    return {row.pk: row for row in rows}


def reserve_room(*, session_id: int, room_id: int, span: Span, by: "User | None", now: datetime) -> RoomReservation:
    """Give the session this room for its span, instead of the one it had (business rules 3.1).

    ``span`` is the session's own; the turnaround is added here. Raises ``RoomNotAvailable`` when another session has
    the room, or the room is not in use; ``InvalidInput`` for an unknown room.
    """
    room = lock_rooms([room_id]).get(room_id)
    if room is None:
        raise InvalidInput(_("There is no such room."), field="room", details={"room": room_id})
    held = held_for_room(span)
    _refuse_room(room, held, session_id)
    release_room(session_id=session_id, now=now)
    with _constraint_speaks(room, None):
        return RoomReservation.objects.create(
            room=room, session_id=session_id, during=(held.start, held.end), created_by=by, created_at=now
        )


def release_room(*, session_id: int, now: datetime) -> None:
    RoomReservation.objects.holding().filter(session_id=session_id).update(released_at=now)


def reserve_staff(
    *,
    session_id: int,
    staff_id: int,
    coverage: Span,
    lead: bool,
    by: "User | None",
    now: datetime,
    notes: str = "",
    role: Role = Role.PHOTOGRAPHER,
    holds: bool = True,
) -> StaffReservation:
    """Put a photographer on a session for a coverage, travel included (business rules 3.2, 10.2), or an artist (D25).

    Without ``holds`` the time is free from the beginning, and nothing is in its way: it is canceled in the same act
    (D26, D34). Raises ``PhotographerNotAvailable`` with the sessions in the way, ``InvalidInput`` for somebody who is
    unknown, gone, not of this ``role``, or on the session already.
    """
    person = _of_role(lock_people([staff_id]), staff_id, role)
    return _put_on(session_id, person, coverage, lead, by, now, notes, holds=holds)


def replace_staff(
    assignment: StaffReservation,
    *,
    staff_id: int,
    coverage: Span,
    by: "User | None",
    now: datetime,
    role: Role = Role.PHOTOGRAPHER,
) -> StaffReservation:
    """Reassign (business rules 10.4): the old row ends, a new one begins, in one act."""
    people = lock_people([assignment.staff_id, staff_id])
    person = _of_role(people, staff_id, role)
    lead = assignment.is_lead_photographer
    take_off(assignment, now=now)
    return _put_on(assignment.session_id, person, coverage, lead, by, now, assignment.notes)


def take_off(assignment: StaffReservation, *, now: datetime) -> None:
    """The person leaves the session: time and membership end at once (D34)."""
    assignment.assignment_status = AssignmentStatus.REASSIGNED
    assignment.is_lead_photographer = False
    assignment.released_at = assignment.released_at or now
    assignment.save(update_fields=["assignment_status", "is_lead_photographer", "released_at"])


def change_coverage(assignment: StaffReservation, *, coverage: Span) -> None:
    """Other travel, other hours for one person. Raises ``PhotographerNotAvailable``."""
    person = lock_people([assignment.staff_id])[assignment.staff_id]
    _refuse_staff_conflicts(person, coverage, assignment.session_id)
    with _constraint_speaks(None, person):
        assignment.during = (coverage.start, coverage.end)
        assignment.save(update_fields=["during"])


def note_attendance(*, session_id: int, staff_id: int, now: datetime) -> bool:
    """The person was there (D10). False when they are not on the session, or it was noted before."""
    own = StaffReservation.objects.filter(session_id=session_id, staff_id=staff_id, attended_at__isnull=True)
    return bool(own.exclude(assignment_status=AssignmentStatus.REASSIGNED).update(attended_at=now))


def lead(session_id: int, assignment: StaffReservation | None) -> None:
    """Make one assignment of the session the lead, or none."""
    current = StaffReservation.objects.filter(session_id=session_id)
    current.filter(is_lead_photographer=True).update(is_lead_photographer=False)
    if assignment is not None:
        current.filter(pk=assignment.pk).update(is_lead_photographer=True)


def move(session_id: int, *, span: Span, coverages: Mapping[int, Span], role: Role = Role.PHOTOGRAPHER) -> None:
    """Everything that a session holds goes with it to another time, or nothing does.

    ``coverages`` gives the new coverage by assignment id. Raises ``PhotographerNotAvailable`` or ``RoomNotAvailable``,
    also for somebody who has left and for a room that is out of use: another time is promised anew.
    """
    assignments = list(StaffReservation.objects.holding().filter(session_id=session_id).order_by("staff_id"))
    rooms = list(RoomReservation.objects.holding().filter(session_id=session_id))
    people = lock_people(row.staff_id for row in assignments)
    locked_rooms = lock_rooms(row.room_id for row in rooms)
    for assignment in assignments:
        coverage = coverages[assignment.pk]
        person = people[assignment.staff_id]
        _refuse_gone(person, role)
        _refuse_staff_conflicts(person, coverage, session_id)
        with _constraint_speaks(None, person):
            assignment.during = (coverage.start, coverage.end)
            assignment.save(update_fields=["during"])
    held = held_for_room(span)
    for reservation in rooms:
        room = locked_rooms[reservation.room_id]
        _refuse_room(room, held, session_id)
        with _constraint_speaks(room, None):
            reservation.during = (held.start, held.end)
            reservation.save(update_fields=["during"])


def release(session_id: int, *, now: datetime) -> list["User"]:
    """Free all that a session holds; who was on it stays on it, without the time (D34). Returns who was freed."""
    assignments = StaffReservation.objects.holding().filter(session_id=session_id)
    freed = [row.staff for row in assignments.select_related("staff").order_by("staff_id")]
    assignments.update(released_at=now)
    release_room(session_id=session_id, now=now)
    return freed


def block(*, staff_id: int, span: Span, by: "User | None", now: datetime, notes: str = "") -> StaffReservation:
    """Time off: somebody's time is taken by no session, under the same exclusion as by one.

    Raises ``PhotographerNotAvailable`` with the sessions in the way, ``InvalidInput`` for somebody who is unknown or
    gone.
    """
    person = lock_people([staff_id]).get(staff_id)
    if person is None or not person.is_active:
        raise InvalidInput(_("Choose somebody who works here."), field="person", details={"person": staff_id})
    _refuse_staff_conflicts(person, span, None)
    with _constraint_speaks(None, person):
        return StaffReservation.objects.create(
            staff=person, during=(span.start, span.end), created_by=by, created_at=now, notes=notes
        )


def lock_time_off(reservation_id: int) -> StaffReservation | None:
    """Somebody's time off, locked; None when there is no such one, or it was taken back."""
    rows = StaffReservation.objects.select_for_update(no_key=True, of=("self",)).holding().select_related("staff")
    return rows.filter(pk=reservation_id, session__isnull=True).first()


def unblock(reservation: Reservation, *, now: datetime) -> None:
    """Give time off back: what has begun ends now, what has not is free again as a whole. The caller has locked it."""
    if reservation.during.lower < now < reservation.during.upper:
        reservation.during = (reservation.during.lower, now)
        reservation.save(update_fields=["during"])
        return
    reservation.released_at = now
    reservation.save(update_fields=["released_at"])


def close_room(*, room_id: int, span: Span, by: "User | None", now: datetime, notes: str = "") -> RoomReservation:
    """A room's time is taken by no session, such as for maintenance.

    Raises ``RoomNotAvailable`` with what is in the way or when the room is out of use, ``InvalidInput`` for an unknown
    room.
    """
    room = lock_rooms([room_id]).get(room_id)
    if room is None:
        raise InvalidInput(_("There is no such room."), field="room", details={"room": room_id})
    _refuse_room(room, span, None)
    with _constraint_speaks(room, None):
        return RoomReservation.objects.create(
            room=room, during=(span.start, span.end), created_by=by, created_at=now, notes=notes
        )


def lock_closure(reservation_id: int) -> RoomReservation | None:
    """A room's closure, locked; None when there is no such one, or the room was opened again."""
    rows = RoomReservation.objects.select_for_update(no_key=True, of=("self",)).holding().select_related("room")
    return rows.filter(pk=reservation_id, session__isnull=True).first()


def open_room(closure: RoomReservation, *, now: datetime) -> None:
    """End a closure, as ``unblock`` ends time off. The caller has locked it."""
    unblock(closure, now=now)


def _of_role(people: Mapping[int, "User"], staff_id: int, role: Role) -> "User":
    person = people.get(staff_id)
    if person is None or not _works_as(person, role):
        if role == Role.ARTIST:
            raise InvalidInput(_("Choose an active artist."), field="artist", details={"artist": staff_id})
        raise InvalidInput(
            _("Choose an active photographer."), field="photographer", details={"photographer": staff_id}
        )
    return person


def _works_as(person: "User", role: Role) -> bool:
    return person.is_active and person.groups.filter(name=role).exists()


def _refuse_gone(person: "User", role: Role) -> None:
    if _works_as(person, role):
        return
    if role == Role.ARTIST:
        text, field = _("%(person)s no longer takes appointments: choose another artist first."), "artist"
    else:
        text, field = _("%(person)s no longer photographs for the studio: put somebody else on first."), "photographer"
    raise PhotographerNotAvailable(
        text % {"person": person.full_name},
        field=field,
        details={field: person.pk, "conflicts": [], "failed": ["gone"]},
    )


def _put_on(
    session_id: int,
    person: "User",
    coverage: Span,
    lead: bool,
    by: "User | None",
    now: datetime,
    notes: str,
    *,
    holds: bool = True,
) -> StaffReservation:
    current = StaffReservation.objects.filter(session_id=session_id).exclude(
        assignment_status=AssignmentStatus.REASSIGNED
    )
    if current.filter(staff=person).exists():
        raise InvalidInput(
            _("%(person)s is on this session already.") % {"person": person.full_name},
            field="photographer",
            details={"failed": ["already_assigned"]},
        )
    if holds:
        _refuse_staff_conflicts(person, coverage, session_id)
    if lead:
        current.filter(is_lead_photographer=True).update(is_lead_photographer=False)
    with _constraint_speaks(None, person):
        return StaffReservation.objects.create(
            staff=person,
            session_id=session_id,
            during=(coverage.start, coverage.end),
            is_lead_photographer=lead,
            created_by=by,
            created_at=now,
            released_at=None if holds else now,
            notes=notes,
        )


def _refuse_room(room: Room, held: Span, session_id: int | None) -> None:
    conflicts = in_the_way(RoomReservation, room.pk, held, session_id)[:CONFLICTS_NAMED]
    _raise(room_refusal(code=room.code, name=room.name, status=room.status, taken=[Taken.by(row) for row in conflicts]))


def _refuse_staff_conflicts(person: "User", coverage: Span, session_id: int | None) -> None:
    conflicts = in_the_way(StaffReservation, person.pk, coverage, session_id)
    _raise(person_taken(person, conflicts[:CONFLICTS_NAMED]))


def person_taken(person: "User", conflicts: Iterable[Reservation]) -> StudioError | None:
    """The refusal for somebody who is busy, with what is in the way; None where nothing is."""
    return person_refusal(pk=person.pk, name=person.full_name, taken=[Taken.by(row) for row in conflicts])


def _raise(refusal: StudioError | None) -> None:
    if refusal is not None:
        raise refusal


@contextmanager
def _constraint_speaks(room: Room | None, person: "User | None") -> Iterator[None]:
    """A savepoint in which our own exclusion constraints raise the typed error; every other error goes on as it is.

    Writers that did not lock the resource wait for each other inside of the constraint. PostgreSQL ends such a deadlock
    by refusing all but one: for the others the time has just been taken, as if they had got the constraint's answer.
    """
    try:
        with transaction.atomic():
            yield
    except (IntegrityError, OperationalError) as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        name = getattr(diagnosis, "constraint_name", None)
        if getattr(diagnosis, "sqlstate", None) == DEADLOCK:
            name = ROOM_NEVER_TWICE if room is not None else STAFF_NEVER_TWICE
        if name == ROOM_NEVER_TWICE and room is not None:
            raise RoomNotAvailable(
                _("%(room)s has just been taken for this time.") % {"room": room.name},
                field="room",
                details={"room": room.code, "conflicts": []},
            ) from error
        if name == STAFF_NEVER_TWICE and person is not None:
            raise PhotographerNotAvailable(
                _("%(person)s has just been booked for this time.") % {"person": person.full_name},
                field="photographer",
                details={"photographer": person.pk, "conflicts": []},
            ) from error
        raise
