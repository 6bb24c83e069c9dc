"""What time off and closures have in common: how long they may be, and from when on."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduling.slots import Span
from studio.conf import STUDIO
from studio.errors import InvalidInput
from studio.roles import is_admin

if TYPE_CHECKING:
    from studio.models import User

LONGEST = timedelta(days=366)
# A year with the hour of a DST change in it.
SLACK = timedelta(hours=2)


def refuse_span(span: Span, *, by: "User", now: datetime, too_long: str, too_early: str) -> None:
    """Raises ``InvalidInput`` with these sentences for more than 366 days, and before today unless an Admin says so."""
    if span.duration > LONGEST + SLACK:
        raise InvalidInput(too_long % {"days": LONGEST.days}, field="last_day")
    if is_past(span, now) and not is_admin(by):
        raise InvalidInput(too_early, field="first_day")


def is_past(span: Span, now: datetime) -> bool:
    """It begins before the local day of now."""
    return span.start.astimezone(STUDIO.zone).date() < now.astimezone(STUDIO.zone).date()
