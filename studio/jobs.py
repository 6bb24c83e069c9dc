"""The schedule as data, and the tick that reads it.

django-q2's own daily schedules run twice or drift around a DST change. One schedule calls
`minute_tick`; the local due times are computed here, in the studio's zone, and each is recorded as
a JobRun, unique, in the transaction that enqueues it (D6). The same rows are the jobs' log.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string

from studio import outbox
from studio.conf import STUDIO
from studio.models import JobRun

logger = logging.getLogger(__name__)

EVERY_MINUTE = None
SCHEDULE_NAME = "atelier tick"
MAX_ATTEMPTS = 3
# A run that has not ended by then was lost with its worker, or failed: it is tried again.
RETRY_AFTER = timedelta(minutes=15)
# Longer than most tasks may last: the first midnight after an outage has much to do.
TASK_TIMEOUT_SECONDS = 540
# A run that was started longer ago has been ended by that time limit, or died with its worker.
STILL_RUNNING = timedelta(seconds=TASK_TIMEOUT_SECONDS + 60)


@dataclass(frozen=True)
class Job:
    """One line of the schedule: `at` is a local time, or EVERY_MINUTE; `run` names the function.

    The function takes `now` and returns counts (`done`, `skipped`, `failed`) and a `report`. It is
    named, not imported: most live in packages above this one.
    """

    name: str
    at: time | None
    run: str


JOBS: tuple[Job, ...] = (
    Job("auto_cancel_unpaid", time(0, 0), "sessions_app.jobs.auto_cancel_unpaid"),
    Job("auto_assign_confirmed", time(0, 0), "sessions_app.jobs.auto_assign_confirmed"),
    Job("validate_integrity", time(2, 0), "sessions_app.jobs.validate_integrity"),
    Job("send_payment_reminders", time(9, 0), "sessions_app.jobs.send_payment_reminders"),
    Job("deliver_outbox", EVERY_MINUTE, "studio.jobs.deliver_outbox"),
)


def minute_tick() -> dict[str, int]:
    """The worker's entry point, each minute."""
    return tick(timezone.now())


def tick(now: datetime, jobs: tuple[Job, ...] = JOBS) -> dict[str, int]:
    """Enqueue what is due at `now` and was not yet; returns how many runs of what sort.

    Any number of ticks may run at once or late: a JobRun is unique. Of a job whose days were missed
    only the latest due one is made up for.
    """
    counts = {"queued": 0, "again": 0, "minutely": 0}
    daily = [job for job in jobs if job.at is not EVERY_MINUTE]
    due = {job.name: latest_due(job, now) for job in daily}
    known = set(
        JobRun.objects.filter(
            job__in=due, local_date__gte=min((day for day, _at in due.values()), default=now.date())
        ).values_list("job", "local_date")
    )
    for job in daily:
        day, due_at = due[job.name]
        if (job.name, day) in known:
            continue
        with transaction.atomic():
            run, created = JobRun.objects.get_or_create(
                job=job.name, local_date=day, defaults={"due_at": due_at, "queued_at": now}
            )
            if created:
                _enqueue(run)
                counts["queued"] += 1
    counts["again"] = _enqueue_lost(now)
    for job in jobs:
        if job.at is EVERY_MINUTE:
            _async_task("studio.jobs.run_minutely", job.name)
            counts["minutely"] += 1
    return counts


def latest_due(job: Job, now: datetime) -> tuple[date, datetime]:
    """The last local day and instant at which the daily `job` fell due, at or before `now`.

    A local time that a DST change leaves out counts as the same time by the old offset; one that it
    repeats counts the first time.
    """
    assert job.at is not None
    today = now.astimezone(STUDIO.zone).date()
    due_at = _instant(today, job.at)
    if due_at <= now:
        return today, due_at
    yesterday = today - timedelta(days=1)
    return yesterday, _instant(yesterday, job.at)


def run_job(job_run_id: int, jobs: tuple[Job, ...] = JOBS, now: datetime | None = None) -> dict[str, Any]:
    """Do the work of one JobRun and write down what came of it. The worker's entry point.

    An error is kept in the row and in the log, and the run tried again later; it never stops the
    worker.
    """
    now = now or timezone.now()
    claimed = (
        JobRun.objects.filter(pk=job_run_id, finished_at__isnull=True)
        .filter(Q(started_at__isnull=True) | Q(started_at__lt=now - STILL_RUNNING))
        .update(started_at=now, attempts=F("attempts") + 1)
    )
    if not claimed:
        # Delivered twice by the broker, or gone: somebody else has it.
        return {}
    run = JobRun.objects.get(pk=job_run_id)
    outcome = _outcome(run.job, now, jobs)
    broke = "error" in outcome["report"]
    values: dict[str, Any] = dict(outcome)
    if not broke or run.attempts >= MAX_ATTEMPTS:
        values["finished_at"] = timezone.now()
    JobRun.objects.filter(pk=run.pk).update(**values)
    return outcome


def run_minutely(name: str, jobs: tuple[Job, ...] = JOBS) -> dict[str, Any]:
    """Do the work of a job that runs each minute; its row of the day adds up. The worker's entry
    point.
    """
    now = timezone.now()
    outcome = _outcome(name, now, jobs)
    day = now.astimezone(STUDIO.zone).date()
    run, _created = JobRun.objects.get_or_create(
        job=name, local_date=day, defaults={"due_at": _instant(day, time(0, 0))}
    )
    JobRun.objects.filter(pk=run.pk).update(
        started_at=now,
        finished_at=timezone.now(),
        attempts=1,
        done=F("done") + outcome["done"],
        skipped=F("skipped") + outcome["skipped"],
        failed=F("failed") + outcome["failed"],
        report=outcome["report"],
    )
    return outcome


def deliver_outbox(now: datetime) -> dict[str, Any]:
    """Send the e-mails that are due and could not be sent at once."""
    # Sending takes its own time: the instant is read again for each e-mail.
    counts = outbox.deliver()
    return {
        "done": counts["sent"],
        "skipped": counts["dropped"],
        "failed": counts["failed"] + counts["dead"],
        "report": {},
    }


def ensure_schedule() -> None:
    """Have exactly one django-q2 schedule that calls `minute_tick`. Idempotent."""
    from django_q.models import Schedule

    ours = Schedule.objects.filter(func="studio.jobs.minute_tick").order_by("pk")
    first = ours.first()
    if first is None:
        Schedule.objects.create(
            name=SCHEDULE_NAME,
            func="studio.jobs.minute_tick",
            schedule_type=Schedule.MINUTES,
            minutes=1,
            repeats=-1,
            next_run=timezone.now(),
        )
        return
    ours.exclude(pk=first.pk).delete()
    if (first.schedule_type, first.minutes, first.repeats) != (Schedule.MINUTES, 1, -1):
        ours.filter(pk=first.pk).update(schedule_type=Schedule.MINUTES, minutes=1, repeats=-1, next_run=timezone.now())


def _outcome(name: str, now: datetime, jobs: tuple[Job, ...]) -> dict[str, Any]:
    """Call the job's function; counts and report, with the error in the report when it broke."""
    try:
        path = next(job.run for job in jobs if job.name == name)
        with outbox.woken_once():
            told = import_string(path)(now) or {}
        return {
            "done": int(told.get("done", 0)),
            "skipped": int(told.get("skipped", 0)),
            "failed": int(told.get("failed", 0)),
            "report": told.get("report") or {},
        }
    except Exception as error:
        logger.exception("The job %s failed.", name)
        return {
            "done": 0,
            "skipped": 0,
            "failed": 1,
            "report": {"error": f"{type(error).__name__}: {error}"[:500]},
        }


def _enqueue_lost(now: datetime) -> int:
    """Enqueue again what was started or queued long ago and has not ended."""
    count = 0
    lost = JobRun.objects.filter(
        finished_at__isnull=True, queued_at__lt=now - RETRY_AFTER, attempts__lt=MAX_ATTEMPTS
    ).values_list("pk", "queued_at")
    for pk, queued_at in lost:
        with transaction.atomic():
            # The queue time is the claim: of two ticks at once, one finds it changed.
            mine = JobRun.objects.filter(pk=pk, queued_at=queued_at, finished_at__isnull=True)
            if mine.update(queued_at=now):
                _enqueue(JobRun(pk=pk))
                count += 1
    return count


def _enqueue(run: JobRun) -> None:
    _async_task("studio.jobs.run_job", run.pk)


def _async_task(path: str, *args: Any) -> None:
    from django_q.conf import Conf
    from django_q.tasks import async_task

    def send() -> None:
        async_task(path, *args, timeout=TASK_TIMEOUT_SECONDS)

    if Conf.ORM:
        # The queue is a table of the same database: row and task are committed together.
        send()
    else:
        # A broker elsewhere would hand the task out before the row can be seen; should the process
        # end in between, the next ticks enqueue it again.
        transaction.on_commit(send)


def _instant(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=STUDIO.zone).astimezone(UTC)
