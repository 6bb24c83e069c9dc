"""Amounts, deposits, splits and accounts (business rules 5, 10.1; D13, D17, D19, D20, D32). Pure: no database."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments import money
from payments.money import Entry, account, deposit_amount, percentage_of, quantise, split_deposit, total

D = Decimal


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        ("0.005", "0.01"),
        ("0.004999", "0.00"),
        ("1.015", "1.02"),
        ("1.025", "1.03"),  # half up, not to the even neighbour
        ("-0.005", "-0.01"),
        ("100", "100.00"),
        ("12345678.994", "12345678.99"),
    ],
)
def test_amounts_have_two_places_half_up(amount, rounded):
    """D17."""
    assert str(quantise(D(amount))) == rounded


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(odd):
    with pytest.raises(ValueError, match="finite"):
        quantise(D(odd))


@pytest.mark.parametrize(
    ("whole", "percentage", "deposit"),
    [
        ("1000.00", 50, "500.00"),
        ("1000.01", 50, "500.01"),  # 500.005
        ("999.99", 50, "500.00"),  # 499.995
        ("0.01", 50, "0.01"),
        ("100.00", 33, "33.00"),
        ("100.01", 33, "33.00"),  # 33.0033
        ("1234.56", 0, "0.00"),
        ("1234.56", 100, "1234.56"),
        ("0.00", 50, "0.00"),
    ],
)
def test_deposit_is_its_percentage_of_the_total(whole, percentage, deposit):
    """Business rules 5.1."""
    assert str(deposit_amount(D(whole), percentage)) == deposit


@pytest.mark.parametrize(
    ("subtotal", "transport", "discount", "expected"),
    [
        ("1000.00", "0.00", "0.00", "1000.00"),
        ("1000.00", "200.00", "0.00", "1200.00"),
        ("1000.00", "200.00", "150.50", "1049.50"),
        ("1000.00", "0.00", "1000.00", "0.00"),
        ("0.00", "200.00", "200.00", "0.00"),
        ("0.00", "0.00", "0.00", "0.00"),
    ],
)
def test_total_is_subtotal_and_transportation_less_discount(subtotal, transport, discount, expected):
    """Business rules 5.2."""
    assert str(total(D(subtotal), D(transport), D(discount))) == expected


@pytest.mark.parametrize(
    "parts",
    [
        ("100.00", "0.00", "100.01"),
        ("-0.01", "0.00", "0.00"),
        ("100.00", "-0.01", "0.00"),
        ("100.00", "0.00", "-0.01"),
    ],
)
def test_total_is_never_negative_nor_any_part_of_it(parts):
    with pytest.raises(ValueError):
        total(*map(D, parts))


@pytest.mark.parametrize(
    ("amount", "due", "deposit", "balance"),
    [
        ("500.00", "500.00", "500.00", "0.00"),
        ("500.01", "500.00", "500.00", "0.01"),
        ("1000.00", "500.00", "500.00", "500.00"),
        ("499.99", "500.00", "499.99", "0.00"),  # too little stays a deposit; confirming asks for the rest
        ("300.00", "0.00", "0", "300.00"),
        ("300.00", "-20.00", "0", "300.00"),
    ],
)
def test_overpaid_deposit_becomes_deposit_and_balance(amount, due, deposit, balance):
    """Business rules 10.1 A, D20."""
    split = split_deposit(D(amount), D(due))
    assert (split.deposit, split.balance) == (D(deposit), D(balance))


def entries(*rows: tuple[str, str, str]) -> list[Entry]:
    return [Entry(kind, status, D(amount)) for kind, status, amount in rows]


def figures(whole: str, *rows: tuple[str, str, str], kept: str | None = None) -> dict[str, str]:
    state = account(D(whole), entries(*rows), kept=None if kept is None else D(kept))
    names = ("total_paid", "total_refunded", "net_paid", "remaining_balance", "refund_owed", "room_for_payment")
    return {name: str(getattr(state, name)) for name in names}


def test_account_of_nothing():
    assert figures("1000.00") == {
        "total_paid": "0.00",
        "total_refunded": "0.00",
        "net_paid": "0.00",
        "remaining_balance": "1000.00",
        "refund_owed": "0.00",
        "room_for_payment": "1000.00",
    }


def test_only_verified_payments_count_and_pending_ones_take_room():
    """Business rules 5.3, D19: what waits to be verified is spoken for, and pays nothing yet."""
    state = figures(
        "1000.00", ("Deposit", "Verified", "500.00"), ("Balance", "Pending", "300.00"), ("Balance", "Rejected", "90.00")
    )
    assert (state["net_paid"], state["remaining_balance"], state["room_for_payment"]) == ("500.00", "500.00", "200.00")


def test_pending_refund_is_owed_and_does_not_change_what_was_paid():
    """D19."""
    state = figures("1000.00", ("Deposit", "Verified", "500.00"), ("Refund", "Pending", "500.00"), kept="0.00")
    assert (state["net_paid"], state["total_refunded"], state["refund_owed"]) == ("500.00", "0.00", "500.00")


def test_refund_that_was_paid_out_is_no_longer_owed():
    """D19."""
    state = figures("1000.00", ("Deposit", "Verified", "500.00"), ("Refund", "Verified", "250.00"), kept="250.00")
    assert (state["net_paid"], state["total_refunded"], state["refund_owed"]) == ("250.00", "250.00", "0.00")


def test_canceled_session_keeps_what_the_rules_left_it():
    """D18: no more is owed than the rules say, whatever the total is; what arrives afterwards is owed whole (D19)."""
    assert figures("1000.00", ("Deposit", "Verified", "500.00"), kept="500.00")["refund_owed"] == "0.00"
    late = ("Balance", "Verified", "300.00")
    assert figures("1000.00", ("Deposit", "Verified", "500.00"), late, kept="500.00")["refund_owed"] == "300.00"


@pytest.mark.parametrize("whole", ["400.00", "0.00"])
def test_total_below_what_was_paid_shows_as_owed(whole):
    """D13, D32: the balance goes below zero, and the client is owed the difference."""
    state = figures(whole, ("Deposit", "Verified", "500.00"))
    assert D(state["remaining_balance"]) == D(whole) - 500
    assert D(state["refund_owed"]) == 500 - D(whole)
    assert state["room_for_payment"] == "0.00"


@pytest.mark.parametrize(("promised", "owed"), [("40.00", "100.00"), ("100.00", "100.00")])
def test_pending_refund_is_a_part_of_the_difference_not_an_addition_to_it(promised, owed):
    """D32: 500.00 paid on a total of 400.00, some of the difference already written down."""
    state = figures("400.00", ("Deposit", "Verified", "500.00"), ("Refund", "Pending", promised))
    assert state["refund_owed"] == owed


amounts = st.decimals(min_value=0, max_value=10_000_000, places=2)


@given(whole=amounts, percentage=st.integers(0, 100))
def test_deposit_lies_between_nothing_and_the_whole(whole, percentage):
    deposit = deposit_amount(whole, percentage)
    assert 0 <= deposit <= whole
    assert deposit == deposit.quantize(money.CENT)
    assert abs(deposit - whole * percentage / 100) <= D("0.005")


@given(whole=amounts, one=st.integers(0, 100), other=st.integers(0, 100))
def test_larger_percentage_is_never_less(whole, one, other):
    low, high = sorted((one, other))
    assert percentage_of(whole, low) <= percentage_of(whole, high)


@given(amount=amounts, due=st.decimals(min_value=-1000, max_value=10_000_000, places=2))
def test_split_loses_no_cent(amount, due):
    """D20: nothing is lost, nothing is negative, and the deposit is never more than what is due."""
    split = split_deposit(amount, due)
    assert split.deposit + split.balance == amount
    assert split.deposit >= 0
    assert split.balance >= 0
    assert split.deposit <= max(D(0), due)
    assert split.balance == 0 or split.deposit == max(D(0), due)


rows = st.lists(
    st.builds(
        Entry,
        st.sampled_from(["Deposit", "Balance", "Refund"]),
        st.sampled_from(["Pending", "Verified"]),
        st.decimals(min_value=D("0.01"), max_value=100_000, places=2),
    ),
    max_size=8,
)


@given(whole=amounts, rows=rows, kept=st.none() | amounts)
def test_account_adds_up_whatever_the_payments(whole, rows, kept):
    state = account(whole, rows, kept=kept)
    assert state.net_paid + state.remaining_balance == whole
    assert state.still_to_pay >= 0
    assert state.room_for_payment >= 0
    assert state.refund_owed >= state.pending_refunds
    assert state.refund_owed >= state.net_paid - (whole if kept is None else kept)
    assert account(whole, reversed(rows), kept=kept) == state
