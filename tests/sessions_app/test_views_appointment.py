"""An appointment's page for the office and for its artist, its form, its moves and its money."""

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from catalog.models import Item
from payments.models import CommissionLine, Payment, Receipt
from scheduling import hours
from scheduling.slots import Span, instant
from sessions_app import workflow
from sessions_app.actions import appoint, pay, price
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.models import Notice, OutgoingEmail, User
from studio.roles import Role
from studio.templatetags.atelier import day
from tests.factories.domain import ClientFactory, ItemFactory, person
from tests.factories.shop import Shop

pytestmark = pytest.mark.django_db

AS_JSON = {"accept": "application/json"}
ADVANCE = Decimal("300.00")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def shop() -> Shop:
    """A shop of today: pages read the clock."""
    return Shop(now=timezone.now() - timedelta(days=2))


def tomorrow(shop: Shop, hours: int = 0) -> Span:
    day = timezone.now().astimezone(STUDIO.zone).date() + timedelta(days=1)
    start = instant(day, timezone.datetime.min.time()) + timedelta(hours=10 + hours)
    return Span(start, start + timedelta(hours=2))


def book(shop: Shop, hours: int = 0, **values: Any) -> Session:
    return shop.book(tomorrow(shop, hours), **values)


def begun(shop: Shop, **values: Any) -> Session:
    """Under way now."""
    now = timezone.now()
    return shop.book(Span(now - timedelta(hours=1), now + timedelta(hours=1)), **values)


def paid(shop: Shop, session: Session, amount: Decimal = ADVANCE, *, verified: bool = True) -> Payment:
    row = pay.register_advance(
        session,
        amount=amount,
        method="Transfer",
        document_number=f"BI-{session.code}",
        payment_date=shop.today,
        by=shop.coordinator,
        now=shop.now,
    )
    return pay.verify(row, by=shop.coordinator, now=shop.now) if verified else row


def browser(user: User) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def page(user: User, session: Session, **headers: str):
    return browser(user).get(session.get_absolute_url(), headers=headers)


def move_url(session: Session, name: str) -> str:
    return reverse("session-move", args=[session.code, name])


def move(user: User, session: Session, name: str, **sent: Any):
    return browser(user).post(move_url(session, name), sent)


def main_of(answer: Any) -> str:
    return html.unescape(answer.content.decode().split("<main", 1)[1].split("</main>")[0]).replace(
        "\N{NO-BREAK SPACE}", " "
    )


def words_of(answer: Any) -> str:
    """What is read, without addresses and names of fields."""
    return re.sub(r"<[^>]*>", " ", main_of(answer))


# -- the two pages -----------------------------------------------------------------------------------------------------


def test_the_office_reads_everything(shop):
    session = book(shop, title="Sleeve, outline", notes="Left arm")
    paid(shop, session)
    body = main_of(page(shop.coordinator, session))
    for said in ("Sleeve, outline", "Left arm", shop.artist.full_name, "5555-0142", "5555-0999"):
        assert said in body
    for figure in ("1,000.00", "300.00", "700.00", "500.00", "the usual half"):
        assert figure in body
    for name in ("complete", "hold", "cancel"):
        assert move_url(session, name) in body
    assert reverse("appointment-edit", args=[session.code]) in body
    # There is an advance already: what comes now is an instalment.
    assert reverse("session-payment", args=[session.code]) in body
    assert reverse("session-deposit", args=[session.code]) not in body


def test_no_word_of_a_shoot_is_on_it(shop):
    session = book(shop)
    for user in (shop.coordinator, shop.artist):
        body = words_of(page(user, session)).lower()
        for word in ("photograph", "editor", "delivery", "deposit", "quote", "room", "deadline"):
            assert word not in body, word


def test_its_artist_reads_what_is_theirs_and_nothing_of_the_clients_record(shop):
    session = book(shop, title="Sleeve", notes="Left arm")
    paid(shop, session)
    answer, facts = page(shop.artist, session), page(shop.artist, session, **AS_JSON).json()
    body = main_of(answer)
    for said in ("1,000.00", "300.00", "700.00", "500.00", "Left arm", "5555-0142", session.client.email):
        assert said in body
    for secret in ("5555-0999", "Secret street", "Pays late", "Individual", "BI-", "Cancels often"):
        assert secret not in body
        assert secret not in json.dumps(facts)
    assert set(facts["session"]["contact"]) == {"full_name", "primary_phone", "email"}
    assert "client" not in facts["session"]
    assert (facts["session"]["price"], facts["session"]["balance"]) == ("1000.00", "700.00")
    assert reverse("session-payment", args=[session.code]) not in body


def test_nobody_else_learns_that_it_is_there(shop):
    session = book(shop)
    for user in (shop.other, person(Role.PHOTOGRAPHER), person(Role.EDITOR)):
        for answer in (page(user, session, **AS_JSON), browser(user).get(move_url(session, "complete"))):
            assert answer.status_code == 404
        assert browser(user).get(reverse("appointment-edit", args=[session.code])).status_code == 404
        assert (
            session.code not in browser(user).get(reverse("search"), {"q": session.client.full_name}).content.decode()
        )


def test_an_editor_learns_nothing_of_a_completed_one_by_taking_it(shop):
    """It shares its state with delivered shoots, which editors were told of (D8)."""
    session = book(shop).complete(by=shop.artist, method="Cash")
    editor = browser(person(Role.EDITOR))
    there = editor.post(move_url(session, "take"), headers=AS_JSON)
    absent = editor.post(reverse("session-move", args=["S-1999-9999", "take"]), headers=AS_JSON)
    assert (there.status_code, there.content) == (404, absent.content)


def test_who_had_it_before_sees_it_no_more(shop):
    session = book(shop)
    browser(shop.coordinator).post(
        reverse("appointment-edit", args=[session.code]), form_of(session, artist=shop.other.pk)
    )
    assert page(shop.artist, session).status_code == 404
    assert page(shop.other, session).status_code == 200


def test_another_time_stands_in_the_history_and_one_on_a_closed_day_is_warned_of(shop):
    session = book(shop)
    old, new = session.span, tomorrow(shop, 3)
    appoint.change(session, span=new, by=shop.artist, now=shop.now)
    appoint.change(session, span=new, notes="Blue", by=shop.artist, now=shop.now)
    hours.declare(session.session_date, session.session_date, by=person(Role.ADMIN), now=shop.now)
    told = f"Moved from {day(old.start)} 10:00–12:00 to {day(new.start)} 13:00–15:00"
    office, own = (main_of(page(user, session)) for user in (shop.coordinator, shop.artist))
    assert office.count(told) == own.count(told) == 1
    assert "outside the opening hours" in office and "outside the opening hours" not in own


@pytest.mark.parametrize("status", workflow.APPOINTMENT_STATES)
def test_every_state_has_its_pages_within_the_budget(shop, status):
    session = book(shop, tentative=status == workflow.WAITING)
    paid(shop, session)
    if status == workflow.COMPLETED:
        session.complete(by=shop.artist, method="Card")
    if status == workflow.CANCELED:
        session.cancel(by=shop.artist, reason="Ill", initiator="client")
    for user in (shop.coordinator, shop.artist):
        assert page(user, session, **AS_JSON).status_code == 200
        assert queries(user, session) <= 15


def queries(user: User, session: Session) -> int:
    client = browser(user)
    client.get(session.get_absolute_url())
    with CaptureQueriesContext(connection) as caught:
        assert client.get(session.get_absolute_url()).status_code == 200
    return len(caught)


def test_the_pages_cost_the_same_however_much_there_is_to_tell(shop):
    session = book(shop)
    users = (shop.coordinator, shop.artist)
    paid(shop, session)
    before = [queries(user, session) for user in users]
    for number in range(10):
        session.hold(by=shop.coordinator)
        session.activate(by=shop.artist)
        row = pay.register_balance(
            session,
            amount=Decimal("10.00"),
            method="Cash",
            document_number=str(number),
            payment_date=shop.today,
            by=shop.coordinator,
            now=shop.now,
        )
        pay.verify(row, by=shop.coordinator, now=shop.now)
    assert [queries(user, session) for user in users] == before


def test_an_open_price_is_said_to_be_open(shop):
    session = book(shop, price=None)
    for user in (shop.coordinator, shop.artist):
        body = main_of(page(user, session))
        assert "not agreed yet" in body
        assert "Known once the price is." in body
    assert page(shop.artist, session, **AS_JSON).json()["session"]["price"] is None


# -- the form ----------------------------------------------------------------------------------------------------------


def form_of(session: Session, **changes: Any) -> dict[str, Any]:
    sent = {
        "session_date": session.session_date.isoformat(),
        "start_time": f"{session.start_time:%H:%M}",
        "end_time": f"{session.end_time:%H:%M}",
        "event_description": session.event_description,
        "price": "" if session.price is None else str(session.price),
        "special_notes": session.special_notes,
        "commission": "",
    }
    return sent | changes


def edit(user: User, session: Session, **changes: Any):
    return browser(user).post(reverse("appointment-edit", args=[session.code]), form_of(session, **changes))


def test_the_artist_changes_time_price_and_words_but_not_their_own_commission(shop):
    session = book(shop, price=None)
    form = browser(shop.artist).get(reverse("appointment-edit", args=[session.code])).content.decode()
    assert 'name="price"' in form
    assert 'name="artist"' not in form and 'name="commission"' not in form
    answer = edit(
        shop.artist,
        session,
        start_time="11:00",
        end_time="12:30",
        price="1.250,50",
        special_notes="Both arms",
        artist=shop.other.pk,
        commission="90",
    )
    assert answer.status_code == 302
    session.refresh_from_db()
    assert (f"{session.start_time:%H:%M}", f"{session.end_time:%H:%M}") == ("11:00", "12:30")
    assert (session.price, session.special_notes) == (Decimal("1250.50"), "Both arms")
    assert (session.artist, session.commission_override) == (shop.artist, None)


def test_the_office_gives_it_to_another_artist_and_agrees_a_commission(shop):
    session = book(shop)
    assert edit(shop.coordinator, session, artist=shop.other.pk, commission="62.5").status_code == 302
    session.refresh_from_db()
    assert (session.artist, session.commission_override) == (shop.other, Decimal("0.625"))
    form = browser(shop.coordinator).get(reverse("appointment-edit", args=[session.code])).content.decode()
    assert 'value="62.5"' in form
    assert edit(shop.coordinator, session, artist=shop.other.pk).status_code == 302
    session.refresh_from_db()
    assert session.commission_override is None


MOVED = {"start_time": "15:00", "end_time": "17:00", "price": "900"}


def opened(user: User, session: Session) -> dict[str, str]:
    """What a browser would send back of the form, as it was opened."""
    page = browser(user).get(reverse("appointment-edit", args=[session.code]))
    form = page.context["form"]
    assert all(f'name="{name}" value="{value}"' in main_of(page) for name, value in form.seen())
    shown = {name: form[name].value() for name in form.fields}
    return {name: str(value) for name, value in (shown | dict(form.seen())).items()}


def save(user: User, session: Session, sent: dict[str, str], **typed: Any):
    return browser(user).post(reverse("appointment-edit", args=[session.code]), sent | typed)


def test_an_old_form_takes_back_nothing_that_somebody_else_changed(shop):
    session = book(shop, title="Sleeve", price=None)
    old = opened(shop.artist, session)
    assert edit(shop.coordinator, session, **MOVED, artist=shop.artist.pk).status_code == 302
    session.refresh_from_db()
    moved = session.span
    assert save(shop.artist, session, old, special_notes="Bring the drawing").status_code == 302
    session.refresh_from_db()
    assert (session.span, session.price) == (moved, Decimal("900.00"))
    assert (session.event_description, session.special_notes) == ("Sleeve", "Bring the drawing")


def test_an_old_form_of_the_office_takes_neither_artist_nor_commission_back(shop):
    session = book(shop)
    old = opened(shop.coordinator, session)
    assert edit(shop.coordinator, session, artist=shop.other.pk, commission="62.5").status_code == 302
    assert save(shop.coordinator, session, old, price="").status_code == 302
    session.refresh_from_db()
    assert (session.artist, session.commission_override, session.price) == (shop.other, Decimal("0.625"), None)


def test_a_time_that_both_changed_is_said_and_may_then_be_saved(shop):
    session = book(shop)
    old = opened(shop.artist, session)
    assert edit(shop.coordinator, session, **MOVED, artist=shop.artist.pk).status_code == 302
    answer = save(shop.artist, session, old, end_time="18:30")
    assert answer.status_code == 422
    assert "moved it meanwhile" in words_of(answer)
    # It comes back with what is so now, except for what they typed.
    form = answer.context["form"]
    assert [form[name].value() for name in ("start_time", "end_time", "price")] == ["15:00", "18:30", "900.00"]
    again = {name: str(form[name].value()) for name in form.fields} | dict(form.seen())
    assert save(shop.artist, session, again).status_code == 302
    session.refresh_from_db()
    assert (f"{session.start_time:%H:%M}", f"{session.end_time:%H:%M}") == ("15:00", "18:30")
    assert session.price == Decimal("900.00")


def test_seconds_that_the_form_does_not_show_are_no_move(shop):
    when = tomorrow(shop)
    session = shop.book(Span(when.start + timedelta(seconds=20), when.end + timedelta(seconds=20)))
    Notice.objects.all().delete()
    assert save(shop.coordinator, session, opened(shop.coordinator, session), special_notes="Left").status_code == 302
    assert edit(shop.artist, session, special_notes="Left arm").status_code == 302
    before = session.span
    session.refresh_from_db()
    assert (session.span, session.special_notes) == (before, "Left arm")
    assert not Notice.objects.exists()


def test_saving_in_the_hour_that_the_clocks_repeat_does_not_move_it(shop):
    with STUDIO.overridden(time_zone="America/New_York"):
        second = datetime(2027, 11, 7, 1, 30, tzinfo=STUDIO.zone, fold=1).astimezone(UTC)
        session = shop.book(Span(second, second + timedelta(hours=2)))
        form = opened(shop.artist, session)
        assert (form["start_time"], form["end_time"]) == ("01:30", "03:30")
        assert save(shop.artist, session, form, special_notes="Left").status_code == 302
        session.refresh_from_db()
        assert (session.starts_at, session.ends_at) == (second, second + timedelta(hours=2))
        # Nor does its start when only the end is another one.
        assert save(shop.artist, session, opened(shop.artist, session), end_time="04:30").status_code == 302
        session.refresh_from_db()
        assert (session.starts_at, session.ends_at) == (second, second + timedelta(hours=3))
        # 01:45 is read as the first of the two, which lies before the start.
        refused = save(shop.artist, session, opened(shop.artist, session), end_time="01:45")
        assert refused.status_code == 422


def test_a_taken_time_is_refused_beside_the_time_and_named(shop):
    book(shop, hours=3)
    session = book(shop)
    answer = edit(shop.artist, session, start_time="13:30", end_time="14:30")
    assert answer.status_code == 409
    body = main_of(answer)
    assert "In the way" in body and "id_start_time" in body.split("is busy")[0]
    session.refresh_from_db()
    assert f"{session.start_time:%H:%M}" == "10:00"


@pytest.mark.parametrize(
    "wrong", [{"price": "-1"}, {"price": "much"}, {"session_date": "tomorrow"}, {"commission": "101"}], ids=str
)
def test_what_cannot_be_meant_comes_back(shop, wrong):
    session = book(shop)
    assert edit(shop.coordinator, session, artist=shop.artist.pk, **wrong).status_code == 422


def test_what_is_over_is_not_edited(shop):
    session = book(shop).complete(by=shop.artist, method="Cash")
    for user in (shop.artist, shop.coordinator):
        answer = browser(user).get(reverse("appointment-edit", args=[session.code]), headers=AS_JSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "IMMUTABLE_SESSION")


# -- completing --------------------------------------------------------------------------------------------------------


def test_completing_shows_what_is_taken_and_what_is_earned_before_the_click(shop):
    User.objects.filter(pk=shop.artist.pk).update(commission_rate=Decimal("0.4"))
    session = book(shop)
    paid(shop, session)
    body = main_of(browser(shop.artist).get(move_url(session, "complete")))
    for said in ("700.00 to take", "1,000.00", "300.00", "400.00", "40 % of Q 1,000.00: the artist's own rate."):
        assert said in body
    for method in ("Cash", "Card", "Transfer"):
        assert f'value="{method}"' in body
    told = browser(shop.artist).get(move_url(session, "complete"), headers=AS_JSON).json()
    assert told["possible"] and "700.00" in json.dumps(told["effects"])


def test_completing_takes_the_rest_and_fixes_the_commission(shop):
    session = book(shop)
    paid(shop, session)
    answer = move(shop.artist, session, "complete", method="Card", shown="700.00")
    assert answer.status_code == 302
    session.refresh_from_db()
    settled = session.transaction
    assert (session.status, session.balance) == ("Completed", 0)
    assert (settled.amount, settled.payment_method, settled.payment_status) == (Decimal("700.00"), "Card", "Verified")
    # Nobody had to invent a number.
    assert settled.document_number == session.code
    assert CommissionLine.objects.get(session=session).amount == Decimal("500.00")
    said = main_of(page(shop.artist, session))
    assert "fixed" in said and "500.00" in said


def test_another_amount_than_the_one_shown_is_not_taken(shop):
    """The page said 1,000.00; meanwhile the price was changed."""
    session = book(shop)
    price_of(shop, session, "1200.00")
    answer = move(shop.artist, session, "complete", method="Cash", shown="1000.00")
    assert answer.status_code == 422
    body = main_of(answer)
    assert "has changed meanwhile" in body and 'name="shown" value="1200.00"' in body
    assert not Payment.objects.filter(session=session).exists()
    # A machine that was shown nothing takes what there is.
    assert move(shop.artist, session, "complete", method="Cash").status_code == 302


def price_of(shop: Shop, session: Session, amount: str) -> None:
    edit(shop.coordinator, session, artist=shop.artist.pk, price=amount)


def test_an_open_price_is_warned_of_and_settles_as_nothing(shop):
    session = book(shop, price=None)
    body = main_of(browser(shop.artist).get(move_url(session, "complete")))
    assert "The price is not agreed yet." in body
    assert reverse("appointment-edit", args=[session.code]) in body
    assert move(shop.artist, session, "complete", method="Cash", shown="0.00").status_code == 302
    session.refresh_from_db()
    assert (session.price, session.transaction.amount) == (0, 0)


def test_of_nothing_there_is_no_receipt_and_none_is_missing(shop):
    session = book(shop, price=Decimal("0.00")).complete(by=shop.artist, method="Cash")
    assert not Receipt.objects.exists()
    body = main_of(page(shop.coordinator, session))
    assert "no receipt" not in body
    assert "before receipts were given" not in browser(shop.coordinator).get(reverse("receipt-list")).content.decode()


def test_both_payments_have_their_receipts(shop):
    session = book(shop)
    paid(shop, session)
    answer = browser(shop.coordinator).post(move_url(session, "complete"), {"method": "Cash"}, follow=True)
    receipts = list(Receipt.objects.order_by("number"))
    assert [row.facts["amount"] for row in receipts] == ["300.00", "700.00"]
    body = answer.content.decode()
    for receipt in receipts:
        url = reverse("receipt-pdf", args=[receipt.number])
        assert url in body
        assert browser(shop.coordinator).get(url).status_code == 200


def test_a_payment_that_waits_is_verified_first(shop):
    session = book(shop)
    paid(shop, session, verified=False)
    body = main_of(page(shop.coordinator, session))
    assert 'aria-describedby="why-complete"' in body and "waits to be verified" in body
    answer = browser(shop.artist).post(move_url(session, "complete"), {"method": "Cash"}, headers=AS_JSON)
    assert (answer.status_code, answer.json()["details"]["failed"]) == (409, ["payments_pending"])


def test_without_a_method_nothing_is_taken(shop):
    session = book(shop)
    answer = move(shop.artist, session, "complete")
    assert answer.status_code == 422
    assert not Payment.objects.exists()


def test_a_document_that_is_in_the_books_is_asked_about(shop):
    session, earlier = book(shop), book(shop, hours=3)
    row = paid(shop, earlier)
    sent = {"method": "Transfer", "document_number": row.document_number}
    assert move(shop.coordinator, session, "complete", **sent).status_code == 422
    assert move(shop.coordinator, session, "complete", same_document="on", **sent).status_code == 302


def test_a_document_tells_the_artist_nothing_of_others(shop):
    """The warning names whose payment carries the number."""
    session, foreign = book(shop), book(shop, hours=3, artist_id=shop.other.pk, client=ClientFactory())
    row = paid(shop, foreign)
    answer = browser(shop.artist).post(
        move_url(session, "complete"), {"method": "Transfer", "document_number": row.document_number}, follow=True
    )
    assert answer.status_code == 200 and foreign.code not in answer.content.decode().replace(row.document_number, "")
    session.refresh_from_db()
    assert session.status == "Completed"


# -- canceling ---------------------------------------------------------------------------------------------------------


def test_what_becomes_of_the_advance_stands_there_before_the_click(shop):
    session = book(shop)
    paid(shop, session)
    body = main_of(browser(shop.artist).get(move_url(session, "cancel")))
    for said in ("The client did not come", "Q 300.00 goes back", "Q 300.00 is kept", "Cancel the appointment"):
        assert said in body
    # Without an advance there is nothing to choose.
    assert 'name="refund"' not in main_of(browser(shop.artist).get(move_url(book(shop, hours=3), "cancel")))


CHOICES = [
    # what is sent; what is owed back, kept, its reason
    ({"initiator": "client", "reason": "Ill"}, "300.00", "0.00", "Advance paid back"),
    ({"initiator": "company", "reason": "Ill"}, "300.00", "0.00", "Advance paid back"),
    ({"initiator": "force_majeure", "reason": "Flood"}, "300.00", "0.00", "Advance paid back"),
    ({"initiator": "no_show"}, "0.00", "300.00", "Advance kept"),
    ({"initiator": "client", "no_show": "on"}, "0.00", "300.00", "Advance kept"),
    (
        {"initiator": "client", "reason": "Ill", "refund": "false", "refund_note": "The drawing was made"},
        "0.00",
        "300.00",
        "Advance kept",
    ),
    (
        {"initiator": "no_show", "refund": "true", "refund_note": "An accident"},
        "300.00",
        "0.00",
        "Advance paid back",
    ),
    ({"initiator": "no_show", "refund": "false"}, "0.00", "300.00", "Advance kept"),
]


@pytest.mark.parametrize(("sent", "back", "kept", "reason"), CHOICES, ids=lambda value: str(value))
def test_the_advance_goes_back_or_is_kept_as_chosen(shop, sent, back, kept, reason):
    """D40: the default by who cancels; otherwise with a note."""
    session = begun(shop)
    paid(shop, session)
    assert move(shop.artist, session, "cancel", **sent).status_code == 302
    session.refresh_from_db()
    owed = Payment.objects.filter(session=session, payment_type="Refund")
    assert [str(row.amount) for row in owed] == ([back] if Decimal(back) else [])
    assert (str(session.kept_amount), session.refund_reason) == (kept, reason)
    assert session.no_show == ("no_show" in (sent["initiator"], *sent))
    if session.no_show:
        assert session.special_notes.startswith("[No-show]")
        assert session.cancellation_reason
    body = main_of(page(shop.coordinator, session))
    assert ("did not come" in body) == session.no_show
    assert not OutgoingEmail.objects.exists()


@pytest.mark.parametrize(
    ("sent", "failed"),
    [
        ({"initiator": "client", "reason": "Ill", "refund": "false"}, "no_refund_note"),
        ({"initiator": "no_show", "refund": "true"}, "no_refund_note"),
        ({"initiator": "company", "no_show": "on", "reason": "Ill"}, "no_show_of_another"),
        ({"initiator": "client"}, "no_reason"),
    ],
    ids=str,
)
def test_what_the_rules_refuse_comes_back_and_nothing_is_written(shop, sent, failed):
    session = begun(shop)
    paid(shop, session)
    answer = browser(shop.artist).post(move_url(session, "cancel"), sent, headers=AS_JSON)
    assert (answer.status_code, answer.json()["details"]["failed"]) == (422, [failed])
    session.refresh_from_db()
    assert session.status == "Active"


def test_the_office_is_sent_on_to_pay_the_advance_back(shop):
    session = book(shop)
    paid(shop, session)
    answer = browser(shop.coordinator).post(
        move_url(session, "cancel"), {"initiator": "company", "reason": "Nico is ill"}, follow=True
    )
    refund = Payment.objects.refunds().get()
    assert reverse("payment-pay-out", args=[refund.pk]) in answer.content.decode()
    assert Notice.objects.filter(recipient=shop.artist, kind="assignment_off").exists()
    home = browser(shop.coordinator).get(reverse("home")).content.decode()
    assert "The advance goes back." in home


def test_from_the_hour_on_not_coming_is_one_step_away(shop):
    session = book(shop)
    absent = f"{move_url(session, 'cancel')}?no_show=1"
    assert absent not in main_of(page(shop.artist, session))
    late = begun(shop)
    body = main_of(page(shop.artist, late))
    assert f"{move_url(late, 'cancel')}?no_show=1" in body
    chosen = main_of(browser(shop.artist).get(f"{move_url(late, 'cancel')}?no_show=1"))
    assert re.search(r'<input[^>]*checked[^>]*value="no_show"|<input[^>]*value="no_show"[^>]*checked', chosen)


# -- one tap -----------------------------------------------------------------------------------------------------------


def test_holding_and_confirming_are_one_tap_and_tell_the_artist(shop):
    session = book(shop)
    assert f'action="{move_url(session, "hold")}"' in main_of(page(shop.artist, session))
    assert move(shop.coordinator, session, "hold").status_code == 302
    assert Notice.objects.filter(recipient=shop.artist, kind="appointment_changed").exists()
    assert move(shop.artist, session, "activate").status_code == 302
    session.refresh_from_db()
    assert session.status == "Active"


@pytest.mark.parametrize("name", sorted(set(workflow.PHOTOGRAPHY) - set(workflow.APPOINTMENTS)))
def test_moves_of_the_other_machine_are_refused_as_from_a_wrong_state(shop, name):
    session = book(shop)
    answer = browser(shop.coordinator).post(move_url(session, name), headers=AS_JSON)
    office = workflow.PHOTOGRAPHY[name].roles & workflow.OFFICE
    assert answer.status_code == (409 if office else 403)


def test_a_move_that_nobody_knows_is_not_there(shop):
    assert move(shop.coordinator, book(shop), "explode").status_code == 404


# -- money -------------------------------------------------------------------------------------------------------------


def money(shop: Shop, session: Session, kind: str, amount: str, **sent: Any):
    today = timezone.now().astimezone(STUDIO.zone).date()
    filled = {"amount": amount, "method": "Cash", "document_number": f"R-{amount}", "payment_date": today.isoformat()}
    return browser(shop.coordinator).post(reverse(kind, args=[session.code]), filled | sent)


def test_an_advance_of_any_amount_and_instalments_without_one(shop):
    """D28: no split, and nothing has to come first."""
    session = book(shop)
    assert money(shop, session, "session-payment", "100.00").status_code == 302
    assert money(shop, session, "session-deposit", "123.45").status_code == 302
    rows = Payment.objects.filter(session=session).order_by("id").values_list("payment_type", "amount")
    assert list(rows) == [("Balance", Decimal("100.00")), ("Deposit", Decimal("123.45"))]
    second = money(shop, session, "session-deposit", "50.00")
    assert second.status_code == 422
    too_much = money(shop, session, "session-payment", "776.56")
    assert too_much.status_code == 422


def test_the_form_of_an_advance_speaks_of_no_split(shop):
    body = main_of(browser(shop.coordinator).get(reverse("session-deposit", args=[book(shop).code])))
    assert "Record an advance" in body and "Any part of the price" in body
    assert "split" not in body


def test_no_money_is_taken_towards_an_open_price(shop):
    session = book(shop, price=None)
    for kind in ("session-deposit", "session-payment"):
        assert "The price is not agreed yet" in main_of(
            browser(shop.coordinator).get(reverse(kind, args=[session.code]))
        )
        assert money(shop, session, kind, "10.00").status_code == 422
    assert "enter it before money is taken" in main_of(page(shop.coordinator, session))


def test_only_the_office_registers(shop):
    session = book(shop)
    for kind in ("session-deposit", "session-payment"):
        assert browser(shop.artist).get(reverse(kind, args=[session.code])).status_code == 403


# -- what is no business of an appointment -----------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["session-people", "session-quotes", "session-quote-now", "session-edit"])
def test_the_pages_of_a_shoot_refuse_it(shop, route):
    answer = browser(shop.coordinator).get(reverse(route, args=[book(shop).code]), headers=AS_JSON)
    assert (answer.status_code, answer.json()["details"]["failed"]) == (422, ["appointment"])


def test_what_is_sold_beside_makes_the_price(shop):
    """D39: with lines it is their total."""
    session = book(shop)
    item: Item = ItemFactory(unit_price=Decimal("45.00"), name="Aftercare balm")
    price.add_item(session, item=item, quantity=2, by=shop.coordinator, now=shop.now)
    body = main_of(page(shop.artist, session))
    assert "Aftercare balm" in body and "90.00" in body
    lines = words_of(browser(shop.coordinator).get(reverse("session-lines", args=[session.code])))
    for word in ("deposit", "Deposit", "ransport"):
        assert word not in lines
    assert edit(shop.coordinator, session, artist=shop.artist.pk, price="80.00").status_code == 422


# -- what a new user found ---------------------------------------------------------------------------------------------


def test_nobody_missed_what_has_not_begun(client: Browser):
    """On the page; a program may say so at any time (tattoo service, cancel_session)."""
    shop = Shop()
    ahead = shop.book(Span(timezone.now() + timedelta(days=2), timezone.now() + timedelta(days=2, hours=1)))
    client.force_login(shop.artist)
    address = reverse("session-move", args=[ahead.code, "cancel"])
    answer = client.post(address, {"initiator": "no_show", "reason": ""})
    assert answer.status_code == 422
    ahead.refresh_from_db()
    assert ahead.status == "Active"
    page = client.get(reverse("session-move", args=[ahead.code, "complete"])).content.decode()
    assert shop.client.full_name in page
    assert "alert" in page


def test_reason_for_the_money_stands_in_the_history(client: Browser):
    shop = Shop()
    session = shop.book()
    advance = pay.register_advance(
        session,
        amount=Decimal("200.00"),
        method="Cash",
        document_number="1",
        payment_date=shop.today,
        by=shop.coordinator,
        now=shop.now,
    )
    pay.verify(advance, by=shop.coordinator, now=shop.now)
    session.cancel(by=shop.artist, now=shop.now, reason="Ill", initiator="client", refund=False, refund_note="Too late")
    assert session.history.last().reason == "Ill · Too late"
    assert session.cancellation_reason == "Ill"


def test_artist_hands_out_the_receipt_of_own_appointments_only(client: Browser):
    shop = Shop()
    mine, theirs = shop.book(), shop.book(artist_id=shop.other.pk)
    for session, by in ((mine, shop.artist), (theirs, shop.other)):
        session.complete(by=by, now=shop.now, method="Cash")
    client.force_login(shop.artist)
    receipts = {row.payment.session_id: row for row in Receipt.objects.select_related("payment")}
    address = reverse("receipt-pdf", args=[receipts[mine.pk].number])
    assert address in client.get(mine.get_absolute_url()).content.decode()
    assert client.get(address).status_code == 200
    assert client.get(reverse("receipt-pdf", args=[receipts[theirs.pk].number])).status_code == 403
    assert client.get(reverse("receipt-pdf", args=[99_999])).status_code == 403


def test_an_end_before_the_start_is_asked_about_unless_it_is_a_night(shop):
    session = book(shop)
    slip = edit(shop.artist, session, start_time="19:00", end_time="18:00")
    assert (slip.status_code, "until the next day" in slip.content.decode()) == (422, True)
    assert edit(shop.artist, session, start_time="22:00", end_time="01:00").status_code == 302
    session.refresh_from_db()
    assert session.ends_at - session.starts_at == timedelta(hours=3)
