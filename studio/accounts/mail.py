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
    outbox.register(
        "invitation_email",
        still_true=may_sign_in,
        refresh=as_the_person_is,
        extra=set_password_link,
        shown=link_to_nowhere,
    )


def may_sign_in(row: OutgoingEmail) -> bool:
    """Whether the invited person is still there and active."""
    return User.objects.active().filter(pk=row.about_id).exists()


def as_the_person_is(row: OutgoingEmail) -> outbox.Fresh:
    """To the address that the person has now: the link opens their account, and the former address may be a stranger's
    to whom it was sent by mistake.
    """
    person = User.objects.filter(pk=row.about_id).first()
    if person is None:
        return outbox.Fresh(row.context)
    facts = {"person_name": person.full_name, "is_new": person.is_invited}
    return outbox.Fresh(row.context | facts, to=person.email, language=person.language)


def set_password_link(row: OutgoingEmail) -> dict[str, Any]:
    """The link with its single-use token, made for this one e-mail."""
    person = User.objects.get(pk=row.about_id)
    return _link(row, urlsafe_base64_encode(force_bytes(person.pk)), default_token_generator.make_token(person))


def link_to_nowhere(row: OutgoingEmail) -> dict[str, Any]:
    """What a page shows in place of the link: it looks like one, and opens nobody's account."""
    return _link(row, "0", "only-in-the-mailbox")


def _link(row: OutgoingEmail, uidb64: str, token: str) -> dict[str, Any]:
    path = reverse("set-password", kwargs={"uidb64": uidb64, "token": token})
    valid = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    return {
        "link": str(row.context.get("base_url", "")).rstrip("/") + path,
        "valid_days": max(valid.days, 1),
    }
