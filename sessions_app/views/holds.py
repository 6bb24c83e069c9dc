"""Holds: which there are, more time for one, letting go of one or many (D13, D33, D34)."""

import re
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from sessions_app import hold_list, sentences
from sessions_app.actions import hold
from sessions_app.actions.reach import refuse_appointment
from sessions_app.consequences import hours_of, rows_with_people
from sessions_app.forms.holds import ExtendForm, ReleaseForm
from sessions_app.forms.people import Nothing
from sessions_app.hold_list import Held
from sessions_app.models import Session
from sessions_app.views.finding import visible_session
from studio.access import require
from studio.acting import Done, act, back
from studio.answers import wants_json
from studio.conf import STUDIO
from studio.errors import InvalidInput, InvalidStateTransition
from studio.paging import Page
from studio.roles import Perm
from studio.say import warn

ROWS = 50
LAST_PAGE = 200
CODE = re.compile(r"[A-Za-z0-9-]{1,20}")


@require_safe
def hold_list_page(request: HttpRequest) -> HttpResponse:
    """``?which=expired`` (as without), ``soon``, ``all``."""
    require(request.user, Perm.SESSION_ASSIGN_RESOURCES)
    now = timezone.now()
    asked = request.GET.get("which", "")
    which = asked if asked in hold_list.WHICH else hold_list.EXPIRED
    rows = hold_list.held(request.user)
    counts = hold_list.counts(rows, now)
    number = _page_number(request.GET.get("page", ""))
    start = (number - 1) * ROWS
    found = hold_list.in_words(hold_list.among(rows, which, now)[start : start + ROWS + 1], now)
    shown = found[:ROWS]
    labels = {hold_list.EXPIRED: _("Expired"), hold_list.SOON: _("Ending soon"), hold_list.ALL: _("All")}
    context = {
        "page_title": _("Holds"),
        "nav": "session-list",
        "chips": [
            {"label": label, "url": f"?which={name}", "is_current": name == which, "count": counts[name]}
            for name, label in labels.items()
        ],
        "which": which,
        "rows": shown,
        "page": Page(number, has_next=len(found) > ROWS and number < LAST_PAGE),
        "may_go": len(hold_list.may_go(shown)),
        "expired": counts[hold_list.EXPIRED],
    }
    return render(request, "sessions_app/hold_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def hold_extend(request: HttpRequest, code: str) -> HttpResponse:
    session = _found(request, code)
    now = timezone.now()
    if request.method != "POST":
        hold.require_hold(session)
    today = now.astimezone(STUDIO.zone).date()
    latest = min(today + hold.LONGEST, session.session_date)
    usual = min(today + timedelta(days=STUDIO.hold_days), latest)
    posted = request.POST if request.method == "POST" else None
    initial = {"until": usual, "reason": session.hold_reason}
    form = ExtendForm(posted, initial=initial, earliest=today, latest=latest)

    def do(values: dict[str, Any]) -> Done:
        held = hold.extend(session, until=values["until"], reason=values["reason"], by=request.user, now=now)
        text = _("%(code)s is held until %(until)s.") % {"code": held.code, "until": sentences.local(held.held_until)}
        facts = {"session": held.code, "held_until": held.held_until.isoformat()}
        return Done(text, back(request, held.get_absolute_url()), reverse("hold-list"), _("To the holds"), facts)

    context = {
        "session": session,
        "page_title": _("Hold it longer"),
        "nav": "session-list",
        "names": hold_list.names_of(session),
        "has_expired": session.held_until is not None and session.held_until <= now,
        "submit_label": _("Hold it until then"),
        "cancel_url": back(request, session.get_absolute_url()),
        "next": request.POST.get("next") or request.GET.get("next") or "",
    }
    return act(request, form, do, template="sessions_app/hold_extend.html", context=context)


@require_http_methods(["GET", "HEAD", "POST"])
def hold_release(request: HttpRequest) -> HttpResponse:
    """What letting go does, and doing it: of the sessions in ``code``, or with ``all`` of every one that has expired.

    One alone, with what stood on its page in ``seen``, may also be one that has not expired, or is paid for.
    """
    require(request.user, Perm.SESSION_ASSIGN_RESOURCES)
    now = timezone.now()
    remaining = 0
    if request.method == "POST":
        codes = _codes(request.POST.getlist("code"))
        alone = len(codes) == 1 and "seen" in request.POST
    else:
        if request.GET.get("all"):
            codes, remaining = hold_list.first_to_go(request.user, now, at_most=hold.AT_ONCE)
        else:
            codes = _codes(request.GET.getlist("code"))
        alone = len(codes) == 1
    if alone:
        return _release_one(request, _found(request, codes[0]), now)
    if request.method != "POST" and not codes and not wants_json(request):
        warn(request, _("Choose what is to be let go."))
        return redirect("hold-list")
    return _release_many(request, codes, now, remaining)


def _release_one(request: HttpRequest, session: Session, now: datetime) -> HttpResponse:
    if request.method != "POST":
        hold.require_hold(session)
    seen = session.held_until.isoformat() if session.held_until else ""
    form = ReleaseForm(request.POST if request.method == "POST" else None, initial={"seen": seen})
    default = session.get_absolute_url()

    def do(values: dict[str, Any]) -> Done:
        done = hold.release(session, by=request.user, now=now, reason=values["reason"], seen=values["seen"])
        text = _("%(code)s holds nothing any more. Free again: %(names)s.") % {
            "code": session.code,
            "names": ", ".join(done.names),
        }
        return Done(text, back(request, default), reverse("hold-list"), _("To the holds"), _facts([done], []))

    def context() -> dict[str, Any]:
        (row,) = hold_list.in_words(Session.objects.filter(pk=session.pk), now)
        return {
            "session": row.session,
            "row": row,
            "page_title": _("Let go of what is held"),
            "nav": "session-list",
            "effects": _effects_of(row, request),
            "codes": [session.code],
            "act_label": _("Release"),
            "act_kind": "danger",
            "cancel_url": back(request, default),
            "next": request.POST.get("next") or request.GET.get("next") or "",
        }

    return act(request, form, do, template="sessions_app/hold_release.html", context=context)


def _release_many(request: HttpRequest, codes: list[str], now: datetime, remaining: int) -> HttpResponse:
    def do(values: dict[str, Any]) -> Done:
        released, kept = hold.release_expired(codes, by=request.user, now=now)
        left = "; ".join(f"{each.code}: {each.why}" for each in kept)
        if not released:
            details = {"failed": ["all_kept"], **_facts(released, kept)}
            raise InvalidStateTransition(_("Nothing was let go. %(left)s") % {"left": left}, details=details)
        text = ngettext("%(n)d hold is released: %(codes)s.", "%(n)d holds are released: %(codes)s.", len(released)) % {
            "n": len(released),
            "codes": ", ".join(each.session.code for each in released),
        }
        if kept:
            text = _("%(released)s Left as it is: %(left)s") % {"released": text, "left": left}
        return Done(text, reverse("hold-list"), facts=_facts(released, kept))

    def context() -> dict[str, Any]:
        rows = hold_list.in_words(hold_list.held(request.user).filter(code__in=codes[: hold.AT_ONCE]), now)
        going = hold_list.may_go(rows)
        return {
            "page_title": _("Let go of what is held"),
            "nav": "session-list",
            "going": going,
            "remaining": remaining,
            "at_once": hold.AT_ONCE,
            "staying": [row for row in rows if not row.may_go_with_others],
            "codes": [row.session.code for row in going],
            "effects": _effects_of_many(),
            "act_label": ngettext("Release %(n)d", "Release all %(n)d", len(going)) % {"n": len(going)},
            "act_kind": "danger",
            "act_reason": "" if going else _("None of them can be let go together with others."),
            "cancel_url": reverse("hold-list"),
        }

    if request.method != "POST" and not codes:
        raise InvalidInput(_("Choose at least one."), field="code")
    form = Nothing(request.POST if request.method == "POST" else None)
    return act(request, form, do, template="sessions_app/hold_release.html", context=context)


def _found(request: HttpRequest, code: str) -> Session:
    session = visible_session(request, code)
    require(request.user, Perm.SESSION_ASSIGN_RESOURCES, session)
    refuse_appointment(session)
    return session


def _codes(sent: list[str]) -> list[str]:
    """What can be a code; one more than is done at once, so that too many are refused and not cut off."""
    return list(dict.fromkeys(code for code in sent if CODE.fullmatch(code)))[: hold.AT_ONCE + 1]


def _page_number(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= 3
    return min(max(int(text), 1), LAST_PAGE) if is_number else 1


def _effects_of(row: Held, request: HttpRequest) -> list[dict[str, str]]:
    on_it = rows_with_people(row.session)
    freed = [f"{each.staff.full_name} ({hours_of(each)})" for each in on_it]
    freed += [row.session.room.name] if row.session.room_id else []
    told = [each.staff.full_name for each in on_it if each.staff.is_active and each.staff_id != request.user.pk]
    effects = []
    if freed:
        effects.append({"icon": "unlock", "text": _("Free again: %(names)s.") % {"names": ", ".join(freed)}})
    if on_it:
        names = ", ".join(each.staff.full_name for each in on_it)
        effects.append({"icon": "eye-slash", "text": _("No longer on the session: %(names)s.") % {"names": names}})
    if told:
        text = _("Told on their dashboard: %(names)s.") % {"names": ", ".join(told)}
        effects.append({"icon": "bell", "text": text})
    return [
        *effects,
        {"icon": "chat", "text": _("Its state stays as it is: %(state)s.") % {"state": _state(row.session)}},
        {"icon": "envelope", "text": _("The client is not written to.")},
    ]


def _effects_of_many() -> list[dict[str, str]]:
    return [
        {"icon": "unlock", "text": _("The people and rooms named here are free again.")},
        {"icon": "bell", "text": _("The people are told, and are no longer on the session.")},
        {"icon": "chat", "text": _("Each session stays in its state.")},
        {"icon": "envelope", "text": _("The clients are not written to.")},
        {
            "icon": "shield-check",
            "text": _("What somebody extends or pre-schedules meanwhile is left as it is, and you are told."),
        },
    ]


def _state(session: Session) -> str:
    return str(session.get_status_display()).lower()


def _facts(released: list[hold.Released], kept: list[hold.Kept]) -> dict[str, Any]:
    return {
        "released": [{"session": each.session.code, "freed": each.names} for each in released],
        "kept": [{"session": each.code, "why": each.why} for each in kept],
    }


urlpatterns = [
    path("holds/", hold_list_page, name="hold-list"),
    path("holds/release/", hold_release, name="hold-release"),
    path("sessions/<str:code>/hold/extend/", hold_extend, name="hold-extend"),
]
