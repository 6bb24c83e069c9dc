"""Lines and price on one page, and the note that a lowered deposit needs (D22 to D24, D32; business rules 6)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from sessions_app import workflow
from sessions_app.actions import price
from sessions_app.models import SessionDetail
from studio.conf import STUDIO
from studio.errors import InvalidInput
from studio.models import AuditEvent, User
from studio.roles import Role
from tests.factories.domain import ItemFactory, PackageFactory, Studio, person

pytestmark = pytest.mark.django_db
JSON = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture
def studio():
    return Studio(today=timezone.localdate(timezone=STUDIO.zone))


@pytest.fixture
def session(studio):
    return studio.walk(workflow.NEGOTIATION).session


@pytest.fixture
def office(studio):
    return browser(studio.coordinator)


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def url(name, session, *more):
    return reverse(name, args=[session.code, *more])


def set_price(session, studio, **changes):
    values = {
        "transportation_cost": Decimal("0.00"),
        "discount": Decimal("0.00"),
        "discount_reason": "",
        "deposit_percentage": 50,
        "deposit_note": "",
    }
    return price.set_price(session, by=studio.coordinator, now=studio.now, **(values | changes))


def test_a_package_is_shown_with_its_saving_before_it_is_sold(studio, session, office):
    package = PackageFactory(name="Maternity", base_price=Decimal("900.00"))
    page = office.get(url("session-add-package", session), {"package": package.pk, "times": 1})
    text = page.content.decode()
    assert page.status_code == 200 and "1,000.00" in text and "900.00" in text and "100.00" in text
    assert not SessionDetail.objects.exists()
    sold = office.post(
        url("session-add-package", session), {"package": package.pk, "times": 1, "take_discount": "true"}
    )
    assert sold.status_code == 302 and sold["Location"] == url("session-lines", session)
    session.refresh_from_db()
    assert (session.subtotal, session.discount, session.total) == (1000, 100, 900)
    assert "Maternity" in session.discount_reason


def test_only_packages_of_this_type_are_offered_and_another_is_refused(studio, session, office):
    other = PackageFactory(name="Only outside", session_type="External")
    empty = PackageFactory(name="Empty box", content=[])
    empty.content.all().delete()
    page = office.get(url("session-lines", session)).content.decode()
    assert "Only outside" not in page and "Empty box" not in page
    assert office.get(url("session-add-package", session), {"package": other.pk}).status_code == 422
    for package in (other, empty):
        answer = office.post(url("session-add-package", session), {"package": package.pk}, **JSON)
        assert answer.status_code == 422 and answer.json()["code"] == "INVALID_INPUT"
    assert not SessionDetail.objects.exists()


def test_an_item_without_a_quantity_is_sold_in_its_usual_one(session, office):
    item = ItemFactory(default_quantity=12)
    filled = office.get(url("session-add-item", session), {"item": item.pk}).content.decode()
    assert 'value="12"' in filled
    assert office.post(url("session-add-item", session), {"item": item.pk}).status_code == 302
    assert SessionDetail.objects.get().quantity == 12


def test_a_line_changes_quantity_and_description_and_totals_follow(studio, session, office):
    line = price.add_item(session, item=ItemFactory(), quantity=2, by=studio.coordinator, now=studio.now)
    changed = office.post(
        url("session-change-line", session, line.pk), {"quantity": "3", "description_override": "Matt"}
    )
    assert changed.status_code == 302
    line.refresh_from_db()
    session.refresh_from_db()
    assert (line.quantity, line.description_override, session.total) == (3, "Matt", Decimal("135.00"))
    office.post(url("session-change-line", session, line.pk), {"quantity": "4"}, **JSON)
    line.refresh_from_db()
    assert (line.quantity, line.description_override) == (4, "Matt")
    assert office.post(url("session-remove-line", session, line.pk)).status_code == 302
    session.refresh_from_db()
    assert session.total == 0


def test_a_package_leaves_with_its_discount_when_asked(studio, session, office):
    package = PackageFactory(base_price=Decimal("900.00"))
    price.add_package(session, package=package, by=studio.coordinator, now=studio.now, take_discount=True)
    page = office.get(url("session-lines", session)).content.decode()
    assert 'name="drop_discount"' in page
    kept = office.post(url("session-remove-package", session, package.pk))
    assert kept.status_code == 422 and SessionDetail.objects.count() == 2
    assert office.post(url("session-remove-package", session, package.pk), {"drop_discount": "true"}).status_code == 302
    session.refresh_from_db()
    assert (session.total, session.discount, session.discount_reason) == (0, 0, "")


def test_the_price_takes_figures_as_people_write_them(studio, session, office):
    price.add_package(session, package=studio.package, by=studio.coordinator, now=studio.now)
    answer = office.post(
        url("session-price", session), {"discount": "100,50", "discount_reason": "Friend", "deposit_percentage": "60"}
    )
    assert answer.status_code == 302
    session.refresh_from_db()
    assert (session.discount, session.total, session.deposit_percentage) == (Decimal("100.50"), Decimal("899.50"), 60)


def test_the_remote_button_fills_in_the_transportation_of_an_external_session(studio, office):
    session = studio.walk(workflow.NEGOTIATION, session_type="External").session
    assert "200.00" in office.get(url("session-lines", session)).content.decode()
    office.post(url("session-price", session), {"deposit_percentage": "50", "remote": "true"})
    session.refresh_from_db()
    assert session.transportation_cost == STUDIO.remote_transportation_cost


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"discount": "NaN"}, "discount"),
        ({"discount": "Infinity"}, "discount"),
        ({"discount": "1e9"}, "discount"),
        ({"discount": "-1"}, "discount"),
        ({"discount": "10.001"}, "discount"),
        ({"discount": "9" * 60}, "discount"),
        ({"discount": "10"}, "discount_reason"),
        ({"discount": "5000", "discount_reason": "All"}, "discount"),
        ({"transportation_cost": "10"}, "transportation_cost"),
        ({"deposit_percentage": "101"}, "deposit_percentage"),
        ({"deposit_percentage": "half"}, "deposit_percentage"),
    ],
)
def test_a_price_that_cannot_be_is_said_beside_its_field(studio, session, office, changes, wrong):
    price.add_package(session, package=studio.package, by=studio.coordinator, now=studio.now)
    values = {
        "transportation_cost": "0",
        "discount": "0",
        "deposit_percentage": "50",
        "deposit_note": "typed",
    } | changes
    answer = office.post(url("session-price", session), values)
    assert answer.status_code == 422 and wrong in answer.context["price_form"].errors
    assert "typed" in answer.content.decode()
    session.refresh_from_db()
    assert (session.total, session.deposit_note) == (1000, "")


@pytest.mark.parametrize("quantity", ["0", "-1", "abc", "1.5", "99999999999999999999", ""])
def test_a_quantity_that_cannot_be_is_refused_and_stays_typed(studio, session, office, quantity):
    line = price.add_item(session, item=ItemFactory(), quantity=2, by=studio.coordinator, now=studio.now)
    answer = office.post(url("session-change-line", session, line.pk), {"quantity": quantity})
    assert answer.status_code == 422 and "is-invalid" in answer.content.decode()
    line.refresh_from_db()
    assert line.quantity == 2


@pytest.mark.parametrize("number", [0, 10**12, 10**40])
def test_lines_and_packages_that_are_not_there_are_refused(session, office, number):
    for name in ("session-change-line", "session-remove-line", "session-remove-package"):
        assert office.post(url(name, session, number), {"quantity": 1}, **JSON).status_code == 422
    for values in ({"package": number, "item": number}, {"package": "x", "item": "x"}):
        for name in ("session-add-package", "session-add-item"):
            assert office.post(url(name, session), values).status_code == 422
            assert office.get(url(name, session), values).status_code in (200, 422)


def risky(studio):
    for day in (30, 31, 32):
        studio.walk(workflow.REQUEST, when=studio.when(day)).to(workflow.CANCELED)
    return studio.walk(workflow.NEGOTIATION).session


def test_asking_a_high_risk_client_for_less_needs_a_note(studio, office):
    session = risky(studio)
    assert session.deposit_percentage == 100
    with pytest.raises(InvalidInput) as refused:
        set_price(session, studio, deposit_percentage=50, deposit_note="  ")
    assert refused.value.field == "deposit_note" and refused.value.details["failed"] == ["note_missing"]
    page = office.post(url("session-price", session), {"deposit_percentage": "50"})
    assert page.status_code == 422 and "3 of 4" in str(page.context["price_form"].errors["deposit_note"])
    set_price(session, studio, deposit_percentage=50, deposit_note="Paid the last two in advance")
    session.refresh_from_db()
    assert session.deposit_percentage == 50
    with pytest.raises(InvalidInput):
        set_price(session, studio, deposit_percentage=50, deposit_note="")
    (told,) = AuditEvent.objects.filter(event="deposit_lowered")
    assert (told.actor_id, told.object_id) == (studio.coordinator.pk, str(session.pk))
    assert told.details == {"percentage": 50, "note": "Paid the last two in advance"}
    lowered = "lowered to 50 %: Paid the last two in advance"
    price.add_package(session, package=studio.package, by=studio.coordinator, now=studio.now)
    pages = [url(name, session) for name in ("session-page", "session-lines", "session-quotes")]
    for address in (*pages, url("session-move", session, "preschedule")):
        page = office.get(address).content.decode()
        assert "High risk: 3 of the client" in page and lowered in page, address
    found = office.get(reverse("client-options"), {"client_search": studio.client.full_name}).content.decode()
    assert "High risk: 3 of 4" in found and "The deposit will be 100 %" in found
    assert "high risk" in office.get(studio.client.get_absolute_url()).content.decode()
    session.preschedule(by=studio.coordinator, now=studio.now)
    assert "50 % · Paid the last two in advance" in office.get(pages[0]).content.decode()
    set_price(session, studio, deposit_percentage=100)


def test_a_usual_client_is_no_warning(studio, session, office):
    for address in (url("session-page", session), url("session-lines", session), url("session-quotes", session)):
        assert "High risk" not in office.get(address).content.decode()


def test_a_lowered_deposit_of_another_client_needs_no_note(studio, session):
    assert set_price(session, studio, deposit_percentage=10).deposit_percentage == 10


# --- locked ------------------------------------------------------------------------------------------


@pytest.fixture
def assigned():
    studio = Studio(today=timezone.localdate(timezone=STUDIO.zone) - timedelta(days=40))
    return studio, studio.walk(workflow.ASSIGNED).session


@pytest.mark.parametrize("as_json", [False, True])
def test_a_locked_session_is_read_only_with_the_reason(assigned, as_json):
    studio, session = assigned
    office = browser(studio.coordinator)
    page = office.get(url("session-lines", session))
    assert page.status_code == 200 and "<textarea" not in page.content.decode()
    assert 'name="discount"' not in page.content.decode() and "cannot be changed any more" in page.content.decode()
    line = session.lines.first()
    before = SessionDetail.objects.count()
    for name, more, values in (
        ("session-add-package", (), {"package": studio.package.pk}),
        ("session-add-item", (), {"item": ItemFactory().pk, "quantity": 1}),
        ("session-change-line", (line.pk,), {"quantity": 7}),
        ("session-remove-line", (line.pk,), {}),
        ("session-remove-package", (studio.package.pk,), {}),
        ("session-price", (), {"deposit_percentage": 10}),
    ):
        answer = office.post(url(name, session, *more), values, **(JSON if as_json else {}))
        assert answer.status_code == 422
        if as_json:
            assert answer.json()["code"] == "IMMUTABLE_SESSION" and answer.json()["details"]["current"] == "Assigned"
    assert SessionDetail.objects.count() == before
    line.refresh_from_db()
    assert line.quantity != 7


def test_an_admin_sees_that_it_is_an_override_and_it_is_audited(assigned):
    studio, session = assigned
    admin = browser(studio.admin)
    page = admin.get(url("session-lines", session)).content.decode()
    assert "audit log" in page and 'name="discount"' in page
    assert admin.post(url("session-add-item", session), {"item": ItemFactory().pk, "quantity": 1}).status_code == 302
    assert AuditEvent.objects.filter(event="admin_override", details__act="add_item").exists()


def test_prices_are_for_the_office(studio):
    session = studio.walk(workflow.CONFIRMED).equip().session
    line = session.lines.first()
    before = SessionDetail.objects.count()
    for user, status in (
        (studio.photographer, 403),
        (person(Role.PHOTOGRAPHER), 404),
        (studio.editor, 404),
        (person(Role.ARTIST), 404),
        (person(), 403),
    ):
        seen = browser(user)
        for headers in ({}, JSON):
            for name, more in (
                ("session-add-package", ()),
                ("session-add-item", ()),
                ("session-change-line", (line.pk,)),
                ("session-remove-line", (line.pk,)),
                ("session-remove-package", (studio.package.pk,)),
                ("session-price", ()),
            ):
                answer = seen.post(url(name, session, *more), {"quantity": 1}, **headers)
                assert answer.status_code == status and "1,000.00" not in answer.content.decode()
            for name in ("session-lines", "session-add-package", "session-add-item"):
                assert seen.get(url(name, session), **headers).status_code == status
    assert SessionDetail.objects.count() == before
    assert Browser().get(url("session-lines", session)).status_code in (302, 401, 403, 404)


def test_acts_are_posted(session, office):
    for name, more in (("session-change-line", (1,)), ("session-remove-line", (1,)), ("session-price", ())):
        assert office.get(url(name, session, *more)).status_code == 405


def test_the_page_costs_the_same_for_one_line_and_for_thirty(studio, session, office):
    def queries(query="") -> int:
        with CaptureQueriesContext(connection) as asked:
            assert office.get(url("session-add-package", session) + query).status_code == 200
        return len(asked)

    preview = f"?package={studio.package.pk}"
    price.add_item(session, item=ItemFactory(), quantity=1, by=studio.coordinator, now=studio.now)
    one = queries(), queries(preview)
    for _ in range(10):
        PackageFactory()
        price.add_package(session, package=studio.package, by=studio.coordinator, now=studio.now)
        price.add_item(session, item=ItemFactory(), quantity=1, by=studio.coordinator, now=studio.now)
    assert (queries(), queries(preview)) == one and one[0] <= 15 and one[1] <= 20


# --- Order, and what does not fit --------------------------------------------------------------------


def names(session):
    return list(session.lines.order_by("display_order", "pk").values_list("item_name", flat=True))


@pytest.fixture
def three(session, studio):
    session.lines.all().delete()
    for name in ("one", "two", "three"):
        price.add_item(session, item=ItemFactory(name=name), quantity=1, by=studio.coordinator, now=timezone.now())
    return list(session.lines.order_by("display_order"))


def test_line_goes_up_and_down_and_stays_at_the_ends(session, office, three):
    def move(line, way):
        assert office.post(url("session-move-line", session, line.pk), {"way": way}).status_code == 302
        return names(session)

    assert move(three[2], "up") == ["one", "three", "two"]
    assert move(three[0], "down") == ["three", "one", "two"]
    assert move(three[2], "up") == ["three", "one", "two"]
    assert move(three[1], "down") == ["three", "one", "two"]


@pytest.mark.parametrize("body", [{}, {"way": ""}, {"way": "sideways"}])
def test_way_that_there_is_not_is_refused(session, office, three, body):
    assert office.post(url("session-move-line", session, three[0].pk), body, **JSON).status_code == 422
    assert names(session) == ["one", "two", "three"]


def test_line_of_another_session_is_not_moved_or_changed(session, studio, office):
    foreign = price.add_item(
        studio.walk(workflow.PRE_SCHEDULED).session,
        item=ItemFactory(),
        quantity=1,
        by=studio.coordinator,
        now=timezone.now(),
    )
    before = (foreign.display_order, foreign.quantity)
    for name, body in (("session-move-line", {"way": "down"}), ("session-change-line", {"quantity": 7})):
        assert office.post(url(name, session, foreign.pk), body, **JSON).status_code == 422
    foreign.refresh_from_db()
    assert (foreign.display_order, foreign.quantity) == before


@pytest.mark.parametrize("body", [{"description_override": "x" * 10_000}, {"quantity": 10**30}, {"quantity": 100_001}])
def test_what_does_not_fit_is_refused_and_changes_nothing(session, office, three, body):
    line = three[0]
    assert office.post(url("session-change-line", session, line.pk), body, **JSON).status_code == 422
    assert SessionDetail.objects.get(pk=line.pk).quantity == line.quantity


def test_reopened_session_shows_the_deposit_that_would_be_asked_for_now(studio, office):
    """D13: what was fixed before is not what the next quote asks for."""
    walk = studio.walk(workflow.PRE_SCHEDULED)
    assert "Fixed when it was quoted." in office.get(url("session-lines", walk.session)).content.decode()
    walk.session.move("reopen", by=studio.coordinator, now=walk.now)
    page = office.get(url("session-lines", walk.session)).content.decode()
    assert "As it would be asked for now." in page and "reopen the negotiation" not in page
