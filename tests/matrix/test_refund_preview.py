"""What the page says that a cancellation pays back is what the cancellation writes down (D14, D18, D19)."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from payments import ledger
from payments.refunds import CLIENT, COMPANY, FORCE_MAJEURE
from sessions_app import cancellation, workflow
from sessions_app.consequences import RefundTable, refund_table
from sessions_app.models import Session
from tests.matrix.conftest import Ten, tried

pytestmark = pytest.mark.django_db

WAYS = (CLIENT, COMPANY, FORCE_MAJEURE)


def paid_back(session: Session, ten: Ten, initiator: str, now: datetime) -> tuple[Decimal, str]:
    """What canceling really writes down, undone afterwards."""
    with tried():
        fresh = Session.objects.get(pk=session.pk)
        fresh.cancel(by=ten.by("coordinator"), now=now, reason="Ill", initiator=initiator)
        return sum((row.amount for row in fresh.payments.refunds().pending()), Decimal("0.00")), fresh.refund_reason


def column_at(seen: cancellation.Preview, moment: datetime) -> cancellation.Column:
    return [each for each in seen.columns if each.at <= moment][-1]


def assert_true(ten: Ten, session: Session, now: datetime) -> cancellation.Preview:
    """Every way, now, tomorrow, at each deadline that lies ahead and just after it."""
    seen = cancellation.preview(session, ledger.account(session), now=now)
    ahead = [each for each in cancellation.deadlines_of(session) if each >= now]
    after = [each + timedelta(seconds=1) for each in ahead]
    for moment in {now, now + timedelta(days=1), *ahead, *after}:
        for initiator in WAYS:
            foreseen = column_at(seen, moment).refunds[initiator]
            assert paid_back(session, ten, initiator, moment) == (foreseen.amount, foreseen.reason), (moment, initiator)
    table = refund_table(session, ledger.account(session), now=now)
    assert [row.today for row in table.rows] == [paid_back(session, ten, way, now)[0] for way in WAYS]
    return seen


@pytest.mark.parametrize("state", workflow.STATES[:8])
def test_every_way_pays_back_what_was_foreseen_in_every_state(ten, state):
    assert_true(ten, ten.session(state), ten.walks[state].now)


@pytest.mark.parametrize("state", [workflow.NEGOTIATION, workflow.PRE_SCHEDULED])
def test_reopened_session_pays_back_what_was_foreseen(ten, state):
    """D14: by the changes deadline that it had, though it has another deadline for the payment now."""
    with tried():
        session, now, by = ten.session(workflow.CONFIRMED), ten.walks[workflow.CONFIRMED].now, ten.by("coordinator")
        session.reopen(by=by, now=now)
        if state == workflow.PRE_SCHEDULED:
            session.preschedule(by=by, now=now)
        seen = assert_true(ten, Session.objects.get(pk=session.pk), now)
        assert [each.refunds[CLIENT].amount for each in seen.columns] == [500, 250]


def table_of(ten: Ten, now: datetime) -> RefundTable:
    session = ten.session(workflow.CONFIRMED)
    return refund_table(session, ledger.account(session), now=now)


@translation.override("en")
def test_columns_that_do_not_differ_are_said_in_words(ten):
    deadline = ten.session(workflow.CONFIRMED).changes_deadline
    early = table_of(ten, deadline - timedelta(days=3))
    assert len(early.columns) == 2 and early.notes[0].startswith("The same tomorrow, and until")
    assert [(cell.amount, cell.rule.split(":")[0]) for cell in early.rows[0].cells] == [
        (500, "100 % of Q\xa0500.00"),
        (250, "50 % of Q\xa0500.00"),
    ]
    last_day = table_of(ten, deadline - timedelta(hours=2))
    assert len(last_day.columns) == 2
    assert last_day.notes[0] == f"Tomorrow it is what stands under “{last_day.columns[1]}”."
    late = table_of(ten, deadline + timedelta(seconds=1))
    assert late.columns == ["Today"] and late.notes[0] == "The same tomorrow and later."
    # The studio's way and force majeure come to the same: one row.
    assert [len(each.shown) for each in (early, late)] == [2, 2]
    assert "gets Q\xa00.00 back" in early.notes[1] and "in force when it was confirmed" in early.notes[2]
    unpaid = ten.session(workflow.PRE_SCHEDULED)
    table = refund_table(unpaid, ledger.account(unpaid), now=ten.walks[workflow.PRE_SCHEDULED].now)
    assert table.columns == ["Today"] and table.notes[0].startswith("The same tomorrow, and after the deadline of")
