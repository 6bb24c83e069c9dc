"""The two machines: states, transitions, guards (business rules 1; D7 to D15; appointments D26 to D29, D40). Pure.

``PHOTOGRAPHY`` and ``APPOINTMENTS`` are the one place that knows which transition exists, who may do it, what has to
be true and what it causes. The writer (``Session.move``), the buttons, ``docs/states.md`` and the matrix tests all
read it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sessions_app import deadlines

REQUEST = "Request"
NEGOTIATION = "Negotiation"
PRE_SCHEDULED = "Pre-scheduled"
CONFIRMED = "Confirmed"
ASSIGNED = "Assigned"
ATTENDED = "Attended"
IN_EDITING = "In Editing"
READY = "Ready for Delivery"
COMPLETED = "Completed"
CANCELED = "Canceled"
# The appointment machine shares the last two (D26).
WAITING = "Waiting"
ACTIVE = "Active"

PATH = (REQUEST, NEGOTIATION, PRE_SCHEDULED, CONFIRMED, ASSIGNED, ATTENDED, IN_EDITING, READY, COMPLETED)
STATES = (*PATH, CANCELED)
APPOINTMENT_STATES = (WAITING, ACTIVE, COMPLETED, CANCELED)
ALL_STATES = (*STATES, WAITING, ACTIVE)
FINAL = frozenset({COMPLETED, CANCELED})
# The few among very many that are over: asked for by name, so that an index finds them.
UNDER_WAY = tuple(state for state in ALL_STATES if state not in FINAL)
BEFORE_ASSIGNED = frozenset({REQUEST, NEGOTIATION, PRE_SCHEDULED, CONFIRMED})
FROM_ASSIGNED_ON = frozenset({ASSIGNED, ATTENDED, IN_EDITING, READY, COMPLETED})
WITH_EDITOR = frozenset({IN_EDITING, READY, COMPLETED})
# The price is owed: quoted, or an appointment that is more than tentative.
AGREED = frozenset({PRE_SCHEDULED, CONFIRMED, *FROM_ASSIGNED_ON, ACTIVE})

STUDIO_SESSION, EXTERNAL_SESSION, APPOINTMENT = "Studio", "External", "Appointment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the guards may look at. Amounts in the studio's currency, instants aware, dates in its zone."""

    now: datetime
    today: date
    session_type: str = STUDIO_SESSION
    starts_at: datetime
    session_date: date
    client_active: bool = True
    has_lines: bool = False
    total: Decimal = Decimal("0.00")
    net_paid: Decimal = Decimal("0.00")
    pending_in: Decimal = Decimal("0.00")
    deposit_amount: Decimal | None = None
    payment_deadline: datetime | None = None
    changes_deadline: datetime | None = None
    photographers: int = 0
    has_room: bool = False
    has_editor: bool = False
    editor_is_editor: bool = True
    editor_load: int = 0
    editor_limit: int = 0
    requires_full_payment: bool = False
    by_admin: bool = False
    by_system: bool = False
    reason: str = ""
    initiator: str = ""
    no_show: bool = False
    method: str = ""
    refund: bool | None = None
    refund_note: str = ""


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why a transition cannot happen now: an error code, the condition that failed, and its figures."""

    code: str
    failed: str
    details: dict[str, Any] = field(default_factory=dict)


Guard = Callable[[Facts], Blocker | None]

TRANSITION = "INVALID_STATE_TRANSITION"


def client_is_active(facts: Facts) -> Blocker | None:
    return None if facts.client_active else Blocker(TRANSITION, "client_inactive")


def starts_in_the_future(facts: Facts) -> Blocker | None:
    """Admins enter past sessions as well (D16)."""
    if facts.starts_at > facts.now or facts.by_admin:
        return None
    return Blocker("INVALID_SESSION_DATE", "starts_in_the_past", {"session_date": facts.session_date.isoformat()})


def has_type(facts: Facts) -> Blocker | None:
    return None if facts.session_type else Blocker(TRANSITION, "no_type")


def has_lines(facts: Facts) -> Blocker | None:
    return None if facts.has_lines else Blocker(TRANSITION, "no_lines")


def total_is_positive(facts: Facts) -> Blocker | None:
    return None if facts.total > 0 else Blocker(TRANSITION, "total_is_zero", {"total": str(facts.total)})


def is_not_overpaid(facts: Facts) -> Blocker | None:
    """A total below what was paid is settled by a refund first (D13)."""
    excess = facts.net_paid - facts.total
    return Blocker(TRANSITION, "overpaid", {"excess": str(excess)}) if excess > 0 else None


def payment_is_in_time(facts: Facts) -> Blocker | None:
    deadline = facts.payment_deadline
    if deadline is not None and facts.now <= deadline:
        return None
    return Blocker(
        "PAYMENT_DEADLINE_EXPIRED",
        "payment_deadline_passed",
        {"payment_deadline": deadline.isoformat() if deadline else None},
    )


def deposit_is_in(facts: Facts) -> Blocker | None:
    due = facts.deposit_amount if facts.deposit_amount is not None else Decimal("0.00")
    if facts.net_paid >= due:
        return None
    return Blocker(
        "INSUFFICIENT_PAYMENT",
        "deposit_missing",
        {"deposit_amount": str(due), "verified": str(facts.net_paid), "missing": str(due - facts.net_paid)},
    )


def changes_are_still_possible(facts: Facts) -> Blocker | None:
    """Only a Confirmed session has a changes deadline (business rules 1.4)."""
    deadline = facts.changes_deadline
    if deadline is None or facts.now <= deadline:
        return None
    return Blocker("CHANGES_DEADLINE_EXPIRED", "changes_deadline_passed", {"changes_deadline": deadline.isoformat()})


def changes_are_over(facts: Facts) -> Blocker | None:
    deadline = facts.changes_deadline
    if deadline is not None and facts.now > deadline:
        return None
    return Blocker(
        TRANSITION,
        "changes_deadline_not_passed",
        {"changes_deadline": deadline.isoformat() if deadline else None},
    )


def resources_are_there(facts: Facts) -> Blocker | None:
    missing = [] if facts.photographers else ["photographer"]
    if facts.session_type == STUDIO_SESSION and not facts.has_room:
        missing.append("room")
    return Blocker("MISSING_RESOURCES", "resources_missing", {"missing": missing}) if missing else None


def the_day_has_come(facts: Facts) -> Blocker | None:
    if facts.today >= facts.session_date:
        return None
    return Blocker(TRANSITION, "session_date_not_come", {"session_date": facts.session_date.isoformat()})


def nobody_edits_it(facts: Facts) -> Blocker | None:
    return Blocker(TRANSITION, "taken_by_another_editor") if facts.has_editor else None


def editor_is_an_editor(facts: Facts) -> Blocker | None:
    return None if facts.editor_is_editor else Blocker("INVALID_INPUT", "not_an_editor")


def editor_has_room(facts: Facts) -> Blocker | None:
    """``MAX_CONCURRENT_EDITING_SESSIONS``; 0 is no limit, and Admin may exceed it (D11)."""
    if not facts.editor_limit or facts.by_admin or facts.editor_load < facts.editor_limit:
        return None
    return Blocker(TRANSITION, "editor_at_limit", {"editing": facts.editor_load, "limit": facts.editor_limit})


def is_paid_if_required(facts: Facts) -> Blocker | None:
    """Only where ``REQUIRE_FULL_PAYMENT`` is on (D37)."""
    if not facts.requires_full_payment or facts.net_paid >= facts.total:
        return None
    return Blocker("INSUFFICIENT_PAYMENT", "not_paid_in_full", {"missing": str(facts.total - facts.net_paid)})


def reason_is_given(facts: Facts) -> Blocker | None:
    return None if facts.reason.strip() else Blocker("INVALID_INPUT", "no_reason")


def initiator_is_known(facts: Facts) -> Blocker | None:
    """People cancel for the client, the company or force majeure; the system for itself (D7)."""
    allowed = ("client", "company", "force_majeure")
    if facts.by_system:
        allowed = allowed if facts.session_type == APPOINTMENT else ("system",)
    if facts.initiator in allowed:
        return None
    return Blocker("INVALID_INPUT", "unknown_initiator", {"initiator": facts.initiator, "allowed": list(allowed)})


def nothing_waits_to_be_verified(facts: Facts) -> Blocker | None:
    """What is left to pay is known only once every payment was decided on (D27)."""
    waiting = facts.pending_in
    return Blocker(TRANSITION, "payments_pending", {"pending": str(waiting)}) if waiting > 0 else None


def method_is_known(facts: Facts) -> Blocker | None:
    """Efectivo, Tarjeta or Transferencia (tattoo service, payment methods)."""
    if facts.method in METHODS:
        return None
    return Blocker("INVALID_INPUT", "unknown_method", {"method": facts.method, "allowed": list(METHODS)})


def no_show_is_the_clients(facts: Facts) -> Blocker | None:
    """Somebody who does not come is the client, never the studio (D29)."""
    if not facts.no_show or facts.initiator == "client":
        return None
    return Blocker("INVALID_INPUT", "no_show_of_another", {"initiator": facts.initiator})


def keeping_is_chosen(facts: Facts) -> Blocker | None:
    """What happens to an advance is decided by who cancels, with the reason; only the default needs none (D40)."""
    if facts.net_paid + facts.pending_in <= 0 or facts.refund is None:
        return None
    if facts.refund == refunds_by_default(no_show=facts.no_show) or facts.refund_note.strip():
        return None
    return Blocker("INVALID_INPUT", "no_refund_note")


def refunds_by_default(*, no_show: bool) -> bool:
    """Whether an advance goes back unless somebody chooses otherwise: kept after a no-show, else paid back (D40)."""
    return not no_show


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of the table.

    ``permission`` and ``roles`` both have to hold; ``permission`` is asked of the session itself, so that an own-scoped
    one (``session.mark-attended``) reaches only sessions that the person is on. Admin may do every row (D15).
    """

    name: str
    sources: frozenset[str]
    target: str
    permission: str | None
    roles: frozenset[str]
    guards: tuple[Guard, ...] = ()
    prepare: tuple[str, ...] = ()
    """Done before the facts are loaded, in the same transaction: a deposit that comes with the confirmation."""
    effects: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    """Mail and notices, queued when everything else is written."""
    system: frozenset[str] = frozenset()
    """The sources from which the system may do it too, as ``by=None``."""
    from_queue: bool = False
    """Reaches sessions that nobody has yet, so that the permission is asked of the role alone."""
    needs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    """The payload: what the act has to be given, and what it may be given."""
    for_admin: tuple[str, ...] = ()
    """The part of the payload that only an Admin may give."""


# The words of ``studio.roles``, which knows Django and is not imported here; a test compares them.
ADMIN, COORDINATOR, PHOTOGRAPHER, ARTIST, EDITOR = "Admin", "Coordinator", "Photographer", "Artist", "Editor"
OFFICE = frozenset({COORDINATOR, ADMIN})
BOOKERS = OFFICE | {ARTIST}
# The words of ``payments.models.PaymentMethod``; a test compares them.
METHODS = ("Cash", "Card", "Transfer")

PHOTOGRAPHY: dict[str, Transition] = {
    row.name: row
    for row in (
        Transition(
            name="negotiate",
            sources=frozenset({REQUEST}),
            target=NEGOTIATION,
            permission="session.edit.pre-assigned",
            roles=OFFICE,
            guards=(client_is_active, starts_in_the_future, has_type),
        ),
        Transition(
            name="preschedule",
            sources=frozenset({NEGOTIATION}),
            target=PRE_SCHEDULED,
            permission="session.edit.pre-assigned",
            roles=OFFICE,
            guards=(has_lines, total_is_positive, is_not_overpaid),
            effects=("set_payment_deadline", "set_deposit_amount", "end_hold", "keep_quote"),
        ),
        Transition(
            name="confirm",
            sources=frozenset({PRE_SCHEDULED}),
            target=CONFIRMED,
            permission="session.edit.pre-assigned",
            roles=OFFICE,
            guards=(payment_is_in_time, deposit_is_in),
            prepare=("record_deposit",),
            effects=("clear_payment_deadline", "set_changes_deadline", "keep_refund_terms"),
            tells=("drop_untrue_notices", "mail_confirmation"),
            optional=("deposit",),
        ),
        Transition(
            name="reopen",
            sources=frozenset({PRE_SCHEDULED, CONFIRMED}),
            target=NEGOTIATION,
            permission="session.edit.pre-assigned",
            roles=OFFICE,
            guards=(changes_are_still_possible,),
            effects=("keep_changes_deadline", "clear_deadlines", "begin_hold"),
            tells=("drop_mail", "drop_untrue_notices"),
        ),
        Transition(
            name="assign",
            sources=frozenset({CONFIRMED}),
            target=ASSIGNED,
            permission="session.assign-resources",
            roles=OFFICE,
            guards=(changes_are_over, resources_are_there),
            effects=("set_delivery_date",),
            tells=("drop_untrue_notices", "tell_photographers"),
            system=frozenset({CONFIRMED}),
        ),
        Transition(
            name="attend",
            sources=frozenset({ASSIGNED}),
            target=ATTENDED,
            permission="session.mark-attended",
            roles=frozenset({PHOTOGRAPHER}),
            guards=(the_day_has_come,),
            effects=("note_attendance",),
            tells=("tell_editors",),
        ),
        Transition(
            name="take",
            sources=frozenset({ATTENDED}),
            target=IN_EDITING,
            permission="session.view.own",
            roles=frozenset({EDITOR}),
            guards=(nobody_edits_it, editor_is_an_editor, editor_has_room),
            prepare=("lock_editor",),
            effects=("set_editor",),
            tells=("drop_untrue_notices", "tell_editor"),
            from_queue=True,
            optional=("editor",),
            for_admin=("editor",),
        ),
        Transition(
            name="ready",
            sources=frozenset({IN_EDITING}),
            target=READY,
            permission="session.mark-ready",
            roles=frozenset({EDITOR}),
            tells=("mail_material_ready", "tell_coordinators_ready"),
        ),
        Transition(
            name="complete",
            sources=frozenset({READY}),
            target=COMPLETED,
            permission=None,
            roles=OFFICE,
            guards=(is_paid_if_required,),
            effects=("fix_commissions", "release_time"),
            tells=("drop_untrue_notices",),
        ),
        Transition(
            name="cancel",
            sources=frozenset(STATES) - FINAL,
            target=CANCELED,
            permission="session.cancel",
            roles=OFFICE,
            guards=(reason_is_given, initiator_is_known),
            effects=("note_cancellation", "owe_refund", "end_hold", "release_time"),
            tells=("drop_mail", "drop_notices", "tell_freed", "mail_cancellation"),
            # Unpaid ones only (business rules 1.2, 9.1).
            system=frozenset({PRE_SCHEDULED}),
            needs=("reason", "initiator"),
        ),
    )
}


APPOINTMENTS: dict[str, Transition] = {
    row.name: row
    for row in (
        Transition(
            name="activate",
            sources=frozenset({WAITING}),
            target=ACTIVE,
            permission="appointment.manage.own",
            roles=BOOKERS,
            tells=("tell_of_appointment",),
            system=frozenset({WAITING}),
        ),
        Transition(
            name="hold",
            sources=frozenset({ACTIVE}),
            target=WAITING,
            permission="appointment.manage.own",
            roles=BOOKERS,
            tells=("tell_of_appointment",),
            system=frozenset({ACTIVE}),
        ),
        Transition(
            name="complete",
            sources=frozenset({ACTIVE}),
            target=COMPLETED,
            permission="appointment.manage.own",
            roles=BOOKERS,
            guards=(method_is_known, nothing_waits_to_be_verified),
            # The time stays held (D34).
            effects=("settle_price", "take_rest", "fix_commissions"),
            system=frozenset({ACTIVE}),
            needs=("method",),
            optional=("document_number",),
        ),
        Transition(
            name="cancel",
            sources=frozenset({WAITING, ACTIVE}),
            target=CANCELED,
            permission="appointment.manage.own",
            roles=BOOKERS,
            guards=(reason_is_given, initiator_is_known, no_show_is_the_clients, keeping_is_chosen),
            effects=("note_cancellation", "note_no_show", "settle_advance", "release_time"),
            tells=("drop_notices", "tell_freed"),
            system=frozenset({WAITING, ACTIVE}),
            needs=("reason", "initiator"),
            optional=("no_show", "refund", "refund_note"),
        ),
    )
}

# What the photography machine is for.
SHOOTS = (STUDIO_SESSION, EXTERNAL_SESSION)
MACHINES = {STUDIO_SESSION: PHOTOGRAPHY, EXTERNAL_SESSION: PHOTOGRAPHY, APPOINTMENT: APPOINTMENTS}
NAMES = frozenset(PHOTOGRAPHY) | frozenset(APPOINTMENTS)


def row_of(session_type: str, name: str) -> Transition:
    """The row that a move of this name is for a session of this type.

    A name that only the other machine knows gives its row there: none of its sources is a state of this one, so that
    it is refused as any move from a wrong state is. Raises ``KeyError`` for a name that neither knows.
    """
    machine = MACHINES[session_type]
    return machine[name] if name in machine else (PHOTOGRAPHY | APPOINTMENTS)[name]


def is_of_appointments(row: Transition) -> bool:
    """Which of the machines a row belongs to: they share some names, and not what these mean."""
    return APPOINTMENTS.get(row.name) is row


def transitions_from(status: str) -> list[Transition]:
    """The rows that leave a state, in the order of their table; the states that both machines share are final."""
    rows = (*PHOTOGRAPHY.values(), *APPOINTMENTS.values())
    return [row for row in rows if status in row.sources]


def blockers(transition: Transition, facts: Facts, skip: Iterable[str] = ()) -> list[Blocker]:
    """Every condition of the transition that does not hold, in the order of the table; empty when it may happen.

    ``skip`` names conditions that the person has still to fill in (a reason), for showing a button before the act.
    """
    found = (guard(facts) for guard in transition.guards)
    return [blocker for blocker in found if blocker is not None and blocker.failed not in skip]


def edit_blocker(status: str, changes_deadline: datetime | None, now: datetime) -> Blocker | None:
    """Whether lines, price, date and place may change (business rules 6.3); Admin is not asked this."""
    if status in (REQUEST, NEGOTIATION, PRE_SCHEDULED, WAITING, ACTIVE):
        return None
    if status == CONFIRMED:
        if changes_deadline is not None and now <= changes_deadline:
            return None
        return Blocker(
            "IMMUTABLE_SESSION",
            "changes_deadline_passed",
            {"changes_deadline": changes_deadline.isoformat() if changes_deadline else None},
        )
    return Blocker("IMMUTABLE_SESSION", "state_is_fixed", {"status": status})


def people_blocker(status: str) -> Blocker | None:
    """Whether photographers and rooms may still change (business rules 10.4): before Completed, and not when
    canceled."""
    if status in FINAL:
        return Blocker("IMMUTABLE_SESSION", "state_is_fixed", {"status": status})
    return None


def date_blocker(status: str, session_date: date, starts_at: datetime, now: datetime, by_admin: bool) -> Blocker | None:
    """The date rule for new and edited sessions (business rules 3.3, D16)."""
    today = now.astimezone(starts_at.tzinfo).date()
    past_allowed = deadlines.is_valid_session_date(session_date, status, today) and status in FROM_ASSIGNED_ON - {
        ASSIGNED
    }
    if by_admin or past_allowed or starts_at > now:
        return None
    return Blocker("INVALID_SESSION_DATE", "starts_in_the_past", {"session_date": session_date.isoformat()})
