"""Receipts: consecutive numbers without gaps, given in the act that decides on the money (ADR 11)."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import F

from payments.models import Payment, Receipt, ReceiptSeries

if TYPE_CHECKING:
    from studio.models import User


def issue(payment: Payment, *, by: "User", now: datetime) -> Receipt:
    """Give the verified payment, or the refund that was paid out, its receipt; inside the caller's transaction.

    The row of the series is the last lock of an act: who waits for the next number waits for the end of this act, and
    a number is never lost.
    """
    return Receipt.objects.create(
        number=_next_number(), payment=payment, facts=_facts(payment), issued_at=now, issued_by=by
    )


def _next_number() -> int:
    ReceiptSeries.objects.filter(pk=1).update(last_number=F("last_number") + 1)
    return ReceiptSeries.objects.values_list("last_number", flat=True).get(pk=1)


def _facts(payment: Payment) -> dict[str, Any]:
    """What the paper says, as it is today: later changes of names or prices do not change what was handed out."""
    session = payment.session
    return {
        "client_name": session.client.full_name,
        "language": session.client.language,
        "session_code": session.code,
        "session_title": session.title,
        "payment_type": payment.payment_type,
        "amount": str(payment.amount),
        "payment_method": payment.payment_method,
        "document_number": payment.document_number,
        "payment_date": payment.payment_date.isoformat(),
        "total": str(session.total),
    }
