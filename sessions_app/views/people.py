"""Room, photographers and editor of a session, on one page (business rules 3, 10.2, 10.4)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from scheduling.models import AssignmentStatus, StaffReservation
from sessions_app import sentences, workflow
from sessions_app.actions import people
from sessions_app.actions.reach import refuse_appointment
from sessions_app.commissions import percent
from sessions_app.forms.people import (
    AssignForm,
    CoverageForm,
    EditorForm,
    Nothing,
    Offer,
    Option,
    ReassignForm,
    RoomForm,
    offer,
)
from sessions_app.models import Session
from sessions_app.views.finding import visible_session
from studio.access import require
from studio.acting import Done, act
from studio.errors import AccessDenied, InvalidStateTransition, NotFound
from studio.roles import Perm, is_admin

PAGE = "sessions_app/people.html"


@require_safe
def session_people(request: HttpRequest, code: str) -> HttpResponse:
    session = _found(request, code)
    return render(request, PAGE, _page(session, request))


@require_POST
def session_room(request: HttpRequest, code: str) -> HttpResponse:
    """Another room, or with an empty choice none."""
    session = _found(request, code)
    form = RoomForm(request.POST, session=session, offered=_offer(session))

    def do(values: dict[str, Any]) -> Done:
        now = timezone.now()
        if values["room"] is None:
            people.take_room(session, by=request.user, now=now)
            return _done(session, _("The room is free again."))
        people.give_room(session, room_id=values["room"].pk, by=request.user, now=now)
        room = values["room"]
        return _done(session, _("%(room)s is held for this session.") % {"room": room}, room=room.pk)

    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, room_form=form))


@require_POST
def session_assign(request: HttpRequest, code: str) -> HttpResponse:
    session = _found(request, code)
    form = AssignForm(request.POST, session=session, people=_addable(session, _offer(session)))

    def do(values: dict[str, Any]) -> Done:
        assignment = people.assign_photographer(
            session,
            photographer_id=values["photographer"].pk,
            coverage=values["coverage"],
            lead=values["lead"],
            notes=values["notes"],
            by=request.user,
            now=timezone.now(),
        )
        text = _("%(person)s is on the session and has been told.") % {"person": values["photographer"]}
        return _done(session, text, assignment=assignment.pk)

    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, assign_form=form))


@require_POST
def session_lead(request: HttpRequest, code: str, assignment_id: int) -> HttpResponse:
    session = _found(request, code)

    def do(values: dict[str, Any]) -> Done:
        people.make_lead(session, assignment_id=assignment_id, by=request.user, now=timezone.now())
        return _done(session, _("The lead has changed."))

    form = Nothing(request.POST)
    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, page_form=form))


@require_http_methods(["GET", "HEAD", "POST"])
def session_coverage(request: HttpRequest, code: str, assignment_id: int) -> HttpResponse:
    """Other hours or other travel for one photographer."""
    session = _open(request, code)
    assignment = _assignment(session, assignment_id)
    form = CoverageForm(_posted(request), session=session, initial=_coverage_now(session, assignment))

    def do(values: dict[str, Any]) -> Done:
        people.change_coverage(
            session, assignment_id=assignment_id, coverage=values["coverage"], by=request.user, now=timezone.now()
        )
        text = _("The coverage of %(person)s has changed; they are told.")
        return _done(session, text % {"person": assignment.staff})

    return act(
        request,
        form,
        do,
        template="sessions_app/people_coverage.html",
        context={
            "session": session,
            "page_title": _("When %(person)s is there") % {"person": assignment.staff.short_name},
            "assignment": assignment,
            "cancel_url": _url(session),
            "nav": "session-list",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def session_reassign(request: HttpRequest, code: str, assignment_id: int) -> HttpResponse:
    """Another photographer in somebody's place: who is told stands there before the click (business rules 10.4)."""
    session = _open(request, code)
    assignment = _assignment(session, assignment_id)
    offered = offer(assignment.span, session.pk, now=timezone.now(), outside=session.is_external)
    form = ReassignForm(_posted(request), people=_addable(session, offered))

    def do(values: dict[str, Any]) -> Done:
        new = people.reassign(
            session,
            assignment_id=assignment_id,
            photographer_id=values["photographer"].pk,
            by=request.user,
            now=timezone.now(),
        )
        text = _("%(new)s comes instead of %(old)s; both have been told.")
        return _done(session, text % {"new": new.staff, "old": assignment.staff}, assignment=new.pk)

    old = assignment.staff.short_name
    effects = [
        {"icon": "bell", "text": _("%(old)s is told, and no longer sees the session.") % {"old": old}},
        {"icon": "bell", "text": _("Who comes instead is told and sees the session from now on.")},
        {"icon": "clock", "text": _("The time of %(old)s is free again.") % {"old": old}},
    ]
    if assignment.is_lead_photographer:
        effects.append({"icon": "star", "text": _("Who comes instead leads the shoot, as %(old)s did.") % {"old": old}})
    effects.append({"icon": "envelope", "text": _("The client is not written to.")})
    return act(
        request,
        form,
        do,
        template="sessions_app/people_act.html",
        context={
            "session": session,
            "page_title": _("Someone instead of %(person)s") % {"person": old},
            "assignment": assignment,
            "effects": effects,
            "act_label": _("Reassign"),
            "cancel_url": _url(session),
            "nav": "session-list",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def session_take_off(request: HttpRequest, code: str, assignment_id: int) -> HttpResponse:
    session = _open(request, code)
    assignment = _assignment(session, assignment_id)
    form = Nothing(_posted(request))

    def do(values: dict[str, Any]) -> Done:
        people.take_off(session, assignment_id=assignment_id, by=request.user, now=timezone.now())
        return _done(session, _("%(person)s is off the session and has been told.") % {"person": assignment.staff})

    name = assignment.staff.short_name
    effects = [
        {"icon": "bell", "text": _("%(person)s is told, and no longer sees the session.") % {"person": name}},
        {"icon": "clock", "text": _("The time of %(person)s is free again.") % {"person": name}},
    ]
    if assignment.is_lead_photographer:
        effects.append({"icon": "star", "text": _("The next photographer of the session leads the shoot.")})
    return act(
        request,
        form,
        do,
        template="sessions_app/people_act.html",
        context=lambda: {
            "session": session,
            "page_title": _("Take %(person)s off") % {"person": name},
            "assignment": assignment,
            "effects": effects,
            "act_label": _("Take off"),
            "act_kind": "danger",
            "cancel_url": _url(session),
            "nav": "session-list",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def session_editor(request: HttpRequest, code: str) -> HttpResponse:
    """An Admin gives the session to another editor (D11)."""
    session = visible_session(request, code)
    require(request.user, Perm.SESSION_ASSIGN_RESOURCES, session)
    if not is_admin(request.user):
        raise AccessDenied(user=request.user, perm=Perm.SESSION_EDIT_ALL, obj=session)
    if request.method != "POST" and session.status not in (workflow.IN_EDITING, workflow.READY):
        raise InvalidStateTransition(_editor_reason(session), details={"current": session.status})
    form = EditorForm(_posted(request), initial={"editor": session.assigned_editor})

    def do(values: dict[str, Any]) -> Done:
        people.change_editor(session, editor=values["editor"], by=request.user, now=timezone.now())
        return _done(session, _("%(person)s edits the session now and has been told.") % {"person": values["editor"]})

    effects = [
        {"icon": "bell", "text": _("The new editor is told and sees the session.")},
        {"icon": "eye-slash", "text": _("The present editor no longer sees it.")},
        {"icon": "journal-text", "text": _("It goes into the audit log as an override.")},
    ]
    return act(
        request,
        form,
        do,
        template="sessions_app/people_act.html",
        context={
            "session": session,
            "page_title": _("Change the editor"),
            "effects": effects,
            "act_label": _("Change the editor"),
            "cancel_url": _url(session),
            "nav": "session-list",
        },
    )


# --- what the page shows ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody on the session, and what may be done about it."""

    assignment: StaffReservation
    before: timedelta
    after: timedelta
    off_reason: str

    @property
    def has_travel(self) -> bool:
        return self.before > timedelta() or self.after > timedelta()

    @property
    def person(self) -> Any:
        return self.assignment.staff


def _posted(request: HttpRequest) -> Any:
    """What was sent, also when it is empty: a form without words is bound by being posted."""
    return request.POST if request.method == "POST" else None


def _found(request: HttpRequest, code: str) -> Session:
    session = visible_session(request, code)
    require(request.user, Perm.SESSION_ASSIGN_RESOURCES, session)
    refuse_appointment(session)
    return session


def _open(request: HttpRequest, code: str) -> Session:
    """As ``_found``, and open for changes of people: otherwise the page of the act is the reason."""
    session = _found(request, code)
    blocker = workflow.people_blocker(session.status)
    if blocker is not None:
        raise sentences.error_of(blocker, session=session.code, current=session.status)
    return session


def _assignment(session: Session, assignment_id: int) -> StaffReservation:
    rows = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED).select_related("staff")
    found = rows.filter(pk=assignment_id).first()
    if found is None:
        raise NotFound(_("This photographer is not on the session any more."))
    return found


def _current(session: Session) -> list[StaffReservation]:
    rows = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED).select_related("staff")
    return list(rows.order_by("-is_lead_photographer", "during", "id"))


def _offer(session: Session) -> Offer:
    return offer(session.span, session.pk, session.room, now=timezone.now(), outside=session.is_external)


def _addable(session: Session, offered: Offer, current: list[StaffReservation] | None = None) -> list[Option]:
    on_it = {row.staff_id for row in (_current(session) if current is None else current)}
    return [option for option in offered.people if option.pk not in on_it]


def _coverage_now(session: Session, assignment: StaffReservation) -> dict[str, Any]:
    """The coverage in the words of the form: times for a studio session, travel around it for an external one."""
    before = session.starts_at - assignment.starts_at
    after = assignment.ends_at - session.ends_at
    if session.is_external and before >= timedelta() and after >= timedelta():
        return {"travel_before": _minutes(before), "travel_after": _minutes(after)}
    return {
        "coverage_start_time": assignment.coverage_start_time,
        "coverage_end_time": assignment.coverage_end_time,
    }


def _minutes(length: timedelta) -> int:
    return int(length.total_seconds() // 60)


def _page(session: Session, request: HttpRequest, **forms: Form) -> dict[str, Any]:
    session = Session.objects.select_related("client", "room", "assigned_editor").get(pk=session.pk)
    current = _current(session)
    offered = _offer(session)
    addable = _addable(session, offered, current)
    blocker = workflow.people_blocker(session.status)
    keeps_people = session.status in workflow.FROM_ASSIGNED_ON
    last = _("An assigned session keeps a photographer.") if keeps_people and len(current) == 1 else ""
    seats = [Seat(row, session.starts_at - row.starts_at, row.ends_at - session.ends_at, last) for row in current]
    may_change_editor = is_admin(request.user)
    return {
        "session": session,
        "page_title": _("Room and people"),
        "nav": "session-list",
        "locked": sentences.why(blocker) if blocker else "",
        "seats": seats,
        "free_note": _free_note(sum(option.is_free for option in addable)),
        "at_that_time": _at_that_time(session, offered, current),
        "room_form": RoomForm(session=session, offered=offered, initial={"room": session.room_id}),
        "room_reason": _("An assigned studio session keeps a room.") if keeps_people else "",
        "assign_form": AssignForm(session=session, people=addable),
        "commission": percent(session.commission_override) if session.commission_override is not None else "",
        "editor_url": reverse("session-editor", args=[session.code]) if may_change_editor else "",
        "editor_reason": "" if session.status in (workflow.IN_EDITING, workflow.READY) else _editor_reason(session),
        **forms,
    }


def _at_that_time(session: Session, offered: Offer, current: list[StaffReservation]) -> list[tuple[str, str]]:
    """Each room and person, and what they do at the session's time; what is on it already is neither free nor taken."""
    here, free = _("on this session"), _("free")
    on_it = {row.staff_id for row in current}
    rooms = [] if session.is_external else offered.rooms
    pairs = [(option, option.pk == session.room_id) for option in rooms]
    pairs += [(option, option.pk in on_it) for option in offered.people]
    return [(option.name, here if is_here else free if option.is_free else option.why) for option, is_here in pairs]


def _free_note(free: int) -> str:
    return ngettext("%(n)d free at that time", "%(n)d free at that time", free) % {"n": free}


def _editor_reason(session: Session) -> str:
    return _("The editor changes while the session is in editing or ready.")


def _url(session: Session) -> str:
    return reverse("session-people", args=[session.code])


def _done(session: Session, text: str, **facts: Any) -> Done:
    """Back to the page, and from there to the session."""
    return Done(text, _url(session), session.get_absolute_url(), _("To the session"), facts)


urlpatterns = [
    path("sessions/<str:code>/people/", session_people, name="session-people"),
    path("sessions/<str:code>/people/room/", session_room, name="session-room"),
    path("sessions/<str:code>/people/assign/", session_assign, name="session-assign"),
    path("sessions/<str:code>/people/editor/", session_editor, name="session-editor"),
    path("sessions/<str:code>/people/<int:assignment_id>/lead/", session_lead, name="session-lead"),
    path("sessions/<str:code>/people/<int:assignment_id>/coverage/", session_coverage, name="session-coverage"),
    path("sessions/<str:code>/people/<int:assignment_id>/reassign/", session_reassign, name="session-reassign"),
    path("sessions/<str:code>/people/<int:assignment_id>/off/", session_take_off, name="session-take-off"),
]
