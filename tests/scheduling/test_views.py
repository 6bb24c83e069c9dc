"""The rooms' pages: everybody sees which are free, Admins write, and nobody's session is lost on the way."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from scheduling import rooms
from scheduling.models import Room, RoomReservation
from sessions_app import workflow
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput
from studio.models import AuditEvent
from studio.roles import Role
from tests.factories.domain import RoomFactory, Studio, person
from tests.races.copies import copies

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
TYPED = {"name": "Sala C", "code": "c", "status": "Active", "capacity": "8"}


@pytest.fixture
def studio():
    studio = Studio(today=timezone.localdate(timezone=STUDIO.zone))
    studio.admin.language = "en"
    studio.admin.save()
    return studio


@pytest.fixture
def office(client, studio):
    client.force_login(studio.admin)
    return client


def held(studio, days=20):
    return studio.walk(workflow.CONFIRMED, when=studio.when(days)).equip().session


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.PHOTOGRAPHER, Role.EDITOR, Role.ARTIST])
def test_everybody_with_a_role_reads_and_only_admins_write(client, studio, role):
    session = held(studio)
    client.force_login(person(role))
    html = client.get(reverse("room-list")).content.decode()
    assert studio.room.name in html
    assert session.title not in html
    assert studio.room.get_absolute_url() not in html
    for url in (reverse("room-new"), studio.room.get_absolute_url()):
        assert client.get(url).status_code == 403
        assert client.post(url, TYPED).status_code == 403
    assert Room.objects.count() == 1


def test_strangers_sign_in_first(client, studio):
    for url in (reverse("room-list"), reverse("room-new"), studio.room.get_absolute_url()):
        assert client.get(url)["Location"].startswith(reverse("login"))


def test_the_actions_ask_as_well(studio):
    with pytest.raises(AccessDenied):
        rooms.add_room(by=studio.coordinator, name="x", code="x")
    with pytest.raises(AccessDenied):
        rooms.change_room(studio.room, by=studio.coordinator, now=studio.now, name="x")


def test_the_list_says_until_when_a_room_is_free(office, studio):
    now = timezone.now()
    for start, end in ((-60, 30), (30, 60)):
        RoomReservation.objects.create(
            room=studio.room,
            during=(now + timedelta(minutes=start), now + timedelta(minutes=end)),
            created_at=now,
        )
    free, off = RoomFactory(), RoomFactory(status="Maintenance")
    found = {row.room: row for row in office.get(reverse("room-list")).context["rows"]}
    until = (now + timedelta(minutes=60)).astimezone(STUDIO.zone)
    assert found[studio.room].is_busy
    if until.date() == now.astimezone(STUDIO.zone).date():
        assert f"{until:%H:%M}" in found[studio.room].now
    assert found[free].now
    assert found[off].now == ""


def test_a_room_is_added(office, studio):
    assert office.post(reverse("room-new"), TYPED).status_code == 302
    room = Room.objects.get(code="C")
    assert (room.name, room.capacity, room.status) == ("Sala C", 8, "Active")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "  "),
        ("code", ""),
        ("code", "x" * 21),
        ("status", "Sunk"),
        ("capacity", "0"),
        ("capacity", "-3"),
        ("capacity", "9" * 30),
        ("capacity", "two"),
    ],
)
def test_bad_input_comes_back_with_a_sentence(office, studio, field, value):
    answer = office.post(reverse("room-new"), TYPED | {"description": "Kept", field: value})
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert "Kept" in answer.content.decode()
    assert Room.objects.count() == 1


def test_a_code_is_given_once_whatever_its_case(office, studio):
    RoomFactory(code="C")
    assert office.post(reverse("room-new"), TYPED).status_code == 422
    with pytest.raises(InvalidInput) as refused:
        rooms.add_room(by=studio.admin, name="x", code="c")
    assert refused.value.field == "code"


def test_no_such_room(office):
    for pk in (999_999, 2**70):
        assert office.get(f"/rooms/{pk}/").status_code == 404


def test_a_room_that_is_held_leaves_use_only_when_that_is_said(office, studio):
    session = held(studio)
    page = office.get(studio.room.get_absolute_url())
    assert session.code in page.content.decode()
    sent = {"name": studio.room.name, "code": studio.room.code, "status": "Maintenance"}
    answer = office.post(studio.room.get_absolute_url(), sent)
    assert answer.status_code == 422
    assert "1 coming session holds this room" in answer.content.decode()
    assert session.code in answer.content.decode()
    studio.room.refresh_from_db()
    assert studio.room.status == "Active"
    answer = office.post(studio.room.get_absolute_url(), sent | {"despite_reservations": "on"}, follow=True)
    assert "See the sessions that still hold it" in answer.content.decode()
    studio.room.refresh_from_db()
    assert studio.room.status == "Maintenance"
    event = AuditEvent.objects.get(event="room_out_of_use")
    assert event.details == {"status": "Maintenance", "reservations": 1}
    assert session.room_reservations.filter(released_at=None).exists()
    assert "Out of use, and still held" in office.get(studio.room.get_absolute_url()).content.decode()


def test_a_free_room_leaves_use_without_a_question(office, studio):
    studio.walk(workflow.CONFIRMED).equip().to(workflow.CANCELED)
    page = office.get(studio.room.get_absolute_url())
    assert "despite_reservations" not in page.context["form"].fields
    sent = {"name": "Big", "code": studio.room.code, "status": "Inactive"}
    assert office.post(studio.room.get_absolute_url(), sent).status_code == 302
    studio.room.refresh_from_db()
    assert (studio.room.name, studio.room.status) == ("Big", "Inactive")


def test_a_machine_is_told_how_many_hold_it(office, studio):
    held(studio)
    sent = {"name": "x", "code": "x", "status": "Inactive"}
    answer = office.post(
        studio.room.get_absolute_url(), sent, content_type="application/json", headers={"accept": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["details"] == {"failed": ["room_is_held"], "reservations": 1}


def queries(browser, url):
    browser.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(url).status_code == 200
    return len(captured)


def test_pages_ask_as_much_for_one_row_as_for_thirty(office, studio):
    session = held(studio, 9)
    urls = [reverse("room-list"), studio.room.get_absolute_url()]
    before = [queries(office, url) for url in urls]
    assert max(before) <= MOST_QUERIES
    RoomFactory.create_batch(30)
    copies(session, 30, days_apart=1, with_time=True)
    assert [queries(office, url) for url in urls] == before
