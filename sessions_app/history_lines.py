"""The History on a session's page: its moves, and what happened to its hold and its time, from the audit log."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from scheduling.slots import Span
from sessions_app import sentences
from studio.models import AuditEvent
from studio.templatetags.atelier import clock, day

if TYPE_CHECKING:
    from sessions_app.models import Session

# What the actions call it in the audit log.
HOLD_EXTENDED, HOLD_RELEASED, MOVED = "hold_extended", "hold_released", "session_moved"


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    title: str
    by: str
    """Empty for the system."""
    why: str


def with_changes(session: "Session", moves: Iterable[Event]) -> list[Event]:
    """The moves and what else is told of the session, newest first: one query. For readers of the hold only."""
    rows = AuditEvent.objects.filter(
        object_type=session._meta.label_lower, object_id=str(session.pk), event__in=TELLERS
    )
    changes = (change_in_words(row) for row in rows.order_by("-id"))
    # Stable: what was written at the same moment stays as it comes.
    return sorted([*moves, *changes], key=lambda event: event.at, reverse=True)


def from_to(old: Span, new: Span) -> dict[str, list[datetime]]:
    """What the audit log keeps of a session that is moved."""
    return {"before": [old.start, old.end], "after": [new.start, new.end]}


def change_in_words(row: AuditEvent) -> Event:
    return Event(row.at, TELLERS[row.event](row.details), row.actor_name, row.details.get("reason", ""))


def _extended(details: Mapping[str, Any]) -> str:
    until, before = sentences.local(details["until"]), sentences.local(details["before"])
    if until == before:  # for another reason
        return _("Still held until %(until)s") % {"until": until}
    return _("Held until %(until)s instead of %(before)s") % {"until": until, "before": before}


def _released(details: Mapping[str, Any]) -> str:
    names = [*details["people"], *([details["room"]] if details["room"] else [])]
    return _("Hold released: %(names)s") % {"names": ", ".join(names)}


def _moved(details: Mapping[str, Any]) -> str:
    return _("Moved from %(before)s to %(after)s") % {
        "before": _times(details["before"]),
        "after": _times(details["after"]),
    }


def _times(instants: list[str]) -> str:
    start, end = (datetime.fromisoformat(each) for each in instants)
    return f"{day(start)} {clock(start)}–{clock(end)}"


TELLERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    HOLD_EXTENDED: _extended,
    HOLD_RELEASED: _released,
    MOVED: _moved,
}
