"""A client's statement agrees with the ledger to the cent, whatever was done."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from payments import ledger, money
from payments.models import Payment
from sessions_app import sentences, workflow
from sessions_app.actions import pay
from sessions_app.models import Session
from sessions_app.statements import statement
from studio.conf import STUDIO
from tests.factories.domain import ClientFactory, Studio, at
from tests.factories.pdf_text import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio(today=timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=5))


def browser(user) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def url(client) -> str:
    return reverse("client-statement", args=[client.pk])


def balance(studio: Studio, session, amount: str, *, days: int = 0, verified: bool = True) -> Payment:
    when = at(studio.today + timedelta(days=days))
    how = {"method": "Cash", "document_number": f"R-{days}", "payment_date": when.date()}
    payment = pay.register_balance(session, amount=Decimal(amount), by=studio.coordinator, now=when, **how)
    return pay.verify(payment, by=studio.coordinator, now=when) if verified else payment


def everything(studio: Studio) -> None:
    """A session in each state that money knows: asked for, agreed, paid, canceled with a refund owed and one paid."""
    studio.walk(workflow.REQUEST)
    studio.walk(workflow.PRE_SCHEDULED)
    reopened = studio.walk(workflow.CONFIRMED).session
    reopened.reopen(by=studio.coordinator, now=studio.now)
    paid = studio.walk(workflow.CONFIRMED).session
    balance(studio, paid, "123.45", days=1)
    balance(studio, paid, "10.00", days=2, verified=False)
    pay.void(balance(studio, paid, "7.77", days=1), reason="Wrong", by=studio.coordinator, now=at(studio.today))
    for _each in range(2):
        canceled = studio.walk(workflow.CONFIRMED).session
        canceled.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")
    refund = Payment.objects.refunds().pending().first()
    how = {"method": "Card", "document_number": "R-8", "payment_date": studio.today + timedelta(days=3)}
    pay.pay_out(refund, by=studio.coordinator, now=at(studio.today + timedelta(days=3)), **how)


def test_each_figure_is_the_ledgers(studio):
    everything(studio)
    account = statement(studio.client)
    assert len(account.sessions) == 6
    for line in account.sessions:
        assert line.account == ledger.account(Session.objects.get(pk=line.session.pk))
        if not line.session.is_canceled and line.charged:
            assert line.balance == line.account.remaining_balance
    verified = ledger.Payment.objects.live().filter(payment_status="Verified")
    net = sum(-row.amount if row.payment_type == "Refund" else row.amount for row in verified)
    assert account.paid - account.refunded == net == sum(each.paid for each in account.movements)
    assert account.closing == account.balance == account.charged - net
    assert account.pending == Decimal("10.00")


def test_the_balance_runs_and_a_period_begins_with_the_one_before(studio):
    everything(studio)
    whole = statement(studio.client)
    running = money.ZERO
    for each in whole.movements:
        running += each.charge - each.paid
        assert each.balance == running
    for offset in range(5):
        day = studio.today + timedelta(days=offset)
        before = statement(studio.client, last_day=day)
        after = statement(studio.client, first_day=day + timedelta(days=1))
        assert before.closing == after.opening and after.closing == whole.closing
        assert before.movements + after.movements == whole.movements


def test_a_canceled_session_costs_what_the_studio_kept(studio):
    session = studio.walk(workflow.CONFIRMED).session
    session.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")
    (line,) = statement(studio.client).sessions
    assert line.charged == session.kept_amount and -line.balance == line.account.refund_owed


def test_nothing_of_somebody_else_and_nothing_at_all(studio):
    everything(studio)
    nobody = statement(ClientFactory())
    assert (nobody.sessions, nobody.movements, nobody.closing) == ([], [], money.ZERO)


def test_page_file_and_paper(studio):
    everything(studio)
    client = browser(studio.coordinator)
    body = client.get(url(studio.client)).content.decode()
    assert "123.45" in body and "7.77" not in body and "Balance after" in body
    assert url(studio.client) in client.get(studio.client.get_absolute_url()).content.decode()
    lines = b"".join(client.get(url(studio.client), {"format": "csv"}).streaming_content).decode().splitlines()
    assert len(lines) == 3 + len(statement(studio.client).movements)
    paper = client.get(url(studio.client), {"format": "pdf", "since": studio.today.isoformat()})
    assert paper["Content-Type"] == "application/pdf"
    account = statement(studio.client, first_day=studio.today)
    assert f"Balance after {sentences.money(account.closing)}".replace("\xa0", " ") in text_of(paper.content)


@pytest.mark.parametrize("period", [{"since": "x"}, {"since": "2026-02-02", "until": "2026-02-01"}, {"until": "9" * 9}])
@pytest.mark.parametrize("wanted", ["", "csv", "pdf"])
def test_a_period_that_makes_no_sense_shows_everything(studio, period, wanted):
    everything(studio)
    answer = browser(studio.coordinator).get(url(studio.client), period | {"format": wanted})
    assert answer.status_code == 200


def test_the_page_costs_the_same_for_one_session_and_for_ten(studio):
    client, counts = browser(studio.coordinator), []
    for size in (1, 9):
        for _each in range(size):
            balance(studio, studio.walk(workflow.CONFIRMED).session, "1.00")
        client.get(url(studio.client))
        with CaptureQueriesContext(connection) as queries:
            client.get(url(studio.client))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 15, counts
