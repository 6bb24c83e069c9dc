"""The demo studio: in every state, sound, the same rules for everybody."""

from collections import Counter
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from sessions_app import jobs, workflow
from sessions_app.demo import PASSWORD, DemoStudio
from sessions_app.models import Session
from studio.models import User
from studio.roles import Role, roles_of

pytestmark = pytest.mark.django_db


def test_the_demo_has_every_state_and_role_and_sound_books():
    said = StringIO()
    call_command("load_demo", stdout=said)
    states = Counter(Session.objects.values_list("status", flat=True))
    assert set(states) == set(workflow.ALL_STATES)
    assert {role for user in User.objects.all() for role in roles_of(user)} == set(Role)
    assert jobs.validate_integrity(timezone.now())["failed"] == 0
    assert not Session.objects.filter(updated_at__gt=timezone.now()).exists()
    held = Session.objects.filter(held_until__isnull=False)
    assert held.filter(held_until__lt=timezone.now()).exists() and held.exclude(hold_reason="").exists()
    ana = User.objects.get(email="ana@demo.test")
    assert ana.check_password(PASSWORD)
    assert "ana@demo.test" in said.getvalue()
    with pytest.raises(CommandError):
        call_command("load_demo")


@pytest.mark.parametrize("days", range(1, 7))
def test_the_demo_can_be_loaded_on_any_day_of_the_week(days):
    """Saturdays are the busiest; nobody may be at two places, whichever day the demo begins on."""
    DemoStudio(timezone.now() - timedelta(days=days)).build()
    assert set(Session.objects.values_list("status", flat=True)) == set(workflow.ALL_STATES)
