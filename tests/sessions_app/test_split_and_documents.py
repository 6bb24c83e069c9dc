"""Before money is written down: how it is split, and whether its document is in the books already."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone, translation

from payments import ledger
from payments.models import Payment
from sessions_app import workflow
from sessions_app.actions import pay
from studio.conf import STUDIO
from studio.errors import InvalidInput
from tests.factories.domain import Studio

pytestmark = pytest.mark.django_db

AS_JSON = {"accept": "application/json"}
Q = "Q\N{NO-BREAK SPACE}"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio(today=timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=1))


def browser(user) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def url(session, name: str = "session-deposit") -> str:
    return reverse(name, args=[session.code])


def entry(studio: Studio, amount: str = "500.00", **values: str) -> dict[str, str]:
    day = studio.today.isoformat()
    return {"amount": amount, "method": "Transfer", "document_number": "BI-9", "payment_date": day, **values}


# -- the split ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("200", f"<b>Deposit {Q}200.00</b>"),
        ("500.00", f"<b>Deposit {Q}500.00</b>"),
        ("800,50", f"<b>Deposit {Q}500.00 + Balance {Q}300.50</b>"),
        ("1,000.00", f"<b>Deposit {Q}500.00 + Balance {Q}500.00</b>"),
        ("1000.01", "That is more than is left to pay"),
        ("9999999999", "That is more than is left to pay"),
        ("NaN", "Write an amount"),
        ("0", "greater than or equal to 0.01"),
    ],
)
def test_the_split_is_shown_and_nothing_is_written(studio, typed, said):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    answer = browser(studio.coordinator).post(url(session), {"amount": typed, "preview": "1"})
    body = answer.content.decode()
    assert answer.status_code == 200 and said in body and "This field is required" not in body
    assert not Payment.objects.exists()


def test_what_is_shown_is_what_is_written(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    split = ledger.split_of(session, Decimal("731.17"))
    browser(studio.coordinator).post(url(session), entry(studio, "731.17"))
    assert {row.payment_type: row.amount for row in Payment.objects.all()} == {
        "Deposit": split.deposit,
        "Balance": split.balance,
    }


def test_the_page_begins_with_the_split_of_what_is_missing(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    body = browser(studio.coordinator).get(url(session)).content.decode()
    assert f"<b>Deposit {Q}500.00</b>" in body
    assert body.index("</form>", body.index('id="register"')) < body.index('name="preview"')  # Enter saves


# -- documents ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def known(studio: Studio) -> Payment:
    """BI-9 in the books, of another session."""
    walk = studio.walk(workflow.PRE_SCHEDULED)
    how = {"method": "Transfer", "document_number": "BI-9", "payment_date": studio.today}
    return pay.register_deposit(walk.session, amount=Decimal("500"), by=studio.coordinator, now=walk.now, **how)[0]


@pytest.mark.parametrize("typed", ["BI-9", " BI-9 ", "bi-9"])
def test_a_document_that_is_in_the_books_is_asked_about_and_names_the_other_payment(studio, known, typed):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    client, sent = browser(studio.coordinator), entry(studio, document_number=typed.upper())
    page = client.post(url(session), sent)
    body = page.content.decode()
    assert page.status_code == 422 and known.session.code in body and 'name="same_document"' in body
    refusal = client.post(url(session), sent, headers=AS_JSON).json()
    assert refusal["details"] == {"failed": ["document_used"], "payments": [known.pk]}
    assert not session.payments.exists()
    assert client.post(url(session), sent | {"same_document": "on"}).status_code == 302
    assert session.payments.get().amount == Decimal("500.00")


def test_the_box_is_not_there_before_it_is_asked(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    assert "same_document" not in browser(studio.coordinator).get(url(session)).content.decode()


def test_both_parts_of_a_split_carry_one_document_without_a_warning(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    assert browser(studio.coordinator).post(url(session), entry(studio, "800")).status_code == 302
    assert set(session.payments.values_list("document_number", flat=True)) == {"BI-9"}


def test_what_was_rejected_or_voided_frees_its_document(studio, known):
    pay.reject(known, by=studio.coordinator, now=studio.now)
    session = studio.walk(workflow.PRE_SCHEDULED).session
    assert browser(studio.coordinator).post(url(session), entry(studio)).status_code == 302


def test_a_balance_a_refund_and_a_confirmation_ask_as_well(studio, known):
    client = browser(studio.coordinator)
    walk = studio.walk(workflow.CONFIRMED)
    session = walk.session
    answer = client.post(url(session, "session-payment"), entry(studio, "10"), headers=AS_JSON)
    assert answer.json()["details"]["failed"] == ["document_used"]
    session.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")
    refund = Payment.objects.refunds().get()
    sent = entry(studio)
    del sent["amount"]
    pay_out = reverse("payment-pay-out", args=[refund.pk])
    assert client.post(pay_out, sent, headers=AS_JSON).json()["details"]["failed"] == ["document_used"]
    assert 'name="same_document"' in client.post(pay_out, sent).content.decode()
    refund.refresh_from_db()
    assert refund.payment_status == "Pending"
    assert client.post(pay_out, sent | {"same_document": "on"}).status_code == 302
    other = studio.walk(workflow.PRE_SCHEDULED).session
    confirm = reverse("session-move", args=[other.code, "confirm"])
    assert client.post(confirm, entry(studio), headers=AS_JSON).json()["details"]["failed"] == ["document_used"]
    assert not other.payments.exists()
    assert client.post(confirm, entry(studio) | {"same_document": "on"}).status_code == 302


# -- amounts no column holds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-1", "0", "0.001", "1e10", "1e30", "1e-30"])
def test_no_odd_amount_reaches_the_books(studio, amount):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    how = {"method": "Cash", "document_number": "R-1", "payment_date": studio.today}
    for register in (pay.register_deposit, pay.register_balance):
        with pytest.raises(InvalidInput) as caught:
            register(session, amount=Decimal(amount), by=studio.coordinator, now=studio.now, **how)
        assert caught.value.field == "amount"
    assert not Payment.objects.exists()
