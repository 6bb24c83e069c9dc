"""What photographers do: mark attendance, leave observations, report incidents (business rules 1.3, 10.2; D10)."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from scheduling import booking
from sessions_app import sentences, workflow
from sessions_app.actions.reach import locked_for, touch
from sessions_app.models import Session
from studio import audit
from studio.errors import ImmutableSession
from studio.roles import Perm, is_admin

if TYPE_CHECKING:
    from studio.models import User

NOTES_OPEN = frozenset({workflow.ASSIGNED, workflow.ATTENDED, workflow.IN_EDITING, workflow.READY})


def mark_attended(session: Session, *, by: "User", now: datetime) -> Session:
    """The first mark moves the session; every other photographer of it still marks their own attendance (D10).

    Raises what the transition raises; a second mark of the same person is ``InvalidStateTransition``.
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.SESSION_MARK_ATTENDED)
        if session.status == workflow.ASSIGNED:
            return session.attend(by=by, now=now)
        # Completed is read only (business rules 1.3).
        already_shot = session.status in NOTES_OPEN
        if not already_shot or not booking.note_attendance(session_id=session.pk, staff_id=by.pk, now=now):
            raise sentences.wrong_state(session, workflow.PHOTOGRAPHY["attend"], by)
    return session


def write_notes(session: Session, *, observations: str, incidents: str, by: "User", now: datetime) -> Session:
    """A photographer's observations and incidents, from the day of the shoot to the delivery.

    For those who may mark the shoot attended. Raises ``ImmutableSession`` before and after (Admin: audited).
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.SESSION_MARK_ATTENDED)
        if session.status not in NOTES_OPEN:
            if not is_admin(by):
                raise ImmutableSession(
                    _("Observations are written from Assigned until the delivery."),
                    details={"current": session.status},
                )
            audit.record("admin_override", by=by, about=session, act="write_notes", status=session.status)
        session.photographer_observations = observations.strip()
        session.reported_incidents = incidents.strip()
        touch(session, by=by, now=now)
    return session
