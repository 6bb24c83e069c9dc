"""One appointment under many hands: settled and canceled at the same instant (D26, D27, D29)."""

from functools import partial

import pytest

from payments.models import CommissionLine, Payment
from scheduling import booking
from scheduling.slots import Span
from sessions_app import workflow
from sessions_app.actions import appoint
from sessions_app.models import Client, Session
from studio import audit
from studio.roles import Role
from tests.factories.domain import at, person
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


def one_and_many(shop: Shop, number: int, *, artist_first: bool = False) -> list[Act]:
    """Half book one sitting, half a series, for one client with one artist; at different hours, so that all could."""

    def single(when: Span) -> None:
        with audit.act():
            if artist_first:
                booking.lock_people([shop.artist.pk])
            shop.book(when)

    acts: list[Act] = []
    for turn in range(WIDTH):
        spans = [
            Span(
                at(f"2028-{1 + number:02}-{day:02}", f"{turn % 24:02}:{30 * (turn // 24):02}"),
                at(f"2028-{1 + number:02}-{day:02}", f"{turn % 24:02}:{30 * (turn // 24) + 15:02}"),
            )
            for day in (10, 11)
        ]
        series_of_two = partial(
            appoint.book_series,
            spans,
            client=shop.client,
            artist_id=shop.artist.pk,
            by=shop.coordinator,
            now=shop.now,
        )
        acts.append(partial(single, spans[0]) if turn % 2 else series_of_two)
    return acts


def test_series_and_single_bookings_never_deadlock(shop, crowd, tally):
    line = tally("series beside single ones")
    crowd.deadlock_timeout = "10ms"
    for number in range(FEWER):
        outcomes = crowd.race(one_and_many(shop, number))
        line.add(outcomes, broken=WIDTH - len(winners(outcomes)))
    assert line.broken == 0


def test_the_artist_locked_before_the_client_deadlocks(shop, crowd, tally):
    line, numbers = tally("series beside single ones, CONTROL"), iter(range(12))
    crowd.deadlock_timeout = "10ms"

    def attempt() -> int:
        outcomes = crowd.race(one_and_many(shop, next(numbers), artist_first=True))
        line.add(outcomes, broken=sum(outcome.code == "OperationalError" for outcome in outcomes))
        return line.broken

    show(attempt)


def new_client(shop: Shop, number: int) -> list[Act]:
    """Each of many artists writes the same new client down."""
    artists = [person(Role.ARTIST) for _ in range(WIDTH)]
    day = f"2029-{1 + number:02}-10"
    return [
        partial(
            appoint.book_for_new_client,
            Client(full_name="Walk In", email=f"walk.in{number}@example.test", primary_phone="5555"),
            artist_id=artist.pk,
            span=Span(at(day, "10:00"), at(day, "11:00")),
            by=artist,
            now=shop.now,
        )
        for artist in artists
    ]


def test_one_new_client_is_written_down_once_by_many_artists(shop, crowd, tally):
    """The unique index is the guard; without its translation they would see an integrity error."""
    line = tally("a new client by many artists")
    for number in range(FEWER):
        outcomes = crowd.race(new_client(shop, number))
        clients = Client.objects.filter(email=f"walk.in{number}@example.test").count()
        line.add(outcomes, broken=abs(clients - 1) + WIDTH - len(winners(outcomes)))
    assert line.broken == 0
