"""Items and packages in Django's admin. What is written goes through ``editing``, as on the site's own pages."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog import editing
from catalog.models import Item, Package, PackageItem
from studio.admin import ReadOnlyInline, StudioModelAdmin


class CatalogueAdmin(StudioModelAdmin):
    """Deactivated, never deleted."""

    list_filter = ("active",)
    search_fields = ("code", "name", "description")

    def view_on_site(self, record: Any) -> str:
        return record.get_absolute_url()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class PackageContent(ReadOnlyInline):
    """What a package is made of is changed on the site's own page, which shows the price beside it."""

    model = PackageItem
    fields = ("item", "quantity", "display_order")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PackageItem]:
        return super().get_queryset(request).select_related("item", "package")


@admin.register(Item)
class ItemAdmin(CatalogueAdmin):
    list_display = ("code", "name", "item_type", "unit_price", "unit_measure", "active")
    list_filter = ("active", "item_type")
    fields = (
        "code",
        "name",
        "item_type",
        "description",
        "unit_price",
        "unit_measure",
        "default_quantity",
        "active",
    )

    def save_model(self, request: HttpRequest, obj: Item, form: ModelForm, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in self.fields}
        if change:
            editing.change_item(obj, by=request.user, **values)
        else:
            obj.pk = editing.add_item(by=request.user, **values).pk


@admin.register(Package)
class PackageAdmin(CatalogueAdmin):
    """Looked at here; packages are made and changed where their items are."""

    list_display = ("code", "name", "session_type", "base_price", "items_cost", "estimated_editing_days", "active")
    list_filter = ("active", "session_type")
    fields = ("code", "name", "session_type", "description", "base_price", "estimated_editing_days", "active")
    inlines = (PackageContent,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Package]:
        return super().get_queryset(request).priced()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description=_("items one by one"), ordering="items_total")
    def items_cost(self, package: Package) -> Any:
        return package.items_total
