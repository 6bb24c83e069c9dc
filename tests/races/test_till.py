"""Money against the closing of its day, and receipts under many hands (ADR 11).

The shared lock of the till and the trigger each keep a closed day as it was; with both out a verified payment slips
into it. The row of the series keeps the numbers of receipts consecutive.
"""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from payments import receipts, till
from payments.models import CashClosing, Payment, PaymentMethod, Receipt, ReceiptSeries
from sessions_app import workflow
from sessions_app.actions import pay
from sessions_app.actions.till import close_days
from tests.factories.domain import Studio, at
from tests.races import guards
from tests.races.copies import copies
from tests.races.together import FEWER, HALF, ONE_GUARD, TRIES, WIDTH, Act, Crowd, Tally, assert_typed, show, turned

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

TRIGGER = ("payments_payment", "cash_day_is_open")
CENT = Decimal("0.01")


def waiting(studio: Studio, rounds: int) -> list[list[Payment]]:
    """For each round as many payments of one cent, each of a session of its own, as there are people to verify them."""
    sessions = copies(studio.walk(workflow.CONFIRMED).session, rounds * (WIDTH - 1))
    how = {"method": "Cash", "document_number": "R-1", "payment_date": studio.today}
    how |= {"by": studio.coordinator, "now": studio.now}
    made = [pay.register_balance(session, amount=CENT, **how) for session in sessions]
    return [made[start : start + WIDTH - 1] for start in range(0, len(made), WIDTH - 1)]


def closing_and_verifying(studio: Studio, payments: list[Payment], number: int) -> list[Act]:
    """All verify on one day, which is closed in the middle of it."""
    day = studio.today + timedelta(days=number)
    counted = dict.fromkeys(PaymentMethod.values, Decimal("0.00"))
    close = partial(
        close_days, day, counted=counted, notes="Counted nothing", by=studio.coordinator, now=at(day, "20:00")
    )
    verify = [partial(pay.verify, each, by=studio.coordinator, now=at(day, "20:00")) for each in payments]
    return turned([close, *verify], -(number % WIDTH))


def slipped_in() -> int:
    """Closings whose days hold another amount of cash than when they were closed."""
    wrong = 0
    for closing in CashClosing.objects.all():
        cash = next(each for each in till.takings(closing.first_day, closing.day) if each.method == "Cash")
        wrong += cash.net != Decimal(closing.expected["Cash"]["in"]) - Decimal(closing.expected["Cash"]["out"])
    return wrong


def run(studio: Studio, crowd: Crowd, line: Tally, rounds: int) -> None:
    for number, payments in enumerate(waiting(studio, rounds), start=1):
        outcomes = crowd.race(closing_and_verifying(studio, payments, number))
        line.add(outcomes, broken=slipped_in())
        assert_typed(outcomes)
    assert line.broken == 0 and CashClosing.objects.count() == rounds
    assert not Payment.objects.pending().exists()


def test_a_day_that_is_being_closed_holds_what_the_closing_says(studio, crowd, tally):
    run(studio, crowd, tally("verifying against closing"), FEWER)


def test_the_lock_alone_keeps_a_closed_day(studio, crowd, tally):
    with guards.without_trigger(*TRIGGER):
        run(studio, crowd, tally("verifying against closing, locks only"), ONE_GUARD)


def test_the_trigger_alone_keeps_a_closed_day(studio, crowd, tally, monkeypatch):
    """Who comes too late then meets the constraint instead of going to the next day; the closed one stands."""
    monkeypatch.setattr(till, "_held_shared", till.closed_through)
    line = tally("verifying against closing, trigger only")
    for number, payments in enumerate(waiting(studio, ONE_GUARD), start=1):
        line.add(crowd.race(closing_and_verifying(studio, payments, number)), broken=slipped_in())
    assert line.broken == 0


def test_without_guards_money_slips_into_a_closed_day(studio, crowd, tally, monkeypatch):
    monkeypatch.setattr(till, "_held_shared", till.closed_through)
    line = tally("verifying against closing, CONTROL")
    with guards.without_trigger(*TRIGGER):
        rounds = iter(enumerate(waiting(studio, TRIES), start=1))

        def attempt() -> int:
            number, payments = next(rounds)
            line.add(crowd.race(closing_and_verifying(studio, payments, number)), broken=slipped_in())
            return line.broken

        show(attempt)


# -- receipts ----------------------------------------------------------------------------------------------------------


def verifying(studio: Studio, payments: list[Payment]) -> list[Act]:
    """Each verifies one payment; the last one tries the first again, and loses its number with the act."""
    decide = {"by": studio.coordinator, "now": studio.now}
    return [partial(pay.verify, each, **decide) for each in (*payments, payments[0])]


def test_receipts_are_numbered_without_gap_or_double(studio, crowd, tally):
    line = tally("receipts")
    for payments in waiting(studio, HALF):
        outcomes = crowd.race(verifying(studio, payments))
        numbers = list(Receipt.objects.order_by("number").values_list("number", flat=True))
        line.add(outcomes, broken=numbers != list(range(1, len(numbers) + 1)))
        assert_typed(outcomes, "INVALID_INPUT")
        assert len([each for each in outcomes if each.won]) == WIDTH - 1
    assert line.broken == 0
    assert Receipt.objects.count() == ReceiptSeries.objects.get().last_number == HALF * (WIDTH - 1) + 1


def unlocked_number() -> int:
    """The next number read and written without holding the row."""
    number = ReceiptSeries.objects.get().last_number + 1
    ReceiptSeries.objects.filter(pk=1).update(last_number=number)
    return number


def test_without_the_lock_a_number_is_given_twice(studio, crowd, tally, monkeypatch):
    monkeypatch.setattr(receipts, "_next_number", unlocked_number)
    line, rounds = tally("receipts, CONTROL"), iter(waiting(studio, TRIES))

    def attempt() -> int:
        outcomes = crowd.race(verifying(studio, next(rounds)))
        line.add(outcomes, broken=sum(each.code == "IntegrityError" for each in outcomes))
        return line.broken

    show(attempt)
