"""Requests and negotiations that held something already hold it from now on for as long as a new one would."""

from django.db import migrations
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from sessions_app.deadlines import hold_deadline


def begin_holds(apps, schema_editor):
    Session = apps.get_model("sessions_app", "Session")
    held = Q()
    for name in ("RoomReservation", "StaffReservation"):
        rows = apps.get_model("scheduling", name).objects
        held |= Q(Exists(rows.filter(session=OuterRef("pk"), released_at__isnull=True)))
    now = timezone.now()
    found = Session.objects.filter(
        held, status__in=["Request", "Negotiation"], deleted_at__isnull=True, held_until__isnull=True
    )
    for session in found.only("pk", "starts_at").iterator():
        until = hold_deadline(now, session.starts_at)
        if until is not None:
            Session.objects.filter(pk=session.pk).update(held_until=until)


class Migration(migrations.Migration):
    dependencies = [
        ("scheduling", "0004_opening_hours"),
        ("sessions_app", "0006_holds_and_feeds"),
    ]

    operations = [migrations.RunPython(begin_holds, migrations.RunPython.noop)]
