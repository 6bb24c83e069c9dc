"""Money in and out of a session: who may, in which state; the ledger writes (business rules 5; D13, D19 to D21,
D32)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from payments import earnings, ledger
from payments.models import Payment
from sessions_app import sentences, workflow
from sessions_app.actions.reach import locked_for
from sessions_app.effects import ADVANCE_IS_KEPT
from sessions_app.models import Session
from studio import audit
from studio.conf import STUDIO
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm
from studio.templatetags.atelier import long_day

if TYPE_CHECKING:
    from studio.models import User


def register_deposit(
    session: Session,
    *,
    amount: Decimal,
    method: str,
    document_number: str,
    payment_date: date,
    by: "User",
    now: datetime,
    notes: str = "",
    same_document: bool = True,
) -> list[Payment]:
    """Record a deposit that has still to be verified; what exceeds it becomes a balance payment (D20).

    ``same_document``: the number may be in the books already; without it, see ``warn_of_document``.
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.PAYMENT_REGISTER)
        ledger.refuse_odd_date(payment_date, now)
        if not same_document:
            warn_of_document(document_number)
        return ledger.register_deposit(
            session,
            amount=amount,
            method=method,
            document_number=document_number,
            payment_date=payment_date,
            by=by,
            now=now,
            notes=notes,
        )


def register_advance(
    session: Session,
    *,
    amount: Decimal,
    method: str,
    document_number: str,
    payment_date: date,
    by: "User",
    now: datetime,
    notes: str = "",
    same_document: bool = True,
) -> Payment:
    """Record what an appointment's client pays in advance, to be verified (D28). ``same_document`` as above.

    Raises as ``ledger.register_advance``.
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.PAYMENT_REGISTER)
        ledger.refuse_odd_date(payment_date, now)
        if not same_document:
            warn_of_document(document_number)
        return ledger.register_advance(
            session,
            amount=amount,
            method=method,
            document_number=document_number,
            payment_date=payment_date,
            by=by,
            now=now,
            notes=notes,
        )


def register_balance(
    session: Session,
    *,
    amount: Decimal,
    method: str,
    document_number: str,
    payment_date: date,
    by: "User",
    now: datetime,
    notes: str = "",
    same_document: bool = True,
) -> Payment:
    """Record a balance payment that has still to be verified. ``same_document``: see ``warn_of_document``."""
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.PAYMENT_REGISTER)
        ledger.refuse_odd_date(payment_date, now)
        if not same_document:
            warn_of_document(document_number)
        return ledger.register_balance(
            session,
            amount=amount,
            method=method,
            document_number=document_number,
            payment_date=payment_date,
            by=by,
            now=now,
            notes=notes,
        )


def warn_of_document(document_number: str, *, but: Payment | None = None) -> None:
    """Ask before a document number is written down a second time; the parts of one split are written together.

    Raises ``InvalidInput`` beside ``same_document``, which names the payments and statements of commission that carry
    it. A warning: whoever says that it is the same document goes on.
    """
    others = ledger.with_document(document_number, but=but)
    statements = earnings.with_document(document_number)
    if others or statements:
        named = [
            _("%(type)s of %(amount)s for %(client)s (%(code)s), %(day)s")
            % {
                "type": row.get_payment_type_display(),
                "amount": sentences.money(row.amount),
                "client": row.session.client.full_name,
                "code": row.session.code,
                "day": long_day(row.payment_date),
            }
            for row in others
        ]
        named += [
            _("Commission of %(amount)s for %(person)s, %(day)s")
            % {
                "amount": sentences.money(row.total),
                "person": row.person.full_name,
                "day": long_day(row.paid_at),
            }
            for row in statements
        ]
        found = {"payments": [row.pk for row in others], "statements": [row.pk for row in statements]}
        raise InvalidInput(
            _("This document number is in the books already: %(payments)s. If that is right, tick the box.")
            % {"payments": "; ".join(named)},
            field="same_document",
            details={"failed": ["document_used"], **{kind: ids for kind, ids in found.items() if ids}},
        )


def verify(payment: Payment, *, by: "User", now: datetime) -> Payment:
    """The money arrived. For a session that was canceled meanwhile it is owed back at once, as what the studio may
    keep was settled by the cancellation (D18, D19).

    Raises ``InvalidInput`` when somebody decided at the same moment.
    """
    with audit.act():
        session, payment = _locked_payment(payment, by=by, perm=Perm.PAYMENT_VERIFY)
        _refuse_refund(payment)
        with _commissions_follow(session, payment, _("Paid after the delivery"), by=by, now=now):
            ledger.verify(payment, by=by, now=now)
        if session.is_appointment and session.refund_reason == ADVANCE_IS_KEPT:
            # Whoever canceled chose to keep the advance, also the part that was only seen to arrive now (D40).
            session.kept_amount += payment.amount
            session.save(update_fields=["kept_amount"])
        if session.is_canceled and (owed := _not_written_down(session)) > 0:
            _owe(session, owed, by=by, now=now)
    return payment


def reject(payment: Payment, *, by: "User", now: datetime) -> Payment:
    with audit.act():
        _session, payment = _locked_payment(payment, by=by, perm=Perm.PAYMENT_VERIFY)
        _refuse_refund(payment)
        ledger.reject(payment, by=by, now=now)
    return payment


def void(payment: Payment, *, reason: str, by: "User", now: datetime) -> Payment:
    """Take a wrong entry out of the books, with the reason (D21)."""
    with audit.act():
        session, payment = _locked_payment(payment, by=by, perm=Perm.PAYMENT_VERIFY)
        because = _("Payment voided: %(reason)s") % {"reason": reason.strip()}
        with _commissions_follow(session, payment, because, by=by, now=now):
            ledger.void(payment, reason=reason, by=by, now=now)
    return payment


def pay_out(
    payment: Payment,
    *,
    method: str,
    document_number: str,
    payment_date: date,
    by: "User",
    now: datetime,
    same_document: bool = True,
) -> Payment:
    """The client has been given the money back (D19). ``same_document``: see ``warn_of_document``."""
    with audit.act():
        session, payment = _locked_payment(payment, by=by, perm=Perm.PAYMENT_REFUND)
        ledger.refuse_odd_date(payment_date, now)
        if not same_document:
            warn_of_document(document_number, but=payment)
        with _commissions_follow(session, payment, _("Paid back to the client"), by=by, now=now):
            ledger.pay_out(
                payment, method=method, document_number=document_number, payment_date=payment_date, by=by, now=now
            )
    return payment


def owe_difference(session: Session, *, by: "User", now: datetime) -> Payment:
    """Write down that what was paid above the present total goes back to the client (D13, D32); of a canceled session
    what was paid above the part that the refund rules left the studio.

    Raises ``InvalidInput`` when nothing is owed that is not written down already.
    """
    with audit.act():
        session = locked_for(session, by=by, perm=Perm.PAYMENT_REFUND)
        owed = _not_written_down(session)
        if owed <= 0:
            raise InvalidInput(_("Nothing was paid above the total."), details={"not_written_down": str(owed)})
        return _owe(session, owed, by=by, now=now)


@contextmanager
def _commissions_follow(
    session: Session, payment: Payment, reason: str, *, by: "User", now: datetime
) -> Iterator[None]:
    """Around an act on the money of a completed session: what was earned with it is corrected by new lines (D27)."""
    if session.status != workflow.COMPLETED:
        yield
        return
    before = ledger.account(session).net_paid
    yield
    earnings.correct(
        session.pk,
        price=session.total,
        net_before=before,
        net_after=ledger.account(session).net_paid,
        payment=payment,
        reason=reason[:250],
        by=by,
        now=now,
    )


def _not_written_down(session: Session) -> Decimal:
    account = ledger.account(session)
    return account.refund_owed - account.pending_refunds


def _owe(session: Session, amount: Decimal, *, by: "User", now: datetime) -> Payment:
    if session.is_canceled:
        notes, reason = _("Paid after the cancellation"), "paid after the cancellation"
    else:
        notes, reason = _("Paid above the total"), "paid above the total"
    today = now.astimezone(STUDIO.zone).date()
    refund = ledger.owe_refund(session, amount=amount, by=by, now=now, today=today, notes=notes)
    audit.record("refund_owed", by=by, about=session, amount=str(amount), reason=reason)
    return refund


def _locked_payment(payment: Payment, *, by: "User", perm: Perm) -> tuple[Session, Payment]:
    """The payment under its session's lock, for somebody who may ``perm``: every writer of the ledger waits here."""
    session = locked_for(payment.session, by=by, perm=perm)
    row = Payment.objects.select_for_update(no_key=True, of=("self",)).filter(pk=payment.pk).first()
    if row is None:
        raise NotFound(_("There is no such payment."))
    return session, row


def _refuse_refund(payment: Payment) -> None:
    if payment.payment_type == "Refund":
        raise InvalidInput(_("A refund is paid out, not verified."), details={"payment_type": payment.payment_type})
