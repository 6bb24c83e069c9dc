"""What is typed wrongly into any form of money: refused with a sentence, and nothing is recorded twice or half.

How one amount is read is in ``tests/studio/test_fields.py``; races are in ``tests/races``; here is every form at once.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from catalog.models import Item, Package
from payments.models import CashClosing, CommissionLine, Payment, Receipt
from sessions_app import workflow
from sessions_app.actions import pay
from sessions_app.models import QuoteVersion, Session, SessionDetail
from studio.conf import STUDIO
from studio.models import AuditEvent, Notice, OutgoingEmail, User
from studio.roles import Role
from tests.factories.domain import Studio, person

pytestmark = pytest.mark.django_db

JSON = {"accept": "application/json"}
TABLES = (
    *(Payment, Receipt, CashClosing, CommissionLine, Session, SessionDetail, QuoteVersion),
    *(Item, Package, OutgoingEmail, Notice),
)
TOO_MANY_DIGITS, NUL = "9" * 40, "1\x002"
# Of each way in which an amount is none, one: the others are in the test of the field.
AMOUNTS = ("NaN", "1e999", "10.001", "-0.01", "10000000000.00", TOO_MANY_DIGITS, "1.250", "١٠٠", NUL)
# Of a payment; a price may be zero or left out.
NO_PAYMENT = ("0", "\t")
DAYS = (
    "tomorrow",
    "0001-01-01",
    "1999-12-31",
    "9999-12-31",
    "2026-02-31",
    "31/12/2025",
    "today",
    NUL,
    "",
    "٢٠٢٥-٠١-٠١",
)
DOCUMENTS = ("", "\u00a0", "BI\x001", "x" * 61)


def everything() -> list[list[tuple]]:
    """Every row of money and what hangs on it; but for the audit log, which also tells what was refused."""
    return [list(model.objects.order_by("pk").values_list()) for model in TABLES]


def today() -> Any:
    return timezone.localdate(timezone=STUDIO.zone)


@pytest.fixture
def studio() -> Iterator[Studio]:
    with STUDIO.overridden(language="en"):
        yield Studio(today=today() - timedelta(days=1))


def desk(user: User) -> Callable[..., Any]:
    browser = Browser(raise_request_exception=True)
    browser.force_login(user)

    def post(route: str, /, *about: Any, **values: Any) -> Any:
        query = values.pop("query", "")
        return browser.post(reverse(route, args=about) + query, values, headers=JSON)

    return post


def entry(**values: Any) -> dict[str, Any]:
    usual = {"amount": "100.00", "method": "Transfer", "document_number": "NEW-1", "payment_date": today().isoformat()}
    return usual | values


def refused(answer: Any, asked: Any, status: tuple[int, ...] = (400, 422)) -> dict[str, Any]:
    """A character that no column can hold is a bad request (400), whatever field it stands in."""
    assert answer.status_code in status, (asked, answer.status_code, answer.content[:300])
    told = answer.json()
    assert set(told) == {"code", "message", "details"} and told["message"], asked
    return told


@pytest.fixture
def open_studio(studio: Studio) -> tuple[Studio, dict[str, Any]]:
    """One of each: a session that waits for its deposit, one that was paid, one that was canceled and is owed."""
    unpaid = studio.walk(workflow.PRE_SCHEDULED, session_type="External").session
    paid = studio.walk(workflow.CONFIRMED, when=studio.when(22)).session
    off = studio.walk(workflow.CONFIRMED, when=studio.when(24)).to(workflow.CANCELED).session
    pending = pay.register_balance(
        paid,
        amount=paid.total - paid.deposit_amount - 100,
        method="Cash",
        document_number="WAITS-1",
        payment_date=studio.today,
        by=studio.coordinator,
        now=studio.now,
    )
    return studio, {
        "unpaid": unpaid.code,
        "paid": paid.code,
        "off": off.code,
        "pending": pending.pk,
        "refund": off.payments.refunds().get().pk,
        "line": unpaid.lines.first().pk,
    }


def test_no_form_takes_an_amount_that_is_none(open_studio):
    studio, at = open_studio
    post, before = desk(studio.admin), everything()
    day = f"?day={studio.today.isoformat()}"
    tills = dict.fromkeys(("counted_cash", "counted_card", "counted_transfer"), "0") | {"notes": "x", "query": day}
    forms = [
        ("session-deposit", (at["unpaid"],), "amount", entry(), True),
        ("session-payment", (at["paid"],), "amount", entry(), True),
        ("session-move", (at["unpaid"], "confirm"), "amount", entry(), False),
        ("session-price", (at["unpaid"],), "discount", {"deposit_percentage": "50", "discount_reason": "x"}, False),
        ("session-price", (at["unpaid"],), "transportation_cost", {"deposit_percentage": "50"}, False),
        ("session-price-preview", (at["unpaid"],), "discount", {"deposit_percentage": "50"}, False),
        ("item-new", (), "unit_price", {"code": "X1", "name": "X", "item_type": "DigitalPhoto"}, False),
        ("package-new", (), "base_price", {"code": "X1", "name": "X"}, False),
    ]
    for name, about, field, values, is_payment in forms:
        for amount in (*AMOUNTS, *(NO_PAYMENT if is_payment else ())):
            told = refused(post(name, *about, **{**values, field: amount}), (name, field, amount))
            assert field in told["details"]["fields"], (name, amount, told)
    for amount in ("NaN", "1e999", TOO_MANY_DIGITS, "10.001", "1.250", ""):
        told = refused(post("till", **tills | {"counted_cash": amount}), ("till", amount))
        assert "counted_cash" in told["details"]["fields"]
    for number in ("0", "1.5", "100001", TOO_MANY_DIGITS, ""):
        changed = {f"line{at['line']}-quantity": number, "deposit_percentage": "50"}
        refused(post("session-price", at["unpaid"], **changed), ("quantity", number))
        refused(post("session-change-line", at["unpaid"], at["line"], quantity=number), ("line", number))
    for percentage in ("-1", "101", "50.5", "NaN", TOO_MANY_DIGITS):
        refused(post("session-price", at["unpaid"], deposit_percentage=percentage), ("deposit", percentage))
    # More than is left to pay, in every way in which money comes in.
    for name, about, amount in (
        ("session-deposit", (at["unpaid"],), "1000.01"),
        ("session-payment", (at["paid"],), "100.01"),
        ("session-move", (at["unpaid"], "confirm"), "9999999999.99"),
    ):
        assert refused(post(name, *about, **entry(amount=amount)), name)["code"] == "PAYMENT_EXCEEDS_TOTAL"
    assert everything() == before


def test_no_form_takes_a_day_a_document_or_a_reason_that_is_none(open_studio):
    studio, at = open_studio
    post, before = desk(studio.coordinator), everything()
    tomorrow = (today() + timedelta(days=1)).isoformat()
    ways = [
        ("session-deposit", (at["unpaid"],)),
        ("session-payment", (at["paid"],)),
        ("session-move", (at["unpaid"], "confirm")),
        ("payment-pay-out", (at["refund"],)),
    ]
    for name, about in ways:
        for day in DAYS:
            if (name, day) == ("session-move", ""):  # the day of the confirmation
                continue
            given = entry(amount="500", payment_date=tomorrow if day == "tomorrow" else day)
            refused(post(name, *about, **given), (name, day))
        for number in DOCUMENTS:
            refused(post(name, *about, **entry(amount="500", document_number=number)), (name, number))
        for method in ("", "Gold"):
            refused(post(name, *about, **entry(amount="500", method=method)), (name, method))
    for reason in ("", "   ", "x\x00", "x" * 251):
        refused(post("payment-void", at["pending"], reason=reason), reason)
    for initiator, reason in (("", "Ill"), ("system", "Ill"), ("client", ""), ("client", " "), ("client", "\x00")):
        refused(post("session-move", at["paid"], "cancel", initiator=initiator, reason=reason), (initiator, reason))
    assert everything() == before


def test_no_money_goes_where_it_has_no_place(open_studio):
    """Canceled, foreign and unknown sessions; the wrong kind of payment; people who hold no money."""
    studio, at = open_studio
    post, before = desk(studio.coordinator), everything()
    for name in ("session-deposit", "session-payment"):
        assert refused(post(name, at["off"], **entry()), name)["code"] == "IMMUTABLE_SESSION"
        refused(post(name, "S-0000-0000", **entry()), name, (404,))
        refused(post(name, "x' OR 1=1", **entry()), name, (404,))
    refused(post("session-payment", at["unpaid"], **entry()), "no deposit yet")
    refused(post("session-deposit", at["paid"], **entry()), "a second deposit")
    refused(post("session-owe", at["paid"]), "nothing is owed")
    refused(post("session-move", at["off"], "confirm", **entry()), "canceled", (409, 422))
    for name in ("payment-verify", "payment-reject"):
        refused(post(name, at["refund"]), name)
    refused(post("payment-pay-out", at["pending"], **entry()), "not a refund")
    for name in ("payment-verify", "payment-reject", "payment-void", "payment-pay-out"):
        for number in (0, 10**30):
            refused(post(name, number, **entry(reason="x")), (name, number), (404,))
    forms = [("session-deposit", "unpaid"), ("session-payment", "paid"), ("session-price-preview", "unpaid")]
    forms += [(f"payment-{act}", "pending") for act in ("verify", "reject", "void")] + [("payment-pay-out", "refund")]
    for user in (studio.photographer, studio.editor, person(Role.ARTIST), person()):
        stranger = desk(user)
        for name, about in forms:
            refused(stranger(name, at[about], **entry(reason="x")), (name, user), (403, 404))
    assert everything() == before


def test_what_is_done_twice_is_done_once_and_the_second_is_told(open_studio):
    studio, at = open_studio
    first, second = desk(studio.coordinator), desk(studio.admin)
    paid = Payment.objects.get(pk=at["pending"]).session
    rows = Payment.objects.count()
    for act, values in (("verify", {}), ("void", {"reason": "Twice in the books"})):
        assert first(f"payment-{act}", at["pending"], **values).json()["ok"]
        after, events = everything(), AuditEvent.objects.count()
        told = [refused(second(f"payment-{name}", at["pending"], reason="x"), name) for name in (act, "reject")]
        assert all("already" in each["message"] for each in told), told
        assert everything() == after and AuditEvent.objects.count() == events
    assert Receipt.objects.filter(payment=at["pending"]).count() == 1
    assert first("payment-pay-out", at["refund"], **entry(document_number="OUT-1")).json()["ok"]
    after = everything()
    again = refused(second("payment-pay-out", at["refund"], **entry(document_number="OUT-2")), "again")
    assert "already" in again["message"] and everything() == after
    # A document that is in the books is asked about, and goes through once when it is right.
    sent = entry(document_number="out-1", amount="50")
    asked = refused(first("session-payment", paid.code, **sent), "document")
    assert asked["details"]["failed"] == ["document_used"] and everything() == after
    assert first("session-payment", paid.code, **sent, same_document="on").json()["ok"]
    assert Payment.objects.count() == rows + 1
    # Both parts of a split, or neither.
    whole = entry(amount="800", document_number="SPLIT-1")
    assert first("session-deposit", at["unpaid"], **whole).json()["ok"]
    after = everything()
    refused(second("session-deposit", at["unpaid"], **whole | {"same_document": "on"}), "a second click")
    assert Payment.objects.count() == rows + 3 and everything() == after
