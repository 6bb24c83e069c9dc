"""Why a room or a person cannot be had: the one place that decides it and says it (business rules 3.1, 3.2).

``booking`` raises what comes out of here, and whoever asks beforehand shows the same: a slot that is called taken is
refused with the words that were shown, and one that is called free is not. Nothing here asks the database: what holds
the time is handed in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from scheduling.models import Reservation, RoomReservation, RoomStatus
from scheduling.slots import Span, as_whole_days
from studio.errors import PhotographerNotAvailable, RoomNotAvailable, StudioError
from studio.templatetags.atelier import clock, day, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Time of a room or a person that is not to be had, and for what: a session, or nothing that is one."""

    starts_at: datetime
    ends_at: datetime
    code: str | None = None
    title: str = ""
    # Of a request or a negotiation: until when it is kept for its client.
    held_until: datetime | None = None
    # Somebody is off, or a room is closed.
    is_room: bool = False
    note: str = ""

    @classmethod
    def by(cls, row: Reservation) -> "Taken":
        """From a reservation with its session."""
        return cls(
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            code=row.session.code if row.session_id else None,
            title=row.session.title if row.session_id else "",
            held_until=row.session.held_until if row.session_id else None,
            is_room=isinstance(row, RoomReservation),
            note="" if row.session_id else row.notes,
        )

    def in_words(self) -> str:
        """``Boda Méndez (S-2026-0412), Sat 28 Nov 15:00 to 19:00``, and where nobody has decided until when it is
        held.

        That day may have passed: a hold that has ended still holds until it is let go.
        """
        text = _("%(what)s, %(when)s") % {"what": self.what(), "when": self.when()}
        if self.held_until is None:
            return text
        return _("%(taken)s (hold until %(when)s)") % {"taken": text, "when": moment(self.held_until)}

    def when(self) -> str:
        """From when to when; what is not a session in whole days where it is whole days."""
        days = None if self.code else as_whole_days(Span(self.starts_at, self.ends_at))
        if days is None:
            return _("%(day)s %(start)s to %(end)s") % {
                "day": day(self.starts_at),
                "start": clock(self.starts_at),
                "end": clock(self.ends_at),
            }
        first, last = days
        if first == last:
            return _("all of %(day)s") % {"day": day(first)}
        return _("%(first)s to %(last)s") % {"first": day(first), "last": day(last)}

    def what(self) -> str:
        if self.code:
            return f"{self.title} ({self.code})" if self.title else self.code
        if not self.is_room:
            # Not why: that is theirs.
            return _("time off")
        return _("closed: %(why)s") % {"why": self.note} if self.note else pgettext("room", "closed")

    def as_detail(self) -> dict[str, Any]:
        held = {} if self.held_until is None else {"held_until": self.held_until.isoformat()}
        return {
            "session": self.code,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            **held,
        }


def room_refusal(*, code: str, name: str, status: str, taken: Sequence[Taken] = ()) -> StudioError | None:
    """None where the room is to be had: it is in use, and nothing overlaps what would hold it."""
    if status != RoomStatus.ACTIVE:
        return RoomNotAvailable(
            _("%(room)s is not in use: %(status)s.") % {"room": name, "status": str(RoomStatus(status).label).lower()},
            field="room",
            details={"room": code, "status": status, "conflicts": []},
        )
    if taken:
        return RoomNotAvailable(
            _("%(room)s is taken: %(conflicts)s.") % {"room": name, "conflicts": _joined(taken)},
            field="room",
            details={"room": code, "conflicts": [each.as_detail() for each in taken]},
        )
    return None


def person_refusal(*, pk: int, name: str, taken: Sequence[Taken] = ()) -> StudioError | None:
    """None where the person is free for the whole of a coverage."""
    if not taken:
        return None
    return PhotographerNotAvailable(
        _("%(person)s is busy: %(conflicts)s.") % {"person": name, "conflicts": _joined(taken)},
        field="photographer",
        details={"photographer": pk, "conflicts": [each.as_detail() for each in taken]},
    )


def _joined(taken: Iterable[Taken]) -> str:
    return "; ".join(each.in_words() for each in taken)
