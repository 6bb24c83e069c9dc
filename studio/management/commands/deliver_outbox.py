"""`manage.py deliver_outbox`: what is due is sent now, by hand."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django.core.management import BaseCommand, CommandParser
from django.utils import timezone

from studio import outbox

WHY = {
    "send": "",
    "drop": "what it says is no longer so",
    "give up": "the address is none, or every attempt failed",
}


class Command(BaseCommand):
    help = "Send the e-mails that are due, all of them, also when the mail server was found to be down a moment ago."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only tell what would become of each, and why")

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        if options["dry_run"]:
            self._tell(now)
            return
        counts = outbox.deliver(seconds=float("inf"), knock=True)
        self.stdout.write(
            f"{counts['sent']} sent, {counts['dropped']} dropped, {counts['failed']} to be tried again, "
            f"{counts['dead']} given up, {counts['held']} put back."
        )
        if counts["held"]:
            self.stdout.write("The mail server takes nothing at the moment; the rest waits.")

    def _tell(self, now: datetime) -> None:
        counts: Counter[str] = Counter()
        for row, verdict in outbox.plan(now):
            counts[verdict] += 1
            why = f" ({WHY[verdict]})" if WHY[verdict] else ""
            self.stdout.write(f"{verdict:8} {row.pk:>8}  {row.kind:24} {row.to}{why}")
        self.stdout.write(
            f"{counts['send']} to send, {counts['drop']} to drop, {counts['give up']} to give up. Nothing was done."
        )
