"""What went wrong on an e-mail's way, and the indexes that its list needs among a million rows."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("studio", "0002_job_runs_by_hand"),
    ]

    operations = [
        migrations.AddField(
            model_name="outgoingemail",
            name="tries",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="What went wrong on the way, and who had it sent again; oldest first.",
                verbose_name="tries",
            ),
        ),
        migrations.AddIndex(
            model_name="outgoingemail",
            index=models.Index(
                condition=models.Q(("status__in", ["waiting", "claimed", "dropped", "dead"])),
                fields=["status", "-created_at", "-id"],
                name="mail_not_sent",
            ),
        ),
        migrations.AddIndex(
            model_name="outgoingemail",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("to"), name="text_pattern_ops"
                ),
                name="mail_by_address",
            ),
        ),
    ]
