"""Time off against a booking at the same instant: whoever comes first has the time (D25, business rules 3.2)."""

from functools import partial

import pytest

from scheduling.models import StaffReservation
from scheduling.slots import Span
from sessions_app.actions import appoint, time_off
from tests.factories.domain import at
from tests.factories.shop import Shop
from tests.races import guards
from tests.races.together import FEWER, WIDTH, Act, Crowd, Tally, assert_typed, show, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(transactional_db: None, studio) -> Shop:
    return Shop()


def day_of(number: int) -> str:
    return f"2027-{4 + number // 28:02}-{1 + number % 28:02}"


def acts(shop: Shop, number: int) -> list[Act]:
    """Half of them book the afternoon, half of them take it off; each a little later than the one before."""
    found: list[Act] = []
    for place in range(WIDTH):
        when = Span(at(day_of(number), f"10:{place:02}"), at(day_of(number), f"12:{place:02}"))
        if place % 2:
            found.append(partial(time_off.block, shop.artist, span=when, by=shop.coordinator, now=shop.now))
        else:
            found.append(
                partial(
                    appoint.book,
                    client=shop.client,
                    artist_id=shop.artist.pk,
                    span=when,
                    by=shop.coordinator,
                    now=shop.now,
                )
            )
    return found


def taken_twice(shop: Shop, number: int) -> int:
    day = Span(at(day_of(number), "00:00"), at(day_of(number), "23:00"))
    return StaffReservation.objects.holding().overlapping(day).filter(staff=shop.artist).count() - 1


def race(crowd: Crowd, line: Tally, shop: Shop, number: int) -> None:
    outcomes = crowd.race(acts(shop, number))
    line.add(outcomes, broken=taken_twice(shop, number))
    assert_typed(outcomes, "PHOTOGRAPHER_NOT_AVAILABLE")
    assert len(winners(outcomes)) == 1


def test_one_of_booking_and_time_off_has_the_time(shop, crowd, tally):
    line = tally("time off against booking")
    for number in range(FEWER):
        race(crowd, line, shop, number)
    assert line.broken == 0


def test_without_lock_and_constraint_both_have_it(shop, crowd, tally, monkeypatch):
    guards.without_resource_locks(monkeypatch)
    line = tally("time off against booking, CONTROL")
    numbers = iter(range(200))
    with guards.without_constraints(guards.STAFF_CONSTRAINT):

        def attempt() -> int:
            number = next(numbers)
            line.add(crowd.race(acts(shop, number)), broken=taken_twice(shop, number))
            return line.broken

        show(attempt)
        StaffReservation.objects.all().delete()
