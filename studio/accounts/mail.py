"""What the outbox has to know about invitations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from studio import outbox
from studio.models import OutgoingEmail, User


def register() -> None:
    outbox.register("invitation_email", still_true=may_sign_in, extra=set_password_link)


def may_sign_in(row: OutgoingEmail) -> bool:
    """Whether the invited person is still there and active."""
    return User.objects.active().filter(pk=row.about_id).exists()


def set_password_link(row: OutgoingEmail) -> dict[str, Any]:
    """The link with its single-use token, made for this one e-mail."""
    person = User.objects.get(pk=row.about_id)
    path = reverse(
        "set-password",
        kwargs={
            "uidb64": urlsafe_base64_encode(force_bytes(person.pk)),
            "token": default_token_generator.make_token(person),
        },
    )
    valid = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    return {
        "link": str(row.context.get("base_url", "")).rstrip("/") + path,
        "valid_days": max(valid.days, 1),
    }
