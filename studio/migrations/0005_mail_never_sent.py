"""Leave what waits to the one index that gives it in the order in which it is sent."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("studio", "0004_outbox_tries_default"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="outgoingemail",
            name="mail_not_sent",
        ),
        migrations.AddIndex(
            model_name="outgoingemail",
            index=models.Index(
                condition=models.Q(("status__in", ["dropped", "dead"])),
                fields=["status", "-created_at", "-id"],
                name="mail_never_sent",
            ),
        ),
    ]
