"""What photographers and editors write down: observations, incidents, another delivery date."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from sessions_app import story, workflow
from sessions_app.actions import editing, shoot
from sessions_app.actions.reach import refuse_appointment
from sessions_app.forms.shoot import DeliveryForm, NotesForm, ObserveForm
from sessions_app.models import Session
from sessions_app.views.finding import visible_session
from studio.access import require
from studio.acting import Done, act
from studio.roles import Perm, is_admin
from studio.templatetags.atelier import long_day


@require_http_methods(["GET", "HEAD", "POST"])
def session_notes(request: HttpRequest, code: str) -> HttpResponse:
    """A photographer's observations and incidents."""
    user, now = request.user, timezone.now()
    session = visible_session(request, code)
    require(user, Perm.SESSION_MARK_ATTENDED, session)
    refuse_appointment(session)
    present = {"observations": session.photographer_observations, "incidents": session.reported_incidents}
    form = NotesForm(request.POST if request.method == "POST" else None, initial=present)

    def do(values: dict[str, Any]) -> Done:
        # What a machine does not send stays as it is.
        sent = {name: values[name] if name in form.data else present[name] for name in present}
        written = shoot.write_notes(session, by=user, now=now, **sent)
        return Done(_("Written down."), session.get_absolute_url(), facts=story.session_facts(written, user))

    is_open = session.status in shoot.NOTES_OPEN or is_admin(user)
    context = {
        **_frame(session, _("Observations and incidents")),
        "submit_reason": "" if is_open else _("Observations are written from Assigned until the delivery."),
    }
    return act(request, form, do, template="sessions_app/shoot_notes.html", context=context)


@require_http_methods(["GET", "HEAD", "POST"])
def session_observe(request: HttpRequest, code: str) -> HttpResponse:
    """The editor's observations."""
    user, now = request.user, timezone.now()
    session = visible_session(request, code)
    require(user, Perm.SESSION_MARK_READY, session)
    refuse_appointment(session)
    form = ObserveForm(
        request.POST if request.method == "POST" else None, initial={"observations": session.editor_observations}
    )

    def do(values: dict[str, Any]) -> Done:
        written = editing.observe(session, observations=values["observations"], by=user, now=now)
        return Done(_("Written down."), session.get_absolute_url(), facts=story.session_facts(written, user))

    is_open = session.status in story.EDITORS_HAND or is_admin(user)
    context = {
        **_frame(session, _("Editor's observations")),
        "submit_reason": "" if is_open else _("This is open while it is in editing."),
    }
    return act(request, form, do, template="sessions_app/shoot_observe.html", context=context)


@require_http_methods(["GET", "HEAD", "POST"])
def session_delivery(request: HttpRequest, code: str) -> HttpResponse:
    """Another delivery date, which the client is told (business rules 10.3)."""
    user, now = request.user, timezone.now()
    session = visible_session(request, code)
    require(user, Perm.SESSION_MARK_READY, session)
    refuse_appointment(session)
    form = DeliveryForm(
        request.POST if request.method == "POST" else None,
        session_date=session.session_date,
        present_days=session.estimated_editing_days,
    )

    def do(values: dict[str, Any]) -> Done:
        moved = editing.move_delivery(
            session, editing_days=values["editing_days"], note=values["note"], by=user, now=now
        )
        text = _("Delivery of %(code)s is now promised for %(day)s, and the client is told by e-mail.") % {
            "code": moved.code,
            "day": long_day(moved.estimated_delivery_date),
        }
        return Done(text, moved.get_absolute_url(), facts=story.session_facts(moved, user))

    context = {
        **_frame(session, _("Move the delivery date")),
        "cancel_url": session.get_absolute_url(),
        "act_label": _("Move the date and tell the client"),
        "act_reason": ""
        if session.status == workflow.IN_EDITING
        else _("The date moves while the session is in editing."),
        "effects": [
            {
                "icon": "calendar-x",
                "text": _("Promised now: %(day)s.") % {"day": long_day(session.estimated_delivery_date)},
                "why": _("%(days)s days after the session.") % {"days": session.estimated_editing_days},
            },
            {
                "icon": "envelope",
                "text": _("The client is told the new date by e-mail: %(address)s.")
                % {"address": session.client.email},
            },
            {"icon": "journal-text", "text": _("Your note is kept with the observations, with the day.")},
        ],
    }
    return act(request, form, do, template="sessions_app/shoot_delivery.html", context=context)


def _frame(session: Session, title: str) -> dict[str, Any]:
    return {"session": session, "page_title": title, "cancel_url": session.get_absolute_url(), "nav": "session-list"}


urlpatterns = [
    path("sessions/<str:code>/notes/", session_notes, name="session-notes"),
    path("sessions/<str:code>/observe/", session_observe, name="session-observe"),
    path("sessions/<str:code>/delivery/", session_delivery, name="session-delivery"),
]
