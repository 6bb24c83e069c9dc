"""A request on the phone, and moving a session: what is held, what is refused, what is kept."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from scheduling.models import RoomReservation, StaffReservation
from sessions_app import workflow
from sessions_app.models import Client, Session
from studio.conf import STUDIO
from studio.models import AuditEvent, User
from studio.roles import Role
from tests.factories.domain import ClientFactory, Studio, person

pytestmark = pytest.mark.django_db
NEW = "/sessions/new/"
JSON = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture
def studio():
    return Studio(today=timezone.localdate(timezone=STUDIO.zone))


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def request_of(studio, **changes):
    values = {
        "client": studio.client.pk,
        "session_type": "Studio",
        "session_date": (studio.today + timedelta(days=20)).isoformat(),
        "start_time": "14:00",
        "end_time": "16:30",
        "event_description": "Maternity Ruiz",
        "special_notes": "With the dog",
    }
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def rows() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Client, Session, RoomReservation, StaffReservation))


def test_a_request_is_written_down_and_holds_what_it_names(studio):
    answer = browser(studio.coordinator).post(
        NEW, request_of(studio, room=studio.room.pk, photographers=[studio.photographer.pk])
    )
    session = Session.objects.get()
    assert answer.status_code == 302 and answer["Location"] == session.get_absolute_url()
    assert session.status == workflow.REQUEST and session.room == studio.room
    assert session.assignments.get().staff == studio.photographer
    assert session.special_notes == "With the dog"


def test_a_request_may_bring_its_client(studio):
    browser(studio.coordinator).post(
        NEW, request_of(studio, client="", full_name="Ana  García", primary_phone="5555-1", email="ANA@Example.test")
    )
    client = Session.objects.get().client
    assert (client.full_name, client.email) == ("Ana García", "ana@example.test")


def test_an_end_that_is_not_after_the_start_is_the_next_day_and_is_said(studio):
    seen = browser(studio.coordinator).post(
        NEW, request_of(studio, session_type="External", location="Finca", start_time="20:00", end_time="02:00"), **JSON
    )
    session = Session.objects.get()
    assert session.local_end.date() == session.session_date + timedelta(days=1)
    assert "next day" in seen.json()["message"]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("resource", ["room", "photographers"])
def test_a_conflict_comes_back_beside_its_field_and_nothing_is_written(studio, resource, as_json):
    taken = studio.walk(workflow.NEGOTIATION).equip().session
    before = rows()
    given = request_of(
        studio,
        client="",
        full_name="New Person",
        primary_phone="5555",
        email="new@example.test",
        **{resource: [studio.photographer.pk] if resource == "photographers" else studio.room.pk},
    )
    answer = browser(studio.coordinator).post(NEW, given, **(JSON if as_json else {}))
    assert answer.status_code == 409
    assert rows() == before
    if as_json:
        expected = "ROOM_NOT_AVAILABLE" if resource == "room" else "PHOTOGRAPHER_NOT_AVAILABLE"
        assert answer.json()["code"] == expected and taken.code in answer.json()["message"]
        assert answer.json()["details"]["conflicts"][0]["session"] == taken.code
        return
    text = answer.content.decode()
    assert taken.code in str(answer.context["form"].errors[resource])
    assert [each.code for each in answer.context["in_the_way"]] == [taken.code]
    for typed in ("New Person", "new@example.test", "With the dog", "Maternity Ruiz", 'value="14:00"'):
        assert typed in text


@pytest.mark.parametrize("as_json", [False, True])
def test_a_date_in_the_past_stands_beside_the_date(studio, as_json):
    before = rows()
    given = request_of(studio, session_date=(studio.today - timedelta(days=2)).isoformat())
    answer = browser(studio.coordinator).post(NEW, given, **(JSON if as_json else {}))
    assert answer.status_code == 422 and rows() == before
    if as_json:
        assert answer.json()["code"] == "INVALID_SESSION_DATE"
        assert answer.json()["details"]["session_date"] == given["session_date"]
    else:
        assert answer.context["form"].errors["session_date"]
        assert "With the dog" in answer.content.decode()


def test_an_admin_may_enter_the_past_and_it_is_audited(studio):
    given = request_of(studio, session_date=(studio.today - timedelta(days=2)).isoformat())
    assert browser(studio.admin).post(NEW, given).status_code == 302
    assert AuditEvent.objects.filter(event="retroactive_entry").count() == 1


def test_a_known_e_mail_names_its_client(studio):
    before = rows()
    known = ClientFactory(full_name="Sofía Ruiz", email="sofia@example.test")
    answer = browser(studio.coordinator).post(
        NEW, request_of(studio, client="", full_name="Other", primary_phone="1", email="Sofia@example.test")
    )
    assert answer.status_code == 422
    assert known.full_name in str(answer.context["form"].errors["email"])
    assert rows() == (before[0] + 1, *before[1:])


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"client": ""}, "client"),
        ({"client": "999999999999999999999999"}, "client"),
        ({"full_name": "Both"}, "client"),
        ({"client": "", "full_name": "Only a name"}, "email"),
        ({"client": "", "full_name": "n" * 101, "primary_phone": "1", "email": "a@b.gt"}, "full_name"),
        ({"session_date": "31/02"}, "session_date"),
        ({"session_date": "0001-01-01"}, "session_date"),
        ({"start_time": "25:00"}, "start_time"),
        ({"end_time": ""}, "end_time"),
        ({"session_type": "Moon"}, "session_type"),
        ({"session_type": "External"}, "location"),
        ({"room": "99999999999999999999999"}, "room"),
        ({"photographers": ["abc"]}, "photographers"),
        ({"photographers": ["99999999999999999999999"]}, "photographers"),
        ({"event_description": "x" * 251}, "event_description"),
    ],
)
def test_what_cannot_be_read_is_said_beside_its_field(studio, changes, wrong):
    before = rows()
    answer = browser(studio.coordinator).post(NEW, request_of(studio, **changes))
    assert answer.status_code == 422 and wrong in answer.context["form"].errors
    assert rows() == before


def test_a_high_risk_client_is_flagged_with_the_figures_and_pays_the_whole_deposit(studio):
    for day in (20, 21, 22):
        studio.walk(workflow.REQUEST, when=studio.when(day)).to(workflow.CANCELED)
    page = browser(studio.coordinator).get(NEW, {"client": studio.client.pk})
    assert "3 of 3 sessions canceled" in page.content.decode() and "100 %" in page.content.decode()
    browser(studio.coordinator).post(NEW, request_of(studio))
    assert Session.objects.latest("pk").deposit_percentage == 100


def test_clients_are_found_while_typing_and_without_script(studio):
    found = browser(studio.coordinator).get(reverse("client-options"), {"client_search": studio.client.full_name})
    assert studio.client.email in found.content.decode() and "<html" not in found.content.decode()
    before = rows()
    page = browser(studio.coordinator).post(
        NEW, request_of(studio, client="", client_search=studio.client.full_name, find="true")
    )
    assert page.status_code == 200 and rows() == before
    text = page.content.decode()
    assert studio.client.email in text and "With the dog" in text and "is-invalid" not in text


def test_an_address_fills_the_form_and_shows_who_is_free(studio):
    taken = studio.walk(workflow.NEGOTIATION).equip().session
    query = {"session_date": taken.session_date.isoformat(), "start_time": "15:00", "end_time": "17:00"}
    for address in (NEW, reverse("session-free")):
        page = browser(studio.coordinator).get(address, query)
        assert page.status_code == 200 and taken.code in page.content.decode()
    hostile = {"client": "\u0663", "session_date": "x", "room": "9" * 50, "photographers": "9" * 50, "start_time": "'"}
    assert browser(studio.coordinator).get(NEW, hostile).status_code == 200


# --- edit --------------------------------------------------------------------------------------------


def edit_of(session, **changes):
    values = {
        "session_type": session.session_type,
        "session_date": session.session_date.isoformat(),
        "start_time": f"{session.start_time:%H:%M}",
        "end_time": f"{session.end_time:%H:%M}",
        "location": session.location,
        "event_description": session.event_description,
        "special_notes": session.special_notes,
    }
    return values | changes


def url(name, session, *more):
    return reverse(name, args=[session.code, *more])


def test_a_moved_session_takes_its_room_and_people_along(studio):
    session = studio.walk(workflow.NEGOTIATION).equip().session
    page = browser(studio.coordinator).get(url("session-edit", session))
    assert studio.room.name in page.content.decode() and studio.photographer.full_name in page.content.decode()
    answer = browser(studio.coordinator).post(url("session-edit", session), edit_of(session, start_time="15:00"))
    assert answer.status_code == 302
    session.refresh_from_db()
    assert session.start_time.hour == 15
    assert session.assignments.get().starts_at == session.starts_at
    assert session.room_reservations.get(released_at=None).starts_at == session.starts_at


def test_a_move_onto_a_taken_room_changes_nothing(studio):
    session = studio.walk(workflow.NEGOTIATION, room_id=studio.room.pk).session
    other = studio.request(room_id=studio.room.pk, when=studio.when(25))
    given = edit_of(session, session_date=other.session_date.isoformat(), event_description="Renamed")
    answer = browser(studio.coordinator).post(url("session-edit", session), given)
    assert answer.status_code == 409 and "Renamed" in answer.content.decode()
    assert [each.code for each in answer.context["in_the_way"]] == [other.code]
    session.refresh_from_db()
    assert session.event_description == "Maternity" and session.session_date != other.session_date
    told = browser(studio.coordinator).post(url("session-edit", session), given, **JSON)
    assert told.status_code == 409 and told.json()["code"] == "ROOM_NOT_AVAILABLE"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_session_whose_state_is_fixed_says_so(as_json):
    studio = Studio(today=timezone.localdate(timezone=STUDIO.zone) - timedelta(days=40))
    session = studio.walk(workflow.ASSIGNED).session
    headers = JSON if as_json else {}
    seen = browser(studio.coordinator)
    for answer in (
        seen.get(url("session-edit", session), **headers),
        seen.post(url("session-edit", session), edit_of(session, event_description="Changed"), **headers),
    ):
        assert answer.status_code == 422
        if as_json:
            assert answer.json()["code"] == "IMMUTABLE_SESSION" and answer.json()["details"]["current"] == "Assigned"
    session.refresh_from_db()
    assert session.event_description == "Maternity"


def test_an_admin_overrides_the_state_and_it_is_audited():
    studio = Studio(today=timezone.localdate(timezone=STUDIO.zone) - timedelta(days=40))
    session = studio.walk(workflow.ASSIGNED).session
    page = browser(studio.admin).get(url("session-edit", session))
    assert page.status_code == 200 and "audit log" in page.content.decode()
    browser(studio.admin).post(url("session-edit", session), edit_of(session, event_description="Changed"))
    session.refresh_from_db()
    assert session.event_description == "Changed"
    assert AuditEvent.objects.filter(event="admin_override").exists()


def test_who_may_not_gets_403_and_who_may_not_know_gets_404(studio):
    session = studio.walk(workflow.NEGOTIATION).equip().session
    before = rows()
    for user, new, edit in (
        (studio.photographer, 403, 403),
        (person(Role.PHOTOGRAPHER), 403, 404),
        (studio.editor, 403, 404),
        (person(Role.ARTIST), 403, 404),
        (person(), 403, 403),
    ):
        seen = browser(user)
        for headers in ({}, JSON):
            assert seen.get(NEW, **headers).status_code == new
            assert seen.post(NEW, request_of(studio), **headers).status_code == new
            assert seen.get(reverse("client-options"), {"client_search": "client"}, **headers).status_code == new
            assert seen.get(reverse("session-free"), **headers).status_code == new
            assert seen.get(url("session-edit", session), **headers).status_code == edit
            assert seen.post(url("session-edit", session), edit_of(session), **headers).status_code == edit
    denied = browser(studio.photographer).post(url("session-edit", session), {}, **JSON)
    assert denied.json()["code"] == "PERMISSION_DENIED"
    missing = browser(studio.editor).post(url("session-edit", session), {}, **JSON)
    assert missing.json()["code"] == "SESSION_NOT_FOUND"
    assert rows() == before
    for address in (NEW, url("session-edit", session)):
        assert Browser().post(address, {}).status_code in (302, 401, 403, 404)


def test_the_forms_stay_within_the_budget(studio):
    def queries(address) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert seen.get(address).status_code == 200
        return len(asked)

    session = studio.walk(workflow.NEGOTIATION).equip().session
    seen = browser(studio.coordinator)
    query = f"{NEW}?client_search=client&client={studio.client.pk}&session_date={session.session_date}"
    addresses = (f"{query}&start_time=14:00&end_time=15:00", url("session-edit", session))
    one = [queries(address) for address in addresses]
    for number in range(12):
        ClientFactory()
        person(Role.PHOTOGRAPHER)
        studio.walk(workflow.REQUEST, when=studio.when(40 + number))
    many = [queries(address) for address in addresses]
    assert many <= one and max(many) <= 15
