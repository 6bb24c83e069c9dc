"""Commissions as pure rules: whose rate, how much, and what corrects them (D27)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.commissions import Rate, commission, correction, rate_of, shortfall

CENTS = st.decimals(min_value=0, max_value=100_000, places=2)
RATES = st.decimals(min_value=0, max_value=1, places=3)
D = Decimal


@pytest.mark.parametrize(
    ("override", "own", "default", "expected"),
    [
        ("0.55", "0.4", "0.5", ("0.55", "Session")),
        (None, "0.4", "0.5", ("0.4", "Person")),
        (None, None, "0.5", ("0.5", "Default")),
        (None, None, None, None),
        ("0", "0.4", "0.5", ("0", "Session")),
        (None, "0", "0.5", ("0", "Person")),
    ],
)
def test_the_nearest_rate_counts_and_zero_is_one(override, own, default, expected):
    given_rates = [None if each is None else D(each) for each in (override, own)]
    found = rate_of(*given_rates, default=None if default is None else D(default))
    assert found == (None if expected is None else Rate(D(expected[0]), expected[1]))


def test_the_share_is_rounded_half_up_and_for_corrections_half_away_from_zero():
    assert commission(D("0.05"), D("0.5")) == D("0.03")
    assert commission(D("-0.05"), D("0.5")) == D("-0.03")
    assert commission(D("0.00"), D("0.5")) == D("0.00")


@pytest.mark.parametrize(
    ("net_before", "net_after", "corrected", "expected"),
    [
        ("1000", "600", "0", "-400"),  # voided or paid back
        ("1000", "1000", "0", "0"),
        ("1200", "1000", "0", "0"),  # an excess over the price is not the commission's business
        ("1200", "900", "0", "-100"),
        ("500", "1000", "0", "0"),  # the balance, paid after the delivery
        ("600", "1000", "-400", "400"),  # entered again after the void
        ("600", "1000", "-100", "100"),
    ],
)
def test_what_an_act_on_the_money_corrects(net_before, net_after, corrected, expected):
    price = D("1000")
    missing = (shortfall(price, D(net_before)), shortfall(price, D(net_after)))
    assert correction(*missing, D(corrected)) == D(expected)


@given(price=CENTS, start=CENTS, acts=st.lists(CENTS, max_size=20))
def test_corrections_never_exceed_the_price_and_never_add_to_it(price, start, acts):
    corrected, net = D(0), start
    for after in acts:
        base = correction(shortfall(price, net), shortfall(price, after), corrected)
        corrected, net = corrected + base, after
        assert -price <= corrected <= 0
