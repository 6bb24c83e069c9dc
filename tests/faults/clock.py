"""The worker's days in a process of its own, with the clock in our hands.

`python -m tests.faults.clock FROM TO STEP [INSTANT ...]`: instants are UTC in ISO form, the step is in minutes. At each
step the tick comes, and what it enqueued is done at once, by the functions that a worker calls. Prints what ran, and
first how many sessions auto-cancel would take at each further INSTANT; one JSON object a line.
"""

import json
import os
import sys
from datetime import datetime, timedelta
from typing import Any


def look(now: datetime) -> None:
    from studio.jobs import dry_run

    _say(look=now.isoformat(), would=dry_run("auto_cancel_unpaid", now)["done"])


def walk(begin: datetime, end: datetime, step: timedelta) -> None:
    from studio.jobs import EVERY_MINUTE, JOBS, tick

    daily = tuple(job for job in JOBS if job.at is not EVERY_MINUTE)
    now = begin
    while now <= end:
        counts = tick(now, daily)
        if counts["queued"] or counts["again"]:
            _do_what_was_queued(now)
        now += step


def _do_what_was_queued(now: datetime) -> None:
    from django_q.models import OrmQ

    from studio import outbox
    from studio.jobs import run_job
    from studio.models import JobRun

    for row in OrmQ.objects.order_by("pk"):
        task = row.task
        if task["func"] == "studio.jobs.run_job":
            run_job(*task["args"], now=now)
            run = JobRun.objects.get(pk=task["args"][0])
            _say(
                job=run.job,
                day=run.local_date.isoformat(),
                at=now.strftime("%Y-%m-%dT%H:%M"),
                due=run.due_at.strftime("%Y-%m-%dT%H:%M:%S"),
                failed=run.failed,
                report=run.report,
            )
    OrmQ.objects.all().delete()
    outbox.deliver(now)


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    import django

    django.setup()
    first, last, minutes, *instants = sys.argv[1:]
    for each in instants:
        look(datetime.fromisoformat(each))
    walk(datetime.fromisoformat(first), datetime.fromisoformat(last), timedelta(minutes=int(minutes)))
