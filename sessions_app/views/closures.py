"""Closures of rooms, put down and ended by coordination (permissions: session.assign-resources)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from scheduling.models import RoomReservation
from sessions_app.actions import closure as actions
from sessions_app.forms.time_off import ClosureForm
from sessions_app.views.finding import LARGEST_ID
from sessions_app.views.requests import Conflict, noting
from sessions_app.views.time_off import ROWS, day_asked, in_words, number_asked
from studio.access import require
from studio.acting import Done, act, back, finish
from studio.errors import NotFound
from studio.roles import Perm


@dataclass(frozen=True, slots=True)
class Row:
    """One closure as it is read."""

    pk: int
    room: str
    when: str
    notes: str
    by: str
    is_running: bool


@require_http_methods(["GET", "HEAD", "POST"])
def closure_list(request: HttpRequest) -> HttpResponse:
    """The closures ahead, with the form. ``?room=`` narrows the list and fills the form, as ``?day=`` does."""
    require(request.user, Perm.SESSION_ASSIGN_RESOURCES)
    now = timezone.now()
    chosen = number_asked(request.GET.get("room", ""))
    posted = request.POST if request.method == "POST" else None
    form = ClosureForm(posted, initial={"room": chosen, "first_day": day_asked(request.GET.get("day", ""))})
    in_the_way: list[Conflict] = []

    def do(values: dict[str, Any]) -> Done:
        row = actions.close(values["room"], span=values["span"], by=request.user, now=now, notes=values["notes"])
        text = _("%(room)s is closed: %(when)s.") % {"room": row.room.name, "when": in_words(row)}
        return Done(text, back(request, reverse("closure-list")), facts={"closure": row.pk})

    def context() -> dict[str, Any]:
        rows = actions.ahead(now=now)
        page = Paginator(rows if chosen is None else rows.filter(room=chosen), ROWS).get_page(request.GET.get("page"))
        return {
            "page_title": _("Rooms closed"),
            "nav": "time-off",
            "page": page,
            "rows": [_row(each, now) for each in page],
            "rooms": [(each.pk, each.name, each.pk == chosen) for each in form.fields["room"].queryset],
            "in_the_way": in_the_way,
            "next": request.POST.get("next") or request.GET.get("next") or "",
        }

    return act(request, form, noting(do, in_the_way), template="sessions_app/closures.html", context=context)


@require_POST
def closure_end(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, Perm.SESSION_ASSIGN_RESOURCES)
    if pk > LARGEST_ID:
        raise NotFound
    row = actions.end(pk, by=request.user, now=timezone.now())
    if row.released_at is None:
        text = _("%(room)s is open again: the closure ended now.") % {"room": row.room.name}
    else:
        text = _("Taken back, %(room)s is free: %(when)s.") % {"room": row.room.name, "when": in_words(row)}
    return finish(request, Done(text, back(request, reverse("closure-list"))))


def _row(row: RoomReservation, now: datetime) -> Row:
    by = row.created_by.full_name if row.created_by else ""
    return Row(row.pk, row.room.name, in_words(row), row.notes, by, row.starts_at < now)


urlpatterns = [
    path("closures/", closure_list, name="closure-list"),
    path("closures/<int:pk>/end/", closure_end, name="closure-end"),
]
