"""Each e-mail with facts that are nobody's, for those who want to see what clients get."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from studio.audit import plain
from studio.conf import STUDIO
from studio.models import OutgoingEmail

# When each is sent (business rules 8.1, 10.3).
WHEN_SENT: dict[str, str | Promise] = {
    "confirmation_email": gettext_lazy("To the client, when a session is confirmed. With the date for the calendar."),
    "payment_reminder_email": gettext_lazy(
        "To the client, the day before the deposit is due, if it is not in by then."
    ),
    "material_ready_email": gettext_lazy("To the client, when the editor marks the material as ready."),
    "delivery_date_email": gettext_lazy("To the client, when the editor moves the delivery date."),
    "cancellation_email": gettext_lazy(
        "To the client, when a session is canceled. Takes the date out of their calendar if they had it."
    ),
    "invitation_email": gettext_lazy("To somebody who is to work here, or who needs a new password."),
}


def example(kind: str, language: str, now: datetime) -> OutgoingEmail:
    """An e-mail that lies in no table: a session three weeks from `now` that ends past midnight."""
    with translation.override(language):
        context = _invitation() if kind == "invitation_email" else _facts(kind, now)
    return OutgoingEmail(
        key="example",
        kind=kind,
        to="ana@example.com",
        language=language,
        context=plain(context),
        created_at=now,
        claimed_at=now,
    )


def _facts(kind: str, now: datetime) -> dict[str, object]:
    today = now.astimezone(STUDIO.zone).date()
    starts_at = datetime.combine(today + timedelta(days=21), time(18), tzinfo=STUDIO.zone)
    total, deposit = Decimal("4850.00"), Decimal("2425.00")
    paid = Decimal("0.00") if kind == "payment_reminder_email" else deposit
    return {
        "client_name": "Ana Lucía Méndez",
        "session_code": f"S-{today.year}-0042",
        "session_title": _("Wedding of Ana and Luis"),
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=7),
        "place": "Finca El Pilar, Antigua Guatemala",
        "total": total,
        "deposit_amount": deposit,
        "net_paid": paid,
        "balance": total - paid,
        "payment_deadline": _end_of_day(now, days=1),
        "changes_deadline": _end_of_day(now, days=14),
        "estimated_delivery_date": today + timedelta(days=26),
        "refund_amount": deposit / 2,
        "refunded_amount": Decimal("0.00"),
        "refund_reason": "After changes deadline - 50% refund",
        "cancellation_reason": _("The client has found another date."),
        "sold": [
            {"quantity": "1", "name": _("Photographs of the whole day")},
            {"quantity": "200", "name": _("Digital photo, edited")},
            {"quantity": "1", "name": _("Album of 30 pages")},
        ],
        "uid": "example@atelier",
        "changed_at": now,
        "in_calendar": True,
    }


def _invitation() -> dict[str, object]:
    return {
        "person_name": "Elena Paz",
        "invited_by": "Ana Lucía Méndez",
        "base_url": "https://studio.example/",
        "is_new": True,
    }


def _end_of_day(now: datetime, *, days: int) -> datetime:
    day = now.astimezone(STUDIO.zone).date() + timedelta(days=days)
    return datetime.combine(day, time(23, 59, 59), tzinfo=STUDIO.zone)
