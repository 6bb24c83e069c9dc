"""How long a request keeps its room and people for a client who has not decided (D13, D33).

A request or a negotiation that holds something says until when, in ``Session.held_until``. Nothing lets go by itself:
what has expired is listed for coordination, who releases it, asks the client or extends it with a reason. From
Pre-scheduled on the payment deadline says until when.

These functions change the locked session that they are given; whoever calls saves it.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from scheduling.models import RoomReservation, StaffReservation
from sessions_app import deadlines, workflow

if TYPE_CHECKING:
    from sessions_app.models import Session

HOLDING = (workflow.REQUEST, workflow.NEGOTIATION)


def begin(session: "Session", *, now: datetime) -> None:
    """From the first thing that it holds; more of it does not make it last longer."""
    if session.held_until is None and session.status in HOLDING and holds_something(session):
        session.held_until = deadlines.hold_deadline(now, session.starts_at)


def end(session: "Session") -> None:
    session.held_until, session.hold_reason = None, ""


def end_if_nothing_is_held(session: "Session") -> None:
    if session.held_until is not None and not holds_something(session):
        end(session)


def move_with(session: "Session", *, now: datetime) -> None:
    """At another time of the session: never beyond its start, and from anew when there was no end to it."""
    latest = deadlines.hold_deadline(now, session.starts_at)
    if latest is None:
        end(session)
    elif session.held_until is not None:
        session.held_until = min(session.held_until, session.starts_at)
    else:
        begin(session, now=now)


def holds_something(session: "Session") -> bool:
    """It has a live reservation of a person or a room."""
    return any(
        reservations.objects.holding().filter(session_id=session.pk).exists()
        for reservations in (StaffReservation, RoomReservation)
    )
