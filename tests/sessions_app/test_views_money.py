"""Money through its pages: recorded, verified, rejected, voided, paid out; the list, its totals and its file."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from payments.models import Payment
from sessions_app import workflow
from sessions_app.actions import pay, price
from studio.conf import STUDIO
from studio.models import AuditEvent
from studio.navigation import links_for
from studio.roles import Role
from tests.factories.domain import ClientFactory, Studio, person

pytestmark = pytest.mark.django_db

AS_JSON = {"accept": "application/json"}


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


def entry(studio: Studio, amount: str = "500.00", **values: str) -> dict[str, str]:
    return {
        "amount": amount,
        "method": "Transfer",
        "document_number": "BI-1",
        "payment_date": studio.today.isoformat(),
        **values,
    }


def deposit_url(session) -> str:
    return reverse("session-deposit", args=[session.code])


def payment_url(session) -> str:
    return reverse("session-payment", args=[session.code])


def of_payment(name: str, payment) -> str:
    return reverse(f"payment-{name}", args=[payment.pk])


def record(studio: Studio, walk, amount: str = "500.00", number: str = "BI-1") -> Payment:
    return pay.register_deposit(
        walk.session,
        amount=Decimal(amount),
        method="Transfer",
        document_number=number,
        payment_date=studio.today,
        by=studio.coordinator,
        now=walk.now,
    )[0]


# -- recorded ----------------------------------------------------------------------------------------------------------


def test_the_split_is_told_before_it_is_saved_and_done_as_told(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    client = browser(studio.coordinator)
    body = client.get(deposit_url(session)).content.decode()
    assert "Q\N{NO-BREAK SPACE}500.00 is missing to the deposit." in body
    assert "at most Q\N{NO-BREAK SPACE}1,000.00" in body
    answer = client.post(deposit_url(session), entry(studio, "800", document_number="BI-7"), headers=AS_JSON)
    parts = [(row["type"], row["amount"], row["status"]) for row in answer.json()["payments"]]
    assert parts == [("Deposit", "500.00", "Pending"), ("Balance", "300.00", "Pending")]
    assert set(Payment.objects.values_list("document_number", flat=True)) == {"BI-7"}


@pytest.mark.parametrize("typed", ["500", "500.00", "500,00", "Q 500.00", " 500 ", "0500.0"])
def test_amounts_are_read_as_people_write_them(studio, typed):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    browser(studio.coordinator).post(deposit_url(session), entry(studio, typed.replace("Q ", "")))
    assert Payment.objects.get().amount == Decimal("500.00")


def test_more_than_the_total_is_refused_whole_with_what_was_typed(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    client, sent = browser(studio.coordinator), entry(studio, "1000.01", notes="by bank")
    page = client.post(deposit_url(session), sent)
    assert page.status_code == 422 and "by bank" in page.content.decode()
    answer = client.post(deposit_url(session), sent, headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "PAYMENT_EXCEEDS_TOTAL")
    assert answer.json()["details"]["largest_possible"] == "1000.00"
    assert not Payment.objects.exists()


def test_a_balance_comes_after_the_deposit(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    answer = browser(studio.coordinator).post(payment_url(session), entry(studio, "100"), headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "IMMUTABLE_SESSION")


def test_before_a_deposit_is_asked_for_the_page_says_why_nothing_is_taken(studio):
    session = studio.walk(workflow.NEGOTIATION).session
    client = browser(studio.coordinator)
    assert "pre-scheduled first" in client.get(deposit_url(session)).content.decode()
    answer = client.post(deposit_url(session), entry(studio), headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "IMMUTABLE_SESSION")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "NaN"),
        ("amount", "1e3"),
        ("amount", "-1"),
        ("amount", "0"),
        ("method", "Gold"),
        ("payment_date", "31/12/2026"),
        ("payment_date", "99999-01-01"),
        ("document_number", "x" * 61),
    ],
)
def test_hostile_input_is_refused_beside_its_field(studio, field, value):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    answer = browser(studio.coordinator).post(deposit_url(session), entry(studio) | {field: value}, headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
    assert field in answer.json()["details"]["fields"]


def test_a_payment_of_tomorrow_is_refused_by_the_rule(studio):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    tomorrow = (studio.today + timedelta(days=3)).isoformat()
    answer = browser(studio.coordinator).post(deposit_url(session), entry(studio) | {"payment_date": tomorrow})
    assert answer.status_code == 422 and "today or before" in answer.content.decode()


def test_the_date_picker_gets_iso_in_spanish_too(studio):
    studio.coordinator.language = "es"
    studio.coordinator.save()
    session = studio.walk(workflow.PRE_SCHEDULED).session
    today = timezone.now().astimezone(STUDIO.zone).date().isoformat()
    body = browser(studio.coordinator).get(deposit_url(session)).content.decode()
    assert f'value="{today}"' in body and 'value="500.00"' in body


# -- decided -----------------------------------------------------------------------------------------------------------


def test_verifying_the_deposit_leads_to_the_confirmation(studio):
    walk = studio.walk(workflow.PRE_SCHEDULED)
    payment = record(studio, walk)
    answer = browser(studio.coordinator).post(of_payment("verify", payment), follow=True)
    body = answer.content.decode()
    assert "is verified." in body and reverse("session-move", args=[walk.session.code, "confirm"]) in body
    payment.refresh_from_db()
    assert payment.payment_status == "Verified"


def test_the_second_decision_is_refused_and_told(studio):
    payment = record(studio, studio.walk(workflow.PRE_SCHEDULED))
    client = browser(studio.coordinator)
    client.post(of_payment("verify", payment))
    for name in ("verify", "reject"):
        answer = client.post(of_payment(name, payment), headers=AS_JSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
        assert client.post(of_payment(name, payment)).status_code == 422


def test_verifying_from_the_list_comes_back_to_the_list_and_nowhere_else(studio):
    payments = [record(studio, studio.walk(workflow.PRE_SCHEDULED)) for _index in range(2)]
    client = browser(studio.coordinator)
    assert client.post(of_payment("verify", payments[0]), {"next": "/payments/?tab=all"}).url == "/payments/?tab=all"
    evil = client.post(of_payment("verify", payments[1]), {"next": "https://evil.example/"})
    assert evil.url == payments[1].session.get_absolute_url()


def test_rejecting_and_voiding_show_what_follows_first(studio):
    walk = studio.walk(workflow.PRE_SCHEDULED)
    payment = record(studio, walk)
    client = browser(studio.coordinator)
    assert "counts for nothing" in client.get(of_payment("reject", payment)).content.decode()
    assert client.post(of_payment("void", payment), headers=AS_JSON).json()["details"]["fields"].keys() == {"reason"}
    pay.verify(payment, by=studio.coordinator, now=walk.now)
    body = client.get(of_payment("void", payment)).content.decode()
    assert "from Q\N{NO-BREAK SPACE}500.00 to Q\N{NO-BREAK SPACE}0.00" in body
    answer = client.post(of_payment("void", payment), {"reason": "Typed twice"}, headers=AS_JSON)
    assert answer.json()["payment"]["voided"] is True
    assert AuditEvent.objects.filter(event="payment_voided").exists()


def test_a_refund_is_paid_out_with_method_and_document(studio):
    walk = studio.walk(workflow.CONFIRMED)
    walk.to(workflow.CANCELED)
    refund = Payment.objects.refunds().get()
    client = browser(studio.coordinator)
    assert client.get(of_payment("pay-out", refund)).status_code == 200
    sent = {"method": "Transfer", "document_number": "BI-9", "payment_date": studio.today.isoformat()}
    assert client.post(of_payment("pay-out", refund), sent, headers=AS_JSON).json()["payment"]["status"] == "Verified"
    again = client.post(of_payment("pay-out", refund), sent)
    assert again.status_code == 422 and "dealt with this payment already" in again.content.decode()


def test_the_difference_is_written_down_once(studio):
    walk = studio.walk(workflow.CONFIRMED)
    line = walk.session.lines.order_by("-line_subtotal").first()
    price.remove_line(walk.session, line_id=line.pk, by=studio.coordinator, now=walk.now)
    client, url = browser(studio.coordinator), reverse("session-owe", args=[walk.session.code])
    assert client.post(url, headers=AS_JSON).json()["payment"]["amount"] == "400.00"
    again = client.post(url, headers=AS_JSON)
    assert (again.status_code, again.json()["code"]) == (422, "INVALID_INPUT")
    assert client.post(url).status_code == 422


# -- who ---------------------------------------------------------------------------------------------------------------


def test_money_is_only_for_those_who_hold_it(studio):
    walk = studio.walk(workflow.CONFIRMED).equip()
    payment = Payment.objects.get()
    addresses = [deposit_url(walk.session), payment_url(walk.session), reverse("payment-list")]
    addresses += [of_payment(name, payment) for name in ("reject", "void", "pay-out")]
    for user in (studio.photographer, studio.editor, person(Role.ARTIST)):
        client = browser(user)
        for address in addresses:
            shown = client.get(address, headers=AS_JSON)
            assert shown.status_code in (403, 404), address
            assert "500" not in shown.content.decode()
            if address != reverse("payment-list"):
                assert client.post(address, entry(studio), headers=AS_JSON).status_code == shown.status_code
    client = browser(studio.photographer)
    assert client.get(deposit_url(walk.session), headers=AS_JSON).json()["code"] == "PERMISSION_DENIED"
    # Whether a payment exists is nothing they may learn.
    assert client.post(of_payment("verify", payment)).status_code == 403
    assert client.post(reverse("payment-verify", args=[999999])).status_code == 403


@pytest.mark.parametrize("pk", [0, 999999, 2**63, 10**30])
def test_a_payment_that_is_not_there(studio, pk):
    answer = browser(studio.coordinator).get(f"/payments/{pk}/void/", headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


# -- the list ----------------------------------------------------------------------------------------------------------


def listed(studio: Studio, **query: str):
    return browser(studio.coordinator).get(reverse("payment-list"), query)


def test_the_tabs_hold_what_waits(studio):
    record(studio, studio.walk(workflow.PRE_SCHEDULED, client=ClientFactory(full_name="Ana Waits")))
    studio.walk(workflow.CONFIRMED, client=ClientFactory(full_name="Bea Canceled")).to(workflow.CANCELED)
    first = listed(studio).content.decode()
    assert "Ana Waits" in first and "Bea Canceled" not in first
    owed = listed(studio, tab="owed").content.decode()
    assert "Bea Canceled" in owed and "Ana Waits" not in owed and "Pay out" in owed
    everything = listed(studio, tab="all")
    assert everything.context["page"].paginator.count == 3
    assert {str(figure["label"]): figure["amount"] for figure in everything.context["totals"]} == {
        "verified": 500,
        "waiting to be verified": 500,
        "owed to clients": 500,
    }


def test_the_filters_narrow_it_and_nonsense_filters_nothing(studio):
    one = studio.walk(workflow.PRE_SCHEDULED, client=ClientFactory(full_name="Ana Waits"))
    record(studio, one, number="BI-4711")
    record(studio, studio.walk(workflow.PRE_SCHEDULED, client=ClientFactory(full_name="Bea Other")), number="X-1")
    for query in ({"q": "waits"}, {"q": one.session.code}, {"q": "4711"}):
        assert [row.payment.session for row in listed(studio, **query).context["rows"]] == [one.session]
    assert len(listed(studio, method="Cash").context["rows"]) == 0
    assert len(listed(studio, since=studio.today.isoformat(), until=studio.today.isoformat()).context["rows"]) == 2
    for nonsense in ({"since": "soon"}, {"method": "Gold"}, {"tab": "x"}, {"page": "9" * 30}, {"sort": "pk; drop"}):
        assert listed(studio, **nonsense).status_code == 200


def test_the_file_has_the_filtered_rows_and_no_formulas(studio):
    for number in ("=1+1", "+1", "-1", "@x"):
        record(
            studio,
            studio.walk(workflow.PRE_SCHEDULED, client=ClientFactory(full_name=f"{number} Client")),
            number=number,
        )
    answer = listed(studio, format="csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert answer["Content-Type"].startswith("text/csv") and "attachment" in answer["Content-Disposition"]
    lines = text.strip().splitlines()
    assert len(lines) == 5
    for number in ("=1+1", "+1", "-1", "@x"):
        assert f"'{number}" in text and f",{number}" not in text
    assert ",500.00," in lines[1]


def test_the_list_costs_the_same_with_one_row_and_with_thirty(studio):
    def cost() -> int:
        client = browser(studio.coordinator)
        client.get(reverse("payment-list"))
        with CaptureQueriesContext(connection) as caught:
            assert client.get(reverse("payment-list"), {"tab": "all"}).status_code == 200
        return len(caught)

    walk = studio.walk(workflow.CONFIRMED)
    one = cost()
    for index in range(29):
        pay.register_balance(
            walk.session,
            amount=Decimal("10.00"),
            method="Cash",
            document_number=str(index),
            payment_date=studio.today,
            by=person(Role.COORDINATOR),
            now=walk.now,
        )
    assert cost() == one <= 15


def test_the_navigation_shows_how_many_wait(studio):
    record(studio, studio.walk(workflow.PRE_SCHEDULED))
    counts = {link.name: link.count for link in links_for(studio.coordinator)}
    assert counts["payment-list"] == 1
    assert "payment-list" not in {link.name for link in links_for(studio.photographer)}


# -- after the end -----------------------------------------------------------------------------------------------------


def test_money_that_is_verified_after_the_cancellation_is_offered_to_be_paid_back(studio):
    """D19: the answer names what is owed, and the next act is to pay it out."""
    walk = studio.walk(workflow.PRE_SCHEDULED)
    late = record(studio, walk)
    walk.to(workflow.CANCELED)
    page = browser(studio.coordinator).post(of_payment("verify", late), follow=True)
    refund = walk.session.payments.get(payment_type="Refund")
    assert of_payment("pay-out", refund) in page.content.decode()
    answer = browser(studio.coordinator).post(reverse("session-owe", args=[walk.session.code]), headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
