"""The only writer of commissions: lines are added, never changed, and statements pay them (D27; ADR 12).

The callers have asked for permission, and who earns or corrects holds the lock of the session row.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from payments import commissions, ledger, money, till
from payments.commissions import Rate
from payments.models import CommissionLine, CommissionStatement, Payment, PaymentMethod
from payments.models.commission import CommissionKind
from studio import audit
from studio.conf import STUDIO
from studio.errors import InvalidInput

if TYPE_CHECKING:
    from studio.models import User


def earn(
    session_id: int, person: "User", *, base: Decimal, rate: Rate, by: "User | None", now: datetime
) -> CommissionLine:
    """Fix what the person earns with a session, once: base x rate, whatever the rates are later (D27)."""
    return CommissionLine.objects.create(
        session_id=session_id,
        person=person,
        kind=CommissionKind.EARNED,
        base=base,
        rate=rate.value,
        rate_source=rate.source,
        amount=commissions.commission(base, rate.value),
        earned_on=_day(now),
        created_at=now,
        created_by=by,
    )


def correct(
    session_id: int,
    *,
    price: Decimal,
    net_before: Decimal,
    net_after: Decimal,
    payment: Payment,
    reason: str,
    by: "User",
    now: datetime,
) -> list[CommissionLine]:
    """Follow the money of a completed session with lines of their own: the ones that were written stand.

    One for each person who earned with it, at the rate that was fixed. Empty when nothing is to be corrected.
    """
    missing = [commissions.shortfall(price, net) for net in (net_before, net_after)]
    written = []
    for earned in CommissionLine.objects.filter(session_id=session_id, kind=CommissionKind.EARNED).order_by("person"):
        lines = CommissionLine.objects.filter(session_id=session_id, person_id=earned.person_id)
        corrected = lines.filter(kind=CommissionKind.CORRECTION).aggregate(base=Sum("base"))["base"] or money.ZERO
        base = commissions.correction(*missing, corrected)
        if base:
            written.append(
                CommissionLine.objects.create(
                    session_id=session_id,
                    person_id=earned.person_id,
                    kind=CommissionKind.CORRECTION,
                    base=base,
                    rate=earned.rate,
                    rate_source=earned.rate_source,
                    amount=commissions.commission(base, earned.rate),
                    reason=reason,
                    payment=payment,
                    earned_on=_day(now),
                    created_at=now,
                    created_by=by,
                )
            )
    return written


def unpaid(person: "User", last_day: date) -> QuerySet[CommissionLine]:
    """The lines up to a day, this one included, that are on no statement yet; the oldest first."""
    rows = CommissionLine.objects.filter(person=person, statement__isnull=True, earned_on__lte=last_day)
    return rows.order_by("earned_on", "pk")


def pay_statement(
    person: "User",
    *,
    last_day: date,
    expected: Decimal,
    method: str,
    document_number: str,
    by: "User",
    now: datetime,
    notes: str = "",
    lines: int | None = None,
) -> CommissionStatement:
    """Pay what the person has earned up to ``last_day`` and was not paid yet: the statement freezes with its lines.

    ``expected`` is the total that was on the screen and ``lines`` how many there were. The caller's transaction. Raises
    ``InvalidInput`` for a day ahead, when a figure came in or was paid meanwhile, when nothing is left to pay or the
    corrections exceed what was earned, and for a bad method or no document.
    """
    if last_day > _day(now):
        raise InvalidInput(_("A statement ends today or before."), field="last_day", details={"failed": ["day_ahead"]})
    found = list(unpaid(person, last_day).select_for_update(no_key=True))
    total = sum((line.amount for line in found), money.ZERO)
    _refuse_other_figures(found, total, expected=expected, lines=lines)
    if method not in PaymentMethod.values:
        raise InvalidInput(_("Choose cash, card or transfer."), field="method", details={"method": method})
    ledger.refuse_no_document(document_number)
    statement = CommissionStatement.objects.create(
        person=person,
        first_day=found[0].earned_on,
        last_day=last_day,
        total=total,
        paid_at=till.moment_after_closing(now),
        paid_by=by,
        payment_method=method,
        document_number=document_number.strip(),
        notes=notes.strip(),
    )
    CommissionLine.objects.filter(pk__in=[line.pk for line in found]).update(statement=statement)
    audit.record(
        "commission_paid",
        by=by,
        about=statement,
        person=person,
        amount=str(total),
        lines=len(found),
        method=method,
        document_number=statement.document_number,
    )
    return statement


def with_document(document_number: str) -> list[CommissionStatement]:
    """The latest statements that were paid with this document number, three at most, with their person.

    As it was typed, in capitals or in small letters.
    """
    text = document_number.strip()
    if not text:
        return []
    rows = CommissionStatement.objects.filter(document_number__in={text, text.upper(), text.lower()})
    return list(rows.select_related("person").order_by("-pk")[:3])


def _refuse_other_figures(found: list[CommissionLine], total: Decimal, *, expected: Decimal, lines: int | None) -> None:
    """What is paid is what was looked at, and more than nothing.

    Lines are added and never taken away: as many lines with the same total are the same lines.
    """
    if found and (total != expected or lines not in (None, len(found))):
        raise InvalidInput(
            _("The figures changed meanwhile: look at them again."),
            details={"failed": ["changed_meanwhile"], "total": str(total), "expected": str(expected)},
        )
    if total < 0:
        raise InvalidInput(
            _("Corrections exceed what was earned: these lines stay open until more is earned."),
            details={"failed": ["below_zero"], "total": str(total)},
        )
    if not total:
        raise InvalidInput(_("There is nothing to pay up to this day."), details={"failed": ["nothing_to_pay"]})


def _day(now: datetime) -> date:
    return now.astimezone(STUDIO.zone).date()
