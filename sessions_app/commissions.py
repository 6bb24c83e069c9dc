"""Commissions as people read them: sums of a period, lines with the origin of each figure (D27; ADR 12).

What a line shows depends on who reads it. The price of a session is the office's business, and of an appointment its
artist's as well; who shoots sees what they earn, whose rate it was and when, and no figure from which the price could
be worked out (permissions, Object level).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _

from payments import money
from payments.models import CommissionLine, CommissionStatement
from payments.models.commission import CommissionKind, RateSource
from sessions_app import workflow
from sessions_app.actions.commission import AGREED
from sessions_app.models import Session
from studio.access import allows
from studio.models import AuditEvent
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User

# The people of these sessions see what they cost; of any other one they do not.
WITH_AN_OPEN_PRICE = frozenset({workflow.APPOINTMENT})

_EARNED = Q(kind=CommissionKind.EARNED)
_PAID = Q(statement__isnull=False)


@dataclass(frozen=True, slots=True)
class Sums:
    """What some lines add up to: earned + corrected = paid + left to pay (``unpaid``)."""

    earned: Decimal = money.ZERO
    corrected: Decimal = money.ZERO
    paid: Decimal = money.ZERO
    unpaid: Decimal = money.ZERO
    before: Decimal = money.ZERO
    """What lines from before the period still leave to pay; in no other figure."""

    @property
    def total(self) -> Decimal:
        return self.earned + self.corrected


@dataclass(frozen=True, slots=True)
class Earner:
    """Somebody in the list of a period."""

    pk: int
    name: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Figure:
    """One line as one reader sees it. ``agreed`` is the line of the audit log that set the session's own rate."""

    line: CommissionLine
    may_open: bool
    shows_price: bool
    agreed: AuditEvent | None = None

    @property
    def session(self) -> Session:
        return self.line.session

    @property
    def title(self) -> str:
        return self.session.title if self.may_open else ""

    @property
    def url(self) -> str:
        return self.session.get_absolute_url() if self.may_open else ""

    @property
    def is_correction(self) -> bool:
        return self.line.kind == CommissionKind.CORRECTION

    @property
    def base(self) -> Decimal | None:
        return self.line.base if self.shows_price else None

    @property
    def rate(self) -> Decimal | None:
        return self.line.rate if self.shows_price else None

    @property
    def percent(self) -> str:
        return percent(self.line.rate) if self.shows_price else ""

    @property
    def origin(self) -> str:
        return self.line.get_rate_source_display()

    @property
    def is_own_rate(self) -> bool:
        """Whether the rate was agreed for this session, so that somebody has set it."""
        return self.line.rate_source == RateSource.SESSION

    @property
    def reason(self) -> str:
        """Why it was corrected; the office's words about a payment stay in the office."""
        if not self.is_correction:
            return ""
        return self.line.reason if self.shows_price else _("A payment of the session changed.")

    @property
    def cause(self):
        """The payment that made the correction necessary, for who may know of it."""
        return self.line.payment if self.shows_price else None


def percent(rate: Decimal) -> str:
    """``12.5 %``, with a space that does not break."""
    return f"{(rate * 100).normalize():f}\N{NO-BREAK SPACE}%"


def lines_of(person: "User", first_day: date | None = None, last_day: date | None = None) -> QuerySet[CommissionLine]:
    """The person's lines of these days, both included; the latest first."""
    rows = CommissionLine.objects.filter(person=person)
    if first_day is not None:
        rows = rows.filter(earned_on__gte=first_day)
    if last_day is not None:
        rows = rows.filter(earned_on__lte=last_day)
    return rows.order_by("-earned_on", "-pk")


def sums_of(person: "User", first_day: date | None, last_day: date) -> Sums:
    """What the person's lines of these days add up to, and what older ones leave to pay. One query."""
    rows = CommissionLine.objects.filter(person=person, earned_on__lte=last_day)
    return _sums(rows.aggregate(**_asked(first_day)))


def earners(first_day: date | None, last_day: date) -> QuerySet:
    """A row (``as_earner``) for each person who earned in these days or has older lines left to be paid; by name."""
    rows = CommissionLine.objects.filter(earned_on__lte=last_day)
    if first_day is not None:
        rows = rows.filter(Q(earned_on__gte=first_day) | ~_PAID)
    people = rows.order_by().values("person_id", "person__full_name").annotate(**_asked(first_day))
    return people.order_by("person__full_name", "person_id")


def sums_of_all(first_day: date | None, last_day: date) -> Sums:
    return _sums(CommissionLine.objects.filter(earned_on__lte=last_day).aggregate(**_asked(first_day)))


def as_earner(row: dict) -> Earner:
    return Earner(row["person_id"], row["person__full_name"], _sums(row))


def _asked(first_day: date | None) -> dict[str, Sum]:
    within = Q(earned_on__gte=first_day) if first_day is not None else Q(pk__isnull=False)
    return {
        "earned": Sum("amount", filter=within & _EARNED),
        "corrected": Sum("amount", filter=within & ~_EARNED),
        "paid": Sum("amount", filter=within & _PAID),
        "unpaid": Sum("amount", filter=within & ~_PAID),
        "before": Sum("amount", filter=~within & ~_PAID),
    }


def _sums(row: dict) -> Sums:
    return Sums(**{name: row[name] or money.ZERO for name in ("earned", "corrected", "paid", "unpaid", "before")})


def statements_of(person: "User") -> QuerySet[CommissionStatement]:
    return CommissionStatement.objects.filter(person=person).select_related("paid_by").order_by("-paid_at", "-pk")


def with_origins(lines: QuerySet[CommissionLine]) -> QuerySet[CommissionLine]:
    """The lines with all that ``figures_of`` looks at, in one query."""
    return lines.select_related("person", "session__client", "statement", "payment__receipt")


def figures_of(lines: Iterable[CommissionLine], reader: "User") -> list[Figure]:
    """The lines (``with_origins``) as ``reader`` sees them, in their order; two queries more for any number of them."""
    rows = list(lines)
    is_office = allows(reader, Perm.PAYMENT_REGISTER)
    sessions = {row.session_id for row in rows}
    visible = set(Session.objects.visible_to(reader).filter(pk__in=sessions).values_list("pk", flat=True))
    agreed = agreements(row.session_id for row in rows if row.rate_source == RateSource.SESSION)
    return [
        Figure(
            row,
            may_open=row.session_id in visible,
            shows_price=is_office or row.session.session_type in WITH_AN_OPEN_PRICE,
            agreed=_that_set(row.rate, agreed.get(row.session_id)),
        )
        for row in rows
    ]


def agreements(session_ids: Iterable[int]) -> dict[int, AuditEvent]:
    """Who last agreed a rate for each of these sessions, and when. One query."""
    wanted = {str(each) for each in session_ids}
    if not wanted:
        return {}
    rows = AuditEvent.objects.filter(event=AGREED, object_type=Session._meta.label_lower, object_id__in=wanted)
    return {int(row.object_id): row for row in rows.order_by("object_id", "-at", "-pk").distinct("object_id")}


def _that_set(rate: Decimal, event: AuditEvent | None) -> AuditEvent | None:
    """The event, if it set this rate: one that was written past the action has no author that we know of."""
    after = event.details.get("after") if event is not None else None
    return event if after is not None and Decimal(after) == rate else None


def agreement_of(session: Session) -> AuditEvent | None:
    """Who agreed the session's present rate, if it has one. One query."""
    if session.commission_override is None:
        return None
    return _that_set(session.commission_override, agreements([session.pk]).get(session.pk))
