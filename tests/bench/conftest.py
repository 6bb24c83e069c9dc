"""Figures are printed, never asserted: machines differ. What is asserted is what was done, and how many questions."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.bench.table import Table


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
