"""What an e-mail looks like: facts in, subject, text and HTML out.

`templates/mail/<kind>.txt`, `.html` and `.subject.txt` hold the sentences; the facts stand in one list, which both
versions show. Mail programs know no style sheets worth the name: the rules of `mail/look.css` are written into the
elements, those of `mail/dark.css` go along for the programs that can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from email.mime.base import MIMEBase
from email.utils import formataddr, parseaddr
from functools import cache
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext, gettext_noop, pgettext_lazy

from studio.conf import STUDIO
from studio.models import OutgoingEmail
from studio.templatetags.atelier import clock, long_day, money

# What people call each kind.
KINDS = {
    "confirmation_email": pgettext_lazy("e-mail", "Confirmation"),
    "material_ready_email": pgettext_lazy("e-mail", "Material ready"),
    "cancellation_email": pgettext_lazy("e-mail", "Cancellation"),
    "payment_reminder_email": pgettext_lazy("e-mail", "Reminder of the deposit"),
    "delivery_date_email": pgettext_lazy("e-mail", "New delivery date"),
    "invitation_email": pgettext_lazy("e-mail", "Invitation"),
}

Facts = dict[str, Any]
Attach = Callable[[OutgoingEmail, Facts], list[MIMEBase]]

# The facts of each kind, in their order; one that is not known is left out.
ROWS: dict[str, tuple[str, ...]] = {
    "confirmation_email": ("session", "when", "place", "total", "net_paid", "balance", "changes_deadline"),
    "material_ready_email": ("session", "taken_on", "total", "net_paid", "balance"),
    "cancellation_email": ("session", "when", "reason", "paid", "refund", "refund_reason", "paid_back"),
    "payment_reminder_email": ("session", "when", "place", "total", "deposit", "net_paid", "missing", "pay_by"),
    "delivery_date_email": ("session", "taken_on", "ready_on", "balance"),
    "invitation_email": (),
}


def label(kind: str) -> str:
    """What people call the kind; one that no longer exists by its name."""
    return str(KINDS.get(kind, kind))


def compose(
    row: OutgoingEmail, *, at: datetime, extra: Mapping[str, Any] | None = None, attach: Attach | None = None
) -> EmailMultiAlternatives:
    """The e-mail as it goes out at `at`: text and HTML in the row's language, times in the studio's zone.

    `extra` are facts that do not lie in the table; `attach` makes the attachments.
    """
    with _as_its_reader(row.language):
        facts = facts_of(row, at=at, extra=extra)
        parts = attach(row, facts) if attach is not None else []
        facts |= {"rows": list(_rows(row.kind, facts)), "has_calendar": bool(parts)}
        subject = " ".join(render_to_string(f"mail/{row.kind}.subject.txt", facts).split())
        facts["subject"] = subject
        text = render_to_string(f"mail/{row.kind}.txt", facts)
        html = render_to_string(f"mail/{row.kind}.html", facts)
    mail = EmailMultiAlternatives(
        subject=subject,
        body=re.sub(r"\n{3,}", "\n\n", text).strip() + "\n",
        from_email=sender(),
        to=[row.to],
        headers={
            "Message-ID": _message_id(row),
            "X-Atelier-Mail": str(row.pk),
            "Content-Language": row.language,
            # So that nobody's absence answers it, and no loop begins (RFC 3834).
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(inlined(html), "text/html")
    for part in parts:
        mail.attach(part)
    return mail


def facts_of(row: OutgoingEmail, *, at: datetime, extra: Mapping[str, Any] | None = None) -> Facts:
    """The facts as templates want them: what was kept as text becomes an instant, a day, an amount again."""
    facts = {name: _typed(name, value) for name, value in row.context.items()}
    facts |= {**(extra or {}), "studio": STUDIO, "language": row.language, "at": at}
    changes_deadline = facts.get("changes_deadline")
    # A session that is confirmed late, or an e-mail that comes late, leaves no time for changes (D4).
    facts["changes_are_possible"] = isinstance(changes_deadline, datetime) and changes_deadline > at
    facts["refund_reason"] = reason_in_words(str(facts.get("refund_reason") or ""))
    facts["when"] = when_in_words(facts.get("starts_at"), facts.get("ends_at"))
    deposit, paid = facts.get("deposit_amount"), facts.get("net_paid")
    if isinstance(deposit, Decimal) and isinstance(paid, Decimal):
        facts["missing_amount"] = max(Decimal("0.00"), deposit - paid)
    return facts


def sender() -> str:
    """From whom: the address that was set, with the studio's name unless another one was set with it."""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return formataddr((name or STUDIO.name, address)) if address else settings.DEFAULT_FROM_EMAIL


def sender_address() -> str:
    """The address alone."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


def when_in_words(starts_at: Any, ends_at: Any) -> str:
    """A span as people say it: "Saturday 28 November, 14:00 to 20:00"; past midnight with the day on which it ends."""
    if not isinstance(starts_at, datetime):
        return ""
    start = {"day": long_day(starts_at), "start": clock(starts_at)}
    if not isinstance(ends_at, datetime):
        return gettext("%(day)s, %(start)s") % start
    if starts_at.astimezone(STUDIO.zone).date() == ends_at.astimezone(STUDIO.zone).date():
        return gettext("%(day)s, %(start)s to %(end)s") % {**start, "end": clock(ends_at)}
    return gettext("%(day)s, %(start)s to %(end_day)s, %(end)s") % {
        **start,
        "end_day": long_day(ends_at),
        "end": clock(ends_at),
    }


# The reasons of business rules 4.2, which are kept in English and told in the reader's language.
REFUND_REASONS = (
    gettext_noop("No payments made"),
    gettext_noop("Cancellation before confirmation"),
    gettext_noop("Within changes deadline"),
    gettext_noop("After changes deadline"),
    gettext_noop("Company cannot fulfill"),
    gettext_noop("Client cancellation after assignment"),
    gettext_noop("Service already provided"),
    gettext_noop("full refund"),
    gettext_noop("no refund"),
)


def reason_in_words(reason: str) -> str:
    """A refund's reason in the active language: "After changes deadline - 50% refund"."""
    because, dash, share = reason.partition(" - ")
    if not because:
        return ""
    percentage = share.removesuffix("% refund")
    if percentage.isdigit():
        share = gettext("%(n)s%% refund") % {"n": percentage}
    elif share:
        share = gettext(share)
    return f"{gettext(because)}{dash}{share}"


def inlined(html: str) -> str:
    """The styles of `mail/look.css` written into the elements that have its classes.

    Nobody's text can take part: quotes in it are escaped.
    """
    look = _look()
    return re.sub(
        r'class="(m-[a-z0-9-]+)"',
        lambda found: f'class="{found[1]}" style="{look[found[1]]}"' if found[1] in look else found[0],
        html,
    )


@cache
def _look() -> dict[str, str]:
    css = re.sub(r"/\*.*?\*/", "", render_to_string("mail/look.css"), flags=re.DOTALL)
    return {name: " ".join(rules.split()) for name, rules in re.findall(r"\.([a-z0-9-]+)\s*\{([^}]*)\}", css)}


@contextmanager
def _as_its_reader(language: str) -> Iterator[None]:
    with translation.override(language), timezone.override(STUDIO.zone):
        yield


def _rows(kind: str, facts: Facts) -> Iterator[tuple[str, str]]:
    """The list of facts: a label and what is said under it."""

    def amount(name: str, *, even_zero: bool = False) -> str:
        value = facts.get(name)
        return money(value) if value or (even_zero and value is not None) else ""

    def day(name: str) -> str:
        return long_day(facts.get(name)) if facts.get(name) else ""

    def moment(name: str) -> str:
        value = facts.get(name)
        return gettext("%(day)s, %(start)s") % {"day": long_day(value), "start": clock(value)} if value else ""

    for name in ROWS[kind]:
        match name:
            case "session":
                label, value = gettext("Session"), f"{facts.get('session_title')} ({facts.get('session_code')})"
            case "when":
                label, value = gettext("When"), facts["when"]
            case "taken_on":
                label, value = gettext("Taken on"), day("starts_at")
            case "ready_on":
                label, value = gettext("Ready on"), day("estimated_delivery_date")
            case "place":
                label, value = gettext("Where"), facts.get("place") or ""
            case "total":
                label, value = gettext("Total"), amount("total", even_zero=True)
            case "deposit":
                label, value = gettext("Deposit"), amount("deposit_amount", even_zero=True)
            case "net_paid":
                label, value = gettext("Paid so far"), amount("net_paid")
            case "balance":
                label, value = gettext("Still to pay"), amount("balance")
            case "missing":
                # The same as the deposit as long as nothing was paid.
                label = gettext("Missing to the deposit")
                value = amount("missing_amount") if facts.get("net_paid") else ""
            case "pay_by":
                label, value = gettext("Pay by"), moment("payment_deadline")
            case "changes_deadline":
                label = gettext("Changes possible until")
                value = moment("changes_deadline") if facts["changes_are_possible"] else ""
            case "reason":
                label, value = gettext("Reason"), facts.get("cancellation_reason") or ""
            case "paid":
                label, value = gettext("Paid"), amount("net_paid")
            case "refund":
                label, value = gettext("Refund"), amount("refund_amount", even_zero=not facts.get("refunded_amount"))
            case "refund_reason":
                label, value = gettext("Why this refund"), facts["refund_reason"]
            case "paid_back":
                label, value = gettext("Paid back already"), amount("refunded_amount")
            case unknown:
                raise LookupError(unknown)
        if value:
            yield label, value


_MONEY = frozenset({"total", "net_paid", "balance", "subtotal", "discount", "price"})


def _typed(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    try:
        if name.endswith(("_at", "_deadline")):
            instant = datetime.fromisoformat(value)
            return instant if timezone.is_aware(instant) else timezone.make_aware(instant, STUDIO.zone)
        if name.endswith("_date"):
            return date.fromisoformat(value[:10])
        if name in _MONEY or name.endswith("_amount"):
            return Decimal(value)
    except (ValueError, InvalidOperation):
        return value
    return value


def _message_id(row: OutgoingEmail) -> str:
    """The same for every try of a row: of two that went out because a worker died, most programs show one."""
    domain = sender_address().partition("@")[2] or "atelier.invalid"
    return f"<mail-{row.pk}-{round(row.created_at.timestamp() * 1_000_000):x}@{domain}>"
