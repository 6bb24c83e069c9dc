"""The nightly and morning jobs (business rules 9; D5, D6, D14). ``studio.jobs`` knows when they are due.

Each works through the sessions one by one, each in a transaction of its own: one that fails is reported and stops
nobody. Running one twice, late or twice at once changes nothing more than running it once. The counts go into its
``JobRun``. As a dry run each session is really done and then undone, so that the list cannot disagree with the act.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _

from payments import ledger
from sessions_app import deadlines, integrity, mail, notices, workflow
from sessions_app.models import Session
from sessions_app.models.session import lock_session
from studio import audit, outbox
from studio.conf import STUDIO
from studio.errors import InvalidStateTransition, MissingResources, SessionNotFound
from studio.jobs import Tally, tally
from studio.roles import Role

if TYPE_CHECKING:
    from payments.money import Account

logger = logging.getLogger(__name__)

UNPAID = "Payment deadline expired - no deposit received"
Report = dict[str, Any]

REASONS = {
    "no_longer_due": _("no longer due"),
    "deposit_covered": _("the deposit is paid"),
    "resources_missing": _("people or a room are missing"),
    "reminded_already": _("reminded already"),
}


class Skip(Exception):
    """This session is left as it is; ``args[0]`` is one of ``REASONS``."""


def auto_cancel_unpaid(now: datetime, *, dry_run: bool = False) -> Report:
    """Cancel what is Pre-scheduled past its payment deadline (business rules 9.1).

    A session whose verified payments cover its deposit is left alone and shown to the coordinators (D14).
    """
    due = Session.objects.present().filter(status=workflow.PRE_SCHEDULED, payment_deadline__lt=now)
    return _one_by_one(due, lambda pk: _cancel_unpaid(pk, now), _told_canceled if dry_run else None)


def auto_assign_confirmed(now: datetime, *, dry_run: bool = False) -> Report:
    """Assign what is Confirmed, past its changes deadline and complete (business rules 9.2).

    Coordinators are told of the others, once a day until they are solved.
    """
    due = Session.objects.present().filter(status=workflow.CONFIRMED, changes_deadline__lt=now)
    return _one_by_one(due, lambda pk: _assign_complete(pk, now), _told_assigned if dry_run else None)


def send_payment_reminders(now: datetime, *, dry_run: bool = False) -> Report:
    """Remind clients the day before their payment deadline, or on its day when that run was missed (D5).

    One e-mail for each deadline, however often the job runs: the deadline is part of the e-mail's key.
    """
    today = now.astimezone(STUDIO.zone).date()
    until = deadlines.end_of_day(today + timedelta(days=1))
    due = Session.objects.present().filter(
        status=workflow.PRE_SCHEDULED, payment_deadline__gte=now, payment_deadline__lte=until
    )
    return _one_by_one(due, lambda pk: _remind(pk, now), _told_reminded if dry_run else None)


def validate_integrity(now: datetime, *, dry_run: bool = False) -> Report:
    """Look for what must not be (business rules 9.4), log it and alert the Admins; as a dry run only look."""
    return integrity.validate(now, dry_run=dry_run)


def _cancel_unpaid(pk: int, now: datetime) -> Session:
    def last_look(session: Session, account: "Account") -> None:
        if session.payment_deadline >= now:
            raise Skip("no_longer_due")
        if account.net_paid >= session.deposit_amount:
            raise Skip("deposit_covered")

    try:
        return Session.known_by(pk).cancel(by=None, now=now, unless=last_look, reason=UNPAID, initiator="system")
    except InvalidStateTransition:
        raise Skip("no_longer_due") from None
    except Skip as skip:
        if skip.args == ("deposit_covered",):
            session = Session.objects.select_related("client").get(pk=pk)
            key = f"paid_but_unconfirmed:{pk}:{session.payment_deadline.isoformat()}"
            with transaction.atomic():
                notices.tell(_coordinators(), "paid_but_unconfirmed", session, key=key)
        raise


def _assign_complete(pk: int, now: datetime) -> Session:
    def last_look(session: Session, account: "Account") -> None:
        if session.changes_deadline >= now:
            raise Skip("no_longer_due")

    try:
        return Session.known_by(pk).assign(by=None, now=now, unless=last_look)
    except InvalidStateTransition:
        raise Skip("no_longer_due") from None
    except MissingResources:
        session = Session.objects.select_related("client").get(pk=pk)
        today = now.astimezone(STUDIO.zone).date()
        with transaction.atomic():
            notices.tell(_coordinators(), "resources_missing", session, key=f"resources_missing:{pk}:{today}")
        raise Skip("resources_missing") from None


def _remind(pk: int, now: datetime) -> Session:
    with audit.act():
        session = lock_session(pk)
        if session.status != workflow.PRE_SCHEDULED:
            raise Skip("no_longer_due")
        account = ledger.account(session)
        if account.net_paid >= session.deposit_amount:
            raise Skip("deposit_covered")
        occasion = session.payment_deadline.isoformat()
        if not mail.queue("payment_reminder_email", session, occasion=occasion, account=account):
            # Dropped because the deposit was in, which it no longer is: the client has not read it.
            key = mail.key_of("payment_reminder_email", session, occasion)
            if not outbox.take_up_again(key, now=now):
                raise Skip("reminded_already")
    return session


def _one_by_one(due: Any, do: Callable[[int], Session], told: Callable[[Session], str] | None) -> Report:
    """Do each session that is due. With ``told`` it is a dry run: each is undone again, and told in the plan.

    A later part goes on behind the last session of the one before: those that are left as they are stay due, and would
    be all that it comes to.
    """
    counts = tally()
    again: list[tuple[int, str]] = []
    more = False
    for pk, code in due.filter(pk__gt=counts.after).order_by("pk").values_list("pk", "code"):
        if counts.is_time_to_stop:
            more = True
            break
        if not _try(pk, code, do, told, counts, is_last=False):
            again.append((pk, code))
        counts.after = pk
    for pk, code in again:
        _try(pk, code, do, told, counts, is_last=True)
    return counts.as_outcome(more=more)


def _try(
    pk: int,
    code: str,
    do: Callable[[int], Session],
    told: Callable[[Session], str] | None,
    counts: Tally,
    *,
    is_last: bool,
) -> bool:
    """Do one session and count it; false when it is worth another try, since somebody was in the way."""
    try:
        if told is None:
            do(pk)
        else:
            with transaction.atomic():
                counts.plan.append(told(do(pk)))
                transaction.set_rollback(True)
    except Skip as skip:
        counts.count_skipped(code, skip.args[0])
    except SessionNotFound:
        counts.count_skipped(code, "no_longer_due")
    except Exception as error:
        if not connection.in_atomic_block and not connection.is_usable():
            # The database has gone away: that is not this session's fault, and the next ones would say the same.
            connection.close()
            raise
        if isinstance(error, OperationalError) and not is_last:
            return False  # a deadlock, or a lock that was not given in time
        # Whatever is wrong with this one is no reason to leave the others undone (D6).
        logger.exception("job failed for session %s", code)
        counts.count_failed(code, error)
    else:
        counts.count_done(code)
    return True


def _told_canceled(session: Session) -> str:
    held = [row.staff.full_name for row in session.assignments.filter(released_at=session.canceled_at)]
    held += [session.room.name] if session.room_id else []
    return f"{_line(session)} is canceled; it frees {', '.join(held) or 'nothing'}; e-mail to {session.client.email}"


def _told_assigned(session: Session) -> str:
    people = [row.staff.full_name for row in session.assignments.filter(released_at__isnull=True)]
    return f"{_line(session)} is assigned to {', '.join(people)}; delivery on {session.estimated_delivery_date}"


def _told_reminded(session: Session) -> str:
    deadline = session.payment_deadline.astimezone(STUDIO.zone)
    return f"{_line(session)} is reminded of {deadline:%Y-%m-%d %H:%M}; e-mail to {session.client.email}"


def _line(session: Session) -> str:
    return f"{session.code} ({session.title}, {session.local_start:%Y-%m-%d %H:%M})"


def _coordinators() -> Any:
    return get_user_model().objects.active().in_role(Role.COORDINATOR)
