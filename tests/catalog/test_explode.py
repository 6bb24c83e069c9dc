"""Packages become lines with copied values (business rules 6.1, 6.2; D22). Pure, but for the last."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.explode import CatalogueItem, explode, package_discount, single
from tests.factories.domain import ItemFactory, PackageFactory

ALBUM = CatalogueItem(7, "ALB", "Album 20 x 30", "Forty pages", Decimal("450.00"))
PHOTO = CatalogueItem(8, "DIG", "Digital photo", "", Decimal("12.50"))


def test_package_becomes_one_line_for_each_item():
    """Business rules 6.1, step 2, field by field."""
    first, second = explode(3, [(ALBUM, 1), (PHOTO, 20)])
    assert (first.line_type, first.reference_type, first.reference_id) == ("Item", "Package", 3)
    assert (first.item_code, first.item_name, first.item_description) == ("ALB", "Album 20 x 30", "Forty pages")
    assert (first.quantity, first.unit_price, first.line_subtotal) == (1, Decimal("450.00"), Decimal("450.00"))
    assert (second.item_code, second.quantity, second.line_subtotal) == ("DIG", 20, Decimal("250.00"))


def test_item_on_its_own_refers_to_itself():
    """Business rules 6.2."""
    line = single(PHOTO, 3)
    assert (line.line_type, line.reference_type, line.reference_id) == ("Item", "Item", 8)
    assert line.line_subtotal == Decimal("37.50")


def test_several_packages_multiply_the_quantities():
    assert [line.quantity for line in explode(3, [(ALBUM, 1), (PHOTO, 20)], times=3)] == [3, 60]


def test_lines_keep_the_order_of_the_package():
    assert [line.item_code for line in explode(3, [(PHOTO, 1), (ALBUM, 1)])] == ["DIG", "ALB"]


@pytest.mark.parametrize(
    ("content", "times"), [([], 1), ([(ALBUM, 1)], 0), ([(ALBUM, 1)], -1), ([(ALBUM, 0)], 1), ([(ALBUM, -2)], 1)]
)
def test_package_that_sells_nothing_is_refused(content, times):
    with pytest.raises(ValueError):
        explode(3, content, times)


@pytest.mark.parametrize(
    ("base_price", "times", "saved"),
    [
        ("700.00", 1, "0.00"),  # just what the items cost
        ("600.00", 1, "100.00"),
        ("900.00", 1, "0.00"),  # dearer than its items: no discount, and no surcharge
        ("600.00", 2, "200.00"),
        ("0.00", 1, "700.00"),
    ],
)
def test_package_price_below_its_items_is_a_discount(base_price, times, saved):
    """D22."""
    lines = explode(3, [(ALBUM, 1), (PHOTO, 20)], times)
    assert package_discount(Decimal(base_price), lines, times) == Decimal(saved)


prices = st.decimals(min_value=0, max_value=100_000, places=2)


@given(
    content=st.lists(st.tuples(prices, st.integers(1, 500)), min_size=1, max_size=8),
    times=st.integers(1, 20),
    base=prices,
)
def test_explosion_sells_exactly_what_the_package_holds(content, times, base):
    items = [(CatalogueItem(n, f"I{n}", f"Item {n}", "", price), many) for n, (price, many) in enumerate(content)]
    lines = explode(1, items, times)
    worth = sum((price * many for price, many in content), Decimal(0)) * times
    assert sum(line.line_subtotal for line in lines) == worth
    assert 0 <= package_discount(base, lines, times) <= worth


@pytest.mark.django_db
def test_package_of_the_catalogue_explodes_at_the_prices_of_today():
    album, photo = ItemFactory(unit_price=Decimal("450.00")), ItemFactory(unit_price=Decimal("10.00"))
    package = PackageFactory(content=[(album, 1), (photo, 20)])
    before = package.lines()
    photo.unit_price = Decimal("11.00")
    photo.save()
    assert [line.line_subtotal for line in before] == [Decimal("450.00"), Decimal("200.00")]
    assert [line.line_subtotal for line in package.lines()] == [Decimal("450.00"), Decimal("220.00")]
