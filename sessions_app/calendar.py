"""What stands in the calendar between two instants, as one reader may know of it (permissions, object level; D34).

Queries only, in a number that does not depend on how much there is. The office sees every session, all time off and
the closures of rooms. Everybody else sees the sessions within their reach and their own time off: neither who else is
on them nor what else is booked, not even as "busy".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import pgettext

from scheduling import hours
from scheduling.models import AssignmentStatus, Room, RoomReservation, RoomStatus, StaffReservation
from scheduling.opening import MIDNIGHT, Hours, days_of
from scheduling.slots import Span, as_whole_days
from sessions_app import sentences, workflow
from sessions_app.models import Session
from sessions_app.models.session import LONGEST
from sessions_app.states import Status
from studio.access import allows
from studio.conf import STUDIO
from studio.roles import Perm, Role, is_admin

if TYPE_CHECKING:
    from studio.models import User

# More sessions at once are nobody's picture of anything; of time off and closures likewise.
MOST = 3000
MOST_OFF = 1000
# Of a day on which the studio is closed, or of which nobody has said when it is open.
ORDINARY = (8, 20)
WHOLE_DAY = 24


class Kind(StrEnum):
    SHOOT = "shoot"
    APPOINTMENT = "appointment"
    OFF = "off"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Filters:
    """Of the room and the person nothing is asked for somebody who sees only their own."""

    room_id: int | None = None
    person_id: int | None = None
    status: str = ""


@dataclass(frozen=True, slots=True)
class Cover:
    """Somebody of whom more, or less, is taken than the session itself: travel, or a part of it."""

    person_id: int
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing in the calendar. Times are the studio's.

    ``may_move``: this reader may give it another time; ``may_give``: another room, or somebody else to do it.
    ``fixed``: why whoever moves sessions does not move this one now.
    """

    key: str
    kind: Kind
    title: str
    starts_at: datetime
    ends_at: datetime
    code: str = ""
    status: str = ""
    status_label: str = ""
    room_id: int | None = None
    place: str = ""
    people: tuple[tuple[int, str], ...] = ()
    covers: tuple[Cover, ...] = ()
    held_until: datetime | None = None
    note: str = ""
    is_whole_days: bool = False
    may_move: bool = False
    may_give: bool = False
    fixed: str = ""

    @property
    def is_session(self) -> bool:
        return bool(self.code)

    @property
    def is_held(self) -> bool:
        """Kept for a client who has not decided or not paid yet."""
        return self.status in HELD

    @property
    def url(self) -> str:
        return reverse("session-page", args=[self.code]) if self.code else ""

    @property
    def move_url(self) -> str:
        """The form with which it is moved; empty for what this reader does not move."""
        if not (self.may_move or self.may_give):
            return ""
        return reverse(MOVED_BY[self.kind], args=[self.code])


HELD = frozenset({Status.REQUEST, Status.NEGOTIATION, Status.PRE_SCHEDULED, Status.WAITING})
# An appointment has a form of its own, with its price and its notes.
MOVED_BY = {Kind.SHOOT: "calendar-shift", Kind.APPOINTMENT: "appointment-edit"}


@dataclass(frozen=True, slots=True)
class Agenda:
    """``is_cut``: there is more than can be shown at once. ``known``: the opening hours of its days."""

    span: Span
    events: list[Event]
    known: Hours
    is_cut: bool = False

    @property
    def closed(self) -> list[Span]:
        """When the studio is not open within the span; nothing where nobody has said when it is."""
        return _closed(self.span, self.known)

    @property
    def hours(self) -> tuple[int, int]:
        """The whole hours of a day, 0 to 24, within which the studio is open or somebody is booked on these days."""
        found = list(self._open()) or [ORDINARY]
        found += [_hours_of(each, self.span) for each in self._booked() if each.overlaps(self.span)]
        return min(first for first, _last in found), max(last for _first, last in found)

    def _open(self) -> Iterator[tuple[int, int]]:
        first, last = days_of(self.span)
        for count in range((last - first).days + 1):
            day = first + timedelta(days=count)
            # Where only some days have hours, nobody has said them of the others.
            if self.known.weekly or day in self.known.exceptions:
                for each in self.known.of(day):
                    yield each.opens.hour, WHOLE_DAY if each.closes == MIDNIGHT else _ceiling(each.closes)

    def _booked(self) -> Iterator[Span]:
        """Somebody's nights off are no reason to show the night."""
        for each in self.events:
            if each.is_session or each.starts_at.date() == each.ends_at.date():
                yield Span(each.starts_at, each.ends_at)
                yield from (cover.span for cover in each.covers)

    @property
    def days(self) -> list[tuple[date, list[Event]]]:
        """By the local day on which each begins; what began earlier stands on the first day."""
        first = self.span.start.astimezone(STUDIO.zone).date()
        return [(day, list(rows)) for day, rows in groupby(self.events, lambda each: max(each.starts_at.date(), first))]

    def first(self, count: int) -> "Agenda":
        if len(self.events) <= count:
            return self
        return replace(self, events=self.events[:count], is_cut=True)


def sees_all(user: "User") -> bool:
    return allows(user, Perm.SESSION_VIEW_ALL)


def agenda(
    user: "User", span: Span, *, now: datetime, filters: Filters = Filters(), known: Hours | None = None
) -> Agenda:
    """Everything that has something of the span, in the order in which it begins: five queries.

    ``known`` saves one of them: the opening hours of these days.
    """
    if not sees_all(user):
        filters = Filters(status=filters.status)
    found, is_cut = _sessions(user, span, filters, now)
    # Who asks for sessions in one state asks for sessions.
    for blocks in () if filters.status else (_time_off, _closures):
        more = blocks(user, span, filters)
        found += more[:MOST_OFF]
        is_cut = is_cut or len(more) > MOST_OFF
    found.sort(key=lambda each: (each.starts_at.timestamp(), each.key))
    return Agenda(span, found, known or hours.load(*days_of(span)), is_cut)


# -- sessions ----------------------------------------------------------------------------------------------------------

COLUMNS = (
    "pk",
    "code",
    "status",
    "session_type",
    "starts_at",
    "ends_at",
    "event_description",
    "client__full_name",
    "location",
    "room_id",
    "room__name",
    "held_until",
    "changes_deadline",
)


def _sessions(user: "User", span: Span, filters: Filters, now: datetime) -> tuple[list[Event], bool]:
    # The first two conditions are the index's; no session lasts longer, so that none of the window is missed.
    rows = Session.objects.visible_to(user).filter(starts_at__gte=span.start - LONGEST, starts_at__lt=span.end)
    rows = rows.filter(ends_at__gt=span.start)
    # What is canceled stands in nobody's way: it is shown to who asks for it.
    rows = rows.filter(status=filters.status) if filters.status else rows.exclude(status=Status.CANCELED)
    if filters.room_id is not None:
        rows = rows.filter(room_id=filters.room_id)
    if filters.person_id is not None:
        rows = rows.photographed_by(filters.person_id)
    found = list(rows.order_by("starts_at", "id").values_list(*COLUMNS)[: MOST + 1])
    is_cut, found = len(found) > MOST, found[:MOST]
    people = _people(user, [row[0] for row in found])
    reader = _Reader(user, now)
    return [reader.event(row, people.get(row[0], ())) for row in found], is_cut


Taken = tuple[int, str, Any]


def _people(user: "User", ids: list[int]) -> dict[int, list[Taken]]:
    """Who is on each session, and what it takes of them; of everybody but the office, only the reader."""
    rows = StaffReservation.objects.filter(session__in=ids).exclude(assignment_status=AssignmentStatus.REASSIGNED)
    if not sees_all(user):
        rows = rows.filter(staff=user)
    found: dict[int, list[Taken]] = {}
    rows = rows.order_by("-is_lead_photographer", "id")
    for session_id, *taken in rows.values_list("session_id", "staff_id", "staff__full_name", "during"):
        found.setdefault(session_id, []).append(tuple(taken))
    return found


class _Reader:
    """What one person is shown of a session, and may do with it: asked once for all of them."""

    def __init__(self, user: "User", now: datetime) -> None:
        self.now, self.zone = now, STUDIO.zone
        self.is_office = sees_all(user)
        self.is_admin = is_admin(user)
        self.edits = allows(user, Perm.SESSION_EDIT_PRE_ASSIGNED)
        self.assigns = allows(user, Perm.SESSION_ASSIGN_RESOURCES)
        self.books = allows(user, Perm.APPOINTMENT_MANAGE_OWN)
        self.labels = {each.value: str(each.label) for each in Status}
        self.reasons: dict[tuple[str, datetime | None], str] = {}

    def event(self, row: tuple[Any, ...], people: Iterable[Taken]) -> Event:
        _pk, code, status, kind, starts_at, ends_at, description, client, place, room_id, room, held, deadline = row
        is_appointment = kind == workflow.APPOINTMENT
        # As numbers, which are compared faster than times of two zones: this is asked for each of thousands.
        own = starts_at.timestamp(), ends_at.timestamp()
        may_move, may_give = self._may(status, deadline, is_appointment=is_appointment, is_on_it=bool(people))
        may_ever = self.books if is_appointment else self.edits
        return Event(
            key=code,
            code=code,
            kind=Kind.APPOINTMENT if is_appointment else Kind.SHOOT,
            title=description or client,
            starts_at=starts_at.astimezone(self.zone),
            ends_at=ends_at.astimezone(self.zone),
            status=status,
            status_label=self.labels[status],
            room_id=room_id,
            place=room or place,
            people=tuple((staff_id, name) for staff_id, name, _during in people),
            covers=tuple(
                Cover(staff_id, Span(during.lower, during.upper))
                for staff_id, _name, during in people
                if (during.lower.timestamp(), during.upper.timestamp()) != own
            ),
            held_until=held.astimezone(self.zone) if held and self.is_office else None,
            may_move=may_move,
            may_give=may_give,
            fixed=self._fixed(status, deadline) if may_ever and not may_move else "",
        )

    def _may(
        self, status: str, changes_deadline: datetime | None, *, is_appointment: bool, is_on_it: bool
    ) -> tuple[bool, bool]:
        """As the acts decide: whether its time, and who has it, may change."""
        if workflow.people_blocker(status) is not None:
            return False, False
        is_open = workflow.edit_blocker(status, changes_deadline, self.now) is None
        if is_appointment:
            may = is_open and self.books and (self.is_office or is_on_it)
            return may, may and self.is_office
        return self.edits and (is_open or self.is_admin), self.assigns

    def _fixed(self, status: str, changes_deadline: datetime | None) -> str:
        """In words, once for all that have the same reason."""
        key = status, changes_deadline
        if key not in self.reasons:
            blocker = workflow.edit_blocker(status, changes_deadline, self.now)
            self.reasons[key] = sentences.why(blocker) if blocker is not None else ""
        return self.reasons[key]


# -- time off, closures, hours -----------------------------------------------------------------------------------------


def _time_off(user: "User", span: Span, filters: Filters) -> list[Event]:
    if filters.room_id is not None:
        return []
    rows = StaffReservation.objects.holding().overlapping(span).filter(session__isnull=True)
    if not sees_all(user):
        rows = rows.filter(staff=user)
    elif filters.person_id is not None:
        rows = rows.filter(staff=filters.person_id)
    return [
        _block(Kind.OFF, pk, pgettext("reservation", "Time off"), during, notes, people=((staff_id, name),))
        for pk, during, notes, staff_id, name in rows.order_by("during", "id").values_list(
            "pk", "during", "notes", "staff_id", "staff__full_name"
        )[: MOST_OFF + 1]
    ]


def _closures(user: "User", span: Span, filters: Filters) -> list[Event]:
    if not sees_all(user) or filters.person_id is not None:
        return []
    rows = RoomReservation.objects.holding().overlapping(span).filter(session__isnull=True)
    if filters.room_id is not None:
        rows = rows.filter(room_id=filters.room_id)
    return [
        _block(Kind.CLOSED, pk, pgettext("room", "Closed"), during, notes, room_id=room_id, place=room)
        for pk, during, notes, room_id, room in rows.order_by("during", "id").values_list(
            "pk", "during", "notes", "room_id", "room__name"
        )[: MOST_OFF + 1]
    ]


def _block(kind: Kind, pk: int, title: str, during: Any, notes: str, **values: Any) -> Event:
    span = Span(during.lower.astimezone(STUDIO.zone), during.upper.astimezone(STUDIO.zone))
    return Event(
        key=f"{kind}-{pk}",
        kind=kind,
        title=title,
        starts_at=span.start,
        ends_at=span.end,
        note=notes,
        is_whole_days=as_whole_days(span) is not None,
        **values,
    )


def _closed(span: Span, known: Hours) -> list[Span]:
    if not known.is_known:
        return []
    edges = [span.start.astimezone(UTC)]
    for each in known.between(*days_of(span)):
        edges += [max(each.start, edges[0]), each.end]
    edges.append(span.end.astimezone(UTC))
    return list(_between(edges))


def _hours_of(span: Span, within: Span) -> tuple[int, int]:
    """The hours of the wall's clock that it takes of these days; over a midnight, all of them."""
    start = max(span.start.astimezone(UTC), within.start.astimezone(UTC)).astimezone(STUDIO.zone)
    end = min(span.end.astimezone(UTC), within.end.astimezone(UTC)).astimezone(STUDIO.zone)
    if days_of(Span(start, end)) != (start.date(), start.date()):
        return 0, WHOLE_DAY
    return start.hour, WHOLE_DAY if end.date() > start.date() else _ceiling(end)


def _ceiling(moment: datetime | time) -> int:
    return moment.hour + bool(moment.minute or moment.second)


def _between(edges: list[datetime]) -> Iterator[Span]:
    """The gaps: from the end of what is before to the start of what is after."""
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if start < end:
            yield Span(start.astimezone(STUDIO.zone), end.astimezone(STUDIO.zone))


# -- rooms and people --------------------------------------------------------------------------------------------------


def rooms() -> QuerySet[Room]:
    return Room.objects.filter(status=RoomStatus.ACTIVE)


def people() -> QuerySet["User"]:
    """Those whose day is planned."""
    found = get_user_model().objects.active().in_role(Role.PHOTOGRAPHER, Role.ARTIST)
    return found.order_by("full_name", "id")
