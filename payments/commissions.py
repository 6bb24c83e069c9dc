"""What a commission is: base x rate, with the origin of each (D27). Pure."""

from dataclasses import dataclass
from decimal import Decimal

from payments.money import ZERO, quantise

DEFAULT_RATE = Decimal("0.5")
"""An artist without a rate of their own gets one half (tattoo service, complete_session)."""

SESSION, PERSON, DEFAULT = "Session", "Person", "Default"


@dataclass(frozen=True, slots=True)
class Rate:
    value: Decimal
    source: str


def rate_of(override: Decimal | None, own: Decimal | None, *, default: Decimal | None = None) -> Rate | None:
    """The rate that counts: the session's override, else the person's own, else ``default``; None when there is none.

    Zero is a rate, not a missing one.
    """
    for value, source in ((override, SESSION), (own, PERSON), (default, DEFAULT)):
        if value is not None:
            return Rate(value, source)
    return None


def commission(base: Decimal, rate: Decimal) -> Decimal:
    """The share of ``base``, to the cent, half up; of a correction, whose base is below zero, half away from zero."""
    return quantise(base * rate)


def lost(amount: Decimal, base: Decimal) -> Decimal:
    """How much of the base a returned or voided amount takes away: never more than is left of it."""
    return min(amount, max(base, ZERO))


def regained(amount: Decimal, voided: Decimal) -> Decimal:
    """How much a payment that arrives after the completion gives back of what voids have taken away."""
    return min(amount, max(voided, ZERO))
