"""Every quote that a client was given, as it was: its lines and its prices (D13: a session may be reopened)."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class QuoteVersion(models.Model):
    """Written when a session becomes Pre-scheduled. Append only: going back to Negotiation makes the next one.

    ``content`` holds the lines, the transportation, the discount with its reason, subtotal, total and deposit, amounts
    as text in the studio's currency.
    """

    session = models.ForeignKey(
        "sessions_app.Session", on_delete=models.CASCADE, related_name="quotes", verbose_name=_("session")
    )
    number = models.PositiveIntegerField(_("version"))
    content = models.JSONField(_("content"), default=dict)
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=2)
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("made by"),
    )

    class Meta:
        verbose_name = _("quote")
        verbose_name_plural = _("quotes")
        default_permissions = ()
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="quote_number_once"),
            models.CheckConstraint(condition=Q(number__gt=0), name="quote_number_positive"),
            models.CheckConstraint(condition=Q(total__gte=0), name="quote_total_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.session} v{self.number}"
