"""The workers at once: the same tick, the same job, the same waiting e-mails (D6)."""

from datetime import timedelta
from functools import partial

import pytest
from django.core import mail
from django_q.models import OrmQ

from sessions_app import jobs, workflow
from studio.jobs import EVERY_MINUTE, JOBS, run_job, tick
from studio.models import JobRun, OutgoingEmail
from studio.outbox import deliver
from tests.factories.domain import Studio
from tests.races import guards
from tests.races.copies import copies
from tests.races.test_moves import done_twice
from tests.races.together import FEWER, WIDTH, Outcome, assert_typed, show, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

ONE_RUN_A_DAY = ("studio_jobrun", "job_once_a_day")
DAILY = sum(job.at is not EVERY_MINUTE for job in JOBS)


DUE = 6


def queued(outcomes: list[Outcome]) -> int:
    return sum(outcome.value["queued"] for outcome in winners(outcomes))


def test_ticks_at_once_enqueue_each_job_once(studio, crowd, tally):
    line = tally("the same tick")
    for number in range(FEWER):
        now = studio.now + timedelta(days=number)
        outcomes = crowd.race([partial(tick, now)] * WIDTH)
        line.add(outcomes, broken=queued(outcomes) - DAILY, won=queued(outcomes))
        assert_typed(outcomes)
        # What never ended would be enqueued again.
        JobRun.objects.update(finished_at=now)
    assert line.broken == 0
    assert JobRun.objects.count() == FEWER * DAILY
    tasks = [task["args"] for task in (row.task for row in OrmQ.objects.all()) if task["func"].endswith(".run_job")]
    assert len(tasks) == len(set(tasks)) == FEWER * DAILY


def test_without_the_unique_constraint_ticks_enqueue_jobs_twice(studio, crowd, tally):
    line = tally("the same tick, CONTROL")
    with guards.without_constraints(ONE_RUN_A_DAY):

        def attempt() -> int:
            now = studio.now + timedelta(days=line.rounds)
            outcomes = crowd.race([partial(tick, now)] * WIDTH)
            line.add(outcomes, broken=queued(outcomes) - DAILY, won=queued(outcomes))
            return line.broken

        show(attempt)


def test_one_job_started_many_times_runs_once(studio, crowd, tally):
    """Delivered again and again by the broker: the claim of the row lets one of them work."""
    line = tally("the same job run")
    for number in range(FEWER):
        tick(studio.now + timedelta(days=number))
        run = JobRun.objects.filter(job="validate_integrity").latest("local_date")
        outcomes = crowd.race([partial(run_job, run.pk)] * WIDTH)
        worked = sum(bool(outcome.value) for outcome in outcomes)
        line.add(outcomes, broken=worked - 1, won=worked)
        assert_typed(outcomes)
    assert line.broken == 0


def test_the_same_job_many_times_at_once_cancels_each_session_once(studio, crowd, tally):
    """Whoever comes second finds it cancelled, and skips it: no failure, no second mail."""
    line = tally("the same job")
    for _ in range(FEWER):
        first = studio.walk(workflow.PRE_SCHEDULED).session
        sessions = [first, *copies(first, DUE - 1)]
        now = first.payment_deadline + timedelta(seconds=1)
        outcomes = crowd.race([partial(jobs.auto_cancel_unpaid, now)] * WIDTH)
        assert_typed(outcomes)
        done = sum(outcome.value["done"] for outcome in outcomes)
        # Nothing was paid: there is a cancellation, a mail and a line in the log, but no refund.
        again = sum(done_twice(session) + 1 for session in sessions)
        line.add(outcomes, broken=again + sum(outcome.value["failed"] for outcome in outcomes), won=done)
    assert line.broken == 0
    assert line.winners == DUE * FEWER


def waiting_mails(studio: Studio, count: int) -> None:
    """Copies of the confirmation of one session."""
    studio.walk(workflow.CONFIRMED)
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    rows = [OutgoingEmail.objects.get(pk=row.pk) for _ in range(count)]
    for number, each in enumerate(rows):
        each.pk, each.key = None, f"{row.key}:{number}"
    row.delete()
    OutgoingEmail.objects.bulk_create(rows)


def test_workers_at_once_send_each_mail_once(studio, crowd, tally):
    line, count = tally("the same mails"), 2 * WIDTH
    waiting_mails(studio, count)
    outcomes = crowd.race([deliver] * WIDTH)
    line.add(outcomes, broken=len(mail.outbox) - count, won=sum(outcome.value["sent"] for outcome in outcomes))
    assert_typed(outcomes)
    assert (line.winners, line.broken) == (count, 0)
    assert not OutgoingEmail.objects.exclude(status="sent").exists()


def test_without_the_lock_workers_send_mails_twice(studio, crowd, tally, monkeypatch):
    line, count = tally("the same mails, CONTROL"), 2 * WIDTH
    waiting_mails(studio, count)
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        mail.outbox.clear()
        OutgoingEmail.objects.update(status="waiting", attempts=0, sent_at=None, claimed_at=None)
        outcomes = crowd.race([deliver] * WIDTH)
        line.add(outcomes, broken=len(mail.outbox) - count, won=len(mail.outbox))
        return line.broken

    show(attempt)
