"""Every state a session has been in, and who brought it there. Append only (business rules 1.3)."""

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from sessions_app.states import Status


class StatusHistory(models.Model):
    session = models.ForeignKey(
        "sessions_app.Session", on_delete=models.CASCADE, related_name="history", verbose_name=_("session")
    )
    previous_status = models.CharField(_("previous state"), max_length=20, choices=Status, null=True, blank=True)
    new_status = models.CharField(_("new state"), max_length=20, choices=Status)
    reason = models.TextField(_("reason"), blank=True)
    changed_at = models.DateTimeField(_("changed"))
    # Empty is the system.
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("changed by"),
    )
    # The transaction that wrote the row: a trigger lets a status change only together with its history.
    transaction_id = models.BigIntegerField(
        _("transaction"),
        db_default=Func(function="txid_current", output_field=models.BigIntegerField()),
        editable=False,
    )

    class Meta:
        verbose_name = _("status change")
        verbose_name_plural = _("status history")
        default_permissions = ()
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(previous_status__isnull=True) | ~Q(previous_status=F("new_status")),
                name="history_is_a_change",
            ),
            models.UniqueConstraint(
                fields=["session"], condition=Q(previous_status__isnull=True), name="history_begins_once"
            ),
        ]
        indexes = [models.Index(fields=["session", "changed_at"], name="history_of_session")]

    def __str__(self) -> str:
        return f"{self.previous_status or '-'} -> {self.new_status}"
