"""What is held for whom, and until when: the rows of coordination's list, in a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Case, Count, DecimalField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from payments.models import Payment, PaymentStatus, PaymentType
from sessions_app import deadlines, holds
from sessions_app.consequences import rows_with_people
from sessions_app.models import Session
from studio.conf import STUDIO

if TYPE_CHECKING:
    from studio.models import User

AMOUNT = DecimalField(max_digits=14, decimal_places=2)
EXPIRED, SOON, ALL = WHICH = ("expired", "soon", "all")
# "Ending soon" looks so many days ahead, to the end of the day.
SOON_DAYS = 2


@dataclass(frozen=True, slots=True)
class Held:
    """One hold, for reading."""

    session: Session
    names: list[str]
    has_expired: bool
    paid: Decimal
    """What the client has paid or promised: then it is decided on by itself (D14)."""

    @property
    def until(self) -> datetime:
        return self.session.held_until

    @property
    def may_go_with_others(self) -> bool:
        return self.has_expired and self.paid <= 0


def held(by: "User") -> QuerySet[Session]:
    """The sessions that hold something until a day, the one that ends first in front."""
    rows = Session.objects.visible_to(by).filter(status__in=holds.HOLDING, held_until__isnull=False)
    return rows.order_by("held_until", "id")


def among(rows: QuerySet[Session], which: str, now: datetime) -> QuerySet[Session]:
    """Those of one chip."""
    condition = _conditions(now)[which]
    return rows.filter(condition)


def counts(rows: QuerySet[Session], now: datetime) -> dict[str, int]:
    """How many there are behind each chip: one query."""
    return rows.order_by().aggregate(
        **{which: Count("pk", filter=condition) for which, condition in _conditions(now).items()}
    )


def in_words(rows: QuerySet[Session], now: datetime) -> list[Held]:
    return [_held(session, now) for session in rows.for_board().annotate(paid=_paid())]


def names_of(session: Session) -> list[str]:
    """Who and what is held for it."""
    people = [row.staff.full_name for row in rows_with_people(session) if row.released_at is None]
    return [*people, *([session.room.name] if session.room_id else [])]


def may_go(rows: Iterable[Held]) -> list[Held]:
    return [row for row in rows if row.may_go_with_others]


def first_to_go(by: "User", now: datetime, *, at_most: int) -> tuple[list[str], int]:
    """The codes of so many that have expired, and how many more could be let go together.

    Who has paid comes last: they stay (D14), and would otherwise keep the others from their turn.
    """
    expired = among(held(by), EXPIRED, now).alias(paid=_paid()).alias(stays=Q(paid__gt=0))
    codes = list(expired.order_by("stays", "held_until", "id").values_list("code", flat=True)[:at_most])
    could_go = expired.filter(stays=False).count() if len(codes) == at_most else 0
    return codes, max(could_go - at_most, 0)


def _held(session: Session, now: datetime) -> Held:
    return Held(session, names_of(session), holds.has_expired(session, now), session.paid)


def _conditions(now: datetime) -> dict[str, Q]:
    soon = deadlines.end_of_day(now.astimezone(STUDIO.zone).date() + timedelta(days=SOON_DAYS))
    return {
        EXPIRED: Q(held_until__lte=now),
        SOON: Q(held_until__gt=now, held_until__lte=soon),
        ALL: Q(held_until__isnull=False),
    }


def _paid() -> Coalesce:
    """What came in or is to be verified, less what went back: as ``actions.hold`` asks of the locked session."""
    went_back = Q(payment_type=PaymentType.REFUND)
    amount = Case(
        When(went_back & Q(payment_status=PaymentStatus.VERIFIED), then=-F("amount")),
        When(went_back, then=Value(Decimal(0))),
        default=F("amount"),
        output_field=AMOUNT,
    )
    of_session = Payment.objects.live().filter(session=OuterRef("pk")).order_by().values("session")
    sums = Subquery(of_session.annotate(sum=Sum(amount)).values("sum"), output_field=AMOUNT)
    return Coalesce(sums, Value(Decimal(0)), output_field=AMOUNT)
