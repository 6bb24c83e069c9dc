"""Form fields that take figures as people and machines write them, and nothing else."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from studio.conf import STUDIO

LARGEST_AMOUNT = Decimal("9999999999.99")
LARGEST_COUNT = 2**31 - 1


class AmountField(forms.DecimalField):
    """An amount as people write it: "1250.5", "1.250,50", "Q 1,250.00".

    The last separator before one or two figures is the decimal one. Refuses exponents, NaN and infinities.
    """

    default_error_messages = {"invalid": _("Write an amount, such as 1250.00.")}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 12)
        kwargs.setdefault("decimal_places", 2)
        kwargs.setdefault("min_value", Decimal("0.01"))
        kwargs.setdefault("max_value", LARGEST_AMOUNT)
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Decimal | None:
        if value in self.empty_values or isinstance(value, Decimal):
            return value or None
        text = re.sub(r"\s", "", str(value)).removeprefix(STUDIO.currency)
        if not text:
            return None
        if len(text) > 30 or not re.fullmatch(r"-?[0-9][0-9.,]*|-?[.,][0-9]+", text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        whole, decimals = text, ""
        ending = re.search(r"[.,]([0-9]{1,2})$", text)
        if ending:
            whole, decimals = text[: ending.start()], ending.group(1)
        # "12.345" is a machine's number with too many places, not twelve thousand.
        is_odd = not ending and re.fullmatch(r"-?[0-9]*\.[0-9]+", whole)
        grouped = r"-?[0-9]{1,3}(,[0-9]{3})+|-?[0-9]{1,3}(\.[0-9]{3})+"
        if is_odd or (re.search(r"[.,]", whole) and not re.fullmatch(grouped, whole)):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return Decimal(f"{re.sub('[.,]', '', whole) or '0'}.{decimals or '00'}")


class CountField(forms.IntegerField):
    """A whole number from one on, that a column can hold."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", 1)
        kwargs.setdefault("max_value", LARGEST_COUNT)
        super().__init__(**kwargs)
