"""What is sold, and the price, as people type it. Shape only; the rules are ``actions.price``."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import Item, Package
from payments.money import ZERO
from sessions_app.actions.price import LARGEST_QUANTITY, LARGEST_TOTAL
from sessions_app.models import Session
from studio.fields import AmountField


def _count(label: Any, **kwargs: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=1,
        max_value=LARGEST_QUANTITY,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        **kwargs,
    )


class PackageForm(forms.Form):
    package = forms.ModelChoiceField(label=gettext_lazy("Package"), queryset=None, empty_label=gettext_lazy("Choose…"))
    times = _count(gettext_lazy("How many"), required=False)
    take_discount = forms.BooleanField(required=False, label=gettext_lazy("Give the saving as a discount"))

    def __init__(self, *args: Any, packages: list[Package], **kwargs: Any) -> None:
        super().__init__(*args, auto_id="package_%s", **kwargs)
        field = self.fields["package"]
        # Any package may be named: one that is not sold for this session is refused by the act, with the reason.
        field.queryset = Package.objects.all()
        field.choices = [("", _("Choose…")), *((each.pk, each.name) for each in packages)]

    def clean_times(self) -> int:
        return self.cleaned_data["times"] or 1


class ItemForm(forms.Form):
    item = forms.ModelChoiceField(label=gettext_lazy("Item"), queryset=Item.objects.all())
    quantity = _count(gettext_lazy("Quantity"), required=False, help_text=gettext_lazy("Empty: the usual quantity."))

    def __init__(self, *args: Any, items: QuerySet[Item] | list[Item], **kwargs: Any) -> None:
        super().__init__(*args, auto_id="item_%s", **kwargs)
        self.fields["item"].choices = [
            ("", _("Choose…")),
            *((each.pk, f"{each.name} · {each.unit_price:,.2f}") for each in items),
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        item = values.get("item")
        if item is not None and values.get("quantity") is None:
            values["quantity"] = item.default_quantity or 1
        return values


class LineForm(forms.Form):
    """What is not sent stays as it is."""

    quantity = _count(gettext_lazy("Quantity"), required=False)
    description_override = forms.CharField(
        label=gettext_lazy("Description for this session"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if "description_override" not in self.data:
            values["description_override"] = None
        if not self.errors and values.get("quantity") is None and values["description_override"] is None:
            self.add_error("quantity", _("Say how many."))
        return values


class MoveLineForm(forms.Form):
    way = forms.ChoiceField(
        label=gettext_lazy("Way"), choices=[("up", gettext_lazy("Up")), ("down", gettext_lazy("Down"))]
    )


class RemovePackageForm(forms.Form):
    drop_discount = forms.BooleanField(required=False)


OF_SHOOTS = ("transportation_cost", "deposit_percentage", "deposit_note")


class PriceForm(forms.Form):
    transportation_cost = AmountField(
        label=gettext_lazy("Transportation"), required=False, min_value=ZERO, max_value=LARGEST_TOTAL
    )
    discount = AmountField(label=gettext_lazy("Discount"), required=False, min_value=ZERO, max_value=LARGEST_TOTAL)
    discount_reason = forms.CharField(label=gettext_lazy("Reason of the discount"), required=False, max_length=250)
    deposit_percentage = forms.IntegerField(
        label=gettext_lazy("Deposit"),
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    deposit_note = forms.CharField(label=gettext_lazy("Note on the deposit"), required=False, max_length=250)

    def __init__(self, *args: Any, session: Session, **kwargs: Any) -> None:
        initial = {
            "transportation_cost": session.transportation_cost,
            "discount": session.discount,
            "discount_reason": session.discount_reason,
            "deposit_percentage": session.deposit_percentage,
            "deposit_note": session.deposit_note,
        }
        super().__init__(*args, auto_id="price_%s", initial=initial, **kwargs)
        self.session = session
        # Nobody quotes an appointment: it asks for no deposit, and nobody travels to it.
        for name in OF_SHOOTS if session.is_appointment else ():
            del self.fields[name]

    def clean(self) -> dict[str, Any]:
        """An empty amount is zero; what is not sent at all (by a machine) stays as it is."""
        values = super().clean()
        for name in ("transportation_cost", "discount", "discount_reason", "deposit_note"):
            if name in values and name not in self.data:
                values[name] = getattr(self.session, name)
            elif name in values and values[name] is None:
                values[name] = ZERO
        if self.session.is_appointment:
            values |= {name: getattr(self.session, name) for name in OF_SHOOTS}
        return values
