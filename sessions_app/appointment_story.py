"""What an appointment's page tells: the office all of it, the artist what is theirs (permissions, object level).

Queries only. Two answers, as ``story.whole`` and ``story.reduced`` are: of the client's private record, of who wrote
money down and of other people's commission nothing is loaded for the artist.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext as _

from payments import money
from payments.models import CommissionLine, Payment, PaymentType
from payments.models.commission import CommissionKind
from payments.money import Account
from sessions_app import clients, sentences, workflow
from sessions_app.consequences import AdvanceRow, advance_table, expected_commission, origin_in_words, rows_with_people
from sessions_app.history_lines import Event, with_changes
from sessions_app.states import TURN, Status
from sessions_app.story import (
    Figure,
    Gate,
    Move,
    PaymentRow,
    Step,
    moves_of,
    outside_hours_of,
    owe_move,
    payment_moves,
)
from studio.access import allows
from studio.roles import Perm

if TYPE_CHECKING:
    from sessions_app.models import Session, SessionDetail, StatusHistory
    from studio.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What both pages tell."""

    session: "Session"
    artist: "User | None"
    moves: list[Move]
    steps: list[Step]
    turn: str
    canceled_by: str
    edit_gate: Gate
    sold: list["SessionDetail"]
    figures: list[Figure]
    payments: list[PaymentRow]
    commission: list[Figure]
    commission_is_fixed: bool
    events: list[Event]
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Page):
    """The page of the office."""

    outside_hours: str
    registers: list[Move]
    owe: Move | None
    advance: list[AdvanceRow]
    lines_gate: Gate
    record: clients.Record
    may_see_client: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Own(Page):
    """The page of its artist."""

    contact: dict[str, str]


def whole(session: "Session", *, by: "User", now: datetime) -> Whole:
    """All of it, in a number of queries that does not depend on how much there is to tell."""
    payments = list(
        session.payments.select_related("registered_by", "verified_by", "deleted_by", "receipt").order_by("-id")
    )
    shared = _shared(session, payments, by=by, now=now)
    account = shared["account"]
    return Whole(
        **shared,
        **_commission(session, CommissionLine.objects.filter(session=session)),
        payments=[PaymentRow(row, payment_moves(row, by=by)) for row in payments],
        outside_hours=outside_hours_of(session),
        registers=register_moves(session, account, payments, by=by),
        owe=owe_move(session, account, by=by),
        advance=advance_table(account) if account.net_paid > account.pending_refunds and not session.is_final else [],
        lines_gate=_gate(session, "session-lines", Perm.SESSION_EDIT_PRE_ASSIGNED, by=by, now=now),
        record=clients.record_of(session.client),
        may_see_client=allows(by, Perm.CLIENT_VIEW),
    )


def own(session: "Session", *, by: "User", now: datetime) -> Own:
    """What its artist needs: whom to call, what it costs and what was paid, what they earn."""
    payments = list(session.payments.filter(deleted_flag=False).select_related("receipt").order_by("-id"))
    mine = CommissionLine.objects.filter(session=session, person=by)
    return Own(
        **_shared(session, payments, by=by, now=now),
        **_commission(session, mine),
        payments=[PaymentRow(row, []) for row in payments],
        contact={
            "full_name": session.client.full_name,
            "primary_phone": session.client.primary_phone,
            "email": session.client.email,
        },
    )


def _shared(session: "Session", payments: Iterable[Payment], *, by: "User", now: datetime) -> dict[str, Any]:
    account = money.account(
        session.total, [row.as_entry() for row in payments if row.is_live], kept=session.kept_amount
    )
    history = list(session.history.select_related("changed_by").order_by("-id"))
    on_it = rows_with_people(session)
    return {
        "session": session,
        "artist": on_it[0].staff if on_it else None,
        "moves": _with_no_show(session, moves_of(session, by=by, now=now, account=account), now),
        "steps": steps_of(session, history),
        "turn": str(TURN.get(session.status, "")),
        "canceled_by": str(sentences.INITIATORS.get(session.canceled_by_initiator, "")),
        "edit_gate": _gate(session, "appointment-edit", Perm.APPOINTMENT_MANAGE_OWN, by=by, now=now),
        "sold": list(session.lines.all()),
        "figures": figures_of(session, account),
        "events": with_changes(session, [event_of(row) for row in history]),
        "account": account,
    }


def _with_no_show(session: "Session", moves: list[Move], now: datetime) -> list[Move]:
    """From the hour on, the way for a client who does not come stands beside the other ways out (D29)."""
    canceling = next((move for move in moves if move.name == "cancel"), None)
    if canceling is None or now < session.starts_at:
        return moves
    absent = Move("no-show", _("The client did not come…"), f"{canceling.url}?no_show=1")
    return [*(move for move in moves if move is not canceling), absent, canceling]


def _gate(session: "Session", url_name: str, perm: Perm, *, by: "User", now: datetime) -> Gate:
    if not allows(by, perm, session):
        return Gate()
    blocker = workflow.edit_blocker(session.status, None, now)
    return Gate(reason=sentences.why(blocker)) if blocker else Gate(url=reverse(url_name, args=[session.code]))


# -- where it stands ---------------------------------------------------------------------------------------------------


def steps_of(session: "Session", history: Iterable["StatusHistory"]) -> list[Step]:
    """Booked, done; on hold before it where it ever was; a canceled one shows after which state it ended (D26).

    ``history`` is newest first.
    """
    history = list(history)
    reached: dict[str, datetime] = {}
    for row in history:
        reached.setdefault(row.new_status, row.changed_at)
    present = session.status
    if session.is_canceled:
        last = next((row for row in history if row.new_status == workflow.CANCELED), None)
        present = last.previous_status if last and last.previous_status else workflow.ACTIVE
    path = [state for state in workflow.APPOINTMENT_STATES[:3] if state != workflow.WAITING or state in reached]
    here = path.index(present)
    steps = []
    for index, state in enumerate(path):
        stage = "ahead" if index > here else "done" if index < here or session.is_canceled else "now"
        when = reached.get(state) if stage != "ahead" else None
        steps.append(Step(str(Status(state).label), when, stage))
        if session.is_canceled and index == here:
            label = _("Did not come") if session.no_show else str(Status.CANCELED.label)
            steps.append(Step(label, session.canceled_at, "ended"))
    return steps


def event_of(row: "StatusHistory") -> Event:
    if row.previous_status is None:
        title = _("Booked, on hold") if row.new_status == workflow.WAITING else _("Booked")
    else:
        title = str(row.get_new_status_display())
    return Event(row.changed_at, title, row.changed_by.full_name if row.changed_by else "", row.reason)


# -- money -------------------------------------------------------------------------------------------------------------


def figures_of(session: "Session", account: Account) -> list[Figure]:
    """Price, paid and balance under each other; a price that nobody knows is no figure (D39)."""
    is_open = session.price_is_open
    figures = [Figure(_("Price"), session.price, _("not agreed yet") if is_open else "")]
    figures.append(Figure(_("Paid"), account.total_paid))
    if account.total_refunded:
        figures.append(Figure(_("Paid back"), -account.total_refunded))
    if account.pending_in:
        figures.append(Figure(_("Waiting to be verified"), account.pending_in, _("does not count yet")))
    if session.is_canceled:
        if session.kept_amount:
            figures.append(Figure(_("Kept"), session.kept_amount, sentences.refund_rule(session.refund_reason)))
    elif not is_open:
        figures.append(Figure(_("Balance"), account.still_to_pay, kind="sum"))
    if account.refund_owed:
        figures.append(Figure(_("Owed to the client"), account.refund_owed, kind="bad"))
    return figures


def register_moves(session: "Session", account: Account, payments: Iterable[Payment], *, by: "User") -> list[Move]:
    """An advance, while there is none, and instalments, which need none (D28)."""
    if session.is_canceled or not allows(by, Perm.PAYMENT_REGISTER):
        return []
    reason = ""
    if session.price_is_open:
        reason = _("The price is not agreed yet: enter it before money is taken.")
    elif account.room_for_payment <= 0:
        reason = _("Nothing is left to pay.")
    moves = []
    if not any(row.is_live and row.payment_type == PaymentType.DEPOSIT for row in payments):
        moves.append(_register(session, "session-deposit", _("Record an advance"), reason))
    moves.append(_register(session, "session-payment", _("Record an instalment"), reason))
    return moves


def _register(session: "Session", name: str, label: str, reason: str) -> Move:
    return Move(name, label, reverse(name, args=[session.code]), reason=reason)


def _commission(session: "Session", lines: Any) -> dict[str, Any]:
    """What was earned, line by line; before it is completed, what completing would earn, by the rate that holds now."""
    if session.is_canceled:
        return {"commission": [], "commission_is_fixed": False}
    if session.status == workflow.COMPLETED:
        return {"commission": [_earned(line) for line in lines.select_related("person")], "commission_is_fixed": True}
    expected = expected_commission(session, rows_with_people(session))
    if expected is None:
        return {"commission": [], "commission_is_fixed": False}
    amount = None if session.price_is_open else expected.amount
    note = _("Known once the price is.") if session.price_is_open else expected.origin
    return {"commission": [Figure(expected.person.full_name, amount, note)], "commission_is_fixed": False}


def _earned(line: CommissionLine) -> Figure:
    note = line.reason
    if line.kind == CommissionKind.EARNED:
        note = origin_in_words(line.base, line.rate, line.rate_source)
    return Figure(line.person.full_name, line.amount, note)


# -- for machines ------------------------------------------------------------------------------------------------------


def whole_facts(page: Whole) -> dict[str, Any]:
    client = page.session.client
    return _facts(page, client={"id": client.pk, "full_name": client.full_name})


def own_facts(page: Own) -> dict[str, Any]:
    return _facts(page, contact=page.contact)


def _facts(page: Page, **who: Any) -> dict[str, Any]:
    session, account = page.session, page.account
    return {
        "session": {
            "code": session.code,
            "status": session.status,
            "title": session.title,
            "session_type": session.session_type,
            "starts_at": session.starts_at.isoformat(),
            "ends_at": session.ends_at.isoformat(),
            "special_notes": session.special_notes,
            "no_show": session.no_show,
            "artist": {"id": page.artist.pk, "full_name": page.artist.full_name} if page.artist else None,
            **who,
            "price": None if session.price is None else str(session.price),
            "total_paid": str(account.total_paid),
            "balance": str(account.still_to_pay),
            "refund_owed": str(account.refund_owed),
            "lines": [{"name": line.item_name, "quantity": line.quantity} for line in page.sold],
            "payments": [
                {
                    "type": row.payment.payment_type,
                    "status": row.payment.payment_status,
                    "method": row.payment.payment_method,
                    "amount": str(row.payment.amount),
                    "date": row.payment.payment_date.isoformat(),
                }
                for row in page.payments
                if row.payment.is_live
            ],
            "commission": {
                "is_fixed": page.commission_is_fixed,
                "lines": [
                    {"person": line.label, "amount": None if line.amount is None else str(line.amount)}
                    for line in page.commission
                ],
            },
        },
        "moves": [
            {"name": move.name, "possible": not move.reason, "reason": move.reason, "url": move.url}
            for move in page.moves
        ],
    }
