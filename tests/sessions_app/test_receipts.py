"""Receipts: numbers that follow each other and survive voids, the list, and the paper (ADR 11)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from payments.models import Payment, Receipt
from sessions_app import workflow
from sessions_app.actions import pay
from sessions_app.documents.receipt import of_receipt
from studio.conf import STUDIO
from studio.errors import InvalidInput
from tests.factories.domain import Studio
from tests.factories.pdf_text import text_of

pytestmark = pytest.mark.django_db


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


def received(studio: Studio, session, amount: str = "10.00") -> Payment:
    how = {"method": "Cash", "document_number": "R-9", "payment_date": studio.today}
    payment = pay.register_balance(session, amount=Decimal(amount), by=studio.coordinator, now=studio.now, **how)
    return pay.verify(payment, by=studio.coordinator, now=studio.now)


def test_verifying_gives_the_next_number_and_rejecting_none(studio):
    session = studio.walk(workflow.CONFIRMED).session
    how = {"method": "Cash", "document_number": "R-9", "payment_date": studio.today}
    no = pay.register_balance(session, amount=Decimal("1.00"), by=studio.coordinator, now=studio.now, **how)
    pay.reject(no, by=studio.coordinator, now=studio.now)
    payment = received(studio, session)
    assert [str(row) for row in Receipt.objects.order_by("number")] == ["R-000001", "R-000002"]
    assert payment.receipt.number == 2 and not Receipt.objects.filter(payment=no).exists()


def test_an_act_that_is_undone_gives_its_number_back(studio):
    session = studio.walk(workflow.CONFIRMED).session
    with pytest.raises(RuntimeError), transaction.atomic():
        received(studio, session)
        raise RuntimeError
    payment = received(studio, session)
    with pytest.raises(InvalidInput):
        pay.verify(payment, by=studio.coordinator, now=studio.now)
    assert list(Receipt.objects.order_by("number").values_list("number", flat=True)) == [1, 2]


def test_a_voided_payment_keeps_its_receipt_with_the_mark_when_and_why(studio):
    payment = received(studio, studio.walk(workflow.CONFIRMED).session)
    before = of_receipt(payment.receipt)
    assert of_receipt(payment.receipt) == before and "VOID" not in text_of(before)
    pay.void(payment, reason="Wrong <b>session</b>", by=studio.coordinator, now=studio.now)
    said = text_of(of_receipt(Receipt.objects.get(payment=payment)))
    assert "VOID: Receipt R-000002 VOID Voided on" in said and "Wrong <b>session</b>" in said
    assert received(studio, payment.session).receipt.number == payment.receipt.number + 1


def test_a_refund_paid_out_is_a_payment_to_the_client(studio):
    session = studio.walk(workflow.CONFIRMED).session
    session.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")
    refund = Payment.objects.refunds().get()
    assert not Receipt.objects.filter(payment=refund).exists()
    how = {"method": "Cash", "document_number": "R-3", "payment_date": studio.today}
    pay.pay_out(refund, by=studio.coordinator, now=studio.now, **how)
    said = text_of(of_receipt(Receipt.objects.get(payment=refund)))
    assert "Payment to the client" in said and "Paid to" in said and "Received from" not in said


def test_the_paper_says_what_was_true_when_it_was_given(studio):
    payment = received(studio, studio.walk(workflow.CONFIRMED).session)
    name = studio.client.full_name
    studio.client.full_name = "Somebody Else"
    studio.client.save()
    said = text_of(of_receipt(Receipt.objects.get(payment=payment)))
    assert name in said and "Somebody Else" not in said


def test_the_paper_is_in_the_clients_language(studio):
    studio.client.language = "es"
    studio.client.save()
    payment = received(studio, studio.walk(workflow.CONFIRMED).session)
    said = text_of(of_receipt(payment.receipt))
    assert "Efectivo" in said and "Cash" not in said


def test_the_page_gives_a_pdf_and_404_for_other_numbers(studio):
    received(studio, studio.walk(workflow.CONFIRMED).session)
    client = browser(studio.coordinator)
    answer = client.get(reverse("receipt-pdf", args=[2]))
    assert answer["Content-Type"] == "application/pdf" and answer.content.startswith(b"%PDF-")
    assert "R-000002.pdf" in answer["Content-Disposition"]
    for number in (0, 3, 2**63, 10**30):
        assert client.get(reverse("receipt-pdf", args=[number])).status_code == 404


@pytest.mark.parametrize(
    ("typed", "found"),
    [("R-000002", 1), ("r2", 1), ("2", 1), ("0002", 1), (" R - 2 ", 1), ("99", 0), ("9" * 18, 0), ("9" * 60, 0)],
)
def test_a_receipt_is_found_however_its_number_is_written(studio, typed, found):
    received(studio, studio.walk(workflow.CONFIRMED).session)
    body = browser(studio.coordinator).get(reverse("receipt-list"), {"q": typed}).content.decode()
    assert body.count(">R-00000") == found and (not found or "R-000002" in body)


def test_the_list_shows_which_are_voided(studio):
    session = studio.walk(workflow.CONFIRMED).session
    pay.void(received(studio, session), reason="Twice", by=studio.coordinator, now=studio.now)
    client = browser(studio.coordinator)
    body = client.get(reverse("receipt-list"), {"state": "voided"}).content.decode()
    assert "R-000002" in body and "Twice" in body and "R-000001" not in body
    assert "R-000002" not in client.get(reverse("receipt-list"), {"state": "valid"}).content.decode()


def test_each_row_of_a_payment_leads_to_its_receipt_or_says_that_there_is_none(studio):
    session = studio.walk(workflow.CONFIRMED).session
    old = Payment.objects.create(
        session=session,
        payment_type="Balance",
        amount=Decimal("7.00"),
        payment_status="Verified",
        payment_method="Cash",
        document_number="OLD-1",
        payment_date=studio.today,
        registered_at=studio.now,
        verified_at=studio.now,
        verified_by=studio.coordinator,
        cash_day=studio.today,
    )
    client = browser(studio.coordinator)
    for address in (session.get_absolute_url(), f"{reverse('payment-list')}?tab=all"):
        body = client.get(address).content.decode()
        assert reverse("receipt-pdf", args=[1]) in body and body.count("no receipt: verified before") == 1, address
    assert "1 verified payment has no receipt" in client.get(reverse("receipt-list")).content.decode()
    assert not Receipt.objects.filter(payment=old).exists()


def test_the_list_costs_the_same_for_one_and_for_thirty(studio):
    session = studio.walk(workflow.CONFIRMED).session
    client, counts = browser(studio.coordinator), []
    for size in (1, 30):
        for _each in range(size):
            received(studio, session, "1.00")
        client.get(reverse("receipt-list"))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("receipt-list"))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 15, counts
