"""Rows into records, through the same forms and actions as by hand: what they refuse, a row is refused for.

A completed or canceled appointment is booked and then walked through the table by the system, so that its history is
whole. Money is not imported: what was completed elsewhere was paid and counted elsewhere. It comes in at 0.00, with its
price in the notes, so that neither the till nor a commission counts it again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from payments.money import ZERO
from scheduling.booking import lock_people
from scheduling.slots import Span
from sessions_app import artist_day, workflow
from sessions_app.actions import appoint
from sessions_app.actions.request import add_unknown_client
from sessions_app.forms.clients import ClientForm
from sessions_app.importing import values
from sessions_app.importing.columns import OF
from sessions_app.importing.reading import Row, plain
from sessions_app.importing.values import BadCell
from sessions_app.models import Client, ImportKind, Session
from studio import notices
from studio.errors import StudioError
from studio.templatetags.atelier import moment, money

if TYPE_CHECKING:
    from studio.models import User

# So many are kept and shown; all are counted.
ERRORS_KEPT = 200
SAMPLES = 10
LONGEST_VALUE = 80
TITLE, NOTES = 250, 5000

# What the refusals call our columns.
COLUMN_OF: dict[str, dict[str, str]] = {
    ImportKind.CLIENTS: {name: name for name in ("full_name", "email", "primary_phone")},
    ImportKind.APPOINTMENTS: {
        "photographer": "start",
        "artist": "artist",
        "client": "client_email",
        "email": "client_email",
        "full_name": "client_name",
        "primary_phone": "client_phone",
        "end": "end",
        "price": "price",
    },
}


@dataclass(slots=True)
class Outcome:
    """What a file did, or would do: counts by what was written, what is wrong, and the first of its rows."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[dict[str, Any]] = field(default_factory=list)
    error_count: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)
    sampled: frozenset[int] = frozenset()
    """The numbers of the rows that are shown."""

    def refuse(self, row: Row, column: str, value: str, reason: str) -> None:
        self.error_count += 1
        if len(self.errors) < ERRORS_KEPT:
            short = value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + "…"
            self.errors.append({"row": row.number, "column": column, "value": short, "reason": reason})

    def sample(self, row: Row, what: str, name: str, when: str = "") -> None:
        if row.number in self.sampled:
            self.samples.append({"row": row.number, "what": what, "name": name, "when": when})

    def as_report(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "errors": self.error_count,
            "first_errors": sorted(self.errors, key=lambda error: error["row"]),
            "samples": sorted(self.samples, key=lambda sample: sample["row"]),
        }


class _Cells:
    """A row by the names of our columns."""

    def __init__(self, row: Row, mapping: Mapping[str, int]) -> None:
        self.row = row
        self._mapping = mapping

    def __getitem__(self, name: str) -> str:
        return self.row.cell(self._mapping[name]) if name in self._mapping else ""


def carry_out(
    rows: Sequence[Row],
    *,
    kind: str,
    mapping: Mapping[str, int],
    by: "User",
    now: datetime,
    heard: Callable[[int], None] = lambda done: None,
) -> Outcome:
    """Write what can be written of ``rows``, in the caller's transaction, who undoes it when an error was found.

    Each row has a savepoint of its own, so that all errors of a file are found at once. ``heard`` is told how many are
    done. Nobody gets notices.
    """
    outcome = Outcome(sampled=frozenset(row.number for row in rows[:SAMPLES]))
    write = _clients(outcome, by) if kind == ImportKind.CLIENTS else _appointments(outcome, by, now)
    with notices.silence():
        if kind == ImportKind.CLIENTS:
            for done, row in enumerate(rows, start=1):
                _one(_Cells(row, mapping), write, outcome, kind)
                heard(done)
            return outcome
        # Clients in the order of the file: an earlier row may say more of them.
        read: list[tuple[_Cells, _Booking]] = []
        for done, row in enumerate(rows, start=1):
            cells = _Cells(row, mapping)
            booking = _one(cells, write, outcome, kind)
            if booking is not None:
                read.append((cells, booking))
            heard(done // 2)
        _lock(booking for _cells, booking in read)
        for done, (cells, booking) in enumerate(read, start=1):
            _one(cells, booking.book, outcome, kind)
            heard((len(rows) + done) // 2)
    return outcome


# What is done for a row; an appointment is read first, and returns its booking.
Write = Callable[[_Cells], Any]


@dataclass(frozen=True, slots=True)
class _Booking:
    """What a row needs when all rows are read; ``book`` carries it out."""

    client_id: int
    artist_id: int
    book: Write


def _lock(bookings: Iterable[_Booking]) -> None:
    """Everybody of the file before anything is booked: clients by id, then artists by id.

    Row by row it would hold the artist of one and wait for the client of the next, who may wait for that artist.
    """
    wanted = list(bookings)
    clients = Client.objects.filter(pk__in={each.client_id for each in wanted}).order_by("pk")
    list(clients.select_for_update(no_key=True).values_list("pk", flat=True))
    lock_people(each.artist_id for each in wanted)


def _one(cells: _Cells, write: Write, outcome: Outcome, kind: str) -> Any:
    before = Counter(outcome.counts), len(outcome.samples)
    try:
        with transaction.atomic():
            return write(cells)
    except _BadCells as several:
        for bad in several.cells:
            outcome.refuse(cells.row, bad.column, bad.value, bad.reason)
    except StudioError as error:
        column = COLUMN_OF[kind].get(error.field or "", "")
        outcome.refuse(cells.row, column, cells[column] if column else "", error.message)
    except IntegrityError:
        outcome.refuse(cells.row, "", "", _("Somebody wrote the same at this moment: try again."))
    outcome.counts = before[0]
    del outcome.samples[before[1] :]
    return None


class _BadCells(Exception):
    """Everything that is wrong with the cells of one row."""

    def __init__(self, cells: list[BadCell]) -> None:
        super().__init__(len(cells))
        self.cells = cells


@dataclass(slots=True)
class _Reader:
    """Reads the cells of one row and remembers all that is wrong with them."""

    wrong: list[BadCell] = field(default_factory=list)

    def read(self, how: Callable[..., Any], *args: Any) -> Any:
        try:
            return how(*args)
        except BadCell as bad:
            self.wrong.append(bad)
            return None

    def refuse(self) -> None:
        if self.wrong:
            raise _BadCells(self.wrong)


# -- clients -----------------------------------------------------------------------------------------------------------


def _clients(outcome: Outcome, by: "User") -> Write:
    def write(cells: _Cells) -> None:
        reader = _Reader()
        typed = {column.name: cells[column.name] for column in OF[ImportKind.CLIENTS]}
        typed["client_type"] = reader.read(values.client_type, cells["client_type"])
        typed["language"] = reader.read(values.language, cells["language"])
        reader.refuse()
        known = _known(typed["email"])
        if known is not None:
            outcome.counts["client_known"] += 1
            outcome.sample(cells.row, "client_known", known.full_name)
            return
        client = _new_client(typed, by=by)
        outcome.counts["client_new"] += 1
        outcome.sample(cells.row, "client_new", client.full_name)

    return write


def _known(email: str) -> Client | None:
    """Whoever has this e-mail in the book; who was deleted is refused by the form."""
    return Client.objects.present().filter(email__iexact=email.strip()).first() if email.strip() else None


def _new_client(typed: Mapping[str, str], *, by: "User", names: Mapping[str, str] | None = None) -> Client:
    """As the form of the client book would write them down. ``names`` gives our columns by the form's fields."""
    email = typed["email"].strip()
    if email and Client.objects.filter(email__iexact=email, deleted_at__isnull=False).exists():
        reason = _("Whoever has this e-mail was deleted from the client book.")
        raise _BadCells([BadCell((names or {}).get("email", "email"), email, reason)])
    form = ClientForm({"client_type": "Individual", **typed})
    if not form.is_valid():
        bad = [
            BadCell((names or {}).get(name, name), typed.get(name, ""), " ".join(str(each) for each in reasons))
            for name, reasons in form.errors.items()
        ]
        raise _BadCells([BadCell("", each.value, each.reason) if each.column == "__all__" else each for each in bad])
    return add_unknown_client(form.save(commit=False), by=by)


# -- appointments ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An appointment as its row has it."""

    span: Span
    artist: "User"
    price: Decimal | None
    title: str
    notes: str
    state: str


CLIENT_FIELDS = {"email": "client_email", "full_name": "client_name", "primary_phone": "client_phone"}
COUNTED = {
    workflow.ACTIVE: "appointment_active",
    workflow.WAITING: "appointment_waiting",
    workflow.COMPLETED: "appointment_completed",
    workflow.CANCELED: "appointment_canceled",
    values.NO_SHOW: "appointment_no_show",
}


def _appointments(outcome: Outcome, by: "User", now: datetime) -> Write:
    artists = _artists()

    def read(cells: _Cells) -> _Booking:
        wanted = _wanted(cells, artists)
        client, is_new = _client_of(cells, by=by)
        if is_new:
            outcome.counts["client_new"] += 1

        def book(cells: _Cells) -> None:
            session = _book(wanted, client, by=by, now=now)
            outcome.counts[COUNTED[wanted.state]] += 1
            whose = f"{client.full_name} · {wanted.artist.full_name}"
            outcome.sample(cells.row, COUNTED[wanted.state], whose, moment(session.starts_at))

        return _Booking(client.pk, wanted.artist.pk, book)

    return read


def _artists() -> dict[str, list["User"]]:
    """Active artists by e-mail and by name, as ``plain`` writes it."""
    found: dict[str, list[User]] = {}
    for artist in artist_day.artists():
        for key in {artist.email, plain(artist.full_name)}:
            found.setdefault(key, []).append(artist)
    return found


def _wanted(cells: _Cells, artists: Mapping[str, list["User"]]) -> _Wanted:
    reader = _Reader()
    span = reader.read(_span, cells)
    artist = reader.read(_artist, cells["artist"], artists)
    price = reader.read(values.price, cells["price"])
    title = reader.read(values.at_most, cells["title"], TITLE, "title")
    notes = reader.read(values.at_most, cells["notes"], NOTES, "notes")
    state = reader.read(values.state, cells["status"])
    reader.refuse()
    return _Wanted(span, artist, price, title, notes, state)


def _span(cells: _Cells) -> Span:
    if not cells["date"]:
        raise BadCell("date", "", _("This is needed."))
    day, at = values.day_and_time(cells["date"])
    column = "date"
    if cells["start"]:
        # A whole date may stand in here, as spreadsheets write it.
        column = "start"
        said, at = _time_in(cells["start"], "start")
        if said not in (None, day):
            raise BadCell("start", cells["start"], _("This is another day than the date of the row."))
    if at is None:
        raise BadCell("start", "", _("Say when it begins."))
    start = values.instant_of(day, at, column)
    is_next_day = False
    if cells["end"]:
        last, ends_at = _time_in(cells["end"], "end")
        if last is None:
            is_next_day = ends_at <= at
            # Not after the start: it ends on the next day (D2).
            last = day if ends_at > at else day + timedelta(days=1)
        end = values.instant_of(last, ends_at, "end")
    elif cells["duration"]:
        end = start + values.length(cells["duration"])
    else:
        raise BadCell("end", "", _("Say until when, or how long it lasts."))
    try:
        span = Span(start, end)
    except ValueError:
        raise BadCell("end", cells["end"], _("An appointment ends after it starts.")) from None
    if is_next_day:
        try:
            appoint.refuse_slip(span)
        except StudioError as slip:
            raise BadCell("end", cells["end"], slip.message) from None
    return span


def _time_in(text: str, column: str) -> tuple[date | None, time]:
    """A time, and the day where it stands before it."""
    if any(sign in text for sign in "/-"):
        day, at = values.day_and_time(text, column)
        if at is not None:
            return day, at
    return None, values.clock_time(text, column)


def _artist(text: str, artists: Mapping[str, list["User"]]) -> "User":
    if not text:
        raise BadCell("artist", "", _("This is needed."))
    found = artists.get(text.strip().casefold()) or artists.get(plain(text)) or []
    if len(found) == 1:
        return found[0]
    if found:
        raise BadCell("artist", text, _("Several artists have this name: write the e-mail."))
    raise BadCell("artist", text, _("There is no active artist of this name or e-mail."))


def _client_of(cells: _Cells, *, by: "User") -> tuple[Client, bool]:
    """By e-mail, else by the whole name where one has it; who is in no book is written down when all is there."""
    known = _known(cells["client_email"])
    if known is not None:
        return known, False
    if not cells["client_email"]:
        name = " ".join(cells["client_name"].split())
        if not name:
            raise _BadCells([BadCell("client_email", "", _("Say whose it is: an e-mail, or a whole name."))])
        called = list(Client.objects.present().filter(full_name__iexact=name)[:2])
        if len(called) == 1:
            return called[0], False
        reason = (
            _("Several clients have this name: write the e-mail.")
            if called
            else _("Nobody in the client book has this name: write e-mail and phone as well.")
        )
        raise _BadCells([BadCell("client_name", name, reason)])
    typed = {ours: cells[theirs] for ours, theirs in CLIENT_FIELDS.items()}
    return _new_client(typed, by=by, names=CLIENT_FIELDS), True


def _book(wanted: _Wanted, client: Client, *, by: "User", now: datetime) -> Session:
    is_paid_elsewhere = wanted.state == workflow.COMPLETED
    is_off = wanted.state in (workflow.CANCELED, values.NO_SHOW)
    session = appoint.book(
        client=client,
        artist_id=wanted.artist.pk,
        span=wanted.span,
        by=by,
        now=now,
        price=ZERO if is_paid_elsewhere else wanted.price,
        title=wanted.title,
        notes=_with_price(wanted) if is_paid_elsewhere else wanted.notes,
        tentative=wanted.state == workflow.WAITING,
        # What was canceled holds no time (D26): somebody else may have come instead, in this file or in the books.
        holds=not is_off,
    )
    if wanted.state == workflow.COMPLETED:
        session.complete(by=None, now=now, method=workflow.METHODS[0], reason=_("Imported: completed before."))
    elif is_off:
        no_show = wanted.state == values.NO_SHOW
        session.cancel(
            by=None,
            now=now,
            reason=_("Imported: the client did not come.") if no_show else _("Imported: canceled before."),
            # Nobody knows any more who canceled: it does not count against the client (D35).
            initiator="client" if no_show else "company",
            no_show=no_show,
        )
    return session


def _with_price(wanted: _Wanted) -> str:
    if not wanted.price:
        return wanted.notes
    said = _("Price before the import: %(price)s.") % {"price": money(wanted.price)}
    return f"{said}\n{wanted.notes}".strip()
