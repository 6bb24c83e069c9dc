"""Rooms: everybody with a role sees which there are and which are free, Admins write them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from scheduling import rooms
from scheduling.forms import RoomForm
from scheduling.models import Room, RoomReservation, RoomStatus
from scheduling.slots import Span
from studio.access import allows, require
from studio.acting import Done, act
from studio.conf import STUDIO
from studio.errors import NotFound
from studio.roles import Perm
from studio.templatetags.atelier import clock

LARGEST_ID = 2**63 - 1
COMING_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Row:
    room: Room
    now: str
    is_busy: bool


@require_safe
def room_list(request: HttpRequest) -> HttpResponse:
    """Every room, and until when it is free or taken today; by whom is not everybody's to know."""
    now = timezone.now()
    local = now.astimezone(STUDIO.zone)
    midnight = local.replace(hour=23, minute=59, second=59, microsecond=0)
    taken: dict[int, list[RoomReservation]] = {}
    if now < midnight:
        for row in RoomReservation.objects.holding().overlapping(Span(now, midnight)).order_by("during"):
            taken.setdefault(row.room_id, []).append(row)
    found = Room.objects.order_by("name", "id")
    context = {
        "rows": [_row(room, taken.get(room.pk, []), now) for room in found],
        "may_create": allows(request.user, Perm.ROOM_CREATE),
        "may_edit": allows(request.user, Perm.ROOM_EDIT),
    }
    return render(request, "scheduling/room_list.html", context)


def _row(room: Room, taken: Iterable[RoomReservation], now: datetime) -> Row:
    """Free or taken until when, today: one reservation after the other counts as one."""
    until, first = now, None
    for row in taken:
        if row.during.lower <= until:
            until = max(until, row.during.upper)
        elif first is None:
            first = row
    if room.status != RoomStatus.ACTIVE and until == now:
        return Row(room, "", False)
    if until > now:
        return Row(room, _("In use until %(time)s") % {"time": clock(until)}, True)
    if first is not None:
        return Row(room, _("Free until %(time)s") % {"time": clock(first.during.lower)}, False)
    return Row(room, _("Free for the rest of the day"), False)


@require_http_methods(["GET", "HEAD", "POST"])
def room_new(request: HttpRequest) -> HttpResponse:
    require(request.user, Perm.ROOM_CREATE)
    form = RoomForm(request.POST if request.method == "POST" else None)

    def do(_values: dict[str, Any]) -> Done:
        room = rooms.add_room(by=request.user, **form.values())
        return Done(_("%(room)s was added.") % {"room": room.name}, reverse("room-list"), facts={"id": room.pk})

    context = {"page_title": _("New room"), "submit_label": _("Add the room"), "cancel_url": reverse("room-list")}
    return act(request, form, do, template="scheduling/room_form.html", context=context)


@require_http_methods(["GET", "HEAD", "POST"])
def room_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The room, beside it what holds it: whoever takes it out of use sees what that leaves behind."""
    require(request.user, Perm.ROOM_EDIT)
    room = Room.objects.filter(pk=pk).first() if pk <= LARGEST_ID else None
    if room is None:
        raise NotFound
    title, now = room.name, timezone.now()
    coming = list(rooms.coming(room, now=now).select_related("session__client")[:COMING_SHOWN])
    form = RoomForm(request.POST if request.method == "POST" else None, instance=room, is_held=bool(coming))

    def do(_values: dict[str, Any]) -> Done:
        changed = rooms.change_room(room, by=request.user, now=now, **form.values())
        out = changed.status != RoomStatus.ACTIVE
        text = _("%(room)s was saved; it is not offered for new sessions.") if out else _("%(room)s was saved.")
        needs_moving = out and coming
        return Done(
            text % {"room": changed.name},
            reverse("room-list"),
            reverse("room-edit", args=[changed.pk]) if needs_moving else "",
            _("See the sessions that still hold it") if needs_moving else "",
        )

    context = {
        "page_title": title,
        "cancel_url": reverse("room-list"),
        "coming": [_coming(row) for row in coming],
        "is_more": len(coming) == COMING_SHOWN,
        "is_out_of_use": Room.objects.filter(pk=pk).exclude(status=RoomStatus.ACTIVE).exists(),
    }
    return act(request, form, do, template="scheduling/room_form.html", context=context)


def _coming(row: RoomReservation) -> dict[str, Any]:
    """A reservation of a session, or a closure of the room."""
    if row.session_id is None:
        return {"starts": row.starts_at, "ends": row.ends_at, "title": row.notes or _("Closed"), "url": ""}
    session = row.session
    return {
        "starts": row.starts_at,
        "ends": row.ends_at,
        "title": f"{session.title} ({session.code})",
        "url": session.get_absolute_url(),
    }
