"""One appointment under many hands: settled and canceled at the same instant (D26, D27, D29)."""

from functools import partial

import pytest

from payments.models import CommissionLine, Payment
from scheduling.slots import Span
from sessions_app import workflow
from sessions_app.actions import appoint
from sessions_app.models import Session
from tests.factories.domain import at
from tests.factories.shop import Shop
from tests.races import guards
from tests.races.together import FEWER, HALF, WIDTH, Act, Crowd, Tally, assert_typed, show, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(transactional_db: None, studio) -> Shop:
    return Shop()


def booked(shop: Shop, number: int) -> Session:
    """Each on a day of its own."""
    day = f"2027-{1 + number // 28:02}-{1 + number % 28:02}"
    return shop.book(Span(at(day, "10:00"), at(day, "13:00")))


def ends(shop: Shop, session: Session) -> list[Act]:
    """Artist and office settle it, and others cancel it."""
    settle = {"method": "Cash"}
    drop = {"reason": "Ill", "initiator": "client", "no_show": True}
    acts: list[Act] = []
    for number in range(WIDTH):
        by = (shop.artist, shop.coordinator)[number % 2]
        name, payload = ("complete", settle) if number % 4 < 2 else ("cancel", drop)
        acts.append(partial(Session.objects.get(pk=session.pk).move, name, by=by, now=shop.now, **payload))
    return acts


def ended_twice(session: Session) -> int:
    """What came above one end, one payment and one commission, or beside a cancellation."""
    ended = session.history.filter(new_status__in=workflow.FINAL).count() - 1
    fresh = Session.objects.get(pk=session.pk)
    settled = int(not fresh.is_canceled)
    paid = Payment.objects.filter(session=session).count() - settled
    earned = CommissionLine.objects.filter(session=session).count() - settled
    held = session.assignments.filter(released_at=None).count() - settled
    return ended + abs(paid) + abs(earned) + abs(held)


def run(crowd: Crowd, line: Tally, shop: Shop, rounds: int) -> None:
    for number in range(rounds):
        session = booked(shop, number)
        outcomes = crowd.race(ends(shop, session))
        line.add(outcomes, broken=ended_twice(session))
        assert_typed(outcomes, "INVALID_STATE_TRANSITION")
        assert len(winners(outcomes)) == 1
    assert line.broken == 0


def test_appointment_ends_once(shop, crowd, tally):
    run(crowd, tally("settled and canceled"), shop, HALF)


def test_without_the_lock_it_ends_several_times(shop, crowd, tally, monkeypatch):
    guards.without_row_locks(monkeypatch)
    line = tally("settled and canceled, CONTROL")
    numbers = iter(range(300))
    with guards.without_constraints(("payments_commissionline", "commission_is_earned_once")):

        def attempt() -> int:
            session = booked(shop, next(numbers))
            line.add(crowd.race(ends(shop, session)), broken=ended_twice(session))
            return line.broken

        show(attempt)


def series(shop: Shop, number: int) -> list[Act]:
    """Everybody wants the same three days in a row, each a little later than the one before."""
    days = [f"2027-{1 + number:02}-{day:02}" for day in (10, 11, 12)]
    return [
        partial(
            appoint.book_series,
            [Span(at(day, f"10:{minute % 60:02}"), at(day, f"12:{minute % 60:02}")) for day in days],
            client=shop.client,
            artist_id=shop.artist.pk,
            by=shop.coordinator,
            now=shop.now,
        )
        for minute in range(WIDTH)
    ]


def test_series_is_booked_whole_or_not_at_all(shop, crowd, tally):
    line = tally("series of three")
    for number in range(FEWER):
        before = Session.objects.count()
        outcomes = crowd.race(series(shop, number))
        line.add(outcomes, broken=abs(Session.objects.count() - before - 3))
        assert_typed(outcomes, "INVALID_INPUT")
        assert len(winners(outcomes)) == 1
    assert line.broken == 0
