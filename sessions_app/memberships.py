"""Who is on a session, and the grants that follow from it (permissions, object level; D34)."""

from typing import TYPE_CHECKING

from scheduling.models import AssignmentStatus
from studio.access import grant, revoke
from studio.roles import Perm

if TYPE_CHECKING:
    from sessions_app.models import Session
    from studio.models import User

GRANTED = (
    Perm.SESSION_VIEW_OWN,
    Perm.SESSION_MARK_ATTENDED,
    Perm.SESSION_MARK_READY,
    Perm.APPOINTMENT_MANAGE_OWN,
)


def grants_due(session: "Session", user: "User") -> frozenset[Perm]:
    """The object permissions that this person ought to hold: reckoned anew from what is written, for each of their
    parts."""
    due: set[Perm] = set()
    on_it = session.assignments.filter(staff=user).exclude(assignment_status=AssignmentStatus.REASSIGNED)
    if on_it.exists():
        due.add(Perm.SESSION_VIEW_OWN)
        due.add(Perm.APPOINTMENT_MANAGE_OWN if session.is_appointment else Perm.SESSION_MARK_ATTENDED)
    if session.assigned_editor_id == user.pk:
        due |= {Perm.SESSION_VIEW_OWN, Perm.SESSION_MARK_READY}
    return frozenset(due)


def sync_grants(session: "Session", user: "User") -> None:
    """Give and take back until the grants are those due: taking back is as important as giving."""
    due = grants_due(session, user)
    for perm in GRANTED:
        if perm in due:
            grant(user, perm, session)
        else:
            revoke(user, perm, session)
