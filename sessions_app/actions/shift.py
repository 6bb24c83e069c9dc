"""Move what was booked: an appointment on the board, and anything in the calendar; all of it or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from scheduling import booking
from scheduling.models import StaffReservation
from scheduling.slots import Span, lasting, moved_with
from sessions_app import holds, sentences
from sessions_app.actions import appoint, people, request
from sessions_app.actions.reach import locked_for, touch
from sessions_app.actions.request import At
from sessions_app.models import Session
from sessions_app.models.session import lock_session
from studio import audit
from studio.errors import InvalidInput, InvalidStateTransition
from studio.roles import Perm

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What a session gets instead of what it has; what is not given stays.

    ``room_was``: the room that the change began from, where that is known. ``instead``: who comes, by who goes.
    ``added`` comes to a session that has nobody yet.
    """

    span: Span | None = None
    room_id: int | None = None
    room_was: int | None = None
    instead: Mapping[int, int] = field(default_factory=dict)
    added: int | None = None

    @property
    def newcomers(self) -> list[int]:
        return [*self.instead.values(), *([self.added] if self.added is not None else [])]


def shift(session: Session, *, to: Shift, seen: Span, by: "User", now: datetime) -> Session:
    """Another time, another room, other people in one act: one refusal leaves everything as it was.

    ``seen`` is when it was in the calendar that is acted upon: an old one takes nobody's change back. Raises
    ``InvalidStateTransition`` when it was moved meanwhile, and what ``request.edit``, ``people`` and
    ``appoint.change`` raise.
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.SESSION_VIEW_OWN)
        if _in_utc(session.span) != _in_utc(seen):
            raise _moved_meanwhile(session)
        if to.room_id is not None and to.room_was not in (None, session.room_id):
            raise _in_another_room()
        if to.span is not None:
            to = replace(to, span=_in_utc(to.span))
        if session.is_appointment:
            return appoint.change(session, by=by, now=now, span=to.span, artist_id=_artist(session, to))
        return _shift_shoot(session, to, by=by, now=now)


def _shift_shoot(session: Session, to: Shift, *, by: "User", now: datetime) -> Session:
    """Who and what goes is let go first, so that it does not stand in the way of the new time."""
    old = _in_utc(session.span)
    new = to.span or old
    going = _going(session, to, by=by)
    _lock(session, to)
    led = {row.pk for row in going if row.is_lead_photographer}
    for row in going:
        booking.take_off(row, now=now)
    changes_room = to.room_id is not None and to.room_id != session.room_id
    if new != old:
        if changes_room:
            booking.release_room(session_id=session.pk, now=now)
        session = request.edit(session, when=At(new), by=by, now=now)
    for row in going:
        coming = booking.reserve_staff(
            session_id=session.pk,
            staff_id=to.instead[row.staff_id],
            coverage=moved_with(row.span, old, new),
            lead=row.pk in led,
            by=by,
            now=now,
            notes=row.notes,
        )
        people.hand_over(session, row.staff, coming.staff, by=by)
    if going:
        holds.begin(session, now=now)
        touch(session, by=by, now=now)
    if to.added is not None:
        people.assign_photographer(session, photographer_id=to.added, coverage=new, by=by, now=now)
    if changes_room:
        session = people.give_room(session, room_id=to.room_id, by=by, now=now)
    return session


def _going(session: Session, to: Shift, *, by: "User") -> list[StaffReservation]:
    """Those who give their place to somebody else. Raises ``InvalidInput`` when they are not on it any more."""
    if not to.newcomers:
        return []
    people.require_open(session, by=by)
    rows = {row.staff_id: row for row in people.current(session).select_related("staff")}
    gone = [staff_id for staff_id in to.instead if staff_id not in rows]
    if gone:
        raise InvalidInput(
            _("This photographer is not on the session any more."), field="person", details={"photographer": gone[0]}
        )
    return [rows[staff_id] for staff_id in sorted(to.instead)]


def _lock(session: Session, to: Shift) -> None:
    """Everybody and every room that it touches, people before rooms and each by id: the acts below only lock these."""
    held = StaffReservation.objects.holding().filter(session=session).values_list("staff_id", flat=True)
    booking.lock_people({*held, *to.newcomers})
    booking.lock_rooms({session.room_id, to.room_id} - {None})


def _artist(session: Session, to: Shift) -> int | None:
    if to.room_id is not None:
        raise InvalidInput(_("An appointment has no room."), field="room")
    artist = session.artist
    if artist is None or set(to.instead) - {artist.pk} or to.added is not None:
        raise InvalidInput(_("The appointment has another artist by now."), field="artist")
    return to.instead.get(artist.pk)


def _in_utc(span: Span) -> Span:
    """Local times of the hour that the clocks repeat are equal to no other time, as Python compares them."""
    return Span(span.start.astimezone(UTC), span.end.astimezone(UTC))


def _in_another_room() -> InvalidStateTransition:
    text = _("Somebody gave it another room meanwhile. Look again, then move it.")
    return InvalidStateTransition(text, details={"failed": ["moved_meanwhile"]})


def _moved_meanwhile(session: Session) -> InvalidStateTransition:
    text = _("Somebody moved it meanwhile: it is now from %(start)s to %(end)s. Look again, then move it.")
    start, end = session.span.start, session.span.end
    return InvalidStateTransition(
        text % {"start": sentences.local(start), "end": sentences.local(end)},
        details={"failed": ["moved_meanwhile"], "starts_at": start.isoformat(), "ends_at": end.isoformat()},
    )
