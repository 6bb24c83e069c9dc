"""What the studio sells: items, and packages made of them."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Upper
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from catalog.explode import CatalogueItem, Line, explode, single


class ItemType(models.TextChoices):
    DIGITAL_PHOTO = "Digital Photo", _("Digital photo")
    PRINTED_PHOTO = "Printed Photo", _("Printed photo")
    ALBUM = "Album", _("Album")
    VIDEO = "Video", _("Video")
    SERVICE = "Service", _("Service")
    OTHER = "Other", _("Other")


class UnitMeasure(models.TextChoices):
    UNIT = "Unit", _("Unit")
    HOUR = "Hour", _("Hour")
    PACKAGE = "Package", _("Package")


class PackageSessionType(models.TextChoices):
    STUDIO = "Studio", _("Studio")
    EXTERNAL = "External", _("External")
    BOTH = "Both", _("Studio and external")


class CatalogueRecord(models.Model):
    """What items and packages share. Records are deactivated, never deleted: lines keep naming them."""

    code = models.CharField(_("code"), max_length=20)
    name = models.CharField(_("name"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        abstract = True
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.code = self.code.strip().upper()
        self.name = self.name.strip()


class Item(CatalogueRecord):
    item_type = models.CharField(_("type"), max_length=20, choices=ItemType)
    unit_price = models.DecimalField(
        _("unit price"), max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal("0.00"))]
    )
    unit_measure = models.CharField(_("sold by"), max_length=20, choices=UnitMeasure, default=UnitMeasure.UNIT)
    default_quantity = models.PositiveIntegerField(
        _("usual quantity"), null=True, blank=True, validators=[MinValueValidator(1)]
    )

    class Meta(CatalogueRecord.Meta):
        verbose_name = _("item")
        verbose_name_plural = _("items")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                Upper("code"), name="item_code_unique", violation_error_message=_("Another item has this code.")
            ),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="item_price_not_negative"),
            models.CheckConstraint(
                condition=Q(default_quantity__isnull=True) | Q(default_quantity__gt=0), name="item_quantity_positive"
            ),
            models.CheckConstraint(condition=Q(item_type__in=ItemType.values), name="item_type_known"),
            models.CheckConstraint(condition=Q(unit_measure__in=UnitMeasure.values), name="item_measure_known"),
        ]

    def get_absolute_url(self) -> str:
        return reverse("item-edit", args=[self.pk])

    def as_sold_now(self) -> CatalogueItem:
        """The values that a line copies at this moment (business rules 6.1)."""
        return CatalogueItem(self.pk, self.code, self.name, self.description, self.unit_price)

    def line(self, quantity: int) -> Line:
        return single(self.as_sold_now(), quantity)


class PackageQuerySet(QuerySet["Package"]):
    def priced(self) -> "PackageQuerySet":
        """With ``items_total``: what the package's items cost one by one."""
        return self.annotate(
            items_total=Coalesce(
                Sum(F("content__quantity") * F("content__item__unit_price")),
                Decimal("0.00"),
                output_field=models.DecimalField(max_digits=14, decimal_places=2),
            )
        )

    def sellable_for(self, session_type: str) -> "PackageQuerySet":
        """Active packages with items that fit a session of this type."""
        return self.filter(
            active=True, session_type__in=[session_type, PackageSessionType.BOTH], content__isnull=False
        ).distinct()


class Package(CatalogueRecord):
    session_type = models.CharField(
        _("for sessions"), max_length=10, choices=PackageSessionType, default=PackageSessionType.BOTH
    )
    base_price = models.DecimalField(
        _("package price"), max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal("0.00"))]
    )
    estimated_editing_days = models.PositiveIntegerField(
        _("editing days"), default=5, validators=[MinValueValidator(1)]
    )
    items = models.ManyToManyField(Item, through="PackageItem", related_name="packages", verbose_name=_("items"))

    objects = PackageQuerySet.as_manager()

    class Meta(CatalogueRecord.Meta):
        verbose_name = _("package")
        verbose_name_plural = _("packages")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                Upper("code"), name="package_code_unique", violation_error_message=_("Another package has this code.")
            ),
            models.CheckConstraint(condition=Q(base_price__gte=0), name="package_price_not_negative"),
            models.CheckConstraint(condition=Q(estimated_editing_days__gt=0), name="package_editing_days_positive"),
            models.CheckConstraint(
                condition=Q(session_type__in=PackageSessionType.values), name="package_session_type_known"
            ),
        ]

    def get_absolute_url(self) -> str:
        return reverse("package-edit", args=[self.pk])

    def fits(self, session_type: str) -> bool:
        return self.session_type in (session_type, PackageSessionType.BOTH)

    def lines(self, times: int = 1) -> list[Line]:
        """The package as lines at today's prices (business rules 6.1). ``ValueError`` when it has no items."""
        content = self.content.select_related("item").order_by("display_order", "id")
        return explode(self.pk, [(row.item.as_sold_now(), row.quantity) for row in content], times)


class PackageItem(models.Model):
    package = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="content", verbose_name=_("package"))
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="in_packages", verbose_name=_("item"))
    quantity = models.PositiveIntegerField(_("quantity"), default=1, validators=[MinValueValidator(1)])
    display_order = models.PositiveIntegerField(_("order"), default=0, blank=True)

    class Meta:
        verbose_name = _("package item")
        verbose_name_plural = _("package items")
        default_permissions = ()
        ordering = ["display_order", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["package", "item"],
                name="package_item_once",
                violation_error_message=_("This item is already in the package."),
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="package_item_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.item}"
