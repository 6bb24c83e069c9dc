"""Open a request and edit what, when and where (business rules 1.3, 3; D2, D16, D33)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from scheduling import booking
from scheduling.models import StaffReservation
from scheduling.slots import Span, local_span, moved_with
from sessions_app import deadlines, history_lines, holds, notices, sentences, workflow
from sessions_app.actions import book
from sessions_app.actions.reach import locked_for, refuse_appointment, require_editable, touch
from sessions_app.clients import record_of
from sessions_app.effects import people_on
from sessions_app.models import Client, Session
from sessions_app.states import SessionType
from studio import audit
from studio.access import require
from studio.conf import STUDIO
from studio.errors import InvalidInput, StudioError
from studio.roles import Perm, is_admin

if TYPE_CHECKING:
    from studio.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A local date and two local times; an end not after the start means the next day (D2)."""

    session_date: date
    start_time: time
    end_time: time

    def span(self) -> Span:
        """Raises ``InvalidInput`` for a time that a DST change skips, and for more hours than the setting."""
        try:
            span = local_span(self.session_date, self.start_time, self.end_time)
        except (ValueError, OverflowError) as wrong:
            raise no_such_time() from wrong
        return _believed(span)


@dataclass(frozen=True, slots=True)
class At:
    """The instants themselves: also the second of two equal hours when the clocks go back."""

    exactly: Span

    def span(self) -> Span:
        """Raises ``InvalidInput`` for more hours than the setting."""
        return _believed(self.exactly)


def no_such_time() -> InvalidInput:
    """The clocks skip it, or it is beyond the calendar."""
    return InvalidInput(_("This date and time do not exist in the studio's time zone."), field="start_time")


def _believed(span: Span) -> Span:
    if span.duration > timedelta(hours=STUDIO.max_session_hours):
        raise InvalidInput(
            _("A session lasts %(hours)d hours at most.") % {"hours": STUDIO.max_session_hours}, field="end_time"
        )
    return span


def open_request(
    *,
    client: Client,
    session_type: str,
    when: When | At,
    by: "User",
    now: datetime,
    location: str = "",
    event_description: str = "",
    special_notes: str = "",
    room_id: int | None = None,
    photographer_ids: tuple[int, ...] = (),
    coverages: Mapping[int, Span] | None = None,
) -> Session:
    """Write a client's request down; a room and photographers that it names are held from now on (D33).

    ``coverages`` say by person where somebody is needed for another time than the session's own: with the way, or for a
    part of it.

    Raises ``AccessDenied``; ``InvalidSessionDate`` for the past (an Admin may enter it, audited, D16);
    ``RoomNotAvailable`` and ``PhotographerNotAvailable`` with nothing written; ``InvalidInput`` for a client that is
    not active, an external session without a place.
    """
    from sessions_app.actions import people

    with audit.act():
        require(by, Perm.SESSION_CREATE)
        # Locked: whoever deletes the client at this moment sees this session, or is seen here.
        client = Client.objects.select_for_update(no_key=True).bookable().filter(pk=client.pk).first()
        if client is None:
            raise InvalidInput(_("The client is not active."), field="client")
        span = when.span()
        _refuse_past(workflow.REQUEST, span, by=by, now=now)
        _refuse_bad_place(session_type, location, room_id)
        percentage = record_of(client).deposit_percentage
        session = Session.open(
            by=by,
            now=now,
            client=client,
            session_type=session_type,
            starts_at=span.start,
            ends_at=span.end,
            location=location.strip(),
            event_description=event_description.strip(),
            special_notes=special_notes.strip(),
            deposit_percentage=percentage,
            estimated_editing_days=STUDIO.default_editing_days,
        )
        if span.start <= now:
            audit.record("retroactive_entry", by=by, about=session, session_date=str(session.session_date))
        # People before rooms, as everywhere: two requests for the same pair then cannot wait for each other.
        booking.lock_people(photographer_ids)
        for position, photographer_id in enumerate(photographer_ids):
            people.assign_photographer(
                session,
                photographer_id=photographer_id,
                coverage=(coverages or {}).get(photographer_id, span),
                lead=position == 0,
                by=by,
                now=now,
            )
        if room_id is not None:
            people.give_room(session, room_id=room_id, by=by, now=now)
        if photographer_ids or room_id is not None:
            session.refresh_from_db()
    return session


def open_for_new_client(client: Client, *, by: "User", now: datetime, **request: Any) -> Session:
    """Write a new client and their request down in one act: a request that is refused leaves no client behind.

    ``client`` is not saved yet; ``request`` is what ``open_request`` takes. Raises as it does, and ``InvalidInput``
    for an e-mail that another client has, naming them.
    """
    with audit.act():
        require(by, Perm.SESSION_CREATE)
        return open_request(client=add_unknown_client(client, by=by), by=by, now=now, **request)


def add_unknown_client(client: Client, *, by: "User") -> Client:
    """Write down a client who is not in the book; in the caller's act. Raises ``InvalidInput``, naming who is."""
    client.clean()
    known = Client.objects.filter(email__iexact=client.email).first()
    if known is not None:
        raise _email_known(known)
    try:
        with transaction.atomic():
            return book.add_client(client, by=by)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) != "client_email_unique":
            raise
        raise _email_known(Client.objects.get(email__iexact=client.email)) from error


def _email_known(client: Client) -> InvalidInput:
    if client.deleted_at is not None:
        text = _("%(client)s has this e-mail and was deleted from the client book.")
    else:
        text = _("%(client)s has this e-mail already: choose them as the client.")
    return InvalidInput(text % {"client": client.full_name}, field="email", details={"client": client.pk})


def edit(
    session: Session,
    *,
    when: When | At,
    by: "User",
    now: datetime,
    session_type: str | None = None,
    location: str | None = None,
    event_description: str | None = None,
    special_notes: str | None = None,
) -> Session:
    """Change what, when and where. Everything that the session holds moves with it, or nothing changes.

    Raises ``ImmutableSession``, ``InvalidSessionDate``, ``RoomNotAvailable``, ``PhotographerNotAvailable``,
    ``InvalidInput``.
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.SESSION_EDIT_PRE_ASSIGNED)
        refuse_appointment(session)
        require_editable(session, by=by, now=now, what="edit")
        old, new = session.span, when.span()
        session_type = session_type or session.session_type
        location = session.location if location is None else location
        _refuse_bad_place(session_type, location, None)
        if session_type != session.session_type:
            _change_type(session, session_type, now=now)
        session.location = location.strip()
        if event_description is not None:
            session.event_description = event_description.strip()
        if special_notes is not None:
            session.special_notes = special_notes.strip()
        if new != old:
            _move(session, old, new, by=by, now=now)
        touch(session, by=by, now=now)
    return session


def _move(session: Session, old: Span, new: Span, *, by: "User", now: datetime) -> None:
    """Re-validate everything that the session holds at its new time (business rules 3; D4)."""
    _refuse_past(session.status, new, by=by, now=now)
    held = StaffReservation.objects.holding().filter(session=session)
    coverages = {row.pk: moved_with(row.span, old, new) for row in held}
    booking.move(session.pk, span=new, coverages=coverages)
    session.starts_at, session.ends_at = new.start, new.end
    holds.move_with(session, began=old.start, now=now)
    if session.changes_deadline is not None:
        session.changes_deadline = deadlines.changes_deadline(session.session_date)
    if session.estimated_delivery_date is not None:
        session.estimated_delivery_date = deadlines.estimated_delivery_date(
            session.session_date, session.estimated_editing_days
        )
    if session.starts_at <= now and is_admin(by):
        audit.record("retroactive_entry", by=by, about=session, session_date=str(session.session_date))
    audit.record(history_lines.MOVED, by=by, about=session, **history_lines.from_to(old, new))
    notices.tell(people_on(session), "session_moved", session, by=by)


def _change_type(session: Session, session_type: str, *, now: datetime) -> None:
    if session_type not in workflow.SHOOTS:
        raise InvalidInput(_("Choose a type of session."), field="session_type")
    if session.status in workflow.FROM_ASSIGNED_ON:
        raise InvalidInput(_("An assigned session keeps its type."), field="session_type")
    if session_type == SessionType.EXTERNAL:
        booking.release_room(session_id=session.pk, now=now)
        session.room = None
        holds.end_if_nothing_is_held(session)
    elif session.transportation_cost:
        raise InvalidInput(
            _("A studio session has no transportation: take it off the price first."), field="session_type"
        )
    session.session_type = session_type


def _refuse_past(status: str, span: Span, *, by: "User", now: datetime) -> None:
    local = replace_zone(span)
    blocker = workflow.date_blocker(status, local.start.date(), local.start, now, is_admin(by))
    if blocker is not None:
        raise sentences.error_of(blocker)


def replace_zone(span: Span) -> Span:
    return replace(span, start=span.start.astimezone(STUDIO.zone), end=span.end.astimezone(STUDIO.zone))


def _refuse_bad_place(session_type: str, location: str, room_id: int | None) -> None:
    wrong: StudioError | None = None
    if session_type not in workflow.SHOOTS:
        wrong = InvalidInput(_("Choose a type of session."), field="session_type")
    elif session_type == SessionType.EXTERNAL and not location.strip():
        wrong = InvalidInput(_("An external session needs a place."), field="location")
    elif session_type == SessionType.EXTERNAL and room_id is not None:
        wrong = InvalidInput(_("An external session has no room."), field="room")
    if wrong is not None:
        raise wrong
