"""`manage.py compile_translations`: .mo from .po, without the gettext programs."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand

from studio import catalogues


class Command(BaseCommand):
    help = "Write the compiled message catalogues."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        for locale in settings.LOCALE_PATHS:
            for source in catalogues.catalogues(locale):
                catalogues.write_compiled(source)
                self.stdout.write(str(catalogues.compiled(source).relative_to(locale.parent)))
