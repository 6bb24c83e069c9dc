"""The e-mails to a session's client: their facts, and whether they are still true when the worker sends them."""

from typing import TYPE_CHECKING, Any

from django.utils import translation

from payments import ledger
from sessions_app import sentences, workflow
from studio import outbox
from studio.conf import STUDIO

if TYPE_CHECKING:
    from payments.money import Account
    from sessions_app.models import Session
    from studio.models import OutgoingEmail

STATES_OF = {
    "confirmation_email": frozenset({workflow.CONFIRMED, *workflow.FROM_ASSIGNED_ON}),
    "material_ready_email": frozenset({workflow.READY, workflow.COMPLETED}),
    "cancellation_email": frozenset({workflow.CANCELED}),
    "payment_reminder_email": frozenset({workflow.PRE_SCHEDULED}),
    "delivery_date_email": frozenset({workflow.IN_EDITING}),
}


def queue(kind: str, session: "Session", *, occasion: object, account: "Account | None" = None, **facts: Any) -> bool:
    """Write the e-mail into the outbox, in the transaction of the act; false when it was written before.

    ``occasion`` makes it the one e-mail for this act: the history row, or the deadline that it is about. ``account``
    spares the ledger's query to an act that has asked already.
    """
    key = f"{kind}:{session.pk}:{occasion}"
    if outbox.is_queued(key):
        return False
    outbox.queue(
        kind,
        to=session.client.email,
        language=session.client.language or STUDIO.language,
        context=facts_of(session, account) | facts,
        key=key,
        about=session,
    )
    return True


def drop(session: "Session") -> None:
    """What waits to be sent about the session is no longer to be said."""
    outbox.drop(session)


def facts_of(session: "Session", account: "Account | None" = None) -> dict[str, Any]:
    """The facts that the e-mails tell, as JSON: amounts as strings, instants and dates in ISO form."""
    account = account or ledger.account(session)
    return {
        "client_name": session.client.full_name,
        "session_code": session.code,
        "session_title": session.title,
        "starts_at": _iso(session.starts_at),
        "ends_at": _iso(session.ends_at),
        "place": session.place,
        "total": str(session.total),
        "deposit_amount": str(session.deposit_amount) if session.deposit_amount is not None else None,
        "net_paid": str(account.net_paid),
        "balance": str(account.still_to_pay),
        "payment_deadline": _iso(session.payment_deadline),
        "changes_deadline": _iso(session.changes_deadline),
        "estimated_delivery_date": _iso(session.estimated_delivery_date),
        "refund_reason": session.refund_reason,
        "cancellation_reason": _reason(session),
        "sold": [{"quantity": str(line.quantity), "name": line.item_name} for line in session.lines.all()],
    }


def still_true(email: "OutgoingEmail") -> bool:
    """Whether the session is still where the e-mail says; asked by the worker just before it sends."""
    from sessions_app.models import Session

    session = Session.objects.present().filter(pk=email.about_id).first()
    if session is None or session.status not in STATES_OF[email.kind]:
        return False
    if email.kind == "payment_reminder_email":
        return _iso(session.payment_deadline) == email.context.get("payment_deadline")
    if email.kind == "delivery_date_email":
        return _iso(session.estimated_delivery_date) == email.context.get("estimated_delivery_date")
    return True


def _reason(session: "Session") -> str:
    """Why it was canceled, in the client's language: this goes into the e-mail as it is."""
    with translation.override(session.client.language or STUDIO.language):
        return sentences.reason_in_words(session.cancellation_reason)


def _iso(value: Any) -> str | None:
    return value.isoformat() if value else None
