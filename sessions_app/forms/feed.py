"""What a new calendar feed is to show. Shape only; who may is the action's."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from scheduling.models import Room


class FeedForm(forms.Form):
    """A room, or nothing for one's own sessions. ``with_rooms`` for those who may see every session."""

    room = forms.ModelChoiceField(
        label=_("What it shows"), queryset=None, required=False, empty_label=_("My own sessions and time off")
    )

    def __init__(self, *args: Any, with_rooms: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if with_rooms:
            self.fields["room"].queryset = Room.objects.order_by("name", "id")
        else:
            del self.fields["room"]

    def room_id(self) -> int | None:
        room = self.cleaned_data.get("room")
        return room.pk if room else None
