"""One session through every state, and what each step leaves behind."""

import pytest
from django.core.exceptions import ObjectDoesNotExist

from payments.ledger import validate_payments
from sessions_app import workflow
from studio.models import Notice, OutgoingEmail
from tests.factories.domain import Studio

pytestmark = pytest.mark.django_db


def test_a_session_walks_the_whole_path():
    studio = Studio()
    walk = studio.walk(workflow.COMPLETED)
    session = walk.session
    session.refresh_from_db()
    assert session.status == workflow.COMPLETED
    assert [row.new_status for row in session.history.all()] == list(workflow.PATH)
    assert validate_payments(session.pk)["total_paid"] == session.deposit_amount == 500
    assert set(OutgoingEmail.objects.values_list("kind", flat=True)) == {"confirmation_email", "material_ready_email"}
    assert Notice.objects.filter(kind="session_for_editing", recipient=studio.editor).exists()
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
