"""Many pay the same commission at once: one statement, and each line on it once (D27; ADR 12).

The locks on the lines let one pay and tell the others that nothing is left; past them the trigger keeps a line on the
statement that it is on. With both out a person is paid twice.
"""

from decimal import Decimal
from functools import partial

import pytest

from payments import earnings
from payments.commissions import Rate
from payments.models import CommissionLine, CommissionStatement
from sessions_app import workflow
from sessions_app.actions.commission import pay_commission
from sessions_app.models import Session
from tests.factories.domain import Studio
from tests.races import guards
from tests.races.copies import copies
from tests.races.together import HALF, ONE_GUARD, TRIES, WIDTH, Act, Crowd, Tally, assert_typed, show

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

TRIGGER = ("payments_commissionline", "commission_stands")
LINES = 3
EACH = Decimal("12.50")


def waiting(studio: Studio, rounds: int) -> list[list[Session]]:
    """For each round the sessions with which the photographer will have earned."""
    made = copies(studio.walk(workflow.REQUEST).session, rounds * LINES)
    return [made[start : start + LINES] for start in range(0, len(made), LINES)]


def paying(studio: Studio, sessions: list[Session]) -> list[Act]:
    """All have the same page before them, and pay what it shows."""
    rate = Rate(Decimal("0.125"), "Person")
    for session in sessions:
        earnings.earn(
            session.pk, studio.photographer, base=Decimal("100"), rate=rate, by=studio.coordinator, now=studio.now
        )
    seen = {"last_day": studio.today, "expected": LINES * EACH, "lines": LINES}
    how = {"method": "Cash", "document_number": "C-1", "by": studio.coordinator, "now": studio.now}
    return [partial(pay_commission, studio.photographer, **seen, **how)] * WIDTH


def paid_twice() -> int:
    """Statements that pay more than the lines that are on them."""
    wrong = 0
    for statement in CommissionStatement.objects.prefetch_related("lines"):
        wrong += statement.total != sum(line.amount for line in statement.lines.all())
    return wrong


def run(studio: Studio, crowd: Crowd, line: Tally, rounds: int) -> None:
    for number, sessions in enumerate(waiting(studio, rounds), start=1):
        outcomes = crowd.race(paying(studio, sessions))
        line.add(outcomes, broken=paid_twice())
        assert_typed(outcomes, "INVALID_INPUT")
        assert sum(each.won for each in outcomes) == 1
        assert CommissionStatement.objects.count() == number
        assert CommissionLine.objects.filter(statement__isnull=False).count() == number * LINES
    assert line.broken == 0


def test_one_of_many_pays_and_each_line_once(studio, crowd, tally):
    run(studio, crowd, tally("paying a commission"), HALF)


def test_the_locks_alone_pay_each_line_once(studio, crowd, tally):
    with guards.without_trigger(*TRIGGER):
        run(studio, crowd, tally("paying a commission, locks only"), ONE_GUARD)


def test_the_trigger_alone_pays_each_line_once(studio, crowd, tally, monkeypatch):
    """Who comes too late then meets the constraint instead of a sentence; nobody is paid twice."""
    guards.without_row_locks(monkeypatch)
    line = tally("paying a commission, trigger only")
    for number, sessions in enumerate(waiting(studio, ONE_GUARD), start=1):
        line.add(crowd.race(paying(studio, sessions)), broken=paid_twice())
        assert CommissionStatement.objects.count() == number
    assert line.broken == 0


def test_without_guards_somebody_is_paid_twice(studio, crowd, tally, monkeypatch):
    guards.without_row_locks(monkeypatch)
    line = tally("paying a commission, CONTROL")
    with guards.without_trigger(*TRIGGER):
        rounds = iter(waiting(studio, TRIES))

        def attempt() -> int:
            line.add(crowd.race(paying(studio, next(rounds))), broken=paid_twice())
            return line.broken

        show(attempt)
