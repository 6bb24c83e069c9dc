"""`manage.py check_translations`: fails on a sentence without Spanish, or a stale .mo file."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from studio import catalogues


class Command(BaseCommand):
    help = "Check that every sentence is translated and that the compiled files are current."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        packages = ["studio", "catalog", "scheduling", "payments", "sessions_app"]
        used = catalogues.sentences_in(settings.BASE_DIR, packages)
        faults = []
        for locale in settings.LOCALE_PATHS:
            spanish = locale / "es" / "LC_MESSAGES" / "django.po"
            faults += catalogues.absent(spanish, used) if spanish.exists() else [f"There is no {spanish.name} for es."]
            for source in catalogues.catalogues(locale):
                faults += catalogues.faults(source)
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError(f"{len(faults)} faults in the translations.")
