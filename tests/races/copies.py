"""Many sessions in one state, at once: copies of one that walked there.

Walking thousands would take minutes. A copy is written in bulk with a first history row of its own, in one transaction,
as the database asks; every constraint and trigger looks at it.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Model

from sessions_app.models import Session, StatusHistory
from sessions_app.models.session import next_code


def copies(
    original: Session, count: int, *, days_apart: int = 0, minutes_apart: int = 0, with_time: bool = False
) -> list[Session]:
    """``count`` copies with lines and payments, each a step later than the one before.

    ``with_time`` copies room, people and their grants as well: then the steps have to keep the copies apart.
    """
    step = timedelta(days=days_apart, minutes=minutes_apart)
    with transaction.atomic():
        rows = Session.objects.bulk_create(_copy(original, number, number * step) for number in range(1, count + 1))
        StatusHistory.objects.bulk_create(
            StatusHistory(session=row, new_status=row.status, changed_at=row.updated_at, changed_by=row.updated_by)
            for row in rows
        )
        for related in ("lines", "payments", *(("assignments", "room_reservations", "grants") if with_time else ())):
            _copy_related(original, rows, related, step)
    return rows


def same(session: Session, count: int) -> list[Session]:
    """One session as ``count`` people have it before them: instances of their own."""
    return [Session.objects.get(pk=session.pk) for _ in range(count)]


def _copy(original: Session, number: int, later: timedelta) -> Session:
    row = Session.objects.get(pk=original.pk)
    row.pk, row.code = None, next_code(original.created_at)
    row.starts_at += later
    row.ends_at += later
    return row


def _copy_related(original: Session, rows: Iterable[Session], related: str, step: timedelta) -> None:
    manager = getattr(original, related)
    made: list[Model] = []
    for number, row in enumerate(rows, start=1):
        for each in manager.all():
            each.pk = None
            setattr(each, manager.field.name, row)
            if hasattr(each, "during"):
                each.during = (each.during.lower + number * step, each.during.upper + number * step)
            made.append(each)
    manager.model._base_manager.bulk_create(made)
