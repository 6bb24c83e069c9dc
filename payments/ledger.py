"""The only writer of payments.

The callers hold the lock of the session row and have asked for permission; the functions here know money and nothing
else. What they promise stands in the database as well: one live deposit per session, positive amounts, no payments
above the total, no refunds above what was paid (migration ``payments.0001``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from payments import money, receipts, till
from payments.models import Payment, PaymentMethod, PaymentStatus, PaymentType
from studio import audit
from studio.conf import STUDIO
from studio.errors import ImmutableSession, InvalidInput, PaymentExceedsTotal, SessionNotFound

if TYPE_CHECKING:
    from studio.models import User

EARLIEST_PAYMENT = date(2000, 1, 1)


class Billed(Protocol):
    """What the ledger needs to know of a session."""

    pk: int
    code: str
    total: Decimal
    deposit_amount: Decimal | None
    kept_amount: Decimal | None
    price_is_open: bool

    @property
    def is_canceled(self) -> bool: ...

    @property
    def balance_follows_deposit(self) -> bool: ...


def account(session: Billed) -> money.Account:
    """Where the session stands, in one query."""
    live = Payment.objects.live().filter(session_id=session.pk)
    rows = live.values_list("payment_type", "payment_status", "amount")
    return money.account(session.total, (money.Entry(*row) for row in rows), kept=session.kept_amount)


def validate_payments(session_id: int) -> dict[str, Decimal]:
    """The figures of business rules 5.3 for one session, in the studio's currency.

    Keys: ``total_paid``, ``total_refunded``, ``net_paid``, ``remaining_balance`` (below zero when more was paid than
    the total now is), ``refund_owed`` (D19, D32). Raises ``SessionNotFound`` for an unknown one.
    """
    model = Payment._meta.get_field("session").related_model
    session = model._base_manager.filter(pk=session_id).first()
    if session is None:
        raise SessionNotFound
    state = account(session)
    return {
        "total_paid": state.total_paid,
        "total_refunded": state.total_refunded,
        "net_paid": state.net_paid,
        "remaining_balance": state.remaining_balance,
        "refund_owed": state.refund_owed,
    }


def register_deposit(
    session: Billed,
    *,
    amount: Decimal,
    method: str,
    document_number: str,
    payment_date: date,
    by: "User",
    now: datetime,
    notes: str = "",
) -> list[Payment]:
    """Record money meant as the deposit; what exceeds the deposit becomes a balance payment (10.1 A, D20).

    Returns the pending payments that were written, one or two, with one document number. After a reopening the
    deposit that was paid before counts, and only what is missing is asked for (D13): the new money is then a balance
    payment. Raises ``PaymentExceedsTotal`` with nothing recorded, ``ImmutableSession`` before a deposit was asked
    for, ``InvalidInput`` for a bad amount or method, and when the whole deposit is in the books already (a second
    click).
    """
    if session.deposit_amount is None:
        raise ImmutableSession(
            _("No deposit is asked for yet: the session has to be pre-scheduled first."),
            details={"failed": ["no_deposit_asked"]},
        )
    state = _refuse_bad_entry(session, amount, method)
    refuse_no_document(document_number)
    has_deposit = _has_live_deposit(session)
    if has_deposit and state.net_paid + state.pending_in >= session.deposit_amount:
        raise _deposit_exists()
    split = _split(session, amount, has_deposit=has_deposit)
    parts = [(PaymentType.DEPOSIT, split.deposit), (PaymentType.BALANCE, split.balance)]
    with _constraints_speak(session, amount):
        return [
            _add(session, kind, part, method, document_number, payment_date, by, now, notes)
            for kind, part in parts
            if part > 0
        ]


def split_of(session: Billed, amount: Decimal) -> money.Split:
    """What ``register_deposit`` would write for this amount, once a deposit was asked for (D20). One query."""
    return _split(session, amount, has_deposit=_has_live_deposit(session))


def _split(session: Billed, amount: Decimal, *, has_deposit: bool) -> money.Split:
    return money.split_deposit(amount, money.ZERO if has_deposit else session.deposit_amount)


def with_document(document_number: str, *, but: Payment | None = None) -> list[Payment]:
    """The latest live payments that carry this document number, three at most, with session and client.

    As it was typed, in capitals or in small letters. ``but`` is the payment that is about to get it.
    """
    text = document_number.strip()
    if not text:
        return []
    rows = Payment.objects.live().filter(document_number__in={text, text.upper(), text.lower()})
    rows = rows.exclude(pk=but.pk) if but is not None else rows
    return list(rows.select_related("session__client").order_by("-id")[:3])


def register_balance(
    session: Billed,
    *,
    amount: Decimal,
    method: str,
    document_number: str,
    payment_date: date,
    by: "User",
    now: datetime,
    notes: str = "",
) -> Payment:
    """Record a balance payment, pending. Only after a deposit (business rules 5.4).

    Raises ``ImmutableSession`` without a live deposit, ``PaymentExceedsTotal``, ``InvalidInput``.
    """
    refuse_open_price(session)
    _refuse_bad_entry(session, amount, method)
    refuse_no_document(document_number)
    if session.balance_follows_deposit and not _has_live_deposit(session):
        raise ImmutableSession(
            _("A balance payment comes after the deposit, and this session has none."),
            details={"failed": ["no_deposit"]},
        )
    with _constraints_speak(session, amount):
        return _add(session, PaymentType.BALANCE, amount, method, document_number, payment_date, by, now, notes)


def register_advance(
    session: Billed,
    *,
    amount: Decimal,
    method: str,
    document_number: str,
    payment_date: date,
    by: "User",
    now: datetime,
    notes: str = "",
) -> Payment:
    """Record what an appointment's client pays in advance, pending: a deposit of any amount, and only one (D28).

    Raises ``InvalidInput`` when there is a live one already, ``ImmutableSession`` while the price is open,
    ``PaymentExceedsTotal``.
    """
    refuse_open_price(session)
    _refuse_bad_entry(session, amount, method)
    refuse_no_document(document_number)
    if _has_live_deposit(session):
        raise _deposit_exists()
    with _constraints_speak(session, amount):
        return _add(session, PaymentType.DEPOSIT, amount, method, document_number, payment_date, by, now, notes)


def settle(session: Billed, *, method: str, document_number: str, by: "User | None", now: datetime) -> Payment:
    """Take all that is left to pay, verified at once: the client stands at the counter (D27).

    Of nothing left it is a payment of 0.00, which proves that somebody settled it; only this one may be that.
    Raises ``PaymentExceedsTotal`` when somebody paid meanwhile, ``InvalidInput`` for an unknown method.
    """
    _refuse_unknown_method(method)
    amount = account(session).still_to_pay
    today = now.astimezone(STUDIO.zone).date()
    with _constraints_speak(session, amount):
        payment = Payment(
            session_id=session.pk,
            payment_type=PaymentType.BALANCE,
            amount=amount,
            payment_method=method,
            document_number=document_number.strip(),
            payment_date=today,
            registered_by=by,
            registered_at=now,
            payment_status=PaymentStatus.VERIFIED,
            verified_by=by,
            verified_at=now,
            cash_day=till.open_day(now),
        )
        payment.save(force_insert=True)
    if amount > 0:
        receipts.issue(payment, by=by, now=now)
    if amount > STUDIO.audited_payment_amount:
        audit.record("large_payment", by=by, about=payment, amount=str(amount))
    return payment


def refuse_open_price(session: Billed) -> None:
    """Nobody pays towards a price that nobody has named (D39). Raises ``ImmutableSession``."""
    if session.price_is_open:
        raise ImmutableSession(
            _("The price is not agreed yet: enter it before money is taken."), details={"failed": ["price_is_open"]}
        )


def refuse_odd_date(payment_date: date, now: datetime) -> None:
    """A payment is dated today or before, in the studio's zone. Raises ``InvalidInput``."""
    if not EARLIEST_PAYMENT <= payment_date <= now.astimezone(STUDIO.zone).date():
        raise InvalidInput(
            _("The date of a payment is today or before."),
            field="payment_date",
            details={"payment_date": payment_date.isoformat()},
        )


def verify(payment: Payment, *, by: "User", now: datetime) -> None:
    """The money has been seen to arrive. Raises ``InvalidInput`` when somebody decided already."""
    _decide(payment, PaymentStatus.VERIFIED, by, now)
    if payment.amount > STUDIO.audited_payment_amount:
        audit.record("large_payment", by=by, about=payment, amount=str(payment.amount))


def reject(payment: Payment, *, by: "User", now: datetime) -> None:
    """The money never came, or the document is wrong. The row stays and counts for nothing (D21)."""
    _decide(payment, PaymentStatus.REJECTED, by, now)


def owe_refund(
    session: Billed, *, amount: Decimal, by: "User | None", now: datetime, today: date, notes: str = ""
) -> Payment:
    """Write down that the client gets money back (D19): pending until it is paid out.

    Raises ``InvalidInput`` for more than what was paid and is not yet promised back.
    """
    state = account(session)
    if not money.ZERO < amount <= _refundable(state):
        raise _refund_too_large(state, amount)
    with _constraints_speak(session, amount):
        return Payment.objects.create(
            session_id=session.pk,
            payment_type=PaymentType.REFUND,
            amount=amount,
            payment_date=today,
            registered_by=by,
            registered_at=now,
            notes=notes,
        )


def pay_out(
    payment: Payment, *, method: str, document_number: str, payment_date: date, by: "User", now: datetime
) -> None:
    """Mark an owed refund as paid out (D19): it becomes verified and counts from here on."""
    if payment.payment_type != PaymentType.REFUND:
        raise InvalidInput(_("Only refunds are paid out."), details={"payment_type": payment.payment_type})
    _refuse_unknown_method(method)
    refuse_no_document(document_number)
    payment.payment_method = method
    payment.document_number = document_number.strip()
    payment.payment_date = payment_date
    _decide(payment, PaymentStatus.VERIFIED, by, now)
    audit.record("refund_paid", by=by, about=payment, amount=str(payment.amount), document_number=document_number)


def void(payment: Payment, *, reason: str, by: "User", now: datetime) -> None:
    """Take a wrong entry out of the books: it stays, marked with who, when and why (D21).

    Raises ``InvalidInput`` without a reason, when voided already, or when refunds would exceed what stays paid.
    """
    if not reason.strip():
        raise InvalidInput(_("Say why the payment is voided."), field="reason")
    if payment.deleted_flag:
        raise InvalidInput(_("This payment was voided already."), details={"failed": ["already_voided"]})
    verified_in = payment.payment_type != PaymentType.REFUND and payment.payment_status == PaymentStatus.VERIFIED
    if verified_in:
        rows = Payment.objects.live().filter(session_id=payment.session_id).exclude(pk=payment.pk)
        rest = money.account(money.ZERO, [row.as_entry() for row in rows])
        if rest.net_paid < rest.pending_refunds:
            raise InvalidInput(
                _("Refunds were made out of this payment. Void them first."), details={"failed": ["refunded"]}
            )
    payment.deleted_flag = True
    payment.deleted_by, payment.deleted_at, payment.deleted_reason = by, now, reason.strip()
    if payment.payment_status == PaymentStatus.VERIFIED:
        payment.void_cash_day = till.open_day(now)
    payment.save(update_fields=["deleted_flag", "deleted_by", "deleted_at", "deleted_reason", "void_cash_day"])
    audit.record("payment_voided", by=by, about=payment, amount=str(payment.amount), reason=payment.deleted_reason)


def _add(
    session: Billed,
    payment_type: PaymentType,
    amount: Decimal,
    method: str,
    document_number: str,
    payment_date: date,
    by: "User",
    now: datetime,
    notes: str,
) -> Payment:
    return Payment.objects.create(
        session_id=session.pk,
        payment_type=payment_type,
        amount=amount,
        payment_method=method,
        document_number=document_number.strip(),
        payment_date=payment_date,
        registered_by=by,
        registered_at=now,
        notes=notes,
    )


def _decide(payment: Payment, status: PaymentStatus, by: "User", now: datetime) -> None:
    if payment.deleted_flag or payment.payment_status != PaymentStatus.PENDING:
        raise InvalidInput(
            _("Somebody has dealt with this payment already: it is %(status)s.")
            % {"status": _("voided") if payment.deleted_flag else payment.get_payment_status_display().lower()},
            details={"failed": ["already_decided"], "payment_status": payment.payment_status},
        )
    payment.payment_status = status
    payment.verified_by, payment.verified_at = by, now
    if status == PaymentStatus.VERIFIED:
        payment.cash_day = till.open_day(now)
    payment.save(
        update_fields=[
            "payment_status",
            "verified_by",
            "verified_at",
            "cash_day",
            "payment_method",
            "document_number",
            "payment_date",
        ]
    )
    if status == PaymentStatus.VERIFIED:
        receipts.issue(payment, by=by, now=now)


def _has_live_deposit(session: Billed) -> bool:
    return Payment.objects.live().filter(session_id=session.pk, payment_type=PaymentType.DEPOSIT).exists()


def _deposit_exists() -> InvalidInput:
    return InvalidInput(
        _("The deposit of this session has been recorded already."), details={"failed": ["deposit_exists"]}
    )


def _is_canceled() -> ImmutableSession:
    return ImmutableSession(_("The session is canceled: no payments are taken for it."))


def _exceeds_total(state: money.Account, amount: Decimal) -> PaymentExceedsTotal:
    return PaymentExceedsTotal(
        _("That is more than is left to pay: %(room)s.") % {"room": _in_words(state.room_for_payment)},
        field="amount",
        details=_above_total(state, amount),
    )


def _refundable(state: money.Account) -> Decimal:
    return state.net_paid - state.pending_refunds


def _refund_too_large(state: money.Account, amount: Decimal) -> InvalidInput:
    free = _refundable(state)
    return InvalidInput(
        _("A refund is more than zero and at most what was paid and is not owed back already (%(free)s).")
        % {"free": _in_words(free)},
        field="amount",
        details={"amount": str(amount), "refundable": str(free)},
    )


def _refuse_bad_entry(session: Billed, amount: Decimal, method: str) -> money.Account:
    if session.is_canceled:
        raise _is_canceled()
    if not money.is_exact(amount) or amount <= 0:
        raise InvalidInput(
            _("An amount is more than zero, with at most two decimal places."),
            field="amount",
            details={"amount": str(amount)},
        )
    _refuse_unknown_method(method)
    state = account(session)
    if amount > state.room_for_payment:
        raise _exceeds_total(state, amount)
    return state


def refuse_no_document(document_number: str) -> None:
    """Every entry can be found again by its paper: a transfer, a voucher, the receipt for cash (facts of records)."""
    if not document_number.strip():
        raise InvalidInput(
            _("Give the number of the transfer, voucher or receipt."),
            field="document_number",
            details={"failed": ["no_document"]},
        )


def _refuse_unknown_method(method: str) -> None:
    if method not in PaymentMethod.values:
        raise InvalidInput(_("Choose cash, card or transfer."), field="method", details={"method": method})


def _in_words(amount: Decimal) -> str:
    """An amount inside a sentence: ``Q 1,250.00``, with a space that does not break."""
    return f"{STUDIO.currency}\N{NO-BREAK SPACE}{amount:,.2f}"


def _above_total(state: money.Account, amount: Decimal) -> dict[str, Any]:
    return {
        "amount": str(amount),
        "total": str(state.total),
        "net_paid": str(state.net_paid),
        "pending": str(state.pending_in),
        "largest_possible": str(state.room_for_payment),
    }


@contextmanager
def _constraints_speak(session: Billed, amount: Decimal) -> Iterator[None]:
    """A savepoint in which the ledger's own constraints raise what a slow user gets; other errors go on as they are."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        match getattr(getattr(error.__cause__, "diag", None), "constraint_name", None):
            case "payment_one_live_deposit":
                raise _deposit_exists() from error
            case "payment_within_total":
                raise _exceeds_total(account(session), amount) from error
            case "payment_for_a_live_session":
                raise _is_canceled() from error
            case "refund_within_paid":
                raise _refund_too_large(account(session), amount) from error
        raise
