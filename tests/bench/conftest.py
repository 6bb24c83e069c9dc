"""Figures are printed, never asserted: machines differ. What is asserted is what was done, and how many questions."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from tests.bench.data_sets import DataSets, today
from tests.bench.table import Table
from tests.conftest import AS_MIGRATED


@pytest.fixture
def table(record_property: Callable[[str, Any], None]) -> Callable[..., Table]:
    """Begin a table; it is kept with the test's report, which pytest-xdist carries over."""
    begun: list[Table] = []

    def begin(title: str, *columns: str) -> Table:
        begun.append(Table(title, columns))
        return begun[-1]

    yield begin
    for each in begun:
        record_property("figures", [each.title, *each.as_text()])


@pytest.fixture(scope="session")
def data_sets(django_db_setup: None, django_db_blocker: Any) -> Iterator[DataSets]:
    """Large data sets for the whole run. For tests that may commit: while they use one, they leave the tests' own."""
    with django_db_blocker.unblock():
        made = DataSets(f"{connection.settings_dict['NAME']}{AS_MIGRATED}", today())
    yield made
    with django_db_blocker.unblock():
        made.remove()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "teardown":
                continue
            for name, value in report.user_properties:
                if name == "figures":
                    terminalreporter.section(value[0])
                    for line in value[1:]:
                        terminalreporter.write_line(line)
