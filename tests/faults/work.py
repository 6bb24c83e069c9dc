"""Work for the worker: sessions that nobody paid, and e-mails that wait."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from sessions_app import workflow
from sessions_app.models import Session
from studio import outbox
from studio.conf import STUDIO
from studio.models import JobRun, OutgoingEmail
from tests.factories.domain import Studio
from tests.faults.house import House
from tests.races.copies import copies

FULL = os.environ.get("RACE_ALL") == "1"
# For what the whole suite has no time for.
in_full = pytest.mark.skipif(not FULL, reason="`python3 run.py faults` runs it")

HOLDER = "somebody else"

# The copies have been everywhere where their original was.
HISTORY = """
DELETE FROM sessions_app_statushistory WHERE session_id = ANY(%(copies)s);
INSERT INTO sessions_app_statushistory (session_id, previous_status, new_status, reason, changed_at, changed_by_id)
SELECT copy, previous_status, new_status, reason, changed_at, changed_by_id
FROM unnest(%(copies)s) copy, sessions_app_statushistory WHERE session_id = %(original)s ORDER BY copy, id;
"""


def studio_since(days: int) -> Studio:
    """A studio whose people, sessions and deadlines were made so many days ago."""
    return Studio(today=timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=days))


def unpaid(studio: Studio, count: int) -> list[Session]:
    """Pre-scheduled sessions with a room and a photographer, a day apart, all with the deadline of the first."""
    first = studio.walk(workflow.PRE_SCHEDULED).equip().session
    others = copies(first, count - 1, days_apart=1, with_time=True)
    with transaction.atomic(), connection.cursor() as cursor:
        # The trigger would compare each session with the one line that its copy was written with.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(HISTORY, {"copies": [each.pk for each in others], "original": first.pk})
    return [first, *others]


@contextmanager
def held(house: House, session: Session) -> Iterator[None]:
    """Somebody else has this session locked: a job that comes to it waits, in the middle of its work."""
    other = psycopg.connect(house.url, application_name=HOLDER)
    try:
        other.execute("SELECT 1 FROM sessions_app_session WHERE id = %s FOR UPDATE", [session.pk])
        yield
    finally:
        other.close()


def mails(studio: Studio, count: int) -> list[OutgoingEmail]:
    """Confirmations that wait, all of one confirmed session."""
    session = studio.walk(workflow.CONFIRMED).session
    first = OutgoingEmail.objects.get(kind="confirmation_email", about_id=session.pk)
    same = {"to": first.to, "language": "en", "context": first.context, "about": session}
    with transaction.atomic():
        others = [outbox.queue(first.kind, key=f"{first.key}:{number}", **same) for number in range(1, count)]
    return [first, *others]


def rows_of(mails: Iterable[OutgoingEmail]) -> dict[int, OutgoingEmail]:
    """The same rows as they are now."""
    return OutgoingEmail.objects.in_bulk([each.pk for each in mails])


def reminders_of(session: Session) -> int:
    """How many reminders were ever written."""
    return OutgoingEmail.objects.filter(kind="payment_reminder_email", about_id=session.pk).count()


def run_of(job: str, **filters: Any) -> JobRun:
    return JobRun.objects.get(job=job, by_hand=False, **filters)
