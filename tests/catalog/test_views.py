"""The catalogue's pages: everybody reads, Admins write, and bad input is a sentence."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog import editing
from catalog.models import Item, Package
from studio.errors import AccessDenied, InvalidInput
from studio.models import AuditEvent
from studio.roles import Role
from tests.factories.domain import ItemFactory, PackageFactory, person

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
ITEM = {
    "name": "Digital photo",
    "code": "fd-1",
    "item_type": "Digital Photo",
    "unit_price": "45.00",
    "unit_measure": "Unit",
}
PACKAGE = {
    "name": "Wedding",
    "code": "boda-1",
    "session_type": "External",
    "base_price": "1,000.00",
    "estimated_editing_days": "10",
}


def rows(*pairs, initial=0, **more):
    values = {"content-TOTAL_FORMS": str(len(pairs)), "content-INITIAL_FORMS": str(initial)}
    for index, (item, quantity) in enumerate(pairs):
        values[f"content-{index}-item"] = str(item.pk if isinstance(item, Item) else item)
        values[f"content-{index}-quantity"] = str(quantity)
    return values | more


@pytest.fixture
def admin():
    return person(Role.ADMIN, language="en")


@pytest.fixture
def office(client, admin):
    client.force_login(admin)
    return client


def writing(item, package):
    return [
        reverse("item-new"),
        reverse("item-edit", args=[item.pk]),
        reverse("package-new"),
        reverse("package-edit", args=[package.pk]),
    ]


# -- who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.PHOTOGRAPHER, Role.EDITOR, Role.ARTIST])
def test_everybody_with_a_role_reads_and_only_admins_write(client, role):
    package = PackageFactory()
    item = Item.objects.first()
    client.force_login(person(role, language="en"))
    for name, record in (("item-list", item), ("package-list", package)):
        html = client.get(reverse(name)).content.decode()
        assert record.name in html
        assert record.get_absolute_url() not in html
    for url in writing(item, package):
        assert client.get(url).status_code == 403
        assert client.post(url, ITEM).status_code == 403
    assert Item.objects.count() == 2


def test_without_a_role_nothing_is_read(client):
    client.force_login(person())
    assert client.get(reverse("item-list")).status_code == 403


def test_strangers_sign_in_first(client):
    package = PackageFactory()
    for url in (reverse("item-list"), reverse("package-list"), *writing(Item.objects.first(), package)):
        assert client.get(url)["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.PHOTOGRAPHER])
def test_the_actions_ask_as_well(role):
    user, package = person(role), PackageFactory()
    item = Item.objects.first()
    with pytest.raises(AccessDenied):
        editing.add_item(by=user, name="x", code="x", item_type="Album", unit_price=Decimal(1))
    with pytest.raises(AccessDenied):
        editing.change_item(item, by=user, unit_price=Decimal(1))
    with pytest.raises(AccessDenied):
        editing.add_package(by=user, content=[(item, 1)], name="x", code="x", base_price=Decimal(1))
    with pytest.raises(AccessDenied):
        editing.change_package(package, by=user, content=[(item, 1)])
    assert AuditEvent.objects.filter(event="denied", actor_id=user.pk).count() == 4


# -- items -------------------------------------------------------------------------------------------------------------


def test_an_item_is_added_with_its_code_in_capitals(office):
    answer = office.post(reverse("item-new"), ITEM, follow=True)
    item = Item.objects.get()
    assert (item.code, item.unit_price, item.active) == ("FD-1", Decimal("45.00"), True)
    assert "Add another item" in answer.content.decode()


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("1250.50", "1250.50"), ("1250,50", "1250.50"), ("1,250.50", "1250.50"), ("1.250,50", "1250.50"), ("0", "0.00")],
)
def test_prices_are_read_as_people_write_them(office, typed, amount):
    assert office.post(reverse("item-new"), ITEM | {"unit_price": typed}).status_code == 302
    assert Item.objects.get().unit_price == Decimal(amount)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("code", ""),
        ("code", "x" * 21),
        ("item_type", "Boat"),
        ("unit_price", ""),
        ("unit_price", "-1"),
        ("unit_price", "NaN"),
        ("unit_price", "Infinity"),
        ("unit_price", "1e9"),
        ("unit_price", "1.234"),
        ("unit_price", "9" * 400),
        ("unit_price", "99999999999.00"),
        ("default_quantity", "0"),
        ("default_quantity", "9" * 30),
        ("default_quantity", "1.5"),
    ],
)
def test_bad_input_comes_back_with_a_sentence(office, field, value):
    answer = office.post(reverse("item-new"), ITEM | {"description": "Kept", field: value})
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert "Kept" in answer.content.decode()
    assert not Item.objects.exists()
    as_json = office.post(
        reverse("item-new"),
        ITEM | {field: value},
        content_type="application/json",
        headers={"accept": "application/json"},
    )
    assert (as_json.status_code, as_json.json()["code"]) == (422, "INVALID_INPUT")


def test_a_code_is_given_once_whatever_its_case(office, admin):
    item = ItemFactory(code="FD-1")
    assert office.post(reverse("item-new"), ITEM).status_code == 422
    with pytest.raises(InvalidInput) as refused:
        editing.add_item(by=admin, name="x", code="fd-1", item_type="Album", unit_price=Decimal(1))
    assert refused.value.field == "code"
    assert Item.objects.get() == item


def test_a_price_that_changes_is_in_the_audit_log(office, admin):
    item = ItemFactory(unit_price=Decimal("45.00"))
    sent = ITEM | {"unit_price": "50.00", "active": "on"}
    assert office.post(item.get_absolute_url(), sent).status_code == 302
    event = AuditEvent.objects.get(event="price_changed")
    assert (event.details["old"], event.details["new"], event.actor_id) == ("45.00", "50.00", admin.pk)
    office.post(item.get_absolute_url(), sent | {"name": "Other"})
    assert AuditEvent.objects.filter(event="price_changed").count() == 1


def test_an_item_is_deactivated_and_leaves_the_list(office):
    package = PackageFactory()
    item = Item.objects.first()
    page = office.get(item.get_absolute_url()).content.decode()
    assert package.name in page
    assert office.post(item.get_absolute_url(), ITEM | {"code": item.code}).status_code == 302
    item.refresh_from_db()
    assert not item.active
    names = [row.pk for row in office.get(reverse("item-list")).context["page"]]
    assert item.pk not in names
    assert [row.pk for row in office.get(reverse("item-list"), {"show": "inactive"}).context["page"]] == [item.pk]


def test_no_such_record(office):
    for url in (f"/catalogue/items/{2**70}/", "/catalogue/items/999999/", f"/catalogue/packages/{2**70}/"):
        assert office.get(url).status_code == 404


def test_lists_search_and_survive_nonsense(office):
    ItemFactory(name="Album 20 x 20", item_type="Album")
    ItemFactory(name="Print")
    for query, names in (
        ({"q": "album"}, ["Album 20 x 20"]),
        ({"type": "Album"}, ["Album 20 x 20"]),
        ({"type": "Boat"}, ["Album 20 x 20", "Print"]),
        ({"q": "x" * 500, "page": "many"}, ["Album 20 x 20", "Print"]),
    ):
        assert [item.name for item in office.get(reverse("item-list"), query).context["page"]] == names


# -- packages ----------------------------------------------------------------------------------------------------------


def test_a_package_is_made_of_items_in_their_order(office):
    one, two = ItemFactory(unit_price=Decimal("900.00")), ItemFactory(unit_price=Decimal("10.00"))
    sent = PACKAGE | rows((two, 20), ("", ""), (one, 1))
    assert office.post(reverse("package-new"), sent).status_code == 302
    package = Package.objects.get()
    assert (package.code, package.base_price, package.estimated_editing_days) == ("BODA-1", Decimal("1000.00"), 10)
    assert [(row.item, row.quantity) for row in package.content.all()] == [(two, 20), (one, 1)]
    listed = office.get(reverse("package-list")).content.decode()
    assert "Q\N{NO-BREAK SPACE}100.00" in listed


def test_a_package_is_changed_row_by_row(office):
    package = PackageFactory()
    first, second = package.content.all()
    other = ItemFactory()
    sent = PACKAGE | {"active": "on"}
    sent |= rows((first.item, 2), (second.item, 5), (other, 7), initial=2, **{"content-1-DELETE": "on"})
    assert office.post(package.get_absolute_url(), sent).status_code == 302
    assert [(row.item, row.quantity) for row in package.content.all()] == [(first.item, 2), (other, 7)]
    assert package.content.get(item=first.item).pk == first.pk
    # A row whose item is cleared goes, too.
    sent = PACKAGE | {"active": "on"} | rows((first.item, 2), ("", ""), initial=2)
    assert office.post(package.get_absolute_url(), sent).status_code == 302
    assert package.content.count() == 1


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("", "")],
        [("item", "")],
        [("", "3")],
        [("item", "0")],
        [("item", "-1")],
        [("item", "1e9")],
        [("item", "9" * 40)],
        [("item", "2"), ("item", "3")],
        [("999999", "1")],
        [("drop table", "1")],
        [("item", "100001")],
    ],
)
def test_bad_rows_are_refused_with_a_sentence(office, pairs):
    item = ItemFactory()
    sent = PACKAGE | rows(*[(item if each == "item" else each, quantity) for each, quantity in pairs])
    answer = office.post(reverse("package-new"), sent)
    assert answer.status_code == 422
    assert answer.context["form"].non_field_errors()
    assert 'value="Wedding"' in answer.content.decode()
    as_json = office.post(
        reverse("package-new"), sent, content_type="application/json", headers={"accept": "application/json"}
    )
    assert (as_json.status_code, as_json.json()["code"]) == (422, "INVALID_INPUT")
    assert not Package.objects.exists()


@pytest.mark.parametrize(
    "management",
    [
        {},
        {"content-TOTAL_FORMS": "many", "content-INITIAL_FORMS": "0"},
        {"content-TOTAL_FORMS": "100000", "content-INITIAL_FORMS": "0"},
        {"content-TOTAL_FORMS": "-1", "content-INITIAL_FORMS": "-1"},
    ],
)
def test_a_form_without_its_frame_is_refused(office, management):
    ItemFactory()
    assert office.post(reverse("package-new"), PACKAGE | management).status_code == 422


def test_an_inactive_item_stays_where_it_is_and_is_not_added(admin):
    package = PackageFactory()
    row = package.content.first()
    editing.change_item(row.item, by=admin, active=False)
    row.item.refresh_from_db()
    editing.change_package(package, by=admin, content=[(row.item, 3)])
    other = PackageFactory()
    with pytest.raises(InvalidInput):
        editing.change_package(other, by=admin, content=[(row.item, 3)])


def test_the_price_is_worked_out_without_saving(office):
    item = ItemFactory(unit_price=Decimal("300.00"))
    sent = PACKAGE | rows((item, 4)) | {"preview": "1", "name": ""}
    answer = office.post(reverse("package-new"), sent)
    assert answer.status_code == 200
    preview = answer.context["preview"]
    assert (preview.items_total, preview.base_price, preview.saving, preview.percentage) == (1200, 1000, 200, 17)
    html = answer.content.decode()
    assert 'value="4"' in html
    assert not Package.objects.exists()
    dear = office.post(reverse("package-new"), sent | {"base_price": "2000"}).context["preview"]
    assert (dear.saving, dear.excess) == (0, 800)
    assert office.post(reverse("package-new"), sent | {"base_price": "lots"}).context["preview"].base_price is None


def test_more_rows_come_without_javascript(office):
    item = ItemFactory()
    answer = office.post(reverse("package-new"), PACKAGE | rows((item, 4), (item, "x")) | {"more": "1"})
    assert answer.status_code == 200
    assert len(answer.context["form"].rows.forms) == 2 + 6
    assert 'value="boda-1"' in answer.content.decode()
    assert not Package.objects.exists()


def test_a_package_keeps_what_it_cost_before_for_what_was_sold(office, admin):
    package = PackageFactory()
    lines = package.lines()
    editing.change_package(package, by=admin, content=[(package.content.first().item, 1)], base_price=Decimal("10.00"))
    assert sum(line.line_subtotal for line in lines) == 1000
    assert AuditEvent.objects.get(event="price_changed").details == {"old": "1000.00", "new": "10.00"}


# -- query budgets -----------------------------------------------------------------------------------------------------


def queries(browser, url):
    browser.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(url).status_code == 200
    return len(captured)


def test_pages_ask_as_much_for_one_row_as_for_thirty(office):
    package = PackageFactory()
    urls = [reverse("item-list"), reverse("package-list"), package.get_absolute_url(), reverse("package-new")]
    before = [queries(office, url) for url in urls]
    assert max(before) <= MOST_QUERIES
    for _ in range(30):
        PackageFactory()
    assert [queries(office, url) for url in urls] == before
