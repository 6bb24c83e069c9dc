"""The common beginning of every action: the session locked, the person entitled, the state open for it."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from sessions_app import sentences, workflow
from sessions_app.models import Session
from sessions_app.models.session import lock_session
from studio import audit
from studio.access import allows
from studio.errors import AccessDenied, InvalidInput, SessionNotFound
from studio.roles import Perm, is_admin

if TYPE_CHECKING:
    from studio.models import User


def locked_for(session: Session, *, by: "User", perm: Perm) -> Session:
    """The session, locked, for somebody who may ``perm`` on it.

    Raises ``SessionNotFound`` when it is out of their reach and ``AccessDenied`` when the permission is missing (D36).
    """
    locked = lock_session(session.pk)
    require_reach(locked, by=by, perm=perm)
    return locked


def require_reach(session: Session, *, by: "User", perm: Perm) -> None:
    if not is_admin(by) and not Session.objects.visible_to(by).filter(pk=session.pk).exists():
        raise SessionNotFound(user=by, perm=perm, obj=session)
    if not allows(by, perm, session):
        raise AccessDenied(user=by, perm=perm, obj=session)


def require_editable(session: Session, *, by: "User", now: datetime, what: str) -> None:
    """Lines, price, date and place are open (business rules 6.3), or ``by`` is an Admin: then it is audited (D15).

    Raises ``ImmutableSession`` (D36). ``what`` names the edit in the audit log.
    """
    blocker = workflow.edit_blocker(session.status, session.changes_deadline, now)
    if blocker is None:
        return
    if not is_admin(by):
        raise sentences.error_of(blocker, session=session.code, current=session.status)
    audit.record("admin_override", by=by, about=session, act=what, status=session.status)


def refuse_appointment(session: Session) -> None:
    """An appointment has an artist, and acts of its own (``actions.appoint``)."""
    if session.is_appointment:
        raise InvalidInput(_("This is an appointment: change it on its own page."), details={"failed": ["appointment"]})


def require_people_open(session: Session) -> None:
    """Photographers and rooms may still change (business rules 10.4): never once it is over, not even for an Admin.

    A canceled or completed session that held somebody's time again would block it for nothing (D34).
    """
    blocker = workflow.people_blocker(session.status)
    if blocker is not None:
        raise sentences.error_of(blocker, session=session.code, current=session.status)


def touch(session: Session, *, by: "User", now: datetime) -> None:
    """Save what an action changed on the session."""
    session.updated_at, session.updated_by = now, by
    session.save()
