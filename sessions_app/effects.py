"""What a transition does besides changing the state, by the names in the table.

Effects set fields and write rows; tells queue mail and notices and come last. Each takes the locked session and the
act.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

from payments import commissions, earnings, ledger, money
from payments.refunds import Percentages
from scheduling import booking
from scheduling.models import AssignmentStatus
from sessions_app import deadlines, holds, mail, notices, quotes, workflow
from sessions_app.cancellation import advance_of, refund_of
from sessions_app.memberships import sync_grants
from studio import access, audit
from studio.conf import STUDIO
from studio.roles import Perm, Role

if TYPE_CHECKING:
    from payments.money import Account
    from sessions_app.models import Session, StatusHistory
    from sessions_app.workflow import Facts, Transition
    from studio.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Money that is recorded and verified together with the confirmation (D20)."""

    amount: Decimal
    method: str
    document_number: str
    payment_date: date | None = None
    notes: str = ""


@dataclass(slots=True, kw_only=True)
class Act:
    """One transition under way."""

    transition: "Transition"
    source: str
    by: "User | None"
    now: datetime
    payload: dict[str, Any]
    facts: "Facts | None" = None
    account: "Account | None" = None
    """Where the session's money stands; empty again once an effect has changed that."""
    history: "StatusHistory | None" = None
    freed: list["User"] = field(default_factory=list)

    @property
    def today(self) -> date:
        return self.now.astimezone(STUDIO.zone).date()


Effect = Callable[["Session", Act], None]

# In front of the notes of an appointment whose client did not come (tattoo service, cancel_session).
NO_SHOW = "[No-show]"
ADVANCE_GOES_BACK, ADVANCE_IS_KEPT = "Advance paid back", "Advance kept"


def run(names: Iterable[str], session: "Session", act: Act) -> None:
    for name in names:
        EFFECTS[name](session, act)


def record_deposit(session: "Session", act: Act) -> None:
    deposit: Deposit | None = act.payload.get("deposit")
    if deposit is None:
        return
    access.require(act.by, Perm.PAYMENT_REGISTER)
    access.require(act.by, Perm.PAYMENT_VERIFY)
    payment_date = deposit.payment_date or act.today
    ledger.refuse_odd_date(payment_date, act.now)
    payments = ledger.register_deposit(
        session,
        amount=deposit.amount,
        method=deposit.method,
        document_number=deposit.document_number,
        payment_date=payment_date,
        notes=deposit.notes,
        by=act.by,
        now=act.now,
    )
    for payment in payments:
        ledger.verify(payment, by=act.by, now=act.now)


def lock_editor(session: "Session", act: Act) -> None:
    """An editor who takes two sessions at the same moment takes them one after the other, so that the limit is seen."""
    editor = act.payload.get("editor") or act.by
    booking.lock_people([editor.pk])


def set_payment_deadline(session: "Session", act: Act) -> None:
    session.payment_deadline = deadlines.payment_deadline(act.now)


def clear_payment_deadline(session: "Session", act: Act) -> None:
    session.payment_deadline = None


def set_deposit_amount(session: "Session", act: Act) -> None:
    session.deposit_amount = money.deposit_amount(session.total, session.deposit_percentage)


def keep_quote(session: "Session", act: Act) -> None:
    """What the client is offered from now on, as it is (D13)."""
    quotes.keep(session, by=act.by, now=act.now)


def set_changes_deadline(session: "Session", act: Act) -> None:
    session.changes_deadline = deadlines.changes_deadline(session.session_date)
    session.kept_changes_deadline = None


def keep_refund_terms(session: "Session", act: Act) -> None:
    """The percentages that the client agrees to: later settings do not change what this session pays back."""
    session.refund_terms = asdict(Percentages.in_force())


def keep_changes_deadline(session: "Session", act: Act) -> None:
    """A session that was Confirmed is refunded by the deadline it had, however often it is reopened (D14)."""
    session.kept_changes_deadline = session.changes_deadline or session.kept_changes_deadline


def clear_deadlines(session: "Session", act: Act) -> None:
    session.payment_deadline = None
    session.changes_deadline = None


def begin_hold(session: "Session", act: Act) -> None:
    """Back in negotiation its room and people are kept for a while, as a request's are (D13)."""
    holds.begin(session, now=act.now)


def end_hold(session: "Session", act: Act) -> None:
    """From here on another deadline says until when, or nothing is held."""
    holds.end(session)


def set_delivery_date(session: "Session", act: Act) -> None:
    session.estimated_delivery_date = deadlines.estimated_delivery_date(
        session.session_date, session.estimated_editing_days
    )


def note_attendance(session: "Session", act: Act) -> None:
    """The photographer who marks it was there; an Admin's mark says nothing about any one of them (D10)."""
    booking.note_attendance(session_id=session.pk, staff_id=act.by.pk, now=act.now)


def set_editor(session: "Session", act: Act) -> None:
    editor = act.payload.get("editor") or act.by
    session.assigned_editor = editor
    sync_grants(session, editor)


def note_cancellation(session: "Session", act: Act) -> None:
    session.canceled_at = act.now
    session.cancellation_reason = act.payload["reason"].strip()
    session.canceled_by_initiator = act.payload["initiator"]
    session.payment_deadline = None


def owe_refund(session: "Session", act: Act) -> None:
    account = act.account or ledger.account(session)
    # The rule goes by the state that is left, not by the one that is entered.
    refund = refund_of(session, account, initiator=act.payload["initiator"], now=act.now, status=act.source)
    session.refund_reason = refund.reason
    session.kept_amount = account.net_paid - account.pending_refunds - refund.amount
    if account.total_paid or account.pending_in:
        act.account = None
    if refund.amount > 0:
        ledger.owe_refund(session, amount=refund.amount, by=act.by, now=act.now, today=act.today, notes=refund.reason)
        audit.record("refund_owed", by=act.by, about=session, amount=str(refund.amount), reason=refund.reason)
    audit.record("session_canceled", by=act.by, about=session, initiator=act.payload["initiator"], source=act.source)


def settle_price(session: "Session", act: Act) -> None:
    """A price that nobody ever named is 0.00 from here on (D27)."""
    session.price_is_open = False


def take_rest(session: "Session", act: Act) -> None:
    """The client pays what is left, here and now; the payment counts at once. Of nothing left it says 0.00 (D27)."""
    ledger.settle(
        session,
        method=act.payload["method"],
        # Nobody has to invent a number for cash: without a voucher the appointment's own code stands for it.
        document_number=str(act.payload.get("document_number") or "").strip() or session.code,
        by=act.by,
        now=act.now,
    )
    act.account = None


def fix_commissions(session: "Session", act: Act) -> None:
    """What everybody who did it earns: at the session's rate or their own, an artist else at one half (D27).

    A photographer without a rate earns none.
    """
    usual = commissions.DEFAULT_RATE if session.is_appointment else None
    for person in people_on(session):
        rate = commissions.rate_of(session.commission_override, person.commission_rate, default=usual)
        if rate is not None:
            earnings.earn(session.pk, person, base=session.total, rate=rate, by=act.by, now=act.now)


def note_no_show(session: "Session", act: Act) -> None:
    """The client did not come: it counts in their history, and whoever reads the notes sees it first (D29)."""
    if not act.facts.no_show:
        return
    session.no_show = True
    if not session.special_notes.startswith(NO_SHOW):
        session.special_notes = f"{NO_SHOW} {session.special_notes}".strip()


def settle_advance(session: "Session", act: Act) -> None:
    """What was paid in advance goes back or is kept, as whoever cancels has chosen; both are written down (D40)."""
    account = act.account or ledger.account(session)
    facts = act.facts
    by_default = workflow.refunds_by_default(no_show=facts.no_show)
    gives_back = by_default if facts.refund is None else facts.refund
    advance = advance_of(account, gives_back=gives_back)
    session.kept_amount = advance.kept
    session.refund_reason = ""
    if account.net_paid > 0 or account.pending_in:
        session.refund_reason = ADVANCE_GOES_BACK if gives_back else ADVANCE_IS_KEPT
    act.account = None
    if facts.refund_note.strip():
        # The history tells both: why it is off, and why the money goes otherwise than usual.
        act.payload["reason"] = f"{facts.reason.strip()} · {facts.refund_note.strip()}"
    if advance.back > 0:
        notes = facts.refund_note.strip() or session.refund_reason
        ledger.owe_refund(session, amount=advance.back, by=act.by, now=act.now, today=act.today, notes=notes)
    audit.record(
        "session_canceled",
        by=act.by,
        about=session,
        initiator=facts.initiator,
        source=act.source,
        no_show=facts.no_show,
        advance=session.refund_reason,
        refund=str(advance.back),
        note=facts.refund_note.strip(),
    )


def tell_of_appointment(session: "Session", act: Act) -> None:
    """The artist learns that somebody else took it on, or put it off."""
    notices.tell(people_on(session), "appointment_changed", session, by=act.by, variant=session.status)


def release_time(session: "Session", act: Act) -> None:
    act.freed = booking.release(session.pk, now=act.now)


def people_on(session: "Session") -> list["User"]:
    current = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED).select_related("staff")
    return [row.staff for row in current.order_by("staff_id")]


def tell_photographers(session: "Session", act: Act) -> None:
    notices.tell(people_on(session), "session_settled", session, by=act.by)


def tell_editors(session: "Session", act: Act) -> None:
    notices.tell(get_user_model().objects.active().in_role(Role.EDITOR), "session_for_editing", session, by=act.by)


def tell_coordinators_ready(session: "Session", act: Act) -> None:
    notices.tell(get_user_model().objects.active().in_role(Role.COORDINATOR), "material_ready", session, by=act.by)


def tell_freed(session: "Session", act: Act) -> None:
    notices.tell(act.freed, "assignment_off", session, by=act.by)


def mail_confirmation(session: "Session", act: Act) -> None:
    mail.queue("confirmation_email", session, occasion=act.history.pk)


def mail_material_ready(session: "Session", act: Act) -> None:
    mail.queue("material_ready_email", session, occasion=act.history.pk)


def mail_cancellation(session: "Session", act: Act) -> None:
    mail.queue("cancellation_email", session, occasion=act.history.pk, account=act.account)


def drop_mail(session: "Session", act: Act) -> None:
    mail.drop(session)


def drop_notices(session: "Session", act: Act) -> None:
    notices.drop(session)


def drop_untrue_notices(session: "Session", act: Act) -> None:
    """Editors were told that it waits for one, coordinators that something is missing: not any more."""
    notices.drop_untrue(session)


def tell_editor(session: "Session", act: Act) -> None:
    """Somebody else put it on their desk (D11); who took it knows."""
    notices.tell([session.assigned_editor], "session_given_to_edit", session, by=act.by)


EFFECTS: dict[str, Effect] = {
    effect.__name__: effect
    for effect in (
        record_deposit,
        lock_editor,
        set_payment_deadline,
        clear_payment_deadline,
        set_deposit_amount,
        keep_quote,
        set_changes_deadline,
        keep_refund_terms,
        keep_changes_deadline,
        fix_commissions,
        clear_deadlines,
        begin_hold,
        end_hold,
        set_delivery_date,
        note_attendance,
        set_editor,
        note_cancellation,
        owe_refund,
        release_time,
        settle_price,
        take_rest,
        note_no_show,
        settle_advance,
        tell_of_appointment,
        tell_photographers,
        tell_editors,
        tell_editor,
        tell_coordinators_ready,
        tell_freed,
        mail_confirmation,
        mail_material_ready,
        mail_cancellation,
        drop_mail,
        drop_notices,
        drop_untrue_notices,
    )
}
