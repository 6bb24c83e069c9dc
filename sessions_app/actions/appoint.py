"""Book and change an artist's appointment (tattoo service; D25, D26, D38, D39). The moves are ``Session``'s own doors.

Artists do all of it for themselves, coordinators for everybody. ``by=None`` is a program that calls the service
functions (``sessions_app.appointments``).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from scheduling import booking
from scheduling.availability import in_the_way
from scheduling.models import AssignmentStatus, StaffReservation
from scheduling.slots import Span
from sessions_app import history_lines, notices, sentences, workflow
from sessions_app.actions import commission
from sessions_app.actions import price as pricing
from sessions_app.actions.reach import require_reach
from sessions_app.memberships import sync_grants
from sessions_app.models import Client, Session
from sessions_app.models.session import lock_session
from studio import audit
from studio.access import allows
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, StudioError
from studio.roles import Perm, Role

if TYPE_CHECKING:
    from studio.models import User

LONGEST_SERIES = 52
# Beyond it an end before the start is a slip of the pen, not a night.
LONGEST_NIGHT = timedelta(hours=12)
# What is left of a title before its place: " 52/52".
SERIES_TITLE = 244


class Unchanged:
    """Said of what a change leaves as it is, where ``None`` is a value of its own."""


UNCHANGED: Any = Unchanged()


@dataclass(frozen=True, slots=True)
class Clash:
    """One sitting of a series that cannot be, and why."""

    span: Span
    error: StudioError


def book(
    *,
    client: Client,
    artist_id: int,
    span: Span,
    by: "User | None",
    now: datetime,
    price: Decimal | None = None,
    title: str = "",
    notes: str = "",
    tentative: bool = False,
    holds: bool = True,
) -> Session:
    """Book an artist: active at once, or on hold when it is ``tentative`` (D26). Any time, also past (D38).

    ``price`` in the studio's currency, None while it is open (D39). The artist's minutes before and after are held as
    well; without ``holds`` nothing is: for what the caller cancels in the same act (D26). Raises ``AccessDenied``;
    ``PhotographerNotAvailable`` with what is in the way and nothing written; ``InvalidInput`` for a client who is not
    active or not theirs, somebody who is no artist, a bad price or span.
    """
    with audit.act():
        _require_books_for(artist_id, by)
        _refuse_bad_span(span)
        client = _bookable(client, by)
        session = Session.open(
            by=by or _acting_artist(artist_id),
            now=now,
            client=client,
            session_type=workflow.APPOINTMENT,
            status=workflow.WAITING if tentative else workflow.ACTIVE,
            starts_at=span.start,
            ends_at=span.end,
            event_description=title.strip(),
            special_notes=notes.strip(),
            deposit_percentage=0,
            estimated_editing_days=STUDIO.default_editing_days,
            **pricing.entered(price),
        )
        row = _hold(session, artist_id, span, by=by, now=now, holds=holds)
        sync_grants(session, row.staff)
        notices.tell([row.staff], "appointment_booked", session, by=by)
    return session


def book_for_new_client(client: Client, *, by: "User", now: datetime, **appointment: Any) -> Session:
    """Write a new client and their appointment down in one act: one that is refused leaves no client behind.

    ``client`` is not saved yet, ``appointment`` is what ``book`` takes. An artist keeps no client book: somebody whose
    e-mail is in it already is booked as they are there, which stands in the audit log (ADR 13). Raises as ``book``, and
    for the office ``InvalidInput`` for an e-mail that another client has.
    """
    with audit.act():
        _require_books_for(appointment["artist_id"], by)
        return book(client=_written_down(client, by=by), by=by, now=now, **appointment)


def book_series(
    spans: Sequence[Span], *, client: Client, by: "User", now: datetime, title: str = "", **appointment: Any
) -> list[Session]:
    """Book the same for several times, all or none; ``clashes`` tells before.

    Each is called by its place: "Sleeve 1/6". A client who is not saved yet is written down in the same act, as by
    ``book_for_new_client``. Raises ``InvalidInput`` with every clash in ``details``, and as ``book`` does.
    """
    if not 1 <= len(spans) <= LONGEST_SERIES:
        raise InvalidInput(
            _("A series has 1 to %(most)d sittings.") % {"most": LONGEST_SERIES}, field="times", details={}
        )
    with audit.act():
        _require_books_for(appointment["artist_id"], by)
        whose: Client | _Vouched = client if client.pk is not None else _written_down(client, by=by)
        # The client before the artist, as in every booking: two acts then never wait for each other.
        _bookable(whose, by)
        found = clashes(spans, artist_id=appointment["artist_id"], lock=True)
        if found:
            raise InvalidInput(
                _("Nothing was booked: %(clashes)s") % {"clashes": " ".join(each.error.message for each in found)},
                field="times",
                details={"failed": ["clashes"], "clashes": [each.error.details for each in found]},
            )
        name = (title.strip() or client.full_name)[:SERIES_TITLE]
        return [
            book(client=whose, span=span, title=f"{name} {place}/{len(spans)}", by=by, now=now, **appointment)
            for place, span in enumerate(spans, start=1)
        ]


def clashes(spans: Sequence[Span], *, artist_id: int, lock: bool = False) -> list[Clash]:
    """The sittings that cannot be: somebody else has the time, or two of them have each other's."""
    people = booking.lock_people([artist_id]) if lock else get_user_model().objects.in_bulk([artist_id])
    artist = people.get(artist_id)
    if artist is None:
        return []
    found: list[Clash] = []
    taken: list[Span] = []
    for span in spans:
        held = buffered(artist, span)
        rows = list(in_the_way(StaffReservation, artist.pk, held, None).select_related("session")[:5])
        if rows:
            found.append(Clash(span, booking.person_taken(artist, rows)))
        elif any(held.overlaps(other) for other in taken):
            found.append(
                Clash(
                    span,
                    InvalidInput(
                        _("%(when)s meets another sitting of the series.") % {"when": sentences.local(span.start)}
                    ),
                )
            )
        taken.append(held)
    return found


def change(
    session: Session,
    *,
    by: "User | None",
    now: datetime,
    span: Span | None = None,
    artist_id: int | None = None,
    price: Decimal | None = UNCHANGED,
    title: str = UNCHANGED,
    notes: str = UNCHANGED,
    commission_override: Decimal | None = UNCHANGED,
) -> Session:
    """Change what is given, whole or not at all: time, artist, price, notes, the commission agreed for it.

    Raises ``SessionNotFound``, ``AccessDenied`` (also for an artist who gives it to another one, or sets their own
    commission), ``ImmutableSession`` once it is over, ``PhotographerNotAvailable`` with what is in the way, and
    ``InvalidInput``.
    """
    with audit.act():
        session = lock_session(session.pk)
        _require_manages(session, by)
        blocker = workflow.edit_blocker(session.status, None, now)
        if blocker is not None:
            raise sentences.error_of(blocker, session=session.code, current=session.status)
        if title is not UNCHANGED:
            session.event_description = (title or "").strip()
        if notes is not UNCHANGED:
            session.special_notes = (notes or "").strip()
        if price is not UNCHANGED:
            pricing.enter_price(session, price, by=by)
        if commission_override is not UNCHANGED and commission_override != session.commission_override:
            _agree_commission(session, commission_override, by=by)
        new_artist = None if artist_id in (None, _row(session).staff_id) else artist_id
        old = session.span
        if span is not None and span != old or new_artist is not None:
            _reschedule(session, span or old, new_artist, by=by, now=now)
        if session.span != old:
            audit.record(history_lines.MOVED, by=by, about=session, **history_lines.from_to(old, session.span))
        session.updated_at, session.updated_by = now, by
        session.save()
    return session


def together() -> AbstractContextManager[None]:
    """Several of these, and the moves, in one act: all or none."""
    return audit.act()


def buffered(artist: "User", span: Span) -> Span:
    """What an appointment takes of the artist's time: its own, and the minutes before and after."""
    return span.widened(timedelta(minutes=artist.buffer_before), timedelta(minutes=artist.buffer_after))


# -- who ---------------------------------------------------------------------------------------------------------------


def may_book_for(artist_id: int, by: "User") -> bool:
    """Coordinators book for every artist, an artist for themselves (permissions: appointment.manage.own)."""
    return allows(by, Perm.APPOINTMENT_MANAGE_OWN) and (allows(by, Perm.SESSION_VIEW_ALL) or artist_id == by.pk)


def _require_books_for(artist_id: int, by: "User | None") -> None:
    if by is not None and not may_book_for(artist_id, by):
        raise AccessDenied(user=by, perm=Perm.APPOINTMENT_MANAGE_OWN)


def _require_manages(session: Session, by: "User | None") -> None:
    if not session.is_appointment:
        raise InvalidInput(_("This is no appointment."), details={"failed": ["not_an_appointment"]})
    if by is not None:
        require_reach(session, by=by, perm=Perm.APPOINTMENT_MANAGE_OWN)


def _acting_artist(artist_id: int) -> "User":
    """Without anybody who is signed in, the artist is taken to have written it down."""
    artist = get_user_model().objects.filter(pk=artist_id).first()
    if artist is None:
        raise InvalidInput(_("Choose an active artist."), field="artist", details={"artist": artist_id})
    return artist


@dataclass(frozen=True, slots=True)
class _Vouched:
    """A client whom an artist may book although they are not among those that the artist has seen."""

    client: Client

    @property
    def pk(self) -> int:
        return self.client.pk


def _bookable(client: "Client | _Vouched", by: "User | None") -> Client:
    """The client, locked: whoever deletes them at this moment sees this appointment, or is seen here."""
    found = Client.objects.select_for_update(no_key=True).bookable().filter(pk=client.pk).first()
    known = by is None or isinstance(client, _Vouched) or allows(by, Perm.CLIENT_VIEW)
    if found is not None and not known:
        known = Session.objects.visible_to(by).filter(client=found).exists()
    if found is None or not known:
        raise InvalidInput(_("The client is not active."), field="client")
    return found


def _written_down(client: Client, *, by: "User") -> "Client | _Vouched":
    """The new client in the book, for somebody who may book for this artist; see ``book_for_new_client``."""
    from sessions_app.actions.request import add_unknown_client

    client.clean()
    if allows(by, Perm.CLIENT_CREATE):
        return add_unknown_client(client, by=by)
    try:
        with transaction.atomic():
            client.save(force_insert=True)
    except IntegrityError as taken:
        if "client_email_unique" not in str(taken):
            raise
        return _Vouched(_known_by_email(client.email, by=by))
    audit.record("client_created", by=by, about=client)
    return _Vouched(client)


def _known_by_email(email: str, *, by: "User") -> Client:
    """The client of the book who has it; the log keeps which artist came upon whom."""
    known = Client.objects.filter(email__iexact=email).first()
    if known is None or known.deleted_at is not None or not known.active:
        # The office knows why.
        raise InvalidInput(_("This client cannot be booked: ask the office."), field="email")
    audit.record("client_found_by_email", by=by, about=known)
    return known


def refuse_slip(span: Span) -> None:
    """Ask again where an end that is earlier by the clock would make a day of it. Raises ``InvalidInput``."""
    if span.duration > LONGEST_NIGHT:
        raise InvalidInput(_("It would last until the next day: check the end."), field="end")


# -- when --------------------------------------------------------------------------------------------------------------


def _refuse_bad_span(span: Span) -> None:
    if span.duration > timedelta(hours=STUDIO.max_session_hours):
        raise InvalidInput(
            _("A session lasts %(hours)d hours at most.") % {"hours": STUDIO.max_session_hours}, field="end"
        )


def _hold(
    session: Session, artist_id: int, span: Span, *, by: "User | None", now: datetime, holds: bool = True
) -> StaffReservation:
    artist = booking.lock_people([artist_id]).get(artist_id)
    return booking.reserve_staff(
        session_id=session.pk,
        staff_id=artist_id,
        coverage=buffered(artist, span) if artist is not None else span,
        lead=True,
        by=by,
        now=now,
        role=Role.ARTIST,
        holds=holds,
    )


def _row(session: Session) -> StaffReservation:
    current = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED)
    return current.select_related("staff").get()


def _reschedule(session: Session, span: Span, artist_id: int | None, *, by: "User | None", now: datetime) -> None:
    """Another time, another artist, or both in one act: one refusal leaves everything as it was."""
    _refuse_bad_span(span)
    row = _row(session)
    moved = span != session.span
    session.starts_at, session.ends_at = span.start, span.end
    if artist_id is None:
        coverage = {row.pk: buffered(row.staff, span)}
        booking.move(session.pk, span=span, coverages=coverage, role=Role.ARTIST)
        notices.tell([row.staff], "appointment_moved", session, by=by)
        return
    _require_books_for(artist_id, by)
    people = booking.lock_people([row.staff_id, artist_id])
    new_artist = people.get(artist_id)
    coverage = buffered(new_artist, span) if new_artist is not None else span
    new = booking.replace_staff(row, staff_id=artist_id, coverage=coverage, by=by, now=now, role=Role.ARTIST)
    for person in (row.staff, new.staff):
        sync_grants(session, person)
    notices.drop(session, notices.TO_ARTISTS, people=[row.staff])
    notices.tell([row.staff], "appointment_given", session, by=by, variant="off")
    notices.tell([new.staff], "appointment_given", session, by=by)
    audit.record("appointment_given", by=by, about=session, artist=new.staff.full_name, moved=moved)


def _agree_commission(session: Session, rate: Decimal | None, *, by: "User | None") -> None:
    """The share that this appointment earns its artist, instead of their own rate; the office agrees to it."""
    if by is not None and not allows(by, Perm.SESSION_ASSIGN_RESOURCES):
        raise AccessDenied(user=by, perm=Perm.SESSION_ASSIGN_RESOURCES, obj=session)
    commission.enter_rate(session, rate, by=by)
