"""How one amount of money is divided among several things that were sold, to the cent. Pure."""

from collections.abc import Hashable, Mapping
from decimal import Decimal
from typing import TypeVar

from payments import money

Key = TypeVar("Key", bound=Hashable)


def split(amount: Decimal, prices: Mapping[Key, Decimal]) -> dict[Key, Decimal]:
    """Divide ``amount`` in proportion to ``prices``, by largest remainder: the shares add up to it exactly.

    Each share is the exact one cut to whole cents; the cents that are left go one each to the shares that lost most,
    the first named ones first where they lost the same. So the same payment has the same shares in every report, and
    what is taken out (an amount below zero) takes back what was put in. Where nothing has a price all count alike.
    All of them have at most two places. Raises ``ValueError`` for a price below zero, or nothing to divide among.
    """
    if not prices or min(prices.values()) < 0:
        raise ValueError("something that was sold, at no price below zero")
    weights = {key: int(price / money.CENT) for key, price in prices.items()}
    if not any(weights.values()):
        weights = dict.fromkeys(prices, 1)
    whole, cents = sum(weights.values()), int(abs(amount) / money.CENT)
    shares = {key: divmod(cents * weight, whole) for key, weight in weights.items()}
    given = {key: share for key, (share, _rest) in shares.items()}
    lost_most = sorted(shares, key=lambda key: -shares[key][1])
    for key in lost_most[: cents - sum(given.values())]:
        given[key] += 1
    sign = -1 if amount < 0 else 1
    return {key: sign * share * money.CENT for key, share in given.items()}
