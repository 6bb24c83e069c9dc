"""E-mails of the walk: what they say, and whether they still are true when they are sent (business rules 8.1)."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core import mail as django_mail
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar

from payments.models import PaymentMethod
from sessions_app import mail, workflow
from sessions_app.actions import book, editing, pay, people, price, request
from sessions_app.models import Client, Session
from studio import outbox
from studio.conf import STUDIO
from studio.errors import AccessDenied, ImmutableSession, InvalidInput, SessionNotFound
from studio.models import OutgoingEmail
from studio.roles import Role
from tests.factories.domain import ItemFactory, RoomFactory, Studio, Walk, at, person

pytestmark = pytest.mark.django_db


def waiting() -> list[str]:
    return list(OutgoingEmail.objects.filter(status="waiting").order_by("pk").values_list("kind", flat=True))


def test_confirmation_tells_the_facts_and_nothing_private():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    assert (row.to, row.context["session_code"]) == (studio.client.email, walk.session.code)
    assert (row.context["total"], row.context["net_paid"], row.context["balance"]) == ("1000.00", "500.00", "500.00")
    assert row.context["sold"][0]["quantity"] == "1"
    text = str(row.context)
    assert studio.client.notes not in text
    assert studio.client.delivery_address not in text


def test_reopening_and_canceling_drop_what_is_no_longer_so():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    assert waiting() == ["confirmation_email"]
    walk.session.reopen(by=studio.coordinator, now=walk.now)
    assert waiting() == []
    walk.session.preschedule(by=studio.coordinator, now=walk.now)
    walk.session.confirm(by=studio.coordinator, now=walk.now)
    assert waiting() == ["confirmation_email"]
    walk.to(workflow.CANCELED)
    assert waiting() == ["cancellation_email"]


def test_row_is_checked_again_before_it_is_sent():
    """A confirmation that waited while the session was canceled by other means is not sent."""
    walk = Studio().walk(workflow.CONFIRMED)
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    assert mail.still_true(row)
    walk.to(workflow.CANCELED)
    assert not mail.still_true(row)


def test_every_kind_of_the_walk_is_known_to_the_outbox():
    assert set(mail.STATES_OF) <= outbox.KINDS


def test_editor_moves_the_delivery_and_the_client_is_told():
    """Business rules 10.3."""
    studio = Studio()
    walk = studio.walk(workflow.IN_EDITING)
    session = editing.move_delivery(walk.session, editing_days=12, note="Two cards", by=studio.editor, now=walk.now)
    assert session.estimated_delivery_date == session.session_date + timedelta(days=12)
    assert "Two cards" in session.editor_observations
    row = OutgoingEmail.objects.get(kind="delivery_date_email")
    assert row.context["estimated_delivery_date"] == session.estimated_delivery_date.isoformat()
    for days, note in ((0, "x"), (366, "x"), (12, "x"), (13, " ")):
        with pytest.raises(InvalidInput):
            editing.move_delivery(session, editing_days=days, note=note, by=studio.editor, now=walk.now)
    for by, error in ((studio.coordinator, AccessDenied), (person(Role.EDITOR), SessionNotFound)):
        with pytest.raises(error):
            editing.move_delivery(session, editing_days=14, note="x", by=by, now=walk.now)
    walk.session.refresh_from_db()
    walk.to(workflow.READY)
    with pytest.raises(ImmutableSession):
        editing.move_delivery(session, editing_days=14, note="x", by=studio.editor, now=walk.now)


# -- checked and read anew when they are sent --------------------------------------------------------------------------


def send(walk: Walk, now: datetime | None = None) -> list:
    """What the worker sends now, a little after the last step."""
    django_mail.outbox.clear()
    now = now or walk.now + timedelta(minutes=1)
    OutgoingEmail.objects.filter(status="waiting").update(next_try_at=now)
    outbox.deliver(now)
    return django_mail.outbox


def calendar_of(message) -> Calendar:
    (part,) = message.attachments
    assert part.get_content_type() == "text/calendar"
    return Calendar.from_ical(part.get_payload(decode=True))


def event_of(message):
    (found,) = calendar_of(message).walk("VEVENT")
    return found


def row_of(kind: str) -> OutgoingEmail:
    return OutgoingEmail.objects.get(kind=kind)


def test_confirmation_that_waited_tells_the_time_to_which_the_session_moved():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    queued = row_of("confirmation_email").context
    request.edit(
        walk.session,
        when=studio.when(days=25, start="09:00", end="11:00"),
        by=studio.coordinator,
        now=walk.now + timedelta(seconds=5),
    )
    (message,) = send(walk)
    session = Session.objects.get(pk=walk.session.pk)
    assert "09:00" in message.body and "14:00" not in message.body
    kept = row_of("confirmation_email").context
    assert kept["starts_at"] == session.starts_at.isoformat() != queued["starts_at"]
    assert kept["changes_deadline"] == session.changes_deadline.isoformat() != queued["changes_deadline"]
    assert event_of(message).start == session.starts_at


def test_confirmation_that_waited_tells_present_amounts_and_place_to_the_present_address():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    price.add_item(
        walk.session, item=ItemFactory(unit_price=Decimal("200.00")), quantity=1, by=studio.coordinator, now=walk.now
    )
    people.give_room(walk.session, room_id=RoomFactory(name="Blue room").pk, by=studio.coordinator, now=walk.now)
    book.change_client(studio.client, by=studio.coordinator, email="right@example.test", language="en")
    (message,) = send(walk)
    assert message.to == ["right@example.test"]
    assert "Your session is confirmed" in message.body
    for fact in ("1,200.00", "700.00", "Blue room"):
        assert fact in message.body
    row = row_of("confirmation_email")
    assert (row.to, row.language, row.context["total"]) == ("right@example.test", "en", "1200.00")


def test_what_has_not_changed_is_not_written_again():
    """Instants are kept in one zone: the same facts are the same row."""
    walk = Studio().walk(workflow.CONFIRMED)
    row = row_of("confirmation_email")
    assert outbox.as_it_is_now(row).context == row.context
    walk.to(workflow.CANCELED)
    row = row_of("cancellation_email")
    assert outbox.as_it_is_now(row).context == row.context | {"in_calendar": False}


def overpaid(studio: Studio) -> Walk:
    """Confirmed and paid in full, reopened, and made cheaper by what is then owed back: 200.00."""
    walk = studio.walk(workflow.CONFIRMED)
    money = {"method": PaymentMethod.CASH, "document_number": "R-1", "payment_date": studio.today}
    payment = pay.register_balance(walk.session, amount=Decimal("500.00"), by=studio.coordinator, now=walk.now, **money)
    pay.verify(payment, by=studio.coordinator, now=walk.now)
    price.set_price(
        walk.session,
        transportation_cost=Decimal("0.00"),
        discount=Decimal("200.00"),
        discount_reason="A friend",
        deposit_percentage=50,
        deposit_note="",
        by=studio.coordinator,
        now=walk.now,
    )
    pay.owe_difference(walk.session, by=studio.coordinator, now=walk.now)
    return walk


def test_cancellation_adds_what_was_owed_before():
    """D19, D32: an older pending refund is paid back as well; the reason stays that of the rule."""
    studio = Studio()
    walk = overpaid(studio)
    walk.session.refresh_from_db()
    walk.session.cancel(by=studio.coordinator, now=walk.now, reason="Ill", initiator="company")
    row = row_of("cancellation_email")
    assert (row.context["refund_amount"], row.context["refund_reason"]) == (
        "1000.00",
        "Company cannot fulfill - full refund",
    )
    assert any("1,000.00" in message.body for message in send(walk))


def test_cancellation_that_waited_tells_what_was_paid_out_meanwhile():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    walk.to(workflow.CANCELED)
    refund = walk.session.payments.get(payment_type="Refund")
    pay.pay_out(
        refund,
        method=PaymentMethod.CASH,
        document_number="R-9",
        payment_date=studio.today,
        by=studio.coordinator,
        now=walk.now,
    )
    message = next(each for each in send(walk) if each.to == [studio.client.email])
    row = row_of("cancellation_email")
    assert (row.context["refund_amount"], row.context["refunded_amount"]) == ("0.00", "500.00")
    assert "500.00" in message.body


@pytest.fixture
def reminded() -> Walk:
    """Pre-scheduled, with a reminder that waits."""
    walk = Studio().walk(workflow.PRE_SCHEDULED)
    session = Session.objects.get(pk=walk.session.pk)
    mail.queue("payment_reminder_email", session, occasion=session.payment_deadline.isoformat())
    return walk


def test_reminder_is_sent_while_the_deposit_is_missing(reminded):
    (message,) = send(reminded)
    assert "500.00" in message.body


def test_reminder_is_dropped_once_the_deposit_is_in(reminded):
    """Verified payments cover the deposit, though nobody has confirmed yet (D5)."""
    coordinator, session = reminded.studio.coordinator, reminded.session
    money = {"method": PaymentMethod.CASH, "document_number": "R-1", "payment_date": reminded.studio.today}
    for amount, expected in (("300.00", True), ("200.00", False)):
        pending = pay.register_deposit if expected else pay.register_balance
        paid = pending(session, amount=Decimal(amount), by=coordinator, now=reminded.now, **money)
        assert mail.still_true(row_of("payment_reminder_email")), "a payment that nobody has verified does not count"
        for payment in paid if isinstance(paid, list) else [paid]:
            pay.verify(payment, by=coordinator, now=reminded.now)
        assert mail.still_true(row_of("payment_reminder_email")) is expected
    assert send(reminded) == []
    assert row_of("payment_reminder_email").status == "dropped"


@pytest.mark.parametrize("state", [workflow.CONFIRMED, workflow.CANCELED])
def test_reminder_of_what_is_settled_is_dropped(reminded, state):
    reminded.to(state)
    OutgoingEmail.objects.filter(kind="payment_reminder_email").update(status="waiting")
    send(reminded)
    assert row_of("payment_reminder_email").status == "dropped"


def test_reminder_of_a_deadline_that_has_passed_is_dropped(reminded):
    """A mail server was down for days: "until Saturday" is no longer so on Sunday."""
    session = Session.objects.get(pk=reminded.session.pk)
    assert send(reminded, session.payment_deadline + timedelta(seconds=1)) == []
    assert row_of("payment_reminder_email").status == "dropped"


def test_email_about_a_deleted_session_is_dropped():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    Session.objects.filter(pk=walk.session.pk).update(deleted_at=walk.now)
    assert send(walk) == []
    assert row_of("confirmation_email").status == "dropped"


# -- the client's calendar ---------------------------------------------------------------------------------------------


def test_confirmation_brings_the_date_for_the_calendar():
    client = Client.objects.create(full_name="Ana", email="ana@example.test", language="en", notes="SECRET habit")
    studio = Studio(client=client)
    with STUDIO.overridden(name="Foto & Luz"):
        walk = studio.walk(
            workflow.CONFIRMED,
            session_type=workflow.EXTERNAL_SESSION,
            location="Finca El Pilar; salón 2, Antigua",
            event_description="Wedding, Ana & Luis",
            special_notes="SECRET wish",
            when=studio.when(start="20:00", end="02:00"),
        )
        (message,) = send(walk)
        found = event_of(message)
        (part,) = message.attachments
        sent = message.message().as_string()
    session = Session.objects.get(pk=walk.session.pk)
    assert (found.start, found.end) == (session.starts_at, session.ends_at)
    assert found["summary"] == "Wedding, Ana & Luis · Foto & Luz"
    assert found["location"] == "Finca El Pilar; salón 2, Antigua"
    assert session.code in found["description"] and "Foto & Luz" in found["description"]
    assert "SECRET" not in sent + message.body + str(found)
    assert (found["status"], calendar_of(message)["method"]) == ("CONFIRMED", "PUBLISH")
    assert (part.get_param("charset"), part.get_param("method")) == ("utf-8", "PUBLISH")
    assert part.get_filename() == f"{session.code.lower()}.ics"
    assert "text/calendar" in sent
    assert "attached" in message.body


@pytest.mark.parametrize(
    "zone", ["America/Guatemala", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
)
@pytest.mark.parametrize(("day", "start", "end"), [("2026-10-24", "22:00", "05:00"), ("2026-03-28", "14:00", "16:00")])
def test_calendar_and_text_agree_in_every_zone(zone, day, start, end):
    with STUDIO.overridden(time_zone=zone):
        studio = Studio()
        shift = (at(day).date() - studio.today).days
        walk = studio.walk(workflow.CONFIRMED, when=studio.when(days=shift, start=start, end=end))
        (message,) = send(walk)
        found, where = event_of(message), ZoneInfo(zone)
        assert f"{found.start.astimezone(where):%Y-%m-%d %H:%M}" == f"{day} {start}"
        assert f"{found.end.astimezone(where):%H:%M}" == end
        assert start in message.body and end in message.body


def test_cancellation_takes_the_date_out_of_a_calendar_that_has_it():
    walk = Studio().walk(workflow.CONFIRMED)
    (confirmation,) = send(walk)
    walk.now += timedelta(hours=1)
    walk.to(workflow.CANCELED)
    (cancellation,) = send(walk)
    first, last = event_of(confirmation), event_of(cancellation)
    assert (last["uid"], last["status"], calendar_of(cancellation)["method"]) == (first["uid"], "CANCELLED", "CANCEL")
    assert last["sequence"] > first["sequence"]
    assert not last.get("description")


def test_cancellation_of_what_the_client_never_got_brings_no_file():
    walk = Studio().walk(workflow.CONFIRMED)
    walk.to(workflow.CANCELED)
    (message,) = send(walk)
    assert message.attachments == []
    walk = Studio().walk(workflow.NEGOTIATION)
    walk.to(workflow.CANCELED)
    (message,) = send(walk)
    assert message.attachments == []


def test_reopened_and_confirmed_again_is_the_same_event_moved():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    (first,) = send(walk)
    walk.now += timedelta(hours=1)
    walk.session.reopen(by=studio.coordinator, now=walk.now)
    request.edit(walk.session, when=studio.when(days=30), by=studio.coordinator, now=walk.now)
    walk.session.refresh_from_db()
    walk.session.preschedule(by=studio.coordinator, now=walk.now)
    walk.session.confirm(by=studio.coordinator, now=walk.now)
    (second,) = send(walk)
    before, after = event_of(first), event_of(second)
    assert after["uid"] == before["uid"]
    assert after.start > before.start and after["sequence"] > before["sequence"]


def test_other_emails_bring_no_file(reminded):
    (message,) = send(reminded)
    assert message.attachments == []


# -- for pages ---------------------------------------------------------------------------------------------------------


def test_an_email_leads_to_its_session_and_is_found_by_its_code(django_assert_num_queries):
    walk = Studio().walk(workflow.CONFIRMED)
    row = row_of("confirmation_email")
    with django_assert_num_queries(0):
        assert outbox.page_of(row) == reverse("session-page", args=[walk.session.code]) + "#mail"
    assert mail.find(walk.session.code.lower()) == ("sessions_app.session", walk.session.pk)
    assert mail.find("nothing") is None
    assert list(outbox.search(walk.session.code)) == [row]
    assert list(outbox.search(row.to[:6].upper())) == [row]
    assert not outbox.search("@example").exists()


def test_a_deleted_session_still_tells_its_client_that_it_is_off():
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED)
    OutgoingEmail.objects.filter(kind="confirmation_email").update(status="sent", sent_at=walk.now)
    walk.to(workflow.CANCELED)
    book.delete_session(walk.session, by=studio.admin, now=walk.now)
    assert waiting() == ["cancellation_email"]
    outbox.deliver(now=timezone.now())
    assert [letter.to for letter in django_mail.outbox] == [[studio.client.email]]


def test_moving_the_delivery_to_and_fro_tells_the_last_date_once():
    studio = Studio()
    session = studio.walk(workflow.IN_EDITING).session
    OutgoingEmail.objects.all().delete()
    for minute, days in enumerate((9, 12, 9)):
        now = studio.now + timedelta(days=60, minutes=minute)
        editing.move_delivery(session, editing_days=days, note="Busy", by=studio.editor, now=now)
    assert waiting() == ["delivery_date_email"]
