"""Lines and price through their one writer (business rules 5.2, 6; D15, D22, D23, D24, D32)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from sessions_app import workflow
from sessions_app.actions import price
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import AccessDenied, ImmutableSession, InvalidInput, SessionNotFound
from studio.models import AuditEvent
from studio.roles import Role
from tests.factories.domain import ItemFactory, PackageFactory, Studio, person

pytestmark = pytest.mark.django_db

D = Decimal


def set_price(studio: Studio, session: Session, *, by=None, now=None, **values):
    given = {
        "transportation_cost": session.transportation_cost,
        "discount": session.discount,
        "discount_reason": session.discount_reason,
        "deposit_percentage": session.deposit_percentage,
        "deposit_note": session.deposit_note,
    } | values
    return price.set_price(session, by=by or studio.coordinator, now=now or studio.now, **given)


def fresh(session: Session) -> Session:
    return Session.objects.get(pk=session.pk)


def test_package_becomes_lines_with_copied_values():
    """Business rules 6.1."""
    studio = Studio()
    session = studio.request()
    price.add_package(session, package=studio.package, by=studio.coordinator, now=studio.now)
    item = studio.package.content.first().item
    item.name, item.unit_price = "Renamed", D("9999.00")
    item.save()
    lines = list(session.lines.all())
    assert [(line.reference_type, line.reference_id) for line in lines] == [("Package", studio.package.pk)] * 2
    assert [line.line_subtotal for line in lines] == [D("900.00"), D("100.00")]
    assert lines[0].item_name != "Renamed"
    assert lines[0].added_by == studio.coordinator
    assert (fresh(session).subtotal, fresh(session).total) == (D("1000.00"), D("1000.00"))


def test_item_on_its_own_refers_to_itself():
    """Business rules 6.2."""
    studio = Studio()
    session, item = studio.request(), ItemFactory(unit_price=D("12.50"))
    line = price.add_item(session, item=item, quantity=3, by=studio.coordinator, now=studio.now)
    assert (line.reference_type, line.reference_id, line.line_subtotal) == ("Item", item.pk, D("37.50"))
    assert fresh(session).total == D("37.50")


def test_package_price_is_offered_as_a_discount():
    """D22: only when it is taken."""
    studio = Studio()
    cheap = PackageFactory(base_price=D("900.00"), estimated_editing_days=9)
    session = studio.request()
    price.add_package(session, package=cheap, by=studio.coordinator, now=studio.now)
    assert fresh(session).discount == 0
    price.add_package(session, package=cheap, take_discount=True, times=2, by=studio.coordinator, now=studio.now)
    session = fresh(session)
    assert (session.subtotal, session.discount, session.total) == (D("3000.00"), D("200.00"), D("2800.00"))
    assert session.estimated_editing_days == 9


def test_editing_days_are_the_longest_of_the_packages_or_the_default():
    """D22."""
    studio = Studio()
    session = studio.request()
    for days in (3, 12, 7):
        price.add_package(
            session, package=PackageFactory(estimated_editing_days=days), by=studio.coordinator, now=studio.now
        )
    assert fresh(session).estimated_editing_days == 12
    for line in list(session.lines.all()):
        price.remove_line(session, line_id=line.pk, by=studio.coordinator, now=studio.now)
    assert fresh(session).estimated_editing_days == STUDIO.default_editing_days


@pytest.mark.parametrize("state", workflow.STATES)
def test_lines_are_open_by_state(state):
    """Business rules 6.3, D36: refused with nothing written; Admin may, and it is audited (D15)."""
    studio = Studio()
    walk = studio.walk(state)
    item = ItemFactory(unit_price=D("10.00"))
    open_ = state in ("Request", "Negotiation", "Pre-scheduled", "Confirmed")
    before = fresh(walk.session).total
    if open_:
        price.add_item(walk.session, item=item, quantity=1, by=studio.coordinator, now=walk.now)
        assert not AuditEvent.objects.filter(event="admin_override").exists()
    else:
        with pytest.raises(ImmutableSession) as refused:
            price.add_item(walk.session, item=item, quantity=1, by=studio.coordinator, now=walk.now)
        assert refused.value.details["failed"] == ["state_is_fixed"]
        assert fresh(walk.session).total == before
        price.add_item(walk.session, item=item, quantity=1, by=studio.admin, now=walk.now)
        assert AuditEvent.objects.get(event="admin_override").details["act"] == "add_item"
    assert fresh(walk.session).total == before + 10


@pytest.mark.parametrize(("late", "open_"), [(timedelta(0), True), (timedelta(seconds=1), False)])
def test_confirmed_session_is_open_until_its_deadline(late, open_):
    """Business rules 6.3, to the second."""
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    now = fresh(walk.session).changes_deadline + late
    if open_:
        price.add_item(walk.session, item=ItemFactory(), quantity=1, by=studio.coordinator, now=now)
    else:
        with pytest.raises(ImmutableSession):
            price.add_item(walk.session, item=ItemFactory(), quantity=1, by=studio.coordinator, now=now)


def test_deposit_that_is_still_asked_for_is_never_more_than_the_whole():
    """D32: it is fixed, but one above the total could never be paid (``PAYMENT_EXCEEDS_TOTAL``)."""
    studio = Studio()
    walk = studio.walk(workflow.PRE_SCHEDULED)
    set_price(studio, fresh(walk.session), discount=D("700.00"), discount_reason="Friends", now=walk.now)
    assert (fresh(walk.session).total, fresh(walk.session).deposit_amount) == (D("300.00"), D("300.00"))


def test_deposit_of_a_confirmed_session_stays_as_it_was_paid():
    """D32: the balance changes, the deposit does not, up or down."""
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    price.add_item(
        walk.session, item=ItemFactory(unit_price=D("400.00")), quantity=1, by=studio.coordinator, now=walk.now
    )
    assert (fresh(walk.session).total, fresh(walk.session).deposit_amount) == (D("1400.00"), D("500.00"))
    set_price(studio, fresh(walk.session), discount=D("1100.00"), discount_reason="Friends", now=walk.now)
    assert (fresh(walk.session).total, fresh(walk.session).deposit_amount) == (D("300.00"), D("500.00"))


def test_quoted_session_keeps_a_line_and_a_total():
    studio = Studio()
    walk = studio.walk(workflow.PRE_SCHEDULED)
    with pytest.raises(InvalidInput):
        price.remove_package(walk.session, package_id=studio.package.pk, by=studio.coordinator, now=walk.now)
    with pytest.raises(InvalidInput):
        set_price(studio, fresh(walk.session), discount=D("1000.00"), discount_reason="Gift", now=walk.now)
    assert walk.session.lines.count() == 2
    assert fresh(walk.session).total == 1000


def test_editors_days_are_not_overwritten_by_a_later_edit():
    """Business rules 10.3: what was promised to the client stays, also when an Admin changes a completed session."""
    studio = Studio()
    walk = studio.walk(workflow.COMPLETED)
    promised = fresh(walk.session).estimated_delivery_date
    longer = PackageFactory(estimated_editing_days=30)
    price.add_package(walk.session, package=longer, by=studio.admin, now=walk.now)
    assert fresh(walk.session).estimated_delivery_date == promised


def test_transportation_is_for_external_sessions():
    """Business rules 6.4, D23."""
    studio = Studio()
    inside, outside = studio.request(), studio.request(session_type="External")
    with pytest.raises(InvalidInput) as refused:
        set_price(studio, inside, transportation_cost=D("200.00"))
    assert refused.value.field == "transportation_cost"
    set_price(studio, outside, transportation_cost=D("200.00"))
    assert fresh(outside).total == 200


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"discount": D("-1"), "discount_reason": "x"}, "discount"),
        ({"discount": D("1.001"), "discount_reason": "x"}, "discount"),
        ({"discount": D("NaN"), "discount_reason": "x"}, "discount"),
        ({"discount": D("Infinity"), "discount_reason": "x"}, "discount"),
        ({"discount": D("1.00"), "discount_reason": " "}, "discount_reason"),
        ({"discount": D("1000.01"), "discount_reason": "x"}, "discount"),
        ({"deposit_percentage": 101}, "deposit_percentage"),
        ({"deposit_percentage": -1}, "deposit_percentage"),
    ],
)
def test_odd_prices_are_refused_beside_their_field(values, field):
    studio = Studio()
    session = studio.walk(workflow.PRE_SCHEDULED).session
    with pytest.raises(InvalidInput) as refused:
        set_price(studio, fresh(session), **values)
    assert refused.value.field == field
    assert fresh(session).total == 1000


@pytest.mark.parametrize("quantity", [0, -1, 100_001])
def test_odd_quantities_are_refused(quantity):
    studio = Studio()
    session = studio.request()
    with pytest.raises(InvalidInput):
        price.add_item(session, item=ItemFactory(), quantity=quantity, by=studio.coordinator, now=studio.now)
    assert not session.lines.exists()


def test_package_that_does_not_fit_is_refused():
    studio = Studio()
    session = studio.request()
    for package in (PackageFactory(session_type="External"), PackageFactory(active=False)):
        with pytest.raises(InvalidInput):
            price.add_package(session, package=package, by=studio.coordinator, now=studio.now)
    with pytest.raises(InvalidInput):
        price.add_item(session, item=ItemFactory(active=False), quantity=1, by=studio.coordinator, now=studio.now)


def test_only_the_office_sets_prices_and_denials_are_audited():
    """The permission, and what strangers are told (D36)."""
    studio = Studio()
    session = studio.request(photographer_ids=(studio.photographer.pk,))
    for by, error in ((studio.photographer, AccessDenied), (person(Role.PHOTOGRAPHER), SessionNotFound)):
        with pytest.raises(error):
            price.add_item(session, item=ItemFactory(), quantity=1, by=by, now=studio.now)
        assert AuditEvent.objects.filter(event="denied", actor_id=by.pk, object_id=str(session.pk)).count() == 1
    assert not session.lines.exists()
