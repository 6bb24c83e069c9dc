"""What an Admin does to the catalogue: add and change items and packages (permissions: item.*, package.*).

Records are deactivated, never deleted, and a change never reaches what was sold before (business rules 6.1). A price
that changes is written to the audit log with both figures.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import CatalogueRecord, Item, Package, PackageItem
from studio import audit
from studio.access import require
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User

LARGEST_QUANTITY = 100_000
CODES = {
    "item_code_unique": gettext_lazy("Another item has this code."),
    "package_code_unique": gettext_lazy("Another package has this code."),
}

Content = Sequence[tuple[Item, int]]


def add_item(*, by: "User", **values: Any) -> Item:
    """A new item. Raises ``InvalidInput`` when its code is taken."""
    with audit.act():
        require(by, Perm.ITEM_CREATE)
        item = Item(**values)
        _save(item)
    return item


def change_item(item: Item, *, by: "User", **values: Any) -> Item:
    """Other words, another price from now on, or not sold any more (``active=False``)."""
    with audit.act():
        require(by, Perm.ITEM_EDIT)
        locked = _locked(Item, item.pk)
        _require_may_deactivate(locked, values, by, Perm.ITEM_DELETE)
        _record_price(locked, "unit_price", values, by)
        _take(locked, values)
        _save(locked)
    return locked


def add_package(*, content: Content, by: "User", **values: Any) -> Package:
    """A new package with its items in their order.

    Raises ``InvalidInput`` for no items, an item twice, a quantity out of bounds, an item that is not sold any more.
    """
    with audit.act():
        require(by, Perm.PACKAGE_CREATE)
        _refuse_bad_content(content, ())
        package = Package(**values)
        _save(package)
        _write_content(package, content)
    return package


def change_package(package: Package, *, content: Content, by: "User", **values: Any) -> Package:
    """As ``add_package``; what was sold as this package before stays as it was sold."""
    with audit.act():
        require(by, Perm.PACKAGE_EDIT)
        locked = _locked(Package, package.pk)
        _require_may_deactivate(locked, values, by, Perm.PACKAGE_DELETE)
        _refuse_bad_content(content, locked.content.values_list("item_id", flat=True))
        _record_price(locked, "base_price", values, by)
        _take(locked, values)
        _save(locked)
        _write_content(locked, content)
    return locked


def _locked(model: type[CatalogueRecord], pk: int) -> Any:
    found = model.objects.select_for_update().filter(pk=pk).first()
    if found is None:
        raise NotFound
    return found


def _require_may_deactivate(record: CatalogueRecord, values: dict[str, Any], by: "User", perm: Perm) -> None:
    """Taking something off the catalogue is what deleting is elsewhere."""
    if record.active and values.get("active") is False:
        require(by, perm)


def _record_price(record: CatalogueRecord, name: str, values: dict[str, Any], by: "User") -> None:
    old, new = getattr(record, name), values.get(name)
    if new is not None and Decimal(new) != old:
        audit.record("price_changed", by=by, about=record, old=str(old), new=str(new))


def _take(record: CatalogueRecord, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(record, name, value)


def _save(record: CatalogueRecord) -> None:
    record.clean()
    with _code_is_free():
        record.save()


@contextmanager
def _code_is_free() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as taken:
        for name, sentence in CODES.items():
            if name in str(taken):
                raise InvalidInput(str(sentence), field="code") from taken
        raise


def _refuse_bad_content(content: Content, present: Iterable[int]) -> None:
    """A package that sells nothing is a mistake; so is an item twice, or one that is not sold any more."""
    if not content:
        raise InvalidInput(_("A package needs at least one item."), details={"failed": ["no_items"]})
    known, seen = set(present), set()
    for item, quantity in content:
        if item.pk in seen:
            raise InvalidInput(
                _("%(item)s is in the package twice: write one row with the whole quantity.") % {"item": item.name},
                details={"failed": ["item_twice"], "item": item.code},
            )
        seen.add(item.pk)
        if not 1 <= quantity <= LARGEST_QUANTITY:
            raise InvalidInput(
                _("A quantity is a whole number from 1 to %(largest)d.") % {"largest": LARGEST_QUANTITY},
                details={"failed": ["quantity"], "item": item.code},
            )
        if not item.active and item.pk not in known:
            raise InvalidInput(
                _("%(item)s is not sold any more.") % {"item": item.name},
                details={"failed": ["item_inactive"], "item": item.code},
            )


def _write_content(package: Package, content: Content) -> None:
    """The rows as they are now: what stayed keeps its row."""
    wanted = {item.pk: (order, quantity) for order, (item, quantity) in enumerate(content)}
    package.content.exclude(item_id__in=wanted).delete()
    present = {row.item_id: row for row in package.content.all()}
    for item_id, (order, quantity) in wanted.items():
        row = present.get(item_id) or PackageItem(package=package, item_id=item_id)
        row.quantity, row.display_order = quantity, order
        row.save()
