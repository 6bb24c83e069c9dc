"""The pages of commissions: sums that add up, origins, paying, statements on paper, and one's own (D27; ADR 12)."""

import csv
import html
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from payments import earnings, ledger, till
from payments.commissions import Rate
from payments.models import CommissionLine, CommissionStatement, Receipt
from sessions_app import commissions, workflow
from sessions_app.actions import pay
from sessions_app.actions.commission import agree_commission, pay_commission
from sessions_app.commissions import Figure, figures_of, percent, with_origins
from sessions_app.documents.commission import gone_from, number_of, of_statement
from studio.conf import STUDIO
from studio.models import User
from studio.roles import Role
from tests.factories.domain import Studio, person
from tests.factories.pdf_text import text_of
from tests.races.copies import copies

pytestmark = pytest.mark.django_db

AS_JSON = {"accept": "application/json"}


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


def today() -> date:
    return timezone.now().astimezone(STUDIO.zone).date()


@pytest.fixture
def studio() -> Studio:
    """Its day lies so far back that what is booked on it can be completed by now."""
    return Studio(today=today() - timedelta(days=60))


def browser(user: User) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def shown(answer) -> str:
    assert answer.status_code == 200, answer.status_code
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return html.unescape(body.decode()).replace("\N{NO-BREAK SPACE}", " ")


def completed(studio: Studio, *, days: int = 20):
    """Completed with 1,000.00, of which 500.00 are paid; the photographer earns 125.00, today."""
    walk = studio.walk(workflow.READY, when=studio.when(days=days))
    agree_commission(walk.session, rate=Decimal("0.125"), by=studio.admin, now=walk.now)
    walk.session.complete(by=studio.coordinator, now=timezone.now())
    return walk.session


def corrected(studio: Studio, session, amount: str = "100.00") -> Receipt:
    """Some of the money goes back; the receipt of it."""
    now = timezone.now()
    by = {"by": studio.coordinator, "now": now}
    refund = ledger.owe_refund(session, amount=Decimal(amount), today=today(), **by)
    pay.pay_out(refund, method="Cash", document_number="R-3", payment_date=today(), **by)
    return Receipt.objects.get(payment=refund)


def paid(studio: Studio, expected: str, *, method: str = "Cash") -> CommissionStatement:
    return pay_commission(
        studio.photographer,
        last_day=today(),
        expected=Decimal(expected),
        method=method,
        document_number="C-9",
        notes="In an envelope",
        by=studio.coordinator,
        now=timezone.now(),
    )


def many(studio: Studio, count: int) -> list[CommissionLine]:
    rate = Rate(Decimal("0.125"), "Session")
    how = {"base": Decimal("8.00"), "rate": rate, "by": studio.coordinator, "now": timezone.now()}
    sessions = copies(studio.walk(workflow.REQUEST).session, count)
    return [earnings.earn(session.pk, studio.photographer, **how) for session in sessions]


def rows_of(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()))


# -- the office --------------------------------------------------------------------------------------------------------


def test_each_figure_opens_to_its_origin(studio):
    session = completed(studio)
    receipt = corrected(studio, session)
    client = browser(studio.coordinator)
    person_url = reverse("commission-person", args=[studio.photographer.pk])

    body = shown(client.get(reverse("commission-list")))
    assert person_url in body and all(f">{each}<" in body for each in ("125.00", "\N{MINUS SIGN}12.50", "112.50"))

    body = shown(client.get(person_url))
    assert session.get_absolute_url() in body and reverse("receipt-pdf", args=[receipt.number]) in body
    for words in ("1,000.00", "12.5 %", "agreed for the session", "Paid back to the client", "Q 112.50"):
        assert words in body, words
    assert studio.admin.full_name in body  # who agreed the rate
    assert reverse("staff-edit", args=[studio.photographer.pk]) not in body
    assert reverse("staff-edit", args=[studio.photographer.pk]) in shown(browser(studio.admin).get(person_url))

    earned, correction = rows_of(client.get(person_url, {"format": "csv"}))
    assert (earned["Base"], earned["Rate"], earned["Amount"]) == ("1000.00", "0.125", "125.00")
    assert earned["Agreed by"].startswith(studio.admin.full_name)
    assert (correction["Base"], correction["Amount"], correction["Receipt"]) == ("'-100.00", "'-12.50", str(receipt))
    (row,) = rows_of(client.get(reverse("commission-list"), {"format": "csv"}))
    assert (row["Earned"], row["Corrected"], row["To pay"]) == ("125.00", "'-12.50", "112.50")


def test_a_period_adds_up_and_what_is_older_stands_beside_it(studio):
    completed(studio)
    person_url = reverse("commission-person", args=[studio.photographer.pk])
    client, later = browser(studio.coordinator), today() + timedelta(days=1)
    next_month = {"since": later.isoformat(), "until": (later + timedelta(days=31)).isoformat()}
    before = commissions.sums_of(studio.photographer, later, later)
    assert (before.earned, before.unpaid, before.before) == (0, 0, Decimal("125.00"))
    assert "to pay from before" in shown(client.get(person_url, next_month))
    assert studio.photographer.full_name in shown(client.get(reverse("commission-list"), next_month))
    paid(studio, "125.00")
    sums = commissions.sums_of(studio.photographer, today(), today())
    assert sums.earned + sums.corrected == sums.paid + sums.unpaid == Decimal("125.00") == sums.paid
    assert studio.photographer.full_name not in shown(client.get(reverse("commission-list"), next_month))
    odd = {"since": "2026-13-01", "until": "soon", "page": "0"}
    assert "Q 125.00" in shown(client.get(person_url, odd))  # this month instead
    assert client.get(reverse("commission-person", args=[2**63])).status_code == 404
    assert client.get(reverse("commission-person", args=[2**63 - 1])).status_code == 404


def test_paying_by_the_page_pays_exactly_what_it_shows(studio):
    session = completed(studio)
    client, url = browser(studio.coordinator), reverse("commission-pay", args=[studio.photographer.pk])
    body = shown(client.get(url))
    assert session.code in body and "Pay Q 125.00" in body and 'name="expected" value="125.00"' in body
    nothing = shown(client.get(url, {"until": (today() - timedelta(days=1)).isoformat()}))
    assert session.code not in nothing and "There is nothing to pay up to this day." in nothing
    ahead = shown(client.get(url, {"until": (today() + timedelta(days=1)).isoformat()}))
    assert "A statement ends today or before." in ahead

    sent = {"last_day": today().isoformat(), "expected": "125.00", "lines": "1", "method": "Transfer"}
    sent |= {"document_number": "T-1"}
    corrected(studio, session)
    stale = client.post(url, sent)
    body = stale.content.decode()
    assert stale.status_code == 422 and "look at them again" in body and 'name="expected" value="112.50"' in body
    for odd in ({"expected": "NaN"}, {"last_day": "soon"}, {"lines": "-1"}, {"method": "Shells"}, {"method": ""}):
        answer = client.post(url, sent | {"expected": "112.50", "lines": "2"} | odd, headers=AS_JSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
    used = client.post(url, sent | {"expected": "112.50", "lines": "2", "document_number": "BI-1"})
    assert used.status_code == 422 and 'name="same_document"' in used.content.decode()
    assert not CommissionStatement.objects.exists()

    answer = client.post(url, sent | {"expected": "112.50", "lines": "2"})
    statement = CommissionStatement.objects.get()
    assert answer["Location"] == reverse("commission-statement", args=[statement.pk])
    assert (statement.total, statement.lines.count()) == (Decimal("112.50"), 2)
    assert client.post(url, sent | {"expected": "112.50", "lines": "2"}, headers=AS_JSON).status_code == 422


def test_a_statement_stands_as_page_file_and_paper(studio):
    session = completed(studio)
    statement = paid(studio, "125.00")
    corrected(studio, session)  # comes on the next one
    client, url = browser(studio.coordinator), reverse("commission-statement", args=[statement.pk])
    body = shown(client.get(url))
    for words in (number_of(statement), "Q 125.00", "12.5 %", "C-9", "In an envelope", studio.coordinator.full_name):
        assert words in body, words
    (row,) = rows_of(client.get(url, {"format": "csv"}))
    assert (row["Amount"], row["Statement"]) == ("125.00", number_of(statement))
    paper = client.get(url, {"format": "pdf"}).content
    words = text_of(paper)
    for said in (number_of(statement), studio.photographer.full_name, "125.00", session.code, "C-9"):
        assert said in words, said
    # The person takes it home: no base and no rate, whoever prints it.
    assert "1,000.00" not in words and "12.5" not in words
    assert of_statement(CommissionStatement.objects.get()) == paper
    User.objects.filter(pk=studio.photographer.pk).update(language="es")
    assert of_statement(CommissionStatement.objects.get()) != paper
    assert client.get(reverse("commission-statement", args=[2**63])).status_code == 404
    body = shown(client.get(reverse("commission-person", args=[studio.photographer.pk]), {"tab": "statements"}))
    assert url in body
    lines = with_origins(statement.lines.all())
    assert gone_from(statement, figures_of(lines, studio.admin)) == 0
    assert gone_from(statement, []) == Decimal("125.00")  # its session was deleted since, with the line (D30)


def test_the_rate_of_a_session_is_agreed_on_its_page(studio):
    walk = studio.walk(workflow.CONFIRMED).equip()
    session, client = walk.session, browser(studio.coordinator)
    url = reverse("session-commission", args=[session.code])
    assert "no rate: earns no commission" in shown(client.get(url))
    assert url in shown(client.get(reverse("session-people", args=[session.code])))
    for odd in ("101", "-1", "12.55", "12.345", "NaN", "1e1", "ten"):
        answer = client.post(url, {"percent": odd}, headers=AS_JSON)
        assert (answer.status_code, "percent" in answer.json()["details"]["fields"]) == (422, True), odd
    assert client.post(url, {"percent": "12,5"}).status_code == 302
    session.refresh_from_db()
    assert session.commission_override == Decimal("0.125")
    body = shown(client.get(url))
    assert 'value="12.5"' in body and "Q 125.00" in body and studio.coordinator.full_name in body
    assert "12.5 % is agreed for this session." in shown(client.get(reverse("session-people", args=[session.code])))
    assert client.post(url, {"percent": ""}, headers=AS_JSON).json()["commission_override"] is None

    over = completed(studio, days=21)
    url = reverse("session-commission", args=[over.code])
    body = shown(client.get(url))
    assert "were fixed when the session was completed" in body and "Q 125.00" in body
    refusal = client.post(url, {"percent": "90"}, headers=AS_JSON)
    assert (refusal.status_code, refusal.json()["code"]) == (422, "IMMUTABLE_SESSION")


def test_the_till_shows_the_commissions_of_the_day(studio):
    completed(studio)
    statement = paid(studio, "125.00")
    client, url = browser(studio.coordinator), reverse("till")
    body = shown(client.get(url))
    assert "a memo, not in the takings" in body and number_of(statement) in body and "add" in body.lower()
    memo = rows_of(client.get(url, {"format": "csv"}))[-1]
    assert (memo["Type"], memo["Entry"], memo["Amount"]) == ("Commission", "memo, not in the takings", "'-125.00")
    now = {f"counted_{each.method.lower()}": str(each.net) for each in till.takings(studio.today, today())}
    assert client.post(url, now | {"notes": ""}).status_code == 302
    assert "Commissions paid besides, in none of these figures: Cash Q 125.00" in shown(client.get(url))


# -- one's own ---------------------------------------------------------------------------------------------------------


def test_who_shoots_sees_their_own_commission_and_no_price(studio):
    other = person(Role.PHOTOGRAPHER)
    session = completed(studio)
    refund = corrected(studio, session)
    statement = paid(studio, "112.50")
    client = browser(studio.photographer)
    home = shown(client.get(reverse("home")))
    assert reverse("own-commission") in home
    own = reverse("own-commission")
    statement_url = reverse("own-commission-statement", args=[statement.pk])
    pages = {
        "page": shown(client.get(own)),
        "statements": shown(client.get(own, {"tab": "statements"})),
        "file": shown(client.get(own, {"format": "csv"})),
        "statement": shown(client.get(statement_url)),
        "file of the statement": shown(client.get(statement_url, {"format": "csv"})),
        "paper": text_of(client.get(statement_url, {"format": "pdf"}).content),
    }
    for name, text in pages.items():
        assert "112.50" in text or "125.00" in text, name
        hidden = ("1,000.00", "1000.00", "12.5 %", "0.125", "500.00", "100.00", "Paid back", str(refund), "R-3")
        assert [each for each in hidden if each in text] == [], name
    assert "A payment of the session changed." in pages["page"] and "agreed for the session" in pages["page"]
    assert session.get_absolute_url() in pages["page"] and statement_url in pages["page"]

    stranger = browser(other)
    assert "112.50" not in shown(stranger.get(own)) and stranger.get(statement_url).status_code == 404
    absent = stranger.get(reverse("own-commission-statement", args=[10**6]), headers=AS_JSON)
    assert stranger.get(statement_url, headers=AS_JSON).content == absent.content
    for office in ("commission-person", "commission-pay"):
        assert client.get(reverse(office, args=[studio.photographer.pk])).status_code == 403
    assert client.get(reverse("commission-statement", args=[statement.pk])).status_code == 403


@pytest.mark.parametrize(("kind", "is_open"), [("Studio", False), ("External", False), ("Appointment", True)])
def test_only_an_appointment_tells_its_people_the_price(kind, is_open):
    """Permissions, object level: what an artist earns with is theirs to know; the price of a shoot is not."""
    line = CommissionLine(kind="Earned", base=Decimal("80.00"), rate=Decimal("0.500"), rate_source="Default")
    figure = Figure(line, may_open=True, shows_price=kind in commissions.WITH_AN_OPEN_PRICE)
    assert (figure.base, figure.rate, figure.percent) == (
        (Decimal("80.00"), Decimal("0.500"), "50\N{NO-BREAK SPACE}%") if is_open else (None, None, "")
    )


@pytest.mark.parametrize(("rate", "words"), [("0", "0"), ("0.125", "12.5"), ("0.100", "10"), ("1.000", "100")])
def test_a_rate_is_shown_as_percent(rate, words):
    assert percent(Decimal(rate)) == f"{words}\N{NO-BREAK SPACE}%"


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_the_pages_cost_the_same_for_one_line_and_for_sixty(studio):
    many(studio, 1)
    seen = SimpleNamespace(office=browser(studio.coordinator), own=browser(studio.photographer))
    pk = studio.photographer.pk
    first = paid(studio, "1.00")
    many(studio, 1)

    def counts(statement: CommissionStatement) -> dict[str, int]:
        asked = {
            "list": (seen.office, reverse("commission-list"), 8),
            "person": (seen.office, reverse("commission-person", args=[pk]), 12),
            "pay": (seen.office, reverse("commission-pay", args=[pk]), 9),
            "statement": (seen.office, reverse("commission-statement", args=[statement.pk]), 9),
            "own": (seen.own, reverse("own-commission"), 12),
            "own statement": (seen.own, reverse("own-commission-statement", args=[statement.pk]), 9),
            "till": (seen.office, reverse("till"), 15),
        }
        found = {}
        for name, (client, url, most) in asked.items():
            client.get(url)
            with CaptureQueriesContext(connection) as queries:
                shown(client.get(url))
            found[name] = len(queries)
            assert len(queries) <= most, (name, len(queries), [each["sql"][:120] for each in queries])
        return found

    once = counts(first)
    many(studio, 30)
    second = paid(studio, "31.00")
    many(studio, 60)
    assert counts(second) == once

    body = shown(seen.office.get(reverse("commission-person", args=[pk])))
    assert body.count('class="row-link"') == 50 and "On this page" in body and "Q 92.00" in body
    last = shown(seen.office.get(reverse("commission-person", args=[pk]), {"page": "2"}))
    assert last.count('class="row-link"') == 42 and ">42.00<" in last
    assert shown(seen.office.get(reverse("commission-pay", args=[pk]))).count('class="row-link"') == 60
