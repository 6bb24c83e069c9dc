"""What every fault needs, and the table at the end."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from tests.conftest import AS_MIGRATED
from tests.faults.house import House, at_home, zone_at_noon
from tests.faults.mail_server import MailServer

COLUMNS = ("fault", "at stake", "lost", "doubled", "half done", "what was seen")

_numbers = itertools.count(1)


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


@pytest.fixture
def zone() -> str:
    """Where the house stands; a test may give another one."""
    return zone_at_noon()


@pytest.fixture(scope="session")
def template(django_db_setup: None) -> str:
    """The name of a migrated database that nobody is connected to: copying it takes a moment."""
    return connection.settings_dict["NAME"] + AS_MIGRATED


@pytest.fixture
def house(template: str, zone: str, mail_server: MailServer, tmp_path: Path, django_db_blocker: Any) -> Iterator[House]:
    """A house with a database of its own and with the test's mail server; this process is at home in it."""
    name = f"{template}_{os.getpid()}_{next(_numbers)}"
    with _server() as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    house = House(_url(name), tmp_path, zone=zone)
    house.environment["EMAIL_URL"] = mail_server.url
    try:
        with django_db_blocker.unblock(), at_home(house):
            yield house
    finally:
        house.close()
        with _server() as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _url(database: str) -> str:
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}").geturl()


def _server() -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


# -- what was seen --------------------------------------------------------------------------------------------------


@pytest.fixture
def tell(record_property: Callable[[str, Any], None]) -> Callable[..., None]:
    """Write a line of the table; it is kept with the test's report, which pytest-xdist carries over."""

    def line(fault: str, at_stake: str, *, lost: int, doubled: int, half_done: int = 0, seen: str = "") -> None:
        cells = (fault, at_stake, str(lost), str(doubled), str(half_done), seen or "-")
        record_property("fault", dict(zip(COLUMNS, cells, strict=True)))

    return line


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """What its processes said, where a test failed."""
    report = yield
    if report.when == "call" and report.failed:
        for house in getattr(item, "funcargs", {}).values():
            for process in getattr(house, "processes", ()):
                report.sections.append((process.name, process.said[-6000:]))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        [value[column] for column in COLUMNS]
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "fault"
    ]
    if not rows:
        return
    widths = [max(len(line[n]) for line in (COLUMNS, *rows)) for n in range(len(COLUMNS))]
    terminalreporter.section("faults")
    for line in (COLUMNS, *rows):
        cells = [
            cell.rjust(width) if 2 <= n <= 4 else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        terminalreporter.write_line("  ".join(cells).rstrip())
