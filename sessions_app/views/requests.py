"""Write a request down, and change what, when and where (business rules 1.3, 3; D2, D16, D24, D33)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_http_methods, require_safe

from scheduling.models import AssignmentStatus
from scheduling.slots import Span
from sessions_app import sentences, workflow
from sessions_app.actions import request as actions
from sessions_app.actions.reach import refuse_appointment
from sessions_app.clients import Record
from sessions_app.forms.people import offer
from sessions_app.forms.requests import EditForm, RequestForm, as_initial, span_of
from sessions_app.models import Client, Session
from sessions_app.opening_words import outside_hours, with_warning
from sessions_app.views.finding import LARGEST_ID, visible_session
from studio.access import require
from studio.acting import Done, act
from studio.conf import STUDIO
from studio.errors import PhotographerNotAvailable, RoomNotAvailable, StudioError
from studio.roles import Perm, is_admin
from studio.templatetags.atelier import long_day, moment

CLIENTS_SHOWN = 8


@require_http_methods(["GET", "HEAD", "POST"])
def session_new(request: HttpRequest) -> HttpResponse:
    """The form of a request. An address may fill it (``?client=3&session_date=2026-11-28``); ``find`` looks up."""
    require(request.user, Perm.SESSION_CREATE)
    sent = request.POST if request.method == "POST" else request.GET
    span = span_of(sent)
    offered = offer(span, now=timezone.now())
    is_bound = request.method == "POST" and "find" not in request.POST
    form = RequestForm(request.POST if is_bound else None, initial=as_initial(sent), offered=offered)
    in_the_way: list[Conflict] = []

    def do(values: dict[str, Any]) -> Done:
        wanted = {
            "session_type": values["session_type"],
            "when": form.when(),
            "location": values["location"],
            "event_description": values["event_description"],
            "special_notes": values["special_notes"],
            "room_id": values["room"].pk if values["room"] else None,
            "photographer_ids": tuple(each.pk for each in values["photographers"]),
            "by": request.user,
            "now": timezone.now(),
        }
        if values["client"] is not None:
            session = actions.open_request(client=values["client"], **wanted)
        else:
            session = actions.open_for_new_client(form.new_client(), **wanted)
        text = _("%(code)s is written down: %(when)s.") % {"code": session.code, "when": _in_words(session)}
        text = with_warning(text, session.span)
        lines = reverse("session-lines", args=[session.code])
        return Done(text, session.get_absolute_url(), lines, _("Say what is sold"), {"session": session.code})

    def context() -> dict[str, Any]:
        return {
            "page_title": _("New request"),
            "nav": "session-list",
            "clients": clients_to_choose_from(sent),
            "searched": sent.get("client_search", "").strip(),
            "in_the_way": in_the_way,
            "offered": offered,
            "outside": outside_hours(span) if span else "",
            "today": timezone.localdate(timezone=STUDIO.zone).isoformat(),
            "has_new_client": any(sent.get(name) for name in ("full_name", "primary_phone", "email")),
        }

    if request.method == "POST" and not is_bound:
        return render(request, "sessions_app/request_new.html", {"form": form, **context()})
    return act(request, form, noting(do, in_the_way), template="sessions_app/request_new.html", context=context)


@require_safe
def client_options(request: HttpRequest) -> HttpResponse:
    """The clients that fit what has been typed so far, as the part of the form that htmx puts in."""
    require(request.user, Perm.SESSION_CREATE)
    require(request.user, Perm.CLIENT_VIEW)
    context = {"clients": clients_to_choose_from(request.GET), "searched": request.GET.get("client_search", "").strip()}
    return render(request, "sessions_app/request_clients.html", context)


@require_safe
def session_free(request: HttpRequest) -> HttpResponse:
    """Rooms and photographers for the time that has been typed so far, as the part of the form that htmx puts in."""
    require(request.user, Perm.SESSION_CREATE)
    span = span_of(request.GET)
    offered = offer(span, now=timezone.now())
    form = RequestForm(initial=as_initial(request.GET), offered=offered)
    context = {"form": form, "offered": offered, "outside": outside_hours(span) if span else ""}
    return render(request, "sessions_app/request_resources.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def session_edit(request: HttpRequest, code: str) -> HttpResponse:
    session = visible_session(request, code)
    require(request.user, Perm.SESSION_EDIT_PRE_ASSIGNED, session)
    refuse_appointment(session)
    now = timezone.now()
    blocker = workflow.edit_blocker(session.status, session.changes_deadline, now)
    is_override = blocker is not None and is_admin(request.user)
    if blocker is not None and not is_override:
        raise sentences.error_of(blocker, session=session.code, current=session.status)
    form = EditForm(request.POST if request.method == "POST" else None, session=session)
    was = session.span
    in_the_way: list[Conflict] = []

    def do(values: dict[str, Any]) -> Done:
        changed = actions.edit(
            session,
            when=form.when(),
            session_type=values["session_type"],
            location=values["location"],
            event_description=values["event_description"],
            special_notes=values["special_notes"],
            by=request.user,
            now=now,
        )
        text = _("%(code)s is changed: %(when)s.") % {"code": changed.code, "when": _in_words(changed)}
        text = with_client(with_warning(text, changed.span), changed, was)
        return Done(text, changed.get_absolute_url(), facts={"session": changed.code})

    def context() -> dict[str, Any]:
        return {
            "session": session,
            "page_title": _("When, where and what"),
            "nav": "session-list",
            "cancel_url": session.get_absolute_url(),
            "in_the_way": in_the_way,
            "override_reason": sentences.why(blocker) if is_override else "",
            "effects": _moves_along(session),
        }

    return act(request, form, noting(do, in_the_way), template="sessions_app/request_edit.html", context=context)


CLIENT_IS_NOT_TOLD = gettext_lazy("The client is not written to about it: tell them.")


def is_agreed(session: Session) -> bool:
    """The client has been told its time, when it was confirmed."""
    return session.status == workflow.CONFIRMED or session.status in workflow.FROM_ASSIGNED_ON


def with_client(text: str, session: Session, was: Span) -> str:
    """What was done, and that the client still knows it at the time that it was."""
    is_moved = (session.starts_at, session.ends_at) != (was.start, was.end)
    return f"{text} {CLIENT_IS_NOT_TOLD}" if is_moved and is_agreed(session) else text


# --- what the pages show -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Conflict:
    """A session in the way, for somebody who may open it; or time off, or the closure of a room."""

    code: str
    url: str
    starts_at: datetime
    ends_at: datetime
    what: str = ""


@dataclass(frozen=True, slots=True)
class ClientOption:
    client: Client
    record: Record
    is_chosen: bool


def noting(do: Callable[[dict[str, Any]], Done], in_the_way: list[Conflict]) -> Callable[[dict[str, Any]], Done]:
    """Carry what is in the way to the page; a request names several photographers in one field."""

    def noted(values: dict[str, Any]) -> Done:
        try:
            return do(values)
        except StudioError as error:
            if isinstance(error, RoomNotAvailable | PhotographerNotAvailable):
                in_the_way.extend(conflicts_of(error))
            if error.field == "photographer":
                error.field = "photographers"
            raise

    return noted


def conflicts_of(error: StudioError) -> list[Conflict]:
    other = pgettext("room", "Closed") if isinstance(error, RoomNotAvailable) else pgettext("reservation", "Time off")
    return [
        Conflict(
            each["session"] or "",
            reverse("session-page", args=[each["session"]]) if each["session"] else "",
            datetime.fromisoformat(each["starts_at"]),
            datetime.fromisoformat(each["ends_at"]),
            "" if each["session"] else other,
        )
        for each in error.details.get("conflicts", [])
    ]


def clients_to_choose_from(sent: Any) -> list[ClientOption]:
    """The chosen client, then those who fit what was typed; with what their record means for the deposit (D24)."""
    text, chosen = sent.get("client_search", "").strip()[:100], sent.get("client", "")
    rows: list[Client] = []
    number = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else None
    book = Client.objects.bookable().with_record().order_by("full_name", "id")
    if number is not None and number <= LARGEST_ID:
        rows += book.filter(pk=number)
    if text:
        rows += [client for client in book.search(text)[:CLIENTS_SHOWN] if client.pk != number]
    return [
        ClientOption(client, Record(client.sessions_count, client.own_cancellations), client.pk == number)
        for client in rows
    ]


def _in_words(session: Session) -> str:
    start, end = session.local_start, session.local_end
    values = {"day": long_day(start), "start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
    if end.date() != start.date():
        return _("%(day)s, %(start)s to %(end)s of the next day") % values
    return _("%(day)s, %(start)s to %(end)s") % values


def _moves_along(session: Session) -> list[dict[str, str]]:
    """What goes with the session to another time, or keeps it where it is."""
    current = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED).select_related("staff")
    effects = []
    if session.room_id:
        effects.append({"icon": "door-open", "text": _("%(room)s moves with it, if free.") % {"room": session.room}})
    effects += [
        {
            "icon": "camera",
            "text": _("%(person)s moves with it, if free, and is told.") % {"person": row.staff.full_name},
        }
        for row in current.order_by("id")
    ]
    if session.held_until is not None:
        until = _("Held until %(when)s, and never beyond its new start.") % {"when": moment(session.held_until)}
        effects.append({"icon": "hourglass-split", "text": until})
    if session.changes_deadline is not None:
        effects.append({"icon": "calendar-check", "text": _("The deadline for changes is reckoned anew.")})
    if session.estimated_delivery_date is not None:
        effects.append({"icon": "box-seam", "text": _("The delivery date is reckoned anew.")})
    if is_agreed(session):
        effects.append({"icon": "envelope", "text": CLIENT_IS_NOT_TOLD})
    if effects:
        effects.append({"icon": "shield-check", "text": _("If one of them is taken at the new time, nothing changes.")})
    return effects


urlpatterns = [
    path("sessions/new/", session_new, name="session-new"),
    path("sessions/new/clients/", client_options, name="client-options"),
    path("sessions/new/free/", session_free, name="session-free"),
    path("sessions/<str:code>/edit/", session_edit, name="session-edit"),
]
