"""Pages that belong to no package: health, notices, and what is said when something goes wrong."""

from __future__ import annotations

import logging
import sys
import threading

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from studio import notices
from studio.answers import answer_error, wants_fragment, wants_json
from studio.errors import AccessDenied, InvalidInput, NotFound
from studio.models import Notice
from studio.outages import Outage, give_up_connection, outage_of

logger = logging.getLogger(__name__)

PAGE_SIZE = 50


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks the database nothing."""
    return HttpResponse("ok\n", content_type="text/plain")


# Set once the database was seen to have all of this program's migrations: they do not go away while it runs.
_migrations_are_applied = threading.Event()


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """The process can serve: the database answers, and has the tables that this program expects."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrations_are_applied.is_set():
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return _not_ready("migrations are missing")
            _migrations_are_applied.set()
    except AnyDatabaseError as error:
        logger.warning("The database does not answer: %s", _first_line(error))
        return _not_ready("no database")
    return HttpResponse("ok\n", content_type="text/plain")


def _not_ready(why: str) -> HttpResponse:
    return HttpResponse(f"{why}\n", content_type="text/plain", status=503)


@login_required
@require_safe
def notice_list(request: HttpRequest) -> HttpResponse:
    """One's own notices by day, what is unread before what is read."""
    only = request.GET.get("show") == "unread"
    rows = notices.unread(request.user) if only else notices.unread_first(request.user)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    lines = notices.lines(page, request.user)
    unread = notices.unread_count(request.user)
    if wants_json(request):
        facts = {"unread": unread, "page": page.number, "pages": page.paginator.num_pages}
        return JsonResponse(facts | {"notices": [_as_dict(line) for line in lines]})
    facts = {"page": page, "groups": notices.by_day(lines, now=timezone.now()), "only_unread": only, "unread": unread}
    return render(request, "notices/list.html", facts)


@login_required
@never_cache
@require_safe
def notice_open(request: HttpRequest, pk: int) -> HttpResponse:
    """Go where a notice leads; it is read from then on, and the earlier ones about the same thing with it.

    A GET, so that it can be opened in another tab, and harmless: it changes nothing but the reader's own mark. Not even
    that when nobody followed it: a browser that fetches ahead, or a page elsewhere that sends somebody here.
    """
    notice = Notice.objects.filter(pk=pk, recipient=request.user).first()
    if notice is None:
        raise NotFound
    if _is_followed(request):
        notices.mark_followed(notice, now=timezone.now())
    [line] = notices.lines([notice], request.user)
    return HttpResponseRedirect(line.url if line.url and _is_here(request, line.url) else reverse("notice-list"))


@login_required
@require_POST
def notice_read(request: HttpRequest) -> HttpResponse:
    """Mark notices as read: those of `id` (any number), or all with `all`; then go where `next`
    says.

    Other people's ids change nothing and tell nothing.
    """
    ids = request.POST.getlist("id")
    if not ids and not request.POST.get("all"):
        raise InvalidInput(_("Say which notices."), details={"fields": ["id"]})
    try:
        wanted = None if request.POST.get("all") else [_identifier(each) for each in ids]
    except ValueError as wrong:
        raise InvalidInput(details={"fields": ["id"]}) from wrong
    count = notices.mark_read(request.user, wanted, now=timezone.now())
    if wants_json(request):
        return JsonResponse({"read": count})
    target = request.POST.get("next", "")
    return HttpResponseRedirect(target if _is_here(request, target) else reverse("notice-list"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400: a request that is malformed or suspicious."""
    return answer_error(request, InvalidInput(), status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 403, where our middleware has not answered already."""
    return answer_error(request, AccessDenied())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404. Says nothing of what was asked for."""
    return answer_error(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500, for whatever was raised anywhere, middleware included: an error of ours, or an outage (503).

    Never fails itself, asks the database nothing, and shows no trace.
    """
    error = sys.exc_info()[1]
    outage = outage_of(error)
    status = 500 if outage is None else 503
    reference = getattr(request, "id", "")
    with translation.override(_language_without_database(request)):
        try:
            if outage is not None:
                return _unavailable(request, outage, error, reference)
            message = _("Something went wrong on our side. Nothing was saved. Please try again.")
            facts = {"code": "SERVER_ERROR", "message": message, "details": {"request_id": reference}}
            if wants_json(request):
                return JsonResponse(facts, status=status)
            # Without a request: context processors might ask the database that just failed.
            return render(None, "errors/500.html", {**facts, "reference": reference}, status=status)
        except Exception:
            logger.exception("The page about an error has an error.")
            text = f"{_('Something went wrong here')}\n{reference}\n"
            return HttpResponse(text, content_type="text/plain", status=status)


def _unavailable(request: HttpRequest, outage: Outage, error: BaseException | None, reference: str) -> HttpResponse:
    """503: the database is away, or busy with somebody else's change. Says what to do, and when to try again."""
    if outage is Outage.AWAY:
        logger.error("The database does not answer: %s", _first_line(error))
        give_up_connection()
        code = "UNAVAILABLE"
        title = _("The database does not answer just now")
        message = _("Try again in a moment. If you were changing something, look first whether it was saved.")
    else:
        logger.warning("Busy with another change: %s", _first_line(error))
        code = "BUSY"
        title = _("Somebody else is changing the same just now")
        message = _("Look how it stands now, and try again.")
    facts = {"code": code, "title": title, "message": message, "reference": reference}
    if wants_json(request):
        details = {"request_id": reference, "retry_after": outage.retry_after}
        told = {"code": code, "message": f"{title}. {message}", "details": details}
        response: HttpResponse = JsonResponse(told, status=503)
    elif wants_fragment(request):
        response = render(None, "errors/503_fragment.html", facts, status=503)
        response["HX-Retarget"] = "#messages"
        response["HX-Reswap"] = "innerHTML"
        response["HX-Reselect"] = ".say"
    else:
        facts["may_repeat"] = request.method in ("GET", "HEAD")
        response = render(None, "errors/503.html", facts, status=503)
    response["Retry-After"] = str(outage.retry_after)
    response["Cache-Control"] = "no-store"
    response["Content-Language"] = translation.get_language()
    patch_vary_headers(response, ["Accept", "HX-Request"])
    # The line above says it all; Django would add a trace to each of thousands.
    response._has_been_logged = True
    return response


def _language_without_database(request: HttpRequest) -> str:
    """The language that is active for this request, else the browser's: by its cookie, then by what it prefers."""
    return getattr(request, "LANGUAGE_CODE", None) or translation.get_language_from_request(request)


def _first_line(error: BaseException | None) -> str:
    """What the driver says, without what the server quotes."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form came without its token: an old page, another site, or cookies that are off."""
    error = AccessDenied(
        _("This page was open for too long or your browser blocks cookies. Reload it and try again."),
        details={"failed": "csrf"},
    )
    return answer_error(request, error)


def _identifier(text: str) -> int:
    """A primary key as PostgreSQL can compare it. Raises ValueError for anything else."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError(text)
    return int(text)


def _is_here(request: HttpRequest, target: str) -> bool:
    """Whether an address lies within this site."""
    return url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def _is_followed(request: HttpRequest) -> bool:
    """Whether somebody clicked on a link of ours, as far as the browser tells."""
    fetched_ahead = {request.headers.get("Sec-Purpose", "").partition(";")[0], request.headers.get("Purpose", "")}
    from_elsewhere = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    return request.method == "GET" and "prefetch" not in fetched_ahead and not from_elsewhere


def _as_dict(line: notices.Line) -> dict[str, object]:
    return {
        "id": line.id,
        "kind": line.kind,
        "text": line.text,
        "by": line.by,
        "url": line.url,
        "created_at": line.at.isoformat(),
        "read": line.is_read,
    }
