"""``manage.py run_job NAME``: do one of the scheduled jobs now, or list what it would do."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation

from studio import jobs
from studio.conf import STUDIO


class Command(BaseCommand):
    help = "Run one of the scheduled jobs by hand. With --dry-run, list what it would do and change nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", nargs="?", help="its name; without one the jobs and their last runs are listed")
        parser.add_argument("--dry-run", action="store_true", help="list what it would do, change nothing")
        parser.add_argument(
            "--now", metavar="INSTANT", help="with --dry-run: as if it were 2026-12-01T00:00 in the studio"
        )

    def handle(self, *, job: str | None, dry_run: bool, now: str | None, **options: Any) -> None:
        if job is None:
            self._list()
            return
        if now and not dry_run:
            raise CommandError("--now is for --dry-run only: what is done is done now.")
        try:
            jobs.named(job)
        except LookupError:
            known = ", ".join(each.name for each in jobs.JOBS)
            raise CommandError(f"There is no job {job!r}. The jobs are: {known}.") from None
        with translation.override("en"):
            if dry_run:
                self._tell(jobs.dry_run(job, _instant(now)), would=True)
                return
            outcome = jobs.run_by_hand(job, timezone.now())
            self._tell(outcome, would=False)
        if outcome["failed"]:
            raise CommandError("Not everything could be done; see above and the log.")

    def _tell(self, outcome: dict[str, Any], *, would: bool) -> None:
        for line in outcome.get("plan", ()):
            self.stdout.write(line)
        report = outcome["report"]
        if not would:
            for code in report.get("done", ()):
                self.stdout.write(f"{code}: done")
        for reason, codes in report.get("skipped", {}).items():
            self.stdout.write(f"left as they are, {jobs.reason_in_words(reason)}: {', '.join(codes)}")
        for code, error in report.get("errors", {}).items():
            self.stdout.write(f"{code}: {error}")
        for name, found in report.get("found", {}).items():
            self.stdout.write(f"{name}: {', '.join(map(str, found))}")
        if "error" in report:
            self.stdout.write(report["error"])
        done = "would be done" if would else "done"
        self.stdout.write(f"{outcome['done']} {done}, {outcome['skipped']} skipped, {outcome['failed']} failed")

    def _list(self) -> None:
        from studio.models import JobRun

        for job in jobs.JOBS:
            last = JobRun.objects.filter(job=job.name, started_at__isnull=False).order_by("-started_at").first()
            at = "each minute" if job.at is None else f"at {job.at:%H:%M}"
            if last is None:
                told = "has not run yet"
            else:
                began = last.started_at.astimezone(STUDIO.zone)
                took = "not ended" if last.took is None else f"{last.took.total_seconds():.1f} s"
                told = (
                    f"{began:%Y-%m-%d %H:%M}, {took}: {last.done} done, {last.skipped} skipped, {last.failed} failed"
                    + (", by hand" if last.by_hand else "")
                )
            self.stdout.write(f"{job.name:<24} {at:<12} {told}")


def _instant(text: str | None) -> datetime:
    if text is None:
        return timezone.now()
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no instant such as 2026-12-01T00:00.") from None
    return given if given.tzinfo else given.replace(tzinfo=STUDIO.zone)
