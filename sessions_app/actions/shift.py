"""Move an appointment on the board: to another start, and what it lasts stays."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from scheduling.slots import Span, lasting
from sessions_app.actions import appoint
from sessions_app.models import Session
from sessions_app.models.session import lock_session
from studio.errors import InvalidInput

if TYPE_CHECKING:
    from studio.models import User


def shift_appointment(
    session: Session,
    *,
    start: datetime,
    by: "User",
    now: datetime,
    end: datetime | None = None,
    artist_id: int | None = None,
) -> Session:
    """To ``start``, until ``end`` or for as long as it lasts by now, and to another artist. Raises as ``change``."""
    with appoint.together():
        # Locked before its length is read: somebody may be making it longer at this moment.
        session = lock_session(session.pk)
        try:
            span = Span(start, end) if end else lasting(start, session.span.duration)
        except ValueError as wrong:
            raise InvalidInput(_("An appointment ends after it starts."), field="end") from wrong
        return appoint.change(session, by=by, now=now, span=span, artist_id=artist_id)
