"""What is sold, and the price, as people type it. Shape only; the rules are ``actions.price``."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import Item, Package
from payments.money import ZERO
from sessions_app.actions.price import LARGEST_QUANTITY, LARGEST_TOTAL, LineChange
from sessions_app.forms.seen import SeenForm
from sessions_app.models import Session, SessionDetail
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


class OnlyChanged(SeenForm):
    """What is no change is None."""

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        for name in list(values):
            if self.is_untouched(name, values[name]):
                values[name] = None
                self.show_as_saved(name)
        return values


class LineForm(OnlyChanged):
    """One line; what is not sent stays as it is. Its names begin with the line, so that one form holds them all."""

    quantity = _count(gettext_lazy("Quantity"), required=False)
    description_override = forms.CharField(
        label=gettext_lazy("Description for this session"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, data: Any = None, *, line_id: int, **kwargs: Any) -> None:
        super().__init__(data, prefix=f"line{line_id}", auto_id="%s", **kwargs)
        self.line_id = line_id

    @classmethod
    def of(cls, line: SessionDetail, data: Any = None) -> "LineForm":
        form = cls(line_id=line.pk, initial={name: getattr(line, name) for name in cls.base_fields})
        if data is not None and any(form.add_prefix(name) in data for name in form.fields):
            form.data, form.is_bound = data, True
        return form

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if not self.is_sent("description_override"):
            values["description_override"] = None
        has_quantity = bool(str(self.data.get(self.add_prefix("quantity"), "")).strip())
        asks_quantity = self.is_sent("quantity") or not self.is_sent("description_override")
        if not self.errors and not has_quantity and asks_quantity:
            self.add_error("quantity", _("Say how many."))
        return values

    def change(self) -> LineChange | None:
        """What is to be changed, once it is valid; None when nothing is."""
        values = self.cleaned_data
        if values.get("quantity") is None and values.get("description_override") is None:
            return None
        return LineChange(self.line_id, values.get("quantity"), values.get("description_override"))


class MoveLineForm(forms.Form):
    way = forms.ChoiceField(
        label=gettext_lazy("Way"), choices=[("up", gettext_lazy("Up")), ("down", gettext_lazy("Down"))]
    )


class RemovePackageForm(forms.Form):
    drop_discount = forms.BooleanField(required=False)


OF_SHOOTS = ("transportation_cost", "deposit_percentage", "deposit_note")


class PriceForm(OnlyChanged):
    """The price, and with it every line of the page that was changed."""

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

    def __init__(self, *args: Any, session: Session, lines: Iterable[SessionDetail] = (), **kwargs: Any) -> None:
        initial = {name: getattr(session, name) for name in self.base_fields}
        super().__init__(*args, auto_id="price_%s", initial=initial, **kwargs)
        # Nobody quotes an appointment: it asks for no deposit, and nobody travels to it.
        for name in OF_SHOOTS if session.is_appointment else ():
            del self.fields[name]
        # By the form, wherever on the page they stand.
        for field in self.fields.values():
            field.widget.attrs["form"] = "price-form"
        data = self.data if self.is_bound else None
        self.lines = {line.pk: LineForm.of(line, data) for line in lines}

    def seen(self) -> list[tuple[str, Any]]:
        return super().seen() + [pair for line in self.lines.values() for pair in line.seen()]

    def clean(self) -> dict[str, Any]:
        """An empty amount is zero; what is not sent at all (by a machine) stays as it is."""
        values = super().clean()
        for name in ("transportation_cost", "discount", "discount_reason", "deposit_note"):
            if name in values and not self.is_sent(name):
                values[name] = None
        for name in ("transportation_cost", "discount"):
            if name in values and self.is_sent(name) and not self.data[name].strip():
                values[name] = ZERO
        values["lines"] = self._changed_lines()
        return values

    def _changed_lines(self) -> list[LineChange]:
        sent = [form for form in self.lines.values() if form.is_bound]
        wrong = [form for form in sent if not form.is_valid()]
        if wrong:
            self.add_error(None, _("Mend what is said beside the lines."))
            return []
        if any(self._is_changed(name) for name in self.data if self._is_of_a_line_that_is_gone(name)):
            self.add_error(None, _("A line that you changed is not in the session any more."))
            return []
        return [change for form in sent if (change := form.change())]

    def _is_of_a_line_that_is_gone(self, name: str) -> bool:
        found = re.fullmatch(r"line([0-9]{1,19})-(?:quantity|description_override)", name)
        return found is not None and int(found.group(1)) not in self.lines

    def _is_changed(self, name: str) -> bool:
        return self.data[name] != self.data.get(f"seen-{name}")
