"""The till: which days of money are closed, and what was counted when they were."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Till(models.Model):
    """One row. Whoever puts money on a day holds it shared, whoever closes days holds it alone."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    closed_through = models.DateField(_("closed through"), null=True, blank=True)

    class Meta:
        verbose_name = _("till")
        verbose_name_plural = _("till")
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="till_is_one")]

    def __str__(self) -> str:
        return f"{self.closed_through or '-'}"


class CashClosing(models.Model):
    """The days from ``first_day`` to ``day`` as they were closed. Append only: what is found later shows in later days.

    ``expected`` and ``counted`` hold amounts as text by method (``{"Cash": {"in": "1250.00", "out": "0.00"}, ...}`` and
    ``{"Cash": "1250.00", ...}``), in the studio's currency. Where commissions were paid, ``expected`` has a memo of
    them beside (``"commissions": "300.00"``), which is in no other figure (ADR 12).
    """

    first_day = models.DateField(_("from"))
    day = models.DateField(_("to"), unique=True)
    expected = models.JSONField(_("by the books"), default=dict)
    counted = models.JSONField(_("counted"), default=dict)
    notes = models.TextField(_("notes"), blank=True)
    closed_at = models.DateTimeField(_("closed"))
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("closed by")
    )

    class Meta:
        verbose_name = _("closing of the till")
        verbose_name_plural = _("closings of the till")
        default_permissions = ()
        ordering = ["-day"]
        constraints = [
            models.CheckConstraint(condition=Q(first_day__lte=F("day")), name="closing_days_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"
