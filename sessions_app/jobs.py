"""The nightly and morning jobs (business rules 9; D5, D6, D14). ``studio.jobs`` knows when they are due.

Each works through the sessions one by one, each in a transaction of its own: one that fails is reported and stops
nobody. Running one twice, late or twice at once changes nothing more than running it once. The counts go into its
``JobRun``.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce

from payments import ledger, money
from payments.models import Payment
from scheduling.models import AssignmentStatus, RoomReservation, StaffReservation
from sessions_app import deadlines, mail, notices, workflow
from sessions_app.models import Session, SessionDetail
from sessions_app.models.session import lock_session
from studio import audit
from studio.conf import STUDIO
from studio.errors import MissingResources, SessionNotFound
from studio.notices import notify
from studio.roles import Role

logger = logging.getLogger(__name__)

UNPAID = "Payment deadline expired - no deposit received"
Outcome = Literal["done", "skipped"]
Report = dict[str, Any]


def auto_cancel_unpaid(now: datetime) -> Report:
    """Cancel what is Pre-scheduled past its payment deadline (business rules 9.1).

    A session whose verified payments cover its deposit is left alone and shown to the coordinators (D14).
    """
    due = Session.objects.present().filter(status=workflow.PRE_SCHEDULED, payment_deadline__lt=now)
    return _one_by_one(due, lambda pk: _cancel_unpaid(pk, now))


def auto_assign_confirmed(now: datetime) -> Report:
    """Assign what is Confirmed, past its changes deadline and complete (business rules 9.2).

    Coordinators are told of the others, once a day until they are solved.
    """
    due = Session.objects.present().filter(status=workflow.CONFIRMED, changes_deadline__lt=now)
    return _one_by_one(due, lambda pk: _assign_complete(pk, now))


def send_payment_reminders(now: datetime) -> Report:
    """Remind clients the day before their payment deadline, or on its day when that run was missed (D5).

    One e-mail for each deadline, however often the job runs: the deadline is part of the e-mail's key.
    """
    today = now.astimezone(STUDIO.zone).date()
    until = deadlines.end_of_day(today + timedelta(days=1))
    due = Session.objects.present().filter(
        status=workflow.PRE_SCHEDULED, payment_deadline__gte=now, payment_deadline__lte=until
    )
    return _one_by_one(due, _remind)


def validate_integrity(now: datetime) -> Report:
    """Look for what must not be (business rules 9.4), log it and alert the Admins. ``failed`` counts what was found."""
    found = {name: list(look()) for name, look in CHECKS.items()}
    issues = {name: rows for name, rows in found.items() if rows}
    count = sum(len(rows) for rows in issues.values())
    if issues:
        logger.error("integrity: %s", issues)
        admins = get_user_model().objects.active().in_role(Role.ADMIN)
        today = now.astimezone(STUDIO.zone).date()
        notify(admins, "integrity_issue", key=f"integrity:{today}:{count}", count=count)
    return {"done": len(CHECKS), "skipped": 0, "failed": count, "report": issues}


def _cancel_unpaid(pk: int, now: datetime) -> Outcome:
    with audit.act():
        session = lock_session(pk)
        if session.status != workflow.PRE_SCHEDULED or session.payment_deadline >= now:
            return "skipped"
        if ledger.account(session).net_paid >= session.deposit_amount:
            key = f"paid_but_unconfirmed:{pk}:{session.payment_deadline.isoformat()}"
            notices.tell(_coordinators(), "paid_but_unconfirmed", session, key=key)
            return "skipped"
        session.cancel(by=None, now=now, reason=UNPAID, initiator="system")
    return "done"


def _assign_complete(pk: int, now: datetime) -> Outcome:
    with audit.act():
        session = lock_session(pk)
        if session.status != workflow.CONFIRMED or session.changes_deadline >= now:
            return "skipped"
        try:
            session.assign(by=None, now=now)
        except MissingResources:
            today = now.astimezone(STUDIO.zone).date()
            notices.tell(_coordinators(), "resources_missing", session, key=f"resources_missing:{pk}:{today}")
            return "skipped"
    return "done"


def _remind(pk: int) -> Outcome:
    with audit.act():
        session = lock_session(pk)
        if session.status != workflow.PRE_SCHEDULED:
            return "skipped"
        if ledger.account(session).net_paid >= session.deposit_amount:
            return "skipped"
        fresh = mail.queue("payment_reminder_email", session, occasion=session.payment_deadline.isoformat())
    return "done" if fresh else "skipped"


def _one_by_one(due: Any, do: Callable[[int], Outcome]) -> Report:
    counts = {"done": 0, "skipped": 0, "failed": 0}
    errors: dict[str, str] = {}
    for pk, code in due.order_by("pk").values_list("pk", "code"):
        try:
            counts[do(pk)] += 1
        except SessionNotFound:
            counts["skipped"] += 1
        except Exception as error:
            # Whatever is wrong with this one is no reason to leave the others undone (D6).
            logger.exception("job failed for session %s", code)
            counts["failed"] += 1
            errors[code] = f"{type(error).__name__}: {error}"[:200]
    return counts | {"report": {"errors": errors} if errors else {}}


def _coordinators() -> Any:
    return get_user_model().objects.active().in_role(Role.COORDINATOR)


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
