"""Letting go of what has expired, against somebody who extends or sells it at the same instant (D13, D34)."""

from collections.abc import Iterator
from functools import partial

import pytest

from sessions_app import integrity, workflow
from sessions_app.actions import hold, price
from sessions_app.models import Session
from studio.errors import InvalidStateTransition
from tests.factories.domain import Studio
from tests.races import guards
from tests.races.copies import same
from tests.races.together import FEWER, Act, Crowd, Tally, assert_typed, show, turned, untyped, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

WIDTH = 4
CHECKS = ("holds_differ_from_reservations", "rooms_are_not_held", "people_are_not_held", "history_ends_elsewhere")


@pytest.fixture
def few(transactional_db: None) -> Iterator[Crowd]:
    people = Crowd(WIDTH)
    yield people
    people.close()


def expired(studio: Studio, number: int) -> Session:
    """A negotiation with a price, whose hold of room and photographer has passed by ``late``."""
    session = studio.request(
        when=studio.when(20 + number), room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,)
    )
    session.negotiate(by=studio.coordinator, now=studio.now)
    price.add_package(session, package=studio.package, by=studio.coordinator, now=studio.now)
    return Session.objects.get(pk=session.pk)


def late(studio: Studio) -> dict:
    return {"by": studio.coordinator, "now": studio.now.replace(day=12)}


def let_go(session: Session, **how) -> None:
    """What the list does with one; one that is left alone has lost."""
    released, kept = hold.release_expired([session.code], **how)
    if kept:
        raise InvalidStateTransition(kept[0].why)


def against_extending(studio: Studio, session: Session) -> list[Act]:
    until = studio.today.replace(day=20)
    first, second, third, fourth = same(session, WIDTH)
    return [
        partial(let_go, first, **late(studio)),
        partial(hold.extend, second, until=until, reason="Abroad", **late(studio)),
        partial(hold.release, third, seen=third.held_until, **late(studio)),
        partial(hold.extend, fourth, until=until, reason="Asked her", **late(studio)),
    ]


def against_selling(studio: Studio, session: Session) -> list[Act]:
    first, second, third, fourth = same(session, WIDTH)
    return [
        partial(let_go, first, **late(studio)),
        partial(second.preschedule, **late(studio)),
        partial(hold.release, third, seen=third.held_until, **late(studio)),
        partial(fourth.preschedule, **late(studio)),
    ]


def broken(studio: Studio, session: Session, let_go_by: int) -> int:
    """Let go of twice, or of what somebody keeps; what the nightly check would find."""
    holding = (
        session.assignments.filter(released_at=None).count()
        + session.room_reservations.filter(released_at=None).count()
    )
    found = sum(integrity.look(integrity.CHECKS[name], studio.now).count for name in CHECKS)
    return found + (let_go_by > 1) + (holding not in (0, 2)) + bool(let_go_by and holding)


RACES = [against_extending, against_selling]


def run(race, studio: Studio, few: Crowd, line: Tally, number: int) -> int:
    session = expired(studio, number)
    acts = race(studio, session)
    outcomes = few.race(turned(acts, number))
    in_order = [outcomes[(place - number) % WIDTH] for place in range(WIDTH)]
    let_go_by = in_order[0].won + in_order[2].won
    kept = broken(studio, session, let_go_by) + untyped(outcomes)
    line.add(outcomes, broken=kept)
    if kept:
        return kept
    now = Session.objects.get(pk=session.pk)
    if race is against_extending:
        # Either it was let go, and nobody could extend it; or it was extended, and nobody could let go.
        assert (let_go_by, now.held_until is None, len(winners(outcomes))) in ((1, True, 1), (0, False, 2))
    else:
        # Sold it is in any case; with its people, unless they had gone before.
        assert (now.status, now.room_id is None) == (workflow.PRE_SCHEDULED, bool(let_go_by))
    assert_typed(outcomes, "INVALID_STATE_TRANSITION")
    return 0


@pytest.mark.parametrize("race", RACES)
def test_what_somebody_keeps_is_not_let_go(race, studio, few, tally):
    line = tally(f"let go {race.__name__.replace('_', ' ')}")
    assert sum(run(race, studio, few, line, number) for number in range(FEWER)) == 0


@pytest.mark.parametrize("race", RACES)
def test_without_the_lock_of_the_session_it_is(race, studio, few, tally, monkeypatch):
    guards.without_row_locks(monkeypatch)
    line = tally(f"let go {race.__name__.replace('_', ' ')}, CONTROL")
    numbers = iter(range(60))
    show(lambda: run(race, studio, few, line, next(numbers)))
    guards.empty()
