"""The client book: the list, a client's page with its history, and what may be done to it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_http_methods, require_safe

from payments import money
from payments.models import Payment
from sessions_app import workflow
from sessions_app.actions import book
from sessions_app.clients import Record
from sessions_app.forms.clients import ClientFilter, ClientForm, DeleteClientForm
from sessions_app.models import Client, Session
from sessions_app.states import Status
from sessions_app.views.finding import present_client
from studio.access import allows, require
from studio.acting import Done, act, back
from studio.conf import STUDIO
from studio.csv_files import csv_response
from studio.roles import Perm, Role

PAGE_SIZE = 50
HISTORY_SIZE = 20
CSV_CHUNK = 500


# -- the list ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    client: Client
    record: Record


@require_safe
def client_list(request: HttpRequest) -> HttpResponse:
    """Clients by name; with ``format=csv`` the whole filtered list as a file."""
    require(request.user, Perm.CLIENT_VIEW)
    form = ClientFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    clients = _filtered(wanted)
    if request.GET.get("format") == "csv":
        return _as_csv(clients, timezone.now())
    page = Paginator(clients.order_by(Lower("full_name"), "id"), PAGE_SIZE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    query["format"] = "csv"
    context = {
        "page": page,
        "rows": _with_records(page.object_list),
        "form": form,
        "is_filtered": any(wanted.values()) or not form.is_valid(),
        "export_url": f"?{query.urlencode()}",
        "may_create": allows(request.user, Perm.CLIENT_CREATE),
    }
    return render(request, "sessions_app/client_list.html", context)


def _filtered(wanted: dict[str, Any]) -> QuerySet[Client]:
    clients = Client.objects.present().search(wanted.get("q", ""))
    match wanted.get("show", ""):
        case "inactive":
            return clients.filter(active=False)
        case "risk":
            # The same words as ``Record.is_high_risk``, asked of the database (D24).
            risky = (
                Client.objects.with_record()
                .alias(doubled=F("own_cancellations") * 2)
                .filter(own_cancellations__gt=2, doubled__gt=F("sessions_count"))
            )
            return clients.filter(pk__in=risky.values("pk"))
        case "all":
            return clients
    return clients.filter(active=True)


def _with_records(clients: Iterable[Client]) -> list[Row]:
    """The clients of one page with their figures, which are counted for these alone."""
    clients = list(clients)
    counted = {
        row["pk"]: Record(row["sessions_count"], row["own_cancellations"], row["no_shows"])
        for row in Client.objects.filter(pk__in=[client.pk for client in clients])
        .with_record()
        .order_by()
        .values("pk", "sessions_count", "own_cancellations", "no_shows")
    }
    return [Row(client, counted.get(client.pk, Record(0, 0))) for client in clients]


def _as_csv(clients: QuerySet[Client], now: datetime) -> HttpResponse:
    head = [
        _("Name"),
        _("Type"),
        _("E-mail"),
        _("Phone"),
        _("Second phone"),
        pgettext("client", "Active"),
        _("Since"),
        _("Sessions"),
        _("Canceled by the client"),
        _("Did not come"),
        _("High risk"),
    ]
    name = f"{_('clients')}-{now.astimezone(STUDIO.zone):%Y-%m-%d}"
    return csv_response(name, head, _csv_rows(clients.with_record().order_by("full_name", "id")))


def _csv_rows(clients: QuerySet[Client]) -> Iterable[list[Any]]:
    for client in clients.iterator(chunk_size=CSV_CHUNK):
        record = Record(client.sessions_count, client.own_cancellations, client.no_shows)
        yield [
            client.full_name,
            client.get_client_type_display(),
            client.email,
            client.primary_phone,
            client.secondary_phone,
            _("yes") if client.active else _("no"),
            client.created_at.astimezone(STUDIO.zone).date().isoformat(),
            record.sessions,
            record.cancellations,
            record.no_shows,
            _("yes") if record.is_high_risk else _("no"),
        ]


# -- one client --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """All sessions of a client added up, from two queries."""

    record: Record
    by_state: list[tuple[str, str, int]]
    under_way: int
    paid: Decimal
    owed: Decimal
    refund_owed: Decimal
    worth: Decimal

    @property
    def rate(self) -> int:
        """Canceled of all, in whole percent."""
        return round(100 * self.record.cancellations / self.record.sessions) if self.record.sessions else 0


def figures_of(client: Client) -> Figures:
    sessions = list(
        Session.objects.present()
        .filter(client=client)
        .order_by()
        .values_list("pk", "status", "total", "kept_amount", "canceled_by_initiator", "no_show")
    )
    entries: dict[int, list[money.Entry]] = {}
    live = Payment.objects.live().filter(session__client=client, session__deleted_at__isnull=True).order_by()
    for session_id, *entry in live.values_list("session_id", "payment_type", "payment_status", "amount"):
        entries.setdefault(session_id, []).append(money.Entry(*entry))
    paid = owed = refund_owed = worth = money.ZERO
    for pk, status, total, kept, *_rest in sessions:
        account = money.account(total, entries.get(pk, ()), kept=kept)
        paid += account.net_paid
        refund_owed += account.refund_owed
        # Before that nothing was agreed.
        if status in workflow.AGREED:
            owed += account.still_to_pay
            worth += total
    counted = Counter(status for _pk, status, *_rest in sessions)
    own = sum(
        status == Status.CANCELED and initiator in ("client", "system")
        for _pk, status, *_rest, initiator, _no_show in sessions
    )
    no_shows = sum(no_show for *_rest, no_show in sessions)
    return Figures(
        record=Record(len(sessions), own, no_shows),
        by_state=[(status.value, status.label, counted[status.value]) for status in Status if counted[status.value]],
        under_way=sum(count for status, count in counted.items() if status not in workflow.FINAL),
        paid=paid,
        owed=owed,
        refund_owed=refund_owed,
        worth=worth,
    )


@require_safe
def client_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Who it is, what they booked and paid, what stands open, and the next request."""
    client = present_client(request, pk)
    with_money = allows(request.user, Perm.PAYMENT_REGISTER)
    sessions = Session.objects.present().filter(client=client).select_related("room").order_by("-starts_at", "-id")
    page = Paginator(sessions, HISTORY_SIZE).get_page(request.GET.get("page"))
    context = {
        "client": client,
        "figures": figures_of(client),
        "page": page,
        "sessions": _history(page.object_list, client),
        "with_money": with_money,
        "moves": _moves(request, client),
    }
    return render(request, "sessions_app/client_page.html", context)


def _history(sessions: Iterable[Session], client: Client) -> list[Session]:
    found = list(sessions)
    for session in found:
        session.client = client
    return found


def _moves(request: HttpRequest, client: Client) -> list[dict[str, Any]]:
    moves = []
    if allows(request.user, Perm.SESSION_CREATE):
        reason = "" if client.active else _("The client is inactive. Make it active to book again.")
        whom = urlencode({"client": client.pk})
        moves += [
            {
                "name": "serve",
                "label": _("Can we serve?"),
                "url": f"{reverse('feasibility')}?{whom}",
                "reason": reason,
                "kind": "primary",
            },
            {"name": "request", "label": _("New request"), "url": f"{reverse('session-new')}?{whom}", "reason": reason},
        ]
        if get_user_model().objects.active().in_role(Role.ARTIST).exists():
            moves.append(
                {
                    "name": "appointment",
                    "label": _("New appointment"),
                    "url": f"{reverse('appointment-new')}?{whom}",
                    "reason": reason,
                }
            )
    if allows(request.user, Perm.CLIENT_EDIT, client):
        moves.append({"name": "edit", "label": _("Edit"), "url": reverse("client-edit", args=[client.pk])})
    if allows(request.user, Perm.CLIENT_DELETE, client):
        moves.append({"name": "delete", "label": _("Delete…"), "url": reverse("client-delete", args=[client.pk])})
    return moves


@require_http_methods(["GET", "HEAD", "POST"])
def client_new(request: HttpRequest) -> HttpResponse:
    """Write a client down; from a request that was begun, go back to it with the client chosen (``next``)."""
    require(request.user, Perm.CLIENT_CREATE)
    # What was typed into a search that found nobody is a good beginning.
    form = ClientForm(request.POST if request.method == "POST" else None, initial=_begun(request))

    def do(_values: dict[str, Any]) -> Done:
        client = book.add_client(form.instance, by=request.user)
        page, ask = client.get_absolute_url(), f"{reverse('session-new')}?{urlencode({'client': client.pk})}"
        target = back(request, "")
        return Done(
            _("%(client)s is in the client book.") % {"client": client.full_name},
            f"{target}{'&' if '?' in target else '?'}{urlencode({'client': client.pk})}" if target else page,
            "" if target else ask,
            "" if target else _("Write the request down"),
            {"id": client.pk},
        )

    context = {
        "page_title": _("New client"),
        "submit_label": _("Add to the client book"),
        "cancel_url": back(request, reverse("client-list")),
        "next": back(request, ""),
    }
    return act(request, form, do, template="sessions_app/client_form.html", context=context)


def _begun(request: HttpRequest) -> dict[str, str]:
    text = request.GET.get("q", "").strip()[:100]
    if not text:
        return {}
    if "@" in text:
        return {"email": text}
    return {"primary_phone": text} if text[:1].isdigit() or text[:1] == "+" else {"full_name": text}


@require_http_methods(["GET", "HEAD", "POST"])
def client_edit(request: HttpRequest, pk: int) -> HttpResponse:
    client = present_client(request, pk)
    require(request.user, Perm.CLIENT_EDIT, client)
    form = ClientForm(request.POST if request.method == "POST" else None, instance=client)

    def do(_values: dict[str, Any]) -> Done:
        changed = book.change_client(client, by=request.user, **form.values())
        return Done(_("%(client)s was saved.") % {"client": changed.full_name}, changed.get_absolute_url())

    # The form writes what was typed onto the record; the page is still about the one that is saved.
    saved = {"client": present_client(request, pk)} if request.method == "POST" else {"client": client}
    context = {
        **saved,
        "page_title": _("Edit %(client)s") % {"client": saved["client"].full_name},
        "cancel_url": client.get_absolute_url(),
    }
    return act(request, form, do, template="sessions_app/client_form.html", context=context)


@require_http_methods(["GET", "HEAD", "POST"])
def client_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """What deleting does, and then the deed (D30): soft, so that sessions and payments stay."""
    client = present_client(request, pk)
    require(request.user, Perm.CLIENT_DELETE, client)
    form = DeleteClientForm(request.POST if request.method == "POST" else None)

    def do(_values: dict[str, Any]) -> Done:
        book.delete_client(client, by=request.user, now=timezone.now())
        return Done(_("%(client)s was deleted.") % {"client": client.full_name}, reverse("client-list"))

    def context() -> dict[str, Any]:
        figures = figures_of(client)
        return {
            "client": client,
            "page_title": _("Delete %(client)s") % {"client": client.full_name},
            "effects": _effects(figures),
            "act_label": _("Delete the client"),
            "act_kind": "danger",
            "act_reason": _under_way(figures),
            "cancel_url": client.get_absolute_url(),
        }

    return act(request, form, do, template="sessions_app/client_delete.html", context=context)


def _effects(figures: Figures) -> list[dict[str, str]]:
    count = figures.record.sessions
    effects = [
        {
            "icon": "person-dash",
            "text": _("The client disappears from the book, from search and from new requests."),
        },
        {
            "icon": "camera",
            "text": ngettext("%(n)d session stays as it is.", "%(n)d sessions stay as they are.", count) % {"n": count}
            if count
            else _("There are no sessions of this client."),
            "why": _("With its history and its payments: what happened stays in the books.") if count else "",
        },
        {
            "icon": "envelope-slash",
            "text": _("No e-mail is sent."),
            "why": _("The address stays taken: a client with the same e-mail cannot be added anew."),
        },
    ]
    if figures.refund_owed > 0:
        effects.append(
            {
                "icon": "cash-coin",
                "text": _("A refund is still owed to this client."),
                "why": _("It stays in the list of payments until it is paid out."),
            }
        )
    return effects


def _under_way(figures: Figures) -> str:
    if not figures.under_way:
        return ""
    return ngettext(
        "%(n)d session of this client is under way. Cancel or complete it first.",
        "%(n)d sessions of this client are under way. Cancel or complete them first.",
        figures.under_way,
    ) % {"n": figures.under_way}


urlpatterns = [
    path("clients/", client_list, name="client-list"),
    path("clients/new/", client_new, name="client-new"),
    path("clients/<int:pk>/", client_page, name="client-page"),
    path("clients/<int:pk>/edit/", client_edit, name="client-edit"),
    path("clients/<int:pk>/delete/", client_delete, name="client-delete"),
]
