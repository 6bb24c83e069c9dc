"""Auto-cancel of thousands in one night: linear, and against the raw SQL of the same writes (quality, Speed).

The job's own INSERT and UPDATE statements are recorded while it runs, and then run again over the same rows by psycopg
alone, with the same transactions: what is above that is what the rules cost.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from sessions_app.models import Session
from studio.jobs import run_by_hand
from tests.bench.due import NIGHT, clear, write_due_sessions
from tests.bench.table import Table
from tests.factories.domain import Studio

# In the whole suite only to see that it works; `python3 run.py bench` means the figures.
SIZES = (1_000, 10_000) if os.environ.get("RACE_ALL") == "1" else (20, 40)

pytestmark = pytest.mark.django_db(transaction=True)


class Recorder:
    """Keeps the writes of each transaction, and how many statements there were."""

    def __init__(self) -> None:
        self.statements = 0
        self.transactions: list[list[tuple[str, Any]]] = []
        self._in: int | None = None

    def __call__(self, execute: Callable, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        self.statements += 1
        if sql.startswith("SELECT") and "FOR NO KEY UPDATE" in sql and "sessions_app_session" in sql:
            self.transactions.append([])
        elif sql.split(maxsplit=1)[0] in ("INSERT", "UPDATE", "DELETE") and self.transactions:
            self.transactions[-1].append((sql, params))
        return execute(sql, params, many, context)


def raw(transactions: list[list[tuple[str, Any]]]) -> float:
    """Seconds that the same writes take without Django and without rules."""
    values = connection.get_connection_params()
    values = {name: value for name, value in values.items() if name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**values, autocommit=True, cursor_factory=psycopg.ClientCursor) as plain:
        begun = time.perf_counter()
        for writes in transactions:
            with plain.transaction():
                for sql, params in writes:
                    plain.execute(sql, params)
        return time.perf_counter() - begun


def test_auto_cancel_is_linear_and_near_raw_sql(table: Callable[..., Table]) -> None:
    studio = Studio()
    shown = table("auto-cancel in one night", "sessions", "statements each", "ms each", "raw ms each", "ratio")
    for count in SIZES:
        write_due_sessions(studio, count)
        recorder = Recorder()
        with connection.execute_wrapper(recorder):
            begun = time.perf_counter()
            report = run_by_hand("auto_cancel_unpaid", NIGHT)
            took = time.perf_counter() - begun
        assert (report["done"], report["failed"]) == (count, 0)
        assert Session.objects.filter(status="Canceled").count() == count
        clear()
        write_due_sessions(studio, count)
        alone = raw(recorder.transactions)
        assert Session.objects.filter(status="Canceled").count() == count
        clear()
        shown.line(
            count,
            f"{recorder.statements / count:.1f}",
            f"{took / count * 1000:.2f}",
            f"{alone / count * 1000:.2f}",
            f"{took / alone:.1f}",
        )
