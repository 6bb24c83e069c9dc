"""`manage.py load_demo`: a believable studio in an empty database, and how to sign in to it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from sessions_app.demo import PASSWORD, PEOPLE, DemoStudio
from studio import outbox
from studio.models import User


class Command(BaseCommand):
    help = "Fill an empty database with the demo studio. The passwords are known: never on a public address."

    def handle(self, **options: Any) -> None:
        if User.objects.exists():
            raise CommandError("There are people in this database already: the demo wants an empty one.")
        # Whole or not at all; and the worker is woken once, not by every act of two months.
        with outbox.woken_once(), transaction.atomic():
            DemoStudio(timezone.now()).build()
        self.stdout.write(f"Sign in with the password {PASSWORD} as")
        for name, full_name, _language, roles in PEOPLE:
            self.stdout.write(f"  {name + '@demo.test':<20} {full_name}, {', '.join(role.value for role in roles)}")
