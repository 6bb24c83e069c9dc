"""What was counted when days of the till are closed. Shape only; what it means is the till's."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from payments.models import PaymentMethod
from payments.till import Takings, field_of
from sessions_app import sentences
from studio.fields import LARGEST_AMOUNT, AmountField


@dataclass(frozen=True, slots=True)
class Difference:
    """One method: what the books say, what was counted (None: not yet, or not an amount) and what lies between."""

    label: str
    expected: Decimal
    counted: Decimal | None

    @property
    def amount(self) -> Decimal | None:
        return None if self.counted is None else self.counted - self.expected


class ClosingForm(forms.Form):
    """One amount for each method, below zero when more was paid out than came in, and the words for a difference.

    ``seen_*`` are sent by the page: what the books said when it was made.
    """

    def __init__(self, *args, takings: Iterable[Takings], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.takings = list(takings)
        for each in self.takings:
            self.fields[field_of(each.method)] = AmountField(
                label=gettext("%(method)s counted") % {"method": each.label},
                min_value=-LARGEST_AMOUNT,
                help_text=gettext("By the books: %(amount)s") % {"amount": sentences.money(each.net)},
            )
            self.fields[_seen(each.method)] = AmountField(
                min_value=-LARGEST_AMOUNT, required=False, widget=forms.HiddenInput
            )
        self.fields["notes"] = forms.CharField(
            label=_("Note"),
            required=False,
            max_length=2000,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text=_("Needed when what was counted is not what the books say."),
        )

    def counted(self) -> dict[str, Decimal]:
        return {method: self.cleaned_data[field_of(method)] for method in PaymentMethod.values}

    def seen(self) -> dict[str, Decimal] | None:
        """None when a machine did not say what it saw."""
        values = {method: self.cleaned_data.get(_seen(method)) for method in PaymentMethod.values}
        return None if all(value is None for value in values.values()) else values

    def differences(self) -> list[Difference]:
        if self.is_bound:
            self.is_valid()
        typed = self.cleaned_data if self.is_bound else {}
        return [Difference(each.label, each.net, typed.get(field_of(each.method))) for each in self.takings]

    @property
    def seen_now(self) -> list[tuple[str, Decimal]]:
        """The hidden fields with what the books say now, also after an older figure was refused."""
        return [(_seen(each.method), each.net) for each in self.takings]

    @property
    def count_fields(self) -> list[forms.BoundField]:
        return [self[field_of(each.method)] for each in self.takings]


def _seen(method: str) -> str:
    return f"seen_{method.lower()}"
