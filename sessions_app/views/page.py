"""A session's page: the whole story for the office, what they need for those who are on it."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from sessions_app import story
from sessions_app.views.finding import visible_session
from studio.access import allows
from studio.answers import wants_json
from studio.roles import Perm


@require_safe
def session_page(request: HttpRequest, code: str) -> HttpResponse:
    """Which of the two pages is decided by what the person may see, nowhere else."""
    session, now = visible_session(request, code), timezone.now()
    if allows(request.user, Perm.SESSION_VIEW_ALL):
        page = story.whole(session, by=request.user, now=now)
        template, facts = "sessions_app/page.html", story.whole_facts
    else:
        page = story.reduced(session, by=request.user, now=now)
        template, facts = "sessions_app/page_reduced.html", story.reduced_facts
    if wants_json(request):
        return JsonResponse(facts(page))
    return render(request, template, {"page": page, "session": session, "moves": page.moves, "nav": "session-list"})


urlpatterns = [path("sessions/<str:code>/", session_page, name="session-page")]
