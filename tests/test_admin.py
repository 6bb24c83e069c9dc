"""Django's admin for every record: open to Admins alone, and no way round the rules."""

from datetime import time, timedelta

import pytest
from django.contrib import admin
from django.test import Client as Browser
from django.urls import reverse

from catalog.models import Item, Package
from payments.models import Payment, Receipt, ReceiptSeries, Till
from scheduling.models import OpeningException, OpeningHours, Room, RoomReservation, StaffReservation
from sessions_app import workflow
from sessions_app.actions import feed
from sessions_app.importing import acts as imports
from sessions_app.models import (
    CalendarFeed,
    Client,
    Import,
    QuoteVersion,
    Session,
    SessionDetail,
    SessionUserObjectPermission,
    StatusHistory,
)
from studio.admin_site import OURS
from studio.models import AuditEvent
from studio.roles import Role
from tests.factories.domain import Studio, person

pytestmark = pytest.mark.django_db

RECORDS = (
    CalendarFeed,
    Client,
    Session,
    SessionDetail,
    StatusHistory,
    QuoteVersion,
    Import,
    SessionUserObjectPermission,
    Item,
    Package,
    Room,
    RoomReservation,
    StaffReservation,
    OpeningHours,
    OpeningException,
    Payment,
    Receipt,
    ReceiptSeries,
    Till,
)
READ_ONLY = (
    CalendarFeed,
    Package,
    Payment,
    Receipt,
    ReceiptSeries,
    Till,
    RoomReservation,
    StaffReservation,
    OpeningHours,
    OpeningException,
    StatusHistory,
    QuoteVersion,
    Import,
    SessionDetail,
    SessionUserObjectPermission,
)


def address(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def studio():
    return Studio()


@pytest.fixture
def walked(studio):
    """A session in editing, so that every record has a row."""
    session = studio.walk(workflow.IN_EDITING).session
    session.refresh_from_db()
    raw = b"Name,E-mail,Phone\nAna,ana@example.test,5555-0101\n"
    feed.open_feed(by=studio.photographer, now=studio.now)
    OpeningHours.objects.create(weekday=0, opens=time(8), closes=time(18))
    OpeningException.objects.create(day=studio.today, note="Holiday")
    imports.upload(kind="Clients", file_name="x.csv", raw=raw, by=studio.coordinator, now=studio.now)
    return session


@pytest.fixture
def office(studio):
    browser = Browser()
    browser.force_login(studio.admin)
    return browser


def test_every_model_of_ours_is_there():
    from django.apps import apps

    through_a_page_of_theirs = {"catalog.packageitem"}
    ours = {model for model in apps.get_models() if model._meta.app_label in OURS}
    missing = {model._meta.label_lower for model in ours} - {model._meta.label_lower for model in admin.site._registry}
    assert missing == through_a_page_of_theirs


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.__name__)
def test_list_search_and_page_open_for_an_admin(office, walked, model):
    assert office.get(address(model, "changelist")).status_code == 200
    assert office.get(address(model, "changelist"), {"q": walked.code}).status_code == 200
    row = model.objects.first()
    assert row is not None
    assert office.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.PHOTOGRAPHER, Role.EDITOR, Role.ARTIST])
def test_nobody_else_gets_in(client, model, role):
    client.force_login(person(role, is_staff=True))
    assert client.get(address(model, "changelist")).status_code in (302, 403)
    assert client.get(address(model, "changelist"), follow=True).status_code == 403


@pytest.mark.parametrize("model", READ_ONLY, ids=lambda model: model.__name__)
def test_what_has_one_writer_is_read_only(office, walked, model):
    row = model.objects.first()
    before = model.objects.filter(pk=row.pk).values().get()
    sent = dict.fromkeys(before, "1")
    assert office.post(address(model, "change", row.pk), sent).status_code == 403
    assert office.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert office.get(address(model, "add")).status_code == 403
    assert model.objects.filter(pk=row.pk).values().get() == before


def _sent(session, **changes):
    """What the admin's page of a session would send, with whatever a hostile browser adds to it."""
    values = {
        "event_description": session.event_description,
        "special_notes": session.special_notes,
        "reported_incidents": session.reported_incidents,
        "photographer_observations": session.photographer_observations,
        "editor_observations": session.editor_observations,
    }
    for prefix in ("lines", "assignments", "payments", "history"):
        values |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    return values | changes


def test_a_crafted_post_changes_neither_status_nor_money_nor_time(office, walked, studio):
    kept = (
        "status",
        "total",
        "subtotal",
        "discount",
        "deposit_amount",
        "deposit_percentage",
        "payment_deadline",
        "changes_deadline",
        "room_id",
        "starts_at",
        "ends_at",
        "assigned_editor_id",
        "client_id",
        "canceled_at",
        "deleted_at",
    )
    before = {name: getattr(walked, name) for name in kept}
    sent = _sent(
        walked,
        event_description="Changed",
        status="Completed",
        total="1.00",
        subtotal="1.00",
        discount="5.00",
        deposit_amount="1.00",
        deposit_percentage="1",
        payment_deadline_0="2030-01-01",
        payment_deadline_1="10:00",
        changes_deadline_0="2030-01-01",
        room="",
        starts_at_0="2030-01-01",
        starts_at_1="10:00",
        assigned_editor="",
        client="",
    )
    sent |= {
        "payments-TOTAL_FORMS": "1",
        "payments-INITIAL_FORMS": "1",
        "payments-0-id": str(walked.payments.first().pk),
        "payments-0-amount": "1.00",
        "payments-0-payment_status": "Rejected",
        "payments-0-DELETE": "on",
    }
    payments = list(walked.payments.values())
    assert office.post(address(Session, "change", walked.pk), sent).status_code == 302
    walked.refresh_from_db()
    assert walked.event_description == "Changed"
    assert {name: getattr(walked, name) for name in kept} == before
    assert list(walked.payments.values()) == payments
    assert [row.new_status for row in walked.history.all()][-1] == workflow.IN_EDITING


def test_words_that_an_admin_writes_here_are_audited(office, walked, studio):
    office.post(address(Session, "change", walked.pk), _sent(walked, special_notes="No flash"))
    walked.refresh_from_db()
    assert (walked.special_notes, walked.updated_by) == ("No flash", studio.admin)
    event = AuditEvent.objects.get(event="admin_override", object_id=str(walked.pk))
    assert event.details["fields"] == ["special_notes"]


def test_nothing_is_deleted_here(office, walked, studio):
    for model in (Session, Client, Item, Package, Room, Payment):
        row = model.objects.first()
        assert office.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        sent = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        office.post(address(model, "changelist"), sent)
        assert model.objects.filter(pk=row.pk).exists()


def test_pages_lead_back_to_the_site(office, walked):
    for model in (Session, Client, Item, Room):
        row = model.objects.first()
        assert row.get_absolute_url() in office.get(address(model, "change", row.pk)).content.decode()
    payment = walked.payments.first()
    assert walked.get_absolute_url() in office.get(address(Payment, "change", payment.pk)).content.decode()


def test_a_client_is_written_by_the_book(office, walked):
    sent = {
        "full_name": "Other  Name",
        "email": "OTHER@Example.test",
        "primary_phone": "5555-1234",
        "client_type": "Individual",
        "active": "on",
    }
    assert office.post(address(Client, "add"), sent).status_code == 302
    made = Client.objects.get(email="other@example.test")
    assert made.full_name == "Other Name"
    sent["full_name"] = "Another"
    assert office.post(address(Client, "change", made.pk), sent).status_code == 302
    made.refresh_from_db()
    assert made.full_name == "Another"
    other = Client.objects.exclude(pk=made.pk).first()
    answer = office.post(address(Client, "change", made.pk), sent | {"email": other.email})
    assert answer.status_code == 200
    made.refresh_from_db()
    assert made.email == "other@example.test"


def test_an_item_and_a_room_are_written_by_their_actions(office, walked, studio):
    item = Item.objects.first()
    sent = {
        "code": item.code,
        "name": item.name,
        "item_type": item.item_type,
        "description": "",
        "unit_price": "77.00",
        "unit_measure": item.unit_measure,
        "active": "on",
    }
    assert office.post(address(Item, "change", item.pk), sent).status_code == 302
    item.refresh_from_db()
    assert item.unit_price == 77
    assert AuditEvent.objects.filter(event="price_changed", object_id=str(item.pk)).exists()
    sent = {"code": studio.room.code, "name": "Big", "description": "", "capacity": "", "status": "Inactive"}
    assert office.post(address(Room, "change", studio.room.pk), sent).status_code == 302
    studio.room.refresh_from_db()
    assert (studio.room.name, studio.room.status) == ("Big", "Active")


def test_lists_need_as_many_queries_for_one_row_as_for_many(office, studio, django_assert_max_num_queries):
    for days in range(20, 32):
        studio.walk(workflow.CONFIRMED, when=studio.when(days)).equip()
    for model in (Session, Payment, StatusHistory, StaffReservation, RoomReservation, SessionDetail):
        with django_assert_max_num_queries(15):
            assert office.get(address(model, "changelist")).status_code == 200


def test_a_deleted_client_can_only_be_looked_at(office, studio):
    from sessions_app.actions import book

    book.delete_client(studio.client, by=studio.admin, now=studio.now + timedelta(days=1))
    page = address(Client, "change", studio.client.pk)
    assert office.get(page).status_code == 200
    assert office.post(page, {"full_name": "Back"}).status_code == 403
