"""The report of money agrees with itself, with the till and with the statements to the cent; and its pages."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from payments import till
from payments.models import Payment
from sessions_app import workflow
from sessions_app.actions import pay, price
from sessions_app.actions.till import close_days
from sessions_app.effects import Deposit
from sessions_app.models import Client
from sessions_app.reports import money as reports
from sessions_app.reports.periods import Period
from sessions_app.statements import statement
from studio.conf import STUDIO
from tests.factories.domain import ClientFactory, ItemFactory, PackageFactory, Studio, at

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio(today=timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=45))


def browser(user) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def received(studio: Studio, session, amount: str, *, when: datetime, method: str = "Cash") -> Payment:
    how = {"method": method, "document_number": "R-9", "payment_date": when.astimezone(STUDIO.zone).date()}
    payment = pay.register_balance(session, amount=Decimal(amount), by=studio.coordinator, now=when, **how)
    return pay.verify(payment, by=studio.coordinator, now=when)


def sold(studio: Studio, *packages, items: str = "", client=None):
    """A confirmed session of these packages, with half of its price paid by transfer on the studio's first day."""
    session = studio.request(**({"client": client} if client else {}))
    session.negotiate(by=studio.coordinator, now=studio.now)
    for package in packages:
        price.add_package(session, package=package, by=studio.coordinator, now=studio.now)
    if items:
        item = ItemFactory(unit_price=Decimal(items))
        price.add_item(session, item=item, quantity=1, by=studio.coordinator, now=studio.now)
    session.preschedule(by=studio.coordinator, now=studio.now)
    session.refresh_from_db()
    deposit = Deposit(amount=session.deposit_amount, method="Transfer", document_number="BI-1")
    session.confirm(by=studio.coordinator, now=studio.now, deposit=deposit)
    return session


def everything(studio: Studio) -> Period:
    """Deposits, instalments, a refund paid and one owed, voids of this and of another month, and money after a
    closing."""
    first, later = studio.now, at(studio.today + 30 * DAY)
    small = PackageFactory(content=[(ItemFactory(unit_price=Decimal("333.33")), 1)], base_price=Decimal("333.33"))
    school = ClientFactory(client_type="Institutional")
    mixed = sold(studio, studio.package, small, items="77.77", client=school)
    sold(studio, items="250.01")
    plain = sold(studio, small)
    received(studio, mixed, "100.01", when=first, method="Card")
    wrong = received(studio, mixed, "33.34", when=first)
    till_day = studio.today
    counted = {each.method: each.net for each in till.takings(till_day, till_day)}
    close_days(till_day, counted=counted, notes="", by=studio.coordinator, now=at(till_day, "20:00"))
    received(studio, mixed, "12.35", when=at(till_day, "21:00"))
    pay.void(wrong, reason="Wrong session", by=studio.coordinator, now=at(till_day, "21:30"))
    again = received(studio, mixed, "9.99", when=later)
    pay.void(again, reason="Twice", by=studio.coordinator, now=later)
    plain.cancel(by=studio.coordinator, now=first, reason="Ill", initiator="company")
    refund = Payment.objects.refunds().get()
    how = {"method": "Cash", "document_number": "R-3", "payment_date": later.date()}
    pay.pay_out(refund, by=studio.coordinator, now=later, **how)
    owed = sold(studio, studio.package, client=school)
    owed.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="company")
    studio.walk(workflow.PRE_SCHEDULED)
    reopened = studio.walk(workflow.CONFIRMED).session
    reopened.reopen(by=studio.coordinator, now=studio.now)
    return Period(studio.today, studio.today + 40 * DAY)


def sums(rows) -> tuple[Decimal, Decimal]:
    rows = list(rows)
    return sum(row.flow.came_in for row in rows), sum(row.flow.paid_back for row in rows)


# -- to the cent -------------------------------------------------------------------------------------------------------


def test_all_tables_agree_with_each_other_the_till_and_the_statements(studio):
    period = everything(studio)
    halves = [Period(period.first, period.first), Period(period.first + DAY, period.last)]
    for days in (period, *halves, *period.steps()):
        made, takings = reports.report(days), till.takings(days.first, days.last)
        total = (sum(each.came_in for each in takings), sum(each.went_out for each in takings))
        assert (made.total.came_in, made.total.paid_back) == total
        for table in (made.by_step, made.by_method, made.by_client_type, made.by_package):
            assert sums(table) == total
        assert [(row.key, row.flow.net) for row in made.by_method] == [(each.method, each.net) for each in takings]
        for row in made.by_step:
            assert row.flow.net == sum(each.net for each in till.takings(row.key.first, row.key.last))
        shown = reports.in_period(days)
        assert reports.added_up(shown, days) == made.total
        contributions = [reports.contribution(each, days) for each in shown if each.payment_type != "Refund"]
        assert sum(contributions) == made.total.came_in
    whole = reports.report(period)
    parts = [{row.key: row.flow for row in reports.report(half).by_package} for half in halves]
    for row in whole.by_package:
        flows = [part[row.key] for part in parts if row.key in part]
        assert sums(reports.Row(row.key, flow) for flow in flows) == (row.flow.came_in, row.flow.paid_back)
    accounts = [statement(client) for client in Client.objects.all()]
    assert whole.total.came_in == sum(each.paid for each in accounts)
    assert whole.total.paid_back == sum(each.refunded for each in accounts) > 0
    owed = reports.owed_now()
    lines = [line for account in accounts for line in account.sessions]
    assert owed.to_studio == sum(max(Decimal(0), line.balance) for line in lines) > 0
    assert owed.to_clients == sum(line.account.refund_owed for line in lines) > 0


def test_what_is_voided_later_leaves_the_first_period_as_it_was(studio):
    payment = received(studio, sold(studio, studio.package), "100.00", when=studio.now)
    next_day = studio.today + DAY
    pay.void(payment, reason="Wrong", by=studio.coordinator, now=at(next_day))
    first, second = (reports.report(Period(day, day)) for day in (studio.today, next_day))
    assert first.total.came_in == Decimal("600.00") and first.voided.came_in == 0
    assert second.total.came_in == Decimal("-100.00") and second.voided.came_in == Decimal("100.00")


def test_a_payment_is_divided_by_what_the_lines_of_each_package_cost(studio):
    """1000.00 of the package and 500.00 of items: a deposit of 750.00 is 500.00 and 250.00."""
    sold(studio, studio.package, items="500.00")
    made = reports.report(Period(studio.today, studio.today))
    flows = [(made.package_names.get(row.key), row.flow.came_in) for row in made.by_package]
    assert flows == [(studio.package.name, Decimal("500.00")), (None, Decimal("250.00"))]


def test_what_a_completed_session_lacks_is_owed_and_the_money_of_a_request_is_not(studio):
    studio.walk(workflow.COMPLETED)
    studio.walk(workflow.NEGOTIATION)
    assert reports.owed_now() == reports.Owed(Decimal("500.00"), Decimal("0.00"))


# -- the pages ---------------------------------------------------------------------------------------------------------


def days_of(period: Period) -> dict[str, str]:
    return {"since": period.first.isoformat(), "until": period.last.isoformat()}


def rows_of(answer) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    return list(csv.reader(text.splitlines()))


def test_the_page_the_plot_and_the_files_have_the_same_figures(studio):
    period = everything(studio)
    made, client = reports.report(period), browser(studio.coordinator)
    body = client.get(reverse("report-money"), days_of(period)).content.decode()
    net = f"{made.total.net:,.2f}"
    assert body.count(f"<b>Q\N{NO-BREAK SPACE}{net}</b>") == 5 and studio.package.name in body
    plot = json.loads(re.search(r'<script id="plot-data" type="application/json">(.*?)</script>', body)[1])
    assert [Decimal(each) for each in plot["series"][2]["data"]] == [row.flow.net for row in made.by_step]
    for table, count in (("period", len(made.by_step)), ("method", 3), ("client", 2), ("package", 3)):
        rows = rows_of(client.get(reverse("report-money"), days_of(period) | {"format": "csv", "table": table}))
        amounts = [[Decimal(cell.lstrip("'")) for cell in row[1:]] for row in rows[1:]]
        assert len(rows) == count + 2 and amounts[-1][2] == made.total.net
        assert [sum(column) for column in zip(*amounts[:-1], strict=True)] == amounts[-1]


def test_each_figure_opens_to_the_payments_and_sessions_behind_it(studio):
    period, client = everything(studio), browser(studio.coordinator)
    made, owed = reports.report(period), reports.owed_now()
    for kind, figure in (("in", made.total.came_in), ("back", made.total.paid_back)):
        rows = rows_of(client.get(reverse("report-entries"), days_of(period) | {"kind": kind, "format": "csv"}))
        assert sum(Decimal(row[9]) for row in rows[1:]) == figure
    rows = rows_of(client.get(reverse("report-entries"), days_of(period) | {"kind": "voided", "format": "csv"}))
    assert sum(Decimal(row[8]) for row in rows[1:]) == made.voided.came_in == Decimal("43.33")
    wanted = days_of(period) | {"method": "Card", "client": "Institutional"}
    body = client.get(reverse("report-entries"), wanted).content.decode()
    assert "Q\N{NO-BREAK SPACE}100.01" in body and "12.35" not in body
    for whom, figure in (("studio", owed.to_studio), ("clients", owed.to_clients)):
        rows = rows_of(client.get(reverse("report-owed"), {"to": whom, "format": "csv"}))
        assert sum(Decimal(row[7]) for row in rows[1:]) == figure
        body = client.get(reverse("report-owed"), {"to": whom}).content.decode()
        assert all(row[0] in body for row in rows[1:]) and f"{figure:,.2f}" in body
    body = client.get(reverse("report-owed"), {"part": "figures"}).content.decode()
    assert f"{owed.to_studio:,.2f}" in body and f"{owed.to_clients:,.2f}" in body and "<html" not in body


ODD = [
    ({"since": "2026-02-30", "until": "2026-03-01"}, "Enter a valid date"),
    ({"since": "1999-12-31", "until": "2000-01-02"}, "greater than or equal to"),
    ({"since": "2026-03-02", "until": "9999-12-31"}, "less than or equal to"),
    ({"since": "2026-03-02", "until": "2026-03-01"}, "before the first day"),
    ({"since": "2024-01-01", "until": "2026-01-01"}, "731 days at most"),
    ({"since": "2026-03-02"}, "Say until which day"),
    ({"until": "2026-03-02"}, "Say from which day"),
    ({"since": "2026-03-02T00:00", "until": "' OR 1=1 --"}, "Enter a valid date"),
    ({"period": "../../etc"}, "make no period"),
    ({"kind": "\u202e", "method": "Gold", "client": "x", "page": "99999999999999999999"}, ""),
    ({"page": "-1", "to": "moon", "part": "x"}, ""),
]


def test_odd_values_show_this_month_and_say_why(studio):
    client, today = browser(studio.coordinator), timezone.now().astimezone(STUDIO.zone).date()
    for query, says in ODD:
        for name in ("report-money", "report-entries"):
            answer = client.get(reverse(name), query)
            assert answer.status_code == 200 and says in answer.content.decode(), (name, query)
            assert answer.context["period"].first == today.replace(day=1)
        assert client.get(reverse("report-owed"), query).status_code == 200
    for table in ("", "salaries", "\u202e"):
        assert client.get(reverse("report-money"), {"format": "csv", "table": table}).status_code == 404


def test_two_years_are_shown_by_month_and_days_to_come_are_not(studio):
    client = browser(studio.coordinator)
    page = client.get(reverse("report-money"), {"since": "2024-01-01", "until": "2025-12-31"})
    assert [len(table.lines) for table in page.context["tables"]] == [24, 3, 2, 0]
    today = timezone.now().astimezone(STUDIO.zone).date()
    page = client.get(reverse("report-money"))
    assert len(page.context["plot"]["labels"]) == today.day and not page.context["tables"][0].lines
    received(studio, sold(studio, studio.package), "10.00", when=timezone.now())
    page = client.get(reverse("report-money"))
    assert [line.flow.net for line in page.context["tables"][0].lines] == [Decimal("10.00")]


def test_the_pages_cost_the_same_for_one_payment_and_for_thirty(studio):
    client, counts = browser(studio.coordinator), []
    day = {"since": studio.today.isoformat(), "until": studio.today.isoformat()}
    session = sold(studio, studio.package, items="500.00")
    for size in (1, 30):
        for _each in range(size):
            received(studio, session, "1.00", when=studio.now)
        for name in ("report-money", "report-entries", "report-owed"):
            client.get(reverse(name), day)
            with CaptureQueriesContext(connection) as queries:
                client.get(reverse(name), day)
            counts.append(len(queries))
        sold(studio, PackageFactory(), client=ClientFactory())
    assert counts[:3] == counts[3:] and max(counts) <= 10, counts


def test_a_month_is_found_by_the_indexes_of_the_days(studio):
    month = Period(date(2026, 3, 1), date(2026, 3, 31))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = reports.in_period(month).order_by().values_list("amount").explain()
    assert "payment_by_cash_day" in plan and "payment_by_void_cash_day" in plan
