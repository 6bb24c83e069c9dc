"""Turn a package into the lines that are sold (business rules 6.1, 6.2; D22).

Pure: values in, values out. The lines carry copies of code, name, description and price, so that a later change of the
catalogue never changes what a client was sold.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

ITEM_LINE = "Item"


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """What the catalogue says of an item at the moment of the sale. ``unit_price`` in the studio's currency."""

    id: int
    code: str
    name: str
    description: str
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One line to be sold, ready to be written as a session detail."""

    reference_type: Literal["Package", "Item"]
    reference_id: int
    item_code: str
    item_name: str
    item_description: str
    quantity: int
    unit_price: Decimal
    line_type: str = ITEM_LINE

    @property
    def line_subtotal(self) -> Decimal:
        return self.unit_price * self.quantity


def explode(package_id: int, content: Iterable[tuple[CatalogueItem, int]], times: int = 1) -> list[Line]:
    """The lines of ``times`` packages (business rules 6.1).

    ``content`` is the package's (item, quantity in one package) pairs, in their order. Raises ``ValueError`` for a
    package without items and for a number below one: a package that sells nothing is a mistake in the catalogue.
    """
    if times < 1:
        raise ValueError("a package is sold at least once")
    lines = [_line("Package", package_id, item, quantity * times) for item, quantity in content]
    if not lines:
        raise ValueError("the package has no items")
    return lines


def single(item: CatalogueItem, quantity: int) -> Line:
    """The line of an item that is sold on its own (business rules 6.2). Raises ``ValueError`` below one."""
    return _line("Item", item.id, item, quantity)


def package_discount(base_price: Decimal, lines: Iterable[Line], times: int = 1) -> Decimal:
    """What the package price saves against its items' prices, never below zero (D22)."""
    return max(Decimal("0.00"), sum((line.line_subtotal for line in lines), Decimal("0.00")) - base_price * times)


def _line(kind: Literal["Package", "Item"], reference: int, item: CatalogueItem, quantity: int) -> Line:
    if quantity < 1:
        raise ValueError("a quantity is at least one")
    return Line(kind, reference, item.code, item.name, item.description, quantity, item.unit_price)
