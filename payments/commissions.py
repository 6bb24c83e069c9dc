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


def shortfall(price: Decimal, net_paid: Decimal) -> Decimal:
    """What is missing to the price; paying too much makes it no less than nothing."""
    return max(ZERO, price - net_paid)


def correction(missing_before: Decimal, missing_after: Decimal, corrected: Decimal) -> Decimal:
    """The base of the line that an act on the money of a completed session calls for; zero for none.

    What is missing more than before was returned or voided: it goes off. What is missing less was paid: it comes back
    on, as far as earlier corrections (``corrected``, the sum of their bases, zero or below) took it off. So the
    balance that a client pays after the delivery earns nothing twice, and an entry that is voided and made again
    leaves the commission where it was.
    """
    arrived = missing_before - missing_after
    return arrived if arrived < 0 else min(arrived, -corrected)
