"""The records of the leaf: people, what they did, what they are told.

No model of the other packages is named here; what a row is about is kept as words (`about_type`,
`about_id`), so that the audit log outlives what it tells of.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.indexes import OpClass
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Lower, Upper
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from studio.managers import UserManager
from studio.roles import Role, roles_of

# Minutes. More would be another appointment.
LONGEST_BUFFER = 240


class LowerCaseEmailField(models.EmailField):
    """An e-mail address that is kept, and looked for, in lower case."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.strip().lower() if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value.strip().lower() if isinstance(value, str) else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value


class User(AbstractBaseUser, PermissionsMixin):
    """A person who works in the studio. Signs in with the e-mail (schema facts, user)."""

    class Language(models.TextChoices):
        SPANISH = "es", _("Spanish")
        ENGLISH = "en", _("English")

    email = LowerCaseEmailField(
        _("e-mail"),
        unique=True,
        error_messages={"unique": _("Somebody already signs in with this e-mail.")},
    )
    full_name = models.CharField(_("full name"), max_length=100)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    is_active = models.BooleanField(
        pgettext_lazy("person", "active"),
        default=True,
        help_text=_("Inactive people cannot sign in; what they did stays."),
    )
    is_staff = models.BooleanField(_("may open the data administration"), default=False)
    commission_rate = models.DecimalField(
        _("commission rate"),
        max_digits=4,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_("Of an artist, from 0 to 1: 0.5 is one half. Empty means one half."),
    )
    buffer_before = models.PositiveSmallIntegerField(
        _("minutes before an appointment"),
        default=0,
        validators=[MaxValueValidator(LONGEST_BUFFER)],
        help_text=_("To get ready: nobody else is booked in them."),
    )
    buffer_after = models.PositiveSmallIntegerField(
        _("minutes after an appointment"),
        default=0,
        validators=[MaxValueValidator(LONGEST_BUFFER)],
        help_text=_("To clean up: nobody else is booked in them."),
    )
    language = models.CharField(
        _("language"),
        max_length=2,
        choices=Language.choices,
        blank=True,
        help_text=_("Empty means the studio's."),
    )
    date_joined = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["full_name"]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ["full_name", "pk"]
        constraints = [
            # With the unique index: no two people whose e-mails differ only in case.
            models.CheckConstraint(
                condition=Q(email=Lower("email")),
                name="user_email_in_lower_case",
                violation_error_message=_("The e-mail has to be in lower case."),
            ),
            models.CheckConstraint(
                condition=~Q(full_name=""),
                name="user_has_a_name",
                violation_error_message=_("A person needs a name."),
            ),
            models.CheckConstraint(
                condition=Q(commission_rate__isnull=True) | Q(commission_rate__gte=0, commission_rate__lte=1),
                name="user_commission_rate_0_to_1",
                violation_error_message=_("A commission rate lies from 0 to 1."),
            ),
            models.CheckConstraint(
                condition=Q(buffer_before__lte=LONGEST_BUFFER, buffer_after__lte=LONGEST_BUFFER),
                name="user_buffers_of_hours_at_most",
                violation_error_message=_("The minutes around an appointment are 240 at most."),
            ),
            models.CheckConstraint(
                condition=Q(language__in=["", "es", "en"]),
                name="user_language_known",
                violation_error_message=_("This language is not spoken here."),
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def short_name(self) -> str:
        """The first word of the name, for greetings and narrow columns."""
        return self.full_name.split(maxsplit=1)[0] if self.full_name.strip() else self.email

    def get_full_name(self) -> str:
        return self.full_name

    def get_short_name(self) -> str:
        return self.short_name

    @property
    def roles(self) -> frozenset[Role]:
        return roles_of(self)

    @property
    def role_names(self) -> str:
        """The roles in the reader's language, in the matrix's order."""
        held = self.roles
        return ", ".join(str(role.label) for role in Role if role in held)

    @property
    def is_invited(self) -> bool:
        """Whether the person has not yet set a password."""
        return not self.has_usable_password()


class AuditEvent(models.Model):
    """One line of the audit log. Append only: a trigger refuses to change or delete it.

    No foreign keys: the line has to outlive the person and the thing it tells of.
    """

    at = models.DateTimeField(_("at"), default=timezone.now, editable=False)
    event = models.CharField(_("event"), max_length=40)
    actor_id = models.BigIntegerField(_("person's id"), null=True, blank=True)
    actor_name = models.CharField(_("person"), max_length=200, blank=True)
    object_type = models.CharField(_("kind of object"), max_length=100, blank=True)
    object_id = models.CharField(_("object's id"), max_length=64, blank=True)
    object_label = models.CharField(_("object"), max_length=200, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_latest"),
            models.Index(fields=["event", "-at"], name="audit_by_event"),
            models.Index(fields=["actor_id", "-at"], name="audit_by_actor"),
            models.Index(fields=["object_type", "object_id", "-at"], name="audit_by_object"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(event=""), name="audit_event_named"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.event} {self.actor_name} {self.object_label}".strip()


class Notice(models.Model):
    """What one person should know, on the dashboard (business rules 8.2).

    Kept as a kind and its parameters, so that it reads in the language of whoever reads it.
    """

    recipient = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices", verbose_name=_("recipient"))
    kind = models.CharField(_("kind"), max_length=40)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    url = models.CharField(_("link"), max_length=300, blank=True)
    about_type = models.CharField(_("about"), max_length=100, blank=True)
    about_id = models.BigIntegerField(_("about id"), null=True, blank=True)
    key = models.CharField(_("key"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    read_at = models.DateTimeField(_("read"), null=True, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "key"],
                condition=~Q(key=""),
                name="notice_once_for_each_key",
            ),
        ]
        indexes = [
            models.Index(
                fields=["recipient", "-created_at"],
                condition=Q(read_at__isnull=True),
                name="notice_unread",
            ),
            models.Index(fields=["recipient", "-created_at", "-id"], name="notice_latest"),
            models.Index(fields=["about_type", "about_id"], name="notice_about"),
        ]

    def __str__(self) -> str:
        return self.text

    @cached_property
    def text(self) -> str:
        """The sentence, in the language that is active."""
        from studio.notices import sentence

        return sentence(self.kind, self.params)


class OutgoingEmail(models.Model):
    """An e-mail to be sent: written in the transaction of the act that causes it, sent by the
    worker.

    waiting -> claimed -> sent; claimed -> waiting again after an error, dead after too many;
    waiting -> dropped when it is no longer true. `studio.outbox` is the only writer.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        CLAIMED = "claimed", _("being sent")
        SENT = "sent", _("sent")
        DROPPED = "dropped", _("dropped")
        DEAD = "dead", _("given up")

    key = models.CharField(
        _("key"),
        max_length=200,
        unique=True,
        help_text=_("What it is about; never two for one key."),
    )
    kind = models.CharField(_("kind"), max_length=40)
    to = models.EmailField(_("to"))
    language = models.CharField(_("language"), max_length=2)
    context = models.JSONField(_("facts"), default=dict, blank=True)
    about_type = models.CharField(_("about"), max_length=100, blank=True)
    about_id = models.BigIntegerField(_("about id"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try_at = models.DateTimeField(_("next try"), default=timezone.now)
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    tries = models.JSONField(
        _("tries"),
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        help_text=_("What went wrong on the way, and who had it sent again; oldest first."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("outgoing e-mail")
        verbose_name_plural = _("outgoing e-mails")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "claimed", "sent", "dropped", "dead"]),
                name="mail_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status="sent", sent_at__isnull=False) | (~Q(status="sent") & Q(sent_at__isnull=True)),
                name="mail_sent_has_its_time",
            ),
            models.CheckConstraint(
                condition=~Q(status="claimed") | Q(claimed_at__isnull=False),
                name="mail_claimed_has_its_time",
            ),
        ]
        indexes = [
            # What the worker looks for each minute: small, however many were sent.
            models.Index(
                fields=["next_try_at", "id"],
                condition=Q(status__in=["waiting", "claimed"]),
                name="mail_to_send",
            ),
            models.Index(fields=["about_type", "about_id"], name="mail_about"),
            models.Index(fields=["-created_at", "-id"], name="mail_latest"),
            # What was given up is counted on each page of an Admin and listed first: few among many that were sent.
            # Not of what waits: the worker's question would be answered by this one, and sorted each time.
            models.Index(
                fields=["status", "-created_at", "-id"],
                condition=Q(status__in=["dropped", "dead"]),
                name="mail_never_sent",
            ),
            # As `to__istartswith` asks.
            models.Index(OpClass(Upper("to"), name="text_pattern_ops"), name="mail_by_address"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} -> {self.to}"


class JobRun(models.Model):
    """One run of a job: what fell due on a local day, and what came of it. The jobs' log.

    A job that runs each minute has one row a day, which adds up. Runs by hand have rows of their own.
    """

    job = models.CharField(_("job"), max_length=60)
    local_date = models.DateField(_("day"), help_text=_("In the studio's zone."))
    due_at = models.DateTimeField(_("due"))
    queued_at = models.DateTimeField(_("queued"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    by_hand = models.BooleanField(_("by hand"), default=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    report = models.JSONField(_("report"), default=dict, blank=True)

    class Meta:
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
        ordering = ["-due_at", "job"]
        constraints = [
            models.UniqueConstraint(fields=["job", "local_date"], condition=Q(by_hand=False), name="job_once_a_day"),
        ]
        indexes = [
            models.Index(fields=["-due_at"], name="job_latest"),
            models.Index(fields=["due_at"], condition=Q(finished_at__isnull=True), name="job_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.local_date:%Y-%m-%d}"

    @property
    def took(self) -> timedelta | None:
        """How long the last attempt ran; None while it runs, or when it has not begun."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at
