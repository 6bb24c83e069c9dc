"""More time for a hold, and letting it go. Shape only; the rules are in ``actions.hold``."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sessions_app.actions.hold import REASON_LENGTH


class ExtendForm(forms.Form):
    until = forms.DateField(
        label=gettext_lazy("Until the end of"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=REASON_LENGTH,
        help_text=gettext_lazy("Read by coordination: what the client is waiting for."),
    )

    def __init__(self, *args: Any, earliest: date, latest: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].widget.attrs |= {"min": earliest.isoformat(), "max": latest.isoformat()}


class ReleaseForm(forms.Form):
    """``seen`` is the end of the hold that stood on the page: somebody may give it more time meanwhile."""

    reason = forms.CharField(label=gettext_lazy("Why"), required=False, max_length=REASON_LENGTH)
    seen = forms.CharField(widget=forms.HiddenInput, max_length=40)

    def clean_seen(self) -> datetime:
        try:
            seen = datetime.fromisoformat(self.cleaned_data["seen"])
        except ValueError:
            seen = None
        if seen is None or seen.tzinfo is None:
            raise forms.ValidationError(_("Look at the page again before you let go."))
        return seen
