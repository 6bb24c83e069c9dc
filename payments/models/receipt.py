"""Receipts: one for each payment that arrived and each refund that was paid out, numbered without gaps."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ReceiptSeries(models.Model):
    """One row with the last number that was given. Its lock makes the numbers consecutive: a rolled back act gives its
    number back."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    last_number = models.PositiveBigIntegerField(_("last number"), default=0)

    class Meta:
        verbose_name = _("series of receipts")
        verbose_name_plural = _("series of receipts")
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="receipt_series_is_one")]

    def __str__(self) -> str:
        return str(self.last_number)


class Receipt(models.Model):
    """What the client was given as proof. Append only; it outlives a void, and the payment itself (D30)."""

    number = models.PositiveBigIntegerField(_("number"), unique=True)
    payment = models.OneToOneField(
        "payments.Payment",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="receipt",
        verbose_name=_("payment"),
    )
    # As it was handed out: client, session, amounts as text, method, document, dates.
    facts = models.JSONField(_("facts"), default=dict)
    issued_at = models.DateTimeField(_("issued"))
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("issued by"),
    )

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        default_permissions = ()
        ordering = ["-number"]
        constraints = [models.CheckConstraint(condition=Q(number__gt=0), name="receipt_number_positive")]

    def __str__(self) -> str:
        return f"R-{self.number:06d}"
