"""The ledger's rows. Written by ``payments.ledger`` alone; added, verified and voided, never edited or deleted
(D21)."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from payments import money


class PaymentType(models.TextChoices):
    DEPOSIT = money.DEPOSIT, _("Deposit")
    BALANCE = money.BALANCE, _("Balance")
    REFUND = money.REFUND, _("Refund")


class PaymentStatus(models.TextChoices):
    PENDING = money.PENDING, _("Pending")
    VERIFIED = money.VERIFIED, _("Verified")
    REJECTED = money.REJECTED, _("Rejected")


class PaymentMethod(models.TextChoices):
    CASH = "Cash", _("Cash")
    CARD = "Card", _("Card")
    TRANSFER = "Transfer", _("Transfer")


class PaymentQuerySet(QuerySet["Payment"]):
    def live(self) -> "PaymentQuerySet":
        """Neither rejected nor voided (D21)."""
        return self.filter(deleted_flag=False).exclude(payment_status=PaymentStatus.REJECTED)

    def incoming(self) -> "PaymentQuerySet":
        return self.exclude(payment_type=PaymentType.REFUND)

    def refunds(self) -> "PaymentQuerySet":
        return self.filter(payment_type=PaymentType.REFUND)

    def pending(self) -> "PaymentQuerySet":
        return self.filter(deleted_flag=False, payment_status=PaymentStatus.PENDING)


class Payment(models.Model):
    session = models.ForeignKey(
        "sessions_app.Session", on_delete=models.CASCADE, related_name="payments", verbose_name=_("session")
    )
    payment_type = models.CharField(_("type"), max_length=10, choices=PaymentType)
    amount = models.DecimalField(
        _("amount"), max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    payment_status = models.CharField(_("status"), max_length=10, choices=PaymentStatus, default=PaymentStatus.PENDING)
    payment_method = models.CharField(_("method"), max_length=10, choices=PaymentMethod, blank=True)
    document_number = models.CharField(_("document number"), max_length=60, blank=True)
    payment_date = models.DateField(_("date"))
    notes = models.TextField(_("notes"), blank=True)
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("registered by"),
    )
    registered_at = models.DateTimeField(_("registered"))
    verified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("verified by"),
    )
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)
    # The day of the till on which the money counts: that of the decision, or the next one that is open (ADR 11).
    cash_day = models.DateField(_("day of the till"), null=True, blank=True, editable=False)
    deleted_flag = models.BooleanField(_("voided"), default=False)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("voided by"),
    )
    deleted_at = models.DateTimeField(_("voided on"), null=True, blank=True)
    deleted_reason = models.CharField(_("reason for voiding"), max_length=250, blank=True)
    # The day of the till from which what had counted is taken out again.
    void_cash_day = models.DateField(_("day of the till when voided"), null=True, blank=True, editable=False)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        default_permissions = ()
        ordering = ["registered_at", "id"]
        constraints = [
            # Settling an appointment of which nothing is left to pay is a payment, too (D27).
            models.CheckConstraint(
                condition=Q(amount__gt=0)
                | Q(amount=0, payment_type=PaymentType.BALANCE, payment_status=PaymentStatus.VERIFIED),
                name="payment_amount_positive",
            ),
            models.CheckConstraint(condition=Q(payment_type__in=PaymentType.values), name="payment_type_known"),
            models.CheckConstraint(condition=Q(payment_status__in=PaymentStatus.values), name="payment_status_known"),
            models.CheckConstraint(
                condition=Q(payment_method__in=PaymentMethod.values)
                | Q(payment_method="", payment_type=PaymentType.REFUND) & ~Q(payment_status=PaymentStatus.VERIFIED),
                name="payment_method_known",
            ),
            models.CheckConstraint(
                condition=~Q(document_number="")
                | Q(payment_type=PaymentType.REFUND) & ~Q(payment_status=PaymentStatus.VERIFIED),
                name="payment_has_a_document",
            ),
            models.CheckConstraint(
                condition=Q(payment_status=PaymentStatus.PENDING, verified_at__isnull=True)
                | ~Q(payment_status=PaymentStatus.PENDING) & Q(verified_at__isnull=False),
                name="payment_decided_when_decided",
            ),
            models.CheckConstraint(
                condition=Q(deleted_flag=False, deleted_at__isnull=True, deleted_by__isnull=True, deleted_reason="")
                | Q(deleted_flag=True, deleted_at__isnull=False) & ~Q(deleted_reason=""),
                name="payment_voided_with_when_and_why",
            ),
            models.CheckConstraint(
                condition=Q(payment_status=PaymentStatus.VERIFIED, cash_day__isnull=False)
                | ~Q(payment_status=PaymentStatus.VERIFIED) & Q(cash_day__isnull=True),
                name="payment_counts_on_a_day_when_verified",
            ),
            models.CheckConstraint(
                condition=Q(payment_status=PaymentStatus.VERIFIED, deleted_flag=True, void_cash_day__isnull=False)
                | ~Q(payment_status=PaymentStatus.VERIFIED, deleted_flag=True) & Q(void_cash_day__isnull=True),
                name="payment_is_taken_out_on_a_day_when_voided",
            ),
            models.UniqueConstraint(
                fields=["session"],
                condition=Q(payment_type=PaymentType.DEPOSIT, deleted_flag=False)
                & ~Q(payment_status=PaymentStatus.REJECTED),
                name="payment_one_live_deposit",
            ),
        ]
        indexes = [
            models.Index(fields=["registered_at"], name="payment_registered"),
            models.Index(fields=["cash_day", "payment_method"], name="payment_by_cash_day"),
            models.Index(
                fields=["void_cash_day"], condition=Q(void_cash_day__isnull=False), name="payment_by_void_cash_day"
            ),
            models.Index(fields=["document_number"], name="payment_by_document"),
            models.Index(
                fields=["payment_type", "registered_at"],
                condition=Q(payment_status=PaymentStatus.PENDING, deleted_flag=False),
                name="payment_pending",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_payment_type_display()} {self.amount}"

    @property
    def is_live(self) -> bool:
        return not self.deleted_flag and self.payment_status != PaymentStatus.REJECTED

    def as_entry(self) -> money.Entry:
        return money.Entry(self.payment_type, self.payment_status, self.amount)
