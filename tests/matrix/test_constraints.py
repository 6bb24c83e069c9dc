"""Every constraint and trigger is hit by a raw write, and refuses by its own name (style 5).

None of these writes goes through an action: they are what an import, a shell or an action with an error in it would do.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F

from catalog.models import Item, Package, PackageItem
from payments.models import (
    CashClosing,
    CommissionLine,
    CommissionStatement,
    Payment,
    Receipt,
    ReceiptSeries,
    Till,
)
from scheduling.models import OpeningException, OpeningHours, Room, RoomReservation, StaffReservation
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
from studio.models import AuditEvent, JobRun, Notice, OutgoingEmail, User
from tests.matrix.conftest import Ten, tried

pytestmark = pytest.mark.django_db

OURS = {"studio", "catalog", "scheduling", "payments", "sessions_app"}
NOW = datetime(2026, 3, 2, 16, tzinfo=UTC)
FAR = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

Hit = Callable[[Ten], Any]


def on(state: str, **values: Any) -> Hit:
    """A raw update of the session in this state."""
    return lambda ten: Session.objects.filter(pk=ten.walks[state].session.pk).update(**values)


def of(state: str, model: type, **values: Any) -> Hit:
    """A raw update of the rows of ``model`` that belong to the session in this state."""
    return lambda ten: model.objects.filter(session=ten.walks[state].session).update(**values)


def to(model: type, **values: Any) -> Hit:
    """A raw update of one row of ``model``."""
    return lambda ten: model.objects.filter(pk=model.objects.order_by("pk").first().pk).update(**values)


def pay(state: str, **values: Any) -> Hit:
    """A raw new payment for the session in this state."""
    row = {
        "payment_type": "Balance",
        "amount": Decimal("10.00"),
        "payment_method": "Cash",
        "document_number": "1",
        "payment_date": date(2026, 3, 2),
        "registered_at": NOW,
    } | values
    return lambda ten: Payment.objects.bulk_create([Payment(session=ten.walks[state].session, **row)])


def hold_room(**values: Any) -> Hit:
    """A raw room reservation, by default a closure of the room far away."""
    row = {"during": (FAR, FAR + HOUR), "created_at": NOW} | values
    return lambda ten: RoomReservation.objects.bulk_create([RoomReservation(**{"room": ten.studio.room} | row)])


def hold_person(**values: Any) -> Hit:
    """A raw staff reservation, by default time off far away."""
    row = {"during": (FAR, FAR + HOUR), "created_at": NOW} | values
    return lambda ten: StaffReservation.objects.bulk_create(
        [StaffReservation(**{"staff": ten.studio.photographer} | row)]
    )


def earn(**values: Any) -> Hit:
    """A raw line of a commission with the completed session."""
    row = {
        "kind": "Earned",
        "base": Decimal("1000.00"),
        "rate": Decimal("0.100"),
        "rate_source": "Person",
        "amount": Decimal("100.00"),
        "earned_on": date(2026, 3, 2),
        "created_at": NOW,
    } | values
    return lambda ten: CommissionLine.objects.bulk_create(
        [CommissionLine(**{"session": ten.walks["Completed"].session, "person": ten.studio.photographer} | row)]
    )


def state(**values: Any) -> Hit:
    """A raw statement that pays a commission."""
    row = {
        "first_day": date(2026, 3, 1),
        "last_day": date(2026, 3, 31),
        "total": 0,
        "paid_at": NOW,
        "payment_method": "Cash",
        "document_number": "1",
    } | values
    return lambda ten: CommissionStatement.objects.create(
        **{"person": ten.studio.photographer, "paid_by": ten.studio.admin} | row
    )


def bring(**values: Any) -> Hit:
    """A raw import of a file."""
    row = {"kind": "Clients", "file_name": "x.csv", "text": "a", "delimiter": ",", "uploaded_at": NOW} | values
    return lambda ten: Import.objects.bulk_create([Import(**{"uploaded_by": ten.studio.admin} | row)])


def opened(**values: Any) -> Hit:
    """Raw opening hours of Mondays."""
    return lambda ten: OpeningHours.objects.create(**{"weekday": 0, "opens": time(9), "closes": time(18)} | values)


def other_day(**values: Any) -> Hit:
    """A raw day with other hours: closed."""
    return lambda ten: OpeningException.objects.create(**{"day": date(2026, 3, 2)} | values)


def close_till(**values: Any) -> Hit:
    row = {"first_day": date(2026, 3, 1), "day": date(2026, 3, 2), "closed_at": NOW} | values
    return lambda ten: CashClosing.objects.create(**{"closed_by": ten.studio.admin} | row)


def quote(**values: Any) -> Hit:
    row = {"number": 90, "total": 1, "made_at": NOW} | values
    return lambda ten: QuoteVersion.objects.bulk_create(
        [QuoteVersion(**{"session": ten.walks["Confirmed"].session} | row)]
    )


def after(first: Hit, then: Hit) -> Hit:
    def both(ten: Ten) -> None:
        first(ten)
        then(ten)

    return both


def money_on_a_closed_day(ten: Ten) -> None:
    Till.objects.update(closed_through=date(2026, 3, 31))
    pay("Confirmed", payment_status="Verified", verified_at=NOW, cash_day=date(2026, 3, 31))(ten)


def void_on_a_closed_day(ten: Ten) -> None:
    Till.objects.update(closed_through=date(2026, 3, 31))
    closed = {"deleted_flag": True, "deleted_at": NOW, "deleted_reason": "x", "void_cash_day": date(2026, 3, 31)}
    of("Confirmed", Payment, **closed)(ten)


def till_opened_again(ten: Ten) -> None:
    Till.objects.update(closed_through=date(2026, 3, 31))
    Till.objects.update(closed_through=date(2026, 3, 30))


def till_taken_away(ten: Ten) -> None:
    Till.objects.all().delete()


def paid_line_put_on_another_statement(ten: Ten) -> None:
    earn(statement=state()(ten))(ten)
    CommissionLine.objects.update(statement=state()(ten))


def room_at_the_time_of_a_session(ten: Ten) -> None:
    session = ten.walks["Confirmed"].session
    last_minute = (session.ends_at - timedelta(minutes=1), session.ends_at + HOUR)
    hold_room(during=last_minute)(ten)


def person_at_the_time_of_a_session(ten: Ten) -> None:
    session = ten.walks["Confirmed"].session
    hold_person(during=(session.starts_at - HOUR, session.starts_at + timedelta(minutes=1)))(ten)


def second_room_for_a_session(ten: Ten) -> None:
    hold_room(session=ten.walks["Request"].session)(ten)


def same_person_twice_on_a_session(ten: Ten) -> None:
    hold_person(session=ten.walks["Request"].session)(ten)


def there_and_back_and_there(ten: Ten) -> None:
    """Two changes with their history, and a third that hides behind the first one's."""
    session, by, now = ten.session("Pre-scheduled"), ten.studio.coordinator, ten.studio.now
    session.reopen(by=by, now=now)
    session.preschedule(by=by, now=now)
    Session.objects.filter(pk=session.pk).update(status="Negotiation", payment_deadline=None)


def session_without_history(ten: Ten) -> None:
    row = ten.session("Request")
    row.pk, row.code, row.room = None, "S-1", None
    row.save(force_insert=True)


def deleted(model: type) -> Hit:
    return lambda ten: model.objects.filter(session=ten.walks["Confirmed"].session).delete()


def history(previous: str | None, new: str) -> Hit:
    return lambda ten: StatusHistory.objects.create(
        session=ten.walks["Request"].session, previous_status=previous, new_status=new, changed_at=NOW
    )


def voided(ten: Ten) -> None:
    pay("Confirmed", deleted_flag=True, deleted_at=NOW, deleted_reason="Typed twice")(ten)
    Payment.objects.filter(deleted_flag=True).update(deleted_flag=False, deleted_at=None, deleted_reason="")


def twice(model: type, **values: Any) -> Hit:
    return lambda ten: model.objects.bulk_create([model(**values), model(**values)])


def notice_twice(ten: Ten) -> None:
    twice(Notice, recipient=ten.studio.admin, kind="material_ready", key="k")(ten)


def grant_twice(ten: Ten) -> None:
    row = SessionUserObjectPermission.objects.first()
    SessionUserObjectPermission.objects.create(
        user_id=row.user_id, permission_id=row.permission_id, content_object_id=row.content_object_id
    )


def sql(statement: str) -> Hit:
    """Past the fields of the models, which mend some values on their way."""

    def run(ten: Ten) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return run


def unknown_status(ten: Ten) -> None:
    """What no state means is refused by the deadlines already, so those are taken out of the way."""
    sql("ALTER TABLE sessions_app_session DROP CONSTRAINT session_changes_deadline_from_confirmed_on")(ten)
    on("Request", status="Lost")(ten)


def shoot_on_hold(ten: Ten) -> None:
    """Likewise: only an appointment waits."""
    sql("ALTER TABLE sessions_app_session DROP CONSTRAINT session_changes_deadline_from_confirmed_on")(ten)
    on("Request", status="Waiting")(ten)


EMPTY = DateTimeTZRange(empty=True)

HITS: list[tuple[str, str, Hit]] = [
    # -- sessions
    ("session_status_known", "unknown word", unknown_status),
    ("session_status_of_its_machine", "shoot on hold", shoot_on_hold),
    ("session_status_of_its_machine", "appointment asks", on("Request", session_type="Appointment", room=None)),
    ("session_open_price_is_an_appointments", "shoot", on("Request", price_is_open=True)),
    ("session_no_show_is_a_cancellation", "shoot", on("Canceled", no_show=True)),
    ("session_type_known", "unknown word", on("Request", session_type="Wedding", room=None)),
    ("session_ends_after_it_starts", "no length", on("Request", ends_at=F("starts_at"))),
    ("session_ends_after_it_starts", "backwards", on("Request", ends_at=F("starts_at") - HOUR)),
    ("session_lasts_a_day_at_most", "a second more", on("Request", ends_at=F("starts_at") + timedelta(seconds=86401))),
    ("session_amounts_not_negative", "discount", on("Request", discount=-1, total=1)),
    ("session_amounts_not_negative", "total", on("Request", discount=1, total=-1)),
    ("session_total_adds_up", "a cent more", on("Confirmed", total=F("total") + Decimal("0.01"))),
    ("session_transport_is_external", "studio", on("Confirmed", transportation_cost=10, total=F("total") + 10)),
    ("session_external_has_a_place", "nowhere", on("Request", session_type="External", room=None, location="")),
    ("session_room_is_for_studio", "external", on("Request", session_type="External", location="Finca El Pilar")),
    ("session_studio_has_a_room_from_assigned_on", "assigned", on("Assigned", room=None)),
    ("session_studio_has_a_room_from_assigned_on", "completed", on("Completed", room=None)),
    ("session_deposit_percentage", "above 100", on("Request", deposit_percentage=101)),
    ("session_deposit_not_negative", "below zero", on("Confirmed", deposit_amount=-1)),
    ("session_payment_deadline_when_pre_scheduled", "missing", on("Pre-scheduled", payment_deadline=None)),
    ("session_payment_deadline_when_pre_scheduled", "no deposit", on("Pre-scheduled", deposit_amount=None)),
    ("session_payment_deadline_when_pre_scheduled", "too early", on("Request", payment_deadline=NOW)),
    ("session_payment_deadline_when_pre_scheduled", "left over", on("Confirmed", payment_deadline=NOW)),
    ("session_changes_deadline_from_confirmed_on", "missing", on("Confirmed", changes_deadline=None)),
    ("session_changes_deadline_from_confirmed_on", "too early", on("Negotiation", changes_deadline=NOW)),
    ("session_time_is_held_in_negotiation", "sold", on("Confirmed", held_until=NOW)),
    ("session_time_is_held_in_negotiation", "a reason for nothing", on("Request", held_until=None, hold_reason="x")),
    ("session_editor_from_editing_on", "missing", on("In Editing", assigned_editor=None)),
    ("session_editor_from_editing_on", "too early", lambda ten: on("Attended", assigned_editor=ten.studio.editor)(ten)),
    ("session_delivery_date_from_assigned_on", "missing", on("Assigned", estimated_delivery_date=None)),
    ("session_editing_days_positive", "none", on("Request", estimated_editing_days=0)),
    ("session_canceled_with_when_and_why", "without when", on("Canceled", canceled_at=None)),
    ("session_canceled_with_when_and_why", "without why", on("Canceled", cancellation_reason="")),
    ("session_canceled_with_when_and_why", "without who", on("Canceled", canceled_by_initiator="")),
    ("session_canceled_with_when_and_why", "not canceled", on("Request", canceled_at=NOW)),
    ("session_status_has_history", "changed", on("Request", status="Negotiation")),
    ("session_status_has_history", "new", session_without_history),
    ("session_status_has_history", "one row for two changes", there_and_back_and_there),
    ("session_canceled_with_when_and_why", "without what is kept", on("Canceled", kept_amount=None)),
    ("session_amounts_not_negative", "kept below zero", on("Canceled", kept_amount=-1)),
    # -- history
    ("history_is_a_change", "to itself", history("Request", "Request")),
    ("history_begins_once", "again", history(None, "Request")),
    ("history_is_append_only", "edited", of("Confirmed", StatusHistory, reason="It was otherwise")),
    ("history_is_append_only", "deleted", deleted(StatusHistory)),
    # -- lines
    ("line_quantity_positive", "none", of("Confirmed", SessionDetail, quantity=0, line_subtotal=0)),
    ("line_price_not_negative", "gift", of("Confirmed", SessionDetail, quantity=1, unit_price=-5, line_subtotal=-5)),
    (
        "line_subtotal_is_the_product",
        "a cent more",
        of("Confirmed", SessionDetail, line_subtotal=F("line_subtotal") + 1),
    ),
    ("line_has_a_name", "nameless", of("Confirmed", SessionDetail, item_name="")),
    ("line_reference_whole", "of nothing", of("Confirmed", SessionDetail, reference_type="")),
    ("line_reference_whole", "without number", of("Confirmed", SessionDetail, reference_id=None)),
    ("line_reference_whole", "unknown word", of("Confirmed", SessionDetail, reference_type="Gift")),
    # -- clients
    (
        "client_email_unique",
        "other case",
        lambda ten: Client.objects.create(
            full_name="Twin", email=ten.studio.client.email.upper(), primary_phone="5555-0000"
        ),
    ),
    ("client_has_a_name", "nameless", to(Client, full_name="")),
    ("client_type_known", "unknown word", to(Client, client_type="Robot")),
    ("client_deleted_is_inactive", "still active", to(Client, deleted_at=NOW)),
    # -- imports
    ("opening_weekday_known", "eighth day", opened(weekday=7)),
    ("opening_closes_after_it_opens", "backward", opened(closes=time(8))),
    ("opening_once_at_a_time", "twice", after(opened(), opened(closes=time(12)))),
    ("opening_exception_closes_after_it_opens", "backward", other_day(opens=time(9), closes=time(8))),
    ("opening_exception_closes_after_it_opens", "half", other_day(opens=time(9))),
    ("opening_exception_once_at_a_time", "closed twice", after(other_day(), other_day())),
    ("import_kind_known", "unknown word", bring(kind="Robots")),
    ("import_state_known", "unknown word", bring(state="Lost")),
    ("import_done_within_its_rows", "more than there are", bring(rows=1, done=2)),
    ("import_text_goes_when_written", "kept", bring(state="Done", finished_at=NOW)),
    ("import_text_goes_when_written", "without when", bring(state="Done", text="")),
    ("import_text_goes_when_written", "not written", bring(finished_at=NOW)),
    # -- payments
    ("payment_amount_positive", "nothing", pay("Confirmed", amount=0)),
    ("payment_amount_positive", "less than nothing", pay("Confirmed", amount=-5)),
    ("payment_type_known", "unknown word", pay("Confirmed", payment_type="Tip")),
    ("payment_status_known", "unknown word", pay("Confirmed", payment_status="Maybe", verified_at=NOW)),
    ("payment_method_known", "unknown word", pay("Confirmed", payment_method="Shells")),
    ("payment_has_a_document", "none", pay("Confirmed", document_number="")),
    ("payment_method_known", "none", pay("Confirmed", payment_method="")),
    (
        "payment_method_known",
        "refund paid out by nothing",
        pay("Confirmed", payment_type="Refund", payment_method="", payment_status="Verified", verified_at=NOW),
    ),
    ("payment_decided_when_decided", "pending", pay("Confirmed", verified_at=NOW)),
    ("payment_decided_when_decided", "verified", pay("Confirmed", payment_status="Verified")),
    ("payment_voided_with_when_and_why", "without both", pay("Confirmed", deleted_flag=True)),
    ("payment_voided_with_when_and_why", "without why", pay("Confirmed", deleted_flag=True, deleted_at=NOW)),
    ("payment_voided_with_when_and_why", "not voided", pay("Confirmed", deleted_reason="Typed twice")),
    ("payment_one_live_deposit", "second", pay("Confirmed", payment_type="Deposit")),
    ("payment_within_total", "a cent more", pay("Confirmed", amount=Decimal("500.01"))),
    ("refund_within_paid", "a cent more", pay("Confirmed", payment_type="Refund", amount=Decimal("500.01"))),
    ("payment_for_a_live_session", "canceled", pay("Canceled")),
    ("payment_is_never_edited", "amount", of("Confirmed", Payment, amount=1)),
    ("payment_is_never_edited", "type", of("Confirmed", Payment, payment_type="Balance")),
    ("payment_is_never_edited", "undone", of("Confirmed", Payment, payment_status="Pending", verified_at=None)),
    ("payment_is_never_edited", "document", of("Confirmed", Payment, document_number="Another")),
    ("payment_is_never_edited", "back from the void", voided),
    (
        "payment_is_never_edited",
        "of another session",
        lambda ten: of("Confirmed", Payment, session=ten.walks["Pre-scheduled"].session)(ten),
    ),
    ("payment_is_never_deleted", "deleted", deleted(Payment)),
    ("payment_counts_on_a_day_when_verified", "pending", pay("Confirmed", cash_day=date(2026, 3, 2))),
    ("payment_is_taken_out_on_a_day_when_voided", "not voided", pay("Confirmed", void_cash_day=date(2026, 3, 2))),
    ("payment_is_never_edited", "another day", of("Confirmed", Payment, cash_day=date(2026, 3, 1))),
    ("cash_day_is_open", "counted", money_on_a_closed_day),
    ("cash_day_is_open", "voided", void_on_a_closed_day),
    ("till_is_one", "second", lambda ten: Till.objects.create(pk=2)),
    ("till_goes_forward", "opened again", till_opened_again),
    ("till_goes_forward", "taken away", till_taken_away),
    ("closing_days_in_order", "backwards", close_till(first_day=date(2026, 3, 3))),
    ("closing_stands", "changed", after(close_till(), to(CashClosing, notes="x"))),
    ("closing_stands", "deleted", after(close_till(), lambda ten: CashClosing.objects.all().delete())),
    ("receipt_series_is_one", "second", lambda ten: ReceiptSeries.objects.create(pk=2)),
    ("receipt_number_positive", "none", lambda ten: Receipt.objects.create(number=0, issued_at=NOW)),
    ("receipt_stands", "changed", to(Receipt, facts={})),
    ("receipt_stands", "another number", to(Receipt, number=1_000_000)),
    ("receipt_stands", "deleted", lambda ten: Receipt.objects.all().delete()),
    ("commission_kind_known", "unknown word", earn(kind="Gift", reason="x")),
    ("commission_source_known", "unknown word", earn(rate_source="Stars")),
    ("commission_rate_is_a_share", "above one", earn(rate=2, amount=2000)),
    ("commission_rate_is_a_share", "below zero", earn(rate=-1, amount=-1000)),
    ("commission_is_the_product", "a cent more", earn(amount=Decimal("100.01"))),
    ("commission_correction_says_why", "no reason", earn(kind="Correction")),
    ("commission_correction_says_why", "earned below zero", earn(base=-1000, amount=-100)),
    ("commission_is_earned_once", "twice", after(earn(), earn())),
    ("commission_stands", "changed", after(earn(), to(CommissionLine, earned_on=date(2026, 1, 1)))),
    ("commission_stands", "paid twice", paid_line_put_on_another_statement),
    ("commission_stands", "deleted", after(earn(), lambda ten: CommissionLine.objects.all().delete())),
    ("statement_days_in_order", "backwards", state(last_day=date(2026, 2, 1))),
    ("statement_method_known", "unknown word", state(payment_method="Shells")),
    ("statement_has_a_document", "none", state(document_number="")),
    ("statement_stands", "changed", after(state(), to(CommissionStatement, total=5))),
    ("quote_number_once", "twice", after(quote(), quote())),
    ("quote_number_positive", "none", quote(number=0)),
    ("quote_total_not_negative", "below zero", quote(total=-1)),
    ("quote_stands", "changed", after(quote(), to(QuoteVersion, total=2))),
    ("quote_stands", "deleted", after(quote(), lambda ten: QuoteVersion.objects.all().delete())),
    ("session_commission_is_a_share", "above one", on("Request", commission_override=2)),
    # -- rooms and people
    ("room_code_unique", "other case", lambda ten: Room.objects.create(code=ten.studio.room.code.lower(), name="Twin")),
    ("room_capacity_positive", "none", to(Room, capacity=0)),
    ("room_status_known", "unknown word", to(Room, status="Flooded")),
    ("room_never_twice", "overlapping", room_at_the_time_of_a_session),
    ("room_reservation_span", "empty", hold_room(during=EMPTY)),
    ("room_reservation_span", "end included", hold_room(during=DateTimeTZRange(FAR, FAR + HOUR, "[]"))),
    ("room_reservation_span", "start excluded", hold_room(during=DateTimeTZRange(FAR, FAR + HOUR, "()"))),
    ("room_reservation_span", "for ever", hold_room(during=DateTimeTZRange(FAR, None))),
    ("room_reservation_one_per_session", "second", second_room_for_a_session),
    ("staff_never_twice", "overlapping", person_at_the_time_of_a_session),
    ("staff_reservation_span", "empty", hold_person(during=EMPTY)),
    ("staff_reservation_span", "since ever", hold_person(during=DateTimeTZRange(None, FAR))),
    (
        "assignment_status_known",
        "unknown word",
        of("Confirmed", StaffReservation, assignment_status="Lost", released_at=NOW),
    ),
    (
        "assignment_reassigned_is_released",
        "still held",
        lambda ten: (
            StaffReservation.objects.holding()
            .filter(session=ten.walks["Confirmed"].session)
            .update(assignment_status="Reassigned")
        ),
    ),
    ("time_off_leads_nothing", "lead", hold_person(is_lead_photographer=True)),
    ("time_off_leads_nothing", "attended", hold_person(attended_at=NOW)),
    ("assignment_once_per_session", "second", same_person_twice_on_a_session),
    (
        "assignment_one_lead",
        "two",
        lambda ten: (
            StaffReservation.objects.holding()
            .filter(session=ten.walks["Confirmed"].session)
            .update(is_lead_photographer=True)
        ),
    ),
    # -- catalogue
    (
        "item_code_unique",
        "other case",
        lambda ten: Item.objects.create(
            code=Item.objects.first().code.lower(), name="Twin", item_type="Album", unit_price=1
        ),
    ),
    ("item_price_not_negative", "gift", to(Item, unit_price=-1)),
    ("item_quantity_positive", "none", to(Item, default_quantity=0)),
    ("item_type_known", "unknown word", to(Item, item_type="Statue")),
    ("item_measure_known", "unknown word", to(Item, unit_measure="Bushel")),
    (
        "package_code_unique",
        "other case",
        lambda ten: Package.objects.create(code=ten.studio.package.code.lower(), name="Twin", base_price=1),
    ),
    ("package_price_not_negative", "gift", to(Package, base_price=-1)),
    ("package_editing_days_positive", "none", to(Package, estimated_editing_days=0)),
    ("package_session_type_known", "unknown word", to(Package, session_type="Moon")),
    (
        "package_item_once",
        "twice",
        lambda ten: PackageItem.objects.create(
            package=ten.studio.package, item=ten.studio.package.content.first().item
        ),
    ),
    ("package_item_quantity_positive", "none", to(PackageItem, quantity=0)),
    # -- the leaf
    ("user_email_in_lower_case", "upper case", sql("UPDATE studio_user SET email = upper(email)")),
    ("user_has_a_name", "nameless", to(User, full_name="")),
    ("user_buffers_of_hours_at_most", "before", to(User, buffer_before=241)),
    ("user_buffers_of_hours_at_most", "after", to(User, buffer_after=241)),
    ("user_commission_rate_0_to_1", "above 1", to(User, commission_rate=Decimal("1.001"))),
    ("user_commission_rate_0_to_1", "below 0", to(User, commission_rate=Decimal("-0.001"))),
    ("user_language_known", "unknown", to(User, language="fr")),
    ("audit_event_named", "nameless", lambda ten: AuditEvent.objects.create(event="")),
    ("notice_once_for_each_key", "twice", notice_twice),
    ("mail_status_known", "unknown word", to(OutgoingEmail, status="lost")),
    ("mail_sent_has_its_time", "without", to(OutgoingEmail, status="sent", sent_at=None)),
    ("mail_sent_has_its_time", "not sent", to(OutgoingEmail, status="waiting", sent_at=NOW)),
    ("mail_claimed_has_its_time", "without", to(OutgoingEmail, status="claimed", sent_at=None, claimed_at=None)),
    ("job_once_a_day", "twice", twice(JobRun, job="auto_cancel_unpaid", local_date=date(2026, 3, 2), due_at=NOW)),
]

# Unique columns and pairs, whose constraints are named by Django: by what they are of.
UNIQUE: dict[str, Hit] = {
    "Session.code": lambda ten: on("Request", code=ten.walks["Canceled"].session.code)(ten),
    "CashClosing.day": after(close_till(), close_till()),
    "Receipt.number": after(
        *[lambda ten: Receipt.objects.create(number=10_000, issued_at=NOW)] * 2,
    ),
    "Receipt.payment": lambda ten: Receipt.objects.create(
        number=10_000, payment=Receipt.objects.first().payment, issued_at=NOW
    ),
    "CalendarFeed.token_hash": lambda ten: [
        CalendarFeed.objects.create(token_hash="x" * 64, owner=ten.studio.admin, created_at=NOW) for _ in range(2)
    ],
    "User.email": lambda ten: User.objects.filter(pk=ten.studio.admin.pk).update(email=ten.studio.editor.email),
    "OutgoingEmail.key": lambda ten: OutgoingEmail.objects.update(key="the same for all"),
    "SessionUserObjectPermission.user+permission+content_object": grant_twice,
}

# The triggers, and the names under which they refuse. The last refuses without one.
TRIGGERS = {
    "session_status_has_history": {"session_status_has_history"},
    "history_is_never_changed": {"history_is_append_only"},
    "history_stays_with_its_session": {"history_is_append_only"},
    "cash_day_is_open": {"cash_day_is_open", "payment_is_never_edited"},
    "till_goes_forward": {"till_goes_forward"},
    "closing_stands": {"closing_stands"},
    "receipt_stands": {"receipt_stands"},
    "commission_stands": {"commission_stands"},
    "commission_stays_with_its_session": {"commission_stands"},
    "statement_stands": {"statement_stands"},
    "quote_stands": {"quote_stands"},
    "quote_stays_with_its_session": {"quote_stands"},
    "payment_is_never_edited": {"payment_is_never_edited"},
    "payment_is_never_deleted": {"payment_is_never_deleted"},
    "payment_fits": {"payment_within_total", "refund_within_paid", "payment_for_a_live_session"},
    "studio_audit_append_only": set(),
}


def refused(ten: Ten, hit: Hit) -> IntegrityError:
    """The database's refusal of a raw write, at the latest at the end of its transaction."""
    with tried(), pytest.raises(IntegrityError) as refusal, transaction.atomic():
        hit(ten)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return refusal.value


@pytest.mark.parametrize(("name", "hit"), [pytest.param(name, hit, id=f"{name}-{how}") for name, how, hit in HITS])
def test_raw_write_is_refused_by_name(ten, name, hit):
    assert refused(ten, hit).__cause__.diag.constraint_name == name


@pytest.mark.parametrize("what", UNIQUE)
def test_second_of_what_is_unique_is_refused(ten, what):
    assert "already exists" in str(refused(ten, UNIQUE[what]))


def test_audit_log_is_never_edited_nor_deleted(ten):
    for hit in (
        lambda _ten: AuditEvent.objects.update(event="nothing"),
        lambda _ten: AuditEvent.objects.all().delete(),
    ):
        with tried():
            AuditEvent.objects.create(event="denied")
            assert "append only" in str(refused(ten, hit))


def ours() -> list[type]:
    return [model for model in apps.get_models() if model._meta.app_label in OURS]


def test_every_constraint_of_every_model_is_hit():
    named = {constraint.name for model in ours() for constraint in model._meta.constraints}
    assert named - {name for name, _how, _hit in HITS} == set()
    unique = {
        f"{model.__name__}.{field.name}"
        for model in ours()
        for field in model._meta.concrete_fields
        if field.unique and not field.primary_key
    }
    pairs = {f"{model.__name__}.{'+'.join(fields)}" for model in ours() for fields in model._meta.unique_together}
    assert unique | pairs == set(UNIQUE)


def test_every_trigger_is_hit(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE NOT tgisinternal AND relname ~ '^(studio|catalog|scheduling|payments|sessions_app)_'"
        )
        triggers = {name for (name,) in cursor.fetchall()}
    assert triggers == set(TRIGGERS)
    assert set().union(*TRIGGERS.values()) <= {name for name, _how, _hit in HITS}


def test_names_that_are_hit_are_names_that_there_are():
    """A constraint that was renamed or taken out leaves no row behind that tests nothing."""
    named = {constraint.name for model in ours() for constraint in model._meta.constraints}
    assert {name for name, _how, _hit in HITS} - named == set().union(*TRIGGERS.values())
