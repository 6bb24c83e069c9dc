"""A session's page: the whole story for the office, what they need for those who are on it."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from sessions_app.views.finding import visible_session


def session_page(request: HttpRequest, code: str) -> HttpResponse:
    return HttpResponse(visible_session(request, code).code)


urlpatterns = [path("sessions/<str:code>/", session_page, name="session-page")]
