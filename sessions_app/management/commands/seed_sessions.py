"""``manage.py seed_sessions --sessions N --into NAME``: a large data set for measuring, the same each time."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import date
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError, connection
from django.utils import timezone, translation

from payments.models import Till
from sessions_app.models import Session
from sessions_app.seeding.agenda import Size
from sessions_app.seeding.writing import WrongSeed, seed_sessions
from studio.conf import STUDIO


class Command(BaseCommand):
    help = "Fill a database with very many sessions, for measuring. What it writes is invented and cannot be taken out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sessions", type=_between(1, 5_000_000), required=True, help="how many")
        parser.add_argument("--into", required=True, metavar="DATABASE", help="the database's name, to be sure of it")
        parser.add_argument("--people", type=_between(1, 2_000), default=20, help="photographers (20)")
        parser.add_argument("--rooms", type=_between(1, 1_000), default=6, help="rooms (6)")
        parser.add_argument("--today", type=date.fromisoformat, help="the day they lie around (the studio's today)")
        parser.add_argument("--seed", type=int, default=1, help="another number gives another data set (1)")
        parser.add_argument("--add", action="store_true", help="also beside the sessions that are there")

    def handle(self, *, into: str, add: bool, today: date | None, **options: Any) -> None:
        _refuse_another_database(into)
        _refuse_a_studio_at_work(add)
        size = Size(options["sessions"], options["people"], options["rooms"])
        today = today or timezone.now().astimezone(STUDIO.zone).date()
        began = monotonic()
        try:
            with translation.override("en"):
                rows = seed_sessions(size, today=today, seed=options["seed"])
        except WrongSeed as wrong:
            raise CommandError(f"Nothing was written: {wrong}") from wrong
        except ProgrammingError as refused:
            if getattr(refused.__cause__, "sqlstate", "") != "42501":  # insufficient privilege
                raise
            raise CommandError(
                "This account of the database may not write in bulk: take a superuser, or have one"
                f' GRANT SET ON PARAMETER session_replication_role TO "{connection.settings_dict["USER"]}".'
            ) from refused
        for name, count in rows.items():
            self.stdout.write(f"{count:>12,}  {name}")
        self.stdout.write(f"Written and checked in {monotonic() - began:.1f} s.")


def _refuse_another_database(into: str) -> None:
    settings = connection.settings_dict
    if into != settings["NAME"]:
        where = f"{settings['NAME']!r} on {settings['HOST'] or 'this machine'}"
        raise CommandError(f"This would be written into the database {where}, and --into says {into!r}.")


def _refuse_a_studio_at_work(add: bool) -> None:
    if Session.objects.exists() and not add:
        raise CommandError("There are sessions in this database already: take an empty one, or add to them with --add.")
    if Till.objects.filter(closed_through__isnull=False).exists():
        raise CommandError("Days of the till are closed in this database, and money is not put on closed days.")


def _between(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            number = int(text.replace("_", "").replace(",", ""))
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= number <= most:
            raise ArgumentTypeError(f"it lies from {least} to {most}")
        return number

    return read
