"""Calendar files (RFC 5545) for what takes place: one event in an e-mail, or many in a feed.

Times are written in UTC. A file with a zone of its own says less: the second of two equal local times on the night
when the clocks go back has no name in it, and a program that knows other rules of the zone shows another hour. Every
calendar shows an instant in its reader's own zone (D1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.mime.text import MIMEText
from enum import StrEnum

from icalendar import Calendar, vCalAddress, vDuration
from icalendar import Event as VEvent

from scheduling.slots import Span

PRODUCT = "-//Atelier//Atelier//EN"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
# Counted from here, so that a sequence number fits into the 31 bits that programs give it until 2093.
_FIRST_CHANGE = datetime(2025, 1, 1, tzinfo=UTC)
# What ends a line in one program or another, and what no calendar may hold.
_ENDS_A_LINE = re.compile(r"\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Status(StrEnum):
    """How sure an event is, in the format's words."""

    TENTATIVE = "TENTATIVE"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


class Method(StrEnum):
    """What a file asks of the calendar that gets it.

    PUBLISH and not REQUEST: a request wants the client's answer, which would go to a mailbox that nobody reads for
    answers; when the client wants something else, they write. CANCEL takes out what was published with the same uid.
    """

    PUBLISH = "PUBLISH"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a calendar. `uid` stays the same for ever; `changed_at` says which of two versions is the newer."""

    uid: str
    span: Span
    summary: str
    changed_at: datetime
    location: str = ""
    description: str = ""
    status: Status = Status.CONFIRMED


@dataclass(frozen=True, slots=True)
class Organizer:
    """Who publishes: a name and an address that is answered."""

    name: str
    email: str


def uid_of(kind: str, code: str, created_at: datetime) -> str:
    """The name of a thing in the calendars of others: "session-S-2026-0412-h3x9kq2m1c@atelier".

    It depends on no address and no setting, so that it outlives a new domain, and holds the moment of creation to the
    microsecond, so that two studios' `S-2026-0001` are two events in the calendar of a client of both.
    """
    since = created_at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return f"{kind}-{code}-{_base36((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)}@atelier"


def sequence_of(changed_at: datetime) -> int:
    """A number that grows with each change: whole seconds. No counter has to be kept for it."""
    return max(0, int((changed_at - _FIRST_CHANGE).total_seconds()))


def calendar(
    events: Iterable[Event],
    *,
    stamp: datetime,
    method: Method = Method.PUBLISH,
    organizer: Organizer | None = None,
    name: str = "",
    refresh: timedelta | None = None,
) -> bytes:
    """The file in UTF-8, folded as the format wants. `stamp` is when it was made.

    `name` and `refresh` are a feed's: what a program calls it, and how often it may look (RFC 7986; Outlook's own word
    for it beside).
    """
    file = Calendar()
    file.add("prodid", PRODUCT)
    file.add("version", "2.0")
    file.add("calscale", "GREGORIAN")
    file.add("method", method.value)
    if name:
        file.add("x-wr-calname", line(name))
    if refresh is not None:
        file.add("refresh-interval", refresh, parameters={"VALUE": "DURATION"})
        file.add("x-published-ttl", vDuration(refresh).to_ical().decode())
    for event in events:
        file.add_component(_component(event, stamp=stamp, organizer=organizer))
    return file.to_ical()


def attachment(content: bytes, *, method: Method, filename: str) -> MIMEText:
    """The file as a part of an e-mail, which mail programs offer to put into the calendar."""
    part = MIMEText(content.decode(), "calendar", "utf-8")
    part.set_param("method", method.value)
    part.set_param("name", filename)
    part.add_header("Content-Disposition", "attachment", filename=filename)
    return part


def text(value: str) -> str:
    """`value` as a calendar may hold it: line ends of every kind as one, no control characters."""
    return _CONTROL.sub("", _ENDS_A_LINE.sub("\n", value)).strip()


def line(value: str) -> str:
    """The same in one line."""
    return " ".join(text(value).split())


def _component(event: Event, *, stamp: datetime, organizer: Organizer | None) -> VEvent:
    part = VEvent()
    part.add("uid", event.uid)
    part.add("dtstamp", stamp.astimezone(UTC))
    part.add("dtstart", event.span.start.astimezone(UTC))
    part.add("dtend", event.span.end.astimezone(UTC))
    part.add("summary", line(event.summary))
    if event.location:
        part.add("location", line(event.location))
    if event.description:
        part.add("description", text(event.description))
    part.add("status", event.status.value)
    part.add("sequence", sequence_of(event.changed_at))
    part.add("last-modified", event.changed_at.astimezone(UTC))
    # Time that is off again keeps nobody busy.
    part.add("transp", "TRANSPARENT" if event.status == Status.CANCELLED else "OPAQUE")
    if organizer is not None:
        address = vCalAddress(f"mailto:{line(organizer.email)}")
        address.params["CN"] = line(organizer.name).replace('"', "'")
        part.add("organizer", address)
    return part


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return digits or "0"
