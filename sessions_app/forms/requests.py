"""A client's request as a coordinator writes it down while on the phone. Shape only."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduling.availability import photographers
from scheduling.models import Room
from scheduling.slots import Span
from sessions_app.actions.request import When
from sessions_app.forms.people import Offer, clock, grouped
from sessions_app.models import Client, Session
from sessions_app.states import SHOOTS, SessionType
from studio.errors import StudioError

NEW_CLIENT = ("full_name", "primary_phone", "email")


class WhenAndWhatForm(forms.Form):
    """What, when and where: what a request and an edit have in common."""

    session_type = forms.ChoiceField(
        label=gettext_lazy("Type"), choices=SHOOTS, widget=forms.RadioSelect, initial=SessionType.STUDIO
    )
    session_date = forms.DateField(
        label=gettext_lazy("Date"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    start_time = clock(gettext_lazy("Starts"))
    end_time = clock(gettext_lazy("Ends"), help_text=gettext_lazy("Not after the start: it ends on the next day."))
    location = forms.CharField(
        label=gettext_lazy("Place"),
        required=False,
        max_length=250,
        help_text=gettext_lazy("Where the photographers go. It opens in their phone's map."),
    )
    event_description = forms.CharField(
        label=gettext_lazy("What it is"),
        required=False,
        max_length=250,
        help_text=gettext_lazy("In a word or two: the name by which everybody finds it."),
    )
    special_notes = forms.CharField(
        label=gettext_lazy("What the client wants"),
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The photographers and the editor read this."),
    )

    def when(self) -> When:
        values = self.cleaned_data
        return When(session_date=values["session_date"], start_time=values["start_time"], end_time=values["end_time"])


class EditForm(WhenAndWhatForm):
    def __init__(self, *args: Any, session: Session, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {
            "session_type": session.session_type,
            "session_date": session.session_date,
            "start_time": session.start_time,
            "end_time": session.end_time,
            "location": session.location,
            "event_description": session.event_description,
            "special_notes": session.special_notes,
        }


class ClientForm(forms.Form):
    """Whose it is: a client of the book, or a new one in the same form."""

    client = forms.ModelChoiceField(label=gettext_lazy("Client"), queryset=Client.objects.present(), required=False)
    client_search = forms.CharField(
        label=gettext_lazy("Find the client"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
        help_text=gettext_lazy("Name, phone or e-mail; the beginnings of words are enough."),
    )
    full_name = forms.CharField(label=gettext_lazy("Full name"), required=False, max_length=100)
    primary_phone = forms.CharField(
        label=gettext_lazy("Phone"), required=False, max_length=20, widget=forms.TextInput(attrs={"type": "tel"})
    )
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False, max_length=254)

    def clean(self) -> dict[str, Any]:
        """A client from the book or a new one with all of its fields, never both."""
        values = super().clean()
        is_new = any(self.data.get(name, "").strip() for name in NEW_CLIENT)
        if self.data.get("client", "").strip():
            if is_new:
                self.add_error("client", _("Choose a client of the book or write a new one, not both."))
        elif is_new:
            for name in NEW_CLIENT:
                if not values.get(name) and name not in self.errors:
                    self.add_error(name, _("A new client needs this."))
        else:
            self.add_error("client", _("Choose the client, or write a new one."))
        return values

    def new_client(self) -> Client:
        return Client(**{name: self.cleaned_data[name] for name in NEW_CLIENT})


class RequestForm(ClientForm, WhenAndWhatForm):
    room = forms.ModelChoiceField(
        label=gettext_lazy("Room"),
        queryset=Room.objects.all(),
        required=False,
        help_text=gettext_lazy("Held at once. It may stay empty until the session is assigned."),
    )
    photographers = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Photographers"),
        queryset=None,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Held at once, for the session's own time; the first one leads. Travel is added later."),
    )

    def __init__(self, *args: Any, offered: Offer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["photographers"].queryset = photographers()
        self.fields["photographers"].choices = [(each.pk, each.label) for each in offered.people]
        self.fields["room"].choices = grouped(offered.rooms, is_dated=offered.is_dated, empty=_("No room yet"))


def as_initial(sent: QueryDict) -> dict[str, Any]:
    """What an address or an unfinished form says, to fill a form with."""
    initial: dict[str, Any] = {name: sent[name] for name in RequestForm.base_fields if name in sent}
    if "photographers" in sent:
        # Of a hostile address: what is no number is nobody.
        initial["photographers"] = [each for each in sent.getlist("photographers") if each.isdecimal()]
    return initial


def span_of(sent: Any) -> Span | None:
    """The time that is meant so far, or ``None`` while it is not known."""
    fields = WhenAndWhatForm.base_fields
    try:
        values = {name: fields[name].clean(sent.get(name)) for name in ("session_date", "start_time", "end_time")}
        return When(**values).span()
    except (forms.ValidationError, StudioError, ValueError, OverflowError):
        return None
