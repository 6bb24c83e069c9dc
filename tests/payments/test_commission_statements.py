"""Statements of commission: what is paid, what is refused, and the memo beside the till (D27; ADR 12)."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from payments import earnings, till
from payments.commissions import Rate
from payments.models import CommissionLine, CommissionStatement, PaymentMethod
from sessions_app import workflow
from sessions_app.actions.commission import pay_commission
from sessions_app.actions.till import close_days
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput
from studio.models import AuditEvent
from tests.factories.domain import Studio, at
from tests.races.copies import copies

pytestmark = pytest.mark.django_db

HOW = {"method": "Cash", "document_number": "C-1"}


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio()


def sessions(studio: Studio, count: int) -> list[Session]:
    return copies(studio.walk(workflow.REQUEST).session, count)


def earn(studio: Studio, session: Session, base: str, day: date, rate: str = "0.1") -> CommissionLine:
    rate = Rate(Decimal(rate), "Person")
    return earnings.earn(
        session.pk, studio.photographer, base=Decimal(base), rate=rate, by=studio.coordinator, now=at(day)
    )


def corrected(studio: Studio, session: Session, base: str, day: date) -> CommissionLine:
    return CommissionLine.objects.create(
        person=studio.photographer,
        session=session,
        kind="Correction",
        base=Decimal(base),
        rate=Decimal("0.1"),
        rate_source="Person",
        amount=Decimal(base) / 10,
        reason="Paid back to the client",
        earned_on=day,
        created_at=at(day),
    )


def pay(studio: Studio, day: date, expected: str, **values) -> CommissionStatement:
    given = HOW | {"now": at(day, "18:00"), "by": studio.coordinator} | values
    return pay_commission(studio.photographer, last_day=day, expected=Decimal(expected), **given)


def refusal(studio: Studio, day: date, expected: str, **values) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        pay(studio, day, expected, **values)
    return caught.value


def test_a_statement_pays_the_open_lines_up_to_a_day_once(studio):
    today = studio.today
    first, second, later = sessions(studio, 3)
    lines = [earn(studio, first, "1000.05", today - timedelta(days=40)), earn(studio, second, "500", today)]
    lines.append(corrected(studio, first, "-200", today))
    after = earn(studio, later, "300", today + timedelta(days=1))

    statement = pay(studio, today, "130.01", lines=3, notes=" In an envelope ", document_number=" C-1 ")
    assert list(statement.lines.order_by("pk")) == lines
    assert (statement.total, statement.first_day, statement.last_day) == (
        Decimal("130.01"),
        today - timedelta(days=40),
        today,
    )
    assert (statement.document_number, statement.notes) == ("C-1", "In an envelope")
    assert (statement.paid_by, statement.paid_at) == (studio.coordinator, at(today, "18:00"))
    event = AuditEvent.objects.get(event="commission_paid")
    assert (event.actor_id, event.object_id) == (studio.coordinator.pk, str(statement.pk))
    assert (event.details["amount"], event.details["lines"]) == ("130.01", 3)

    assert refusal(studio, today, "130.01").details == {"failed": ["nothing_to_pay"]}
    again = pay(studio, today + timedelta(days=1), "30")
    assert list(again.lines.all()) == [after] and CommissionStatement.objects.count() == 2


def test_nothing_below_zero_and_nothing_unseen_is_paid(studio):
    today = studio.today
    first, second = sessions(studio, 2)
    assert refusal(studio, today, "0").details == {"failed": ["nothing_to_pay"]}
    earn(studio, first, "1000", today)
    for expected, seen in (("99.99", None), ("NaN", None), ("100", 2)):
        error = refusal(studio, today, expected, lines=seen)
        assert error.details["failed"] == ["changed_meanwhile"] and error.details["total"] == "100.00"
    corrected(studio, first, "-1000", today)
    assert refusal(studio, today, "0").details == {"failed": ["nothing_to_pay"]}
    corrected(studio, second, "-50", today)
    assert refusal(studio, today, "-5").details["failed"] == ["below_zero"]
    assert not CommissionStatement.objects.exists() and not AuditEvent.objects.filter(event="commission_paid").exists()


def test_how_it_was_paid_is_asked_for(studio):
    today = studio.today
    earn(studio, sessions(studio, 1)[0], "1000", today)
    ahead = refusal(studio, today + timedelta(days=1), "100", now=at(today, "23:59"))
    assert (ahead.field, ahead.details) == ("last_day", {"failed": ["day_ahead"]})
    assert refusal(studio, today, "100", method="Shells").field == "method"
    assert refusal(studio, today, "100", document_number="  ").field == "document_number"
    for nobody in (studio.photographer, studio.editor):
        with pytest.raises(AccessDenied):
            pay(studio, today, "100", by=nobody)
    assert CommissionLine.objects.get().statement is None


def test_a_document_number_that_is_in_the_books_is_asked_about(studio):
    today = studio.today
    walk = studio.walk(workflow.CONFIRMED)
    first, second = copies(walk.session, 2)
    earn(studio, first, "1000", today)
    of_a_payment = refusal(studio, today, "100", document_number="bi-1", same_document=False)
    assert (of_a_payment.field, of_a_payment.details["failed"]) == ("same_document", ["document_used"])
    statement = pay(studio, today, "100", document_number="T-7", same_document=False)
    earn(studio, second, "2000", today)
    of_a_statement = refusal(studio, today, "200", document_number="t-7", same_document=False)
    assert of_a_statement.details == {"failed": ["document_used"], "statements": [statement.pk]}
    assert "Commission of Q\N{NO-BREAK SPACE}100.00" in of_a_statement.message
    assert pay(studio, today, "200", document_number="T-7").total == Decimal("200.00")


def test_the_till_tells_of_commissions_without_counting_them(studio):
    """They stand beside the takings, with the closing, and after it on the next day (ADR 12)."""
    today = studio.today
    one, two, three = copies(studio.walk(workflow.CONFIRMED).session, 3)
    takings = till.takings(today, today)
    earn(studio, one, "1000", today)
    by_day = pay(studio, today, "100", now=at(today, "12:00"))
    earn(studio, two, "400", today)
    same_day = pay(studio, today, "40", method="Transfer", now=at(today, "13:00"))
    assert till.commissions(today, today) == [by_day, same_day]
    assert till.takings(today, today) == takings

    counted = {each.method: each.net for each in takings}
    closing = close_days(today, counted=counted, by=studio.coordinator, now=at(today, "20:00"))
    assert closing.expected["Cash"]["commissions"] == "100.00" and "commissions" not in closing.expected["Card"]
    earn(studio, three, "50", today)
    # Began while the till was being closed, and waited for it.
    late = pay(studio, today, "5", now=at(today, "19:59"))
    tomorrow = today + timedelta(days=1)
    assert late.paid_at == at(today, "20:00")
    assert till.commissions(today, today) == [by_day, same_day] and till.commissions(tomorrow, tomorrow) == [late]
    assert till.by_method(till.commissions(today, tomorrow)) == {
        PaymentMethod.CASH: Decimal("105.00"),
        PaymentMethod.TRANSFER: Decimal("40.00"),
    }
