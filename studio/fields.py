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
    """An amount as people write it, the same in every language: "1250.5", "1.250,50", "Q 1,250.00", "1 250".

    One or two figures after the last separator are the decimals. A comma before three figures groups thousands, as in
    Guatemala and in English; a single point before three is refused, for it may group or be a number with too many
    places. Refuses whatever else can be read in two ways, exponents, NaN, infinities and figures of other scripts.
    """

    default_error_messages = {
        "invalid": _("Write an amount, such as 1250.00."),
        "ambiguous": _("This can be read in two ways: write the amount without thousands, such as 1250.00."),
    }

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
        text = str(value).strip().removeprefix(STUDIO.currency).strip()
        if not text:
            return None
        if len(text) > 30 or not re.fullmatch(r"-?[0-9][0-9.,\s]*|-?[.,][0-9]+", text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        sign, whole, decimals, mark = "-" if text[0] == "-" else "", text.removeprefix("-"), "00", ""
        ending = re.search(r"([.,])([0-9]{1,2})$", whole)
        if ending:
            whole, mark, decimals = whole[: ending.start()], *ending.groups()
        if re.search(r"[.,\s]", whole):
            self._refuse_odd_groups(whole, mark)
        return Decimal(f"{sign}{re.sub(r'[^0-9]', '', whole) or '0'}.{decimals}")

    def _refuse_odd_groups(self, whole: str, mark: str) -> None:
        groups = re.fullmatch(r"[1-9][0-9]{0,2}(?:([.,\s])[0-9]{3})(?:\1[0-9]{3})*", whole)
        if groups and groups.group(1) != mark and (mark or whole.count(".") != 1):
            return
        is_number = groups or re.fullmatch(r"[0-9]*[.,][0-9]+", whole)
        code = "ambiguous" if is_number else "invalid"
        raise ValidationError(self.error_messages[code], code=code)


class CountField(forms.IntegerField):
    """A whole number from one on, that a column can hold."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", 1)
        kwargs.setdefault("max_value", LARGEST_COUNT)
        super().__init__(**kwargs)
