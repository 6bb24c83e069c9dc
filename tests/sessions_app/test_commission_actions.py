"""What is agreed for a session, and how its commissions follow its money (D27; ADR 12)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from payments import ledger
from payments.models import CommissionLine, Payment
from sessions_app import workflow
from sessions_app.actions import pay
from sessions_app.actions.commission import agree_commission
from sessions_app.commissions import agreement_of
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import AccessDenied, ImmutableSession, InvalidInput, SessionNotFound
from studio.models import AuditEvent, User
from studio.roles import Role
from tests.factories.domain import Studio, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio()


def agree(studio: Studio, session: Session, rate: str | None, by: User | None = None) -> Session:
    rate = None if rate is None else Decimal(rate)
    return agree_commission(session, rate=rate, by=by or studio.coordinator, now=studio.now)


def test_an_agreed_rate_is_kept_with_who_agreed_it(studio):
    session = studio.walk(workflow.REQUEST).session
    assert agreement_of(session) is None
    agree(studio, session, "0.125")
    again = agree(studio, session, "0.125", by=studio.admin)
    event = agreement_of(again)
    assert (event.actor_id, event.details) == (studio.coordinator.pk, {"before": None, "after": "0.125"})
    assert (again.commission_override, AuditEvent.objects.filter(event="commission_agreed").count()) == (
        Decimal("0.125"),
        1,
    )
    changed = agree(studio, session, "0", by=studio.admin)
    assert agreement_of(changed).actor_id == studio.admin.pk
    cleared = agree(studio, session, None)
    assert cleared.commission_override is None and agreement_of(cleared) is None
    assert AuditEvent.objects.filter(event="commission_agreed").first().details == {"before": "0.000", "after": None}
    # Written past the action: nobody is made responsible for it.
    Session.objects.filter(pk=session.pk).update(commission_override=Decimal("0.9"))
    assert agreement_of(Session.objects.get(pk=session.pk)) is None


@pytest.mark.parametrize("rate", ["-0.001", "1.001", "0.1234", "NaN", "Infinity", "1e9"])
def test_what_is_no_share_is_refused(studio, rate):
    session = studio.walk(workflow.REQUEST).session
    with pytest.raises(InvalidInput) as caught:
        agree(studio, session, rate)
    assert caught.value.field == "percent"
    session.refresh_from_db()
    assert session.commission_override is None and not AuditEvent.objects.filter(event="commission_agreed").exists()


def test_nothing_is_agreed_once_it_is_completed_or_canceled(studio):
    said = {workflow.COMPLETED: "were fixed when the session was completed", workflow.CANCELED: "nobody earns"}
    for state, words in said.items():
        with pytest.raises(ImmutableSession, match=words) as caught:
            agree(studio, studio.walk(state).session, "0.5", by=studio.admin)
        assert caught.value.details == {"failed": ["commission_is_fixed"], "current": state}


def test_only_the_office_agrees(studio):
    session = studio.walk(workflow.ASSIGNED).session
    with pytest.raises(AccessDenied):
        agree(studio, session, "0.5", by=studio.photographer)
    for stranger in (person(Role.PHOTOGRAPHER), person(Role.ARTIST)):
        with pytest.raises(SessionNotFound):
            agree(studio, session, "0.5", by=stranger)


def test_commissions_follow_what_happens_to_the_money_later(studio):
    """What is voided or paid back takes its share off, what is entered again gives it back, and nothing is earned
    twice. Each line says which payment it was."""
    User.objects.filter(pk=studio.photographer.pk).update(commission_rate=Decimal("0.125"))
    walk = studio.walk(workflow.COMPLETED)
    session, now = walk.session, walk.now + timedelta(days=1)
    by = {"by": studio.coordinator, "now": now}
    how = {"method": "Cash", "document_number": "R-1", "payment_date": now.date()}

    def corrections() -> list[tuple[str, str, str]]:
        rows = CommissionLine.objects.filter(session=session, kind="Correction").order_by("pk")
        return [(str(row.base), str(row.amount), row.reason) for row in rows]

    deposit = Payment.objects.get(session=session)
    balance = pay.verify(pay.register_balance(session, amount=Decimal("500"), **how, **by), **by)
    assert corrections() == []  # the price was earned at completion, paid or not

    pay.void(balance, reason="Wrong session", **by)
    voided = ("-500.00", "-62.50", "Payment voided: Wrong session")
    assert corrections() == [voided]
    again = pay.verify(pay.register_balance(session, amount=Decimal("500"), **how, **by), **by)
    assert corrections() == [voided, ("500.00", "62.50", "Paid after the delivery")]

    refund = ledger.owe_refund(session, amount=Decimal("100.10"), today=now.date(), **by)
    pay.pay_out(refund, **how, **by)
    assert corrections()[2:] == [("-100.10", "-12.51", "Paid back to the client")]
    lines = CommissionLine.objects.filter(session=session).order_by("pk")
    assert [line.payment for line in lines] == [None, balance, again, refund]
    assert sum(line.amount for line in lines) == Decimal("112.49")
    assert deposit.is_live
