"""Artists' appointments by the day: the board, the quick booking from a free slot, the move to another one (D25)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from scheduling.slots import Span, lasting
from sessions_app import artist_day
from sessions_app.actions import appoint
from sessions_app.actions.shift import shift_appointment
from sessions_app.forms.appointments import (
    TENTATIVE,
    USUAL_MINUTES,
    BoardFilter,
    BookForm,
    ShiftForm,
    moment_of,
    span_of,
)
from sessions_app.models import Session
from sessions_app.opening_words import outside_hours, with_warning
from sessions_app.states import Status
from sessions_app.views.finding import LARGEST_ID, visible_session
from sessions_app.views.requests import Conflict, conflicts_of
from studio import navigation
from studio.access import allows, require
from studio.acting import Done, act, finish, refusal_of
from studio.conf import STUDIO
from studio.errors import NotFound, StudioError
from studio.roles import Perm
from studio.templatetags.atelier import clock, long_day

if TYPE_CHECKING:
    from studio.models import User

# What the refusals of the act call the fields of the form.
FIELDS = {"photographer": "start_time", "end": "duration", "title": "event_description", "notes": "special_notes"}


@require_safe
def appointment_board(request: HttpRequest) -> HttpResponse:
    """A day by slots, all artists side by side; an artist sees their own. ``?day=2026-11-28&artist=3``."""
    require(request.user, Perm.APPOINTMENT_MANAGE_OWN)
    now = timezone.now()
    today = now.astimezone(STUDIO.zone).date()
    shown = BoardFilter(request.GET)
    ignored = []
    if not shown.is_valid() and "day" in shown.errors:
        ignored.append(_("“%(day)s” is no day of the calendar: this is today.") % {"day": request.GET["day"][:30]})
    if "artist" in shown.errors:
        raise NotFound
    day = shown.cleaned_data.get("day") or today
    board = artist_day.board(request.user, day, now=now, artist_id=shown.cleaned_data.get("artist"))
    if board is None:
        raise NotFound
    context = {
        "page_title": _("Appointments"),
        "board": board,
        "form": BoardFilter(initial={"day": day, "artist": board.chosen}),
        "ignored": ignored,
        "is_today": day == today,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        "today_url": artist_day.board_url(today),
        "chips": _artist_chips(board),
        "time_off_url": navigation.address("time-off"),
        "new_url": f"{reverse('appointment-new')}?session_date={day.isoformat()}",
    }
    return render(request, "appointments/board.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def appointment_new(request: HttpRequest) -> HttpResponse:
    """The quick booking. An address may fill it (``?artist=3&start=2026-11-28T10:00``); ``find`` looks up.

    ``at`` is another start that was offered: the same form, sent with it.
    """
    user = request.user
    require(user, Perm.APPOINTMENT_MANAGE_OWN)
    artists = artist_day.artists_for(user)
    sent, ignored = _sent(request)
    is_bound = request.method == "POST" and "find" not in request.POST
    form = BookForm(sent if is_bound else None, by=user, artists=artists, initial=_initial(sent))

    def do(values: dict[str, Any]) -> Done:
        wanted = {
            "artist_id": values["artist"].pk,
            "span": values["span"],
            "price": values["price"],
            "title": values["event_description"],
            "notes": values["special_notes"],
            "tentative": values["certainty"] == TENTATIVE,
            "by": user,
            "now": timezone.now(),
        }
        try:
            if values["client"] is not None:
                session = appoint.book(client=values["client"], **wanted)
            else:
                session = appoint.book_for_new_client(form.new_client(), **wanted)
        except StudioError as error:
            error.field = FIELDS.get(error.field, error.field)
            raise
        return _booked(session, values["artist"], user)

    def context() -> dict[str, Any]:
        return {
            "page_title": _("New appointment"),
            "nav": "appointment-board",
            "ignored": ignored,
            "clients": _clients(user, sent),
            "searched": sent.get("client_search", "").strip(),
            "has_new_client": any(sent.get(name) for name in ("full_name", "primary_phone", "email")),
            "one_artist": not allows(user, Perm.SESSION_VIEW_ALL),
            "room": _room_for(user, sent),
            "cancel_url": artist_day.board_url(_day_of(sent)),
            "series_url": _series_url(sent),
        }

    if request.method == "POST" and not is_bound:
        return render(request, "appointments/new.html", {"form": form, **context()})
    return act(request, form, do, template="appointments/new.html", context=context)


@require_safe
def appointment_clients(request: HttpRequest) -> HttpResponse:
    """The clients that fit what has been typed so far, as the part of the form that htmx puts in."""
    require(request.user, Perm.APPOINTMENT_MANAGE_OWN)
    searched = request.GET.get("client_search", "").strip()
    context = {
        "clients": _clients(request.user, request.GET),
        "searched": searched,
        "one_artist": not allows(request.user, Perm.SESSION_VIEW_ALL),
    }
    return render(request, "appointments/clients.html", context)


@require_safe
def appointment_free(request: HttpRequest) -> HttpResponse:
    """Whether the time that has been typed so far is free, and what is: the part of the form that htmx puts in."""
    require(request.user, Perm.APPOINTMENT_MANAGE_OWN)
    return render(request, "appointments/room.html", {"room": _room_for(request.user, request.GET)})


@require_POST
def appointment_shift(request: HttpRequest, code: str) -> HttpResponse:
    """To another time, for the office also to another artist; what it lasts stays, unless ``end`` says otherwise."""
    session = visible_session(request, code)
    require(request.user, Perm.APPOINTMENT_MANAGE_OWN, session)
    form = ShiftForm(request.POST)
    if not form.is_valid():
        raise refusal_of(form)
    values = form.cleaned_data
    moved = shift_appointment(
        session,
        start=values["start"],
        end=values["end"],
        artist_id=values["artist"],
        by=request.user,
        now=timezone.now(),
    )
    text = _("%(code)s is moved: %(when)s, %(artist)s.") % {
        "code": moved.code,
        "when": in_words(moved.span),
        "artist": moved.artist.full_name,
    }
    text = with_warning(text, moved.span)
    url = artist_day.board_url(moved.session_date)
    return finish(request, Done(text, url, moved.get_absolute_url(), _("Open it"), {"session": moved.code}))


# -- what the pages show -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Room:
    """Whether there is room for what was typed: until when it lasts, what is in the way, and where there is room."""

    artist: str
    span: Span
    held: Span
    # Of the opening hours.
    outside: str = ""
    reason: str = ""
    in_the_way: list[Conflict] = field(default_factory=list)
    alternatives: list[Span] = field(default_factory=list)

    @property
    def has_buffers(self) -> bool:
        return self.held != self.span


@dataclass(frozen=True, slots=True)
class Chip:
    """``is_on_phone``: the one whose list a phone shows while all are chosen."""

    label: str
    url: str
    is_current: bool
    is_on_phone: bool = False


def _artist_chips(board: artist_day.Board) -> list[Chip]:
    """All artists, then each: the filter on a wide window, the switch on a phone."""
    if len(board.artists) < 2:
        return []
    url = artist_day.board_url(board.day)
    chips = [Chip(_("All artists"), url, board.chosen is None)]
    first = board.columns[0].pk if board.chosen is None else None
    return chips + [Chip(name, f"{url}&artist={pk}", board.chosen == pk, pk == first) for pk, name in board.artists]


def _sent(request: HttpRequest) -> tuple[Any, list[str]]:
    """What the address or the form says, with ``start`` and ``at`` taken apart into the fields of the form."""
    sent = (request.POST if request.method == "POST" else request.GET).copy()
    ignored = []
    text = sent.get("at") or sent.get("start") or ""
    if text:
        try:
            start = moment_of(text)
            sent["session_date"], sent["start_time"] = f"{start:%Y-%m-%d}", f"{start:%H:%M}"
        except (ValueError, OverflowError):
            ignored.append(_("“%(start)s” is no time: choose one.") % {"start": text[:40]})
    if not allows(request.user, Perm.SESSION_VIEW_ALL):
        sent.setdefault("artist", str(request.user.pk))
    return sent, ignored


def _initial(sent: Mapping[str, str]) -> dict[str, Any]:
    initial: dict[str, Any] = {name: sent[name] for name in BookForm.base_fields if name in sent}
    initial.setdefault("session_date", _day_of(sent).isoformat())
    return initial


def _series_url(sent: Mapping[str, str]) -> str:
    """The form for several sittings, with what is known already; "" where there is none."""
    url = navigation.address("appointment-series")
    known = {name: sent[name] for name in ("client", "artist") if sent.get(name)}
    if sent.get("session_date") and sent.get("start_time"):
        known["start"] = f"{sent['session_date']}T{sent['start_time']}"
    return f"{url}?{urlencode(known)}" if url and known else url


def _day_of(sent: Mapping[str, str]) -> date:
    """The day that is meant so far, else today."""
    try:
        return BookForm.base_fields["session_date"].clean(sent.get("session_date"))
    except ValidationError:
        return timezone.localdate(timezone=STUDIO.zone)


def _number(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return number if number is not None and number <= LARGEST_ID else None


def _clients(user: "User", sent: Mapping[str, str]) -> list[artist_day.ClientOption]:
    text = sent.get("client_search", "").strip()[:100]
    return artist_day.client_options(user, text=text, chosen=_number(sent.get("client", "")))


def _room_for(user: "User", sent: Mapping[str, str]) -> Room | None:
    """None while artist, day, start and length are not known."""
    artist = _artist(user, sent)
    span = _span(sent)
    if artist is None or span is None:
        return None
    held = appoint.buffered(artist, span)
    clashes = appoint.clashes([span], artist_id=artist.pk)
    outside = outside_hours(span)
    if not clashes:
        return Room(artist.full_name, span, held, outside)
    starts = artist_day.alternatives(artist, span)
    return Room(
        artist.full_name,
        span,
        held,
        outside,
        clashes[0].error.message,
        conflicts_of(clashes[0].error),
        [lasting(start, span.duration) for start in starts],
    )


def _artist(user: "User", sent: Mapping[str, str]) -> "User | None":
    artists = artist_day.artists_for(user)
    if not sent.get("artist") or not allows(user, Perm.SESSION_VIEW_ALL):
        # As the form shows it, where nobody was chosen yet.
        return artists.first()
    number = _number(sent.get("artist", ""))
    return artists.filter(pk=number).first() if number is not None else None


def _span(sent: Mapping[str, str]) -> Span | None:
    fields = BookForm.base_fields
    try:
        day, start = (fields[name].clean(sent.get(name)) for name in ("session_date", "start_time"))
        minutes = int(sent.get("duration") or USUAL_MINUTES)
        return span_of(day, start, minutes) if 0 < minutes <= STUDIO.max_session_hours * 60 else None
    except (ValidationError, ValueError, OverflowError):
        return None


def _booked(session: Session, artist: "User", by: "User") -> Done:
    """What was booked, and what comes next: for the office the advance where there is a price."""
    values = {
        "code": session.code,
        "client": session.client.full_name,
        "when": in_words(session.span),
        "artist": artist.full_name,
    }
    if session.status == Status.WAITING:
        text = _("%(code)s is on hold: %(client)s, %(when)s, %(artist)s.") % values
    else:
        text = _("%(code)s is booked: %(client)s, %(when)s, %(artist)s.") % values
    text = with_warning(text, session.span)
    next_url, next_label = session.get_absolute_url(), _("Open it")
    if session.price and allows(by, Perm.PAYMENT_REGISTER):
        next_url, next_label = reverse("session-deposit", args=[session.code]), _("Take an advance")
    return Done(text, artist_day.board_url(session.session_date), next_url, next_label, {"session": session.code})


def in_words(span: Span) -> str:
    start, end = (each.astimezone(STUDIO.zone) for each in (span.start, span.end))
    values = {"day": long_day(start), "start": clock(start), "end": clock(end)}
    if end.date() != start.date():
        return _("%(day)s, %(start)s to %(end)s of the next day") % values
    return _("%(day)s, %(start)s to %(end)s") % values


urlpatterns = [
    path("appointments/", appointment_board, name="appointment-board"),
    path("appointments/new/", appointment_new, name="appointment-new"),
    path("appointments/new/clients/", appointment_clients, name="appointment-clients"),
    path("appointments/new/free/", appointment_free, name="appointment-free"),
    path("appointments/<str:code>/shift/", appointment_shift, name="appointment-shift"),
]
