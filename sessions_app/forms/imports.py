"""Bringing a file: what it holds, the file itself, and which of its columns is which of ours. Shape only."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sessions_app.importing import columns
from sessions_app.models import Import, ImportKind

LONGEST_CHOICE = 60


class UploadForm(forms.Form):
    kind = forms.ChoiceField(
        label=gettext_lazy("What the file holds"),
        choices=ImportKind,
        initial=ImportKind.CLIENTS,
        widget=forms.RadioSelect,
    )
    file = forms.FileField(
        label=gettext_lazy("File (CSV)"),
        max_length=200,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv,text/plain"}),
        help_text=gettext_lazy("As a spreadsheet saves it: headings in the first row, then one row for each."),
    )


class ColumnsForm(forms.Form):
    """A choice among the file's columns for each of ours."""

    def __init__(self, *args: Any, found: Import, head: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = found.kind
        theirs = [(str(place), _titled(place, heading)) for place, heading in enumerate(head)]
        for column in columns.OF[found.kind]:
            empty = _("Choose…") if column.is_needed else _("Not in the file")
            self.fields[column.name] = forms.ChoiceField(
                label=column.label,
                help_text=column.hint,
                required=column.is_needed,
                choices=[("", empty), *theirs],
                initial=str(found.mapping[column.name]) if column.name in found.mapping else "",
            )

    def mapping(self) -> dict[str, int]:
        return {name: int(place) for name, place in self.cleaned_data.items() if place != ""}

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        used: dict[str, str] = {}
        for name, place in list(values.items()):
            if place == "":
                continue
            if place in used:
                self.add_error(
                    name, _("This column is “%(other)s” already.") % {"other": self.fields[used[place]].label}
                )
            used.setdefault(place, name)
        if not self.errors:
            for name in columns.missing(self.kind, self.mapping()):
                reason = (
                    _("Choose until when, or how long it lasts.") if name == "end" else _("Choose an e-mail or a name.")
                )
                self.add_error(name, reason)
        return values


def _titled(place: int, heading: str) -> str:
    text = heading if len(heading) <= LONGEST_CHOICE else heading[:LONGEST_CHOICE] + "…"
    return text or _("Column %(number)d") % {"number": place + 1}
