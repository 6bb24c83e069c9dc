"""E-mails of the walk: what they say, and whether they still are true when they are sent (business rules 8.1)."""

from datetime import timedelta

import pytest

from sessions_app import mail, workflow
from sessions_app.actions import editing
from studio import outbox
from studio.errors import AccessDenied, ImmutableSession, InvalidInput, SessionNotFound
from studio.models import OutgoingEmail
from studio.roles import Role
from tests.factories.domain import Studio, person

pytestmark = pytest.mark.django_db


def waiting() -> list[str]:
    return list(OutgoingEmail.objects.filter(status="waiting").order_by("pk").values_list("kind", flat=True))


def test_confirmation_tells_the_facts_and_nothing_private():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    assert (row.to, row.context["session_code"]) == (studio.client.email, walk.session.code)
    assert (row.context["total"], row.context["net_paid"], row.context["balance"]) == ("1000.00", "500.00", "500.00")
    assert row.context["sold"][0]["quantity"] == "1"
    text = str(row.context)
    assert studio.client.notes not in text
    assert studio.client.delivery_address not in text


def test_reopening_and_canceling_drop_what_is_no_longer_so():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    assert waiting() == ["confirmation_email"]
    walk.session.reopen(by=studio.coordinator, now=walk.now)
    assert waiting() == []
    walk.session.preschedule(by=studio.coordinator, now=walk.now)
    walk.session.confirm(by=studio.coordinator, now=walk.now)
    assert waiting() == ["confirmation_email"]
    walk.to(workflow.CANCELED)
    assert waiting() == ["cancellation_email"]


def test_row_is_checked_again_before_it_is_sent():
    """A confirmation that waited while the session was canceled by other means is not sent."""
    walk = Studio().walk(workflow.CONFIRMED)
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    assert mail.still_true(row)
    walk.to(workflow.CANCELED)
    assert not mail.still_true(row)


def test_every_kind_of_the_walk_is_known_to_the_outbox():
    assert set(mail.STATES_OF) <= outbox.KINDS


def test_editor_moves_the_delivery_and_the_client_is_told():
    """Business rules 10.3."""
    studio = Studio()
    walk = studio.walk(workflow.IN_EDITING)
    session = editing.move_delivery(walk.session, editing_days=12, note="Two cards", by=studio.editor, now=walk.now)
    assert session.estimated_delivery_date == session.session_date + timedelta(days=12)
    assert "Two cards" in session.editor_observations
    row = OutgoingEmail.objects.get(kind="delivery_date_email")
    assert row.context["estimated_delivery_date"] == session.estimated_delivery_date.isoformat()
    for days, note in ((0, "x"), (366, "x"), (12, "x"), (13, " ")):
        with pytest.raises(InvalidInput):
            editing.move_delivery(session, editing_days=days, note=note, by=studio.editor, now=walk.now)
    for by, error in ((studio.coordinator, AccessDenied), (person(Role.EDITOR), SessionNotFound)):
        with pytest.raises(error):
            editing.move_delivery(session, editing_days=14, note="x", by=by, now=walk.now)
    walk.session.refresh_from_db()
    walk.to(workflow.READY)
    with pytest.raises(ImmutableSession):
        editing.move_delivery(session, editing_days=14, note="x", by=studio.editor, now=walk.now)
