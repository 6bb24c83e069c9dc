"""The e-mails to a session's client: their facts, and whether they are still true when the worker sends them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from email.mime.base import MIMEBase
from typing import TYPE_CHECKING, Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.text import slugify

from payments import ledger
from scheduling import ics
from scheduling.slots import Span
from sessions_app import sentences, workflow
from studio import letters, outbox
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
    key = key_of(kind, session, occasion)
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


def key_of(kind: str, session: "Session", occasion: object) -> str:
    return f"{kind}:{session.pk}:{occasion}"


def drop(session: "Session", kinds: Iterable[str] | None = None) -> None:
    """What waits to be sent about the session is no longer to be said, all of it or these kinds."""
    outbox.drop(session, kinds)


def facts_of(session: "Session", account: "Account | None" = None) -> dict[str, Any]:
    """The facts that the e-mails tell, as JSON: amounts as strings, instants and dates in ISO form."""
    account = account or ledger.account(session)
    facts = {
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
        "uid": ics.uid_of("session", session.code, session.created_at),
        "changed_at": _iso(session.updated_at),
    }
    if session.is_canceled:
        # All that goes back: what this cancellation owes, and what an earlier change of the price did (D19, D32).
        facts["refund_amount"] = str(account.refund_owed)
        facts["refunded_amount"] = str(account.total_refunded)
    return facts


# -- asked by the worker just before it sends --------------------------------------------------------------------------


def still_true(email: "OutgoingEmail") -> bool:
    """Whether the session is still where the e-mail says."""
    session = _session_of(email)
    if session is None or session.status not in STATES_OF[email.kind]:
        return False
    if email.kind == "payment_reminder_email":
        return _still_to_be_reminded(session, email)
    if email.kind == "delivery_date_email":
        return _iso(session.estimated_delivery_date) == email.context.get("estimated_delivery_date")
    return True


def refreshed(email: "OutgoingEmail") -> outbox.Fresh:
    """What the e-mail says now: the session may have moved, the client may have paid, or corrected their address."""
    session = _session_of(email)
    if session is None:
        return outbox.Fresh(email.context)
    facts = facts_of(session)
    if email.kind == "cancellation_email":
        facts["in_calendar"] = _was_confirmed_to_client(email)
    return outbox.Fresh(email.context | facts, to=session.client.email, language=session.client.language)


def calendar_file(email: "OutgoingEmail", facts: letters.Facts) -> list[MIMEBase]:
    """The date for the client's calendar; with a cancellation, what takes it out again, if they were given it."""
    is_off = email.kind == "cancellation_email"
    starts_at, ends_at, changed_at = (facts.get(name) for name in ("starts_at", "ends_at", "changed_at"))
    known = all(isinstance(each, datetime) for each in (starts_at, ends_at, changed_at)) and facts.get("uid")
    if not known or (is_off and not facts.get("in_calendar")):
        return []
    event = ics.Event(
        uid=facts["uid"],
        span=Span(starts_at, ends_at),
        summary=f"{facts['session_title']} · {STUDIO.name}",
        location=facts.get("place") or "",
        description="" if is_off else render_to_string("mail/event.txt", facts),
        changed_at=changed_at,
        status=ics.Status.CANCELLED if is_off else ics.Status.CONFIRMED,
    )
    method = ics.Method.CANCEL if is_off else ics.Method.PUBLISH
    organizer = ics.Organizer(STUDIO.name, letters.sender_address())
    content = ics.calendar([event], stamp=facts["at"], method=method, organizer=organizer)
    return [ics.attachment(content, method=method, filename=f"{slugify(facts['session_code'])}.ics")]


# -- for pages ---------------------------------------------------------------------------------------------------------


def page_of(email: "OutgoingEmail") -> str:
    """Where a coordinator sees what the e-mail is about."""
    code = email.context.get("session_code")
    return f"{reverse('session-page', args=[code])}#mail" if code else ""


def find(text: str) -> tuple[str, int] | None:
    """The session that has this code."""
    from sessions_app.models import Session

    pk = Session.objects.present().filter(code__iexact=text).values_list("pk", flat=True).first()
    return (Session._meta.label_lower, pk) if pk is not None else None


def _session_of(email: "OutgoingEmail") -> "Session | None":
    from sessions_app.models import Session

    # Who was canceled has to learn of it, also when the session was taken out of the lists since.
    rows = Session.objects.all() if email.kind == "cancellation_email" else Session.objects.present()
    return rows.select_related("client", "room").filter(pk=email.about_id).first()


def _still_to_be_reminded(session: "Session", email: "OutgoingEmail") -> bool:
    """The deadline is the one that was meant, lies ahead, and the deposit is not in yet (D5, D14)."""
    if _iso(session.payment_deadline) != email.context.get("payment_deadline"):
        return False
    if email.claimed_at is not None and session.payment_deadline < email.claimed_at:
        return False
    return ledger.account(session).net_paid < session.deposit_amount


def _was_confirmed_to_client(email: "OutgoingEmail") -> bool:
    """Whether a confirmation, with the date for the calendar, has gone to the client; or may have, when it was being
    sent.
    """
    from studio.models import OutgoingEmail

    return OutgoingEmail.objects.filter(
        about_type=email.about_type,
        about_id=email.about_id,
        kind="confirmation_email",
        status__in=[OutgoingEmail.Status.SENT, OutgoingEmail.Status.CLAIMED],
    ).exists()


def _reason(session: "Session") -> str:
    """Why it was canceled, in the client's language: this goes into the e-mail as it is."""
    with translation.override(session.client.language or STUDIO.language):
        return sentences.reason_in_words(session.cancellation_reason)


def _iso(value: date | datetime | None) -> str | None:
    """As it is kept: instants in UTC, so that the same one is the same text wherever it was computed."""
    if isinstance(value, datetime):
        value = value.astimezone(UTC)
    return value.isoformat() if value else None
