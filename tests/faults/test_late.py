"""The system was off for days: what fell due meanwhile is made up for once, by the first tick (D5, D6)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app import workflow
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.models import JobRun
from tests.factories.domain import Studio
from tests.faults import books
from tests.faults.books import DAILY
from tests.faults.house import House
from tests.faults.mail_server import MailServer
from tests.faults.work import reminders_of

pytestmark = pytest.mark.fault

DAYS_OFF = 3


def due_in(days: int) -> Session:
    """A session whose payment deadline is the end of the day so many days from today."""
    today = timezone.now().astimezone(STUDIO.zone).date()
    studio = Studio(today=today + timedelta(days=days - STUDIO.payment_deadline_days))
    return studio.walk(workflow.PRE_SCHEDULED).equip().session


def test_days_that_were_missed_are_made_up_for_once(house: House, mail_server: MailServer, tell):
    now = timezone.now()
    today = now.astimezone(STUDIO.zone).date()
    off_since = today - timedelta(days=DAYS_OFF)
    for job in DAILY:
        long_ago = now - timedelta(days=DAYS_OFF)
        JobRun.objects.create(
            job=job,
            local_date=off_since,
            due_at=long_ago,
            queued_at=long_ago,
            started_at=long_ago,
            finished_at=long_ago,
            attempts=1,
        )
    missed = [due_in(-days) for days in (1, 2, 3)]
    due_today, due_tomorrow, due_later = due_in(0), due_in(1), due_in(2)

    house.worker()
    house.minutes_until(books.both(books.all_have_run_on(today), books.all_ended, books.all_sent), "it is made up for")
    runs = JobRun.objects.filter(by_hand=False, job__in=DAILY).exclude(local_date=off_since)
    assert {run.job for run in runs} == DAILY
    assert runs.count() == len(DAILY), "once, not once for each day"
    assert {run.local_date for run in runs} == {today}
    assert {run.attempts for run in runs} == {1}
    assert set(Session.objects.filter(status=workflow.CANCELED)) == set(missed)
    # The reminder of the eve was missed for one, and comes on the day itself (D5); nobody gets two.
    reminded = [due_today, due_tomorrow]
    assert [reminders_of(session) for session in reminded] == [1, 1]
    assert [reminders_of(session) for session in (*missed, due_later)] == [0, 0, 0, 0]
    taken = mail_server.times_taken()
    assert (len(taken), taken.total()) == (len(missed) + len(reminded),) * 2

    house.time_passes(days=1)
    JobRun.objects.exclude(local_date=off_since).filter(job="send_payment_reminders").delete()
    house.minutes_until(books.both(books.all_have_run_on(today), books.all_ended, books.all_sent), "the job runs again")
    assert [reminders_of(session) for session in reminded] == [1, 1]
    assert mail_server.times_taken() == taken
    assert books.wrong() == {}
    tell(
        f"off for {DAYS_OFF} days",
        f"{len(DAILY)} jobs, {len(missed)} sessions, {len(reminded)} reminders",
        lost=0,
        doubled=taken.total() - len(taken),
        seen="made up for by the first tick, each once",
    )
