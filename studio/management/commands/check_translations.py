"""`manage.py check_translations`: fails on a sentence without Spanish, or a stale .mo file."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from studio import catalogues


class Command(BaseCommand):
    help = "Check that every sentence is translated and that the compiled files are current."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        faults = [
            fault
            for locale in settings.LOCALE_PATHS
            for source in catalogues.catalogues(locale)
            for fault in catalogues.faults(source)
        ]
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError(f"{len(faults)} faults in the translations.")
