"""The ledger under many hands at once (business rules 5; D19 to D21, D32).

The session's lock gives the sentences; the unique index and the trigger are the truth. Each is tried without the other.
"""

from decimal import Decimal
from functools import partial

import pytest

from payments import ledger
from payments.models import Payment, PaymentType
from sessions_app import workflow
from sessions_app.actions import pay, price
from sessions_app.effects import Deposit
from sessions_app.models import Session
from studio.models import AuditEvent
from tests.factories.domain import ItemFactory, Studio
from tests.races import guards
from tests.races.copies import copies, same
from tests.races.together import (
    FEWER,
    HALF,
    ONE_GUARD,
    TRIES,
    WIDTH,
    Act,
    Crowd,
    Tally,
    assert_typed,
    show,
    turned,
    untyped,
    winners,
)

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

ONE_LIVE_DEPOSIT = ("payments_payment", "payment_one_live_deposit")
TRIGGER = ("payments_payment", "payment_fits")


def entry(studio: Studio, amount: str) -> dict:
    return {
        "amount": Decimal(amount),
        "method": "Cash",
        "document_number": "R-1",
        "payment_date": studio.today,
        "by": studio.coordinator,
        "now": studio.now,
    }


# -- two deposits ---------------------------------------------------------------------------------------------------


def unpaid(studio: Studio, count: int) -> list[Session]:
    """Pre-scheduled at 1000.00, of which 500.00 are the deposit."""
    return copies(studio.walk(workflow.PRE_SCHEDULED).session, count)


def deposits(studio: Studio, session: Session) -> list[Act]:
    """Half register a deposit, half confirm and bring one along."""
    register = partial(pay.register_deposit, session, **entry(studio, "500.00"))
    return [
        register
        if number % 2
        else partial(
            each.confirm,
            by=studio.coordinator,
            now=studio.now,
            deposit=Deposit(amount=Decimal("500.00"), method="Transfer", document_number="BI-1"),
        )
        for number, each in enumerate(same(session, WIDTH))
    ]


def second_deposits(session: Session) -> int:
    return Payment.objects.live().filter(session=session, payment_type=PaymentType.DEPOSIT).count() - 1


def run_deposits(studio: Studio, crowd: Crowd, line: Tally, rounds: int) -> int:
    """Returns the number of winners."""
    for number, session in enumerate(unpaid(studio, rounds)):
        outcomes = crowd.race(turned(deposits(studio, session), number))
        line.add(outcomes, broken=second_deposits(session))
        assert_typed(outcomes, "INVALID_INPUT", "INVALID_STATE_TRANSITION", "PAYMENT_EXCEEDS_TOTAL")
    assert line.broken == 0
    return line.winners


def test_one_of_many_deposits_is_taken(studio, crowd, tally):
    assert run_deposits(studio, crowd, tally("two deposits"), HALF) == HALF


def test_the_unique_index_alone_takes_one_deposit(studio, crowd, tally, monkeypatch):
    """One live deposit; without the lock somebody else's money may come in beside it, as a balance payment."""
    guards.without_row_locks(monkeypatch)
    assert run_deposits(studio, crowd, tally("two deposits, constraint only"), ONE_GUARD) >= ONE_GUARD


def test_the_lock_alone_takes_one_deposit(studio, crowd, tally):
    with guards.without_constraints(ONE_LIVE_DEPOSIT):
        assert run_deposits(studio, crowd, tally("two deposits, locks only"), ONE_GUARD) == ONE_GUARD


def test_without_guards_a_second_deposit_appears(studio, crowd, tally, monkeypatch):
    guards.without_row_locks(monkeypatch)
    line = tally("two deposits, CONTROL")
    with guards.without_constraints(ONE_LIVE_DEPOSIT):
        sessions = iter(unpaid(studio, TRIES))

        def attempt() -> int:
            session = next(sessions)
            line.add(crowd.race(deposits(studio, session)), broken=second_deposits(session))
            return line.broken

        show(attempt)


# -- payments above the total ---------------------------------------------------------------------------------------


def half_paid(studio: Studio, count: int) -> list[Session]:
    """Confirmed: 500.00 of 1000.00 are verified."""
    return copies(studio.walk(workflow.CONFIRMED).session, count)


def balances(studio: Studio, session: Session) -> list[Act]:
    """Each alone fits into what is left, no two together do."""
    return [partial(pay.register_balance, session, **entry(studio, "300.00"))] * WIDTH


def paid_above(session: Session) -> int:
    """Whole amounts of 300.00 that should not be there."""
    account = ledger.account(Session.objects.get(pk=session.pk))
    return int((account.net_paid + account.pending_in - 800) / 300)


def run_balances(studio: Studio, crowd: Crowd, line: Tally, rounds: int) -> None:
    for session in half_paid(studio, rounds):
        outcomes = crowd.race(balances(studio, session))
        line.add(outcomes, broken=paid_above(session))
        assert_typed(outcomes, "PAYMENT_EXCEEDS_TOTAL")
        assert len(winners(outcomes)) == 1
    assert line.broken == 0


def test_payments_never_exceed_the_total(studio, crowd, tally):
    run_balances(studio, crowd, tally("payments above total"), HALF)


def test_the_trigger_alone_keeps_payments_within_the_total(studio, crowd, tally, monkeypatch):
    guards.without_row_locks(monkeypatch)
    run_balances(studio, crowd, tally("payments above total, constraint only"), ONE_GUARD)


def test_the_lock_alone_keeps_payments_within_the_total(studio, crowd, tally):
    with guards.without_trigger(*TRIGGER):
        run_balances(studio, crowd, tally("payments above total, locks only"), ONE_GUARD)


def test_without_guards_payments_exceed_the_total(studio, crowd, tally, monkeypatch):
    guards.without_row_locks(monkeypatch)
    line = tally("payments above total, CONTROL")
    with guards.without_trigger(*TRIGGER):
        sessions = iter(half_paid(studio, TRIES))

        def attempt() -> int:
            session = next(sessions)
            line.add(crowd.race(balances(studio, session)), broken=paid_above(session))
            return line.broken

        show(attempt)


# -- one payment, decided once --------------------------------------------------------------------------------------


def waiting(studio: Studio, count: int) -> list[Payment]:
    return [
        pay.register_balance(session, **entry(studio, "300.00"))
        for session in copies(studio.walk(workflow.CONFIRMED).session, count)
    ]


def decisions(studio: Studio, payment: Payment) -> list[Act]:
    decide = {"by": studio.coordinator, "now": studio.now}
    return [partial(pay.reject if number % 2 else pay.verify, payment, **decide) for number in range(WIDTH)]


def owed(studio: Studio, count: int) -> list[Payment]:
    """Refunds that cancelled sessions left to be paid out."""
    sessions = copies(studio.walk(workflow.CONFIRMED).session, count)
    for session in sessions:
        session.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")
    return list(Payment.objects.refunds().filter(session__in=sessions).order_by("id"))


def payouts(studio: Studio, payment: Payment) -> list[Act]:
    how = entry(studio, "1.00")
    del how["amount"]
    return [partial(pay.pay_out, payment, **how)] * WIDTH


DECIDED_ONCE = [
    pytest.param("one payment decided", waiting, decisions, id="verify or reject"),
    pytest.param("one refund paid out", owed, payouts, id="pay out"),
]


@pytest.mark.parametrize(("name", "payments", "acts"), DECIDED_ONCE)
def test_a_payment_is_decided_once(name, payments, acts, studio, crowd, tally):
    line = tally(name)
    for number, payment in enumerate(payments(studio, HALF)):
        outcomes = crowd.race(turned(acts(studio, payment), number))
        line.add(outcomes, broken=len(winners(outcomes)) - 1)
        assert_typed(outcomes, "INVALID_INPUT")
        assert line.broken == 0
    assert AuditEvent.objects.filter(event="refund_paid").count() == (HALF if acts is payouts else 0)


@pytest.mark.parametrize(("name", "payments", "acts"), DECIDED_ONCE)
def test_without_locks_a_payment_is_decided_twice(name, payments, acts, studio, crowd, tally, monkeypatch):
    line, rows = tally(f"{name}, CONTROL"), iter(payments(studio, TRIES))
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        outcomes = crowd.race(acts(studio, next(rows)))
        line.add(outcomes, broken=len(winners(outcomes)) - 1 + untyped(outcomes))
        return line.broken

    show(attempt)


# -- a difference that is owed, written down once -------------------------------------------------------------------


def overpaid(studio: Studio, count: int) -> list[Session]:
    """Paid in full, then made cheaper by 100.00 (D32)."""
    session = studio.walk(workflow.CONFIRMED).session
    balance = pay.register_balance(session, **entry(studio, "500.00"))
    pay.verify(balance, by=studio.coordinator, now=studio.now)
    sessions = copies(session, count)
    for each in sessions:
        cheap = each.lines.order_by("line_subtotal").first()
        price.remove_line(each, line_id=cheap.pk, by=studio.coordinator, now=studio.now)
    return sessions


def second_refunds(session: Session) -> int:
    return Payment.objects.refunds().filter(session=session).count() - 1


def differences(studio: Studio, session: Session) -> list[Act]:
    return [partial(pay.owe_difference, session, by=studio.coordinator, now=studio.now)] * WIDTH


def test_a_difference_is_owed_once(studio, crowd, tally):
    line = tally("difference owed")
    for session in overpaid(studio, FEWER):
        outcomes = crowd.race(differences(studio, session))
        line.add(outcomes, broken=second_refunds(session))
        assert_typed(outcomes, "INVALID_INPUT")
        assert len(winners(outcomes)) == 1
    assert line.broken == 0


def test_without_the_lock_a_difference_is_owed_twice(studio, crowd, tally, monkeypatch):
    line, sessions = tally("difference owed, CONTROL"), iter(overpaid(studio, TRIES))
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        session = next(sessions)
        line.add(crowd.race(differences(studio, session)), broken=second_refunds(session))
        return line.broken

    show(attempt)


# -- the price against the payments ---------------------------------------------------------------------------------


def spoken_for(studio: Studio, count: int) -> list[Session]:
    """Nothing is left to pay until something is added to the price."""
    session = studio.walk(workflow.CONFIRMED).session
    pay.register_balance(session, **entry(studio, "500.00"))
    return copies(session, count)


def sales_and_payments(studio: Studio, session: Session) -> list[Act]:
    """Half sell another item of 45.00, half want to pay one."""
    sell = partial(price.add_item, session, item=ItemFactory(), quantity=1, by=studio.coordinator, now=studio.now)
    settle = partial(pay.register_balance, session, **entry(studio, "45.00"))
    return [settle if number % 2 else sell for number in range(WIDTH)]


def wrong_sums(session: Session) -> int:
    session = Session.objects.get(pk=session.pk)
    account = ledger.account(session)
    lines = sum(line.line_subtotal for line in session.lines.all())
    return (lines != session.subtotal) + (account.net_paid + account.pending_in > session.total)


def test_sales_and_payments_at_once_keep_the_sums(studio, crowd, tally):
    line = tally("prices against payments")
    for number, session in enumerate(spoken_for(studio, FEWER)):
        outcomes = crowd.race(turned(sales_and_payments(studio, session), number))
        line.add(outcomes, broken=wrong_sums(session))
        assert_typed(outcomes, "PAYMENT_EXCEEDS_TOTAL")
        assert session.lines.count() == 2 + WIDTH // 2
    assert line.broken == 0


def test_without_the_lock_the_sums_are_lost(studio, crowd, tally, monkeypatch):
    line, sessions = tally("prices against payments, CONTROL"), iter(spoken_for(studio, TRIES))
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        session = next(sessions)
        line.add(crowd.race(sales_and_payments(studio, session)), broken=wrong_sums(session))
        return line.broken

    show(attempt)
