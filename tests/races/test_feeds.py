"""Many opening a calendar address at once: nobody has more of them than they may."""

from functools import partial

import pytest

from sessions_app.actions import feed
from sessions_app.models import CalendarFeed
from studio.models import User
from studio.roles import Role
from tests.factories.domain import person
from tests.factories.shop import NOW
from tests.races import guards
from tests.races.together import ONE_GUARD, WIDTH, Crowd, Tally, assert_typed, show, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def race(crowd: Crowd, line: Tally) -> tuple[list, User]:
    """All of them for the one place that is left."""
    who = person(Role.PHOTOGRAPHER)
    for _ in range(feed.MOST_OPEN - 1):
        feed.open_feed(by=who, now=NOW)
    outcomes = crowd.race([partial(feed.open_feed, by=who, now=NOW)] * WIDTH)
    line.add(outcomes, broken=CalendarFeed.objects.filter(owner=who).count() - feed.MOST_OPEN)
    return outcomes, who


def test_one_opens_the_last_address(studio, crowd, tally):
    line = tally("last calendar address")
    for _ in range(ONE_GUARD):
        outcomes, _who = race(crowd, line)
        assert_typed(outcomes, "INVALID_INPUT")
        assert len(winners(outcomes)) == 1
    assert line.broken == 0


def test_without_the_lock_more_are_opened(studio, crowd, tally, monkeypatch):
    guards.without_resource_locks(monkeypatch)
    line = tally("last calendar address, CONTROL")

    def attempt() -> int:
        race(crowd, line)
        return line.broken

    show(attempt)
