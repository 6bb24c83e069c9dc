"""Time off: one's own, and for coordinators everybody's (permissions: schedule.block.own)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from scheduling.models import Reservation, StaffReservation
from scheduling.slots import as_whole_days
from sessions_app.actions import time_off as actions
from sessions_app.forms.time_off import TimeOffForm
from sessions_app.views.finding import LARGEST_ID
from sessions_app.views.requests import Conflict, noting
from studio.access import allows, require
from studio.acting import Done, act, back, finish
from studio.errors import NotFound
from studio.roles import Perm, roles_of
from studio.templatetags.atelier import clock, day, moment

ROWS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One time off as it is read."""

    pk: int
    person: str
    when: str
    notes: str
    by: str
    is_running: bool


@require_http_methods(["GET", "HEAD", "POST"])
def time_off(request: HttpRequest) -> HttpResponse:
    """The list with its form. ``?person=`` narrows it, for those who see everybody's; ``?day=`` fills the form."""
    require(request.user, Perm.SCHEDULE_BLOCK_OWN)
    now = timezone.now()
    sees_all = allows(request.user, Perm.SESSION_ASSIGN_RESOURCES)
    own = bool(roles_of(request.user).intersection(actions.BOOKED))
    chosen = number_asked(request.GET.get("person", "")) if sees_all else request.user.pk
    initial = {
        "first_day": day_asked(request.GET.get("day", "")),
        "person": chosen or (request.user.pk if own else None),
    }
    posted = request.POST if request.method == "POST" else None
    form = TimeOffForm(posted, by=request.user, chooses=sees_all, initial=initial)
    in_the_way: list[Conflict] = []

    def do(values: dict[str, Any]) -> Done:
        row = actions.block(form.whose(), span=values["span"], by=request.user, now=now, notes=values["notes"])
        text = _("%(person)s is off: %(when)s.") % {"person": row.staff.full_name, "when": in_words(row)}
        return Done(text, back(request, reverse("time-off")), facts={"time_off": row.pk})

    def context() -> dict[str, Any]:
        rows = actions.ahead(now=now)
        page = Paginator(rows if chosen is None else rows.filter(staff=chosen), ROWS).get_page(request.GET.get("page"))
        people = list(actions.bookable_people()) if sees_all else []
        return {
            "page_title": _("Time off"),
            "page": page,
            "rows": [_row(each, now) for each in page],
            "people": [(each.pk, each.full_name, each.pk == chosen) for each in people],
            "sees_all": sees_all,
            "in_the_way": in_the_way,
            "next": request.POST.get("next") or request.GET.get("next") or "",
        }

    return act(request, form, noting(do, in_the_way), template="sessions_app/time_off.html", context=context)


@require_POST
def time_off_end(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, Perm.SCHEDULE_BLOCK_OWN)
    if pk > LARGEST_ID:
        raise NotFound
    row = actions.take_back(pk, by=request.user, now=timezone.now())
    if row.released_at is None:
        text = _("%(person)s is back: the time off ended now.") % {"person": row.staff.full_name}
    else:
        text = _("Taken back, the time is free: %(when)s.") % {"when": in_words(row)}
    return finish(request, Done(text, back(request, reverse("time-off"))))


def in_words(row: Reservation) -> str:
    """``Mon 8 Mar to Fri 12 Mar``, ``Mon 8 Mar 14:00 to 16:00``."""
    start, end = row.starts_at, row.ends_at
    if (days := as_whole_days(row.span)) is not None:
        first, last = days
        return day(first) if first == last else _("%(start)s to %(end)s") % {"start": day(first), "end": day(last)}
    if start.date() == end.date():
        return _("%(day)s %(start)s to %(end)s") % {"day": day(start), "start": clock(start), "end": clock(end)}
    return _("%(start)s to %(end)s") % {"start": moment(start), "end": moment(end)}


def _row(row: StaffReservation, now: datetime) -> Row:
    by = row.created_by.full_name if row.created_by and row.created_by_id != row.staff_id else ""
    return Row(row.pk, row.staff.full_name, in_words(row), row.notes, by, row.starts_at < now)


def number_asked(text: str) -> int | None:
    """The number that an address names."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def day_asked(text: str) -> date | None:
    """The day that an address names."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


urlpatterns = [
    path("time-off/", time_off, name="time-off"),
    path("time-off/<int:pk>/end/", time_off_end, name="time-off-end"),
]
