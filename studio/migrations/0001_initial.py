"""The leaf's tables, and the trigger that keeps the audit log append only."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import studio.models

# The audit log is added to, never edited: not by the admin, a shell or an action with an error in it.
APPEND_ONLY = """
CREATE FUNCTION studio_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is append only.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER studio_audit_append_only BEFORE UPDATE OR DELETE ON studio_auditevent
    FOR EACH ROW EXECUTE FUNCTION studio_audit_append_only();
"""
EDITABLE = """
DROP TRIGGER studio_audit_append_only ON studio_auditevent;
DROP FUNCTION studio_audit_append_only();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "email",
                    studio.models.LowerCaseEmailField(
                        error_messages={"unique": "Somebody already signs in with this e-mail."},
                        max_length=254,
                        unique=True,
                        verbose_name="e-mail",
                    ),
                ),
                ("full_name", models.CharField(max_length=100, verbose_name="full name")),
                ("phone", models.CharField(blank=True, max_length=20, verbose_name="phone")),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Inactive people cannot sign in; what they did stays.",
                        verbose_name="active",
                    ),
                ),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False, verbose_name="may open the data administration"
                    ),
                ),
                (
                    "commission_rate",
                    models.DecimalField(
                        blank=True,
                        decimal_places=3,
                        help_text="Of an artist, from 0 to 1: 0.5 is one half. Empty means one half.",
                        max_digits=4,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                        verbose_name="commission rate",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        choices=[("es", "Spanish"), ("en", "English")],
                        help_text="Empty means the studio's.",
                        max_length=2,
                        verbose_name="language",
                    ),
                ),
                (
                    "date_joined",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="since"
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "person",
                "verbose_name_plural": "people",
                "ordering": ["full_name", "pk"],
            },
        ),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="at"
                    ),
                ),
                ("event", models.CharField(max_length=40, verbose_name="event")),
                (
                    "actor_id",
                    models.BigIntegerField(blank=True, null=True, verbose_name="person's id"),
                ),
                ("actor_name", models.CharField(blank=True, max_length=200, verbose_name="person")),
                (
                    "object_type",
                    models.CharField(blank=True, max_length=100, verbose_name="kind of object"),
                ),
                (
                    "object_id",
                    models.CharField(blank=True, max_length=64, verbose_name="object's id"),
                ),
                (
                    "object_label",
                    models.CharField(blank=True, max_length=200, verbose_name="object"),
                ),
                ("details", models.JSONField(blank=True, default=dict, verbose_name="details")),
            ],
            options={
                "verbose_name": "audit event",
                "verbose_name_plural": "audit log",
                "ordering": ["-at", "-pk"],
                "indexes": [
                    models.Index(fields=["-at", "-id"], name="audit_latest"),
                    models.Index(fields=["event", "-at"], name="audit_by_event"),
                    models.Index(fields=["actor_id", "-at"], name="audit_by_actor"),
                    models.Index(
                        fields=["object_type", "object_id", "-at"], name="audit_by_object"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("event", ""), _negated=True), name="audit_event_named"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("job", models.CharField(max_length=60, verbose_name="job")),
                (
                    "local_date",
                    models.DateField(help_text="In the studio's zone.", verbose_name="day"),
                ),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("queued_at", models.DateTimeField(blank=True, null=True, verbose_name="queued")),
                ("started_at", models.DateTimeField(blank=True, null=True, verbose_name="started")),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("done", models.PositiveIntegerField(default=0, verbose_name="done")),
                ("skipped", models.PositiveIntegerField(default=0, verbose_name="skipped")),
                ("failed", models.PositiveIntegerField(default=0, verbose_name="failed")),
                ("report", models.JSONField(blank=True, default=dict, verbose_name="report")),
            ],
            options={
                "verbose_name": "job run",
                "verbose_name_plural": "job runs",
                "ordering": ["-due_at", "job"],
                "indexes": [
                    models.Index(fields=["-due_at"], name="job_latest"),
                    models.Index(
                        condition=models.Q(("finished_at__isnull", True)),
                        fields=["due_at"],
                        name="job_unfinished",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("job", "local_date"), name="job_once_a_day")
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=40, verbose_name="kind")),
                ("params", models.JSONField(blank=True, default=dict, verbose_name="parameters")),
                ("url", models.CharField(blank=True, max_length=300, verbose_name="link")),
                ("about_type", models.CharField(blank=True, max_length=100, verbose_name="about")),
                (
                    "about_id",
                    models.BigIntegerField(blank=True, null=True, verbose_name="about id"),
                ),
                ("key", models.CharField(blank=True, max_length=150, verbose_name="key")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                ("read_at", models.DateTimeField(blank=True, null=True, verbose_name="read")),
                (
                    "recipient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="recipient",
                    ),
                ),
            ],
            options={
                "verbose_name": "notice",
                "verbose_name_plural": "notices",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="OutgoingEmail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        help_text="What it is about; never two for one key.",
                        max_length=200,
                        unique=True,
                        verbose_name="key",
                    ),
                ),
                ("kind", models.CharField(max_length=40, verbose_name="kind")),
                ("to", models.EmailField(max_length=254, verbose_name="to")),
                ("language", models.CharField(max_length=2, verbose_name="language")),
                ("context", models.JSONField(blank=True, default=dict, verbose_name="facts")),
                ("about_type", models.CharField(blank=True, max_length=100, verbose_name="about")),
                (
                    "about_id",
                    models.BigIntegerField(blank=True, null=True, verbose_name="about id"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("claimed", "being sent"),
                            ("sent", "sent"),
                            ("dropped", "dropped"),
                            ("dead", "given up"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                (
                    "next_try_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="next try"
                    ),
                ),
                ("claimed_at", models.DateTimeField(blank=True, null=True, verbose_name="claimed")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                (
                    "last_error",
                    models.CharField(blank=True, max_length=300, verbose_name="last error"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
            ],
            options={
                "verbose_name": "outgoing e-mail",
                "verbose_name_plural": "outgoing e-mails",
                "ordering": ["-created_at", "-pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["waiting", "claimed"])),
                        fields=["next_try_at", "id"],
                        name="mail_to_send",
                    ),
                    models.Index(fields=["about_type", "about_id"], name="mail_about"),
                    models.Index(fields=["-created_at", "-id"], name="mail_latest"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["waiting", "claimed", "sent", "dropped", "dead"])
                        ),
                        name="mail_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("sent_at__isnull", False), ("status", "sent")),
                            models.Q(
                                models.Q(("status", "sent"), _negated=True),
                                ("sent_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="mail_sent_has_its_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "claimed"), _negated=True),
                            ("claimed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="mail_claimed_has_its_time",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                name="user_email_in_lower_case",
                violation_error_message="The e-mail has to be in lower case.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("full_name", ""), _negated=True),
                name="user_has_a_name",
                violation_error_message="A person needs a name.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("commission_rate__isnull", True),
                    models.Q(("commission_rate__gte", 0), ("commission_rate__lte", 1)),
                    _connector="OR",
                ),
                name="user_commission_rate_0_to_1",
                violation_error_message="A commission rate lies from 0 to 1.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("language__in", ["", "es", "en"])),
                name="user_language_known",
                violation_error_message="This language is not spoken here.",
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("read_at__isnull", True)),
                fields=["recipient", "-created_at"],
                name="notice_unread",
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(fields=["recipient", "-created_at", "-id"], name="notice_latest"),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(fields=["about_type", "about_id"], name="notice_about"),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key", ""), _negated=True),
                fields=("recipient", "key"),
                name="notice_once_for_each_key",
            ),
        ),
        migrations.RunSQL(APPEND_ONLY, reverse_sql=EDITABLE),
    ]
