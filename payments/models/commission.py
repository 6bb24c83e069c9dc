"""Commissions: lines that are added and never changed, and the statements that pay them (D27)."""

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _


class CommissionKind(models.TextChoices):
    EARNED = "Earned", _("Earned")
    CORRECTION = "Correction", _("Correction")


class RateSource(models.TextChoices):
    SESSION = "Session", _("agreed for the session")
    PERSON = "Person", _("the person's rate")
    DEFAULT = "Default", _("the usual rate")


class CommissionStatement(models.Model):
    """What one person is paid for a period. It freezes when it is paid."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="commission_statements",
        verbose_name=_("person"),
    )
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("to"))
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=2)
    paid_at = models.DateTimeField(_("paid"))
    paid_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("paid by")
    )
    payment_method = models.CharField(_("method"), max_length=10)
    document_number = models.CharField(_("document number"), max_length=60)
    notes = models.TextField(_("notes"), blank=True)

    class Meta:
        verbose_name = _("commission statement")
        verbose_name_plural = _("commission statements")
        default_permissions = ()
        ordering = ["-last_day", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(first_day__lte=F("last_day")), name="statement_days_in_order"),
            models.CheckConstraint(
                condition=Q(payment_method__in=["Cash", "Card", "Transfer"]), name="statement_method_known"
            ),
            models.CheckConstraint(condition=~Q(document_number=""), name="statement_has_a_document"),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.first_day:%Y-%m-%d} - {self.last_day:%Y-%m-%d}"


class CommissionLine(models.Model):
    """One figure of a commission and where it comes from: base x rate = amount. Below zero for a correction."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="commission_lines", verbose_name=_("person")
    )
    session = models.ForeignKey(
        "sessions_app.Session", on_delete=models.CASCADE, related_name="commission_lines", verbose_name=_("session")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=CommissionKind)
    base = models.DecimalField(_("base"), max_digits=12, decimal_places=2)
    rate = models.DecimalField(_("rate"), max_digits=4, decimal_places=3)
    rate_source = models.CharField(_("origin of the rate"), max_length=10, choices=RateSource)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    reason = models.CharField(_("reason"), max_length=250, blank=True)
    payment = models.ForeignKey(
        "payments.Payment",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="commission_lines",
        verbose_name=_("payment"),
    )
    earned_on = models.DateField(_("day"))
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    statement = models.ForeignKey(
        CommissionStatement,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="lines",
        verbose_name=_("statement"),
    )

    class Meta:
        verbose_name = _("commission")
        verbose_name_plural = _("commissions")
        default_permissions = ()
        ordering = ["earned_on", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=CommissionKind.values), name="commission_kind_known"),
            models.CheckConstraint(condition=Q(rate_source__in=RateSource.values), name="commission_source_known"),
            models.CheckConstraint(condition=Q(rate__gte=0, rate__lte=1), name="commission_rate_is_a_share"),
            models.CheckConstraint(
                condition=Q(amount=Func(F("base") * F("rate"), Value(2), function="round")),
                name="commission_is_the_product",
            ),
            models.CheckConstraint(
                condition=Q(kind=CommissionKind.EARNED, base__gte=0, payment__isnull=True)
                | ~Q(kind=CommissionKind.EARNED) & ~Q(reason=""),
                name="commission_correction_says_why",
            ),
            models.UniqueConstraint(
                fields=["session", "person"],
                condition=Q(kind=CommissionKind.EARNED),
                name="commission_is_earned_once",
            ),
        ]
        indexes = [
            models.Index(fields=["person", "earned_on"], name="commission_of_person"),
            models.Index(fields=["person", "earned_on"], condition=Q(statement__isnull=True), name="commission_unpaid"),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.amount}"
