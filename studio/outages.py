"""Errors that are nobody's fault in the program: the database is away, or busy with somebody else's change.

Such an error is told as "try again" (503) instead of as a fault (500), wherever it comes up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from enum import Enum

import psycopg
from django.db import Error as DjangoError
from django.db import connection


class Outage(Enum):
    """What is the matter, and after how many seconds it is worth trying again."""

    AWAY = 10
    BUSY = 1

    @property
    def retry_after(self) -> int:
        return self.value


# SQLSTATE's classes: connection, resources (connections, memory, disk), operator's intervention (shutting down,
# starting up, a statement ended by its time limit), errors of the machine.
AWAY_CLASSES = frozenset({"08", "53", "57", "58"})
# A server that has become a replica, a connection that was ended in its transaction, a commit without its answer.
AWAY_STATES = frozenset({"25006", "25P03", "40003"})
# Serialization failure, deadlock, lock timeout: the transaction was undone for another one's sake.
BUSY_STATES = frozenset({"40001", "40P01", "55P03"})


def outage_of(error: BaseException | None) -> Outage | None:
    """What outage `error` tells of; None for errors of the program.

    What is tried on a connection that was lost fails in other ways: such an error counts as the loss that it follows.
    """
    if not isinstance(error, (DjangoError, psycopg.Error)):
        return None
    for each, is_cause in _chain(error):
        found = _kind(each)
        if found is Outage.AWAY or (found is Outage.BUSY and is_cause):
            return found
    return None


def give_up_connection() -> None:
    """Leave this thread's connection, so that the next request makes a new one: perhaps to another server.

    A server that has become a replica answers, and would be kept.
    """
    if not connection.in_atomic_block:
        with suppress(Exception):
            connection.close()


def _chain(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """The error and what it came of; with each whether it is a cause, or only what was being dealt with."""
    each: BaseException | None = error
    is_cause = True
    seen: set[int] = set()
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each, is_cause
        is_cause = is_cause and each.__cause__ is not None
        each = each.__cause__ or each.__context__


def _kind(error: BaseException) -> Outage | None:
    state = getattr(error, "sqlstate", None)
    if state is not None:
        if state in BUSY_STATES:
            return Outage.BUSY
        return Outage.AWAY if state in AWAY_STATES or state[:2] in AWAY_CLASSES else None
    if isinstance(error, psycopg.OperationalError):
        # Without a state it is not the server's: nobody answered, or the connection broke.
        return Outage.AWAY
    if isinstance(error, psycopg.InterfaceError) and _connection_is_closed():
        return Outage.AWAY
    return None


def _connection_is_closed() -> bool:
    kept = connection.connection
    return kept is not None and kept.closed
