"""An appointment's own form: when, with whom, for how much."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from payments import ledger
from sessions_app import appointment_story, sentences, workflow
from sessions_app.actions import appoint
from sessions_app.consequences import rows_with_people
from sessions_app.forms.appointment_edit import AppointmentEditForm
from sessions_app.models import Session
from sessions_app.opening_words import with_warning
from sessions_app.views.finding import visible_session
from sessions_app.views.requests import Conflict, conflicts_of
from studio.access import allows, require
from studio.acting import Done, act, back
from studio.errors import NotFound, PhotographerNotAvailable, StudioError
from studio.roles import Perm
from studio.templatetags.atelier import clock, long_day

# What the refusals of the acts call the fields of the form.
FIELDS = {
    "photographer": "start_time",
    "end": "end_time",
    "title": "event_description",
    "notes": "special_notes",
    "commission_override": "commission",
    "percent": "commission",
}


@require_http_methods(["GET", "HEAD", "POST"])
def appointment_edit(request: HttpRequest, code: str) -> HttpResponse:
    """The artist's own, and every one for the office; who has it and what was agreed of the commission only there."""
    user, now = request.user, timezone.now()
    session = visible_session(request, code)
    if not session.is_appointment:
        raise NotFound
    require(user, Perm.APPOINTMENT_MANAGE_OWN, session)
    blocker = workflow.edit_blocker(session.status, None, now)
    if blocker is not None:
        raise sentences.error_of(blocker, session=session.code, current=session.status)
    artist = rows_with_people(session)[0].staff
    form = AppointmentEditForm(
        request.POST if request.method == "POST" else None,
        session=session,
        artist_id=artist.pk,
        is_office=allows(user, Perm.SESSION_VIEW_ALL),
    )
    in_the_way: list[Conflict] = []

    def do(_values: dict[str, Any]) -> Done:
        changed = appoint.change(session, by=user, now=now, **form.changes())
        text = _("%(code)s is changed: %(day)s, %(start)s to %(end)s.") % {
            "code": changed.code,
            "day": long_day(changed.starts_at),
            "start": clock(changed.starts_at),
            "end": clock(changed.ends_at),
        }
        text = with_warning(text, changed.span)
        return Done(text, back(request, changed.get_absolute_url()), facts={"session": changed.code})

    def context() -> dict[str, Any]:
        fresh = Session.objects.select_related("client").get(pk=session.pk)
        return {
            "session": fresh,
            "page_title": _("Edit the appointment"),
            "nav": "appointment-board",
            "cancel_url": back(request, fresh.get_absolute_url()),
            "next": back(request, ""),
            "in_the_way": in_the_way,
            "figures": appointment_story.figures_of(fresh, ledger.account(fresh)),
            "effects": _effects(artist, user),
        }

    noted = _noting(do, in_the_way)
    return act(request, form, noted, template="sessions_app/appointment_edit.html", context=context)


def _noting(do: Callable[[dict[str, Any]], Done], in_the_way: list[Conflict]) -> Callable[[dict[str, Any]], Done]:
    """Carry what is in the way to the page, and the sentence to the field that it concerns."""

    def noted(values: dict[str, Any]) -> Done:
        try:
            return do(values)
        except StudioError as error:
            if isinstance(error, PhotographerNotAvailable):
                in_the_way.extend(conflicts_of(error))
            error.field = FIELDS.get(error.field, error.field)
            raise

    return noted


def _effects(artist: Any, by: Any) -> list[dict[str, str]]:
    """What a change of the time or of the artist does besides."""
    effects = [{"icon": "shield-check", "text": _("If the time is taken already, nothing changes.")}]
    if artist.buffer_before or artist.buffer_after:
        effects.append(
            {
                "icon": "hourglass",
                "text": _("%(before)d minutes before and %(after)d after are held as well.")
                % {"before": artist.buffer_before, "after": artist.buffer_after},
            }
        )
    if artist.pk != by.pk:
        effects.append({"icon": "bell", "text": _("The artist is told of another time, or of another artist.")})
    return effects


urlpatterns = [path("appointments/<str:code>/edit/", appointment_edit, name="appointment-edit")]
