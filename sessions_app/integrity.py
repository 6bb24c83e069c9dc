"""What must not be, and constraints cannot say: looked for each night (business rules 9.4)."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce

from payments import money
from payments.models import Payment
from scheduling.models import AssignmentStatus, RoomReservation, StaffReservation
from sessions_app import workflow
from sessions_app.models import Session, SessionDetail
from studio.conf import STUDIO
from studio.notices import notify
from studio.roles import Role

logger = logging.getLogger(__name__)


def validate(now: datetime, *, dry_run: bool = False) -> dict[str, Any]:
    """Run every check, log what was found and alert the Admins. ``failed`` counts what was found."""
    found = {name: list(look()) for name, look in CHECKS.items()}
    issues = {name: rows for name, rows in found.items() if rows}
    count = sum(len(rows) for rows in issues.values())
    if issues and not dry_run:
        logger.error("integrity: %s", issues)
        admins = get_user_model().objects.active().in_role(Role.ADMIN)
        today = now.astimezone(STUDIO.zone).date()
        notify(admins, "integrity_issue", key=f"integrity:{today}:{count}", count=count)
    return {"done": len(CHECKS), "skipped": 0, "failed": count, "report": issues}


def _wrong_subtotals() -> Iterable[str]:
    lines = SessionDetail.objects.filter(session=OuterRef("pk")).values("session")
    sold = Coalesce(lines.annotate(sold=Sum("line_subtotal")).values("sold"), money.ZERO)
    return Session.objects.present().exclude(subtotal=sold).values_list("code", flat=True)


def _without_photographers() -> Iterable[str]:
    on_it = StaffReservation.objects.filter(session=OuterRef("pk")).exclude(
        assignment_status=AssignmentStatus.REASSIGNED
    )
    shot = Session.objects.present().filter(status__in=workflow.FROM_ASSIGNED_ON)
    return shot.filter(~Exists(on_it)).values_list("code", flat=True)


def _paid_above_total() -> Iterable[str]:
    verified = Payment.objects.live().filter(session=OuterRef("pk"), payment_status="Verified").values("session")
    paid = Coalesce(verified.exclude(payment_type="Refund").annotate(a=Sum("amount")).values("a"), money.ZERO)
    back = Coalesce(verified.filter(payment_type="Refund").annotate(a=Sum("amount")).values("a"), money.ZERO)
    rows = Session.objects.present().exclude(status=workflow.CANCELED)
    return rows.annotate(net=paid - back).filter(net__gt=F("total")).values_list("code", flat=True)


def _overlapping(table: str, resource: str) -> Callable[[], Iterable[str]]:
    def look() -> Iterable[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT a.id, b.id FROM {table} a JOIN {table} b"
                f" ON a.{resource} = b.{resource} AND a.id < b.id AND a.during && b.during"
                " WHERE a.released_at IS NULL AND b.released_at IS NULL"
            )
            return [f"{first}/{second}" for first, second in cursor.fetchall()]

    return look


def _rooms_that_differ() -> Iterable[str]:
    """A live room reservation belongs to a session that is under way, has that room and that time."""
    rows = RoomReservation.objects.holding().filter(session__isnull=False)
    wrong = (
        Q(session__status__in=workflow.FINAL)
        | ~Q(session__room=F("room"))
        | ~Q(during__startswith=F("session__starts_at"))
        | Q(during__endswith__lt=F("session__ends_at"))
    )
    return rows.filter(wrong).values_list("session__code", flat=True)


def _people_that_differ() -> Iterable[str]:
    """A live assignment belongs to a session that is under way, and meets its time."""
    rows = StaffReservation.objects.holding().filter(session__isnull=False)
    wrong = (
        Q(session__status__in=workflow.FINAL)
        | Q(during__startswith__gte=F("session__ends_at"))
        | Q(during__endswith__lte=F("session__starts_at"))
    )
    return rows.filter(wrong).values_list("session__code", flat=True)


def _rooms_not_held() -> Iterable[str]:
    """A session under way that has a room holds it: otherwise somebody else may be given it (D33)."""
    held = RoomReservation.objects.holding().filter(session=OuterRef("pk"), room=OuterRef("room"))
    return Session.objects.active().filter(~Exists(held), room__isnull=False).values_list("code", flat=True)


def _people_not_held() -> Iterable[str]:
    """Who is on a session under way is not free for another one (D34)."""
    loose = StaffReservation.objects.filter(session__deleted_at__isnull=True, released_at__isnull=False)
    loose = loose.exclude(assignment_status=AssignmentStatus.REASSIGNED).exclude(session__status__in=workflow.FINAL)
    return loose.filter(session__isnull=False).values_list("session__code", flat=True)


CHECKS: dict[str, Callable[[], Iterable[str]]] = {
    "totals_differ_from_lines": _wrong_subtotals,
    "assigned_without_photographers": _without_photographers,
    "paid_above_total": _paid_above_total,
    "rooms_overlap": _overlapping("scheduling_roomreservation", "room_id"),
    "people_overlap": _overlapping("scheduling_staffreservation", "staff_id"),
    "rooms_differ_from_sessions": _rooms_that_differ,
    "people_differ_from_sessions": _people_that_differ,
    "rooms_are_not_held": _rooms_not_held,
    "people_are_not_held": _people_not_held,
}
