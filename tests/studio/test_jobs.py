"""The schedule and its tick: local due times, once, late, lost, broken (D1, D6)."""

from __future__ import annotations

import io
import sys
import threading
import types
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django_q.models import OrmQ, Schedule

from studio import jobs, outbox
from studio.conf import STUDIO
from studio.jobs import EVERY_MINUTE, JOBS, Job, latest_due, run_job, run_minutely, tick
from studio.models import JobRun, Notice, OutgoingEmail
from studio.roles import Role

GUATEMALA = ZoneInfo("America/Guatemala")
DAILY = (Job("at_nine", time(9, 0), "atelier_test_jobs.count"),)


@pytest.fixture(autouse=True)
def _zone():
    with STUDIO.overridden(time_zone="America/Guatemala"):
        yield


@pytest.fixture
def work(monkeypatch):
    """A module with functions that can be named as jobs; what they were called with."""
    module = types.ModuleType("atelier_test_jobs")
    module.called = []

    def count(now):
        module.called.append(now)
        return {"done": 3, "skipped": 2, "failed": 1, "report": {"sessions": ["S-1"]}}

    def breaks(now):
        raise LookupError("no such thing")

    module.count, module.breaks, module.nothing = count, breaks, lambda now: None
    monkeypatch.setitem(sys.modules, "atelier_test_jobs", module)
    return module


def _queued() -> list[tuple]:
    return [(task["func"], *task["args"]) for task in (row.task for row in OrmQ.objects.order_by("pk"))]


def test_schedule_is_that_of_the_design():
    assert {(job.name, job.at) for job in JOBS} == {
        ("auto_cancel_unpaid", time(0, 0)),
        ("auto_assign_confirmed", time(0, 0)),
        ("validate_integrity", time(2, 0)),
        ("send_payment_reminders", time(9, 0)),
        ("deliver_outbox", EVERY_MINUTE),
    }


@pytest.mark.parametrize(
    ("zone", "at", "now", "expected"),
    [
        # The minute itself, just before it, and long after it.
        ("America/Guatemala", time(9), "2026-11-21T15:00:00", ("2026-11-21", "2026-11-21T15:00:00")),
        ("America/Guatemala", time(9), "2026-11-21T14:59:59", ("2026-11-20", "2026-11-20T15:00:00")),
        ("America/Guatemala", time(0), "2026-11-22T05:59:59", ("2026-11-21", "2026-11-21T06:00:00")),
        ("America/Guatemala", time(0), "2026-11-22T06:00:00", ("2026-11-22", "2026-11-22T06:00:00")),
        # Madrid leaves out 02:00 to 03:00 on 29 March: due when it would have been by the old offset.
        ("Europe/Madrid", time(2), "2027-03-28T00:59:59", ("2027-03-27", "2027-03-27T01:00:00")),
        ("Europe/Madrid", time(2), "2027-03-28T01:00:00", ("2027-03-28", "2027-03-28T01:00:00")),
        # And repeats 02:00 to 03:00 on 25 October: due the first time.
        ("Europe/Madrid", time(2), "2026-10-25T00:00:00", ("2026-10-25", "2026-10-25T00:00:00")),
        ("Europe/Madrid", time(2), "2026-10-25T01:30:00", ("2026-10-25", "2026-10-25T00:00:00")),
        # Havana leaves out midnight itself.
        ("America/Havana", time(0), "2027-03-14T05:00:00", ("2027-03-14", "2027-03-14T05:00:00")),
        ("America/Havana", time(0), "2027-03-14T04:59:59", ("2027-03-13", "2027-03-13T05:00:00")),
    ],
)
def test_latest_due(zone, at, now, expected):
    with STUDIO.overridden(time_zone=zone):
        day, due_at = latest_due(Job("job", at, "x.y"), datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert (day.isoformat(), due_at.strftime("%Y-%m-%dT%H:%M:%S")) == expected


@pytest.mark.parametrize("zone", ["America/Guatemala", "Europe/Madrid", "America/Havana", "Australia/Lord_Howe"])
@pytest.mark.parametrize("at", [time(0), time(2), time(2, 30), time(9)])
@pytest.mark.parametrize("start", [date(2026, 10, 1), date(2027, 3, 1)])
def test_each_local_day_falls_due_exactly_once(zone, at, start):
    now = datetime.combine(start, time(0), tzinfo=UTC)
    seen = []
    with STUDIO.overridden(time_zone=zone):
        for _step in range(60 * 24 * 2):
            day, due_at = latest_due(Job("job", at, "x.y"), now)
            assert due_at <= now
            if not seen or seen[-1][0] != day:
                seen.append((day, due_at))
            now += timedelta(minutes=30)
    days = [day for day, _due_at in seen]
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    assert [due_at for _day, due_at in seen] == sorted(due_at for _day, due_at in seen)


@pytest.mark.django_db
def test_tick_enqueues_what_is_due_once():
    nine = datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA)
    assert tick(nine, DAILY)["queued"] == 1
    run = JobRun.objects.get()
    assert (run.job, run.local_date, run.due_at) == ("at_nine", date(2026, 11, 21), nine)
    for minutes in range(1, 10):
        assert tick(nine + timedelta(minutes=minutes), DAILY)["queued"] == 0
    assert _queued() == [("studio.jobs.run_job", run.pk)]


@pytest.mark.django_db
def test_missed_days_are_made_up_for_by_the_latest_only():
    tick(datetime(2026, 11, 16, 9, 0, tzinfo=GUATEMALA), DAILY)
    tick(datetime(2026, 11, 21, 8, 0, tzinfo=GUATEMALA), DAILY)
    assert sorted(JobRun.objects.values_list("local_date", flat=True)) == [date(2026, 11, 16), date(2026, 11, 20)]


@pytest.mark.django_db
def test_tick_enqueues_what_runs_each_minute(django_assert_max_num_queries):
    now = datetime(2026, 11, 21, 9, 5, tzinfo=GUATEMALA)
    assert tick(now) == {"queued": 4, "again": 0, "minutely": 1}
    with django_assert_max_num_queries(4):
        assert tick(now + timedelta(minutes=1)) == {"queued": 0, "again": 0, "minutely": 1}
    assert _queued().count(("studio.jobs.run_minutely", "deliver_outbox")) == 2


@pytest.mark.django_db
def test_row_and_task_are_written_together():
    with pytest.raises(RuntimeError), transaction.atomic():
        tick(datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA), DAILY)
        raise RuntimeError
    assert not JobRun.objects.exists()
    assert not OrmQ.objects.exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_ticks_at_once_enqueue_once():
    now = datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA)
    start = threading.Barrier(8)

    def work():
        try:
            start.wait()
            tick(now, DAILY)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert JobRun.objects.count() == 1
    assert len(_queued()) == 1


def _run(work, path="count", **values):
    run = JobRun.objects.create(
        job="at_nine", local_date=date(2026, 11, 21), due_at=datetime(2026, 11, 21, 15, tzinfo=UTC), **values
    )
    run_job(run.pk, (Job("at_nine", time(9), f"atelier_test_jobs.{path}"),))
    run.refresh_from_db()
    return run


@pytest.mark.django_db
def test_run_writes_what_came_of_it(work):
    run = _run(work)
    assert (run.done, run.skipped, run.failed) == (3, 2, 1)
    assert run.report == {"sessions": ["S-1"]}
    assert run.started_at <= run.finished_at
    assert len(work.called) == 1


@pytest.mark.django_db
def test_job_that_says_nothing_did_nothing(work):
    run = _run(work, "nothing")
    assert (run.done, run.failed, run.report) == (0, 0, {})
    assert run.finished_at


@pytest.mark.django_db
def test_task_that_is_delivered_twice_runs_once(work):
    run = _run(work)
    run_job(run.pk, DAILY)
    run_job(run.pk + 1000, DAILY)
    assert len(work.called) == 1


@pytest.mark.django_db
def test_run_that_is_under_way_is_not_started_again(work):
    from django.utils import timezone

    run = _run(work, started_at=timezone.now())
    assert work.called == []
    assert run.finished_at is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "told"),
    [("breaks", "LookupError: no such thing"), ("missing", "ImportError"), ("no.module", "No module named")],
)
def test_job_that_breaks_or_is_missing_is_reported(work, path, told):
    run = _run(work, path)
    assert run.failed == 1
    assert told in run.report["error"]
    assert run.finished_at is None


@pytest.mark.django_db
def test_broken_run_is_tried_again_and_then_given_up(work):
    broken = (Job("at_nine", time(9), "atelier_test_jobs.breaks"),)
    now = datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA)
    tick(now, broken)
    run = JobRun.objects.get()
    again = 0
    for _each in range(5):
        run_job(run.pk, broken, now)
        now += timedelta(minutes=16)
        again += tick(now, broken)["again"]
    run.refresh_from_db()
    assert run.attempts == jobs.MAX_ATTEMPTS
    assert again == jobs.MAX_ATTEMPTS - 1
    assert run.finished_at is not None
    assert "LookupError" in run.report["error"]


@pytest.mark.django_db
def test_lost_task_is_enqueued_again_once():
    now = datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA)
    tick(now, DAILY)
    assert tick(now + timedelta(minutes=14), DAILY)["again"] == 0
    assert tick(now + timedelta(minutes=16), DAILY)["again"] == 1
    assert tick(now + timedelta(minutes=17), DAILY)["again"] == 0
    assert len(_queued()) == 2


@pytest.mark.django_db
def test_minutely_job_adds_up_in_one_row_a_day(work):
    minutely = (Job("often", EVERY_MINUTE, "atelier_test_jobs.count"),)
    run_minutely("often", minutely)
    run_minutely("often", minutely)
    run = JobRun.objects.get()
    assert (run.done, run.skipped, run.failed) == (6, 4, 2)


@pytest.mark.django_db
def test_outbox_is_delivered_each_minute():
    assert run_minutely("deliver_outbox") == {"done": 0, "skipped": 0, "failed": 0, "report": {}}
    assert JobRun.objects.get().job == "deliver_outbox"


@pytest.mark.django_db
def test_outbox_has_a_dry_run_too(mailoutbox):
    outbox.queue("invitation_email", to="ana@example.test", context={}, key="1")
    told = _command("deliver_outbox", "--dry-run")
    assert "invitation_email to ana@example.test: " in told
    assert (mailoutbox, OutgoingEmail.objects.get().attempts) == ([], 0)


@pytest.mark.django_db
def test_one_run_for_each_job_and_day_is_a_constraint(work):
    _run(work)
    with pytest.raises(IntegrityError), transaction.atomic():
        _run(work)


@pytest.mark.django_db
def test_there_is_exactly_one_schedule_after_migrate():
    assert [row.func for row in Schedule.objects.all()] == ["studio.jobs.minute_tick"]
    Schedule.objects.create(func="studio.jobs.minute_tick", schedule_type=Schedule.DAILY)
    Schedule.objects.filter(pk=Schedule.objects.order_by("pk").first().pk).update(minutes=5)
    jobs.ensure_schedule()
    [row] = Schedule.objects.all()
    assert (row.schedule_type, row.minutes, row.repeats) == (Schedule.MINUTES, 1, -1)


@pytest.fixture
def admin():
    from tests.factories.studio import make_user

    return make_user(Role.ADMIN)


@pytest.mark.django_db
def test_admins_are_told_once_of_a_run_that_was_given_up(work, admin):
    broken = (Job("at_nine", time(9), "atelier_test_jobs.breaks"),)
    now = datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA)
    tick(now, broken)
    run = JobRun.objects.get()
    for _each in range(5):
        run_job(run.pk, broken, now)
        now += timedelta(minutes=16)
        tick(now, broken)
    assert [(notice.recipient, notice.kind) for notice in Notice.objects.all()] == [(admin, "job_failed")]


@pytest.mark.django_db
def test_run_whose_worker_died_each_time_is_given_up(work, admin):
    now = datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA)
    tick(now, DAILY)
    JobRun.objects.update(started_at=now, attempts=jobs.MAX_ATTEMPTS)
    tick(now + timedelta(minutes=5), DAILY)
    assert JobRun.objects.get().finished_at is None
    tick(now + jobs.STILL_RUNNING + timedelta(seconds=1), DAILY)
    run = JobRun.objects.get()
    assert run.finished_at is not None
    assert "worker ended" in run.report["error"]
    assert Notice.objects.filter(kind="job_failed", recipient=admin).count() == 1


@pytest.mark.django_db
def test_long_run_by_hand_is_not_taken_for_lost(work, admin):
    """Nothing ends a command after ten minutes; whoever started one that was killed knows it, and it has an end."""
    now = datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA)
    JobRun.objects.create(
        job="at_nine", local_date=now.date(), due_at=now, started_at=now, attempts=jobs.MAX_ATTEMPTS, by_hand=True
    )
    tick(now + timedelta(hours=1), DAILY)
    assert JobRun.objects.get(by_hand=True).finished_at is None
    tick(now + jobs.STILL_RUNNING_BY_HAND + timedelta(seconds=1), DAILY)
    run = JobRun.objects.get(by_hand=True)
    assert run.finished_at is not None
    assert "command ended" in run.report["error"]
    assert not Notice.objects.filter(kind="job_failed").exists()


@pytest.mark.django_db
def test_run_by_hand_has_a_row_of_its_own(work, monkeypatch):
    monkeypatch.setattr(jobs, "JOBS", DAILY)
    now = datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA)
    tick(now, DAILY)
    outcome = jobs.run_by_hand("at_nine", now)
    assert (outcome["done"], outcome["skipped"], outcome["failed"]) == (3, 2, 1)
    by_hand = JobRun.objects.get(by_hand=True)
    assert (by_hand.done, by_hand.finished_at is not None) == (3, True)
    jobs.run_by_hand("at_nine", now)
    assert JobRun.objects.filter(by_hand=False, finished_at=None).count() == 1
    assert tick(now + timedelta(minutes=1), DAILY)["queued"] == 0


@pytest.mark.django_db
def test_job_that_wants_to_go_on_is_called_again_by_hand(work, monkeypatch):
    monkeypatch.setattr(jobs, "JOBS", (Job("at_nine", time(9), "atelier_test_jobs.in_parts"),))
    left = [1, 2, 3]

    def in_parts(now):
        return {"done": left.pop(), "more": bool(left)}

    work.in_parts = in_parts
    assert jobs.run_by_hand("at_nine", datetime(2026, 11, 21, 9, 0, tzinfo=GUATEMALA))["done"] == 6
    assert JobRun.objects.get().done == 6


def test_every_job_says_what_it_is():
    assert all(jobs.label(job.name) != job.name for job in JOBS)
    assert jobs.label("gone") == "gone"
    with pytest.raises(LookupError):
        jobs.named("gone")


def _command(*arguments, **options):
    out = io.StringIO()
    call_command("run_job", *arguments, stdout=out, **options)
    return out.getvalue()


@pytest.mark.django_db
def test_command_lists_the_jobs_and_their_last_runs():
    assert "has not run yet" in _command()
    _command("send_payment_reminders")
    told = _command()
    assert all(job.name in told for job in JOBS)
    assert "0 done, 0 skipped, 0 failed, by hand" in told


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sleep"], "There is no job 'sleep'"),
        (["auto_cancel_unpaid", "--now", "2026-12-01"], "for --dry-run only"),
        (["auto_cancel_unpaid", "--dry-run", "--now", "tomorrow"], "'tomorrow' is no instant"),
    ],
)
def test_command_refuses_what_it_does_not_understand(arguments, told):
    with pytest.raises(CommandError, match=told):
        _command(*arguments)
    assert not JobRun.objects.exists()


@pytest.mark.django_db
def test_command_dry_run_keeps_no_record():
    assert _command("auto_cancel_unpaid", "--dry-run").endswith("0 would be done, 0 skipped, 0 failed\n")
    assert not JobRun.objects.exists()
