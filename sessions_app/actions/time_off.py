"""Time off: when somebody is not to be booked (permissions: schedule.block.own; D25).

Everybody who is booked blocks their own time, coordinators everybody's. It is a reservation without a session, under
the same exclusion: where somebody is booked there is no time off, and in time off nobody is booked.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from scheduling import booking
from scheduling.models import StaffReservation
from scheduling.slots import Span, as_whole_days
from sessions_app.actions import absence
from studio import audit, notices
from studio.access import allows, require
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm, Role, holds, roles_of

if TYPE_CHECKING:
    from studio.models import User

# Whose time is ever blocked: those who may do it themselves.
BOOKED = tuple(role for role in Role if holds([role], Perm.SCHEDULE_BLOCK_OWN))
KIND = "time_off_changed"


def block(person: "User", *, span: Span, by: "User", now: datetime, notes: str = "") -> StaffReservation:
    """Take ``span`` of somebody's time out of the calendar.

    Raises ``AccessDenied``; ``PhotographerNotAvailable`` with the sessions in the way; ``InvalidInput`` for more than
    366 days, for days before today (an Admin may enter them, audited), for somebody who is never booked.
    """
    with audit.act():
        _require_may_block(person, by)
        if not roles_of(person).intersection(BOOKED):
            raise InvalidInput(_("Choose somebody who works here."), field="person")
        absence.refuse_span(
            span,
            by=by,
            now=now,
            too_long=_("Time off lasts %(days)d days at most: put down the rest as another one."),
            too_early=_("Time off begins today or later."),
        )
        row = booking.block(staff_id=person.pk, span=span, by=by, now=now, notes=notes.strip())
        row.refresh_from_db()
        audit.record("time_off_blocked", by=by, about=row, **_facts(row, past=absence.is_past(span, now)))
        if by.pk != person.pk:
            _tell(row, by=by)
    return row


def take_back(reservation_id: int, *, by: "User", now: datetime) -> StaffReservation:
    """What has not begun is canceled, what goes on ends now; what is over stays as it was.

    Raises ``NotFound`` for what is not there or not theirs to know of, ``InvalidInput`` for what is over.
    """
    with audit.act():
        row = booking.lock_time_off(reservation_id)
        if row is None:
            raise NotFound
        if row.staff_id != by.pk and not allows(by, Perm.SESSION_ASSIGN_RESOURCES):
            raise NotFound(user=by, perm=Perm.SESSION_ASSIGN_RESOURCES, obj=row)
        _require_may_block(row.staff, by)
        if row.ends_at <= now:
            raise InvalidInput(_("This time off is over."))
        has_begun = row.starts_at < now
        booking.unblock(row, now=now)
        row.refresh_from_db()
        audit.record("time_off_ended" if has_begun else "time_off_canceled", by=by, about=row, **_facts(row))
        was_unread = notices.drop(row)
        # Who has not read that they are off need not be told that they are not.
        if by.pk != row.staff_id and (has_begun or not was_unread):
            _tell(row, by=by, variant="ended" if has_begun else "off")
    return row


def ahead(*, now: datetime) -> QuerySet[StaffReservation]:
    """Everybody's time off that is not over."""
    rows = StaffReservation.objects.holding().filter(session__isnull=True, during__endswith__gt=now)
    return rows.select_related("staff", "created_by").order_by("during", "id")


def bookable_people() -> QuerySet["User"]:
    """Those whose time can be blocked."""
    return get_user_model().objects.active().in_role(*BOOKED).order_by("full_name", "id")


def _require_may_block(person: "User", by: "User") -> None:
    require(by, Perm.SCHEDULE_BLOCK_OWN if person.pk == by.pk else Perm.SESSION_ASSIGN_RESOURCES)


def _facts(row: StaffReservation, **more: object) -> dict[str, object]:
    return {"person": row.staff.full_name, "starts_at": row.starts_at, "ends_at": row.ends_at, **more}


def _tell(row: StaffReservation, *, by: "User", variant: str = "") -> None:
    first, last = as_whole_days(row.span) or (row.starts_at, row.ends_at)
    notices.notify(
        [row.staff],
        KIND,
        about=row,
        url=reverse("time-off"),
        when=first,
        until=last,
        by=by.full_name,
        variant=variant,
    )
