"""The catalogue as people type it. Shape only; ``editing`` decides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.editing import LARGEST_QUANTITY
from catalog.models import Item, ItemType, Package
from studio.fields import AmountField, CountField

PREFIX = "content"
SPARE_ROWS = 3
MOST_ROWS = 60
ZERO = Decimal("0.00")
LONGEST_EDITING = 365


class ItemForm(forms.ModelForm):
    """One item. Saved by ``editing``, never by the form."""

    unit_price = AmountField(label=_("Unit price"), min_value=ZERO)
    default_quantity = CountField(
        label=_("Usual quantity"),
        required=False,
        max_value=LARGEST_QUANTITY,
        help_text=_("Stands in the field when the item is sold; may be changed."),
    )

    class Meta:
        model = Item
        fields = (
            "name",
            "code",
            "item_type",
            "description",
            "unit_price",
            "unit_measure",
            "default_quantity",
            "active",
        )
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "maxlength": 2000})}
        help_texts = {
            "code": _("Short and unique, such as FD-20."),
            "active": _("An inactive item is not sold any more; sessions keep what they were sold."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            del self.fields["active"]

    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.fields}


class ContentRow(forms.Form):
    """One item of a package, and how many."""

    item = forms.TypedChoiceField(
        label=_("Item"),
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    quantity = CountField(
        label=_("Quantity"),
        required=False,
        max_value=LARGEST_QUANTITY,
        widget=forms.NumberInput(attrs={"class": "form-control", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, choices: Iterable[tuple[Any, Any]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The same list for all rows, made once: a query for each row would grow with the package.
        self.fields["item"].choices = choices

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("item") and not values.get("quantity") and "quantity" not in self.errors:
            self.add_error("quantity", _("How many?"))
        if values.get("quantity") and not values.get("item") and "item" not in self.errors:
            self.add_error("item", _("Which item?"))
        return values


ContentRows = forms.formset_factory(
    ContentRow,
    extra=SPARE_ROWS,
    can_delete=True,
    can_delete_extra=False,
    max_num=MOST_ROWS,
    validate_max=True,
    absolute_max=MOST_ROWS + 10,
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What the items cost one by one against the package price (D22)."""

    items: list[tuple[Item, int, Decimal]]
    items_total: Decimal
    base_price: Decimal | None

    @property
    def saving(self) -> Decimal:
        return max(ZERO, self.items_total - (self.base_price or ZERO))

    @property
    def excess(self) -> Decimal:
        """A package price above its items' prices saves nothing, and is charged by nobody."""
        return max(ZERO, (self.base_price or ZERO) - self.items_total)

    @property
    def percentage(self) -> int:
        return round(100 * self.saving / self.items_total) if self.items_total else 0


class PackageForm(forms.ModelForm):
    """One package with the rows of its items, which are a part of this form. Saved by ``editing``."""

    base_price = AmountField(label=_("Package price"), min_value=ZERO)
    estimated_editing_days = CountField(
        label=_("Editing days"),
        max_value=LONGEST_EDITING,
        help_text=_("From the session to the delivery; the longest of its packages counts for a session."),
    )

    class Meta:
        model = Package
        fields = (
            "name",
            "code",
            "session_type",
            "description",
            "base_price",
            "estimated_editing_days",
            "active",
        )
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "maxlength": 2000})}
        help_texts = {
            "code": _("Short and unique, such as BODA-1."),
            "active": _("An inactive package is not sold any more; sessions keep what they were sold."),
        }

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        items: Mapping[int, Item],
        content: Iterable[tuple[int, int]] = (),
        spare: int = SPARE_ROWS,
        **kwargs: Any,
    ) -> None:
        super().__init__(data, **kwargs)
        self.items = items
        if self.instance.pk is None:
            del self.fields["active"]
        rows = [{"item": item, "quantity": quantity} for item, quantity in content]
        choices = [
            ("", "—"),
            *((pk, f"{item.name} ({item.code})") for pk, item in items.items()),
        ]
        self.rows = ContentRows(data, prefix=PREFIX, initial=rows, form_kwargs={"choices": choices})
        if data is None:
            self.rows.extra = spare

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if not self.rows.is_valid():
            general = self.rows.non_form_errors()
            self.add_error(None, general if general else _("Look at the items below: something is missing there."))
        values["content"] = self.content()
        return values

    def content(self) -> list[tuple[Item, int]]:
        """The rows that say an item and how many, and are not taken out."""
        found = []
        for row in self.rows.forms if self.rows.is_bound else ():
            values = getattr(row, "cleaned_data", {})
            if values.get("item") and values.get("quantity") and not values.get("DELETE"):
                found.append((self.items[values["item"]], values["quantity"]))
        return found

    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in (*self.fields, "content")}

    def preview(self) -> Preview:
        """Reckoned from what is typed, as far as it can be read; from what is saved before anything is."""
        if self.is_bound:
            self.is_valid()
            pairs, price = self.content(), self.cleaned_data.get("base_price")
        else:
            initial = [row.initial for row in self.rows.initial_forms]
            pairs = [(self.items[row["item"]], row["quantity"]) for row in initial if row.get("item") in self.items]
            price = self.instance.base_price
        priced = [(item, quantity, item.unit_price * quantity) for item, quantity in pairs]
        return Preview(priced, sum((sum_ for *_rest, sum_ in priced), ZERO), price)


class CatalogueFilter(forms.Form):
    """What the lists are narrowed to, by their address."""

    q = forms.CharField(label=_("Name or code"), required=False, max_length=100)
    type = forms.ChoiceField(label=_("Type"), required=False, choices=[("", _("All types")), *ItemType.choices])
    show = forms.ChoiceField(
        label=_("Show"),
        required=False,
        choices=[("", _("Active")), ("inactive", _("Inactive")), ("all", _("All"))],
    )


class PackageFilter(CatalogueFilter):
    type = None
