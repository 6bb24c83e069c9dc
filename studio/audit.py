"""The audit log: what was denied, and what has to be known even when it succeeds (permissions,
Logged).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from studio.errors import Denial
from studio.models import AuditEvent

logger = logging.getLogger(__name__)

DENIED = "denied"
ROLE_CHANGED = "role_changed"
USER_CREATED = "user_created"
USER_DEACTIVATED = "user_deactivated"
USER_ACTIVATED = "user_activated"
USER_DELETED = "user_deleted"
SESSION_CANCELED = "session_canceled"
REFUND_OWED = "refund_owed"
REFUND_PAID = "refund_paid"
ADMIN_OVERRIDE = "admin_override"
LARGE_PAYMENT = "large_payment"
RETROACTIVE_ENTRY = "retroactive_entry"

# Denials of the acts that are open in this thread, to be written when the outermost one has ended.
_pending: ContextVar[list[Denial] | None] = ContextVar("atelier_pending_denials", default=None)


def record(event: str, *, by: Any, about: Model | None = None, **details: Any) -> AuditEvent:
    """Write one line. `by=None` is the system.

    Belongs in the transaction of what it tells of: both happen or neither.
    """
    signed_in = by is not None and getattr(by, "pk", None) is not None
    return AuditEvent.objects.create(
        event=event,
        actor_id=by.pk if signed_in else None,
        actor_name=_words(by)[:200] if signed_in else "",
        object_type=about._meta.label_lower if about is not None else "",
        object_id=str(about.pk) if about is not None and about.pk is not None else "",
        object_label=_words(about)[:200] if about is not None else "",
        details=plain(details),
    )


def record_denial(denial: Denial, *, by: Any = None, **details: Any) -> None:
    """Write a denial once, whoever notices it first. Never fails: the denial itself has to go on."""
    if denial.recorded:
        return
    user = denial.user if denial.user is not None else by
    if denial.perm:
        details = {"permission": str(denial.perm), **details}
    try:
        with transaction.atomic():
            record(DENIED, by=user, about=denial.obj, code=denial.code, **details)
    except DatabaseError:
        logger.exception("A denial could not be written to the audit log.")
        return
    # Inside a transaction that is not ours the line goes when that is rolled back. Whoever sees the
    # exception outside of it writes the line again, so that there is exactly one either way.
    denial.recorded = not _inside_foreign_transaction()


@contextmanager
def act() -> Iterator[None]:
    """The transaction of an action. A denial that ends it is written after the rollback, and goes
    on.

    Acts may be nested: the outermost one writes, once, also for a denial that was caught on its
    way.
    """
    waiting = _pending.get()
    if waiting is not None:
        try:
            with transaction.atomic():
                yield
        except Denial as denial:
            if denial.is_denial and denial not in waiting:
                waiting.append(denial)
            raise
        return

    mine: list[Denial] = []
    token = _pending.set(mine)
    try:
        with transaction.atomic():
            yield
    except Denial as denial:
        if denial.is_denial and denial not in mine:
            mine.append(denial)
        raise
    finally:
        _pending.reset(token)
        for denial in mine:
            record_denial(denial)


def _inside_foreign_transaction() -> bool:
    """Whether a transaction is open that is neither an act's nor a test case's."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def _words(thing: Any) -> str:
    try:
        return str(thing)
    except Exception:
        # A label is a courtesy; a half-built object must not keep the line from being written.
        return type(thing).__name__


def plain(value: Any) -> Any:
    """`value` as JSON can hold it, amounts with their exact figures."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(each) for each in items]
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Model):
        return {"type": value._meta.label_lower, "id": value.pk, "label": _words(value)}
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
