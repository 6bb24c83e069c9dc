"""Room, photographers and editor on one page (business rules 3, 10.2, 10.4; D11, D33, D34)."""

from datetime import time, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from scheduling.models import RoomReservation, RoomStatus, StaffReservation
from scheduling.slots import Span, covering
from sessions_app import workflow
from sessions_app.actions import people
from studio.conf import STUDIO
from studio.models import AuditEvent, Notice, User
from studio.roles import Role
from tests.factories.domain import RoomFactory, Studio, at, person

pytestmark = pytest.mark.django_db
JSON = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture
def studio():
    return Studio(today=timezone.localdate(timezone=STUDIO.zone))


@pytest.fixture
def office(studio):
    return browser(studio.coordinator)


@pytest.fixture
def past():
    return Studio(today=timezone.localdate(timezone=STUDIO.zone) - timedelta(days=40))


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def url(name, session, *more):
    return reverse(name, args=[session.code, *more])


def held() -> tuple:
    rooms = RoomReservation.objects.order_by("pk").values_list("pk", "during", "released_at")
    staff = StaffReservation.objects.order_by("pk").values_list("pk", "during", "released_at", "is_lead_photographer")
    return list(rooms), list(staff)


def seat(studio, session, photographer=None):
    return people.assign_photographer(
        session,
        photographer_id=(photographer or studio.photographer).pk,
        coverage=session.span,
        by=studio.coordinator,
        now=studio.now,
    )


def test_the_page_says_who_is_free_and_what_is_in_the_way(studio, office):
    taken = studio.walk(workflow.NEGOTIATION).equip().session
    session = studio.request()
    page = office.get(url("session-people", session)).content.decode()
    assert page.count(taken.code) >= 4  # room and photographer, in their select and in the overview
    assert "Taken at that time" in page


def test_a_room_is_held_changed_and_given_back(studio, office):
    session = studio.request()
    other = RoomFactory()
    for room in (studio.room, other):
        assert office.post(url("session-room", session), {"room": room.pk}).status_code == 302
        session.refresh_from_db()
        assert session.room == room
    assert RoomReservation.objects.holding().count() == 1
    assert office.post(url("session-room", session), {"room": ""}).status_code == 302
    session.refresh_from_db()
    assert session.room is None
    assert office.post(url("session-room", session), {"room": ""}).status_code == 422


@pytest.mark.parametrize("as_json", [False, True])
def test_a_taken_room_comes_back_beside_the_field(studio, office, as_json):
    taken = studio.request(room_id=studio.room.pk)
    session = studio.request()
    before = held()
    answer = office.post(url("session-room", session), {"room": studio.room.pk}, **(JSON if as_json else {}))
    assert answer.status_code == 409 and held() == before
    if as_json:
        assert answer.json()["code"] == "ROOM_NOT_AVAILABLE"
        assert answer.json()["details"]["conflicts"][0]["session"] == taken.code
    else:
        assert taken.code in str(answer.context["room_form"].errors["room"])
        assert f'value="{studio.room.pk}" selected' in answer.content.decode()


def test_a_room_that_is_not_in_use_is_refused_with_its_reason(studio, office):
    broken = RoomFactory(status=RoomStatus.MAINTENANCE)
    session = studio.request()
    assert broken.name not in office.get(url("session-people", session)).content.decode()
    answer = office.post(url("session-room", session), {"room": broken.pk}, **JSON)
    assert answer.status_code == 409 and "maintenance" in answer.json()["message"].lower()


def test_an_assigned_session_keeps_its_room(past):
    session = past.walk(workflow.ASSIGNED).session
    before = held()
    answer = browser(past.coordinator).post(url("session-room", session), {"room": ""}, **JSON)
    assert answer.status_code == 422 and answer.json()["code"] == "MISSING_RESOURCES"
    assert answer.json()["details"]["missing"] == ["room"] and held() == before


def test_a_photographer_is_put_on_with_travel_and_told(studio, office):
    session = studio.request(session_type="External")
    answer = office.post(
        url("session-assign", session),
        {"photographer": studio.photographer.pk, "travel_before": "45", "travel_after": "30", "notes": "Bring flash"},
    )
    assert answer.status_code == 302
    assignment = session.assignments.get()
    assert assignment.starts_at == session.starts_at - timedelta(minutes=45)
    assert assignment.ends_at == session.ends_at + timedelta(minutes=30)
    assert assignment.is_lead_photographer and assignment.notes == "Bring flash"
    assert Notice.objects.filter(recipient=studio.photographer, kind="session_assigned").count() == 1
    page = office.get(url("session-people", session)).content.decode()
    assert studio.photographer.full_name in page and "45" in page


@pytest.mark.parametrize("as_json", [False, True])
def test_a_busy_photographer_comes_back_beside_the_field(studio, office, as_json):
    taken = studio.request(photographer_ids=(studio.photographer.pk,))
    session = studio.request(when=studio.when(20, "16:30", "18:00"), session_type="External")
    before = held()
    values = {"photographer": studio.photographer.pk, "travel_before": "30", "notes": "Kept"}
    answer = office.post(url("session-assign", session), values, **(JSON if as_json else {}))
    assert answer.status_code == 409 and held() == before
    if as_json:
        assert answer.json()["code"] == "PHOTOGRAPHER_NOT_AVAILABLE"
        assert answer.json()["details"]["conflicts"][0]["session"] == taken.code
    else:
        assert taken.code in str(answer.context["assign_form"].errors["photographer"])
        assert "Kept" in answer.content.decode() and 'value="30"' in answer.content.decode()


@pytest.mark.parametrize(
    "values",
    [
        {"photographer": ""},
        {"photographer": "abc"},
        {"photographer": "9" * 30},
        {"travel_before": "-5"},
        {"travel_before": "99999"},
        {"coverage_start_time": "25:00"},
        {"coverage_start_time": "16:00", "coverage_end_time": "15:00"},
        {"coverage_start_time": "01:00", "coverage_end_time": "02:00"},
    ],
)
def test_an_assignment_that_cannot_be_read_is_refused(studio, office, values):
    session = studio.request(session_type="External")
    before = held()
    answer = office.post(url("session-assign", session), {"photographer": studio.photographer.pk} | values)
    assert answer.status_code == 422 and answer.context["assign_form"].errors and held() == before


def test_lead_coverage_replace_and_take_off(studio, office):
    session = studio.request()
    second, third = person(Role.PHOTOGRAPHER), person(Role.PHOTOGRAPHER)
    first_seat, second_seat = seat(studio, session), seat(studio, session, second)
    assert office.post(url("session-lead", session, second_seat.pk)).status_code == 302
    second_seat.refresh_from_db()
    assert second_seat.is_lead_photographer

    assert office.get(url("session-coverage", session, first_seat.pk)).status_code == 200
    changed = office.post(url("session-coverage", session, first_seat.pk), {"coverage_start_time": "13:30"})
    assert changed.status_code == 302
    first_seat.refresh_from_db()
    assert first_seat.coverage_start_time == time(13, 30)

    page = office.get(url("session-reassign", session, second_seat.pk))
    assert page.status_code == 200 and "is told" in page.content.decode()
    assert office.post(url("session-reassign", session, second_seat.pk), {"photographer": third.pk}).status_code == 302
    assert {each.staff for each in session.assignments.filter(released_at=None)} == {studio.photographer, third}
    assert Notice.objects.filter(kind="assignment_changed").count() == 2
    assert browser(second).get(reverse("session-list")).context["rows"] == []

    page = office.get(url("session-take-off", session, first_seat.pk))
    assert page.status_code == 200 and "is told" in page.content.decode()
    assert office.post(url("session-take-off", session, first_seat.pk)).status_code == 302
    assert session.assignments.filter(released_at=None).get().staff == third
    assert office.post(url("session-take-off", session, first_seat.pk)).status_code == 404


def test_a_busy_replacement_is_refused_and_nobody_leaves(studio, office):
    second = person(Role.PHOTOGRAPHER)
    taken = studio.request(photographer_ids=(second.pk,))
    session = studio.request(photographer_ids=(studio.photographer.pk,))
    before = held()
    address = url("session-reassign", session, session.assignments.get().pk)
    page = office.post(address, {"photographer": second.pk})
    assert page.status_code == 409 and taken.code in str(page.context["form"].errors["photographer"])
    told = office.post(address, {"photographer": second.pk}, **JSON)
    assert told.status_code == 409 and told.json()["code"] == "PHOTOGRAPHER_NOT_AVAILABLE" and held() == before


@pytest.mark.parametrize("as_json", [False, True])
def test_the_last_photographer_of_an_assigned_session_stays(past, as_json):
    session = past.walk(workflow.ASSIGNED).session
    office = browser(past.coordinator)
    page = office.get(url("session-people", session)).content.decode()
    assert "An assigned session keeps a photographer." in page
    before = held()
    address = url("session-take-off", session, session.assignments.get().pk)
    answer = office.post(address, **(JSON if as_json else {}))
    assert answer.status_code == 422 and held() == before
    if as_json:
        assert answer.json()["code"] == "MISSING_RESOURCES"
        assert answer.json()["details"]["missing"] == ["photographer"]
    else:
        assert "put another one in their place" in answer.content.decode()


@pytest.mark.parametrize("as_json", [False, True])
def test_people_of_a_session_that_is_over_stay_as_they_are(past, as_json):
    session = past.walk(workflow.COMPLETED).session
    office, headers = browser(past.admin), JSON if as_json else {}
    page = office.get(url("session-people", session))
    assert page.status_code == 200 and "<select" not in page.content.decode()
    before, number = held(), session.assignments.get().pk
    for name, more, values in (
        ("session-room", (), {"room": RoomFactory().pk}),
        ("session-assign", (), {"photographer": person(Role.PHOTOGRAPHER).pk}),
        ("session-lead", (number,), {}),
        ("session-coverage", (number,), {}),
        ("session-reassign", (number,), {"photographer": person(Role.PHOTOGRAPHER).pk}),
        ("session-take-off", (number,), {}),
    ):
        answer = office.post(url(name, session, *more), values, **headers)
        assert answer.status_code == 422
        if as_json:
            assert answer.json()["code"] == "IMMUTABLE_SESSION"
    assert held() == before
    for name in ("session-coverage", "session-reassign", "session-take-off"):
        assert office.get(url(name, session, number)).status_code == 422


def test_only_an_admin_changes_the_editor(past):
    session = past.walk(workflow.IN_EDITING).session
    other = person(Role.EDITOR)
    address = url("session-editor", session)
    assert address not in browser(past.coordinator).get(url("session-people", session)).content.decode()
    for user, status in ((past.coordinator, 403), (past.editor, 403), (other, 404), (past.photographer, 403)):
        assert browser(user).get(address).status_code == status
        assert browser(user).post(address, {"editor": other.pk}).status_code == status
    admin = browser(past.admin)
    assert address in admin.get(url("session-people", session)).content.decode()
    assert "audit log" in admin.get(address).content.decode()
    assert admin.post(address, {"editor": past.photographer.pk}).status_code == 422
    assert admin.post(address, {"editor": other.pk}).status_code == 302
    session.refresh_from_db()
    assert session.assigned_editor == other
    assert AuditEvent.objects.filter(event="admin_override", details__act="change_editor").exists()


def test_the_editor_of_a_session_that_is_not_in_editing_cannot_change(studio):
    session = studio.request()
    admin = browser(studio.admin)
    assert admin.get(url("session-editor", session)).status_code == 409
    answer = admin.post(url("session-editor", session), {"editor": studio.editor.pk}, **JSON)
    assert answer.status_code == 409 and answer.json()["code"] == "INVALID_STATE_TRANSITION"


def test_people_are_for_the_office(studio):
    session = studio.walk(workflow.CONFIRMED).equip().session
    number, before = session.assignments.get().pk, held()
    for user, status, code in (
        (studio.photographer, 403, "PERMISSION_DENIED"),
        (person(Role.PHOTOGRAPHER), 404, "SESSION_NOT_FOUND"),
        (studio.editor, 404, "SESSION_NOT_FOUND"),
        (person(Role.ARTIST), 404, "SESSION_NOT_FOUND"),
        (person(), 403, "PERMISSION_DENIED"),
    ):
        seen = browser(user)
        for name, more in (
            ("session-room", ()),
            ("session-assign", ()),
            ("session-editor", ()),
            ("session-lead", (number,)),
            ("session-coverage", (number,)),
            ("session-reassign", (number,)),
            ("session-take-off", (number,)),
        ):
            assert seen.post(url(name, session, *more), {}).status_code == status
            told = seen.post(url(name, session, *more), {}, **JSON)
            assert told.status_code == status and told.json()["code"] == code
        for name in ("session-coverage", "session-reassign", "session-take-off"):
            assert seen.get(url(name, session, number)).status_code == status
        assert seen.get(url("session-people", session)).status_code == status
    assert held() == before
    assert Browser().post(url("session-take-off", session, number)).status_code in (302, 401, 403, 404)


def test_hostile_numbers_are_not_found(studio, office):
    session = studio.request()
    for number in (0, 10**12, 10**40):
        assert office.get(url("session-coverage", session, number)).status_code == 404
        assert office.post(url("session-lead", session, number), **JSON).status_code == 422
    assert office.get("/sessions/S-1999-0001/people/").status_code == 404
    assert office.get("/sessions/%27%3B--/people/", **JSON).json()["code"] == "SESSION_NOT_FOUND"


def test_the_page_costs_the_same_for_one_and_for_thirty(studio, office):
    session = studio.request()

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert office.get(url("session-people", session)).status_code == 200
        return len(asked)

    seat(studio, session)
    one = queries()
    for _ in range(15):
        seat(studio, session, person(Role.PHOTOGRAPHER))
        studio.request(room_id=RoomFactory().pk, photographer_ids=(person(Role.PHOTOGRAPHER).pk,))
    assert queries() == one <= 15


@pytest.mark.parametrize(
    ("start", "end", "arrives", "leaves", "expected"),
    [
        ("10:00", "18:00", None, None, ("10:00", "18:00")),
        ("10:00", "18:00", "09:00", "19:00", ("09:00", "19:00")),
        ("10:00", "18:00", "15:00", None, ("15:00", "18:00")),
        ("22:00", "02:00", "21:00", "03:00", ("21:00", "+03:00")),
        ("22:00", "02:00", "00:30", None, ("+00:30", "+02:00")),
        ("00:30", "04:00", "23:30", None, ("-23:30", "04:00")),
    ],
)
def test_a_time_of_coverage_belongs_to_the_day_that_is_meant(start, end, arrives, leaves, expected):
    def moment(text):
        shift = {"+": 1, "-": -1}.get(text[0], 0)
        return at("2026-05-10", text.lstrip("+-")) + timedelta(days=shift)

    ends = moment(end) if end > start else moment(f"+{end}")
    as_time = [time.fromisoformat(each) if each else None for each in (arrives, leaves)]
    found = covering(Span(moment(start), ends), *as_time)
    assert (found.start, found.end) == (moment(expected[0]), moment(expected[1]))
