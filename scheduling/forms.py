"""Rooms as people type them. Shape only; ``rooms`` decides."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from scheduling.models import Room
from studio.fields import CountField

LARGEST_ROOM = 10_000


class RoomForm(forms.ModelForm):
    """One room. Saved by ``rooms``, never by the form. ``is_held`` shows the question about coming sessions."""

    capacity = CountField(
        label=_("Capacity"), required=False, max_value=LARGEST_ROOM, help_text=_("People, if it matters.")
    )
    despite_reservations = forms.BooleanField(
        label=_("Take it out of use although coming sessions hold it"),
        required=False,
        help_text=_("They keep the room until you give them another one."),
    )

    class Meta:
        model = Room
        fields = ("name", "code", "capacity", "status", "description")
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "maxlength": 2000})}
        help_texts = {
            "code": _("Short and unique, such as A."),
            "status": _("Only active rooms are offered for new sessions."),
        }

    def __init__(self, *args: Any, is_held: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_held:
            del self.fields["despite_reservations"]

    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.fields}
