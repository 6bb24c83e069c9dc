"""Closures: when a room is not to be had, such as for maintenance (permissions: session.assign-resources).

A closure is a reservation of the room without a session, under the same exclusion: where a session has the room there
is no closure, and in a closure there is no session.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from scheduling import booking
from scheduling.models import Room, RoomReservation, RoomStatus
from scheduling.slots import Span
from sessions_app.actions import absence
from studio import audit
from studio.access import require
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User


def close(room: Room, *, span: Span, by: "User", now: datetime, notes: str = "") -> RoomReservation:
    """Take ``span`` of a room's time out of the calendar.

    Raises ``AccessDenied``; ``RoomNotAvailable`` with the sessions in the way; ``InvalidInput`` for more than 366 days
    and for days before today (an Admin may enter them, audited).
    """
    with audit.act():
        require(by, Perm.SESSION_ASSIGN_RESOURCES)
        absence.refuse_span(
            span,
            by=by,
            now=now,
            too_long=_("A room is closed for %(days)d days at most: put down the rest as another closure."),
            too_early=_("A closure begins today or later."),
        )
        row = booking.close_room(room_id=room.pk, span=span, by=by, now=now, notes=notes.strip())
        row.refresh_from_db()
        audit.record("room_closed", by=by, about=row, **_facts(row, past=absence.is_past(span, now)))
    return row


def end(reservation_id: int, *, by: "User", now: datetime) -> RoomReservation:
    """What has not begun is canceled, what goes on ends now; what is over stays as it was.

    Raises ``AccessDenied``, ``NotFound`` for what is not there, ``InvalidInput`` for what is over.
    """
    with audit.act():
        require(by, Perm.SESSION_ASSIGN_RESOURCES)
        row = booking.lock_closure(reservation_id)
        if row is None:
            raise NotFound
        if row.ends_at <= now:
            raise InvalidInput(_("This closure is over."))
        has_begun = row.starts_at < now
        booking.open_room(row, now=now)
        row.refresh_from_db()
        audit.record("closure_ended" if has_begun else "closure_canceled", by=by, about=row, **_facts(row))
    return row


def ahead(*, now: datetime) -> QuerySet[RoomReservation]:
    """The closures that are not over, of all rooms."""
    rows = RoomReservation.objects.holding().filter(session__isnull=True, during__endswith__gt=now)
    return rows.select_related("room", "created_by").order_by("during", "id")


def rooms() -> QuerySet[Room]:
    """Those that can be closed: one that is out of use is not to be had anyway."""
    return Room.objects.filter(status=RoomStatus.ACTIVE).order_by("name", "id")


def _facts(row: RoomReservation, **more: object) -> dict[str, object]:
    return {"room": row.room.name, "starts_at": row.starts_at, "ends_at": row.ends_at, "notes": row.notes, **more}
