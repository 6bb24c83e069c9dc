"""Pages that belong to no package: health, notices, and what is said when something goes wrong."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from studio import notices
from studio.answers import answer_error, wants_json
from studio.errors import AccessDenied, InvalidInput, NotFound
from studio.models import Notice

logger = logging.getLogger(__name__)

PAGE_SIZE = 50


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks the database nothing."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """The process can serve: the database answers too."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logger.exception("The database does not answer.")
        return HttpResponse("no database\n", content_type="text/plain", status=503)
    return HttpResponse("ok\n", content_type="text/plain")


@login_required
@require_safe
def notice_list(request: HttpRequest) -> HttpResponse:
    """One's own notices, what is unread first in time and in weight."""
    rows = Notice.objects.filter(recipient=request.user)
    only = request.GET.get("show") == "unread"
    if only:
        rows = rows.filter(read_at__isnull=True)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    if wants_json(request):
        return JsonResponse({"notices": [_as_dict(notice) for notice in page]})
    facts = {
        "page": page,
        "notices": page.object_list,
        "only_unread": only,
        "unread": notices.unread_count(request.user),
    }
    return render(request, "notices/list.html", facts)


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
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(target if safe else reverse("notice-list"))


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
    """Django's 500: an error of ours. Never fails itself, and shows no trace."""
    reference = getattr(request, "id", "")
    message = _("Something went wrong on our side. Nothing was saved. Please try again.")
    facts = {"code": "SERVER_ERROR", "message": message, "details": {"request_id": reference}}
    try:
        if wants_json(request):
            return JsonResponse(facts, status=500)
        # Without a request: context processors might ask the database that just failed.
        return render(None, "errors/500.html", {**facts, "reference": reference}, status=500)
    except Exception:
        logger.exception("The page about an error has an error.")
        return HttpResponse(f"{message}\n{reference}\n", content_type="text/plain", status=500)


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


def _as_dict(notice: Notice) -> dict[str, object]:
    return {
        "id": notice.pk,
        "kind": notice.kind,
        "text": notice.text,
        "url": notice.url,
        "created_at": notice.created_at.isoformat(),
        "read": notice.read_at is not None,
    }
