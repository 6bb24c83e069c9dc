"""The outbox for Admins: what waits, what was sent, what was given up, and what each e-mail looks like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp, csp_update
from django import forms
from django.core.mail import EmailMultiAlternatives
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language, get_language_info, gettext_lazy, ngettext, override, pgettext
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from studio import access, letters, mail_examples, mail_faults, navigation, outbox
from studio.acting import Done, back, finish
from studio.answers import wants_json
from studio.conf import LANGUAGES, STUDIO
from studio.csv_files import csv_response
from studio.errors import InvalidInput, NotFound
from studio.models import OutgoingEmail
from studio.paging import Page
from studio.roles import Perm
from studio.say import warn
from studio.templatetags.atelier import iso, moment

PAGE_SIZE = 50
# Nobody pages further than this, and the database would count and skip for it: the filter is the way.
LAST_PAGE = 200
COUNT_LIMIT = 1000
# So many are set going again with one click.
AT_ONCE = 500
# A mail that has been due for so long says that something is wrong with the worker or the server.
TOO_LONG = timedelta(minutes=15)

Status = OutgoingEmail.Status

# The filter's states: what people look for, in the order of what needs them.
STATES: dict[str, tuple[str | Promise, tuple[str, ...]]] = {
    "dead": (gettext_lazy("Given up"), (Status.DEAD,)),
    "waiting": (gettext_lazy("Waiting"), (Status.WAITING, Status.CLAIMED)),
    "sent": (gettext_lazy("Sent"), (Status.SENT,)),
    "dropped": (gettext_lazy("Dropped"), (Status.DROPPED,)),
}

# An e-mail's styles stand in its elements; a page of ours has none. It runs nothing, sends nothing, opens nothing.
MAIL_CSP = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["data:"],
    "frame-ancestors": [SELF],
    "form-action": [NONE],
    "base-uri": [NONE],
    "sandbox": [True],
}
shows_mail = csp_update({"frame-src": [SELF]})


class MailFilter(forms.Form):
    """What the list is narrowed to, by its address."""

    q = forms.CharField(label=gettext_lazy("Address, or code of a session"), required=False, max_length=100)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), required=False, choices=[("", gettext_lazy("All kinds")), *letters.KINDS.items()]
    )
    state = forms.ChoiceField(
        required=False,
        choices=[("", ""), *((name, label) for name, (label, _states) in STATES.items())],
        widget=forms.HiddenInput,
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One e-mail of the list."""

    row: OutgoingEmail
    what: str
    about: str
    about_url: str
    error: str

    @property
    def is_dead(self) -> bool:
        return self.row.status == Status.DEAD


@dataclass(frozen=True, slots=True)
class Chip:
    label: str | Promise
    url: str
    is_current: bool
    count: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an e-mail's story, for `components/story.html`."""

    at: datetime
    title: str
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """The button, for `components/move.html`."""

    name: str
    label: str
    url: str
    reason: str = ""
    method: str = "post"
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Attached:
    name: str
    kind: str
    size: int
    text: str


@dataclass(slots=True)
class Shown:
    """The list as its address asks for it; what cannot be meant is left out and said."""

    form: MailFilter
    rows: QuerySet[OutgoingEmail]
    state: str
    is_filtered: bool
    ignored: list[str] = field(default_factory=list)


# -- the list --------------------------------------------------------------------------------------


@require_safe
def outbox_list(request: HttpRequest) -> HttpResponse:
    """Every e-mail, those that were given up first; with `format=csv` all that the filter leaves, as a file."""
    access.require(request.user, Perm.SYSTEM_SETTINGS)
    now = timezone.now()
    shown = _read(request)
    if request.GET.get("format") == "csv":
        return _as_csv(shown.rows, now)
    counts = _counts()
    number = _page_number(request, shown.ignored)
    dead = counts["dead"] if not shown.is_filtered else 0
    rows = _page_of(shown.rows, dead, number)
    if not rows and number > 1:
        shown.ignored.append(_("There is no page %(page)s: this is the first one.") % {"page": number})
        number, rows = 1, _page_of(shown.rows, dead, 1)
    page = Page(number, has_next=len(rows) > PAGE_SIZE and number < LAST_PAGE)
    oldest = _oldest_due(now)
    return render(
        request,
        "outbox/list.html",
        {
            "page_title": _("E-mails"),
            "lines": [_line(row) for row in rows[:PAGE_SIZE]],
            "page": page,
            "form": shown.form,
            "is_filtered": shown.is_filtered,
            "ignored": shown.ignored,
            "chips": _chips(request, shown.state, counts),
            "export_url": _address(request, format="csv"),
            "dead": counts["dead"],
            "at_once": AT_ONCE,
            "come_back": request.get_full_path(),
            "oldest": oldest,
            "is_stuck": oldest is not None and oldest.next_try_at < now - TOO_LONG,
            "server_says": _server_says(now),
            "health_url": navigation.address("health"),
        },
    )


@require_POST
def outbox_resend_many(request: HttpRequest) -> HttpResponse:
    """Have those of `id`, or with `all` every given-up one, tried anew."""
    access.require(request.user, Perm.SYSTEM_SETTINGS)
    rows = OutgoingEmail.objects.filter(status__in=[Status.DEAD, Status.DROPPED])
    if request.POST.get("all"):
        rows = rows.filter(status=Status.DEAD)
    else:
        ids = [int(each) for each in request.POST.getlist("id") if _is_id(each)]
        if not ids:
            nothing = _("Choose at least one e-mail.")
            if wants_json(request):
                raise InvalidInput(nothing, details={"fields": ["id"]})
            warn(request, nothing)
            return redirect(back(request, reverse("outbox-list")))
        rows = rows.filter(pk__in=ids)
    count = outbox.send_again(rows.order_by("-created_at", "-pk")[:AT_ONCE], by=request.user, now=timezone.now())
    left = outbox.given_up().count()
    text = ngettext("%(count)d e-mail is sent again.", "%(count)d e-mails are sent again.", count) % {"count": count}
    if left and request.POST.get("all"):
        text += " " + ngettext("%(n)d is still given up.", "%(n)d are still given up.", left) % {"n": left}
    return finish(request, Done(text, back(request, reverse("outbox-list")), facts={"count": count, "left": left}))


# -- one e-mail ------------------------------------------------------------------------------------


@require_safe
@shows_mail
def outbox_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One e-mail: what became of it, why, and what it says."""
    row, now = _mail(request, pk), timezone.now()
    message = _preview(row, now)
    line = _line(row)
    reason = outbox.why_not_again(row, now)
    moves = [Move("resend", _("Send again"), reverse("outbox-resend", args=[row.pk]), reason, kind="primary")]
    if row.status in outbox.ASIDE_FROM:
        moves.append(Move("set-aside", _("Set aside"), reverse("outbox-set-aside", args=[row.pk])))
    return render(
        request,
        "outbox/page.html",
        {
            "page_title": line.what,
            "row": row,
            "line": line,
            "facts": list(_facts(row)),
            "events": _story(row),
            "moves": moves,
            "advice": _advice(reason),
            "is_still_true": row.status != Status.DROPPED and outbox.is_still_true(row, now),
            "message": message,
            "attached": _attached(message),
            "html_url": reverse("outbox-html", args=[row.pk]),
            "is_sent": row.status == Status.SENT,
            "nav": "outbox-list",
        },
    )


@require_safe
@csp(MAIL_CSP)
@xframe_options_sameorigin
def outbox_html(request: HttpRequest, pk: int) -> HttpResponse:
    """The HTML of one e-mail, for the frame on its page."""
    message = _preview(_mail(request, pk), timezone.now())
    return _html_of(message)


@require_POST
def outbox_resend(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a given-up or dropped e-mail tried anew."""
    row, now = _mail(request, pk), timezone.now()
    if reason := outbox.why_not_again(row, now):
        if wants_json(request):
            raise InvalidInput(reason, details={"failed": ["not_again"], "status": row.status})
        warn(request, reason)
        return redirect("outbox-page", pk=row.pk)
    outbox.send_again([row], by=request.user, now=now)
    return finish(
        request,
        Done(
            _("The e-mail to %(to)s is sent again.") % {"to": outbox.as_it_is_now(row).to},
            back(request, reverse("outbox-page", args=[row.pk])),
            facts={"id": row.pk},
        ),
    )


@require_POST
def outbox_set_aside(request: HttpRequest, pk: int) -> HttpResponse:
    """An e-mail that waits or was given up is not to be sent."""
    row = _mail(request, pk)
    if not outbox.set_aside(row, by=request.user, now=timezone.now()):
        raise InvalidInput(_("Only what waits or was given up can be set aside."), details={"failed": ["not_given_up"]})
    text = _("The e-mail to %(to)s is set aside: it is not sent.") % {"to": row.to}
    return finish(request, Done(text, back(request, reverse("outbox-list")), facts={"id": row.pk}))


# -- examples --------------------------------------------------------------------------------------


@require_safe
def mail_previews(request: HttpRequest) -> HttpResponse:
    """Every kind of e-mail, to look at."""
    access.require(request.user, Perm.SYSTEM_SETTINGS)
    kinds = [(letters.label(kind), when, _languages(kind)) for kind, when in mail_examples.WHEN_SENT.items()]
    return render(
        request, "outbox/previews.html", {"page_title": _("How the e-mails look"), "kinds": kinds, "nav": "outbox-list"}
    )


@require_safe
@shows_mail
def mail_preview(request: HttpRequest, kind: str, language: str) -> HttpResponse:
    """One kind in one language, with facts that are nobody's."""
    message = _example(request, kind, language)
    return render(
        request,
        "outbox/preview.html",
        {
            "page_title": letters.label(kind),
            "when_sent": mail_examples.WHEN_SENT[kind],
            "message": message,
            "attached": _attached(message),
            "html_url": reverse("mail-preview-html", args=[kind, language]),
            "chips": _languages(kind, language),
            "nav": "outbox-list",
        },
    )


@require_safe
@csp(MAIL_CSP)
@xframe_options_sameorigin
def mail_preview_html(request: HttpRequest, kind: str, language: str) -> HttpResponse:
    """The HTML of an example, for the frame on its page."""
    return _html_of(_example(request, kind, language))


def _languages(kind: str, now: str = "") -> list[Chip]:
    """The kind in each language."""
    return [Chip(_name_of(each), reverse("mail-preview", args=[kind, each]), each == now) for each in LANGUAGES]


# -- reading the address ---------------------------------------------------------------------------


def _read(request: HttpRequest) -> Shown:
    asked = request.GET.copy()
    form = MailFilter(asked)
    ignored: list[str] = []
    if not form.is_valid():
        for name, errors in form.errors.items():
            label = form.fields[name].label or _("State")
            ignored.append(_("“%(name)s” was left out of the filter. %(why)s") % {"name": label, "why": errors[0]})
            asked.pop(name, None)
        form = MailFilter(asked)
        form.is_valid()
    wanted = form.cleaned_data
    text = wanted["q"].strip()
    rows = outbox.search(text) if text else OutgoingEmail.objects.all()
    if wanted["kind"]:
        rows = rows.filter(kind=wanted["kind"])
    if wanted["state"]:
        rows = rows.filter(status__in=STATES[wanted["state"]][1])
    return Shown(form, rows.order_by("-created_at", "-pk"), wanted["state"], any(wanted.values()), ignored)


def _page_number(request: HttpRequest, ignored: list[str]) -> int:
    text = request.GET.get("page", "")
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LAST_PAGE):
        ignored.append(_("There is no such page: this is the first one."))
        return 1
    return int(text)


def _page_of(rows: QuerySet[OutgoingEmail], dead: int, number: int) -> list[OutgoingEmail]:
    """The rows of a page and one more. The `dead` ones come first, without a sort of the whole table."""
    start = (number - 1) * PAGE_SIZE
    end = start + PAGE_SIZE + 1
    if not dead:
        return list(rows[start:end])
    first = list(rows.filter(status=Status.DEAD)[start:end]) if start < dead else []
    others = rows.exclude(status=Status.DEAD)
    return first + list(others[max(0, start - dead) : max(0, end - dead)])


def _counts() -> dict[str, int]:
    """How many there are of each state: exact for what is not sent, of the sent ones up to a limit."""
    # Two questions, each for an index of its own.
    never = OutgoingEmail.objects.filter(status__in=[Status.DEAD, Status.DROPPED]).aggregate(
        dead=Count("pk", filter=Q(status=Status.DEAD)), dropped=Count("pk", filter=Q(status=Status.DROPPED))
    )
    waiting = OutgoingEmail.objects.filter(status__in=[Status.WAITING, Status.CLAIMED]).count()
    sent = OutgoingEmail.objects.filter(status=Status.SENT).order_by()[: COUNT_LIMIT + 1].count()
    return {**never, "waiting": waiting, "sent": sent}


def _chips(request: HttpRequest, now: str, counts: dict[str, int]) -> list[Chip]:
    chips = [Chip(_("All"), _address(request, state=""), not now)]
    for name, (label, _states) in STATES.items():
        count = counts[name]
        said = _("more than %(n)d") % {"n": COUNT_LIMIT} if name == "sent" and count > COUNT_LIMIT else str(count)
        chips.append(Chip(label, _address(request, state=name), now == name, said))
    return chips


def _address(request: HttpRequest, **changes: str) -> str:
    query: QueryDict = request.GET.copy()
    query.pop("page", None)
    for name, value in changes.items():
        query.setlist(name, [value] if value else [])
    return f"?{query.urlencode()}"


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


# -- what is shown ---------------------------------------------------------------------------------


def _mail(request: HttpRequest, pk: int) -> OutgoingEmail:
    """The e-mail of an address; only Admins learn whether there is one."""
    access.require(request.user, Perm.SYSTEM_SETTINGS)
    try:
        return OutgoingEmail.objects.get(pk=pk)
    except (OutgoingEmail.DoesNotExist, OverflowError) as missing:
        raise NotFound() from missing


def _preview(row: OutgoingEmail, now: datetime) -> EmailMultiAlternatives | None:
    """The e-mail to look at; None for a row that this version of the program cannot write."""
    try:
        return outbox.preview(row, now)
    except Exception:
        outbox.logger.exception("E-mail %s cannot be shown.", row.pk)
        return None


def _example(request: HttpRequest, kind: str, language: str) -> EmailMultiAlternatives:
    access.require(request.user, Perm.SYSTEM_SETTINGS)
    if kind not in mail_examples.WHEN_SENT or language not in LANGUAGES:
        raise NotFound()
    now = timezone.now()
    return outbox.preview(mail_examples.example(kind, language, now), now)


def _html_of(message: EmailMultiAlternatives | None) -> HttpResponse:
    if message is None:
        raise NotFound()
    response = HttpResponse(message.alternatives[0].content)
    response["Cache-Control"] = "no-store"
    return response


def _attached(message: EmailMultiAlternatives | None) -> list[Attached]:
    parts = message.attachments if message is not None else []
    found = []
    for part in parts:
        content = part.get_payload(decode=True)
        found.append(
            Attached(part.get_filename() or "", part.get_content_type(), len(content), content.decode(errors="replace"))
        )
    return found


def _line(row: OutgoingEmail) -> Line:
    about, url = _about(row)
    error = mail_faults.in_words(row.last_error) if row.status != Status.SENT else ""
    return Line(row, letters.label(row.kind), about, url, error)


def _about(row: OutgoingEmail) -> tuple[str, str]:
    """What it is about, and where that is. Asks the database nothing."""
    if url := outbox.page_of(row):
        return str(row.context.get("session_code") or ""), url
    if row.about_type == "studio.user" and row.about_id:
        return str(row.context.get("person_name") or ""), reverse("staff-edit", args=[row.about_id])
    return "", ""


def _facts(row: OutgoingEmail) -> Iterator[tuple[str, Any]]:
    yield pgettext("e-mail", "To"), row.to
    yield _("Language"), _name_of(row.language)
    yield _("Attempts"), row.attempts
    if row.status == Status.WAITING:
        yield _("Next try"), moment(row.next_try_at)
    yield _("Why"), _line(row).error


def _story(row: OutgoingEmail) -> list[Event]:
    """What happened, newest first."""
    events = [Event(row.created_at, _("Written"))]
    events += [_event(each) for each in row.tries]
    if row.status == Status.CLAIMED and row.claimed_at:
        events.append(Event(row.claimed_at, _("Being sent")))
    if row.status == Status.SENT and row.sent_at:
        events.append(Event(row.sent_at, _("Sent")))
    return events[::-1]


def _event(entry: dict[str, Any]) -> Event:
    times = entry.get("times", 1)
    titles = {
        "failed": _("Tried in vain"),
        "held": ngettext(
            "Put back, with all others: the mail server took none",
            "Put back %(n)d times, with all others: the mail server took none",
            times,
        )
        % {"n": times},
        "dead": _("Given up"),
        "dropped": _("Dropped: what it says is no longer so"),
        "again": _("Set going again"),
        "aside": _("Set aside"),
    }
    return Event(
        datetime.fromisoformat(entry.get("until") or entry["at"]),
        titles.get(entry["what"], entry["what"]),
        entry.get("by", ""),
        mail_faults.in_words(entry.get("error", "")),
    )


def _advice(reason: str) -> str:
    """What to do about an e-mail that was given up."""
    if reason:
        return _("It was given up. What it says is no longer so: set it aside.")
    return _(
        "It was given up. Correct what is wrong and send it again: address, times and amounts are read anew. Or tell "
        "the client in another way, and set it aside."
    )


def _oldest_due(now: datetime) -> OutgoingEmail | None:
    """The e-mail that should have gone first of all that still wait."""
    waiting = OutgoingEmail.objects.filter(status__in=[Status.WAITING, Status.CLAIMED], next_try_at__lte=now)
    return waiting.order_by("next_try_at", "pk").first()


def _server_says(now: datetime) -> str:
    """The server's fault with which the last round ended, a few minutes ago at most."""
    waiting = OutgoingEmail.objects.filter(status=Status.WAITING, claimed_at__gt=now - TOO_LONG)
    held = waiting.order_by("-claimed_at").first()
    if held is None or not held.last_error.startswith(mail_faults.OF_THE_SERVER):
        return ""
    return mail_faults.in_words(held.last_error)


def _name_of(language: str) -> str:
    """A language by its own name."""
    return str(get_language_info(language)["name_local"]).capitalize() if language in LANGUAGES else language


# -- CSV -------------------------------------------------------------------------------------------


def _as_csv(rows: QuerySet[OutgoingEmail], now: datetime) -> HttpResponse:
    head = [_("Written"), _("Kind"), pgettext("e-mail", "To"), _("Language"), _("About")]
    head += [_("State"), _("Attempts"), _("Sent"), _("Why")]
    answer = csv_response(f"e-mails-{now.astimezone(STUDIO.zone).date()}", head, _csv_rows(rows, get_language()))
    answer["Cache-Control"] = "no-store"
    return answer


def _csv_rows(rows: QuerySet[OutgoingEmail], language: str) -> Iterator[list[Any]]:
    stream = rows.iterator(chunk_size=AT_ONCE)
    while batch := list(islice(stream, AT_ONCE)):
        # The file is written when the request is over, and with it the reader's language.
        with override(language):
            cells = [_cells(_line(row)) for row in batch]
        yield from cells


def _cells(line: Line) -> list[Any]:
    row = line.row
    written = [
        each.astimezone(STUDIO.zone).isoformat(timespec="minutes") if each else ""
        for each in (row.created_at, row.sent_at)
    ]
    return [
        written[0],
        line.what,
        row.to,
        row.language,
        line.about,
        row.get_status_display(),
        row.attempts,
        iso(row.sent_at),
        line.error,
    ]


urlpatterns = [
    path("", outbox_list, name="outbox-list"),
    path("resend/", outbox_resend_many, name="outbox-resend-many"),
    path("previews/", mail_previews, name="mail-previews"),
    path("previews/<slug:kind>/<slug:language>/", mail_preview, name="mail-preview"),
    path("previews/<slug:kind>/<slug:language>/html/", mail_preview_html, name="mail-preview-html"),
    path("<int:pk>/", outbox_page, name="outbox-page"),
    path("<int:pk>/html/", outbox_html, name="outbox-html"),
    path("<int:pk>/resend/", outbox_resend, name="outbox-resend"),
    path("<int:pk>/set-aside/", outbox_set_aside, name="outbox-set-aside"),
]
