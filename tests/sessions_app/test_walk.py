"""One session through every state, and what each step leaves behind."""

from datetime import timedelta

import pytest
from django.core.exceptions import ObjectDoesNotExist

from payments.ledger import validate_payments
from sessions_app import workflow
from sessions_app.actions import price
from sessions_app.actions.request import open_request
from sessions_app.effects import Deposit
from studio.models import AuditEvent, Notice, OutgoingEmail
from tests.factories.domain import Studio, at

pytestmark = pytest.mark.django_db


def test_a_session_walks_the_whole_path():
    studio = Studio()
    walk = studio.walk(workflow.READY)
    session = walk.session
    delivery = Notice.objects.filter(kind="material_ready", recipient=studio.coordinator)
    assert delivery.exists()
    walk.to(workflow.COMPLETED)
    session.refresh_from_db()
    assert session.status == workflow.COMPLETED
    assert [row.new_status for row in session.history.all()] == list(workflow.PATH)
    assert validate_payments(session.pk)["total_paid"] == session.deposit_amount == 500
    assert set(OutgoingEmail.objects.values_list("kind", flat=True)) == {"confirmation_email", "material_ready_email"}
    assert not delivery.exists(), "it is delivered"
    assert not session.assignments.filter(released_at=None).exists()


def test_a_canceled_session_owes_the_whole_deposit_within_the_changes_deadline():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    walk.equip()
    walk.to(workflow.CANCELED)
    assert validate_payments(walk.session.pk)["refund_owed"] == 500
    assert walk.session.refund_reason == "Within changes deadline"
    with pytest.raises(ObjectDoesNotExist):
        walk.session.assignments.get(released_at=None)


def test_a_session_that_is_taken_no_longer_calls_the_other_editors():
    studio = Studio()
    walk = studio.walk(workflow.ATTENDED)
    calls = Notice.objects.filter(kind="session_for_editing", about_id=walk.session.pk)
    assert calls.exists()
    walk.to(workflow.IN_EDITING)
    assert not calls.exists()


def test_an_admin_enters_a_past_session_and_walks_it_to_the_end():
    """D15, D16: written down afterwards, by one person; each override is in the audit log."""
    studio = Studio()
    admin, now = studio.admin, at(studio.today + timedelta(days=90))
    session = open_request(
        client=studio.client,
        session_type="Studio",
        when=studio.when(),
        room_id=studio.room.pk,
        photographer_ids=(studio.photographer.pk,),
        by=admin,
        now=now,
    )
    price.add_package(session, package=studio.package, by=admin, now=now)
    for name in ("negotiate", "preschedule"):
        session.move(name, by=admin, now=now)
    session.confirm(
        by=admin, now=now, deposit=Deposit(amount=session.deposit_amount, method="Cash", document_number="R-1")
    )
    for name in ("assign", "attend", "take", "ready", "complete"):
        session.move(name, by=admin, now=now)
    assert session.status == workflow.COMPLETED
    assert session.estimated_delivery_date == session.session_date + timedelta(days=session.estimated_editing_days)
    assert AuditEvent.objects.filter(event="retroactive_entry", object_id=str(session.pk)).count() == 1
    overridden = AuditEvent.objects.filter(event="admin_override", object_id=str(session.pk))
    assert [row.details["transition"] for row in overridden.order_by("pk")] == ["attend", "take", "ready"]
