"""Amounts, totals, deposits and balances as pure arithmetic (business rules 5; D13, D17, D19, D20, D32).

Every amount is a ``Decimal`` in the studio's currency with two places, rounded half up, once, where it is made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
LARGEST = Decimal("9999999999.99")

DEPOSIT, BALANCE, REFUND = "Deposit", "Balance", "Refund"
PENDING, VERIFIED, REJECTED = "Pending", "Verified", "Rejected"


def quantise(amount: Decimal) -> Decimal:
    """Two places, half up (D17). Raises ``ValueError`` for NaN and infinities."""
    if not amount.is_finite():
        raise ValueError("an amount is a finite number")
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def is_exact(amount: Decimal) -> bool:
    """Whether a column of money can hold the amount as it is: a number, two places at most, twelve digits."""
    return amount.is_finite() and abs(amount) <= LARGEST and amount == quantise(amount)


def percentage_of(amount: Decimal, percentage: Decimal | int) -> Decimal:
    return quantise(amount * Decimal(percentage) / 100)


def total(subtotal: Decimal, transportation_cost: Decimal, discount: Decimal) -> Decimal:
    """``subtotal + transportation_cost - discount`` (business rules 5.2).

    Raises ``ValueError`` when a part is negative or the discount is larger than what it is taken from.
    """
    if min(subtotal, transportation_cost, discount) < 0:
        raise ValueError("no part of a total is negative")
    result = quantise(subtotal + transportation_cost - discount)
    if result < 0:
        raise ValueError("the discount is larger than the price")
    return result


def deposit_amount(total: Decimal, deposit_percentage: Decimal | int) -> Decimal:
    """``total x (deposit_percentage / 100)`` (business rules 5.1)."""
    return percentage_of(total, deposit_percentage)


@dataclass(frozen=True, slots=True)
class Entry:
    """A payment as far as arithmetic needs it; voided payments are not passed in."""

    payment_type: str
    payment_status: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """Where a session stands. Only verified payments count; the pending ones are shown beside them (D19)."""

    total: Decimal
    total_paid: Decimal
    total_refunded: Decimal
    pending_in: Decimal
    pending_refunds: Decimal
    refund_owed: Decimal

    @property
    def net_paid(self) -> Decimal:
        return self.total_paid - self.total_refunded

    @property
    def remaining_balance(self) -> Decimal:
        """Business rules 5.3; below zero when the client has paid more than the total now is (D32)."""
        return self.total - self.net_paid

    @property
    def still_to_pay(self) -> Decimal:
        return max(ZERO, self.remaining_balance)

    @property
    def room_for_payment(self) -> Decimal:
        """The largest payment that may still be registered: what is waiting to be verified is spoken for."""
        return max(ZERO, self.total - self.net_paid - self.pending_in)


def account(total: Decimal, entries: Iterable[Entry], *, kept: Decimal | None = None) -> Account:
    """Add the live payments of one session up (business rules 5.3).

    Whatever was paid above what the studio may keep is owed back (D32): above the total, or of a cancelled session
    above ``kept``, which is what the refund rules left it. So money that arrives after the cancellation is owed. A
    pending refund is a part of that difference, not an addition to it.
    """
    sums: dict[tuple[str, str], Decimal] = {}
    for entry in entries:
        key = (entry.payment_type, entry.payment_status)
        sums[key] = sums.get(key, ZERO) + entry.amount
    paid = sums.get((DEPOSIT, VERIFIED), ZERO) + sums.get((BALANCE, VERIFIED), ZERO)
    refunded = sums.get((REFUND, VERIFIED), ZERO)
    pending_refunds = sums.get((REFUND, PENDING), ZERO)
    excess = max(ZERO, paid - refunded - (total if kept is None else kept))
    return Account(
        total=total,
        total_paid=paid,
        total_refunded=refunded,
        pending_in=sums.get((DEPOSIT, PENDING), ZERO) + sums.get((BALANCE, PENDING), ZERO),
        pending_refunds=pending_refunds,
        refund_owed=max(pending_refunds, excess),
    )


@dataclass(frozen=True, slots=True)
class Split:
    deposit: Decimal
    balance: Decimal


def split_deposit(amount: Decimal, deposit_due: Decimal) -> Split:
    """A payment that is more than the deposit becomes the deposit and a balance payment (business rules 10.1 A; D20).

    ``deposit_due`` is what is still missing to the deposit; nothing missing makes the whole amount a balance payment.
    """
    deposit = min(amount, max(ZERO, deposit_due))
    return Split(deposit, amount - deposit)
