"""A client's account with the studio: each session, each movement of money, and the balance after it (ADR 11).

What was agreed is owed from Pre-scheduled on, an appointment's price once it is more than tentative; of a canceled one
it is what was left to the studio. Money moves when it is verified or paid out, and stands under its own date. The
balance is what the client has still to pay; below zero it is the client's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Max
from django.utils.translation import gettext as _

from payments import money
from payments.models import Payment, PaymentStatus, PaymentType
from sessions_app import workflow
from sessions_app.models import Client, Session, StatusHistory
from sessions_app.states import Status
from sessions_app.story import kind_of
from studio.conf import STUDIO


@dataclass(frozen=True, slots=True)
class SessionLine:
    """One session as it stands today, whatever the period. ``charged`` is what of its total is owed by agreement."""

    session: Session
    account: money.Account
    charged: Decimal

    @property
    def balance(self) -> Decimal:
        return self.charged - self.account.net_paid


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the account: ``charge`` makes the balance larger, ``paid`` smaller (below zero: paid back)."""

    day: date
    text: str
    session: Session
    document: str
    charge: Decimal
    paid: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """The sessions as they stand today, and the movements of the period between two balances."""

    client: Client
    first_day: date | None
    last_day: date | None
    sessions: list[SessionLine]
    opening: Decimal
    movements: list[Movement]
    closing: Decimal

    @property
    def charged(self) -> Decimal:
        return sum((line.charged for line in self.sessions), money.ZERO)

    @property
    def paid(self) -> Decimal:
        return sum((line.account.total_paid for line in self.sessions), money.ZERO)

    @property
    def refunded(self) -> Decimal:
        return sum((line.account.total_refunded for line in self.sessions), money.ZERO)

    @property
    def refund_owed(self) -> Decimal:
        return sum((line.account.refund_owed for line in self.sessions), money.ZERO)

    @property
    def pending(self) -> Decimal:
        """Recorded and not verified: it does not count yet."""
        return sum((line.account.pending_in for line in self.sessions), money.ZERO)

    @property
    def balance(self) -> Decimal:
        return sum((line.balance for line in self.sessions), money.ZERO)


def statement(client: Client, *, first_day: date | None = None, last_day: date | None = None) -> Statement:
    """The client's account from ``first_day`` to ``last_day``, both included and both open when None. Three queries."""
    sessions = list(Session.objects.present().filter(client=client).order_by("starts_at", "id"))
    payments: dict[int, list[Payment]] = {session.pk: [] for session in sessions}
    for row in Payment.objects.live().filter(session__in=payments).order_by("payment_date", "id"):
        payments[row.session_id].append(row)
    lines = [_line(session, payments[session.pk]) for session in sessions]
    everything = sorted(
        [*_charges(lines), *_money(lines, payments)], key=lambda each: (each.day, each.paid != 0, each.session.pk)
    )
    opening = balance = money.ZERO
    shown = []
    for each in everything:
        if last_day is not None and each.day > last_day:
            break
        balance += each.charge - each.paid
        if first_day is not None and each.day < first_day:
            opening = balance
            continue
        shown.append(
            Movement(each.day, each.text, each.session, each.document, each.charge, each.paid, balance=balance)
        )
    return Statement(client, first_day, last_day, lines, opening, shown, balance)


def _line(session: Session, payments: Iterable[Payment]) -> SessionLine:
    account = money.account(session.total, [row.as_entry() for row in payments], kept=session.kept_amount)
    if session.is_canceled:
        charged = session.kept_amount
    else:
        charged = session.total if session.status in workflow.AGREED else money.ZERO
    return SessionLine(session, account, charged)


def _charges(lines: list[SessionLine]) -> Iterable[Movement]:
    """What is owed of each session, on the day on which it was last agreed on, or canceled, at today's figures."""
    since = (
        StatusHistory.objects.filter(
            session__in=[line.session.pk for line in lines],
            new_status__in=(Status.PRE_SCHEDULED, Status.ACTIVE, Status.CANCELED),
        )
        .order_by()
        .values("session", "new_status")
        .annotate(at=Max("changed_at"))
    )
    moments = {(row["session"], row["new_status"]): row["at"] for row in since}
    for line in lines:
        session = line.session
        if line.charged == 0:
            continue
        agreed = Status.ACTIVE if session.is_appointment else Status.PRE_SCHEDULED
        if session.is_canceled:
            at, text = moments[session.pk, Status.CANCELED], _("Kept of the canceled session")
        else:
            at, text = moments.get((session.pk, agreed), session.created_at), _("Agreed price")
        yield Movement(_local(at), text, session, "", line.charged, money.ZERO, money.ZERO)


def _money(lines: list[SessionLine], payments: dict[int, list[Payment]]) -> Iterable[Movement]:
    for line in lines:
        for row in payments[line.session.pk]:
            if row.payment_status != PaymentStatus.VERIFIED:
                continue
            paid = -row.amount if row.payment_type == PaymentType.REFUND else row.amount
            text = f"{kind_of(row, line.session)} · {row.get_payment_method_display()}"
            yield Movement(row.payment_date, text, line.session, row.document_number, money.ZERO, paid, money.ZERO)


def _local(moment: datetime) -> date:
    return moment.astimezone(STUDIO.zone).date()
