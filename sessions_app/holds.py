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


def move_with(session: "Session", *, began: datetime, now: datetime) -> None:
    """At another time of the session, which began at ``began``: never beyond its start.

    A hold that only the former start had cut short is given what a new one gets, and so is a session that had none.
    """
    latest = deadlines.hold_deadline(now, session.starts_at)
    if latest is None:
        end(session)
    elif session.held_until is None:
        begin(session, now=now)
    else:
        was_cut_short = session.held_until.timestamp() == began.timestamp()
        until = max(session.held_until, latest, key=datetime.timestamp) if was_cut_short else session.held_until
        session.held_until = min(until, session.starts_at, key=datetime.timestamp)


def has_expired(session: "Session", now: datetime) -> bool:
    return session.held_until is not None and session.held_until <= now


def holds_something(session: "Session") -> bool:
    """It has a live reservation of a person or a room."""
    return any(
        reservations.objects.holding().filter(session_id=session.pk).exists()
        for reservations in (StaffReservation, RoomReservation)
    )
