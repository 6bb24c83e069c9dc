"""A session's page: the whole story for the office, what they need for those who are on it; shoot or appointment."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from sessions_app import appointment_story, story
from sessions_app.views.finding import visible_session
from studio.access import allows
from studio.answers import wants_json
from studio.roles import Perm


@require_safe
def session_page(request: HttpRequest, code: str) -> HttpResponse:
    """Which of the two pages of its kind is decided by what the person may see, nowhere else."""
    session, now = visible_session(request, code), timezone.now()
    is_office = allows(request.user, Perm.SESSION_VIEW_ALL)
    if session.is_appointment:
        of_whom = appointment_story.whole if is_office else appointment_story.own
        page = of_whom(session, by=request.user, now=now)
        template = "sessions_app/appointment.html" if is_office else "sessions_app/appointment_own.html"
        facts = appointment_story.whole_facts if is_office else appointment_story.own_facts
    elif is_office:
        page = story.whole(session, by=request.user, now=now)
        template, facts = "sessions_app/page.html", story.whole_facts
    else:
        page = story.reduced(session, by=request.user, now=now)
        template, facts = "sessions_app/page_reduced.html", story.reduced_facts
    if wants_json(request):
        return JsonResponse(facts(page))
    nav = "appointment-board" if session.is_appointment else "session-list"
    return render(request, template, {"page": page, "session": session, "moves": page.moves, "nav": nav})


urlpatterns = [path("sessions/<str:code>/", session_page, name="session-page")]
