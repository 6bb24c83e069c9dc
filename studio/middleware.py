"""What happens around every view: request ids, JSON bodies, the language, errors, and the gate for
people without a role.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.datastructures import MultiValueDict
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from studio import audit, logs
from studio.answers import answer_error, wants_fragment, wants_json
from studio.conf import LANGUAGES, STUDIO
from studio.errors import AccessDenied, Denial, InvalidInput, StudioError
from studio.roles import roles_of

Next = Callable[[HttpRequest], HttpResponse]

logger = logging.getLogger(__name__)
access = logging.getLogger("studio.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Gives each request a name, so that a person's report finds its lines in the log, and logs its end.

    An id that a proxy gave is kept when it is harmless. The line of a request says nothing that people typed
    (`logs.shown_path`); that of an answer that is written while it is read comes when it begins.
    """

    # A probe a second would hide what matters.
    PROBES = frozenset({"/healthz", "/readyz"})

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        request.id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        with logs.answering(request):
            response = self.get_response(request)
            if not self._is_quiet(request):
                _log_access(request, response, milliseconds=(time.perf_counter() - begun) * 1000)
        response["X-Request-ID"] = request.id
        # A file is handed to the server as it is, and fails nowhere in our code.
        if response.streaming and getattr(response, "file_to_stream", None) is None:
            response.streaming_content = _told_when_it_breaks(request, response.streaming_content)
        return response

    def _is_quiet(self, request: HttpRequest) -> bool:
        return request.path_info in self.PROBES or request.path.startswith(settings.STATIC_URL)


def _log_access(request: HttpRequest, response: HttpResponse, *, milliseconds: float) -> None:
    facts = logs.facts_of(request)
    access.log(
        logging.WARNING if response.status_code >= 500 else logging.INFO,
        "%s %s %d in %d ms, user %s",
        facts["method"],
        facts["path"],
        response.status_code,
        milliseconds,
        facts["user"] or "-",
        extra={**facts, "status": response.status_code, "duration_ms": round(milliseconds, 1)},
    )


def _told_when_it_breaks(request: HttpRequest, content: Iterable[bytes]) -> Iterator[bytes]:
    """What is written while it is read is written after every middleware: its errors have to find the request again."""
    with logs.answering(request):
        try:
            yield from content
        except Exception:
            logger.exception("The answer broke off.")
            raise


class JsonBodyMiddleware:
    """Lets every form be sent as JSON, and keeps out what no column can hold.

    A POST with a JSON object arrives in `request.POST` as if it had been a form: lists are several
    values, numbers keep their exact figures, null is empty. Nested objects have no place in a form
    and are refused. Characters that PostgreSQL cannot store (NUL, lone surrogates) are refused
    everywhere.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            if request.method == "POST" and request.content_type == "application/json":
                request._post = _form_of(request.body, request.encoding or settings.DEFAULT_CHARSET)
                request._files = MultiValueDict()
            _refuse_unstorable(request)
        except InvalidInput as error:
            return answer_error(request, error, status=400)
        return self.get_response(request)


class LanguageMiddleware:
    """The person's language, else the one chosen in this browser, else the studio's."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = _language_of(request)
        # Overridden, not activated: what is said before this middleware, by the next request of
        # this thread, is then in the studio's language and not in somebody else's.
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ["Cookie"])
        return response


class RoleGateMiddleware:
    """Nobody comes in without signing in; a person without a role sees nothing but an explanation (permissions).

    Views that stay open to everybody are named by their url.
    """

    OPEN = frozenset(
        {
            "login",
            "logout",
            "no-role",
            "set-language",
            "password-change",
            "password-change-done",
            "set-password",
            "healthz",
            "readyz",
            # Its address is the secret: whoever has it is let in (`sessions_app.feeds`).
            "calendar-feed",
        }
    )

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or match.view_name in self.OPEN or match.view_name == "admin:login":
            return None
        if not request.user.is_authenticated:
            return _sign_in_first(request)
        if roles_of(request.user):
            return None
        from studio.accounts.views import explain_no_role

        denial = AccessDenied(
            _("You have no role in the studio yet. Ask an Admin to give you one."),
            user=request.user,
            details={"failed": "no_role"},
        )
        audit.record_denial(denial, path=request.path[:200])
        if wants_json(request):
            return answer_error(request, denial)
        return explain_no_role(request, status=403)


def _sign_in_first(request: HttpRequest) -> HttpResponse:
    """Every page wants a person: to the door and back for people, 401 for machines."""
    if wants_json(request):
        answer = {"code": "SIGN_IN_REQUIRED", "message": _("Sign in first."), "details": {}}
        return JsonResponse(answer, status=401)
    response = redirect_to_login(_page_of(request))
    if wants_fragment(request):
        # A redirect would put the door into a part of the page.
        return HttpResponse(status=401, headers={"HX-Redirect": response.url})
    return response


def _page_of(request: HttpRequest) -> str:
    """The page to come back to: an act is not repeated by signing in, and a part of a page is no page."""
    if request.method in ("GET", "HEAD") and not wants_fragment(request):
        return request.get_full_path()
    came_from = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure()):
        return "/"
    address = urlsplit(came_from)
    return urlunsplit(("", "", address.path or "/", address.query, ""))


class StudioErrorMiddleware:
    """Turns the studio's errors into answers, and sees to it that every denial is in the audit log."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, StudioError):
            if isinstance(exception, AccessDenied) or (isinstance(exception, Denial) and exception.is_denial):
                audit.record_denial(exception, by=request.user, path=request.path[:200])
            return answer_error(request, exception)
        if isinstance(exception, PermissionDenied):
            # Django's own, as its admin raises it: the same event, the same answer.
            denial = AccessDenied(user=request.user)
            audit.record_denial(denial, path=request.path[:200])
            return answer_error(request, denial)
        return None


def _language_of(request: HttpRequest) -> str:
    user = getattr(request, "user", None)
    chosen = getattr(user, "language", "") if user is not None and user.is_authenticated else ""
    if chosen in LANGUAGES:
        return chosen
    cookie = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return cookie if cookie in LANGUAGES else STUDIO.language


def _form_of(body: bytes, encoding: str) -> QueryDict:
    """A JSON object as the form it stands for. Raises InvalidInput when it is none."""
    try:
        # Numbers stay the text they were: 12.10 is twelve and ten hundredths, not a float near it.
        sent = json.loads(body or b"{}", parse_float=str, parse_int=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as wrong:
        raise InvalidInput(_("The body is not valid JSON."), details={"failed": "malformed_json"}) from wrong
    if not isinstance(sent, dict):
        raise InvalidInput(_("The body has to be a JSON object."), details={"failed": "not_an_object"})
    limit = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    form = QueryDict(mutable=True, encoding=encoding)
    count = 0
    for name, value in sent.items():
        values = value if isinstance(value, list) else [value]
        count += len(values)
        if limit is not None and count > limit:
            raise InvalidInput(_("Too many values were sent."), details={"failed": "too_many"})
        form.setlist(name, [_form_value(name, each) for each in values])
    form._mutable = False
    return form


def _form_value(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    raise InvalidInput(
        _("A value may be a text, a number, true, false, null or a list of them."),
        details={"failed": "nested_value", "fields": [name[:100]]},
    )


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number.")


def _refuse_unstorable(request: HttpRequest) -> None:
    """Raise InvalidInput when the address, the query or the form has characters no column can hold."""
    if not _is_storable(request.path_info):
        raise InvalidInput(details={"failed": "unstorable_characters", "fields": []})
    sources = [request.GET]
    if request.method == "POST":
        sources.append(request.POST)
    for source in sources:
        for name, values in source.lists():
            if not _is_storable(name):
                raise InvalidInput(details={"failed": "unstorable_characters", "fields": []})
            if not all(isinstance(each, str) and _is_storable(each) for each in values):
                raise InvalidInput(
                    _("A value contains characters that cannot be stored."),
                    details={"failed": "unstorable_characters", "fields": [name[:100]]},
                )


def _is_storable(text: str) -> bool:
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
