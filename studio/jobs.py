"""The schedule as data, and the tick that reads it.

django-q2's own daily schedules run twice or drift around a DST change. One schedule calls
`minute_tick`; the local due times are computed here, in the studio's zone, and each is recorded as
a JobRun, unique, in the transaction that enqueues it (D6). The same rows are the jobs' log.
"""

from __future__ import annotations

import logging
import time as clock
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from studio import logs, outbox
from studio.conf import STUDIO
from studio.models import JobRun, User
from studio.notices import notify
from studio.roles import Role

logger = logging.getLogger(__name__)

EVERY_MINUTE = None
SCHEDULE_NAME = "atelier tick"
MAX_ATTEMPTS = 3
# A run that has not ended by then was lost with its worker, or failed: it is tried again.
RETRY_AFTER = timedelta(minutes=15)
# Longer than most tasks may last: the first midnight after an outage has much to do.
TASK_TIMEOUT_SECONDS = 540
# A job with more to do than that stops between two of its steps and goes on in a new task, behind what waits meanwhile:
# e-mails are not held up by a long night, and the time limit never ends a step in its middle.
PART_SECONDS = 50
# How often a job that is at work writes down how far it has come.
PROGRESS_EVERY_SECONDS = 2
# So many names are kept of each sort in a run's report; the counts are of all.
NAMED = 100
# A run that was started longer ago has been ended by that time limit, or died with its worker.
STILL_RUNNING = timedelta(seconds=TASK_TIMEOUT_SECONDS + 60)
# By hand there is no such limit: whoever started it sees how it ends.
STILL_RUNNING_BY_HAND = timedelta(hours=12)


@dataclass(frozen=True)
class Job:
    """One line of the schedule: `at` is a local time, or EVERY_MINUTE; `run` names the function.

    The function takes `now` and returns counts (`done`, `skipped`, `failed`) and a `report`; with `more` it has not
    come to the end and wants to be called again, to go on from where it is (`Tally.after`). With `dry_run=True` it
    changes nothing and tells in `plan` what it would do. It is named, not imported: most live in packages above this
    one.
    """

    name: str
    at: time | None
    run: str
    label: str | Promise = ""


JOBS: tuple[Job, ...] = (
    Job("auto_cancel_unpaid", time(0, 0), "sessions_app.jobs.auto_cancel_unpaid", _("Cancel what is unpaid")),
    Job("auto_assign_confirmed", time(0, 0), "sessions_app.jobs.auto_assign_confirmed", _("Assign what is complete")),
    Job("validate_integrity", time(2, 0), "sessions_app.jobs.validate_integrity", _("Check the records")),
    Job("send_payment_reminders", time(9, 0), "sessions_app.jobs.send_payment_reminders", _("Remind of deposits")),
    Job("deliver_outbox", EVERY_MINUTE, "studio.jobs.deliver_outbox", _("Send e-mails")),
)
if settings.BACKUPS:
    # Between the midnight jobs, whose work it then holds, and the morning.
    JOBS += (Job("back_up", time(3, 0), "studio.backups.nightly", _("Back up")),)

# Why a job left something as it is, in words; upper layers add theirs.
_reasons: dict[str, str | Promise] = {}


def register_reasons(reasons: Mapping[str, str | Promise]) -> None:
    """What the codes under `skipped` in a report mean; called in an `AppConfig.ready`."""
    _reasons.update(reasons)


def reason_in_words(code: str) -> str:
    return str(_reasons.get(code, code))


def named(name: str) -> Job:
    """The job of this name. Raises LookupError for an unknown one."""
    for job in JOBS:
        if job.name == name:
            return job
    raise LookupError(name)


def label(name: str) -> str:
    """What people call the job; an old run's job may no longer exist."""
    return str(next((job.label for job in JOBS if job.name == name), "") or name)


@dataclass(slots=True)
class Tally:
    """What a job has done so far. A job of many steps keeps it, so that a run that is killed still tells.

    `after` is the last id that the earlier parts of a run came to: what they left as it was must not hold up what comes
    behind it. `before` is what they counted. `done` adds up over the attempts of a run as well, since nothing is done
    twice; skipped and failed are those of the parts of the last one.
    """

    before: dict[str, int] = field(default_factory=dict)
    after: int = 0
    run_id: int | None = None
    may_stop: bool = False
    done: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    plan: list[str] = field(default_factory=list)
    _begun: float = field(default_factory=clock.monotonic)
    _told: float = field(default_factory=clock.monotonic)

    def count_done(self, name: str) -> None:
        self.done.append(name)
        self._tell()

    def count_skipped(self, name: str, reason: str) -> None:
        self.skipped.setdefault(reason, []).append(name)
        self._tell()

    def count_failed(self, name: str, error: BaseException) -> None:
        self.errors[name] = logs.private(f"{type(error).__name__}: {error}")[:200]
        self._tell()

    @property
    def is_time_to_stop(self) -> bool:
        """Whether the rest belongs into the next task."""
        return self.may_stop and clock.monotonic() - self._begun > PART_SECONDS

    def as_outcome(self, *, more: bool = False) -> dict[str, Any]:
        """With `more`, the next part goes on behind `after`."""
        report: dict[str, Any] = {}
        if self.done:
            report["done"] = self.done[:NAMED]
        if self.skipped:
            report["skipped"] = {reason: names[:NAMED] for reason, names in self.skipped.items()}
        if self.errors:
            report["errors"] = dict(list(self.errors.items())[:NAMED])
        if more:
            report["part"] = {"after": self.after}
        return self._counts() | {"report": report, "plan": self.plan, "more": more}

    def _counts(self) -> dict[str, int]:
        return {
            "done": len(self.done),
            "skipped": sum(len(names) for names in self.skipped.values()),
            "failed": len(self.errors),
        }

    def _tell(self) -> None:
        """Write the counts into the run from time to time. Never inside the transaction of a step."""
        if self.run_id is None or clock.monotonic() - self._told < PROGRESS_EVERY_SECONDS:
            return
        self._told = clock.monotonic()
        counts = {name: count + self.before.get(name, 0) for name, count in self._counts().items()}
        JobRun.objects.filter(pk=self.run_id, finished_at__isnull=True).update(**counts)


_running: ContextVar[JobRun | None] = ContextVar("atelier_job_run", default=None)


def tally() -> Tally:
    """A new tally for the job that is running in this thread, or for nobody's."""
    run = _running.get()
    if run is None:
        return Tally()
    return Tally(before=_counted_before(run), after=_part(run).get("after", 0), run_id=run.pk, may_stop=True)


@contextmanager
def _running_as(run: JobRun) -> Iterator[None]:
    token = _running.set(run)
    try:
        with logs.task(run.job):
            yield
    finally:
        _running.reset(token)


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
            by_hand=False, job__in=due, local_date__gte=min((day for day, _at in due.values()), default=now.date())
        ).values_list("job", "local_date")
    )
    for job in daily:
        day, due_at = due[job.name]
        if (job.name, day) in known:
            continue
        with transaction.atomic():
            run, created = JobRun.objects.get_or_create(
                job=job.name, local_date=day, by_hand=False, defaults={"due_at": due_at, "queued_at": now}
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
    with _running_as(run):
        outcome = _outcome(run.job, now, jobs)
    _write_down(run, outcome, jobs)
    return _columns(outcome)


def run_by_hand(name: str, now: datetime) -> dict[str, Any]:
    """Do the job of this name at once, in this process, with a row of its own in the log; returns its outcome.

    It may run beside the scheduled one: each step is locked and looked at anew, so that nothing is done twice (D6).
    Raises LookupError for an unknown name.
    """
    job = named(name)
    run = JobRun.objects.create(
        job=job.name,
        local_date=now.astimezone(STUDIO.zone).date(),
        due_at=now,
        started_at=now,
        attempts=MAX_ATTEMPTS,
        by_hand=True,
    )
    with _running_as(run):
        outcome = _outcome(name, now, JOBS)
        while outcome["more"]:
            for column, value in _added_up(run, outcome).items():
                setattr(run, column, value)
            outcome = _outcome(name, timezone.now(), JOBS)
    outcome |= _added_up(run, outcome)
    JobRun.objects.filter(pk=run.pk).update(**_columns(outcome), finished_at=timezone.now())
    return outcome


def dry_run(name: str, now: datetime) -> dict[str, Any]:
    """What the job would do at `now`: its counts, its report and `plan`, a line for each step. Changes nothing.

    Each step is really done, and undone: the list cannot disagree with the act. Raises LookupError.
    """
    job = named(name)
    return import_string(job.run)(now, dry_run=True)


def run_minutely(name: str, jobs: tuple[Job, ...] = JOBS) -> dict[str, Any]:
    """Do the work of a job that runs each minute; its row of the day adds up. The worker's entry
    point.
    """
    now = timezone.now()
    with logs.task(name):
        outcome = _outcome(name, now, jobs)
    day = now.astimezone(STUDIO.zone).date()
    run, _created = JobRun.objects.get_or_create(
        job=name, local_date=day, by_hand=False, defaults={"due_at": _instant(day, time(0, 0))}
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
    return _columns(outcome)


def deliver_outbox(now: datetime, *, dry_run: bool = False) -> dict[str, Any]:
    """Send the e-mails that are due and could not be sent at once."""
    if dry_run:
        verdicts = [(f"{row.kind} to {row.to}: {verdict}", verdict) for row, verdict in outbox.plan(now)]
        found = [verdict for _line, verdict in verdicts]
        return {
            "done": found.count("send"),
            "skipped": found.count("drop"),
            "failed": found.count("give up"),
            "report": {},
            "plan": [line for line, _verdict in verdicts],
        }
    # Sending takes its own time: the instant is read again for each e-mail.
    counts = outbox.deliver()
    return {
        "done": counts["sent"],
        "skipped": counts["dropped"] + counts["held"],
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
            "more": bool(told.get("more")),
        }
    except Exception as error:
        logger.exception("The job %s failed.", name)
        return {
            "done": 0,
            "skipped": 0,
            "failed": 1,
            "report": {"error": logs.private(f"{type(error).__name__}: {error}")[:500]},
            "more": False,
        }


def _columns(outcome: dict[str, Any]) -> dict[str, Any]:
    """What of an outcome is written down."""
    return {name: outcome[name] for name in ("done", "skipped", "failed", "report")}


def _part(run: JobRun) -> dict[str, Any]:
    """Where the earlier parts of this attempt have come to, and what they counted; empty for the first one."""
    return run.report.get("part") or {}


def _counted_before(run: JobRun) -> dict[str, int]:
    # The columns may have been written by a part that was killed, which is done once more.
    part = _part(run)
    return {"done": run.done, "skipped": part.get("skipped", 0), "failed": part.get("failed", 0)}


def _added_up(run: JobRun, outcome: dict[str, Any]) -> dict[str, Any]:
    """The columns of an outcome together with what was written down before: whole parts, and what is done for good."""
    values = _columns(outcome)
    report = dict(values["report"])
    values["done"] += run.done
    if earlier := run.report.get("done"):
        report["done"] = (earlier + report.get("done", []))[:NAMED]
    # What broke is tried again from the beginning.
    if _part(run) and "error" not in report:
        before = _counted_before(run)
        values["skipped"] += before["skipped"]
        values["failed"] += before["failed"]
        skipped = {reason: list(names) for reason, names in run.report.get("skipped", {}).items()}
        for reason, names in report.get("skipped", {}).items():
            skipped[reason] = (skipped.get(reason, []) + names)[:NAMED]
        errors = run.report.get("errors", {}) | report.get("errors", {})
        report |= {"skipped": skipped} if skipped else {}
        report |= {"errors": dict(list(errors.items())[:NAMED])} if errors else {}
    if "part" in report:
        report["part"] = report["part"] | {name: values[name] for name in ("skipped", "failed")}
    return values | {"report": report}


def _write_down(run: JobRun, outcome: dict[str, Any], jobs: tuple[Job, ...]) -> None:
    """Finish the run, let it go on in another task, or leave it to be tried again."""
    values = _added_up(run, outcome)
    broke = "error" in outcome["report"]
    ours = JobRun.objects.filter(pk=run.pk, started_at=run.started_at, finished_at__isnull=True)
    if outcome["more"]:
        with transaction.atomic():
            if ours.update(**values, started_at=None, queued_at=timezone.now(), attempts=0):
                _enqueue(run)
    elif broke and run.attempts < MAX_ATTEMPTS:
        ours.update(**values)
    else:
        with transaction.atomic():
            if ours.update(**values, finished_at=timezone.now()) and broke:
                _alert(run)


def _give_up_lost(now: datetime) -> None:
    """End what was started as often as may be and never came back: its worker died each time."""
    lost = JobRun.objects.filter(finished_at__isnull=True, attempts__gte=MAX_ATTEMPTS).filter(
        Q(by_hand=False, started_at__lt=now - STILL_RUNNING)
        | Q(by_hand=True, started_at__lt=now - STILL_RUNNING_BY_HAND)
    )
    for run in lost:
        why = "The command ended before the job did."
        if not run.by_hand:
            why = "The worker ended before the job did, each time."
        with transaction.atomic():
            ended = lost.filter(pk=run.pk).update(finished_at=now, failed=1, report=run.report | {"error": why})
            # Who started it by hand has seen how it ended.
            if ended and not run.by_hand:
                _alert(run)


def _alert(run: JobRun) -> None:
    """Tell the Admins, once for each run, that it was given up."""
    notify(
        User.objects.active().in_role(Role.ADMIN),
        "job_failed",
        key=f"job_failed:{run.pk}",
        url=_where_health_is(),
        job=run.job,
        day=run.local_date.isoformat(),
        attempts=run.attempts,
    )


def _where_health_is() -> str:
    from studio.navigation import address

    return address("health")


def _enqueue_lost(now: datetime) -> int:
    """Enqueue again what was started or queued long ago and has not ended."""
    _give_up_lost(now)
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


def later(path: str, *args: Any, seconds: int = TASK_TIMEOUT_SECONDS) -> None:
    """Have the worker call the function at ``path``, once this transaction is committed; it may take so long.

    What may last longer than the queue waits before it hands a task out again has to know itself whether it is under
    way (``Q_CLUSTER``, retry).
    """
    _async_task(path, *args, seconds=seconds)


def _async_task(path: str, *args: Any, seconds: int = TASK_TIMEOUT_SECONDS) -> None:
    from django_q.conf import Conf
    from django_q.tasks import async_task

    def send() -> None:
        async_task(path, *args, timeout=seconds)

    if Conf.ORM:
        # The queue is a table of the same database: row and task are committed together.
        send()
    else:
        # A broker elsewhere would hand the task out before the row can be seen; should the process
        # end in between, the next ticks enqueue it again.
        transaction.on_commit(send)


def _instant(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=STUDIO.zone).astimezone(UTC)
