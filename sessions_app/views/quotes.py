"""What the client was offered: the versions, and each of them on paper. For the office: it speaks of prices."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sessions_app import quotes
from sessions_app.actions.reach import refuse_appointment
from sessions_app.clients import risk_of
from sessions_app.documents.quote import filename_of, of_quote
from sessions_app.models import QuoteVersion, Session
from sessions_app.views.finding import visible_session
from studio.access import require
from studio.answers import wants_json
from studio.errors import NotFound
from studio.pdf import pdf_response
from studio.roles import Perm

# A column holds no larger number.
LARGEST_NUMBER = 2**31 - 1


@require_safe
def session_quotes(request: HttpRequest, code: str) -> HttpResponse:
    session = _found(request, code)
    versions = list(session.quotes.select_related("made_by").order_by("number"))
    present = quotes.content_of(session, quotes.lines_of(session))
    since = quotes.changes(versions[-1].content, present) if versions else []
    given = quotes.history(versions)
    if wants_json(request):
        return JsonResponse(
            {
                "session": session.code,
                "versions": [
                    {
                        "number": each.version.number,
                        "made_at": each.version.made_at.isoformat(),
                        "total": str(each.version.total),
                        "changes": each.changes,
                    }
                    for each in given
                ],
                "since": since,
            }
        )
    context = {
        "session": session,
        "page_title": _("Quotes"),
        "nav": "session-list",
        "given": given,
        "since": since,
        "has_lines": bool(present["lines"]),
        "risk": risk_of(session),
    }
    return render(request, "sessions_app/quotes.html", context)


@require_safe
def session_quote_now(request: HttpRequest, code: str) -> HttpResponse:
    """The present state on paper, whether it was given or not."""
    session = _found(request, code)
    content = quotes.content_of(session, quotes.lines_of(session))
    return pdf_response(of_quote(session, content, made_at=timezone.now()), filename_of(session))


@require_safe
def session_quote_version(request: HttpRequest, code: str, number: int) -> HttpResponse:
    session = _found(request, code)
    version: QuoteVersion | None = session.quotes.filter(number=min(number, LARGEST_NUMBER)).first()
    if version is None:
        raise NotFound
    content = of_quote(session, version.content, made_at=version.made_at, number=version.number)
    return pdf_response(content, filename_of(session, version.number))


def _found(request: HttpRequest, code: str) -> Session:
    session = visible_session(request, code)
    require(request.user, Perm.SESSION_VIEW_ALL)
    refuse_appointment(session)
    return session


urlpatterns = [
    path("sessions/<str:code>/quotes/", session_quotes, name="session-quotes"),
    path("sessions/<str:code>/quotes/now.pdf", session_quote_now, name="session-quote-now"),
    path("sessions/<str:code>/quotes/<int:number>.pdf", session_quote_version, name="session-quote-version"),
]
