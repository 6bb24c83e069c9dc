"""Calendar feeds: what a calendar program reads of a person's or of a room's sessions, as events (D1, D34).

Who may see what is asked at each reading, of the owner, as their pages ask it: whoever is deactivated, loses a role or
is taken off a session shows nothing of it any more from that moment on. The address of a feed can get into other hands,
so that it says less than the session's page, to which it links: no phone, no e-mail, no money, and of the words that
people write none but the title.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from django.db.models import Prefetch, QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from scheduling import ics
from scheduling.models import AssignmentStatus, Begins, Reservation, RoomReservation, StaffReservation
from scheduling.slots import Span
from sessions_app import workflow
from sessions_app.actions.absence import LONGEST as LONGEST_TIME_OFF
from sessions_app.models import CalendarFeed, Session
from studio.access import allows
from studio.conf import STUDIO
from studio.roles import Perm
from studio.templatetags.atelier import clock, moment

if TYPE_CHECKING:
    from scheduling.models import Room
    from studio.models import User

# What a feed shows: what began so long ago and what begins so far ahead, and the first of them, where they are more.
PAST = timedelta(days=90)
AHEAD = timedelta(days=731)
MOST = 2_000
# How often a program is asked to look, at the most.
REFRESH = timedelta(hours=1)
TENTATIVE = frozenset({workflow.REQUEST, workflow.NEGOTIATION, workflow.PRE_SCHEDULED, workflow.WAITING})


def hash_of(token: str) -> str:
    """What is kept of a feed's secret, and by which it is found."""
    return sha256(token.encode()).hexdigest()


def find(token: str) -> CalendarFeed | None:
    """The feed with this secret, while it is open and its owner may see themselves what it shows; else None.

    One that was revoked, one whose owner is gone and one that never was are all the same None. The secret is looked up
    by its hash: how long that takes says nothing about how near a guess is.
    """
    rows = CalendarFeed.objects.filter(token_hash=hash_of(token), revoked_at__isnull=True)
    feed = rows.select_related("owner", "room").first()
    return feed if feed is not None and may_show(feed.owner, room=feed.room) else None


def may_show(owner: "User", *, room: "Room | None") -> bool:
    """A room's sessions: whoever may see every session. Their own: whoever is put on sessions for a time.

    These are the ones who may block their time; an editor has deliveries, and no time that is taken.
    """
    return allows(owner, Perm.SESSION_VIEW_ALL if room is not None else Perm.SCHEDULE_BLOCK_OWN)


def live(*, of: "User | None" = None) -> QuerySet[CalendarFeed]:
    """The feeds that are not revoked, somebody's or everybody's, the newest first."""
    rows = CalendarFeed.objects.filter(revoked_at__isnull=True).select_related("owner", "room")
    return rows if of is None else rows.filter(owner=of)


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom the events are written. ``site`` is where the links lead: "https://studio.example/"."""

    feed: CalendarFeed
    site: str
    now: datetime

    @property
    def window(self) -> Span:
        return Span(self.now - PAST, self.now + AHEAD)


def file(feed: CalendarFeed, *, site: str, now: datetime) -> bytes:
    """The feed as a calendar file, in its owner's language. The same bytes as long as nothing changes in it."""
    with translation.override(feed.owner.language or STUDIO.language):
        found = events(feed, site=site, now=now)
    stamp = max((event.changed_at for event in found), default=feed.created_at)
    return ics.calendar(found, stamp=stamp, name=f"{feed.room or feed.owner} · {STUDIO.name}", refresh=REFRESH)


def events(feed: CalendarFeed, *, site: str, now: datetime) -> list[ics.Event]:
    """Sessions and what else takes the time, by their beginning: three queries and those of the owner's reach.

    A canceled session stays, as canceled. Time off or a closure that was taken back is not in it any more.
    """
    reader = Reader(feed, site, now)
    found = _of_person(reader) if feed.room_id is None else _of_room(reader)
    return sorted(found, key=lambda event: (event.span.start, event.uid))[:MOST]


def _of_person(reader: Reader) -> list[ics.Event]:
    """Each with the time that the person gives to it, travel and the minutes around an appointment included."""
    owner, window = reader.feed.owner, reader.window
    own = (
        _begun_in(StaffReservation.objects.filter(staff=owner), window.start, window.end)
        .filter(session__in=Session.objects.visible_to(owner))
        .exclude(assignment_status=AssignmentStatus.REASSIGNED)
        .select_related("session__client", "session__room")
        .prefetch_related(_team("session__assignments"))
    )[:MOST]
    off = StaffReservation.objects.holding().filter(staff=owner, session__isnull=True).overlapping(window)
    # Bounded below, too, for the index: no time off is longer.
    off = _begun_in(off, window.start - LONGEST_TIME_OFF - timedelta(days=1), window.end)[:MOST]
    sessions = [_session_event(reader, row.session, row.span) for row in own]
    return sessions + [_other_event(reader, row, "time-off", _("Time off")) for row in off]


def _of_room(reader: Reader) -> list[ics.Event]:
    """Each with the session's own time: what a turnaround adds to it is nobody's appointment."""
    room, window = reader.feed.room, reader.window
    sessions = (
        Session.objects.visible_to(reader.feed.owner)
        .filter(room=room)
        .starting_in(window.start, window.end)
        .select_related("client", "room")
        .prefetch_related(_team("assignments"))
        .order_by("starts_at", "id")
    )[:MOST]
    closed = RoomReservation.objects.holding().filter(room=room, session__isnull=True).overlapping(window)
    found = [_session_event(reader, session, session.span) for session in sessions]
    return found + [_other_event(reader, row, "closure", _("Closed")) for row in closed.order_by("during", "id")[:MOST]]


def _begun_in(rows: QuerySet, start: datetime, end: datetime) -> QuerySet:
    return rows.alias(begins=Begins("during")).filter(begins__gte=start, begins__lt=end).order_by("begins", "id")


def _team(path: str) -> Prefetch:
    current = StaffReservation.objects.exclude(assignment_status=AssignmentStatus.REASSIGNED).select_related("staff")
    ordered = current.order_by("-is_lead_photographer", "during", "id")
    return Prefetch(path, queryset=ordered, to_attr="current_assignments")


def _session_event(reader: Reader, session: Session, span: Span) -> ics.Event:
    summary = f"{session.title} · {session.get_session_type_display()}"
    return ics.Event(
        uid=ics.uid_of("session", session.code, session.created_at),
        span=span,
        # For programs that show what is canceled like anything else.
        summary=_("Canceled: %(what)s") % {"what": summary} if session.is_canceled else summary,
        location=session.place,
        description=_description(reader, session, span),
        changed_at=session.updated_at,
        status=_status_of(session),
    )


def _status_of(session: Session) -> ics.Status:
    if session.is_canceled:
        return ics.Status.CANCELLED
    return ics.Status.TENTATIVE if session.status in TENTATIVE else ics.Status.CONFIRMED


def _description(reader: Reader, session: Session, span: Span) -> str:
    lines = [session.get_status_display()]
    if span != session.span:
        lines.append(_("The session itself: %(when)s (%(zone)s).") % {"when": _when(session), "zone": STUDIO.time_zone})
    if team := _names(session.current_assignments):
        lines.append(_("Team: %(names)s") % {"names": team})
    return "\n".join([*lines, reader.site.rstrip("/") + session.get_absolute_url()])


def _when(session: Session) -> str:
    start, end = session.local_start, session.local_end
    if start.date() == end.date():
        return _("%(start)s to %(end)s") % {"start": clock(start), "end": clock(end)}
    return _("%(start)s to %(end)s") % {"start": moment(start), "end": moment(end)}


def _names(assignments: Iterable[StaffReservation]) -> str:
    return ", ".join(
        _("%(name)s (lead)") % {"name": row.staff.full_name} if row.is_lead_photographer else row.staff.full_name
        for row in assignments
    )


def _other_event(reader: Reader, row: Reservation, kind: str, summary: str) -> ics.Event:
    # What is over may have been ended early; before that it is as it was put down.
    changed_at = max(row.created_at, row.span.end) if row.span.end <= reader.now else row.created_at
    return ics.Event(
        uid=ics.uid_of(kind, str(row.pk), row.created_at), span=row.span, summary=summary, changed_at=changed_at
    )
