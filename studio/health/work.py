"""What runs by itself: the worker, its queue, and the jobs' last runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from redis.backoff import NoBackoff
from redis.retry import Retry

from studio import jobs
from studio.health.look import BAD, Look, Verdict, bad, broken, in_words, ok, recent_runs, warn, within
from studio.health.words import length, some, took
from studio.models import JobRun
from studio.navigation import address
from studio.templatetags.atelier import moment

logger = logging.getLogger(__name__)

HEARTBEAT = "deliver_outbox"
# The worker ticks each minute, and may be sending e-mails for most of one.
SILENT = timedelta(minutes=3)
MISSED = timedelta(minutes=30)
LATE = timedelta(minutes=5)
MANY_TASKS, TOO_MANY_TASKS = 200, 2000
# The jobs of midnight may take all workers for their nine minutes.
OLD_TASK, TOO_OLD_TASK = timedelta(minutes=10), timedelta(minutes=20)
# Who puts a job's findings into words. Named, not imported: it lives in a package above this one.
READERS = {"validate_integrity": "sessions_app.integrity.in_words"}


# --- The worker ---------------------------------------------------------------------------


def worker(look: Look) -> Verdict:
    """Whether somebody works: the run of the last minute is the worker's heartbeat."""
    beat = _heartbeat(look.runs)
    start = _how_to_start_the_worker()
    if beat is None or beat.finished_at is None:
        if look.is_starting:
            return ok(_("The worker is starting: its first minute is not over."))
        return bad(_("The worker has not worked for a week, or never."), start)
    age = look.now - beat.finished_at
    told = {"age": length(age), "when": moment(beat.finished_at)}
    if age > SILENT:
        if look.is_starting:
            return ok(_("The worker is starting; before that it worked last on %(when)s.") % told)
        busy = _at_work(look.runs, look.now)
        if busy is not None:
            told["job"] = jobs.label(busy.job)
            return warn(
                _("The worker has done nothing else for %(age)s: it is at work on “%(job)s”.") % told,
                _("Wait for its end. With more WORKERS, or a second worker, others go on meanwhile."),
            )
        return bad(_("The worker has been silent for %(age)s, since %(when)s.") % told, start)
    if "error" in beat.report:
        return bad(
            _("The worker lives, but cannot send e-mails: %(error)s") % {"error": beat.report["error"]},
            _("Look into the worker's log."),
        )
    return ok(_("The worker ticked %(age)s ago.") % told)


def schedule(look: Look) -> Verdict:
    """django-q2 has our one schedule, which calls the tick each minute."""
    from django_q.models import Schedule

    ours = list(Schedule.objects.filter(func="studio.jobs.minute_tick").order_by("pk"))
    if not ours:
        return bad(_("The worker's schedule is not there: no job will ever run."), "manage.py migrate")
    if len(ours) > 1:
        says = ngettext("There is %(n)s schedule.", "There are %(n)s schedules instead of one.", len(ours))
        return warn(says % {"n": len(ours)}, "manage.py migrate")
    only = ours[0]
    if only.repeats == 0 or (only.schedule_type, only.minutes) != (Schedule.MINUTES, 1):
        return bad(_("The worker's schedule is not that of each minute."), "manage.py migrate")
    if look.now - only.next_run > SILENT and not look.is_starting:
        told = {"when": moment(only.next_run)}
        return bad(_("The tick of %(when)s is still to come.") % told, _how_to_start_the_worker())
    return ok(_("One schedule, each minute."))


def queue(look: Look) -> Verdict:
    """Tasks do not wait: the workers are as many as the work wants."""
    if settings.REDIS_URL:
        answer = _redis(look)
        if isinstance(answer, Exception):
            return warn(_("How many tasks wait is not known without Redis."), "")
        return _queued(answer, None)
    from django_q.models import OrmQ

    count = OrmQ.objects.count()
    first = OrmQ.objects.order_by("pk").first() if count else None
    begun = first.task.get("started") if first is not None else None
    return _queued(count, look.now - begun if isinstance(begun, datetime) else None)


def broker(look: Look) -> Iterator[Verdict]:
    """Redis, where it is the broker."""
    if not settings.REDIS_URL:
        return
    answer = _redis(look)
    if isinstance(answer, Exception):
        yield bad(
            _("Redis does not answer: %(error)s") % {"error": in_words(answer)},
            _("Start Redis, or mend REDIS_URL. Until then no job runs and no e-mail is sent."),
        )
    else:
        yield ok(_("Redis answers."))


def _queued(count: int, oldest: timedelta | None) -> Verdict:
    if not count:
        return ok(_("No task waits."))
    told = {"n": count, "age": length(oldest or timedelta())}
    if oldest is None:
        says = ngettext("%(n)s task waits.", "%(n)s tasks wait.", count) % told
    else:
        says = ngettext("%(n)s task waits, for %(age)s.", "%(n)s tasks wait, the oldest for %(age)s.", count) % told
    advice = _("See that the worker lives; with much to do, raise WORKERS or start a second worker.")
    waited = oldest or timedelta()
    if count > TOO_MANY_TASKS or waited > TOO_OLD_TASK:
        return bad(says, advice)
    if count > MANY_TASKS or waited > OLD_TASK:
        return warn(says, advice)
    return ok(says)


def _redis(look: Look) -> int | Exception:
    """How many tasks Redis holds, or why it does not say."""

    def ask() -> int:
        from django_q.conf import Conf

        # It would try again by itself, and again.
        limits = {
            "socket_connect_timeout": look.patience,
            "socket_timeout": look.patience,
            "retry": Retry(NoBackoff(), 0),
        }
        with redis.Redis.from_url(settings.REDIS_URL, **limits) as server:
            return int(server.llen(f"django_q:{Conf.CLUSTER_NAME}:q"))

    return look.answers.of("redis", lambda: within(look.patience, ask))


def _heartbeat(runs: list[JobRun]) -> JobRun | None:
    beats = [run for run in runs if run.job == HEARTBEAT and not run.by_hand]
    return max(beats, key=lambda run: run.local_date, default=None)


def _at_work(runs: list[JobRun], now: datetime) -> JobRun | None:
    """The scheduled run that may be what a worker is busy with."""
    begun = [run for run in runs if run.started_at and not run.finished_at and not run.by_hand]
    lately = [run for run in begun if now - run.started_at < jobs.STILL_RUNNING]
    # One that broke waits to be tried again: nobody is at work on it.
    return next((run for run in lately if "error" not in run.report), None)


def _how_to_start_the_worker() -> str:
    if settings.DEMO:
        return _("Start the demo: python3 run.py (its worker's log is worker.log in the data directory).")
    return _("Start it (manage.py qcluster, or its unit) and look into its log.")


# --- The jobs -----------------------------------------------------------------------------


def daily_jobs(look: Look) -> Iterator[Verdict]:
    """Each job of the day: what its last due run came to."""
    for job in jobs.JOBS:
        if job.at is not jobs.EVERY_MINUTE:
            try:
                yield _of_job(job, look.runs, look.now, look.is_starting, look.installed_at)
            except Exception as error:
                logger.warning("The runs of %s cannot be read.", job.name, exc_info=True)
                # It is no reason to say nothing of the others.
                yield replace(broken(look, error), part=job.name, label=job.label)


def _of_job(
    job: jobs.Job, runs: list[JobRun], now: datetime, is_starting: bool = False, installed_at: datetime | None = None
) -> Verdict:
    day, due_at = jobs.latest_due(job, now)
    about: dict[str, Any] = {"part": job.name, "label": job.label}
    run = _that_counts(job, runs, day, due_at)
    if run is None:
        return _not_begun(job, due_at, now, is_starting, **about)
    if "error" in run.report:
        told = {"when": moment(run.started_at or run.due_at), "error": run.report["error"]}
        advice = _by_hand(job)
        if run.finished_at is None:
            told |= {"n": run.attempts, "most": jobs.MAX_ATTEMPTS}
            advice = _("It is tried again by itself, %(most)s times at most; this was attempt %(n)s.") % told
        return bad(_("Failed on %(when)s: %(error)s") % told, advice, **about)
    if run.finished_at is None:
        return _under_way(run, now, job, **about)
    return _ended(run, job, installed_at, **about)


def _that_counts(job: jobs.Job, runs: list[JobRun], day: Any, due_at: datetime) -> JobRun | None:
    """The run of the day; or one by hand since then that came to its end after it, for it has mended what that left."""
    of_day = next((run for run in runs if (run.job, run.local_date, run.by_hand) == (job.name, day, False)), None)
    by_hand = [
        run for run in runs if run.job == job.name and run.by_hand and run.finished_at and run.started_at >= due_at
    ]
    last = max(by_hand, key=lambda run: run.finished_at, default=None)
    if last is None or (of_day and of_day.finished_at and of_day.finished_at > last.finished_at):
        return of_day
    return last


def _not_begun(job: jobs.Job, due_at: datetime, now: datetime, is_starting: bool, **about: Any) -> Verdict:
    told = {"due": moment(due_at), "late": length(now - due_at)}
    if is_starting:
        return ok(_("Fell due on %(due)s; the worker makes up for it in its first minute.") % told, **about)
    if now - due_at > MISSED:
        return bad(
            _("Missed: it fell due on %(due)s, %(late)s ago, and has not run.") % told,
            _("See that the worker lives: it makes up for what was missed.") + " " + _by_hand(job),
            **about,
        )
    if now - due_at > LATE:
        return warn(_("Late: it fell due on %(due)s, %(late)s ago.") % told, _("See that the worker lives."), **about)
    return ok(_("Fell due on %(due)s; the worker takes it up.") % told, **about)


def _under_way(run: JobRun, now: datetime, job: jobs.Job, **about: Any) -> Verdict:
    since = run.started_at or run.queued_at or run.due_at
    told = {"since": moment(since), "n": run.attempts, "done": run.done}
    if now - since > MISSED:
        says = _("Has not come to its end: begun on %(since)s, attempt %(n)s.") % told
        return bad(says, _("See that the worker lives; look into its log.") + " " + _by_hand(job), **about)
    if run.started_at is None:
        return ok(_("Waits for a worker since %(since)s.") % told, **about)
    return ok(_("Is running since %(since)s: %(done)s done so far.") % told, **about)


def _ended(run: JobRun, job: jobs.Job, installed_at: datetime | None, **about: Any) -> Verdict:
    found = [part for part in found_by(run) if part.count]
    if found:
        # The check of the records: what it names must not be.
        what = "; ".join(f"{part.finds} ({part.count})" for part in found)
        says = _("Found on %(when)s what must not be: %(what)s.") % {"when": moment(run.started_at), "what": what}
        advice = _("The page Health names each. When they are mended, look again: manage.py run_job %(job)s")
        return bad(says, advice % {"job": job.name}, url=address("integrity"), **about)
    told = {
        "when": moment(run.started_at),
        "took": took(run.took),
        "done": run.done,
        "skipped": run.skipped,
        "failed": run.failed,
        "names": some(run.report.get("errors", {})),
    }
    if run.failed:
        says = _("Ran on %(when)s, but %(failed)s failed: %(names)s.") % told
        return warn(says, _("Its report says why, on the page Health.") + " " + _by_hand(job), **about)
    # What fell due before there was anything is done at once, and is not late.
    late = run.started_at - max(run.due_at, installed_at or run.due_at)
    if not run.by_hand and late > MISSED:
        told["late"] = length(late)
        says = _("Ran on %(when)s, %(late)s late, in %(took)s: %(done)s done, %(skipped)s skipped.") % told
    elif run.by_hand:
        says = _("Ran by hand on %(when)s, in %(took)s: %(done)s done, %(skipped)s skipped.") % told
    else:
        says = _("Ran on %(when)s, in %(took)s: %(done)s done, %(skipped)s skipped.") % told
    return ok(says, **about)


def found_by(run: JobRun) -> list[Any]:
    """What a job that looks for what is wrong has found, in words: items with finds, advice, count and findings."""
    if run.job not in READERS or not run.report.get("found"):
        return []
    return import_string(READERS[run.job])(run.report)


def _by_hand(job: jobs.Job) -> str:
    return _("What would be done: manage.py run_job %(job)s --dry-run") % {"job": job.name}


# --- For the page -------------------------------------------------------------------------


def last_runs(runs: list[JobRun]) -> list[tuple[jobs.Job, JobRun | None]]:
    """Each job with its latest run that has begun, by hand or not."""
    begun = [run for run in runs if run.started_at is not None]
    return [
        (job, max((run for run in begun if run.job == job.name), key=lambda run: run.started_at, default=None))
        for job in jobs.JOBS
    ]


def silent_or_failed(now: datetime) -> int:
    """How much of the worker and its jobs is broken, for the navigation. One small query.

    Nobody else tells of a worker that died: it is the one who sends and tells.
    """
    runs = recent_runs(now, timedelta(days=2))
    beat = _heartbeat(runs)
    if beat is None or beat.finished_at is None or now - beat.finished_at > SILENT:
        # Jobs are late because of that.
        return 0 if _at_work(runs, now) else 1
    daily = [job for job in jobs.JOBS if job.at is not jobs.EVERY_MINUTE]
    return sum(_of_job(job, runs, now).level == BAD for job in daily)
