"""``manage.py backup``: dump the database, and try the dump by restoring it."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from studio import backups
from studio.children import leaving_tidily
from studio.postgres import PostgresError

# Some of what was compared, in words.
COMPARED = {"table": "tables", "constraint": "constraints", "index": "indexes", "trigger": "triggers"}


class Command(BaseCommand):
    help = "Back up the database with pg_dump, and restore the backup into a scratch database to see that it can be."
    # It has to work when something else does not.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, metavar="DIR", help="where to write it (ATELIER_BACKUPS)")
        parser.add_argument("--no-verify", action="store_true", help="do not try the backup")
        parser.add_argument(
            "--keep", type=int, metavar="N", help="afterwards remove older backups of this database beyond the newest N"
        )

    def handle(self, *, to: Path | None, no_verify: bool, keep: int | None, **options: Any) -> None:
        directory = (to or _where()).absolute()
        if keep is not None and keep < 1:
            raise CommandError("--keep takes a number from 1 on.")
        try:
            with leaving_tidily():
                backup = backups.back_up(directory, verify=not no_verify, keep=keep, say=self.stdout.write)
        except PostgresError as wrong:
            raise CommandError(str(wrong)) from wrong
        self.stdout.write(f"Wrote {backup.path}.")
        if directory.stat().st_mode & 0o077:
            self.stdout.write(f"Others may list {directory}, but not read the backups in it; chmod 700 closes it.")
        if backup.verified_at:
            there = ", ".join(f"{backup.structure.get(kind, 0):,} {words}" for kind, words in COMPARED.items())
            rows = sum(backup.rows.values())
            self.stdout.write(f"Verified: restored into a scratch database, it has the same {rows:,} rows, {there}.")
        elif not no_verify:
            raise CommandError(f"The backup is kept, but it is not verified. {backup.why_unverified}")


def _where() -> Path:
    """The directory of the settings; that of the embedded database has one of its own."""
    if settings.BACKUPS:
        return settings.BACKUPS
    if settings.LOCAL:
        return settings.DATA_DIR / "backups"
    raise CommandError("Say where the backup shall be written: --to DIR, or ATELIER_BACKUPS in the environment.")
