"""The list of sessions, its CSV, and the search at the top of every page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Case, F, IntegerField, QuerySet, Value, When
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from payments import money
from payments.models import Payment
from scheduling.models import Room
from scheduling.slots import instant
from sessions_app import holds
from sessions_app.forms.listing import WHEN, SessionFilter
from sessions_app.models import Client, Session
from sessions_app.queries import SessionQuerySet
from sessions_app.states import FINAL, PATH, Status
from studio.access import allows, require
from studio.conf import STUDIO
from studio.csv_files import csv_response
from studio.paging import Page
from studio.roles import Perm, Role

PER_PAGE = 50
# Nobody pages further than this, and the database would count and skip for it: the filter is the way.
LAST_PAGE = 200
COUNT_LIMIT = 1000
FOUND = 20
AT_ONCE = 500

# Figures, which must not be told by an order either, are sorted by the office alone.
OFFICE_SORTS = ("total",)
# The states as people think of them: both paths up to their common end.
ORDER = (*(state for state in PATH if state not in FINAL), Status.WAITING, Status.ACTIVE, Status.COMPLETED)
SORTS = ("date", "code", "state", "client", *OFFICE_SORTS)


@require_safe
def session_list(request: HttpRequest) -> HttpResponse:
    """The sessions within reach; with ``format=csv`` all that the filter leaves, as a file."""
    require(request.user, Perm.SESSION_VIEW_OWN)
    now = timezone.now()
    is_office = allows(request.user, Perm.SESSION_VIEW_ALL)
    shown = _read(request, is_office=is_office, now=now)
    if request.GET.get("format") == "csv":
        return _as_csv(shown.rows, is_office=is_office, now=now)
    number = _page_number(request, shown.ignored)
    start = (number - 1) * PER_PAGE
    rows = list(shown.rows.for_board()[start : start + PER_PAGE + 1])
    if not rows and number > 1:
        shown.ignored.append(_("There is no page %(page)s: this is the first one.") % {"page": number})
        number, rows = 1, list(shown.rows.for_board()[: PER_PAGE + 1])
    page = Page(number, has_next=len(rows) > PER_PAGE and number < LAST_PAGE)
    rows = rows[:PER_PAGE]
    accounts = _accounts(rows) if is_office else {}
    context = {
        "page_title": _("Sessions"),
        "rows": [Row(session, accounts.get(session.pk), holds.has_expired(session, now)) for session in rows],
        "page": page,
        "count": _count(shown.rows, number, len(rows), page.has_next),
        "form": shown.form,
        "is_filtered": shown.is_filtered,
        "ignored": shown.ignored,
        "is_office": is_office,
        "may_create": allows(request.user, Perm.SESSION_CREATE),
        "holds_url": reverse("hold-list") if allows(request.user, Perm.SESSION_ASSIGN_RESOURCES) else "",
        "default_sort": shown.default_sort,
        "when_chips": _when_chips(request),
        "state_chips": _state_chips(request, shown.states),
        "states": [Status(each).label for each in shown.states],
        "export_url": _address(request, format="csv"),
    }
    return render(request, "sessions_app/list.html", context)


@dataclass(frozen=True, slots=True)
class Row:
    session: Session
    account: money.Account | None
    hold_has_expired: bool


@dataclass(frozen=True, slots=True)
class Shown:
    rows: SessionQuerySet
    form: SessionFilter
    states: list[str]
    is_filtered: bool
    default_sort: str
    ignored: list[str]


def _read(request: HttpRequest, *, is_office: bool, now: datetime) -> Shown:
    """The filter that the address asks for; what cannot be meant is left out and said."""
    people = _people() if is_office else None
    asked = request.GET.copy()
    form = SessionFilter(asked, photographers=people, rooms=Room.objects.all())
    ignored: list[str] = []
    if not form.is_valid():
        for name, errors in form.errors.items():
            label = form.fields[name].label
            ignored.append(_("“%(name)s” was left out of the filter. %(why)s") % {"name": label, "why": errors[0]})
            asked.pop(name, None)
        form = SessionFilter(asked, photographers=people, rooms=Room.objects.all())
        form.is_valid()
    wanted = form.cleaned_data
    rows = Session.objects.visible_to(request.user)
    if wanted["state"]:
        rows = rows.filter(status__in=wanted["state"])
    if wanted["type"]:
        rows = rows.filter(session_type=wanted["type"])
    if wanted["room"]:
        rows = rows.filter(room=wanted["room"])
    if wanted.get("photographer"):
        rows = rows.photographed_by(wanted["photographer"])
    first, last = wanted["from"], wanted["to"]
    if first and last and last < first:
        ignored.append(_("“To” was left out of the filter: it lies before “From”."))
        last = None
    if first:
        rows = rows.filter(starts_at__gte=_midnight(first))
    if last:
        rows = rows.filter(starts_at__lt=_midnight(last + timedelta(days=1)))
    rows = _by_when(rows, wanted["when"], now)
    rows = rows.search(wanted["q"], whole_book=is_office)
    default = "date" if wanted["when"] not in ("", "past") or first else "-date"
    sort = request.GET.get("sort", "")
    if sort and (sort.removeprefix("-") not in SORTS or (sort.removeprefix("-") in OFFICE_SORTS and not is_office)):
        ignored.append(_("The list cannot be sorted like that: it is sorted by date."))
        sort = ""
    return Shown(
        rows=_sorted(rows, sort or default),
        form=form,
        states=wanted["state"],
        is_filtered=any(wanted.values()),
        default_sort=default,
        ignored=ignored,
    )


def _people() -> QuerySet:
    """Who may be on a session: photographers and artists."""
    found = get_user_model().objects.filter(is_active=True, groups__name__in=[Role.PHOTOGRAPHER, Role.ARTIST])
    return found.order_by("full_name", "id").distinct()


def _midnight(day: date) -> datetime:
    """The start of a local day; where a DST change skips midnight, the first moment after it."""
    try:
        return instant(day, time.min)
    except ValueError:
        return instant(day, time(1))


def _by_when(rows: SessionQuerySet, when: str, now: datetime) -> SessionQuerySet:
    today = now.astimezone(STUDIO.zone).date()
    match when:
        case "today":
            first, last = today, today + timedelta(days=1)
        case "week":
            first = today - timedelta(days=today.weekday())
            last = first + timedelta(days=7)
        case "month":
            first = today.replace(day=1)
            last = (first + timedelta(days=31)).replace(day=1)
        case "upcoming":
            return rows.filter(starts_at__gte=now)
        case "past":
            return rows.filter(starts_at__lt=now)
        case _:
            return rows
    return rows.starting_in(_midnight(first), _midnight(last))


def _sorted(rows: SessionQuerySet, sort: str) -> SessionQuerySet:
    """Always with the id behind it: a page then never shows a row twice."""
    key, is_down = sort.removeprefix("-"), sort.startswith("-")
    expression: Any
    match key:
        case "state":
            order = [When(status=status, then=Value(place)) for place, status in enumerate(ORDER)]
            expression = Case(*order, default=Value(len(ORDER)), output_field=IntegerField())
        case "client":
            expression = Lower("client__full_name")
        case "code" | "total":
            expression = F(key)
        case _:
            expression = F("starts_at")
    return rows.order_by(expression.desc() if is_down else expression.asc(), "-id" if is_down else "id")


def _page_number(request: HttpRequest, ignored: list[str]) -> int:
    text = request.GET.get("page", "")
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LAST_PAGE):
        ignored.append(_("There is no such page: this is the first one."))
        return 1
    return int(text)


def _count(rows: SessionQuerySet, number: int, on_page: int, has_next: bool) -> str:
    """How many rows the filter leaves: exact up to a limit, because counting a million takes longer than reading 50."""
    if not has_next:
        return str((number - 1) * PER_PAGE + on_page)
    counted = rows.order_by()[: COUNT_LIMIT + 1].count()
    return str(counted) if counted <= COUNT_LIMIT else _("more than %(n)d") % {"n": COUNT_LIMIT}


def _accounts(sessions: Iterable[Session]) -> dict[int, money.Account]:
    """Where the sessions of a page stand, in one query for all of them."""
    by_id = {session.pk: session for session in sessions}
    entries: dict[int, list[money.Entry]] = {}
    live = Payment.objects.live().filter(session_id__in=by_id)
    for session_id, *entry in live.values_list("session_id", "payment_type", "payment_status", "amount"):
        entries.setdefault(session_id, []).append(money.Entry(*entry))
    return {
        pk: money.account(session.total, entries.get(pk, ()), kept=session.kept_amount) for pk, session in by_id.items()
    }


# --- chips: links that keep the rest of the filter -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chip:
    label: Any
    url: str
    is_current: bool
    count: None = None


def _address(request: HttpRequest, **changes: Any) -> str:
    query: QueryDict = request.GET.copy()
    query.pop("page", None)
    for name, value in changes.items():
        query.setlist(name, value if isinstance(value, list) else [value] if value else [])
    return f"?{query.urlencode()}"


def _when_chips(request: HttpRequest) -> list[Chip]:
    now = request.GET.get("when", "")
    chips = [Chip(_("All"), _address(request, when="", **{"from": "", "to": ""}), now not in WHEN)]
    return chips + [
        Chip(label, _address(request, when=name, **{"from": "", "to": ""}), now == name) for name, label in WHEN.items()
    ]


def _state_chips(request: HttpRequest, states: list[str]) -> list[Chip]:
    """Each takes its state into the filter, or out of it again."""
    chips = [Chip(_("All states"), _address(request, state=[]), not states)]
    for status in Status:
        is_on = status.value in states
        wanted = [each for each in states if each != status] if is_on else [*states, status.value]
        chips.append(Chip(status.label, _address(request, state=wanted), is_on))
    return chips


# --- CSV -------------------------------------------------------------------------------------------


def _as_csv(rows: SessionQuerySet, *, is_office: bool, now: datetime) -> HttpResponse:
    head = [_("Code"), _("What it is"), _("Client"), _("Phone"), _("E-mail"), _("Type"), _("State"), _("Date")]
    head += [_("Starts"), _("Ends"), _("Place"), _("Photographers or artist"), _("Editor"), _("Delivery")]
    if is_office:
        head += [_("Subtotal"), _("Transportation"), _("Discount"), _("Total"), _("Paid"), _("Balance")]
    answer = csv_response(
        f"sessions-{now.astimezone(STUDIO.zone).date()}", head, _csv_rows(rows, is_office, get_language())
    )
    answer["Cache-Control"] = "no-store"
    return answer


def _csv_rows(rows: SessionQuerySet, is_office: bool, language: str) -> Iterator[list[Any]]:
    for batch in batched(rows.for_board().iterator(chunk_size=AT_ONCE), AT_ONCE):
        accounts = _accounts(batch) if is_office else {}
        # The file is written when the request is over, and with it the reader's language.
        with override(language):
            cells = [_cells(session, accounts.get(session.pk)) for session in batch]
        yield from cells


def _cells(session: Session, account: money.Account | None) -> list[Any]:
    """One row; without an account, without any figure."""
    client = session.client
    cells = [session.code, session.event_description, client.full_name, client.primary_phone, client.email]
    cells += [session.get_session_type_display(), session.get_status_display(), session.session_date.isoformat()]
    cells += [f"{session.start_time:%H:%M}", f"{session.end_time:%H:%M}", session.place]
    cells.append(", ".join(each.staff.full_name for each in session.current_assignments))
    cells.append(session.assigned_editor.full_name if session.assigned_editor else "")
    cells.append(session.estimated_delivery_date.isoformat() if session.estimated_delivery_date else "")
    if account is not None:
        total, balance = session.price, account.remaining_balance
        cells += [session.subtotal, session.transportation_cost, session.discount, total]
        # Of a price that nobody knows yet there is no balance either (D39).
        cells += [account.net_paid, None if total is None else balance]
    return cells


def batched(rows: Iterable[Session], size: int) -> Iterator[list[Session]]:
    each = iter(rows)
    while batch := list(islice(each, size)):
        yield batch


# --- search ----------------------------------------------------------------------------------------


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Clients and sessions by what somebody types; the exact code of a session goes straight there."""
    require(request.user, Perm.SESSION_VIEW_OWN)
    text = request.GET.get("q", "").strip()[:100]
    is_office = allows(request.user, Perm.SESSION_VIEW_ALL)
    has_book = allows(request.user, Perm.CLIENT_VIEW)
    visible = Session.objects.visible_to(request.user)
    if text:
        exact = visible.filter(code=text.upper()).first()
        if exact is not None:
            return redirect(exact)
    sessions = _first(visible.search(text, whole_book=is_office).for_board().order_by("-starts_at", "-id"), text)
    book = Client.objects.present().search(text) if has_book else Client.objects.none()
    # Their record is reckoned for those that are shown, not for every hit.
    shown = book.order_by("full_name", "id").values("pk")[: FOUND + 1]
    clients = _first(Client.objects.filter(pk__in=shown).with_record().order_by("full_name", "id"), text)
    context = {
        "page_title": _("Search"),
        "q": text,
        "sessions": sessions[:FOUND],
        "clients": [(client, _client_url(client)) for client in clients[:FOUND]],
        "more_sessions": f"{reverse('session-list')}?{_query(q=text)}" if len(sessions) > FOUND else "",
        "more_clients": len(clients) > FOUND,
        "has_book": has_book,
        "may_create": allows(request.user, Perm.SESSION_CREATE),
    }
    return render(request, "sessions_app/search.html", context)


def _first(rows: QuerySet, text: str) -> list[Any]:
    """One more than is shown, to know whether there are more; nothing for an empty text."""
    return list(rows[: FOUND + 1]) if text else []


def _query(**values: str) -> str:
    query = QueryDict(mutable=True)
    query.update(values)
    return query.urlencode()


def _client_url(client: Client) -> str:
    try:
        return client.get_absolute_url()
    except NoReverseMatch:
        return ""


urlpatterns = [
    path("sessions/", session_list, name="session-list"),
    path("search/", search, name="search"),
]
