"""How an amount is read: the same in every language, and never in one of two ways (D17)."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from studio.fields import AmountField


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("1250", "1250.00"),
        ("1250.5", "1250.50"),
        ("1250,5", "1250.50"),
        ("1,250.00", "1250.00"),
        ("1.250,00", "1250.00"),
        ("Q 1,250.00", "1250.00"),
        ("Q\N{NO-BREAK SPACE}1,250.00", "1250.00"),
        ("Q1250", "1250.00"),
        ("1,250", "1250.00"),
        ("1 250", "1250.00"),
        ("1\N{NARROW NO-BREAK SPACE}250,75", "1250.75"),
        ("1,250,000.10", "1250000.10"),
        ("1.250.000", "1250000.00"),
        ("  7 ", "7.00"),
        (".5", "0.50"),
        ("0,05", "0.05"),
        ("007", "7.00"),
        ("9999999999.99", "9999999999.99"),
    ],
)
def test_amounts_are_read_as_people_write_them(language, typed, amount):
    with translation.override(language):
        assert AmountField().clean(typed) == Decimal(amount)


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("typed", ["1.250", "12.345", "0.005", "1.005", "0,250", "1,250,00", "1.250.00", "10.001"])
def test_what_can_be_read_in_two_ways_is_refused_with_a_sentence(language, typed):
    with translation.override(language), pytest.raises(ValidationError) as refused:
        AmountField().clean(typed)
    assert refused.value.code == "ambiguous"


@pytest.mark.parametrize(
    "typed",
    [
        *("0", "0.00", "-1", "-0.01", "NaN", "Infinity", "-inf", "1e3", "1e999", "1E-2", "0x10", "1_000", "+5"),
        *("9" * 40, "9" * 13, "10000000000.00", "0." + "0" * 40 + "1", "1" + ",000" * 20),
        *("١٢٥٠", "１２５０", "१२", "Ⅻ", "½", "1\x00", "\x00", "12 34", "1 2", "1,2,3", "1,25,000", "1..5", "5.", "-"),
        *("Q", " ", "", "Q Q 5", "5 Q", "ten", "<b>1</b>", "1;2", "−5"),
    ],
)
def test_what_is_no_amount_is_refused(typed):
    with pytest.raises(ValidationError):
        AmountField().clean(typed)
