"""Large data sets (``manage.py seed_sessions``), each in a database of its own, made when it is first asked for."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.till import first_open_day, takings
from sessions_app.actions.till import close_days
from studio.conf import STUDIO
from studio.models import User
from studio.roles import Role

# In the whole suite one small data set, to see that it works; `python3 run.py bench` means the figures.
MEANT = os.environ.get("RACE_ALL") == "1"
SMALL = 1_000 if MEANT else 400
"""A studio."""
FULL_WINDOW = 2_500 if MEANT else SMALL
"""The fewest that fill sixty days ahead, as all larger ones do."""
CHAIN = 100_000 if MEANT else SMALL
LARGE = int(os.environ.get("ATELIER_BENCH_SESSIONS", "1_000_000")) if MEANT else SMALL
"""Every studio of a country, unless somebody has less time."""

# Reading these from beginning to end is what must not be.
GROWING = {
    "payments_payment",
    "scheduling_roomreservation",
    "scheduling_staffreservation",
    "sessions_app_client",
    "sessions_app_session",
    "sessions_app_sessiondetail",
    "sessions_app_sessionuserobjectpermission",
    "sessions_app_statushistory",
}


@dataclass
class DataSets:
    template: str
    """A migrated database that nobody is connected to."""
    today: date
    seconds: dict[int, float] = field(default_factory=dict)
    """How long it took to write each, with its checks."""

    @contextmanager
    def of(self, sessions: int) -> Iterator[None]:
        """Django's connection leads into the data set."""
        name = self._name(sessions)
        if sessions not in self.seconds:
            self._on_the_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            self._on_the_server(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        before = connection.settings_dict["NAME"]
        try:
            self._connect(name)
            if sessions not in self.seconds:
                began = time.perf_counter()
                call_command("seed_sessions", sessions=sessions, today=self.today, into=name, stdout=StringIO())
                self.seconds[sessions] = time.perf_counter() - began
                _close_the_till(self.today)
                with connection.cursor() as cursor:
                    cursor.execute("VACUUM")  # as autovacuum does in a night
            yield
        finally:
            self._connect(before)

    def remove(self) -> None:
        for sessions in self.seconds:
            self._on_the_server(f"DROP DATABASE {self._name(sessions)} WITH (FORCE)")

    def _name(self, sessions: int) -> str:
        return f"{self.template}_{sessions}"

    @staticmethod
    def _connect(name: str) -> None:
        connection.close()
        connection.settings_dict["NAME"] = name

    @staticmethod
    def _on_the_server(statement: str) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(statement)


def _close_the_till(today: date) -> None:
    """Until yesterday, as somebody does each evening: the page of the till shows the days since."""
    yesterday = today - timedelta(days=1)
    counted = {each.method: each.net for each in takings(first_open_day() or yesterday, yesterday)}
    office = User.objects.in_role(Role.COORDINATOR).first()
    close_days(yesterday, counted=counted, by=office, now=timezone.now())


def today() -> date:
    return timezone.now().astimezone(STUDIO.zone).date()


@dataclass(frozen=True)
class Figures:
    """The least of several times: what else goes on in the machine only adds. In milliseconds."""

    ms: float
    """By the clock on the wall."""
    python: float
    """What this process worked, by its CPU time."""
    database: float
    """What PostgreSQL worked for it; nothing where that runs on another machine."""
    statements: list[str]
    answer: Any

    @property
    def queries(self) -> int:
        return len(self.statements)

    @property
    def work(self) -> float:
        """What a request costs, however busy the machine is with something else."""
        return self.python + self.database


def measure(act: Callable[[], Any], *, times: int = 15) -> Figures:
    """Warm first, then so often; in the whole suite once."""
    if MEANT:
        act()
    connection.ensure_connection()
    statements: list[str] = []
    walls, pythons, databases = [], [], []
    for turn in range(1 + times if MEANT else 1):
        wall, python, database = time.perf_counter(), time.process_time(), _worked_by_the_database()
        with CaptureQueriesContext(connection) if turn == 0 else nullcontext() as captured:
            answer = act()
        if captured is not None:
            # Now: the log of questions does not outlive the next request.
            statements = [each["sql"] for each in captured]
        walls.append(time.perf_counter() - wall)
        pythons.append(time.process_time() - python)
        databases.append(_worked_by_the_database() - database)
    return Figures(min(walls) * 1000, min(pythons) * 1000, min(databases) * 1000, statements, answer)


def _worked_by_the_database() -> float:
    """Seconds of CPU time of the process that answers this connection."""
    pid = connection.connection.info.backend_pid
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


def read_whole(statements: list[str]) -> set[str]:
    """The growing tables that a plan of one of these questions reads from beginning to end."""
    found: set[str] = set()
    with connection.cursor() as cursor:
        for sql in statements:
            if sql.lstrip("( ").startswith("SELECT"):
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
                plan = cursor.fetchone()[0]
                found |= set(_whole_reads(json.loads(plan) if isinstance(plan, str) else plan))
    return found & GROWING


def _whole_reads(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _whole_reads(each)
    elif isinstance(node, dict):
        if node.get("Node Type") == "Seq Scan":
            yield node["Relation Name"]
        for each in node.values():
            if isinstance(each, list | dict):
                yield from _whole_reads(each)
