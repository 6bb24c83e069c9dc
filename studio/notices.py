"""What people are told on the dashboard (business rules 8.2): a kind, its parameters, read or not.

The sentence is made when it is read, in the reader's language.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from studio.audit import plain
from studio.models import Notice, User
from studio.templatetags.atelier import day, moment

KINDS: dict[str, str] = {
    "session_assigned": gettext_noop("New session assigned: %(title)s, %(when)s"),
    "assignment_changed": gettext_noop("Assignment changed: %(title)s, %(when)s"),
    "session_for_editing": gettext_noop("New session for editing: %(title)s"),
    "material_ready": gettext_noop("Material ready for delivery: %(title)s"),
    "assignment_off": gettext_noop("Canceled, you are free: %(title)s, %(when)s"),
    "resources_missing": gettext_noop("Confirmed, but people or a room are missing: %(title)s, %(when)s"),
    "paid_but_unconfirmed": gettext_noop("Paid, but not confirmed before the payment deadline: %(title)s, %(when)s"),
    "session_settled": gettext_noop("Settled, you shoot it: %(title)s, %(when)s"),
    "session_given_to_edit": gettext_noop("Given to you for editing: %(title)s"),
    "session_moved": gettext_noop("Session moved: %(title)s, now %(when)s"),
    "integrity_issue": gettext_noop("The nightly check found %(count)s problems."),
    "job_failed": gettext_noop("The job %(job)s of %(day)s failed %(attempts)s times."),
    "email_given_up": gettext_noop("An e-mail to %(to)s could not be sent and was given up."),
    "payment_registered": gettext_noop("Payment to verify: %(title)s"),
}


def notify(
    recipients: Iterable[User],
    kind: str,
    *,
    about: Model | None = None,
    url: str = "",
    key: str = "",
    **params: Any,
) -> int:
    """Tell each active recipient once. With a `key`, never twice the same; returns how many rows
    were sent.

    Belongs in the transaction of what it tells of. Instants in `params` are kept as such and read
    in the studio's zone.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no notice of the kind {kind!r}.")
    people = {person.pk: person for person in recipients if person is not None and person.is_active}
    rows = [
        Notice(
            recipient=person,
            kind=kind,
            params=plain(params),
            url=url,
            about_type=about._meta.label_lower if about is not None else "",
            about_id=about.pk if about is not None else None,
            key=key,
        )
        for person in people.values()
    ]
    Notice.objects.bulk_create(rows, ignore_conflicts=bool(key))
    return len(rows)


def unread(user: User) -> QuerySet[Notice]:
    """What `user` has not read, newest first."""
    return Notice.objects.filter(recipient=user, read_at__isnull=True)


def unread_count(user: User) -> int:
    return unread(user).count()


def mark_read(user: User, ids: Iterable[int] | None = None, *, now: datetime | None = None) -> int:
    """Mark the person's own notices as read, all of them or those with these ids; returns how many."""
    rows = unread(user)
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    return rows.update(read_at=now or timezone.now())


def drop(about: Model, kinds: Iterable[str] | None = None) -> int:
    """Take back what nobody has read yet about `about`, all of it or these kinds: it no longer is so."""
    rows = Notice.objects.filter(about_type=about._meta.label_lower, about_id=about.pk, read_at__isnull=True)
    if kinds is not None:
        rows = rows.filter(kind__in=list(kinds))
    dropped, _by_model = rows.delete()
    return dropped


def sentence(kind: str, params: dict[str, Any]) -> str:
    """What a notice says, in the active language. Never fails: an old row must not break a page."""
    pattern = KINDS.get(kind)
    if pattern is None:
        return str(params.get("title") or kind)
    return gettext(pattern) % _Readable(params)


class _Readable(dict):
    """Parameters for a sentence: instants and days as people write them, a missing one as a dash."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__((name, _readable(value)) for name, value in params.items())

    def __missing__(self, name: str) -> Any:
        # Whoever tells of a session gives its beginning; sentences say when.
        return self["starts_at"] if name == "when" and "starts_at" in self else "-"


def _readable(value: Any) -> Any:
    if not isinstance(value, str) or len(value) < 10 or not value[:4].isdigit():
        return value
    try:
        if len(value) == 10:
            return day(date.fromisoformat(value))
        return moment(datetime.fromisoformat(value))
    except ValueError:
        return value
