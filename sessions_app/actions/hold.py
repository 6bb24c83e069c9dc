"""Holds that have come to their end: given more time with a reason, or let go (D13, D14, D33, D34)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from payments import ledger
from scheduling import booking
from scheduling.models import AssignmentStatus
from sessions_app import deadlines, history_lines, holds, notices, sentences
from sessions_app.actions.reach import locked_for, refuse_appointment, touch
from sessions_app.memberships import sync_grants
from sessions_app.models import Session
from sessions_app.states import Status
from studio import audit
from studio.access import require
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, InvalidStateTransition, StudioError
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User

# Beyond it a reminder is worth more than a hold that nobody thinks of.
LONGEST = timedelta(days=60)
REASON_LENGTH = 250
# Of one act: each of them is a transaction of its own, while a person waits.
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Released:
    """What a session let go of."""

    session: Session
    people: list[str]
    room: str

    @property
    def names(self) -> list[str]:
        return [*self.people, *([self.room] if self.room else [])]


@dataclass(frozen=True, slots=True)
class Kept:
    """A hold that was left as it is, and why."""

    code: str
    why: str


def extend(session: Session, *, until: date, reason: str, by: "User", now: datetime) -> Session:
    """Hold everything to the end of the local day ``until``, or to the session's start on its own day; also once the
    hold has expired. An earlier day than before sets a slip of the pen right.

    Raises ``InvalidStateTransition`` where nothing is held, ``InvalidInput`` for a day that has passed, lies behind the
    session or more than 60 days ahead, and without a reason.
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.SESSION_ASSIGN_RESOURCES)
        refuse_appointment(session)
        require_hold(session)
        _refuse_day(session, until, now)
        reason = _tidy(reason)
        if not reason:
            raise InvalidInput(_("Say why it is held longer."), field="reason")
        before, session.held_until = session.held_until, deadlines.hold_end(until, session.starts_at)
        session.hold_reason = reason
        touch(session, by=by, now=now)
        audit.record(
            history_lines.HOLD_EXTENDED, by=by, about=session, before=before, until=session.held_until, reason=reason
        )
    return session


def release(session: Session, *, by: "User", now: datetime, reason: str = "", seen: datetime | None = None) -> Released:
    """Take everybody off and give the room back; the session stays in its state. Who leaves is told (D34).

    ``seen`` is the end of the hold that the person had before them: another one by now ends the act. Raises
    ``InvalidStateTransition``, also where nothing is held any more; ``InvalidInput``.
    """

    def is_as_seen(locked: Session) -> None:
        if seen is not None and locked.held_until != seen:
            raise InvalidStateTransition(
                _("It was given until %(until)s meanwhile.") % {"until": sentences.local(locked.held_until)},
                details={"current": locked.status, "failed": ["hold_changed"]},
            )

    return _release(session, by=by, now=now, reason=reason, last_look=is_as_seen)


def release_expired(codes: Iterable[str], *, by: "User", now: datetime) -> tuple[list[Released], list[Kept]]:
    """Release many that have expired, each in a transaction of its own: one that is refused holds up no other.

    Left alone, with the reason: what was extended or pre-scheduled meanwhile, and whose client has paid or promised
    something (D14), which is decided one by one. Raises ``AccessDenied``, ``InvalidInput`` for none or too many.
    """
    require(by, Perm.SESSION_ASSIGN_RESOURCES)
    codes = list(dict.fromkeys(codes))
    if not codes:
        raise InvalidInput(_("Choose at least one."), field="code")
    if len(codes) > AT_ONCE:
        raise InvalidInput(_("At most %(n)d at once.") % {"n": AT_ONCE}, field="code")
    found = {each.code: each for each in Session.objects.visible_to(by).filter(code__in=codes)}
    released: list[Released] = []
    kept: list[Kept] = []

    def may_go(locked: Session) -> None:
        refuse_unexpired(locked, now)
        refuse_paid(locked)

    for code in codes:
        if code not in found:
            kept.append(Kept(code, _("There is no such session.")))
            continue
        try:
            released.append(_release(found[code], by=by, now=now, last_look=may_go))
        except AccessDenied:
            raise
        except StudioError as error:
            kept.append(Kept(code, str(error.message)))
    return released, kept


def refuse_unexpired(session: Session, now: datetime) -> None:
    if not holds.has_expired(session, now):
        raise InvalidStateTransition(
            _("It is held until %(until)s.") % {"until": sentences.local(session.held_until)},
            details={"current": session.status, "failed": ["not_expired"]},
        )


def refuse_paid(session: Session) -> None:
    """A client who has paid is not robbed along with others (D14)."""
    account = ledger.account(session)
    paid = account.net_paid + account.pending_in
    if paid > 0:
        raise InvalidStateTransition(
            _("The client has paid %(amount)s: decide on it by itself.") % {"amount": sentences.money(paid)},
            details={"current": session.status, "failed": ["paid"], "paid": str(paid)},
        )


def _release(
    session: Session, *, by: "User", now: datetime, reason: str = "", last_look: Callable[[Session], None]
) -> Released:
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.SESSION_ASSIGN_RESOURCES)
        refuse_appointment(session)
        require_hold(session)
        last_look(session)
        reason = _tidy(reason)
        current = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED).select_related("staff")
        rows = list(current.order_by("staff_id"))
        booking.lock_people(row.staff_id for row in rows)
        rooms = booking.lock_rooms({session.room_id} - {None})
        for row in rows:
            booking.take_off(row, now=now)
        booking.release_room(session_id=session.pk, now=now)
        until, session.room = session.held_until, None
        holds.end(session)
        people = [row.staff for row in rows]
        for person in people:
            sync_grants(session, person)
        notices.drop(session, notices.TO_PHOTOGRAPHERS, people=people)
        notices.tell(people, "assignment_changed", session, by=by, variant="off")
        touch(session, by=by, now=now)
        room = next((each.name for each in rooms.values()), "")
        done = Released(session, [each.full_name for each in people], room)
        audit.record(
            history_lines.HOLD_RELEASED,
            by=by,
            about=session,
            people=done.people,
            room=done.room,
            held_until=until,
            reason=reason,
        )
    return done


def require_hold(session: Session) -> None:
    """Raises where there is nothing to extend or to let go of; from Pre-scheduled on the deposit says until when."""
    if session.held_until is not None:
        return
    if session.status in holds.HOLDING:
        text, failed = _("It holds nobody and no room that could be let go."), "nothing_held"
    else:
        state = str(Status(session.status).label).lower()
        text, failed = _("It is %(state)s: its people and room stay.") % {"state": state}, "not_in_negotiation"
    raise InvalidStateTransition(text, details={"current": session.status, "failed": [failed]})


def _refuse_day(session: Session, until: date, now: datetime) -> None:
    today, starts_on = now.astimezone(STUDIO.zone).date(), session.session_date
    if session.starts_at <= now:
        text = _("The session has begun: there is nothing to hold any more.")
    elif until < today:
        text = _("This day has passed.")
    elif until > starts_on:
        text = _("Nothing is held beyond the session itself: it begins on %(when)s.") % {
            "when": sentences.local(session.starts_at)
        }
    elif until > today + LONGEST:
        text = _("At most %(days)d days from today.") % {"days": LONGEST.days}
    else:
        return
    raise InvalidInput(text, field="until", details={"starts_at": session.starts_at.isoformat()})


def _tidy(reason: str) -> str:
    reason = reason.strip()
    if len(reason) > REASON_LENGTH:
        raise InvalidInput(_("At most %(n)d characters.") % {"n": REASON_LENGTH}, field="reason")
    return reason
