"""The calendar: who is where, by day, week, month and as a list; and how something in it gets another place."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from scheduling import hours
from scheduling.availability import photographers
from scheduling.opening import Hours
from scheduling.slots import Span, whole_days
from sessions_app import calendar, sentences, workflow
from sessions_app.actions import people
from sessions_app.actions.shift import Shift, shift
from sessions_app.calendar import Agenda, Event, Filters
from sessions_app.forms.calendar import EARLIEST, LATEST, VIEWS, CalendarForm, DragForm, FeedForm, MoveForm
from sessions_app.models import Session
from sessions_app.opening_words import remark, with_warning
from sessions_app.states import Status
from sessions_app.views.appointments import in_words
from sessions_app.views.finding import visible_session
from sessions_app.views.requests import CLIENT_IS_NOT_TOLD, Conflict, is_agreed, noting, with_client
from studio import navigation
from studio.access import allows, require
from studio.acting import Done, act, back, finish, refusal_of
from studio.conf import STUDIO
from studio.errors import StudioError
from studio.roles import Perm, Role, is_admin, roles_of
from studio.templatetags.atelier import clock, day, long_day, state_class

if TYPE_CHECKING:
    from studio.models import User

# So many colours there are for people; two may share one, and the name always stands beside it.
COLOURS = 12
LIST_DAYS = 14
# A list of more is read by nobody; the shorter views have the rest.
ROWS = 300
NOWHERE = "none"
# Of what was typed, as much is said again.
LONGEST_TEXT = 40
WALL = "%Y-%m-%dT%H:%M:%S"


@require_safe
def calendar_page(request: HttpRequest) -> HttpResponse:
    """``?view=week&date=2026-11-28&room=1&person=3&state=Confirmed``. Complete as a list; scripts draw it on a wide
    window."""
    user = request.user
    require(user, Perm.SESSION_VIEW_OWN)
    now = timezone.now()
    shown = _read(request, now)
    known = hours.load(*shown.drawn)
    agenda = calendar.agenda(user, shown.span, now=now, filters=shown.filters, known=known).first(ROWS)
    days = _days(agenda, shown, known)
    context = {
        "page_title": _("Calendar"),
        "shown": shown,
        "agenda": agenda,
        "days": days,
        "cut": _cut_words(ROWS) if agenda.is_cut else "",
        "views": [Chip(label, _address(request, view=name), shown.view == name) for name, label in VIEWS.items()],
        "people": _people_chips(request, shown) if shown.sees_all else [],
        "today_url": _address(request, date="") + _anchor([on for on, _rows, _remark in days], shown.today),
        "back_url": _address(request, date=shown.before.isoformat()),
        "on_url": _address(request, date=shown.after.isoformat()),
        "clear_url": _address(request, room="", person="", state=""),
        "is_filtered": shown.is_filtered,
        "kept": [(name, value) for name, value in {"view": shown.view, **_query(shown.filters)}.items() if value],
        "widget": _widget(user, shown, known, now),
        "links": _links(user, shown),
    }
    return render(request, "sessions_app/calendar.html", context)


@require_safe
def calendar_events(request: HttpRequest) -> JsonResponse:
    """What stands between ``start`` and ``end``: days or instants with their offset. 400 for what cannot be meant."""
    user = request.user
    require(user, Perm.SESSION_VIEW_OWN)
    form = FeedForm(request.GET, sees_all=calendar.sees_all(user))
    if not form.is_valid():
        return JsonResponse(refusal_of(form).as_dict(), status=400)
    found = calendar.agenda(user, form.span(), now=timezone.now(), filters=form.filters())
    writer = _Writer(user)
    rows = [row for each in found.events for row in writer.rows(each)]
    answer = {
        "events": rows,
        # Of a day, what is to be seen of it.
        "hours": dict(zip(("from", "to"), found.hours, strict=True)),
        "closed": [{"start": _wall(each.start), "end": _wall(each.end)} for each in found.closed],
        # Who stands in these events, also when they have left: each needs a line in the day.
        "resources": writer.resources(found.events),
        "truncated": found.is_cut,
        "message": _cut_words(calendar.MOST) if found.is_cut else "",
    }
    return _fresh(JsonResponse(answer))


@require_safe
def calendar_resources(request: HttpRequest) -> JsonResponse:
    """The lines of the day: rooms and people for the office, everybody else has one of their own."""
    user = request.user
    require(user, Perm.SESSION_VIEW_OWN)
    form = FeedForm(request.GET, sees_all=calendar.sees_all(user))
    form.is_valid()
    # The edges of the window do not matter here.
    wrong = {name: each for name, each in form.errors.items() if name not in ("start", "end", "__all__")}
    if wrong:
        return JsonResponse(refusal_of(form).as_dict(), status=400)
    return _fresh(JsonResponse({"resources": _resources(user, form.filters())}))


@require_http_methods(["GET", "HEAD", "POST"])
def calendar_shift(request: HttpRequest, code: str) -> HttpResponse:
    """What is dropped elsewhere (``start``, ``end``, ``from_resource``, ``to_resource``), or the form of the same.

    ``seen_start`` and ``seen_end`` say when it was on the page; the form that is sent has ``session_date``.
    """
    session = visible_session(request, code)
    is_form = request.method != "POST" or "session_date" in request.POST or "room" in request.POST
    require(
        request.user,
        Perm.APPOINTMENT_MANAGE_OWN if session.is_appointment else Perm.SESSION_ASSIGN_RESOURCES,
        session,
    )
    if not is_form:
        form = DragForm(request.POST)
        if not form.is_valid():
            raise refusal_of(form)
        return finish(request, _shifted(request, session, form.shift(), form.seen()))
    if session.is_appointment:
        return redirect(f"{reverse('appointment-edit', args=[code])}?{urlencode({'next': _home(request, session)})}")
    return _form(request, session)


def _form(request: HttpRequest, session: Session) -> HttpResponse:
    now = timezone.now()
    over = workflow.people_blocker(session.status)
    if over is not None:
        raise sentences.error_of(over, session=session.code, current=session.status)
    blocker = workflow.edit_blocker(session.status, session.changes_deadline, now)
    is_override = blocker is not None and is_admin(request.user)
    may_edit = allows(request.user, Perm.SESSION_EDIT_PRE_ASSIGNED, session)
    form = MoveForm(
        request.POST if request.method == "POST" else None,
        session=session,
        assignments=list(people.current(session).select_related("staff").order_by("-is_lead_photographer", "id")),
        may_move=may_edit and (blocker is None or is_override),
        may_give=True,
    )
    in_the_way: list[Conflict] = []

    def do(values: dict[str, Any]) -> Done:
        try:
            return _shifted(request, session, form.shift(), form.seen())
        except StudioError as error:
            # Who looks again has seen it.
            fresh = Session.objects.get(pk=session.pk)
            form.data = form.data.copy()
            form.data["seen_start"], form.data["seen_end"] = fresh.starts_at.isoformat(), fresh.ends_at.isoformat()
            if form.data.get("room") == form.data.get("seen_room"):
                form.data["room"] = fresh.room_id or ""
            form.data["seen_room"] = fresh.room_id or ""
            raise error

    def context() -> dict[str, Any]:
        return {
            "session": session,
            "page_title": _("Move"),
            "nav": "calendar",
            "cancel_url": _home(request, session),
            "next": _home(request, session),
            "in_the_way": in_the_way,
            "fixed_reason": sentences.why(blocker) if blocker is not None else "",
            "is_override": is_override,
            "client_words": CLIENT_IS_NOT_TOLD if "session_date" in form.fields and is_agreed(session) else "",
        }

    return act(request, form, noting(do, in_the_way), template="sessions_app/calendar_move.html", context=context)


def _shifted(request: HttpRequest, session: Session, to: Shift, seen: Span) -> Done:
    was = session.span
    moved = shift(session, to=to, seen=seen, by=request.user, now=timezone.now())
    who = [moved.room.name] if moved.room_id else []
    who += [row.staff.full_name for row in people.current(moved).select_related("staff").order_by("id")]
    text = _("%(code)s is moved: %(when)s.") if not who else _("%(code)s is moved: %(when)s, %(who)s.")
    text = text % {"code": moved.code, "when": in_words(moved.span), "who": ", ".join(who)}
    facts = {"session": moved.code, "start": moved.starts_at.isoformat(), "end": moved.ends_at.isoformat()}
    said = with_client(with_warning(text, moved.span), moved, was)
    return Done(said, _home(request, moved), moved.get_absolute_url(), _("Open it"), facts)


def _home(request: HttpRequest, session: Session) -> str:
    """Back to the calendar as it was, or to the day of the session."""
    return back(request, f"{reverse('calendar')}?{urlencode({'view': 'day', 'date': session.session_date})}")


# -- what the address asks for -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    view: str
    on: date
    today: date
    filters: Filters
    form: CalendarForm
    ignored: list[str]
    sees_all: bool

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last."""
        match self.view:
            case "week":
                first = self.on - timedelta(days=self.on.weekday())
                return first, first + timedelta(days=6)
            case "month":
                first = self.on.replace(day=1)
                return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
            case "list":
                return self.on, self.on + timedelta(days=LIST_DAYS - 1)
        return self.on, self.on

    @property
    def drawn(self) -> tuple[date, date]:
        """A month is drawn with the weeks in which it begins and ends."""
        first, last = self.days
        if self.view != "month":
            return first, last
        return first - timedelta(days=first.weekday()), last + timedelta(days=6 - last.weekday())

    @property
    def span(self) -> Span:
        return whole_days(*self.days)

    @property
    def before(self) -> date:
        first = self.days[0] - timedelta(days=LIST_DAYS if self.view == "list" else 1)
        return max(first, EARLIEST)

    @property
    def after(self) -> date:
        return min(self.days[1] + timedelta(days=1), LATEST)

    @property
    def chosen(self) -> list[str]:
        """The filter, in words."""
        values = self.form.cleaned_data
        found = [str(values[name]) for name in ("room", "person") if values.get(name)]
        return found + ([str(Status(values["state"]).label)] if values["state"] else [])

    @property
    def is_filtered(self) -> bool:
        return self.filters != Filters()

    @property
    def is_today(self) -> bool:
        first, last = self.days
        return first <= self.today <= last

    @property
    def title(self) -> str:
        first, last = self.days
        if self.view == "day":
            return long_day(first)
        if self.view == "month":
            return date_format(first, _("F Y"))
        return _("%(start)s to %(end)s") % {"start": day(first), "end": day(last)}


def _read(request: HttpRequest, now: datetime) -> Shown:
    """What the address asks for; what cannot be meant is left out and said."""
    sees_all = calendar.sees_all(request.user)
    asked, ignored = request.GET.copy(), []
    form = CalendarForm(asked, sees_all=sees_all)
    if not form.is_valid():
        for name, errors in form.errors.items():
            if name == "date":
                text = asked["date"][:LONGEST_TEXT]
                ignored.append(_("“%(text)s” is no day of the calendar: today is shown.") % {"text": text})
                continue
            label = form.fields[name].label or name
            ignored.append(_("“%(name)s” was left out of the filter. %(why)s") % {"name": label, "why": errors[0]})
        for name in form.errors:
            asked.pop(name, None)
        form = CalendarForm(asked, sees_all=sees_all)
        form.is_valid()
    today = now.astimezone(STUDIO.zone).date()
    values = form.cleaned_data
    view = values["view"] or ("day" if sees_all else "week")
    on = values["date"] or today
    # Empty fields say what is shown.
    form = CalendarForm({**asked.dict(), "view": view, "date": on.isoformat()}, sees_all=sees_all)
    form.is_valid()
    return Shown(view=view, on=on, today=today, filters=form.filters(), form=form, ignored=ignored, sees_all=sees_all)


@dataclass(frozen=True, slots=True)
class Chip:
    label: Any
    url: str
    is_current: bool
    css: str = ""


def _address(request: HttpRequest, **changes: str) -> str:
    """The same page with these changes; an empty value takes one out."""
    query: QueryDict = request.GET.copy()
    for name, value in changes.items():
        query.setlist(name, [value] if value else [])
    return f"{reverse('calendar')}?{query.urlencode()}" if query else reverse("calendar")


def _anchor(days: list[date], today: date) -> str:
    """Of a list that has begun before today, the place of today or of what comes next."""
    found = next((on for on in days if on >= today), None)
    return f"#day-{found.isoformat()}" if found is not None and days[0] < today else ""


def _people_chips(request: HttpRequest, shown: Shown) -> list[Chip]:
    """The legend, which filters, too."""
    now = shown.filters.person_id
    chips = [Chip(_("Everybody"), _address(request, person=""), now is None)]
    return chips + [
        Chip(each.full_name, _address(request, person=str(each.pk)), now == each.pk, colour(each.pk))
        for each in shown.form.fields["person"].queryset
    ]


def _links(user: "User", shown: Shown) -> list[tuple[str, str, str]]:
    """Where one goes from here: icon, words, address; only pages that are there, and this person's."""
    day_ = urlencode({"day": shown.on.isoformat()})
    found = []
    for name, icon, words, perm, query in (
        ("time-off", "cup-hot", _("Time off"), Perm.SCHEDULE_BLOCK_OWN, day_),
        ("closure-list", "door-closed", _("Closures"), Perm.SESSION_ASSIGN_RESOURCES, ""),
        ("feed-list", "rss", _("Calendar feeds"), Perm.SCHEDULE_BLOCK_OWN, ""),
    ):
        url = navigation.address(name)
        if url and allows(user, perm):
            found.append((icon, words, f"{url}?{query}" if query else url))
    return found


def _cut_words(count: int) -> str:
    return ngettext(
        "Only the first is shown: choose fewer days, a room or a person.",
        "Only the first %(n)d are shown: choose fewer days, a room or a person.",
        count,
    ) % {"n": count}


# -- the list ----------------------------------------------------------------------------------------------------------


def _days(agenda: Agenda, shown: Shown, known: Hours) -> list[tuple[date, list["Row"], str]]:
    """The days on which anything begins, and those whose hours are not as in every week: day, rows, what differs."""
    found = dict(agenda.days)
    first, last = shown.days
    differing = [] if shown.is_filtered else [day for day in known.exceptions if first <= day <= last]
    return [
        (on, [Row(each, on) for each in found.get(on, [])], remark(known, on)) for on in sorted({*found, *differing})
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the list of one day."""

    event: Event
    day: date

    @property
    def hours(self) -> str:
        event = self.event
        if event.is_whole_days:
            return _("all day")
        start = clock(event.starts_at) if event.starts_at.date() == self.day else f"… {day(event.starts_at)}"
        end = clock(event.ends_at)
        if event.ends_at.date() > self.day:
            end = f"{end} ({day(event.ends_at)})"
        return f"{start}–{end}"

    @property
    def until(self) -> date | None:
        """The last day of what lasts several whole ones."""
        last = _last_day(self.event)
        return last if self.event.is_whole_days and last != self.day else None

    @property
    def css(self) -> str:
        return " ".join(_classes(self.event))

    @property
    def people(self) -> list[tuple[str, str]]:
        return [(name, colour(pk)) for pk, name in self.event.people]


def _last_day(event: Event) -> date:
    """Of whole days the last one; otherwise the day on which it ends."""
    return (event.ends_at - timedelta(microseconds=1) if event.is_whole_days else event.ends_at).date()


# -- for the widget ----------------------------------------------------------------------------------------------------


def colour(person_id: int) -> str:
    return f"who-{person_id % COLOURS}"


def _classes(event: Event) -> list[str]:
    found = [f"c-{event.kind}"]
    if event.status:
        found.append(state_class(event.status))
    if event.is_held:
        found.append("held")
    if event.people:
        found.append(colour(event.people[0][0]))
    return found


def _wall(moment: datetime) -> str:
    """As the clock on the studio's wall shows it: the widget draws it wherever its reader sits."""
    return moment.astimezone(STUDIO.zone).strftime(WALL)


def _walls(start: datetime, end: datetime) -> tuple[str, str]:
    """Where the clocks go back in between, the wall may show an end that is not after the start."""
    first, last = _wall(start), _wall(end)
    if last <= first:
        elapsed = timedelta(seconds=end.timestamp() - start.timestamp())
        last = (datetime.fromisoformat(first) + elapsed).strftime(WALL)
    return first, last


class _Writer:
    """Events as the widget reads them. Addresses are built once, not for each of thousands."""

    def __init__(self, user: "User") -> None:
        self.user = user
        self.sees_all = calendar.sees_all(user)
        self.own = f"p-{user.pk}"
        self.urls = {
            name: reverse(name, args=[CODE]).split(CODE, 1)
            for name in ("session-page", "calendar-shift", "appointment-edit")
        }
        self.said: dict[date, str] = {}

    def url(self, name: str, code: str) -> str:
        before, after = self.urls[name]
        return f"{before}{code}{after}"

    def day(self, on: date) -> str:
        """In words, once for all that is on it."""
        if on not in self.said:
            self.said[on] = day(on)
        return self.said[on]

    def resource_ids(self, event: Event) -> list[str]:
        if not self.sees_all:
            return [self.own]
        found = [f"r-{event.room_id}"] if event.room_id is not None else []
        return found + [f"p-{pk}" for pk, _name in event.people] or [NOWHERE]

    def rows(self, event: Event) -> list[dict[str, Any]]:
        start, end = _walls(event.starts_at, event.ends_at)
        first, last = event.starts_at.date(), _last_day(event)
        more: dict[str, Any] = {
            "kind": str(event.kind),
            "day": self.day(first),
            "lastDay": self.day(last) if last != first else "",
            "place": event.place,
            "who": [name for _pk, name in event.people] if self.sees_all else [],
            "note": event.note,
        }
        row = {
            "id": event.key,
            "title": event.title,
            "start": start,
            "end": end,
            "allDay": event.is_whole_days,
            "resourceIds": self.resource_ids(event),
            "classNames": _classes(event),
            "startEditable": event.may_move or event.may_give,
            "durationEditable": event.may_move,
            "extendedProps": more,
        }
        if not event.is_session:
            return [row]
        more |= {
            "code": event.code,
            "state": event.status_label,
            "status": event.status,
            "url": self.url("session-page", event.code),
            "held": event.held_until.isoformat() if event.held_until else None,
            "heldWords": _held_words(event.held_until),
            "seenStart": event.starts_at.isoformat(),
            "seenEnd": event.ends_at.isoformat(),
            "mayMove": event.may_move,
            "mayGive": event.may_give,
            "fixed": event.fixed,
        }
        if event.may_move or event.may_give:
            more["shift"] = self.url("calendar-shift", event.code)
            more["move"] = self.url(calendar.MOVED_BY[event.kind], event.code)
        return [row, *(self.cover(event, cover) for cover in event.covers)]

    def cover(self, event: Event, cover: calendar.Cover) -> dict[str, Any]:
        """What the session takes of somebody beyond itself, or instead of itself: behind it, in their line."""
        start, end = _walls(cover.span.start, cover.span.end)
        return {
            "id": f"{event.code}/{cover.person_id}",
            "title": event.title,
            "start": start,
            "end": end,
            "resourceIds": [f"p-{cover.person_id}"],
            "display": "background",
            "classNames": ["c-cover", colour(cover.person_id)],
            "extendedProps": {"kind": "cover"},
        }

    def resources(self, events: list[Event]) -> list[dict[str, Any]]:
        if not self.sees_all:
            return []
        rooms = {each.room_id: each.place for each in events if each.room_id is not None}
        who = {pk: name for each in events for pk, name in each.people}
        return [_room(*each) for each in rooms.items()] + [_person(*each) for each in who.items()]


CODE = "S-0000"


def _held_words(until: datetime | None) -> str:
    if until is None:
        return ""
    return _("held until %(day)s %(time)s") % {"day": day(until), "time": clock(until)}


def _resources(user: "User", filters: Filters) -> list[dict[str, Any]]:
    if not calendar.sees_all(user):
        roles = roles_of(user)
        kind = next((each.lower() for each in (Role.PHOTOGRAPHER, Role.ARTIST) if each in roles), "person")
        return [_person(user.pk, user.full_name, kind)]
    found = [] if filters.room_id or filters.person_id else [_resource(NOWHERE, _("Nobody and no room yet"), "nowhere")]
    if filters.person_id is None:
        rows = calendar.rooms()
        rows = rows if filters.room_id is None else rows.filter(pk=filters.room_id)
        found += [_room(*each) for each in rows.values_list("pk", "name")]
    if filters.room_id is None:
        rows = calendar.people()
        rows = rows if filters.person_id is None else rows.filter(pk=filters.person_id)
        shooting = set(photographers().values_list("pk", flat=True))
        found += [
            _person(pk, name, "photographer" if pk in shooting else "artist")
            for pk, name in rows.values_list("pk", "full_name")
        ]
    return found


def _room(pk: int, name: str) -> dict[str, Any]:
    return _resource(f"r-{pk}", name, "room")


def _person(pk: int, name: str, kind: str = "photographer") -> dict[str, Any]:
    return _resource(f"p-{pk}", name, kind, colour(pk))


def _resource(key: str, title: str, kind: str, css: str = "") -> dict[str, Any]:
    return {"id": key, "title": title, "extendedProps": {"kind": kind, "css": css}}


def _widget(user: "User", shown: Shown, known: Hours, now: datetime) -> Mapping[str, Any]:
    """What the script needs to begin."""
    query = {name: value for name, value in _query(shown.filters).items() if value}
    suffix = f"?{urlencode(query)}" if query else ""
    books = allows(user, Perm.APPOINTMENT_MANAGE_OWN)
    first, last = shown.drawn
    days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    return {
        "view": shown.view,
        "date": shown.on.isoformat(),
        "offset": _offset(now),
        "days": {
            on.isoformat(): {"words": day(on), "remark": remark(known, on), "isClosed": not known.of(on)} for on in days
        },
        "events": reverse("calendar-events") + suffix,
        "resources": reverse("calendar-resources") + suffix,
        # Where an empty place leads.
        "serve": navigation.address("feasibility") if allows(user, Perm.SESSION_CREATE) else "",
        "book": navigation.address("appointment-new") if books else "",
        "moves": books or allows(user, Perm.SESSION_EDIT_PRE_ASSIGNED),
    }


def _query(filters: Filters) -> dict[str, Any]:
    return {"room": filters.room_id, "person": filters.person_id, "state": filters.status}


def _offset(now: datetime) -> str:
    """Of the studio's clock now: the line of the present stands where the studio's clock is."""
    text = now.astimezone(STUDIO.zone).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


def _fresh(answer: JsonResponse) -> JsonResponse:
    answer["Cache-Control"] = "no-store"
    return answer


urlpatterns = [
    path("calendar/", calendar_page, name="calendar"),
    path("calendar/events/", calendar_events, name="calendar-events"),
    path("calendar/resources/", calendar_resources, name="calendar-resources"),
    path("calendar/<str:code>/shift/", calendar_shift, name="calendar-shift"),
]
