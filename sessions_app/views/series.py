"""The same appointment several times: laid out, looked at, moved where it clashes, and booked all or none."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from sessions_app import artist_day
from sessions_app.actions import appoint
from sessions_app.forms.appointments import TENTATIVE, moment_of
from sessions_app.forms.series import SeriesForm, Sitting, rows_of
from sessions_app.models import Session
from sessions_app.opening_words import outside_hours_each
from sessions_app.views.finding import LARGEST_ID
from studio.access import allows, require
from studio.acting import Done, act
from studio.conf import STUDIO
from studio.errors import InvalidInput, StudioError
from studio.roles import Perm
from studio.templatetags.atelier import long_day

if TYPE_CHECKING:
    from studio.models import User

TEMPLATE = "sessions_app/appointment_series.html"
# What the refusals of the act call the fields of the form.
FIELDS = {"title": "event_description", "notes": "special_notes", "photographer": None, "times": None}


@require_http_methods(["GET", "HEAD", "POST"])
def appointment_series(request: HttpRequest) -> HttpResponse:
    """The form of a series. An address may fill it (``?client=3&artist=2&start=2026-11-28T10:00``).

    ``find`` looks a client up, ``plan`` lays the sittings out, ``check`` looks at them as they were moved; none of
    them writes. Without these it books.
    """
    user = request.user
    require(user, Perm.APPOINTMENT_MANAGE_OWN)
    sent = _sent(request)
    looks_up = "find" in request.POST
    only_looks = "plan" in request.POST or "check" in request.POST
    is_bound = request.method == "POST" and not looks_up
    form = SeriesForm(
        sent if is_bound else None, by=user, artists=artist_day.artists_for(user), initial=_initial(sent, user)
    )
    sittings = rows_of(sent) if looks_up else []

    def look() -> list[Sitting]:
        """The rows with what is wrong with each; by the plan when that was asked for, or nothing was there yet."""
        found = [] if "plan" in request.POST else form.as_sent()
        sittings[:] = _checked(found or form.laid_out(), artist_id=form.cleaned_data["artist"].pk)
        return [row for row in sittings if row.is_kept]

    def do(values: dict[str, Any]) -> Done:
        kept = look()
        if not kept:
            raise InvalidInput(_("Keep one sitting at least."))
        if any(row.error is not None for row in kept):
            raise InvalidInput(
                _("Nothing was booked: move or drop the sittings that cannot be."),
                details={"failed": ["clashes"], "clashes": [row.error.as_dict() for row in kept if row.error]},
            )
        try:
            booked = appoint.book_series(
                [row.span for row in kept if row.span is not None],
                client=values["client"] or form.new_client(),
                artist_id=values["artist"].pk,
                price=values["price"],
                title=values["event_description"],
                notes=values["special_notes"],
                tentative=values["certainty"] == TENTATIVE,
                by=user,
                now=timezone.now(),
            )
        except StudioError as error:
            error.field = FIELDS.get(error.field, error.field)
            look()  # somebody was faster: what is true now
            raise
        return _booked(booked)

    def context() -> dict[str, Any]:
        return {
            "page_title": _("Several sittings"),
            "nav": "appointment-board",
            "clients": _clients(user, sent),
            "searched": sent.get("client_search", "").strip(),
            "has_new_client": any(sent.get(name) for name in ("full_name", "primary_phone", "email")),
            "one_artist": not allows(user, Perm.SESSION_VIEW_ALL),
            "sittings": sittings,
            "kept": sum(row.is_kept for row in sittings),
            "wrong": sum(row.is_kept and row.error is not None for row in sittings),
            "cancel_url": reverse("appointment-board"),
        }

    if looks_up:
        return render(request, TEMPLATE, {"form": form, **context()})
    if only_looks:
        is_whole = form.is_valid()
        if is_whole:
            look()
        else:
            sittings[:] = rows_of(sent)
        return render(request, TEMPLATE, {"form": form, **context()}, status=200 if is_whole else InvalidInput.status)
    return act(request, form, do, template=TEMPLATE, context=context)


def _checked(sittings: list[Sitting], *, artist_id: int) -> list[Sitting]:
    """With the clash of each: somebody else has the time, or another sitting of the series."""
    timed = [row for row in sittings if row.is_kept and row.span is not None]
    clashes = {
        id(clash.span): clash.error for clash in appoint.clashes([row.span for row in timed], artist_id=artist_id)
    }
    warnings = outside_hours_each([row.span for row in timed])
    for row, outside in zip(timed, warnings, strict=True):
        row.error, row.outside = clashes.get(id(row.span)), outside
    return sittings


def _sent(request: HttpRequest) -> Any:
    """What the address or the form says, with ``start`` taken apart into the fields of the form."""
    sent = (request.POST if request.method == "POST" else request.GET).copy()
    text = sent.get("start") or ""
    if text and "session_date" not in sent:
        try:
            start = moment_of(text)
        except (ValueError, OverflowError):
            return sent
        sent["session_date"] = f"{start:%Y-%m-%d}"
        if len(text) > len("2026-11-28"):
            sent["start_time"] = f"{start:%H:%M}"
    return sent


def _initial(sent: Mapping[str, str], user: "User") -> dict[str, Any]:
    initial: dict[str, Any] = {name: sent[name] for name in SeriesForm.base_fields if name in sent}
    initial.setdefault("session_date", timezone.localdate(timezone=STUDIO.zone).isoformat())
    if not allows(user, Perm.SESSION_VIEW_ALL):
        initial["artist"] = user.pk
    return initial


def _clients(user: "User", sent: Mapping[str, str]) -> list[artist_day.ClientOption]:
    text = sent.get("client", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    chosen = number if number is not None and number <= LARGEST_ID else None
    return artist_day.client_options(user, text=sent.get("client_search", "").strip()[:100], chosen=chosen)


def _booked(sessions: list[Session]) -> Done:
    first, last = sessions[0], sessions[-1]
    text = ngettext(
        "%(count)d sitting is booked: %(first)s.",
        "%(count)d sittings are booked: %(first)s to %(last)s.",
        len(sessions),
    ) % {"count": len(sessions), "first": long_day(first.local_start), "last": long_day(last.local_start)}
    facts = {"sessions": [session.code for session in sessions]}
    return Done(text, artist_day.board_url(first.session_date), first.get_absolute_url(), _("Open the first"), facts)


urlpatterns = [path("appointments/series/", appointment_series, name="appointment-series")]
