"""``manage.py restore FILE``: put a backup in the place of the database, or into another one, to look at it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation
from django.utils.timesince import timesince

from studio import backups
from studio.backups import Plan, Restored
from studio.children import leaving_tidily
from studio.postgres import PostgresError


class Command(BaseCommand):
    help = (
        "Restore a backup beside the present database, compare it, and swap the two by name. The former database is "
        "kept under another name, to which --back-to returns."
    )
    # It has to work when something else does not.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="the backup: atelier-....dump")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--into", metavar="NAME", help="another database than the one of DATABASE_URL")
        parser.add_argument("--back-to", metavar="NAME", help="undo: return to the database that a restore has kept")
        parser.add_argument("--forget", metavar="NAME", help="remove a database that a restore has kept")
        parser.add_argument(
            "--no-privileges", action="store_true", help="leave out rights of accounts that this server does not have"
        )

    def handle(
        self,
        *,
        file: Path | None,
        yes: bool,
        into: str | None,
        back_to: str | None,
        forget: str | None,
        no_privileges: bool,
        **options: Any,
    ) -> None:
        if [file, back_to, forget].count(None) != 2:
            raise CommandError("Name either a backup to restore, or a kept database with --back-to or --forget.")
        try:
            with leaving_tidily(), translation.override("en"):
                if back_to is not None:
                    self._go_back(back_to, yes)
                elif forget is not None:
                    self._forget(forget, yes)
                else:
                    plan = backups.plan_restore(file.absolute(), database=into)
                    self._show(plan)
                    if plan.replaces and not yes:
                        self._ask(plan.database)
                    done = backups.restore(plan, privileges=not no_privileges, say=self.stdout.write)
                    self._tell(done)
        except PostgresError as wrong:
            raise CommandError(f"{wrong} Nothing has changed.") from wrong

    def _show(self, plan: Plan) -> None:
        """What is going to be replaced by what."""
        where = plan.server.address(plan.database)
        if plan.replaces:
            self.stdout.write(f"This replaces the database {plan.database} ({where}).")
        else:
            self.stdout.write(f"This makes the database {plan.database} ({where}); there is nothing to replace.")
        backup = plan.backup
        if backup is None:
            self.stdout.write("The backup has no manifest beside it: nothing tells of when it is, or if it is whole.")
        else:
            tried = "verified" if backup.verified_at else "not verified"
            age = timesince(backup.taken_at, timezone.now())
            when = f"{backup.taken_at:%Y-%m-%d %H:%M:%S} UTC, {age} ago"
            self.stdout.write(f"The backup was taken of {backup.database} at {when}; {tried}.")
        self.stdout.write(_table(plan))

    def _ask(self, name: str) -> None:
        """Have the name of the database typed."""
        if not sys.stdin.isatty():
            raise CommandError(f"Nobody is here to type {name}; say --yes if you mean it.")
        self.stdout.write(f"Type the name of the database ({name}) to go on: ", ending="")
        self.stdout.flush()
        if sys.stdin.readline().strip() != name:
            raise CommandError("That is not its name; nothing has changed.")

    def _tell(self, done: Restored) -> None:
        self.stdout.write(f"{done.database} is the restored one now, with {done.rows} rows.")
        if done.to_migrate:
            self.stdout.write(
                f"It is older than this program: run `manage.py migrate` ({len(done.to_migrate)} to apply, "
                f"{', '.join(done.to_migrate[:5])})."
            )
        for warning in done.warnings:
            self.stdout.write(warning)
        self._tell_how_to_undo(done)

    def _tell_how_to_undo(self, done: Restored) -> None:
        if done.kept_as is None:
            return
        self.stdout.write(f"The former one is kept as {done.kept_as}.")
        self.stdout.write(f"To return to it:    manage.py restore --back-to {done.kept_as}")
        self.stdout.write(f"To remove it:       manage.py restore --forget {done.kept_as}")

    def _go_back(self, former: str, yes: bool) -> None:
        if not yes:
            self.stdout.write(f"This returns to {former}. What was written since the restore is kept aside in turn.")
            self._ask(former)
        done = backups.go_back(former)
        self.stdout.write(f"{done.database} is the database that was called {former}.")
        self._tell_how_to_undo(done)

    def _forget(self, former: str, yes: bool) -> None:
        if not yes:
            self.stdout.write(f"This removes {former} for good.")
            self._ask(former)
        backups.forget(former)
        self.stdout.write(f"{former} is removed.")


def _table(plan: Plan) -> str:
    """The counts of both, side by side."""
    lines: list[Sequence[str]] = [("", "now", "in the backup")] if plan.replaces else [("", "in the backup")]
    for name, count in plan.then.items():
        now = [f"{plan.now[name]:,}"] if plan.replaces else []
        lines.append((name, *now, f"{count:,}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )
