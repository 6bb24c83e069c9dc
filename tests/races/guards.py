"""Taking a guard out, and putting it back whatever happens: what makes a control of a race.

Locks are replaced by reads of the same rows; constraints, unique indexes and triggers are dropped or switched off in
the database of this test, and what was written meanwhile is emptied before they return.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import QuerySet

from scheduling import booking
from scheduling.models import Room

ROOM_CONSTRAINT = ("scheduling_roomreservation", booking.ROOM_NEVER_TWICE)
STAFF_CONSTRAINT = ("scheduling_staffreservation", booking.STAFF_NEVER_TWICE)


def read_people(ids: Iterable[int]) -> dict[int, Any]:
    return {row.pk: row for row in get_user_model().objects.filter(pk__in=set(ids))}


def read_rooms(ids: Iterable[int]) -> dict[int, Room]:
    return {row.pk: row for row in Room.objects.filter(pk__in=set(ids))}


def without_resource_locks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(booking, "lock_people", read_people)
    patch.setattr(booking, "lock_rooms", read_rooms)


def without_row_locks(patch: pytest.MonkeyPatch) -> None:
    """Every SELECT ... FOR UPDATE becomes a plain SELECT: of sessions, people, rooms, clients, payments, mails."""
    patch.setattr(QuerySet, "select_for_update", lambda rows, **how: rows.all())


@contextmanager
def without_constraints(*named: tuple[str, str]) -> Iterator[None]:
    """Drop constraints or partial unique indexes (table, name) for a while."""
    back = [_how_to_put_back(table, name) for table, name in named]
    try:
        for drop, _add in back:
            _execute(drop)
        yield
    finally:
        empty()
        for _drop, add in back:
            _execute(add)
        for table, name in named:
            _how_to_put_back(table, name)


@contextmanager
def without_trigger(table: str, name: str) -> Iterator[None]:
    try:
        _execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        yield
    finally:
        empty()
        _execute(f"ALTER TABLE {table} ENABLE TRIGGER {name}")


def empty() -> None:
    """No sessions with all that is theirs, no runs of jobs: what a race left behind would refuse the guard's return."""
    _execute("TRUNCATE sessions_app_session, studio_jobrun CASCADE")


def _how_to_put_back(table: str, name: str) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s AND conrelid = %s::regclass",
            [name, table],
        )
        if found := cursor.fetchone():
            return (
                f"ALTER TABLE {table} DROP CONSTRAINT {name}",
                f"ALTER TABLE {table} ADD CONSTRAINT {name} {found[0]}",
            )
        cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [name])
        return f"DROP INDEX {name}", cursor.fetchone()[0]


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
