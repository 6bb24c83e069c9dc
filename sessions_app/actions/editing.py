"""What editors do besides taking and finishing: observations, and another delivery date (business rules 10.3)."""

from datetime import date, datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from sessions_app import mail, workflow
from sessions_app.actions.reach import locked_for, touch
from sessions_app.deadlines import estimated_delivery_date
from sessions_app.models import Session
from studio import audit
from studio.conf import STUDIO
from studio.errors import ImmutableSession, InvalidInput
from studio.roles import Perm, is_admin

if TYPE_CHECKING:
    from studio.models import User

LONGEST_EDITING = 365


def observe(session: Session, *, observations: str, by: "User", now: datetime) -> Session:
    """The assigned editor's observations, while the session is in editing or ready (Admin: always, audited, D15)."""
    with audit.act():
        session = _in_hand(session, by=by, states=(workflow.IN_EDITING, workflow.READY), what="observe", for_admin=True)
        session.editor_observations = observations.strip()
        touch(session, by=by, now=now)
    return session


def move_delivery(session: Session, *, editing_days: int, note: str, by: "User", now: datetime) -> Session:
    """Another number of editing days, counted from the session's date; the client is told the new date.

    The note goes to the editor's observations with the day. Raises ``InvalidInput`` for no note, no change, a number
    below one or beyond a year; ``ImmutableSession`` outside of In Editing.
    """
    with audit.act():
        session = _in_hand(session, by=by, states=(workflow.IN_EDITING,), what="move_delivery")
        if not 1 <= editing_days <= LONGEST_EDITING:
            raise InvalidInput(_("Editing takes from 1 to 365 days."), field="editing_days")
        if not note.strip():
            raise InvalidInput(_("Say why the date moves."), field="note")
        delivery = estimated_delivery_date(session.session_date, editing_days)
        if delivery == session.estimated_delivery_date:
            raise InvalidInput(_("That is the date it has already."), field="editing_days")
        session.estimated_editing_days = editing_days
        session.estimated_delivery_date = delivery
        session.editor_observations = _with_note(session.editor_observations, note, now)
        touch(session, by=by, now=now)
        mail.drop(session, ["delivery_date_email"])
        mail.queue("delivery_date_email", session, occasion=now.isoformat())
        audit.record("delivery_moved", by=by, about=session, delivery=delivery.isoformat(), note=note.strip())
    return session


def _in_hand(session: Session, *, by: "User", states: tuple[str, ...], what: str, for_admin: bool = False) -> Session:
    locked = locked_for(session, by=by, perm=Perm.SESSION_MARK_READY)
    is_open = locked.status in states
    if not is_open and not (for_admin and is_admin(by)):
        raise ImmutableSession(_("This is open while the session is in editing."), details={"current": locked.status})
    if not is_open or locked.assigned_editor_id != by.pk:
        # The grant is the editor's: whoever else comes here is an Admin (D12, D15).
        audit.record("admin_override", by=by, about=locked, act=what, status=locked.status)
    return locked


def _with_note(observations: str, note: str, now: datetime) -> str:
    day: date = now.astimezone(STUDIO.zone).date()
    return f"{observations}\n{day.isoformat()}: {note.strip()}".strip()
