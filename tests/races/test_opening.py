"""Admins who write the opening hours at the same instant: each replaces them as a whole, one after the other."""

from datetime import time
from functools import partial

import pytest

from scheduling import hours
from scheduling.models import OpeningException, OpeningHours
from scheduling.opening import Interval
from tests.factories.domain import Studio
from tests.races.together import ONE_GUARD, WIDTH, Act, Crowd, Tally, show

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def race(crowd: Crowd, line: Tally, studio: Studio) -> int:
    """Half of them write the week, half of them a day. Returns how many did not get their turn."""
    morning = Interval(time(8), time(12))
    acts: list[Act] = []
    for place in range(WIDTH // 2):
        interval = Interval(time(8), time(12, place))
        acts.append(partial(hours.set_week, {weekday: [interval] for weekday in range(7)}, by=studio.admin))
        acts.append(
            partial(hours.declare, studio.today, studio.today, hours=[morning], by=studio.admin, now=studio.now)
        )
    outcomes = crowd.race(acts)
    failed = sum(not each.won for each in outcomes)
    line.add(outcomes, broken=failed)
    return failed


def test_each_replaces_the_hours_as_a_whole(studio, crowd, tally):
    line = tally("opening hours at once")
    for _round in range(ONE_GUARD):
        assert race(crowd, line, studio) == 0
        # All of one writer, not of two.
        assert OpeningHours.objects.count() == 7
        assert OpeningHours.objects.values("closes").distinct().count() == 1
        assert OpeningException.objects.count() == 1


def test_without_taking_turns_they_meet(studio, crowd, tally, monkeypatch):
    monkeypatch.setattr(hours, "_take_turns", lambda model: None)
    line = tally("opening hours at once, CONTROL")
    show(lambda: race(crowd, line, studio))
