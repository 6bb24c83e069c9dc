"""How an amount is divided to the cent, and the days and steps of a report: values in, values out."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.money import CENT
from sessions_app.reports import periods
from sessions_app.reports.periods import Period, Step
from sessions_app.reports.shares import split

amounts = st.decimals("-9999999999.99", "9999999999.99", places=2)
prices = st.dictionaries(st.integers(0, 9), st.decimals("0", "99999999.99", places=2), min_size=1, max_size=8)
days = st.dates(date(2000, 1, 1), date(2199, 12, 31))


# -- shares ------------------------------------------------------------------------------------------------------------


@given(amounts, prices)
def test_shares_add_up_to_the_amount_and_none_goes_the_other_way(amount, sold):
    shares = split(amount, sold)
    assert sum(shares.values()) == amount and set(shares) == set(sold)
    assert all(share * amount >= 0 and share == share.quantize(CENT) for share in shares.values())


@given(amounts, prices)
def test_each_share_is_less_than_a_cent_from_the_exact_one(amount, sold):
    whole = sum(sold.values())
    if whole:
        shares = split(amount, sold)
        assert all(abs(shares[key] * whole - amount * price) < CENT * whole for key, price in sold.items())


@given(amounts, prices)
def test_what_is_taken_out_takes_back_what_was_put_in(amount, sold):
    put, taken = split(amount, sold), split(-amount, sold)
    assert all(put[key] + taken[key] == 0 for key in sold)


@given(amounts, st.integers(1, 8))
def test_things_without_a_price_share_alike_to_a_cent(amount, count):
    shares = split(amount, dict.fromkeys(range(count), Decimal(0))).values()
    assert max(shares) - min(shares) <= CENT and sum(shares) == amount


def test_the_cents_that_are_left_go_to_those_that_lost_most_then_to_the_first():
    assert split(Decimal("100.00"), {"a": Decimal(1), "b": Decimal(1), "c": Decimal(1)}) == {
        "a": Decimal("33.34"),
        "b": Decimal("33.33"),
        "c": Decimal("33.33"),
    }
    assert split(Decimal("0.01"), {"a": Decimal(1), "b": Decimal(2)}) == {"a": Decimal(0), "b": Decimal("0.01")}


@pytest.mark.parametrize("sold", [{}, {"a": Decimal(-1)}, {"a": Decimal(2), "b": Decimal("-0.01")}])
def test_nothing_sold_and_negative_prices_cannot_be_divided_among(sold):
    with pytest.raises(ValueError, match="sold"):
        split(Decimal(1), sold)


# -- periods -----------------------------------------------------------------------------------------------------------


@given(days, st.integers(1, periods.LONGEST_DAYS))
def test_steps_cover_the_period_once_and_are_31_at_most(first, length):
    period = Period(first, first + timedelta(days=length - 1))
    steps = list(period.steps())
    assert steps[0].first == period.first and steps[-1].last == period.last and len(steps) <= 31
    assert all(after.first == before.last + timedelta(days=1) for before, after in zip(steps, steps[1:], strict=False))
    for step in steps:
        assert period.step_of(step.first) == period.step_of(step.last) == step.first


@given(days)
def test_named_periods_hold_the_day_or_end_before_it(today):
    month, before, year, twelve = (
        each(today) for each in (periods.this_month, periods.last_month, periods.this_year, periods.last_12_months)
    )
    assert month.first <= today <= month.last and (month.first.day, (month.last + timedelta(days=1)).day) == (1, 1)
    assert before.last == month.first - timedelta(days=1) and before.first.day == 1 and before.days <= 31
    assert year.first <= month.first and month.last <= year.last and len(list(year.steps())) == 12
    assert twelve.last == month.last and len(list(twelve.steps())) == 12


@pytest.mark.parametrize(
    ("last", "step"),
    [
        (date(2026, 1, 1), Step.DAY),
        (date(2026, 1, 31), Step.DAY),
        (date(2026, 2, 1), Step.WEEK),
        (date(2026, 7, 2), Step.WEEK),
        (date(2026, 7, 3), Step.MONTH),
    ],
)
def test_the_step_goes_by_the_length(last, step):
    assert Period(date(2026, 1, 1), last).step == step


def test_weeks_begin_on_monday_and_are_cut_to_the_period():
    steps = [(each.first.day, each.last.day) for each in Period(date(2026, 3, 4), date(2026, 4, 6)).steps()]
    assert steps == [(4, 8), (9, 15), (16, 22), (23, 29), (30, 5), (6, 6)]
