"""`manage.py doctor`: whether everything is well with this installation, and what to do where it is not."""

from __future__ import annotations

import json
import logging
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from studio import embedded, health
from studio.health import BAD, OK, WARN, Finding

CONNECT_WITHIN_SECONDS = 5
# A check that waits for somebody's lock says so instead of waiting.
STATEMENT_WITHIN = "10s"
MARKS = {OK: "✓", WARN: "!", BAD: "✗"}
PLAIN_MARKS = {OK: "ok  ", WARN: "look", BAD: "BAD "}


class Command(BaseCommand):
    help = (
        "Look at the database, the worker, jobs, mail, clocks, backups and settings of this installation. "
        "Changes nothing, sends nothing. Exits with 1 when something is broken."
    )
    # It tells what is wrong itself, also when the models' own checks would stop other commands.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")
        parser.add_argument(
            "--only", metavar="NAME", action="append", default=[], help="one check, or one group; may be repeated"
        )
        parser.add_argument("--patience", type=float, default=5.0, help="seconds for the mail server to answer (5)")
        # manage.py has read it already: the settings depend on it.
        parser.add_argument("--data", type=Path, help="the data directory of a demo that was started with --data")

    def handle(self, *, only: list[str], patience: float, data: Path | None, **options: Any) -> None:
        if data is not None and data.absolute() != settings.DATA_DIR:
            raise CommandError("--data has to be said to manage.py; elsewhere set ATELIER_DATA.")
        known = {check.name for check in health.CHECKS} | set(health.GROUPS)
        for name in only:
            if name.split(".")[0] not in known:
                raise CommandError(f"There is no check {name!r}. There are: {', '.join(sorted(known))}.")
        # No log between the sentences, unless it is asked for.
        quiet = _silence() if options["verbosity"] < 2 else nullcontext()
        with translation.override("en"), quiet, _embedded_database() as why_not, _patient_database():
            found = health.findings(timezone.now(), only=only, patience=patience)
        if options["json"]:
            self.stdout.write(json.dumps(health.as_dict(found), indent=2, ensure_ascii=False))
        else:
            with translation.override("en"):
                if why_not:
                    self.stdout.write(self.style.ERROR(why_not))
                self._tell(found)
        if health.worst(found) == BAD:
            sys.exit(1)

    def _tell(self, found: list[Finding]) -> None:
        styles = {OK: self.style.SUCCESS, WARN: self.style.WARNING, BAD: self.style.ERROR}
        marks = MARKS if _can_show("".join(MARKS.values()), self.stdout) else PLAIN_MARKS
        width = max((len(each.name) for each in found), default=0)
        indent = " " * (len(marks[OK]) + width + 5)
        for group, members in groupby(found, key=lambda each: each.group):
            self.stdout.write(self.style.MIGRATE_HEADING(str(health.GROUPS[group])))
            for each in members:
                mark = styles[each.level](marks[each.level])
                self.stdout.write(f"  {mark} {each.name:<{width}}  {each.says}")
                if each.advice and each.level != OK:
                    self.stdout.write(f"{indent}-> {each.advice}")
        counts = health.counts(found)
        closing = _("%(ok)s ok, %(warn)s to watch, %(bad)s broken") % counts
        self.stdout.write(styles[health.worst(found)](closing))


@contextmanager
def _silence() -> Iterator[None]:
    """What a library logs about a server that is away, the findings say in words."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _embedded_database() -> Iterator[str]:
    """Use the embedded server as its other users do, if there is one; gives why it cannot be used, or ""."""
    if os.environ.get("DATABASE_URL"):
        yield ""
        return
    cluster = embedded.Cluster(settings.DATA_DIR)
    if not cluster.data.exists():
        # Whoever asks how an installation is does not want a new one.
        yield f"There is no database in {settings.DATA_DIR}: start the demo (python3 run.py), or set DATABASE_URL."
        return
    try:
        cluster.start()
    except (embedded.EmbeddedError, OSError) as wrong:
        yield str(wrong)
        return
    try:
        yield ""
    finally:
        connection.close()
        cluster.stop()


@contextmanager
def _patient_database() -> Iterator[None]:
    """Wait for the database, but not for ever."""
    options = connection.settings_dict.setdefault("OPTIONS", {})
    options.setdefault("connect_timeout", CONNECT_WITHIN_SECONDS)
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [STATEMENT_WITHIN])
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


def _can_show(text: str, stream: Any) -> bool:
    """Whether the terminal, or the file, takes these letters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
