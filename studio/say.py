"""Saying what happened, in one sentence, with the next sensible act as a link (screens, Everywhere).

The sentence is kept by Django's messages and rendered by `components/messages.html`. It is stored as text
that is already escaped, so that it survives the session's JSON and reads the same in the Django admin.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme


def tell(
    request: HttpRequest,
    text: str | Promise,
    *,
    next_url: str = "",
    next_label: str | Promise = "",
    level: int = messages.SUCCESS,
) -> None:
    """Show `text` on the next page, followed by a link to the next sensible act when one is given.

    `level` is one of Django's: messages.SUCCESS, INFO, WARNING or ERROR. Raises ValueError when the link
    would leave the site, or has no words.
    """
    if not next_url:
        messages.add_message(request, level, str(text))
        return
    if not url_has_allowed_host_and_scheme(next_url, allowed_hosts=None):
        raise ValueError(f"{next_url!r} is not an address of this site.")
    if not next_label:
        raise ValueError("A link needs words.")
    sentence = format_html('{} <a class="next-act" href="{}">{}</a>', str(text), next_url, str(next_label))
    messages.add_message(request, level, sentence)


def warn(
    request: HttpRequest,
    text: str | Promise,
    *,
    next_url: str = "",
    next_label: str | Promise = "",
) -> None:
    """As `tell`, for something that was done but needs a second look."""
    tell(request, text, next_url=next_url, next_label=next_label, level=messages.WARNING)


def refuse(
    request: HttpRequest,
    text: str | Promise,
    *,
    next_url: str = "",
    next_label: str | Promise = "",
) -> None:
    """As `tell`, for something that was not done."""
    tell(request, text, next_url=next_url, next_label=next_label, level=messages.ERROR)
