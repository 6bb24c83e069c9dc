"""Artists' days: the board of all of them side by side, what is free, and an artist's own day (D25, D34, D38).

Queries only, in a number that depends neither on how many artists there are nor on how much they have to do. An artist
gets their own column and their own clients; nothing of anybody else's is loaded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from payments.models import CommissionLine, Payment
from scheduling.models import StaffReservation
from scheduling.slots import Span
from sessions_app import day_grid, sentences, workflow
from sessions_app.board import Clock
from sessions_app.clients import Record
from sessions_app.day_grid import Cell, Held, Kind, Lane
from sessions_app.models import Client, Session
from sessions_app.search import word_prefixes, word_vector
from sessions_app.states import Status
from sessions_app.story import FILLED_IN, Move, move_url
from studio import navigation
from studio.access import allows
from studio.conf import STUDIO
from studio.models import LONGEST_BUFFER
from studio.roles import Perm, Role

if TYPE_CHECKING:
    from studio.models import User

# What lies around a day may reach into it with its minutes before and after.
AROUND = timedelta(minutes=LONGEST_BUFFER + 60)
TWELFTHS = 12
CLIENTS_SHOWN = 8
ALTERNATIVES = 6
WEEK_DAYS = 7
# Appointments that are still to come, or still to be completed or canceled.
OPEN = (Status.WAITING, Status.ACTIVE)
# An appointment that nobody completed or canceled stays on the artist's home for so long.
STILL_OPEN_DAYS = 30
SHOWN = 100


# -- what takes somebody's time ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What holds an artist's time: an appointment, a shoot that they photograph, or time off."""

    kind: str
    title: str
    client: str
    code: str
    status: str
    status_label: str
    starts_at: datetime
    ends_at: datetime
    held_from: datetime
    held_until: datetime
    price: Decimal | None
    url: str
    edit_url: str = ""
    """Empty for what is not moved on the board: what is over, shoots and time off."""
    shift_url: str = ""

    @property
    def is_appointment(self) -> bool:
        return self.kind == "appointment"

    @property
    def is_tentative(self) -> bool:
        return self.status == Status.WAITING

    @property
    def has_buffers(self) -> bool:
        return (self.held_from, self.held_until) != (self.starts_at, self.ends_at)


def _taken(row: StaffReservation) -> Taken:
    session = row.session
    if session is None:
        start, end = row.starts_at, row.ends_at
        return Taken(
            kind="off",
            title=pgettext("reservation", "Time off"),
            client="",
            code="",
            status="",
            status_label="",
            starts_at=start,
            ends_at=end,
            held_from=start,
            held_until=end,
            price=None,
            url="",
        )
    is_movable = session.is_appointment and session.status in OPEN
    return Taken(
        kind="appointment" if session.is_appointment else "shoot",
        title=session.event_description,
        client=session.client.full_name,
        code=session.code,
        status=session.status,
        status_label=str(session.get_status_display()),
        starts_at=session.local_start if session.is_appointment else row.starts_at,
        ends_at=session.local_end if session.is_appointment else row.ends_at,
        held_from=row.starts_at,
        held_until=row.ends_at,
        price=session.price if session.is_appointment else None,
        url=session.get_absolute_url(),
        edit_url=reverse("appointment-edit", args=[session.code]) if is_movable else "",
        shift_url=reverse("appointment-shift", args=[session.code]) if is_movable else "",
    )


def _reservations(
    people: Iterable["User"], span: Span, exclude_session_id: int | None = None
) -> list[StaffReservation]:
    found = StaffReservation.objects.holding().overlapping(span).filter(staff__in=[each.pk for each in people])
    if exclude_session_id is not None:
        found = found.exclude(session_id=exclude_session_id)
    return list(found.select_related("session__client").order_by("during", "id"))


def _lane(artist: "User", rows: Iterable[StaffReservation]) -> Lane:
    held = []
    for row in rows:
        core = row.span
        if row.session is not None and row.session.is_appointment and row.session.span.overlaps(row.span):
            core = row.session.span
        held.append(Held(row.pk, row.span, core, stretches=row.session_id is not None))
    return Lane(held, timedelta(minutes=artist.buffer_before), timedelta(minutes=artist.buffer_after))


def slot() -> timedelta:
    return timedelta(minutes=STUDIO.appointment_slot_minutes)


def _opening(day: date, held: Iterable[Held] = ()) -> Span:
    begins, ends = STUDIO.appointment_day_begins, STUDIO.appointment_day_ends
    return day_grid.window(day, STUDIO.zone, begins=begins, ends=ends, slot=slot(), held=held)


# -- who ---------------------------------------------------------------------------------------------------------------


def artists() -> QuerySet["User"]:
    """Those who take appointments."""
    return get_user_model().objects.active().in_role(Role.ARTIST).order_by("full_name", "id")


def artists_for(user: "User") -> QuerySet["User"]:
    """Those for whom this person books: every artist for the office, else only themselves."""
    return artists() if allows(user, Perm.SESSION_VIEW_ALL) else artists().filter(pk=user.pk)


def _columns_for(user: "User", whole: Span) -> list["User"]:
    """The artists, and who had appointments on the day before they stopped being one."""
    takes = ExpressionWrapper(Q(pk__in=artists().order_by().values("pk")), output_field=BooleanField())
    people = get_user_model().objects.annotate(takes_appointments=takes).order_by("full_name", "id")
    if not allows(user, Perm.SESSION_VIEW_ALL):
        return list(people.filter(pk=user.pk))
    held = StaffReservation.objects.holding().overlapping(whole).filter(session__session_type=workflow.APPOINTMENT)
    return list(people.filter(Exists(held.filter(staff=OuterRef("pk"))) | Q(takes_appointments=True)))


# -- the board ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A cell of the board. ``kind`` is one of ``day_grid.Kind``; ``taken`` is there in the part that it is for."""

    kind: str
    rows: int
    artist: int
    artist_name: str
    starts_at: datetime
    ends_at: datetime
    taken: Taken | None = None
    book_url: str = ""

    @property
    def css(self) -> str:
        """The classes of the cell: what it is, and of an appointment its state."""
        if self.taken is None:
            return self.kind
        return f"{self.kind} {self.taken.kind}{' tentative' if self.taken.is_tentative else ''}"


@dataclass(frozen=True, slots=True)
class Column:
    pk: int
    name: str
    blocks: list[Block]

    @property
    def listed(self) -> list[Block]:
        """What a list says: what is taken, and where one can book."""
        return [each for each in self.blocks if each.taken is not None or each.book_url]


@dataclass(frozen=True, slots=True)
class BoardRow:
    """``height`` in twelfths of a slot. ``slot_rows`` is 0 but for the first row of a slot, which has its time."""

    starts_at: datetime
    ends_at: datetime
    height: int
    slot_rows: int
    is_now: bool
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Board:
    day: date
    artists: list[tuple[int, str]]
    chosen: int | None
    columns: list[Column]
    rows: list[BoardRow]

    @property
    def is_fine(self) -> bool:
        """Short slots are drawn lower, or a day would be metres long."""
        return slot() < timedelta(minutes=30)

    @property
    def on_phone(self) -> Column | None:
        """A phone shows one artist at a time: the chosen one, or the first."""
        return self.columns[0] if self.columns else None


def board(user: "User", day: date, *, now: datetime, artist_id: int | None = None) -> Board | None:
    """The day by slots and artists, as far as this person sees them: two queries. None for an artist who is not there.

    Coordinators also see what keeps an artist from working; everything that an artist sees is their own.
    """
    whole = day_grid.day_span(day, STUDIO.zone)
    people = _columns_for(user, whole)
    shown = people if artist_id is None else [each for each in people if each.pk == artist_id]
    if artist_id is not None and not shown:
        return None
    around = whole.widened(AROUND, AROUND)
    by_artist: dict[int, list[StaffReservation]] = {each.pk: [] for each in shown}
    for row in _reservations(shown, around):
        by_artist[row.staff_id].append(row)
    lanes = [_lane(each, by_artist[each.pk]) for each in shown]
    taken = {row.pk: _taken(row) for rows in by_artist.values() for row in rows}
    grid = day_grid.grid(_opening(day, [each for lane in lanes for each in lane.held]), slot(), lanes, STUDIO.zone)
    columns = [
        Column(person.pk, person.full_name, [_block(cell, person, taken) for cell in cells])
        for person, cells in zip(shown, grid.lanes, strict=True)
    ]
    starting: dict[int, list[Block]] = {}
    for column, cells in zip(columns, grid.lanes, strict=True):
        for block, cell in zip(column.blocks, cells, strict=True):
            starting.setdefault(cell.row, []).append(block)
    rows = [
        BoardRow(
            starts_at=row.span.start.astimezone(STUDIO.zone),
            ends_at=row.slot.end.astimezone(STUDIO.zone),
            height=max(1, round(TWELFTHS * row.span.duration / slot())),
            slot_rows=row.rows if row.is_first else 0,
            is_now=row.slot.start <= now < row.slot.end,
            blocks=starting.get(number, []),
        )
        for number, row in enumerate(grid.rows)
    ]
    return Board(day, [(each.pk, each.full_name) for each in people], artist_id, columns, rows)


def _block(cell: Cell, artist: "User", taken: dict[int, Taken]) -> Block:
    start, end = cell.span.start.astimezone(STUDIO.zone), cell.span.end.astimezone(STUDIO.zone)
    return Block(
        kind=cell.kind.value,
        rows=cell.rows,
        artist=artist.pk,
        artist_name=artist.full_name,
        starts_at=start,
        ends_at=end,
        taken=taken[cell.key] if cell.kind is Kind.CORE and cell.key is not None else None,
        book_url=booking_url(artist.pk, start) if cell.kind is Kind.FREE and artist.takes_appointments else "",
    )


def booking_url(artist_id: int, start: datetime) -> str:
    """The quick booking, with artist and local start filled in."""
    wanted = {"artist": artist_id, "start": f"{start.astimezone(STUDIO.zone):%Y-%m-%dT%H:%M}"}
    return f"{reverse('appointment-new')}?{urlencode(wanted)}"


def board_url(day: date) -> str:
    return f"{reverse('appointment-board')}?{urlencode({'day': day.isoformat()})}"


# -- what is free ------------------------------------------------------------------------------------------------------


def free_slots(
    artist: "User", day: date, duration: timedelta, *, exclude_session_id: int | None = None
) -> list[datetime]:
    """The local starts, slot by slot, at which ``appoint.book`` takes an appointment of this length: one query.

    Within the studio's hours, with the artist's minutes before and after.
    """
    around = day_grid.day_span(day, STUDIO.zone).widened(AROUND, AROUND + duration)
    lane = _lane(artist, _reservations([artist], around, exclude_session_id))
    starts = day_grid.free_starts(_opening(day), slot(), duration, lane, STUDIO.zone)
    return [each.astimezone(STUDIO.zone) for each in starts]


def alternatives(artist: "User", wanted: Span) -> list[datetime]:
    """The free starts of that day nearest to the wanted one, by the clock."""
    found = free_slots(artist, wanted.start.astimezone(STUDIO.zone).date(), wanted.duration)
    nearest = sorted(found, key=lambda start: abs(start - wanted.start))[:ALTERNATIVES]
    return sorted(nearest)


# -- for whom ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClientOption:
    """``record`` is for those who read the client book (D24, D29)."""

    client: Client
    is_chosen: bool
    record: Record | None = None


def clients_for(user: "User") -> QuerySet[Client]:
    """Whom this person books: the client book, or for an artist the clients of sessions that they are on."""
    book = Client.objects.bookable()
    if allows(user, Perm.CLIENT_VIEW):
        return book
    return book.filter(pk__in=Session.objects.visible_to(user).values("client"))


def client_options(user: "User", *, text: str, chosen: int | None) -> list[ClientOption]:
    """The chosen client, then those who fit what was typed.

    An artist finds them by what they may know: a hit on the second phone would tell it (permissions, object level).
    """
    book = clients_for(user).order_by("full_name", "id")
    reads_book = allows(user, Perm.CLIENT_VIEW)
    if reads_book:
        book = book.with_record()
    rows = list(book.filter(pk=chosen)) if chosen is not None else []
    if text:
        if reads_book:
            found = book.search(text)
        else:
            query = word_prefixes(text)
            words = word_vector("full_name", "email", "primary_phone")
            found = book.annotate(shown_words=words).filter(shown_words=query) if query else book.none()
        rows += [each for each in found[:CLIENTS_SHOWN] if each.pk != chosen]
    if not reads_book:
        return [ClientOption(each, each.pk == chosen) for each in rows]
    records = [Record(each.sessions_count, each.own_cancellations, each.no_shows) for each in rows]
    return [ClientOption(each, each.pk == chosen, record) for each, record in zip(rows, records, strict=True)]


# -- an artist's own day -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """One appointment as its artist needs it."""

    code: str
    title: str
    client_name: str
    client_phone: str
    notes: str
    status: str
    status_label: str
    is_tentative: bool
    day_word: str
    starts_at: datetime
    ends_at: datetime
    price: Decimal | None
    url: str
    edit_url: str
    is_now: bool
    moves: list[Move]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A line of the day: an appointment, what else is in the way, or time that is free from one slot to another."""

    starts_at: datetime
    ends_at: datetime
    taken: Taken | None = None
    book_url: str = ""
    is_now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDay:
    up: Sitting | None
    """The one that is on, or the next one."""
    day: list[Stretch]
    week: list[tuple[str, list[Sitting]]]
    still_open: list[Sitting]
    earned: Decimal
    month: date
    commission_url: str
    time_off_url: str
    board_url: str


def own_day(user: "User", *, now: datetime) -> OwnDay:
    """Now or next, today by slots, the coming week, what is still to be completed, and the month's commission."""
    clock = Clock(now)
    rows = _own_appointments(user, now)
    pending = _waiting_money(rows)
    sittings = [_sitting(each, clock, pending) for each in rows]
    ahead = [each for each in sittings if each.ends_at > now and each.status in OPEN]
    up = ahead[0] if ahead else None
    later = [each for each in ahead if each is not up and each.starts_at.astimezone(STUDIO.zone).date() > clock.today]
    earned = CommissionLine.objects.filter(
        person=user, earned_on__year=clock.today.year, earned_on__month=clock.today.month
    )
    return OwnDay(
        up=up,
        day=_day_by_stretches(user, clock),
        week=[(word, list(each)) for word, each in groupby(later, key=lambda sitting: sitting.day_word)],
        still_open=[each for each in sittings if each.ends_at <= now and each.status in OPEN],
        earned=earned.aggregate(sum=Sum("amount"))["sum"] or Decimal("0.00"),
        month=clock.today.replace(day=1),
        commission_url=navigation.address("own-commission"),
        time_off_url=navigation.address("time-off"),
        board_url=board_url(clock.today),
    )


def _own_appointments(user: "User", now: datetime) -> list[Session]:
    """First things first. Each side has its own limit: what nobody completed hides nothing of what is ahead."""
    found = (
        Session.objects.present()
        .photographed_by(user)
        .filter(session_type=workflow.APPOINTMENT, status__in=OPEN)
        .select_related("client")
    )
    over = found.filter(ends_at__gt=now - timedelta(days=STILL_OPEN_DAYS), ends_at__lte=now)
    ahead = found.filter(ends_at__gt=now, starts_at__lt=now + timedelta(days=WEEK_DAYS + 1))
    latest = over.order_by("-starts_at", "-id")[:SHOWN]
    return [*reversed(latest), *ahead.order_by("starts_at", "id")[:SHOWN]]


def _waiting_money(sessions: Iterable[Session]) -> dict[int, Decimal]:
    """What waits to be verified, by session: until it is decided on, nobody knows what is left to pay (D27)."""
    waiting = Payment.objects.live().incoming().pending().filter(session__in=[each.pk for each in sessions])
    return dict(waiting.order_by().values_list("session_id").annotate(sum=Sum("amount")))


def _sitting(session: Session, clock: Clock, pending: dict[int, Decimal]) -> Sitting:
    return Sitting(
        code=session.code,
        title=session.event_description,
        client_name=session.client.full_name,
        client_phone=session.client.primary_phone,
        notes=session.special_notes,
        status=session.status,
        status_label=str(session.get_status_display()),
        is_tentative=session.status == Status.WAITING,
        day_word=clock.word(session.starts_at),
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        price=session.price,
        url=session.get_absolute_url(),
        edit_url=reverse("appointment-edit", args=[session.code]),
        is_now=session.starts_at <= clock.now < session.ends_at,
        moves=_moves(session, clock, pending.get(session.pk, Decimal("0.00"))),
    )


def _moves(session: Session, clock: Clock, pending_in: Decimal) -> list[Move]:
    """What its artist may do with it now: confirm, complete, no-show once it has begun, cancel."""
    facts = workflow.Facts(
        now=clock.now,
        today=clock.today,
        session_type=session.session_type,
        starts_at=session.starts_at,
        session_date=session.session_date,
        pending_in=pending_in,
    )
    moves = []
    for name, method, kind in (("activate", "post", ""), ("complete", "get", "primary"), ("cancel", "get", "")):
        row = workflow.APPOINTMENTS[name]
        if session.status not in row.sources:
            continue
        reason = " ".join(sentences.why(each) for each in workflow.blockers(row, facts, skip=FILLED_IN))
        if name == "cancel" and session.starts_at <= clock.now:
            no_show = f"{move_url(session, name)}?no_show=1"
            moves.append(Move(f"no-show-{session.code}", _("Did not come"), no_show))
        label, url = sentences.name_of(row), move_url(session, name)
        moves.append(Move(f"{name}-{session.code}", label, url, reason, method, kind))
    return moves


def _day_by_stretches(user: "User", clock: Clock) -> list[Stretch]:
    """Today from top to bottom; free slots that touch are one line, and those that are over are none."""
    whole = day_grid.day_span(clock.today, STUDIO.zone)
    rows = _reservations([user], whole.widened(AROUND, AROUND))
    lane = _lane(user, rows)
    (cells,) = day_grid.grid(_opening(clock.today, lane.held), slot(), [lane], STUDIO.zone).lanes
    by_key = {row.pk: row for row in rows}
    found: list[dict[str, Any]] = []
    for cell in cells:
        start, end = cell.span.start.astimezone(STUDIO.zone), cell.span.end.astimezone(STUDIO.zone)
        if cell.kind is Kind.CORE:
            found.append({"starts_at": start, "ends_at": end, "taken": _taken(by_key[cell.key])})
        elif cell.kind is Kind.FREE and end > clock.now:
            before = found[-1] if found else None
            if before is not None and "book_url" in before and before["ends_at"] == start:
                before["ends_at"] = end
            else:
                found.append({"starts_at": start, "ends_at": end, "book_url": booking_url(user.pk, start)})
    return [Stretch(**each, is_now=each["starts_at"] <= clock.now < each["ends_at"]) for each in found]
