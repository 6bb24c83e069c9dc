"""Who and where: rooms, photographers, editors (business rules 3, 10.2, 10.4; D11, D33, D34)."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from scheduling import booking
from scheduling.models import AssignmentStatus, StaffReservation
from scheduling.slots import Span
from sessions_app import holds, notices, workflow
from sessions_app.actions.reach import locked_for, refuse_appointment, require_people_open, touch
from sessions_app.memberships import sync_grants
from sessions_app.models import Session
from studio import audit
from studio.errors import AccessDenied, InvalidInput, InvalidStateTransition, MissingResources
from studio.roles import Perm, Role, is_admin, roles_of

if TYPE_CHECKING:
    from studio.models import User

# The longest travel to a session or back (business rules 3.2): beyond it a slip of the pen would block somebody's year.
LONGEST_WAY = timedelta(hours=24)


def give_room(session: Session, *, room_id: int, by: "User", now: datetime) -> Session:
    """The session gets this room, instead of the one it had; it blocks from the first state on (D33).

    Raises ``RoomNotAvailable`` with the sessions in the way, ``InvalidInput`` for an external session.
    """
    with audit.act():
        session = require_open(session, by=by)
        if session.is_external:
            raise InvalidInput(_("An external session has no room."), field="room")
        booking.reserve_room(session_id=session.pk, room_id=room_id, span=session.span, by=by, now=now)
        session.room_id = room_id
        holds.begin(session, now=now)
        notices.drop_if_complete(session)
        touch(session, by=by, now=now)
    return session


def take_room(session: Session, *, by: "User", now: datetime) -> Session:
    """The session gives its room back. From Assigned on it needs one: ``MissingResources``."""
    with audit.act():
        session = require_open(session, by=by)
        if session.status in workflow.FROM_ASSIGNED_ON:
            raise MissingResources(
                _("An assigned studio session keeps a room: give it another one instead."),
                field="room",
                details={"missing": ["room"]},
            )
        booking.release_room(session_id=session.pk, now=now)
        session.room = None
        holds.end_if_nothing_is_held(session)
        touch(session, by=by, now=now)
    return session


def assign_photographer(
    session: Session,
    *,
    photographer_id: int,
    coverage: Span,
    by: "User",
    now: datetime,
    lead: bool = False,
    notes: str = "",
) -> StaffReservation:
    """Put a photographer on the session for a coverage that includes travel (business rules 3.2, 10.2).

    The first one leads. Raises ``PhotographerNotAvailable`` with the sessions in the way, ``InvalidInput``.
    """
    with audit.act():
        session = require_open(session, by=by)
        _refuse_stray_coverage(session, coverage)
        first = not current(session).exists()
        assignment = booking.reserve_staff(
            session_id=session.pk,
            staff_id=photographer_id,
            coverage=coverage,
            lead=lead or first,
            by=by,
            now=now,
            notes=notes.strip(),
        )
        sync_grants(session, assignment.staff)
        holds.begin(session, now=now)
        notices.drop_if_complete(session)
        notices.tell([assignment.staff], "session_assigned", session, by=by)
        touch(session, by=by, now=now)
    return assignment


def reassign(
    session: Session,
    *,
    assignment_id: int,
    photographer_id: int,
    by: "User",
    now: datetime,
    coverage: Span | None = None,
) -> StaffReservation:
    """Another photographer instead of this one (business rules 10.4): both are told, and only the new one still sees
    it.

    ``coverage`` is the old one's unless given. Raises ``PhotographerNotAvailable``, ``InvalidInput``.
    """
    with audit.act():
        session = require_open(session, by=by)
        old = _assignment(session, assignment_id)
        coverage = coverage or old.span
        _refuse_stray_coverage(session, coverage)
        if old.staff_id == photographer_id:
            raise InvalidInput(_("That is who has it already."), field="photographer")
        new = booking.replace_staff(old, staff_id=photographer_id, coverage=coverage, by=by, now=now)
        hand_over(session, old.staff, new.staff, by=by)
        touch(session, by=by, now=now)
    return new


def hand_over(session: Session, old: "User", new: "User", *, by: "User") -> None:
    """What follows when one has come instead of another, in the act that did it: both are told, and only the new one
    still sees the session."""
    for person in (old, new):
        sync_grants(session, person)
    notices.drop(session, notices.TO_PHOTOGRAPHERS, people=[old])
    notices.tell([old], "assignment_changed", session, by=by, variant="off")
    notices.tell([new], "assignment_changed", session, by=by)


def take_off(session: Session, *, assignment_id: int, by: "User", now: datetime) -> None:
    """Take a photographer off without another one. The last one of an assigned session stays: ``MissingResources``."""
    with audit.act():
        session = require_open(session, by=by)
        old = _assignment(session, assignment_id)
        if session.status in workflow.FROM_ASSIGNED_ON and current(session).count() == 1:
            raise MissingResources(
                _("An assigned session keeps a photographer: put another one in their place instead."),
                field="photographer",
                details={"missing": ["photographer"]},
            )
        was_lead = old.is_lead_photographer
        booking.take_off(old, now=now)
        if was_lead:
            booking.lead(session.pk, current(session).order_by("id").first())
        holds.end_if_nothing_is_held(session)
        sync_grants(session, old.staff)
        notices.drop(session, notices.TO_PHOTOGRAPHERS, people=[old.staff])
        notices.tell([old.staff], "assignment_changed", session, by=by, variant="off")
        touch(session, by=by, now=now)


def change_coverage(
    session: Session, *, assignment_id: int, coverage: Span, by: "User", now: datetime
) -> StaffReservation:
    """Other hours or other travel for one photographer. Raises ``PhotographerNotAvailable``."""
    with audit.act():
        session = require_open(session, by=by)
        assignment = _assignment(session, assignment_id)
        _refuse_stray_coverage(session, coverage)
        booking.change_coverage(assignment, coverage=coverage)
        when = coverage.start.isoformat()
        notices.tell([assignment.staff], "coverage_changed", session, by=by, when=when)
        touch(session, by=by, now=now)
    return assignment


def make_lead(session: Session, *, assignment_id: int, by: "User", now: datetime) -> None:
    with audit.act():
        session = require_open(session, by=by)
        booking.lead(session.pk, _assignment(session, assignment_id))
        touch(session, by=by, now=now)


def change_editor(session: Session, *, editor: "User", by: "User", now: datetime) -> Session:
    """An Admin gives a session in editing to another editor (D11). Audited."""
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.SESSION_ASSIGN_RESOURCES)
        if not is_admin(by):
            raise AccessDenied(user=by, perm=Perm.SESSION_EDIT_ALL, obj=session)
        if session.status not in (workflow.IN_EDITING, workflow.READY):
            raise InvalidStateTransition(
                _("The editor changes while the session is in editing or ready."),
                details={"current": session.status, "failed": ["not_in_editing"]},
            )
        if Role.EDITOR not in roles_of(editor):
            raise InvalidInput(_("Choose somebody who is an editor."), field="editor")
        old, session.assigned_editor = session.assigned_editor, editor
        touch(session, by=by, now=now)
        for person in {old, editor} - {None}:
            sync_grants(session, person)
        audit.record("admin_override", by=by, about=session, act="change_editor", editor=editor.full_name)
        if old is not None:
            notices.drop(session, notices.TO_EDITORS, people=[old])
            notices.tell([old], "session_taken_from_edit", session, by=by)
        notices.tell([editor], "session_given_to_edit", session, by=by)
    return session


def require_open(session: Session, *, by: "User") -> Session:
    """The session, locked, whose photographers and room this person may change now; see ``reach``."""
    locked = locked_for(session, by=by, perm=Perm.SESSION_ASSIGN_RESOURCES)
    refuse_appointment(locked)
    require_people_open(locked)
    return locked


def current(session: Session) -> QuerySet[StaffReservation]:
    return session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED)


def _assignment(session: Session, assignment_id: int) -> StaffReservation:
    row = current(session).filter(pk=assignment_id).select_related("staff").first()
    if row is None:
        raise InvalidInput(
            _("This photographer is not on the session any more."),
            field="photographer",
            details={"assignment": assignment_id},
        )
    return row


def _refuse_stray_coverage(session: Session, coverage: Span) -> None:
    """A coverage meets its session, and reaches a day beyond it at most; any other was meant for another day."""
    if not coverage.overlaps(session.span):
        raise InvalidInput(_("The coverage does not meet the session's own time."), field="coverage_start_time")
    longest = session.span.widened(LONGEST_WAY, LONGEST_WAY)
    for is_far, field in (
        (coverage.start < longest.start, "coverage_start_time"),
        (coverage.end > longest.end, "coverage_end_time"),
    ):
        if is_far:
            raise InvalidInput(
                _("The coverage begins at most 24 hours before the session and ends at most 24 hours after it."),
                field=field,
                details={"earliest": longest.start.isoformat(), "latest": longest.end.isoformat()},
            )
