"""What photographers and editors write down: observations, incidents, another delivery date."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone, translation

from sessions_app import workflow
from studio.conf import STUDIO
from studio.models import AuditEvent, OutgoingEmail
from studio.roles import Role
from tests.factories.domain import Studio, person

pytestmark = pytest.mark.django_db

AS_JSON = {"accept": "application/json"}


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio(today=timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=30))


def browser(user) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def notes(session) -> str:
    return reverse("session-notes", args=[session.code])


def observe(session) -> str:
    return reverse("session-observe", args=[session.code])


def delivery(session) -> str:
    return reverse("session-delivery", args=[session.code])


def test_a_photographer_writes_observations_and_incidents(studio):
    session = studio.walk(workflow.ATTENDED).session
    client = browser(studio.photographer)
    assert client.get(notes(session)).status_code == 200
    client.post(notes(session), {"observations": "Golden light", "incidents": "Late by 20 min"})
    session.refresh_from_db()
    assert (session.photographer_observations, session.reported_incidents) == ("Golden light", "Late by 20 min")
    assert "Golden light" in client.get(notes(session)).content.decode()


def test_what_a_machine_does_not_send_stays(studio):
    session = studio.walk(workflow.ATTENDED).session
    client = browser(studio.photographer)
    client.post(notes(session), {"observations": "One", "incidents": "Two"})
    client.post(notes(session), {"incidents": "Three"}, headers=AS_JSON)
    session.refresh_from_db()
    assert (session.photographer_observations, session.reported_incidents) == ("One", "Three")


def test_notes_are_closed_before_assigned_with_the_reason(studio):
    session = studio.walk(workflow.CONFIRMED).equip().session
    client = browser(studio.photographer)
    assert 'aria-describedby="why-submit"' in client.get(notes(session)).content.decode()
    answer = client.post(notes(session), {"observations": "x"}, headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "IMMUTABLE_SESSION")


def test_the_editor_observes_and_moves_the_delivery_date(studio):
    session = studio.walk(workflow.IN_EDITING).session
    client = browser(studio.editor)
    client.post(observe(session), {"observations": "Warm tones"})
    body = client.get(delivery(session)).content.decode()
    assert "Promised now" in body and session.client.email in body
    days = session.estimated_editing_days + 3
    answer = client.post(delivery(session), {"editing_days": days, "note": "Album proofs"}, headers=AS_JSON)
    promised = session.session_date + timedelta(days=days)
    assert answer.json()["session"]["estimated_delivery_date"] == promised.isoformat()
    session.refresh_from_db()
    assert session.estimated_delivery_date == promised
    assert "Warm tones" in session.editor_observations and "Album proofs" in session.editor_observations
    assert OutgoingEmail.objects.filter(kind="delivery_date_email", about_id=session.pk).count() == 1


@pytest.mark.parametrize("state", [workflow.ATTENDED, workflow.IN_EDITING, workflow.COMPLETED])
def test_an_admin_observes_in_any_state_and_it_is_audited(studio, state):
    """D15."""
    session = studio.walk(state).session
    answer = browser(studio.admin).post(observe(session), {"observations": "Warm tones"}, headers=AS_JSON)
    assert answer.status_code == 200
    event = AuditEvent.objects.get(event="admin_override", object_id=str(session.pk), details__act="observe")
    assert event.details["status"] == state


def test_the_date_may_be_typed_instead(studio):
    session = studio.walk(workflow.IN_EDITING).session
    chosen = session.session_date + timedelta(days=20)
    browser(studio.editor).post(delivery(session), {"delivery_date": chosen.isoformat(), "note": "Travel"})
    session.refresh_from_db()
    assert (session.estimated_delivery_date, session.estimated_editing_days) == (chosen, 20)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"note": "x"}, "editing_days"),
        ({"editing_days": "9"}, "note"),
        ({"editing_days": "0", "note": "x"}, "editing_days"),
        ({"editing_days": str(2**70), "note": "x"}, "editing_days"),
        ({"delivery_date": "0001-01-01x", "note": "x"}, "delivery_date"),
    ],
)
def test_a_delivery_date_that_is_none_is_refused_beside_its_field(studio, sent, field):
    session = studio.walk(workflow.IN_EDITING).session
    answer = browser(studio.editor).post(delivery(session), sent, headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
    assert field in answer.json()["details"]["fields"]


@pytest.mark.parametrize("typed", ["1999-01-01", "9999-12-31", "same"])
def test_a_date_out_of_reach_is_refused_by_the_rule(studio, typed):
    session = studio.walk(workflow.IN_EDITING).session
    typed = session.estimated_delivery_date.isoformat() if typed == "same" else typed
    answer = browser(studio.editor).post(delivery(session), {"delivery_date": typed, "note": "x"})
    assert answer.status_code == 422
    session.refresh_from_db()
    assert session.estimated_editing_days == 5


def test_a_session_that_is_ready_keeps_its_date(studio):
    session = studio.walk(workflow.READY).session
    answer = browser(studio.editor).post(delivery(session), {"editing_days": 9, "note": "x"}, headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "IMMUTABLE_SESSION")


def test_each_page_is_for_whom_the_act_is(studio):
    session = studio.walk(workflow.IN_EDITING).session
    expected = {
        studio.photographer: {notes: 200, observe: 403, delivery: 403},
        studio.editor: {notes: 403, observe: 200, delivery: 200},
        studio.coordinator: {notes: 403, observe: 403, delivery: 403},
        studio.admin: {notes: 200, observe: 200, delivery: 200},
        person(Role.EDITOR): {notes: 404, observe: 404, delivery: 404},
        person(Role.PHOTOGRAPHER): {notes: 404, observe: 404, delivery: 404},
    }
    for user, pages in expected.items():
        for address, status in pages.items():
            client = browser(user)
            assert client.get(address(session), headers=AS_JSON).status_code == status
            if status != 200:
                assert client.post(address(session), {"note": "x"}, headers=AS_JSON).status_code == status
