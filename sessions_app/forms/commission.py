"""What is agreed for a session, and how a commission was paid. Shape only."""

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from sessions_app.forms.money import DayField, document_field, method_field, same_document_field
from studio.fields import LARGEST_AMOUNT, LARGEST_COUNT, AmountField


class PercentField(AmountField):
    """A percentage as people write it, "12.5" or "12,5"; to Python it is a share from 0 to 1."""

    default_error_messages = {"invalid": _("Write a percentage, such as 12.5.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=Decimal(0), max_value=Decimal(100), **kwargs)

    def clean(self, value: Any) -> Decimal | None:
        percentage = super().clean(value)
        if percentage is None:
            return None
        if percentage != percentage.quantize(Decimal("0.1")):
            raise forms.ValidationError(gettext("At most one decimal place, such as 12.5."), code="invalid")
        return percentage / 100

    def prepare_value(self, value: Any) -> Any:
        return f"{(value * 100).normalize():f}" if isinstance(value, Decimal) else value


class AgreeForm(forms.Form):
    percent = PercentField(
        label=_("Share of the price"),
        required=False,
        help_text=_("For everybody who shoots this session. Empty: each person's own rate counts."),
    )


class LastDayForm(forms.Form):
    """Up to which day is paid; a day ahead cannot be meant."""

    until = DayField(label=_("Earned until"))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["until"].widget.attrs["max"] = today.isoformat()

    def clean_until(self) -> date:
        until = self.cleaned_data["until"]
        if until > self.today:
            raise forms.ValidationError(gettext("A statement ends today or before."))
        return until


class PayCommissionForm(forms.Form):
    """How it was paid. The page sends along what it showed: the last day, the total and the number of lines."""

    method = method_field()
    document_number = document_field()
    notes = forms.CharField(
        label=_("Notes"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("They stand on the statement: the person reads them."),
    )
    same_document = same_document_field()
    last_day = DayField(widget=forms.HiddenInput)
    expected = AmountField(min_value=-LARGEST_AMOUNT, widget=forms.HiddenInput)
    lines = forms.IntegerField(min_value=0, max_value=LARGEST_COUNT, required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        if {"last_day", "expected", "lines"} & set(self.errors):
            self.add_error(None, gettext("The figures changed meanwhile: look at them again."))
        return super().clean()

    def show(self, last_day: date, total: Decimal, lines: int) -> None:
        """Let the hidden fields say what the page shows now, also after older figures were refused."""
        now = {"last_day": last_day.isoformat(), "expected": f"{total:.2f}", "lines": str(lines)}
        if self.is_bound:
            self.data = self.data.copy()
            self.data.update(now)
        else:
            self.initial.update(now)
