"""The client book."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from sessions_app.queries import ClientQuerySet
from sessions_app.search import word_vector


class ClientType(models.TextChoices):
    INDIVIDUAL = "Individual", _("Individual")
    INSTITUTIONAL = "Institutional", _("Institutional")


SEARCHED = ("full_name", "email", "primary_phone", "secondary_phone")


class Client(models.Model):
    full_name = models.CharField(_("full name"), max_length=100)
    email = models.EmailField(_("e-mail"))
    primary_phone = models.CharField(_("phone"), max_length=20)
    secondary_phone = models.CharField(_("second phone"), max_length=20, blank=True)
    delivery_address = models.TextField(_("delivery address"), blank=True)
    client_type = models.CharField(_("type"), max_length=15, choices=ClientType, default=ClientType.INDIVIDUAL)
    language = models.CharField(
        _("language of e-mails"), max_length=2, choices=[("es", _("Spanish")), ("en", _("English"))], blank=True
    )
    notes = models.TextField(_("notes"), blank=True)
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        verbose_name=_("deleted by"),
    )

    objects = ClientQuerySet.as_manager()

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        default_permissions = ()
        ordering = ["full_name", "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="client_email_unique",
                violation_error_message=_("Another client has this e-mail."),
            ),
            models.CheckConstraint(condition=~Q(full_name=""), name="client_has_a_name"),
            models.CheckConstraint(condition=Q(client_type__in=ClientType.values), name="client_type_known"),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(active=False), name="client_deleted_is_inactive"
            ),
        ]
        indexes = [
            models.Index(Lower("full_name"), "id", name="client_by_name"),
            GinIndex(word_vector(*SEARCHED), name="client_words"),
        ]

    def __str__(self) -> str:
        return self.full_name

    def clean(self) -> None:
        self.full_name = " ".join(self.full_name.split())
        self.email = self.email.strip().lower()

    def get_absolute_url(self) -> str:
        return reverse("client-page", args=[self.pk])
