"""Files of clients and appointments: upload, columns, try out, write; each step can be left and come back to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_http_methods, require_POST

from sessions_app.forms.imports import ColumnsForm, UploadForm
from sessions_app.importing import acts, columns, reading
from sessions_app.models import Import, ImportState
from sessions_app.views.finding import LARGEST_ID
from studio.access import require
from studio.acting import Done, act, finish, refusal_of
from studio.answers import answer_error, wants_json
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm, is_admin

SHOWN = 10
ROWS_SHOWN = 5
CELL_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one row."""

    row: int
    column: str
    value: str
    reason: str


@require_http_methods(["GET", "HEAD", "POST"])
def import_new(request: HttpRequest) -> HttpResponse:
    require(request.user, Perm.CLIENT_CREATE)
    now = timezone.now()
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()

    def do(values: dict[str, Any]) -> Done:
        sent = values["file"]
        # One byte more than may be, to know that it is too large; never the whole of what somebody sends.
        raw = sent.read(reading.MOST_BYTES + 1)
        found = acts.upload(kind=values["kind"], file_name=sent.name, raw=raw, by=request.user, now=now)
        text = ngettext(
            "%(file)s is read: %(rows)d row. Nothing is written yet.",
            "%(file)s is read: %(rows)d rows. Nothing is written yet.",
            found.rows,
        ) % {"file": found.file_name, "rows": found.rows}
        return Done(text, reverse("import-map", args=[found.pk]), facts={"import": found.pk})

    def context() -> dict[str, Any]:
        return {
            "page_title": _("Import"),
            "nav": "client-list",
            "recent": list(acts.recent()[:SHOWN]),
            "most_rows": reading.MOST_ROWS if is_admin(request.user) else acts.ROWS_OF_A_COORDINATOR,
            "megabytes": reading.MOST_BYTES // 1_000_000,
            "kinds": [(kind, [column.label for column in known]) for kind, known in _kinds()],
        }

    return act(request, form, do, template="sessions_app/import_new.html", context=context)


@require_http_methods(["GET", "HEAD", "POST"])
def import_map(request: HttpRequest, pk: int) -> HttpResponse:
    """Which of their columns is which of ours; what was guessed from the headings is chosen already."""
    found = _found(request, pk)
    if found.is_under_way or found.state == ImportState.DONE:
        return redirect(found)
    sheet = acts.sheet(found)
    form = ColumnsForm(request.POST if request.method == "POST" else None, found=found, head=sheet.head)
    if form.is_valid():
        acts.choose_columns(found, form.mapping(), by=request.user)
        acts.check(found, by=request.user, now=timezone.now())
        return _to_its_page(request, found)

    if form.is_bound and wants_json(request):
        return answer_error(request, refusal_of(form))
    context = {
        "form": form,
        "page_title": _("Which column is which"),
        "nav": "client-list",
        "found": found,
        "head": sheet.head,
        "rows": [[cell[:CELL_SHOWN] for cell in row.cells] for row in sheet.rows[:ROWS_SHOWN]],
    }
    status = InvalidInput.status if form.is_bound else 200
    return render(request, "sessions_app/import_map.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def import_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Where a file stands, and what trying it out has found; a POST tries it out. Polled while it is under way."""
    found = _found(request, pk)
    now = timezone.now()
    if request.method == "POST":
        acts.check(found, by=request.user, now=now)
        return _to_its_page(request, found)
    return render(request, "sessions_app/import_check.html", _standing(request, found, now))


@require_POST
def import_run(request: HttpRequest, pk: int) -> HttpResponse:
    found = _found(request, pk)
    acts.run(found, by=request.user, now=timezone.now())
    return _to_its_page(request, found)


@require_POST
def import_discard(request: HttpRequest, pk: int) -> HttpResponse:
    found = _found(request, pk)
    acts.discard(found, by=request.user, now=timezone.now())
    text = _("%(file)s is forgotten; nothing of it was written.") % {"file": found.file_name}
    return finish(request, Done(text, reverse("import-new")))


# -- what the pages show -----------------------------------------------------------------------------------------------


def _found(request: HttpRequest, pk: int) -> Import:
    require(request.user, Perm.CLIENT_CREATE)
    found = Import.objects.select_related("uploaded_by").filter(pk=pk).first() if pk <= LARGEST_ID else None
    if found is None:
        raise NotFound
    return found


def _to_its_page(request: HttpRequest, found: Import) -> HttpResponse:
    """Which says itself how far it has come: a message would stay when that is no longer so."""
    if wants_json(request):
        return finish(request, Done(found.get_state_display(), found.get_absolute_url(), facts={"state": found.state}))
    return redirect(found)


def _kinds() -> list[tuple[str, tuple[columns.Column, ...]]]:
    return [(str(label), columns.OF[kind]) for kind, label in Import._meta.get_field("kind").choices]


def _standing(request: HttpRequest, found: Import, now: datetime) -> dict[str, Any]:
    labels = {column.name: str(column.label) for column in columns.OF[found.kind]}
    report = found.report
    problems = [
        Problem(each["row"], labels.get(each["column"], ""), each["value"], each["reason"])
        for each in report.get("first_errors", [])
    ]
    return {
        "page_title": found.file_name,
        "nav": "client-list",
        "found": found,
        "is_lost": acts.is_lost(found, now),
        "is_waiting": found.is_under_way and found.started_at is None,
        "counts": _in_words(report.get("counts", {})),
        "problems": problems,
        "problem_count": report.get("errors", 0),
        "samples": [{**each, "what": _what(each["what"])} for each in report.get("samples", [])],
        "broke": report.get("broke", ""),
        "crossed": report.get("crossed", False),
        "may_run": found.is_clean and (is_admin(request.user) or found.rows <= acts.ROWS_OF_A_COORDINATOR),
        "holds_appointments": found.kind == "Appointments",
        "effects": _effects(found),
    }


def _in_words(counts: dict[str, int]) -> list[str]:
    """What is, or would be, written."""
    said = {
        "client_new": lambda n: ngettext("%(n)d new client", "%(n)d new clients", n),
        "client_known": lambda n: ngettext(
            "%(n)d client who is in the book already, left as they are",
            "%(n)d clients who are in the book already, left as they are",
            n,
        ),
        "appointment_active": lambda n: ngettext("%(n)d active appointment", "%(n)d active appointments", n),
        "appointment_waiting": lambda n: ngettext("%(n)d appointment on hold", "%(n)d appointments on hold", n),
        "appointment_completed": lambda n: ngettext("%(n)d completed appointment", "%(n)d completed appointments", n),
        "appointment_canceled": lambda n: ngettext("%(n)d canceled appointment", "%(n)d canceled appointments", n),
        "appointment_no_show": lambda n: ngettext("%(n)d no-show", "%(n)d no-shows", n),
    }
    return [said[name](counts[name]) % {"n": counts[name]} for name in said if counts.get(name)]


def _what(name: str) -> str:
    return {
        "client_new": _("new client"),
        "client_known": _("in the book already"),
        "appointment_active": pgettext("appointment", "active"),
        "appointment_waiting": _("on hold"),
        "appointment_completed": _("completed"),
        "appointment_canceled": _("canceled"),
        "appointment_no_show": _("no-show"),
    }.get(name, name)


def _effects(found: Import) -> list[dict[str, str]]:
    """What writing does, said before the click."""
    effects = [
        {"icon": "shield-check", "text": _("All rows are written, or none: also when it is interrupted.")},
        {
            "icon": "person-check",
            "text": _("Whoever is in the client book already is known by their e-mail, not doubled."),
        },
        {"icon": "bell-slash", "text": _("Nobody gets an e-mail or a notice of it.")},
    ]
    if found.kind == "Appointments":
        effects += [
            {
                "icon": "cash-coin",
                "text": _("Payments are not imported."),
                "why": _("What is completed comes in at 0.00 with its price in the notes: it was paid elsewhere."),
            },
            {
                "icon": "hourglass-split",
                "text": _("While it is tried out and written, nobody else can book these artists."),
            },
        ]
    return effects


urlpatterns = [
    path("imports/new/", import_new, name="import-new"),
    path("imports/<int:pk>/columns/", import_map, name="import-map"),
    path("imports/<int:pk>/check/", import_check, name="import-check"),
    path("imports/<int:pk>/run/", import_run, name="import-run"),
    path("imports/<int:pk>/discard/", import_discard, name="import-discard"),
]
