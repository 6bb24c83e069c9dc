"""An empty list by the database as well, for rows that are written in bulk by SQL."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("studio", "0003_outbox_tries"),
    ]

    operations = [
        migrations.AlterField(
            model_name="outgoingemail",
            name="tries",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                help_text="What went wrong on the way, and who had it sent again; oldest first.",
                verbose_name="tries",
            ),
        ),
    ]
