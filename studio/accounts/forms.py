"""Forms about accounts."""

from __future__ import annotations

from typing import Any

from crispy_forms.helper import FormHelper
from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.utils import ErrorDict, ErrorList
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from studio.conf import LANGUAGES
from studio.models import User
from studio.roles import ROLE_LABELS, Role


class _Fields:
    """Crispy renders the fields; the form tag and its buttons stand in the template."""

    @property
    def helper(self) -> FormHelper:
        helper = FormHelper()
        helper.form_tag = False
        helper.disable_csrf = True
        return helper


class SignInForm(_Fields, AuthenticationForm):
    """E-mail and password."""

    error_messages = {
        "invalid_login": _("This e-mail and password do not belong together."),
        "inactive": _("This account is inactive."),
    }

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].widget = forms.EmailInput(
            attrs={"autofocus": True, "autocomplete": "username", "maxlength": 254}
        )
        self.fields["username"].label = _("E-mail")

    def clean_username(self) -> str:
        # Kept in lower case everywhere, also in what throttles wrong attempts.
        return self.cleaned_data["username"].strip().lower()

    def refuse(self, sentence: str) -> None:
        """Show the form with this error, without trying any password."""
        self._errors = ErrorDict({NON_FIELD_ERRORS: ErrorList([sentence])})


class OwnPasswordForm(_Fields, PasswordChangeForm):
    """The old password once, the new one twice."""


class FirstPasswordForm(_Fields, SetPasswordForm):
    """The new password twice."""


class LanguageForm(forms.Form):
    """The language one wants to read."""

    language = forms.ChoiceField(choices=[(code, code) for code in LANGUAGES])


class StaffForm(_Fields, forms.ModelForm):
    """A person's account. Saved by `studio.accounts.people`, never by the form."""

    roles = forms.TypedMultipleChoiceField(
        label=_("Roles"),
        coerce=Role,
        choices=[(role.value, label) for role, label in ROLE_LABELS.items()],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Several add up. Without a role a person can only sign in."),
    )

    class Meta:
        model = User
        fields = ("full_name", "email", "phone", "language", "commission_rate", "is_active")

    field_order = (
        "full_name",
        "email",
        "phone",
        "roles",
        "commission_rate",
        "language",
        "is_active",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            del self.fields["is_active"]
        else:
            names = set(self.instance.groups.values_list("name", flat=True))
            self.fields["roles"].initial = [role.value for role in Role if role.value in names]
        self.fields["language"].choices = [("", _("The studio's")), *User.Language.choices]
        self.fields["commission_rate"].widget.attrs.update({"step": "0.001", "min": "0", "max": "1"})
        self.fields["commission_rate"].help_text = _(
            "From 0 to 1: 0.5 is one half. Empty: an artist gets one half, a photographer only what is agreed for a "
            "session."
        )

    def clean_full_name(self) -> str:
        name = " ".join(self.cleaned_data["full_name"].split())
        if not name:
            raise forms.ValidationError(_("A person needs a name."))
        return name

    def values(self) -> dict[str, Any]:
        """What was typed, as the actions take it."""
        return {name: self.cleaned_data[name] for name in self.fields}


class StaffFilter(forms.Form):
    """What the list of people is narrowed to, by its address."""

    q = forms.CharField(label=_("Name, e-mail or phone"), required=False, max_length=100)
    role = forms.ChoiceField(
        label=_("Role"),
        required=False,
        choices=[
            ("", _("All roles")),
            *((role.value, label) for role, label in ROLE_LABELS.items()),
        ],
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[
            ("", _("Active")),
            ("invited", _("Invited, no password yet")),
            ("inactive", _("Inactive")),
            ("all", _("All")),
        ],
    )
