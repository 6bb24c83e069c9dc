"""What people are told on the dashboard (business rules 8.2): a kind, its parameters, read or not.

The sentence is made when it is read, in the reader's language, and the link is given to those who may still follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from django.db.models import F, Model, Q, QuerySet
from django.db.models.lookups import IsNull
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from studio.audit import plain
from studio.conf import STUDIO
from studio.models import Notice, User
from studio.templatetags.atelier import day, long_day, moment


@dataclass(frozen=True, slots=True)
class Kind:
    """What notices of one kind say, with the notice's parameters, and the icon beside it.

    `variants` are said instead of `says` where the parameter `variant` names one.
    """

    says: str | Promise
    icon: str
    variants: Mapping[str, str | Promise] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "session_assigned": Kind(_("New session assigned: %(title)s, %(when)s"), "camera"),
    "assignment_changed": Kind(
        _("Assignment changed, you shoot it now: %(title)s, %(when)s"),
        "arrow-left-right",
        {"off": _("Assignment changed, you no longer shoot it: %(title)s, %(when)s")},
    ),
    "assignment_off": Kind(_("Canceled, you are free: %(title)s, %(when)s"), "calendar-x"),
    "session_settled": Kind(_("Settled, you shoot it: %(title)s, %(when)s"), "calendar-check"),
    "session_moved": Kind(_("Session moved: %(title)s, now %(when)s"), "calendar-event"),
    "coverage_changed": Kind(_("Your hours changed: %(title)s, you are taken from %(when)s"), "clock"),
    "appointment_booked": Kind(_("New appointment: %(title)s, %(when)s"), "calendar-plus"),
    "appointment_moved": Kind(_("Appointment moved: %(title)s, now %(when)s"), "calendar-event"),
    "appointment_changed": Kind(
        _("Appointment confirmed: %(title)s, %(when)s"),
        "calendar-check",
        {"Waiting": _("Appointment put on hold: %(title)s, %(when)s")},
    ),
    "appointment_given": Kind(
        _("Appointment given to you: %(title)s, %(when)s"),
        "arrow-left-right",
        {"off": _("Appointment given to another artist: %(title)s, %(when)s")},
    ),
    "time_off_changed": Kind(
        _("Time off put down for you: %(when)s to %(until)s"),
        "cup-hot",
        {
            "ended": _("Your time off ends early: %(until)s"),
            "off": _("Your time off was taken back: %(when)s to %(until)s"),
        },
    ),
    "session_for_editing": Kind(_("New session for editing: %(title)s"), "images"),
    "session_given_to_edit": Kind(_("Given to you for editing: %(title)s"), "images"),
    "session_taken_from_edit": Kind(_("Given to another editor: %(title)s"), "arrow-left-right"),
    "material_ready": Kind(_("Material ready for delivery: %(title)s"), "box-seam"),
    "resources_missing": Kind(
        _("Confirmed, but people or a room are missing: %(title)s, %(when)s"), "exclamation-triangle"
    ),
    "paid_but_unconfirmed": Kind(
        _("Paid, but not confirmed before the payment deadline: %(title)s, %(when)s"), "exclamation-triangle"
    ),
    "integrity_issue": Kind(
        ngettext_lazy(
            "The nightly check found %(count)s problem.", "The nightly check found %(count)s problems.", "count"
        ),
        "shield-exclamation",
    ),
    "job_failed": Kind(
        ngettext_lazy(
            "The job “%(job)s” of %(day)s failed %(attempts)s time and was given up.",
            "The job “%(job)s” of %(day)s failed %(attempts)s times and was given up.",
            "attempts",
        ),
        "gear",
    ),
    "email_given_up": Kind(_("An e-mail to %(to)s could not be sent and was given up."), "envelope-exclamation"),
}
UNKNOWN = Kind("", "bell")

# Asks which of these things a person may still open; by what notices are about.
Reach = Callable[[User, set[int]], set[int]]
_reach: dict[str, Reach] = {}


def register_reach(about_type: str, reach: Reach) -> None:
    """Have links to things of this type given only to those who may open them; called in an `AppConfig.ready`."""
    _reach[about_type] = reach


_silent: ContextVar[bool] = ContextVar("atelier_notices_silent", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """Tell nobody of what is done meanwhile: a year of appointments that comes out of a file is no news."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def notify(
    recipients: Iterable[User],
    kind: str,
    *,
    about: Model | None = None,
    url: str = "",
    key: str = "",
    replaces: bool = False,
    **params: Any,
) -> int:
    """Tell each active recipient once. With a `key`, never twice the same; returns how many rows
    were sent.

    With `replaces` it takes the place of what the recipients have not read of the same kind about the same thing.
    Belongs in the transaction of what it tells of. Instants in `params` are kept as such and read
    in the studio's zone.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no notice of the kind {kind!r}.")
    people = {person.pk: person for person in recipients if person is not None and person.is_active}
    if not people or _silent.get():
        return 0
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
    if replaces and about is not None:
        # The same once more, with its key, stays: a job that runs twice changes nothing.
        older = _unread_about(about).filter(kind=kind, recipient__in=people)
        (older.exclude(key=key) if key else older).delete()
    Notice.objects.bulk_create(rows, ignore_conflicts=bool(key))
    return len(rows)


def unread(user: User) -> QuerySet[Notice]:
    """What `user` has not read, newest first."""
    return Notice.objects.filter(recipient=user, read_at__isnull=True)


def unread_count(user: User) -> int:
    return unread(user).count()


def unread_first(user: User) -> QuerySet[Notice]:
    """All that `user` was told: what is unread, then what is read, each newest first."""
    return Notice.objects.filter(recipient=user).order_by(IsNull(F("read_at"), False), "-created_at", "-pk")


def mark_read(user: User, ids: Iterable[int] | None = None, *, now: datetime | None = None) -> int:
    """Mark the person's own notices as read, all of them or those with these ids; returns how many."""
    rows = unread(user)
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    return rows.update(read_at=now or timezone.now())


def mark_followed(notice: Notice, *, now: datetime) -> int:
    """The reader goes where the notice leads and sees how things stand: the earlier ones about it are read with it."""
    same = Q(pk=notice.pk)
    if notice.about_id is not None:
        same |= Q(about_type=notice.about_type, about_id=notice.about_id, created_at__lte=notice.created_at)
    return unread(notice.recipient).filter(same).update(read_at=now)


def drop(about: Model, kinds: Iterable[str] | None = None, *, people: Iterable[User] | None = None) -> int:
    """Take back what nobody has read yet about `about`: it no longer is so. All of it, or these kinds, or what these
    people were told.
    """
    rows = _unread_about(about)
    if kinds is not None:
        rows = rows.filter(kind__in=list(kinds))
    if people is not None:
        rows = rows.filter(recipient__in=list(people))
    dropped, _by_model = rows.delete()
    return dropped


def unlink(about: Model) -> int:
    """What was told of `about` stays, and leads nowhere: it is gone."""
    return Notice.objects.filter(about_type=about._meta.label_lower, about_id=about.pk).update(url="")


def drop_kind(kind: str) -> int:
    """Take back what nobody has read yet of a kind that is about nothing in particular."""
    dropped, _by_model = Notice.objects.filter(kind=kind, read_at__isnull=True).delete()
    return dropped


@dataclass(frozen=True, slots=True)
class Line:
    """A notice as its recipient reads it. `url` is where it leads, "" when nowhere, or when that is no longer theirs to
    open (`is_closed`); `open_url` goes there and marks it read.
    """

    id: int
    kind: str
    text: str
    icon: str
    by: str
    at: datetime
    is_read: bool
    url: str
    is_closed: bool
    open_url: str


def lines(rows: Iterable[Notice], user: User) -> list[Line]:
    """These notices for reading, in the active language. One query for each type of thing that they are about."""
    rows = list(rows)
    about: dict[str, set[int]] = {}
    for row in rows:
        if row.url and row.about_id is not None and row.about_type in _reach:
            about.setdefault(row.about_type, set()).add(row.about_id)
    open_to = {kind: _reach[kind](user, ids) for kind, ids in about.items()}
    found = []
    for row in rows:
        is_closed = bool(row.url) and row.about_type in open_to and row.about_id not in open_to[row.about_type]
        url = "" if is_closed else row.url
        found.append(
            Line(
                id=row.pk,
                kind=row.kind,
                text=row.text,
                icon=KINDS.get(row.kind, UNKNOWN).icon,
                by=str(row.params.get("by") or ""),
                at=row.created_at,
                is_read=row.read_at is not None,
                url=url,
                is_closed=is_closed,
                open_url=reverse("notice-open", args=[row.pk]) if url else "",
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Day:
    """The lines of one day under its heading."""

    heading: str
    lines: list[Line]


def by_day(lines: Iterable[Line], *, now: datetime) -> list[tuple[bool, list[Day]]]:
    """The lines, in their order, by whether they are read and by the day on which they were told."""
    today = now.astimezone(STUDIO.zone).date()
    near = {today: gettext("Today"), today - timedelta(days=1): gettext("Yesterday")}
    groups: list[tuple[bool, list[Day]]] = []
    for is_read, alike in groupby(lines, key=lambda line: line.is_read):
        days = groupby(alike, key=lambda line: line.at.astimezone(STUDIO.zone).date())
        groups.append((is_read, [Day(near.get(each) or long_day(each), list(told)) for each, told in days]))
    return groups


def sentence(kind: str, params: dict[str, Any]) -> str:
    """What a notice says, in the active language. Never fails: an old row must not break a page."""
    known = KINDS.get(kind)
    if known is not None:
        says = known.variants.get(str(params.get("variant", "")), known.says)
        try:
            return str(says % _Readable(kind, params))
        except (TypeError, ValueError, KeyError):
            pass
    return str(params.get("title") or kind)


class _Readable(dict):
    """Parameters for a sentence: instants and days as people write them, a missing one as a dash."""

    def __init__(self, kind: str, params: dict[str, Any]) -> None:
        super().__init__((name, _readable(value)) for name, value in params.items())
        if kind == "job_failed" and "job" in self:
            # Here, because the jobs tell people through this module.
            from studio.jobs import label

            self["job"] = label(str(params["job"]))

    def __missing__(self, name: str) -> Any:
        # Whoever tells of a session gives its beginning; sentences say when.
        if name == "when" and "starts_at" in self:
            return self["starts_at"]
        return 0 if name in ("count", "attempts") else "-"


def _readable(value: Any) -> Any:
    if not isinstance(value, str) or len(value) < 10 or not value[:4].isdigit():
        return value
    try:
        if len(value) == 10:
            return day(date.fromisoformat(value))
        return moment(datetime.fromisoformat(value))
    except ValueError:
        return value


def _unread_about(about: Model) -> QuerySet[Notice]:
    return Notice.objects.filter(about_type=about._meta.label_lower, about_id=about.pk, read_at__isnull=True)
