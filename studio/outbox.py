"""E-mails, written with the act that causes them and sent by the worker.

A row is queued in the caller's transaction, so that there is no e-mail about what did not happen;
it is claimed, checked again, sent and marked by `deliver`, one at a time, so that a worker that is
killed leaves at most one e-mail in doubt. A mail server that is down delays e-mails and nothing
else.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.db.models import F, Model, Q
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext, gettext_noop

from studio.audit import plain
from studio.conf import LANGUAGES, STUDIO
from studio.models import OutgoingEmail

logger = logging.getLogger(__name__)

Status = OutgoingEmail.Status
StillTrue = Callable[[OutgoingEmail], bool]
Extra = Callable[[OutgoingEmail], dict[str, Any]]

KINDS: frozenset[str] = frozenset(
    {
        "confirmation_email",
        "material_ready_email",
        "cancellation_email",
        "payment_reminder_email",
        "delivery_date_email",
        "invitation_email",
    }
)

MAX_ATTEMPTS = 8
# Waits after the first, second, ... attempt; about a day in all.
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720))
# A claim that is older belongs to a worker that no longer lives: sending takes seconds.
CLAIM_LASTS = timedelta(minutes=10)
# A task of the worker may last a minute; what is left waits for the next one.
TIME_BUDGET_SECONDS = 40

_still_true: dict[str, list[StillTrue]] = {}
_extra: dict[str, Extra] = {}
_quiet: ContextVar[list[bool] | None] = ContextVar("atelier_outbox_quiet", default=None)


def register(kind: str, *, still_true: StillTrue | None = None, extra: Extra | None = None) -> None:
    """What only other packages know about a kind; called in their `AppConfig.ready`.

    `still_true(row)` is asked right before sending; a row that no longer is true is dropped.
    `extra(row)` gives facts that must not lie in the table, such as a link with a token.
    """
    _check_kind(kind)
    if still_true is not None and still_true not in _still_true.setdefault(kind, []):
        _still_true[kind].append(still_true)
    if extra is not None:
        _extra[kind] = extra


def queue(
    kind: str,
    *,
    to: str,
    language: str = "",
    context: dict[str, Any],
    key: str,
    about: Model | None = None,
) -> OutgoingEmail:
    """Write an e-mail into the caller's transaction. Idempotent: one row for each key, for ever.

    The worker is woken when the transaction has been committed.
    """
    _check_kind(kind)
    if not to or not key:
        raise ValueError("An e-mail needs an address and a key.")
    row = OutgoingEmail(
        key=key,
        kind=kind,
        to=to,
        language=language if language in LANGUAGES else STUDIO.language,
        context=plain(context),
        about_type=about._meta.label_lower if about is not None else "",
        about_id=about.pk if about is not None else None,
    )
    OutgoingEmail.objects.bulk_create([row], ignore_conflicts=True)
    wake_after_commit()
    return OutgoingEmail.objects.get(key=key)


def is_queued(key: str) -> bool:
    """Whether an e-mail with this key was ever written."""
    return OutgoingEmail.objects.filter(key=key).exists()


def drop(about: Model, kinds: Iterable[str] | None = None) -> int:
    """Have no e-mail sent any more about `about` that was not sent yet; returns how many."""
    rows = OutgoingEmail.objects.filter(about_type=about._meta.label_lower, about_id=about.pk, status=Status.WAITING)
    if kinds is not None:
        rows = rows.filter(kind__in=list(kinds))
    return rows.update(status=Status.DROPPED)


def requeue(row: OutgoingEmail, *, now: datetime) -> bool:
    """Try a dropped or given-up e-mail again, from its first attempt; False when it was neither."""
    changed = OutgoingEmail.objects.filter(pk=row.pk, status__in=[Status.DEAD, Status.DROPPED]).update(
        status=Status.WAITING, attempts=0, next_try_at=now, claimed_at=None, last_error=""
    )
    wake_after_commit()
    return bool(changed)


def wake_after_commit() -> None:
    """Ask the worker to look, once for each transaction."""
    waiting = _quiet.get()
    if waiting is not None:
        waiting[0] = True
        return
    connection = transaction.get_connection()
    if any(entry[1] is _wake for entry in connection.run_on_commit):
        return
    transaction.on_commit(_wake, robust=True)


@contextmanager
def woken_once() -> Iterator[None]:
    """Around a job that queues thousands of e-mails in as many transactions: one wake-up at the
    end.
    """
    waiting = [False]
    token = _quiet.set(waiting)
    try:
        yield
    finally:
        _quiet.reset(token)
        if waiting[0]:
            wake_after_commit()


def deliver_waiting() -> dict[str, int]:
    """The worker's entry point."""
    return deliver()


def deliver(now: datetime | None = None, limit: int = 50) -> dict[str, int]:
    """Send what is due, at most `limit` e-mails; returns how many were sent, dropped, failed, given
    up.

    Any number of workers may do this at once: a row is claimed by one of them.
    """
    counts = {"sent": 0, "dropped": 0, "failed": 0, "dead": 0}
    ends = time.monotonic() + TIME_BUDGET_SECONDS
    connection = get_connection()
    try:
        for _turn in range(limit):
            row = _claim(now or timezone.now())
            if row is None:
                break
            counts[_send(row, connection, now)] += 1
            if time.monotonic() > ends:
                break
    finally:
        with suppress(Exception):
            connection.close()
    return counts


def render(row: OutgoingEmail) -> EmailMultiAlternatives:
    """The e-mail as it is sent: text and HTML, in the row's language, times in the studio's zone."""
    facts = {
        **_typed(row.context),
        **(_extra[row.kind](row) if row.kind in _extra else {}),
        "studio": STUDIO,
        "language": row.language,
    }
    changes_deadline = facts.get("changes_deadline")
    # A session that is confirmed late has no time for changes left (D4).
    facts["changes_are_possible"] = isinstance(changes_deadline, datetime) and changes_deadline > row.created_at
    with translation.override(row.language), timezone.override(STUDIO.zone):
        facts["refund_reason"] = reason_in_words(str(facts.get("refund_reason") or ""))
        subject = render_to_string(f"mail/{row.kind}.subject.txt", facts)
        text = render_to_string(f"mail/{row.kind}.txt", facts)
        html = render_to_string(f"mail/{row.kind}.html", facts)
    mail = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=re.sub(r"\n{3,}", "\n\n", text).strip() + "\n",
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[row.to],
        headers={"X-Atelier-Mail": str(row.pk), "Content-Language": row.language},
    )
    mail.attach_alternative(html, "text/html")
    return mail


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


def _wake() -> None:
    from django_q.tasks import async_task

    async_task("studio.outbox.deliver_waiting")


def _claim(now: datetime) -> OutgoingEmail | None:
    """Take the next row for this worker, in a transaction of its own; None when nothing is due."""
    due = Q(status=Status.WAITING, next_try_at__lte=now) | Q(status=Status.CLAIMED, claimed_at__lt=now - CLAIM_LASTS)
    with transaction.atomic():
        row = (
            OutgoingEmail.objects.select_for_update(skip_locked=True)
            .filter(due, status__in=[Status.WAITING, Status.CLAIMED])
            .order_by("next_try_at", "pk")
            .first()
        )
        if row is None:
            return None
        OutgoingEmail.objects.filter(pk=row.pk).update(
            status=Status.CLAIMED, claimed_at=now, attempts=F("attempts") + 1
        )
    row.status = Status.CLAIMED
    row.claimed_at = now
    row.attempts += 1
    return row


def _send(row: OutgoingEmail, connection: Any, now: datetime | None) -> str:
    """Check, send and mark one claimed row; the name of what became of it."""
    if row.attempts > MAX_ATTEMPTS:
        # Claimed again and again by workers that died with it: trying on would kill the next ones.
        _mark(row, status=Status.DEAD)
        return "dead"
    try:
        if not all(holds(row) for holds in _still_true.get(row.kind, ())):
            _mark(row, status=Status.DROPPED)
            return "dropped"
        mail = render(row)
        mail.connection = connection
        mail.send()
    except Exception as error:
        logger.warning("E-mail %s could not be sent: %s", row.pk, _told(error), exc_info=True)
        with suppress(Exception):
            # The server may have hung up; the next e-mail opens the connection anew.
            connection.close()
        if row.attempts >= MAX_ATTEMPTS:
            _mark(row, status=Status.DEAD, last_error=_told(error))
            return "dead"
        wait = BACK_OFF[min(row.attempts, len(BACK_OFF)) - 1]
        _mark(
            row,
            status=Status.WAITING,
            next_try_at=(now or timezone.now()) + wait,
            last_error=_told(error),
        )
        return "failed"
    _mark(row, status=Status.SENT, sent_at=now or timezone.now(), last_error="")
    return "sent"


def _mark(row: OutgoingEmail, **values: Any) -> None:
    """Write what became of the row, unless another worker has taken it over meanwhile."""
    OutgoingEmail.objects.filter(
        pk=row.pk, status=Status.CLAIMED, claimed_at=row.claimed_at, attempts=row.attempts
    ).update(**values)


def _told(error: BaseException) -> str:
    """The error without its text: a server's answer may quote what was sent to it."""
    words = [type(error).__name__]
    for name in ("smtp_code", "errno"):
        if isinstance(code := getattr(error, name, None), int):
            words.append(str(code))
    return " ".join(words)[:300]


_MONEY = frozenset({"total", "net_paid", "balance", "subtotal", "discount", "price"})


def _typed(context: dict[str, Any]) -> dict[str, Any]:
    """Facts as templates want them: what was kept as text becomes an instant, a day, an amount
    again.
    """
    return {name: _typed_value(name, value) for name, value in context.items()}


def _typed_value(name: str, value: Any) -> Any:
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


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"There is no e-mail of the kind {kind!r}.")
