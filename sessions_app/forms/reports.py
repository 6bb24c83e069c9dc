"""The period of a report, and what stands behind its figures. A value that makes no sense is said and left out."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from payments.ledger import EARLIEST_PAYMENT
from payments.models import PaymentMethod
from sessions_app.forms.money import DayField
from sessions_app.models.client import ClientType
from sessions_app.reports import periods
from sessions_app.reports.periods import Period

LATEST = date(2199, 12, 31)
USUAL = "month"
CHOICES = {
    "month": (_("This month"), periods.this_month),
    "last-month": (_("Last month"), periods.last_month),
    "year": (_("This year"), periods.this_year),
    "12-months": (_("Last 12 months"), periods.last_12_months),
}
IN, BACK, VOIDED = "in", "back", "voided"
KINDS = [("", _("All")), (IN, _("Money in")), (BACK, _("Paid back")), (VOIDED, _("Voided"))]


def _day(label: Any) -> DayField:
    return DayField(
        label=label, required=False, validators=[MinValueValidator(EARLIEST_PAYMENT), MaxValueValidator(LATEST)]
    )


class ReportPeriod(forms.Form):
    """A named period, or from one day to another; two years at most. Without either, this month."""

    period = forms.ChoiceField(
        required=False, choices=[(name, label) for name, (label, _days) in CHOICES.items()], widget=forms.HiddenInput
    )
    since = _day(_("From"))
    until = _day(_("Until"))

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        since: date | None = values.get("since")
        until: date | None = values.get("until")
        if "since" in self.errors or "until" in self.errors:
            return values
        if until and not since:
            self.add_error("since", _("Say from which day."))
        elif since and not until:
            self.add_error("until", _("Say until which day."))
        elif since and until and since > until:
            self.add_error("until", _("This is before the first day."))
        elif since and until and Period(since, until).days > periods.LONGEST_DAYS:
            self.add_error(
                "until",
                ngettext(
                    "A report looks at %(n)s day at most: ask for a longer time in parts.",
                    "A report looks at %(n)s days at most: ask for a longer time in parts.",
                    periods.LONGEST_DAYS,
                )
                % {"n": periods.LONGEST_DAYS},
            )
        return values

    @property
    def name(self) -> str:
        """The named period that is shown; empty for days of one's own."""
        if self.is_valid() and self.cleaned_data["since"]:
            return ""
        return self.cleaned_data.get("period") or USUAL

    def chosen(self, today: date) -> Period:
        """What to show: of a period that makes no sense, this month."""
        if not self.name:
            return Period(self.cleaned_data["since"], self.cleaned_data["until"])
        return CHOICES[self.name][1](today)


class EntryFilter(ReportPeriod):
    """The payments behind the figures of a period."""

    kind = forms.ChoiceField(label=_("What"), required=False, choices=KINDS)
    method = forms.ChoiceField(label=_("Method"), required=False, choices=[("", _("Any")), *PaymentMethod.choices])
    client = forms.ChoiceField(label=_("Kind of client"), required=False, choices=[("", _("Any")), *ClientType.choices])
