"""The studio's opening hours: read by coordination, written by Admins (permissions: system.settings)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from scheduling import hours as actions
from scheduling.models import Weekday
from scheduling.opening import Hours, Interval
from scheduling.slots import whole_days
from sessions_app.forms.opening import OtherDayForm, TakeOutForm, WeekForm, place_of
from sessions_app.models import Session
from sessions_app.opening_words import hours_missed, in_words
from studio.access import allows, require
from studio.acting import Done, act, finish, refusal_of
from studio.conf import STUDIO
from studio.errors import InvalidInput
from studio.roles import Perm
from studio.templatetags.atelier import day

SHOWN = 20
# Sessions are looked at so far ahead.
LOOK_AHEAD = timedelta(days=366)
TEMPLATE = "sessions_app/opening.html"


@dataclass(frozen=True, slots=True)
class Other:
    """Days in a row that differ in the same way."""

    first: date
    last: date
    hours: tuple[Interval, ...]
    note: str

    @property
    def when(self) -> str:
        if self.first == self.last:
            return day(self.first)
        return _("%(start)s to %(end)s") % {"start": day(self.first), "end": day(self.last)}

    @property
    def in_words(self) -> str:
        return in_words(self.hours)


@dataclass(frozen=True, slots=True)
class Outside:
    """A session that lies outside the hours, and those of its day."""

    session: Session
    hours: str


@require_http_methods(["GET", "HEAD", "POST"])
def opening_hours(request: HttpRequest) -> HttpResponse:
    """The week, the days that differ, and what is booked outside of them. A POST writes the week."""
    require(request.user, Perm.SESSION_VIEW_ALL)
    if request.method == "POST":
        require(request.user, Perm.SYSTEM_SETTINGS)
    now = timezone.now()
    form = WeekForm(request.POST if request.method == "POST" else None, hours=_known(now))

    def do(_values: dict[str, Any]) -> Done:
        try:
            actions.set_week(form.week(), by=request.user)
        except InvalidInput as error:
            error.field = place_of(error.details)
            raise
        return _done(_("The week is saved."), now)

    return act(request, form, do, template=TEMPLATE, context=lambda: _page(request, now, week=form))


@require_POST
def opening_day(request: HttpRequest) -> HttpResponse:
    """Days that differ from their weekday."""
    require(request.user, Perm.SYSTEM_SETTINGS)
    now = timezone.now()
    form = OtherDayForm(request.POST)

    def do(values: dict[str, Any]) -> Done:
        first, last = form.days()
        actions.declare(first, last, hours=form.hours(), note=values["note"], by=request.user, now=now)
        said = Other(first, last, tuple(form.hours()), values["note"])
        if said.hours:
            return _done(_("%(when)s: %(hours)s.") % {"when": said.when, "hours": said.in_words}, now, (first, last))
        return _done(_("Closed: %(when)s.") % {"when": said.when}, now, (first, last))

    return act(request, form, do, template=TEMPLATE, context=lambda: _page(request, now, other=form))


@require_POST
def opening_day_remove(request: HttpRequest) -> HttpResponse:
    """Days that have the hours of their weekday again."""
    require(request.user, Perm.SYSTEM_SETTINGS)
    now = timezone.now()
    form = TakeOutForm(request.POST)
    if not form.is_valid():
        raise refusal_of(form)
    first, last = form.cleaned_data["first_day"], form.cleaned_data["last_day"]
    actions.take_out(first, last, by=request.user, now=now)
    when = Other(first, last, (), "").when
    return finish(request, _done(_("As in every week again: %(when)s.") % {"when": when}, now, (first, last)))


def _done(text: str, now: datetime, days: tuple[date, date] | None = None) -> Done:
    """What was done, and how many sessions lie outside now, of these days or of all: nothing of it is refused."""
    sessions = _sessions(_known(now), now)
    if days is not None:
        span = whole_days(*days)
        sessions = sessions.filter(starts_at__lt=span.end, ends_at__gt=span.start)
    count = sessions.count()
    if count:
        booked = ngettext("%(count)d session lies outside.", "%(count)d sessions lie outside.", count)
        text = f"{text} {booked % {'count': count}}"
    return Done(text, reverse("opening-hours"), facts={"outside": count})


def _page(
    request: HttpRequest, now: datetime, *, week: WeekForm | None = None, other: OtherDayForm | None = None
) -> dict[str, Any]:
    known = _known(now)
    sessions = _sessions(known, now)
    found = list(sessions.select_related("client").order_by("starts_at", "pk")[: SHOWN + 1])
    return {
        "page_title": _("Opening hours"),
        "nav": "time-off",
        "may_write": allows(request.user, Perm.SYSTEM_SETTINGS),
        "is_known": known.is_known,
        "week": week or WeekForm(hours=known),
        "week_in_words": _week(known),
        "others": list(_others(known)),
        "other": other or OtherDayForm(),
        "outside": [Outside(each, hours_missed(each.span, known)) for each in found[:SHOWN]],
        "is_more": len(found) > SHOWN,
    }


def _week(known: Hours) -> list[tuple[str, str]]:
    """Each weekday with its hours in words; nothing while nobody has said them."""
    if not known.weekly:
        return []
    return [(str(weekday.label), in_words(tuple(sorted(known.weekly.get(weekday, ()))))) for weekday in Weekday]


def _known(now: datetime) -> Hours:
    today = now.astimezone(STUDIO.zone).date()
    return actions.load(today, today + actions.AHEAD)


def _sessions(known: Hours, now: datetime) -> Any:
    """The sessions ahead that lie outside; none while nobody has said the hours."""
    if not known.is_known:
        return Session.objects.none()
    today = now.astimezone(STUDIO.zone).date()
    until = now + LOOK_AHEAD
    open_time = known.between(today, until.astimezone(STUDIO.zone).date() + timedelta(days=2))
    return Session.objects.active().starting_in(now, until).not_within(open_time)


def _others(known: Hours) -> Iterator[Other]:
    """By day; days in a row of which the same is said are one."""
    row: Other | None = None
    for each in sorted(known.exceptions):
        found, note = known.of(each), known.notes.get(each, "")
        if row is not None and (row.last + timedelta(days=1), row.hours, row.note) == (each, found, note):
            row = Other(row.first, each, found, note)
            continue
        if row is not None:
            yield row
        row = Other(each, each, found, note)
    if row is not None:
        yield row


urlpatterns = [
    path("opening/", opening_hours, name="opening-hours"),
    path("opening/days/", opening_day, name="opening-day"),
    path("opening/days/remove/", opening_day_remove, name="opening-day-remove"),
]
