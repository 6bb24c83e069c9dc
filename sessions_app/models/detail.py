"""What was sold: copied values, never a link to the catalogue (business rules 6)."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.explode import ITEM_LINE


class ReferenceType(models.TextChoices):
    PACKAGE = "Package", _("Package")
    ITEM = "Item", _("Item")


class SessionDetail(models.Model):
    session = models.ForeignKey(
        "sessions_app.Session", on_delete=models.CASCADE, related_name="lines", verbose_name=_("session")
    )
    line_type = models.CharField(_("kind of line"), max_length=10, default=ITEM_LINE, editable=False)
    # Where the line came from, for the record: numbers, so that the catalogue may change freely.
    reference_type = models.CharField(_("kind of origin"), max_length=10, choices=ReferenceType, blank=True)
    reference_id = models.BigIntegerField(_("origin's id"), null=True, blank=True)
    reference_name = models.CharField(_("from"), max_length=100, blank=True)
    item_code = models.CharField(_("code"), max_length=20, blank=True)
    item_name = models.CharField(_("name"), max_length=100)
    item_description = models.TextField(_("description"), blank=True)
    quantity = models.PositiveIntegerField(_("quantity"), validators=[MinValueValidator(1)])
    unit_price = models.DecimalField(_("price"), max_digits=12, decimal_places=2)
    line_subtotal = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    description_override = models.TextField(_("description for this session"), blank=True)
    display_order = models.PositiveIntegerField(_("order"), default=0)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("added by"),
    )

    class Meta:
        verbose_name = _("line")
        verbose_name_plural = _("lines")
        default_permissions = ()
        ordering = ["display_order", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="line_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="line_price_not_negative"),
            models.CheckConstraint(
                condition=Q(line_subtotal=F("quantity") * F("unit_price")), name="line_subtotal_is_the_product"
            ),
            models.CheckConstraint(condition=~Q(item_name=""), name="line_has_a_name"),
            models.CheckConstraint(
                condition=Q(reference_type="", reference_id__isnull=True)
                | Q(reference_type__in=ReferenceType.values, reference_id__isnull=False),
                name="line_reference_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.item_name}"

    @property
    def description(self) -> str:
        return self.description_override or self.item_description
