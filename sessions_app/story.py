"""What a session's page tells: the whole story for the office, what they need for those who are on it.

Queries only. ``whole`` and ``reduced`` are two answers, not one with parts left out: nothing about money, nothing of
the client's private record is loaded for somebody who may not read it (permissions, object level).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payments import money, till
from payments.models import Payment, PaymentStatus, PaymentType, Receipt
from payments.money import Account
from scheduling.models import StaffReservation
from sessions_app import clients, holds, sentences, workflow
from sessions_app.actions.shoot import NOTES_OPEN
from sessions_app.consequences import (
    RefundTable,
    hours_of,
    is_forward,
    is_override,
    refund_table,
    rows_with_people,
    sentences_of_mail,
)
from sessions_app.facts import load_facts
from sessions_app.history_lines import Event, with_changes
from sessions_app.opening_words import outside_hours
from sessions_app.states import TURN, Status
from studio import mail_faults
from studio.access import allows
from studio.conf import STUDIO
from studio.models import OutgoingEmail
from studio.roles import Perm, Role, is_admin, roles_of
from studio.templatetags.atelier import ago, long_day

if TYPE_CHECKING:
    from sessions_app.models import Session, SessionDetail, StatusHistory
    from sessions_app.workflow import Facts
    from studio.models import User


# What the person still fills in on the move's own page: no reason to lock the door to it.
FILLED_IN = frozenset({"no_reason", "unknown_initiator", "deposit_missing", "unknown_method"})
# Nothing to ask, nothing to weigh: one tap. The others show what they do first.
AT_ONCE = frozenset({"negotiate", "attend", "take", "activate", "hold"})
EDITORS_HAND = frozenset({workflow.IN_EDITING, workflow.READY})
# It has not taken place yet: its time can still be thought better of.
TO_COME = workflow.BEFORE_ASSIGNED | {workflow.ASSIGNED, workflow.WAITING, workflow.ACTIVE}


@dataclass(frozen=True, slots=True)
class Move:
    """A button; the names are those that ``components/move.html`` reads."""

    name: str
    label: str
    url: str
    reason: str = ""
    method: str = "get"
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    when: date | datetime | None
    stage: str


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a part of the session may be changed by this person now: a link, or the reason, or neither."""

    url: str = ""
    reason: str = ""
    is_override: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Until when its room and people are kept for the client, and where that is decided; "" where it is not theirs."""

    until: datetime
    has_expired: bool
    note: str
    reason: str
    extend_url: str
    release_url: str


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    amount: Decimal | None
    """None where there is none to name yet."""
    note: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class PaymentRow:
    payment: Payment
    moves: list[Move]

    @property
    def is_void(self) -> bool:
        return not self.payment.is_live

    @property
    def kind(self) -> str:
        return kind_of(self.payment, self.payment.session)

    @property
    def receipt(self) -> Receipt | None:
        return getattr(self.payment, "receipt", None)

    @property
    def has_no_receipt(self) -> bool:
        """Verified before receipts were given; of nothing there is no receipt (D27)."""
        is_money = self.payment.payment_status == PaymentStatus.VERIFIED and self.payment.amount > 0
        return is_money and self.receipt is None

    @property
    def till_note(self) -> str:
        """Said where the money does not count on the day on which somebody decided (ADR 11)."""
        row = self.payment
        if row.void_cash_day is not None and till.counts_late(row.void_cash_day, row.deleted_at):
            return _("Taken out of the till on %(day)s: the day of the voiding was closed.") % {
                "day": long_day(row.void_cash_day)
            }
        if row.cash_day is not None and till.counts_late(row.cash_day, row.verified_at):
            when = {"day": long_day(row.cash_day)}
            return _("Counts in the till on %(day)s: the day of the decision was closed.") % when
        return ""

    @property
    def notes(self) -> str:
        """What was noted; of a refund, the sentence of its rule."""
        if self.payment.payment_type == PaymentType.REFUND:
            return sentences.refund_rule(self.payment.notes)
        return self.payment.notes


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on the team, with their coverage."""

    name: str
    hours: str
    is_lead: bool
    is_me: bool
    attended_at: datetime | None
    phone: str
    notes: str
    coverage: StaffReservation


@dataclass(frozen=True, slots=True)
class Mail:
    what: str
    to: str
    status: str
    status_label: str
    when: datetime
    why: str
    next_try: datetime | None
    url: str

    @property
    def is_given_up(self) -> bool:
        return self.status == OutgoingEmail.Status.DEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The page of the office."""

    session: "Session"
    moves: list[Move]
    turn: str
    deadlines: list[tuple[str, datetime, str]]
    hold: Hold | None
    outside_hours: str
    delivery_note: str
    canceled_by: str
    canceled_because: str
    steps: list[Step]
    lines: list["SessionDetail"]
    lines_gate: Gate
    edit_gate: Gate
    people_gate: Gate
    refunds: RefundTable | None
    team: list[Member]
    figures: list[Figure]
    payments: list[PaymentRow]
    register: Move | None
    owe: Move | None
    record: clients.Record
    risk: clients.Risk | None
    mails: list[Mail]
    events: list[Event]
    may_see_client: bool
    notes_url: str
    observe_url: str
    delivery_url: str
    account: Account

    @property
    def registers(self) -> list[Move]:
        return [self.register] if self.register else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """The page of a photographer or an editor: where, when, what; whom to call; what is theirs to do."""

    session: "Session"
    moves: list[Move]
    sold: list["SessionDetail"]
    team: list[Member]
    mine: Member | None
    delivery_note: str
    notes_url: str
    notes_reason: str
    observe_url: str
    delivery_url: str
    contact: dict[str, str] = field(default_factory=dict)


def whole(session: "Session", *, by: "User", now: datetime) -> Whole:
    """The whole story, in a number of queries that does not depend on how much there is to tell."""
    payments = list(
        session.payments.select_related("registered_by", "verified_by", "deleted_by", "receipt").order_by("-id")
    )
    account = money.account(
        session.total, [row.as_entry() for row in payments if row.is_live], kept=session.kept_amount
    )
    history = list(session.history.select_related("changed_by").order_by("-id"))
    on_it = rows_with_people(session)
    lines = list(session.lines.all())
    may_assign = allows(by, Perm.SESSION_ASSIGN_RESOURCES)
    record = clients.record_of(session.client)
    return Whole(
        session=session,
        moves=moves_of(session, by=by, now=now, account=account),
        turn=str(TURN.get(session.status, "")),
        deadlines=deadlines_of(session, now),
        hold=hold_of(session, now, may_decide=may_assign),
        outside_hours=outside_hours_of(session),
        delivery_note=delivery_note(session, now),
        canceled_by=str(sentences.INITIATORS.get(session.canceled_by_initiator, "")),
        canceled_because=sentences.reason_in_words(session.cancellation_reason),
        steps=steps_of(session, history),
        lines=lines,
        lines_gate=edit_gate(session, "session-lines", by=by, now=now),
        edit_gate=edit_gate(session, "session-edit", by=by, now=now),
        people_gate=people_gate(session) if may_assign else Gate(),
        refunds=None if session.is_final else refund_table(session, account, now=now),
        team=[member_of(row, by) for row in on_it],
        figures=figures_of(session, account),
        payments=[PaymentRow(row, payment_moves(row, by=by)) for row in payments],
        register=register_move(session, account, payments, by=by),
        owe=owe_move(session, account, by=by),
        record=record,
        risk=clients.risk_of(session, record),
        mails=mails_about(session, by=by),
        events=with_changes(session, [event_of(row) for row in history]),
        may_see_client=allows(by, Perm.CLIENT_VIEW),
        **own_pages(session, by),
        account=account,
    )


def reduced(session: "Session", *, by: "User", now: datetime) -> Reduced:
    """What somebody who is on the session, or may take it, needs to know; no money, no private record."""
    team = [member_of(row, by) for row in rows_with_people(session)]
    mine = next((member for member in team if member.is_me), None)
    return Reduced(
        session=session,
        moves=moves_of(session, by=by, now=now),
        sold=list(session.lines.all()),
        team=team,
        mine=mine,
        delivery_note=delivery_note(session, now),
        notes_reason=_("Observations are written from Assigned until the delivery.")
        if mine is not None and session.status in workflow.BEFORE_ASSIGNED
        else "",
        **own_pages(session, by),
        contact={
            "full_name": session.client.full_name,
            "primary_phone": session.client.primary_phone,
            "email": session.client.email,
        },
    )


# -- moves -------------------------------------------------------------------------------------------------------------


def moves_of(session: "Session", *, by: "User", now: datetime, account: Account | None = None) -> list[Move]:
    """The next moves of this person, forward ones first; one that is not possible now says why."""
    rows = [row for row in workflow.transitions_from(session.status) if session.may(row.name, by, within_reach=True)]
    if not rows:
        return own_attendance(session, by)
    facts = facts_of(session, rows, by=by, now=now, account=account)
    rows.sort(key=lambda row: (row.target == workflow.CANCELED, not is_forward(row, session.status)))
    moves = [_move(session, row, facts, by=by, is_first=index == 0) for index, row in enumerate(rows)]
    return [*own_attendance(session, by), *moves]


def facts_of(
    session: "Session",
    rows: Iterable[workflow.Transition],
    *,
    by: "User",
    now: datetime,
    account: Account | None = None,
) -> "Facts":
    """The facts for the guards of these rows, loaded once."""
    return load_facts(session, list(rows), by=by, now=now, account=account)


def blocked_because(session: "Session", row: workflow.Transition, facts: "Facts") -> str:
    """Why it cannot happen now, in sentences; "" when it can, or when only what its page asks for is missing."""
    return " ".join(sentences.why(each) for each in workflow.blockers(row, facts, skip=FILLED_IN))


def _move(session: "Session", row: workflow.Transition, facts: "Facts", *, by: "User", is_first: bool) -> Move:
    # An Admin who acts for somebody else is told of the audit log first, and asked who gets it.
    stands_in = is_override(row, by)
    at_once = row.name in AT_ONCE and not stands_in
    kind = "danger" if row.target == workflow.CANCELED else "primary" if is_first else ""
    attends = row.name == "attend" and not stands_in
    url = reverse("session-attend", args=[session.code]) if attends else move_url(session, row.name)
    return Move(
        name=row.name,
        label=sentences.name_of(row),
        url=url,
        reason=blocked_because(session, row, facts),
        method="post" if at_once else "get",
        kind=kind,
    )


def own_attendance(session: "Session", by: "User") -> list[Move]:
    """Another photographer of a session that is attended already still notes that they were there (D10)."""
    if session.status not in workflow.FROM_ASSIGNED_ON - {workflow.ASSIGNED}:
        return []
    mine = next((row for row in rows_with_people(session) if row.staff_id == by.pk), None)
    if mine is None or mine.attended_at is not None or Role.PHOTOGRAPHER not in roles_of(by):
        return []
    url = reverse("session-attend", args=[session.code])
    return [Move("attend", _("I was there too"), url, method="post", kind="primary")]


def move_url(session: "Session", name: str) -> str:
    return reverse("session-move", args=[session.code, name])


def steps_of(session: "Session", history: Iterable["StatusHistory"]) -> list[Step]:
    """The nine states with the day each was reached; a canceled session shows after which one it ended.

    ``history`` is newest first. A state that lies ahead again after a reopening shows no date.
    """
    history = list(history)
    reached: dict[str, datetime] = {}
    for row in history:
        reached.setdefault(row.new_status, row.changed_at)
    canceled = session.is_canceled
    present = session.status
    if canceled:
        last = next((row for row in history if row.new_status == workflow.CANCELED), None)
        present = last.previous_status if last and last.previous_status else workflow.REQUEST
    here = workflow.PATH.index(present)
    steps = []
    for index, state in enumerate(workflow.PATH):
        stage = "ahead" if index > here else "done" if index < here or canceled else "now"
        when = reached.get(state) if stage != "ahead" else None
        steps.append(Step(str(Status(state).label), when, stage))
        if canceled and index == here:
            steps.append(Step(str(Status.CANCELED.label), session.canceled_at, "ended"))
    return steps


def event_of(row: "StatusHistory") -> Event:
    if row.previous_status is None:
        title = _("Request written down")
    else:
        title = str(row.get_new_status_display())
    reason = sentences.reason_in_words(row.reason)
    return Event(row.changed_at, title, row.changed_by.full_name if row.changed_by else "", reason)


def deadlines_of(session: "Session", now: datetime) -> list[tuple[str, datetime, str]]:
    """The deadlines that still say something, with how far they lie ahead when it is a week at most."""
    if session.is_final:
        return []

    def note(moment: datetime) -> str:
        if moment <= now:
            return _("passed")
        return ago(moment, now) if moment - now <= timedelta(days=7) else ""

    pairs = ((_("Deposit until"), session.payment_deadline), (_("Changes until"), session.changes_deadline))
    return [(label, moment, note(moment)) for label, moment in pairs if moment]


def hold_of(session: "Session", now: datetime, *, may_decide: bool) -> Hold | None:
    if session.held_until is None:
        return None
    has_expired = holds.has_expired(session, now)
    return Hold(
        session.held_until,
        has_expired,
        _("expired") if has_expired else ago(session.held_until, now),
        session.hold_reason,
        extend_url=reverse("hold-extend", args=[session.code]) if may_decide else "",
        release_url=f"{reverse('hold-release')}?{urlencode({'code': session.code})}" if may_decide else "",
    )


def outside_hours_of(session: "Session") -> str:
    """That it lies outside the opening hours, while it is to come."""
    return outside_hours(session.span) if session.status in TO_COME else ""


def delivery_note(session: "Session", now: datetime) -> str:
    """How far the promised day lies ahead, while somebody still works towards it."""
    promised = session.estimated_delivery_date
    if promised is None or session.status not in (workflow.ATTENDED, workflow.IN_EDITING, workflow.READY):
        return ""
    days = (promised - now.astimezone(STUDIO.zone).date()).days
    if days == 0:
        return _("today")
    if days > 0:
        return ngettext("%(n)s day left", "%(n)s days left", days) % {"n": days}
    return ngettext("%(n)s day late", "%(n)s days late", -days) % {"n": -days}


# -- what may be changed -----------------------------------------------------------------------------------------------


def edit_gate(session: "Session", url_name: str, *, by: "User", now: datetime) -> Gate:
    """Lines, price, date and place (business rules 6.3): open, or closed with the reason; Admin by override (D15)."""
    if not allows(by, Perm.SESSION_EDIT_PRE_ASSIGNED, session):
        return Gate()
    blocker = workflow.edit_blocker(session.status, session.changes_deadline, now)
    if blocker is None:
        return Gate(url=reverse(url_name, args=[session.code]))
    reason = sentences.why(blocker)
    if is_admin(by):
        return Gate(url=reverse(url_name, args=[session.code]), reason=reason, is_override=True)
    return Gate(reason=reason)


def people_gate(session: "Session") -> Gate:
    blocker = workflow.people_blocker(session.status)
    if blocker is None:
        return Gate(url=reverse("session-people", args=[session.code]))
    return Gate(reason=sentences.why(blocker))


def own_pages(session: "Session", by: "User") -> dict[str, str]:
    """The pages on which photographers and the editor write something down; "" where it is not theirs, or not now."""
    pages = {"notes_url": "", "observe_url": "", "delivery_url": ""}
    # The grants follow from these rows: who is on none of them need not be asked about (memberships).
    shoots = any(row.staff_id == by.pk for row in rows_with_people(session)) or is_admin(by)
    edits = session.assigned_editor_id == by.pk or is_admin(by)
    if session.status in NOTES_OPEN and shoots and allows(by, Perm.SESSION_MARK_ATTENDED, session):
        pages["notes_url"] = reverse("session-notes", args=[session.code])
    if session.status in EDITORS_HAND and edits and allows(by, Perm.SESSION_MARK_READY, session):
        pages["observe_url"] = reverse("session-observe", args=[session.code])
        if session.status == workflow.IN_EDITING:
            pages["delivery_url"] = reverse("session-delivery", args=[session.code])
    return pages


# -- people ------------------------------------------------------------------------------------------------------------


def member_of(row: StaffReservation, by: "User") -> Member:
    return Member(
        name=row.staff.full_name,
        hours=hours_of(row),
        is_lead=row.is_lead_photographer,
        is_me=row.staff_id == by.pk,
        attended_at=row.attended_at,
        phone=row.staff.phone or "",
        notes=row.notes,
        coverage=row,
    )


# -- money -------------------------------------------------------------------------------------------------------------


def figures_of(session: "Session", account: Account) -> list[Figure]:
    """Where the session stands, as lines under each other."""
    figures = [Figure(_("Total"), session.total)]
    if session.deposit_amount is not None:
        covered = account.net_paid >= session.deposit_amount
        note = _("covered") if covered else _("%(percentage)s %%") % {"percentage": session.deposit_percentage}
        if session.deposit_note:
            note = f"{note} · {session.deposit_note}"
        figures.append(Figure(_("Deposit asked for"), session.deposit_amount, note))
    figures.append(Figure(_("Verified"), account.total_paid))
    if account.total_refunded:
        figures.append(Figure(_("Paid back"), -account.total_refunded))
    if account.pending_in:
        figures.append(Figure(_("Waiting to be verified"), account.pending_in, _("does not count yet")))
    if not session.is_canceled:
        figures.append(Figure(_("Balance"), account.still_to_pay, kind="sum"))
    if account.refund_owed:
        figures.append(Figure(_("Owed to the client"), account.refund_owed, kind="bad"))
    return figures


def kind_of(payment: Payment, session: "Session") -> str:
    """What it is called: an appointment's deposit is an advance, and its balance any payment (D28)."""
    words = {PaymentType.DEPOSIT: _("Advance"), PaymentType.BALANCE: _("Payment")} if session.is_appointment else {}
    return words.get(payment.payment_type) or str(payment.get_payment_type_display())


def payment_moves(payment: Payment, *, by: "User") -> list[Move]:
    """What this person may do with a payment now."""
    if not payment.is_live:
        return []
    moves: list[Move] = []
    is_refund = payment.payment_type == PaymentType.REFUND
    is_pending = payment.payment_status == PaymentStatus.PENDING
    if is_refund and is_pending and allows(by, Perm.PAYMENT_REFUND):
        moves.append(_payment_move(payment, "payment-pay-out", _("Pay out…")))
    if allows(by, Perm.PAYMENT_VERIFY):
        if not is_refund and is_pending:
            moves.append(_payment_move(payment, "payment-verify", _("Verify"), method="post"))
            moves.append(_payment_move(payment, "payment-reject", _("Reject…")))
        moves.append(_payment_move(payment, "payment-void", _("Void…"), kind="danger"))
    return moves


def _payment_move(payment: Payment, url_name: str, label: str, *, method: str = "get", kind: str = "") -> Move:
    url = reverse(url_name, args=[payment.pk])
    return Move(f"{url_name}-{payment.pk}", label, url, method=method, kind=kind)


def register_move(session: "Session", account: Account, payments: Iterable[Payment], *, by: "User") -> Move | None:
    """Where money is written down: the deposit first, then the balance (business rules 5.4)."""
    if session.is_canceled or not allows(by, Perm.PAYMENT_REGISTER):
        return None
    has_deposit = any(row.is_live and row.payment_type == PaymentType.DEPOSIT for row in payments)
    wants_deposit = session.deposit_amount is None or (session.deposit_amount > 0 and not has_deposit)
    name, label = (
        ("session-deposit", _("Record the deposit"))
        if wants_deposit
        else (
            "session-payment",
            _("Record a payment"),
        )
    )
    reason = ""
    if session.deposit_amount is None:
        reason = _("No deposit is asked for yet: pre-schedule the session first.")
    elif account.room_for_payment <= 0:
        reason = _("Nothing is left to pay.")
    return Move(name, label, reverse(name, args=[session.code]), reason=reason)


def owe_move(session: "Session", account: Account, *, by: "User") -> Move | None:
    """Writing down what was paid above the present total (D32), or came after the cancellation, where it is not yet."""
    difference = account.refund_owed - account.pending_refunds
    if difference <= 0 or not allows(by, Perm.PAYMENT_REFUND):
        return None
    label = _("Write down %(amount)s as owed") % {"amount": sentences.money(difference)}
    return Move("owe", label, reverse("session-owe", args=[session.code]), method="post")


# -- mail --------------------------------------------------------------------------------------------------------------


def mails_about(session: "Session", *, by: "User") -> list[Mail]:
    """What the client was told, and what they were not: sent, waiting, dropped, given up and why."""
    kinds = sentences_of_mail()
    rows = OutgoingEmail.objects.filter(about_type=session._meta.label_lower, about_id=session.pk)
    reads_outbox = allows(by, Perm.SYSTEM_SETTINGS)
    return [
        Mail(
            what=str(kinds.get(row.kind, row.kind)),
            to=row.to,
            status=row.status,
            status_label=str(row.get_status_display()),
            when=row.sent_at or row.created_at,
            why=mail_faults.in_words(row.last_error) if row.status != OutgoingEmail.Status.SENT else "",
            next_try=row.next_try_at if row.status == OutgoingEmail.Status.WAITING and row.last_error else None,
            url=reverse("outbox-page", args=[row.pk]) if reads_outbox else "",
        )
        for row in rows.order_by("-created_at", "-id")
    ]


# -- for machines ------------------------------------------------------------------------------------------------------


def session_facts(session: "Session", by: "User") -> dict[str, Any]:
    """Where the session stands, for the answer to an act. No amounts: anybody who may act gets it."""
    if session.is_appointment:
        return {"session": {"code": session.code, "status": session.status, "no_show": session.no_show}}
    facts: dict[str, Any] = {
        "code": session.code,
        "status": session.status,
        "estimated_delivery_date": _iso(session.estimated_delivery_date),
    }
    if allows(by, Perm.SESSION_VIEW_ALL):
        facts["payment_deadline"] = _iso(session.payment_deadline)
        facts["changes_deadline"] = _iso(session.changes_deadline)
        facts["held_until"] = _iso(session.held_until)
    return {"session": facts}


def whole_facts(page: Whole) -> dict[str, Any]:
    session, account = page.session, page.account
    return {
        "session": {
            **_common(session),
            "client": {"id": session.client_id, "full_name": session.client.full_name},
            "subtotal": str(session.subtotal),
            "transportation_cost": str(session.transportation_cost),
            "discount": str(session.discount),
            "total": str(session.total),
            "deposit_amount": str(session.deposit_amount) if session.deposit_amount is not None else None,
            "net_paid": str(account.net_paid),
            "remaining_balance": str(account.remaining_balance),
            "refund_owed": str(account.refund_owed),
            "payment_deadline": _iso(session.payment_deadline),
            "changes_deadline": _iso(session.changes_deadline),
            "held_until": _iso(session.held_until),
            "hold_reason": session.hold_reason,
            "lines": [
                {
                    "name": line.item_name,
                    "quantity": line.quantity,
                    "unit_price": str(line.unit_price),
                    "subtotal": str(line.line_subtotal),
                }
                for line in page.lines
            ],
            "photographers": [_member_facts(member) for member in page.team],
        },
        "moves": [_move_facts(move) for move in page.moves],
    }


def reduced_facts(page: Reduced) -> dict[str, Any]:
    session = page.session
    return {
        "session": {
            **_common(session),
            "contact": page.contact,
            "lines": [{"name": line.item_name, "quantity": line.quantity} for line in page.sold],
            "photographers": [_member_facts(member) for member in page.team],
        },
        "moves": [_move_facts(move) for move in page.moves],
    }


def _common(session: "Session") -> dict[str, Any]:
    return {
        "code": session.code,
        "status": session.status,
        "title": session.title,
        "session_type": session.session_type,
        "starts_at": _iso(session.starts_at),
        "ends_at": _iso(session.ends_at),
        "place": session.place,
        "special_notes": session.special_notes,
        "estimated_delivery_date": _iso(session.estimated_delivery_date),
        "editor": session.assigned_editor.full_name if session.assigned_editor_id else None,
    }


def _member_facts(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "is_lead": member.is_lead,
        "coverage_starts_at": _iso(member.coverage.starts_at),
        "coverage_ends_at": _iso(member.coverage.ends_at),
        "attended_at": _iso(member.attended_at),
    }


def _move_facts(move: Move) -> dict[str, Any]:
    return {"name": move.name, "possible": not move.reason, "reason": move.reason, "url": move.url}


def _iso(value: date | datetime | None) -> str | None:
    return value.isoformat() if value else None
