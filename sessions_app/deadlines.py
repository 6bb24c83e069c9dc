"""The deadlines of a session (business rules 2, 3.3; D1, D3, D4). Pure; dates are reckoned in the studio's zone."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from studio.conf import STUDIO

LAST_SECOND = time(23, 59, 59)
PAST_DATES_ALLOWED = ("Attended", "In Editing", "Ready for Delivery", "Completed")


def end_of_day(day: date, zone: ZoneInfo | None = None) -> datetime:
    """23:59:59 of a local date, also on the day of a DST change (D1).

    Where the clocks go back at midnight the last second of the day comes twice, and the later one ends it; where they
    go forward over it, the day ends with the gap. Both are what ``fold=1`` means.
    """
    return datetime.combine(day, LAST_SECOND.replace(fold=1), tzinfo=zone or STUDIO.zone)


def payment_deadline(now: datetime, days: int | None = None, zone: ZoneInfo | None = None) -> datetime:
    """The end of the local day ``PAYMENT_DEADLINE_DAYS`` after the session became Pre-scheduled (D3)."""
    zone = zone or STUDIO.zone
    days = STUDIO.payment_deadline_days if days is None else days
    return end_of_day(now.astimezone(zone).date() + timedelta(days=days), zone)


def changes_deadline(session_date: date, days: int | None = None, zone: ZoneInfo | None = None) -> datetime:
    """The end of the local day ``CHANGES_DEADLINE_DAYS`` before the session; it may lie in the past (D4)."""
    days = STUDIO.changes_deadline_days if days is None else days
    return end_of_day(session_date - timedelta(days=days), zone)


def estimated_delivery_date(session_date: date, editing_days: int) -> date:
    """``session_date + estimated_editing_days``, in days (business rules 2.3)."""
    return session_date + timedelta(days=editing_days)


def hold_deadline(
    now: datetime, starts_at: datetime, days: int | None = None, zone: ZoneInfo | None = None
) -> datetime | None:
    """Until when a request holds its room and people: the end of the local day ``HOLD_DAYS`` from now.

    Never beyond the start of the session itself. None for one that has begun: nobody else wants its time.
    """
    if starts_at.timestamp() <= now.timestamp():
        return None
    zone = zone or STUDIO.zone
    days = STUDIO.hold_days if days is None else days
    return hold_end(now.astimezone(zone).date() + timedelta(days=days), starts_at, zone)


def hold_end(day: date, starts_at: datetime, zone: ZoneInfo | None = None) -> datetime:
    """The end of that local day, or the start of the session where it comes first."""
    zone = zone or STUDIO.zone
    # By the instants: in an hour that the clocks repeat, they do not say what comes first.
    return min(end_of_day(day, zone), starts_at.astimezone(zone), key=datetime.timestamp)


def is_valid_session_date(session_date: date, current_status: str, today: date) -> bool:
    """Not in the past, unless the shoot is behind us (retroactive entry, business rules 3.3)."""
    return current_status in PAST_DATES_ALLOWED or session_date >= today
