"""What the worker calls: a file is tried out, or written, in one transaction.

A worker that is killed leaves nothing behind: the database undoes its transaction. That a task is never carried out
twice is the lock of the database on the import's number; who comes second goes away.
"""

import logging
import time as clock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, connections
from django.utils import timezone, translation

from sessions_app.importing import acts, reading, writing
from sessions_app.models import Import, ImportState
from studio import audit, logs
from studio.outages import Outage, outage_of

if TYPE_CHECKING:
    from studio.models import User

logger = logging.getLogger(__name__)

# The first half of the key of the lock: nobody else's (the second is the import's number).
LOCK = 740_202
HEARD_EVERY_SECONDS = 1


def work(import_id: int, language: str, by_id: int | None = None) -> None:
    """Try the import out, or write it, as its state says, in the name of who asked for it.

    Never raises: what broke is kept in the report. A task that an earlier version queued does not say who asked: then
    it was whoever brought the file.
    """
    now = timezone.now()
    fresh = Import.objects.filter(pk=import_id, state__in=[ImportState.CHECKING, ImportState.RUNNING])
    if not (fresh.filter(started_at=None) | fresh.filter(acts.lost(now))).update(started_at=now, beat_at=now, done=0):
        return  # delivered twice by the queue, or gone
    found = Import.objects.select_related("uploaded_by").get(pk=import_id)
    with logs.task("import"), translation.override(language), _heard(found) as heard:
        try:
            by = get_user_model().objects.get(pk=by_id) if by_id is not None else found.uploaded_by
            carry_out(found, by=by, now=now, heard=heard)
        except _TakenElsewhere:
            return
        except OperationalError as error:
            if outage_of(error) is not Outage.BUSY:
                logger.exception("The import %s broke.", found.pk)
                _leave(found, {"broke": type(error).__name__})
                return
            logger.warning("The import %s was undone for the sake of others who wrote.", found.pk)
            _leave_for_another_try(found)
        except Exception as error:
            logger.exception("The import %s broke.", found.pk)
            _leave(found, {"broke": type(error).__name__})


def carry_out(found: Import, *, by: "User", now: datetime, heard: Callable[[int], None] = lambda done: None) -> None:
    """Do all of it in one transaction; keep it when it is to be written and nothing is wrong, else undo it."""
    writes = found.state == ImportState.RUNNING
    rows = reading.sheet_of(found.text, found.delimiter).rows
    try:
        with audit.act():
            _alone(found)
            outcome = writing.carry_out(rows, kind=found.kind, mapping=found.mapping, by=by, now=now, heard=heard)
            with connection.cursor() as cursor:
                # What the database looks at last, it looks at now: a trial must not find less than the act.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
            report = outcome.as_report()
            if not writes or outcome.error_count:
                raise _Undone
            _written(found, report, by=by, now=timezone.now())
    except _Undone:
        _leave(found, report)


class _Undone(Exception):
    """Nothing of it is to stay."""


class _TakenElsewhere(Exception):
    """Another worker is at it."""


def _alone(found: Import) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK, found.pk % 2**31])
        if not cursor.fetchone()[0]:
            raise _TakenElsewhere


def _written(found: Import, report: dict[str, Any], *, by: "User", now: datetime) -> None:
    """In the transaction of the rows: it is written exactly when they are."""
    kept = {"counts": report["counts"], "errors": 0}
    mine = Import.objects.filter(pk=found.pk, state=ImportState.RUNNING)
    if not mine.update(state=ImportState.DONE, report=kept, finished_at=now, text="", done=found.rows):
        raise _TakenElsewhere
    audit.record("import_written", by=by, about=found, kind=found.kind, **report["counts"])


def _leave(found: Import, report: dict[str, Any]) -> None:
    """Tried out, or not written after all: the report says what is wrong."""
    Import.objects.filter(pk=found.pk, state=found.state).update(state=ImportState.CHECKED, report=report)


def _leave_for_another_try(found: Import) -> None:
    """As it was before: what was tried out stays so, and only has to be started again."""
    before = ImportState.CHECKED if found.state == ImportState.RUNNING else ImportState.UPLOADED
    kept = found.report if found.state == ImportState.RUNNING else {}
    Import.objects.filter(pk=found.pk, state=found.state).update(state=before, report={**kept, "crossed": True})


@contextmanager
def _heard(found: Import) -> Iterator[Callable[[int], None]]:
    """Tell how far it has come on a connection of its own: nobody sees what a transaction writes before its end."""
    beside = connections.create_connection("default")
    told = clock.monotonic()

    def heard(done: int) -> None:
        nonlocal told
        if clock.monotonic() - told < HEARD_EVERY_SECONDS:
            return
        told = clock.monotonic()
        with beside.cursor() as cursor:
            cursor.execute("UPDATE sessions_app_import SET done = %s, beat_at = now() WHERE id = %s", [done, found.pk])

    try:
        yield heard
    finally:
        beside.close()
