from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from sessions_app import states_doc


class Command(BaseCommand):
    help = "Write docs/states.md from the transition table, or compare them (--check)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail when the page is not what the table says")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / "docs" / "states.md"
        text = states_doc.render()
        if not check:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
            self.stdout.write(f"Wrote {page.name}.")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            raise CommandError("docs/states.md is not what the table says: run manage.py render_states.")
