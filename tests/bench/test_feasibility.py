"""Feasibility over sixty days, twenty people and six rooms: 50 ms and 6 queries at 100,000 sessions (quality, Speed).

How many sessions there ever were must not matter, how many stand in the sixty days may: the data set of a thousand
fills less of them than the larger ones, which all fill them alike.
"""

from collections.abc import Callable
from datetime import time, timedelta

import pytest
from django.utils import timezone

from sessions_app import feasibility
from sessions_app.feasibility import Answer, Wish
from tests.bench.data_sets import CHAIN, FULL_WINDOW, MEANT, SMALL, DataSets, Figures, measure, read_whole, today
from tests.bench.table import Table

pytestmark = pytest.mark.django_db(transaction=True)


def wish(**values: object) -> Wish:
    tomorrow = today() + timedelta(days=1)
    asked = {
        "session_type": "Studio",
        "first_day": tomorrow,
        "last_day": tomorrow + timedelta(days=59),
        "start_time": None,
        "duration": timedelta(hours=2),
    }
    return Wish(**(asked | values))


WISHES = {
    "any hour of 60 days, studio": wish(),
    "any hour of 60 days, elsewhere, two people, travel": wish(
        session_type="External", photographers=2, location="Antigua", travel=timedelta(minutes=45)
    ),
    "60 days at 15:00, twenty people: never": wish(start_time=time(15), photographers=20),
    "one hour that is taken, with what else there is": wish(
        last_day=wish().first_day, start_time=time(13, 30), photographers=20
    ),
}


@pytest.mark.parametrize("name", WISHES)
def test_feasibility_does_not_grow_with_the_past(name: str, data_sets: DataSets, table: Callable[..., Table]) -> None:
    shown = table(f"feasibility: {name}", "sessions", "queries", "ms", "Python", "PostgreSQL", "ratio")
    now = timezone.now()
    first: Figures | None = None
    counts = set()
    for sessions in sorted({SMALL, FULL_WINDOW, CHAIN}):
        with data_sets.of(sessions):
            figures = measure(lambda: feasibility.answer(WISHES[name], now=now))
            if MEANT:
                assert read_whole(figures.statements) == set() or sessions < CHAIN
        assert isinstance(figures.answer, Answer)
        counts.add(figures.queries)
        first = first or figures
        worked = f"{figures.python:.1f}", f"{figures.database:.1f}", f"{figures.work / first.work:.2f}"
        shown.line(sessions, figures.queries, f"{figures.ms:.1f}", *worked)
    assert max(counts) <= 6
