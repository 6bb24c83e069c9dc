"""What every race needs, and the table at the end."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.factories.domain import Studio
from tests.races.together import Crowd, Tally

COLUMNS = ("race", "rounds", "width", "winners", "broken", "worst wait", "losers")


@pytest.fixture
def studio(transactional_db: None) -> Studio:
    return Studio()


@pytest.fixture
def crowd(transactional_db: None) -> Iterator[Crowd]:
    people = Crowd()
    yield people
    people.close()


@pytest.fixture
def tally(record_property: Callable[[str, Any], None]) -> Callable[[str], Tally]:
    """Begin a line of the table; it is kept with the test's report, which pytest-xdist carries over."""

    def begin(name: str) -> Tally:
        line = Tally(name)
        record_property("race", line.shown)
        return line

    return begin


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        [value[column] for column in COLUMNS]
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "race" and value
    ]
    if not rows:
        return
    widths = [max(len(line[n]) for line in (COLUMNS, *rows)) for n in range(len(COLUMNS))]
    terminalreporter.section("races")
    for line in (COLUMNS, *rows):
        cells = [
            cell.ljust(width) if n in (0, len(COLUMNS) - 1) else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        terminalreporter.write_line("  ".join(cells).rstrip())
