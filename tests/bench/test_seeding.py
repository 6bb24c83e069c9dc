"""How long it takes to write a large data set, with every check of it; in linear time."""

from collections.abc import Callable

import pytest

from sessions_app.models import Session, StatusHistory
from tests.bench.data_sets import CHAIN, LARGE, SMALL, DataSets
from tests.bench.table import Table


@pytest.mark.django_db(transaction=True)
def test_data_sets_are_as_large_as_they_say(data_sets: DataSets, table: Callable[..., Table]) -> None:
    shown = table("large data sets (manage.py seed_sessions)", "sessions", "history rows", "seconds", "ms each")
    for sessions in sorted({SMALL, CHAIN, LARGE}):
        with data_sets.of(sessions):
            assert Session.objects.count() == sessions
            took = data_sets.seconds[sessions]
            shown.line(sessions, StatusHistory.objects.count(), f"{took:.1f}", f"{took / sessions * 1000:.2f}")
