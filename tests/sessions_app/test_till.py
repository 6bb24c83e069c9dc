"""The till: days, their closing, and that a closed day stands to the cent (ADR 11)."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from payments import money, till
from payments.models import CashClosing, Payment, PaymentMethod, PaymentStatus, PaymentType, Till
from sessions_app import workflow
from sessions_app.actions import pay
from sessions_app.actions.till import close_days
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, StudioError
from studio.models import AuditEvent
from tests.factories.domain import Studio, at

pytestmark = pytest.mark.django_db

AS_JSON = {"accept": "application/json"}
NOTHING = dict.fromkeys(PaymentMethod.values, money.ZERO)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio()


def today() -> date:
    return timezone.now().astimezone(STUDIO.zone).date()


def browser(user) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


def received(studio: Studio, session, amount: str = "100.00", *, when: datetime, method: str = "Cash") -> Payment:
    """A balance payment, verified at ``when``."""
    how = {"method": method, "document_number": "R-9", "payment_date": when.astimezone(STUDIO.zone).date()}
    payment = pay.register_balance(session, amount=Decimal(amount), by=studio.coordinator, now=when, **how)
    return pay.verify(payment, by=studio.coordinator, now=when)


def confirmed(studio: Studio):
    """Confirmed on the studio's day with 500.00 by transfer."""
    return studio.walk(workflow.CONFIRMED).session


def nets(first: date, last: date) -> dict[str, Decimal]:
    return {each.method: each.net for each in till.takings(first, last)}


def close(studio: Studio, day: date, *, now: datetime | None = None, **counted: str) -> CashClosing:
    """Closes with what the books say, but for what is given."""
    amounts = nets(till.first_open_day() or day, day) | {method: Decimal(text) for method, text in counted.items()}
    return close_days(day, counted=amounts, notes="counted twice", by=studio.coordinator, now=now or at(day, "20:00"))


def url(day: date) -> str:
    return f"{reverse('till')}?day={day.isoformat()}"


# -- what a day holds --------------------------------------------------------------------------------------------------


def test_money_counts_on_the_day_of_the_decision_by_method(studio):
    session = confirmed(studio)
    later = at(studio.today + timedelta(days=1))
    received(studio, session, "120.50", when=later)
    assert nets(studio.today, studio.today) == NOTHING | {"Transfer": Decimal("500.00")}
    assert nets(later.date(), later.date()) == NOTHING | {"Cash": Decimal("120.50")}


def test_a_day_ends_at_midnight_of_the_studio(studio):
    session = confirmed(studio)
    received(studio, session, "10.00", when=at(studio.today, "23:59:59"))
    received(studio, session, "20.00", when=at(studio.today + timedelta(days=1), "00:00"))
    assert nets(studio.today, studio.today)["Cash"] == Decimal("10.00")


def test_what_is_voided_is_taken_out_on_the_day_of_the_voiding(studio):
    payment = received(studio, confirmed(studio), when=studio.now)
    next_day = at(studio.today + timedelta(days=1))
    pay.void(payment, reason="Wrong session", by=studio.coordinator, now=next_day)
    assert nets(studio.today, studio.today)["Cash"] == Decimal("100.00")
    assert nets(next_day.date(), next_day.date())["Cash"] == Decimal("-100.00")
    assert [each.amount for each in till.entries(next_day.date(), next_day.date())] == [Decimal("-100.00")]


def test_a_refund_goes_out_when_it_is_paid_out_and_comes_back_when_voided(studio):
    session = confirmed(studio)
    session.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")
    refund = Payment.objects.refunds().get()
    day = studio.today + timedelta(days=1)
    how = {"method": "Cash", "document_number": "R-3", "payment_date": day}
    pay.pay_out(refund, by=studio.coordinator, now=at(day), **how)
    assert nets(day, day)["Cash"] == -refund.amount
    pay.void(refund, reason="Not handed over", by=studio.coordinator, now=at(day, "12:00"))
    assert [each.amount for each in till.entries(day, day)] == [-refund.amount, refund.amount]
    assert nets(day, day) == NOTHING


def test_entries_add_up_to_the_takings(studio):
    session = confirmed(studio)
    for amount in ("1.01", "2.02"):
        payment = received(studio, session, amount, when=studio.now)
    pay.void(payment, reason="Wrong", by=studio.coordinator, now=studio.now)
    entries = till.entries(studio.today, studio.today)
    assert len(entries) == 4
    assert sum(each.amount for each in entries) == sum(nets(studio.today, studio.today).values()) == Decimal("501.01")


# -- closing -----------------------------------------------------------------------------------------------------------


def test_a_closed_day_stands_whatever_is_decided_later_that_day(studio):
    session = confirmed(studio)
    wrong = received(studio, session, "50.00", when=studio.now)
    waiting = pay.register_balance(
        session,
        amount=Decimal("70.00"),
        method="Cash",
        document_number="R-5",
        payment_date=studio.today,
        by=studio.coordinator,
        now=studio.now,
    )
    closing = close(studio, studio.today)
    before = nets(studio.today, studio.today), closing.expected
    late = at(studio.today, "21:00")
    pay.verify(waiting, by=studio.coordinator, now=late)
    pay.void(wrong, reason="Twice", by=studio.coordinator, now=late)
    session.cancel(by=studio.coordinator, now=late, reason="Ill", initiator="client")
    refund = Payment.objects.refunds().get()
    how = {"method": "Card", "document_number": "R-6", "payment_date": studio.today}
    pay.pay_out(refund, by=studio.coordinator, now=late, **how)
    closing.refresh_from_db()
    assert (nets(studio.today, studio.today), closing.expected) == before
    tomorrow = studio.today + timedelta(days=1)
    assert nets(tomorrow, tomorrow) == NOTHING | {"Cash": Decimal("20.00"), "Card": -refund.amount}


def test_days_without_a_closing_are_closed_together_with_the_next(studio):
    session = confirmed(studio)
    received(studio, session, when=at(studio.today + timedelta(days=3)))
    closing = close(studio, studio.today + timedelta(days=3))
    assert (closing.first_day, closing.day) == (studio.today, studio.today + timedelta(days=3))
    assert closing.expected["Transfer"] == {"in": "500.00", "out": "0.00"}
    assert closing.expected["Cash"] == {"in": "100.00", "out": "0.00"}


def refused(studio: Studio, day: date, *, now: datetime | None = None, **values) -> InvalidInput:
    given_values = {"counted": nets(day, day), "notes": ""} | values
    with pytest.raises(InvalidInput) as caught:
        close_days(day, by=studio.coordinator, now=now or at(day, "20:00"), **given_values)
    assert not CashClosing.objects.filter(day=day, notes="").exists()
    return caught.value


def test_a_difference_needs_a_note_and_is_kept_with_it(studio):
    confirmed(studio)
    counted = NOTHING | {"Transfer": Decimal("499.99")}
    assert refused(studio, studio.today, counted=counted).field == "notes"
    assert Till.objects.get().closed_through is None
    closing = close_days(
        studio.today, counted=counted, notes=" A cent short ", by=studio.coordinator, now=at(studio.today, "20:00")
    )
    assert (closing.counted["Transfer"], closing.notes) == ("499.99", "A cent short")
    assert AuditEvent.objects.get(event="till_closed").details["counted"]["Transfer"] == "499.99"


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1.001", "1e30", "-1e30"])
def test_odd_amounts_are_refused_beside_their_field(studio, amount):
    confirmed(studio)
    error = refused(studio, studio.today, counted=NOTHING | {"Card": Decimal(amount)})
    assert (error.field, error.details) == ("counted_card", {"failed": ["not_counted"]})


def test_a_method_that_was_not_counted_is_refused(studio):
    confirmed(studio)
    assert refused(studio, studio.today, counted={"Cash": money.ZERO, "Card": money.ZERO}).field == "counted_transfer"


def test_a_day_is_closed_once_never_ahead_and_not_before_the_first_money(studio):
    confirmed(studio)
    day = studio.today
    ahead = refused(studio, day + timedelta(days=1), now=at(day, "20:00"))
    assert ahead.details == {"failed": ["not_begun"]}
    assert refused(studio, day - timedelta(days=1)).details == {"failed": ["before_the_first"]}
    close(studio, day)
    assert refused(studio, day).details == {"failed": ["closed_already"]}


def test_money_that_was_decided_on_since_one_looked_is_told(studio):
    session = confirmed(studio)
    seen = nets(studio.today, studio.today)
    received(studio, session, when=studio.now)
    error = refused(studio, studio.today, counted=seen, seen=seen, notes="Short")
    assert error.details == {"failed": ["changed_meanwhile"]}


def test_only_who_verifies_closes(studio):
    for user in (studio.photographer, studio.editor):
        with pytest.raises(AccessDenied):
            close_days(studio.today, counted=NOTHING, by=user, now=studio.now)
    assert not CashClosing.objects.exists()


class DaysAddUpTest(TestCase):
    """Whatever is verified, voided, paid out and closed in whatever order."""

    @settings(
        max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["in", "void", "refund", "close", "wait"]),
                st.integers(1, 9_00),
                st.sampled_from(PaymentMethod.values),
            ),
            max_size=14,
        )
    )
    def test_days_add_up_to_the_ledger_and_closed_ones_stand(self, acts):
        with STUDIO.overridden(language="en"):
            self.try_out(acts)

    def try_out(self, acts):
        studio = Studio()
        session, now, closed = confirmed(studio), at(studio.today, "09:00"), {}
        for act, cents, method in acts:
            now += timedelta(minutes=1)
            day = now.date()
            try:
                if act == "in":
                    received(studio, session, str(Decimal(cents) / 100), when=now, method=method)
                elif act == "void" and Payment.objects.live().exists():
                    rows = Payment.objects.live().filter(payment_status=PaymentStatus.VERIFIED)
                    pay.void(rows[cents % len(rows)], reason="Wrong", by=studio.coordinator, now=now)
                elif act == "refund":
                    session.refresh_from_db()
                    self.give_back(studio, session, Decimal(cents) / 100, method, now)
                elif act == "close":
                    closing = close(studio, day, now=now)
                    closed[closing.first_day, closing.day] = nets(closing.first_day, closing.day)
                else:
                    now += timedelta(hours=20)
            except StudioError:
                continue  # refused as the ledger should: nothing was written
        end = now.date() + timedelta(days=400)
        for (first, last), figures in closed.items():
            assert nets(first, last) == figures
        for closing in CashClosing.objects.all():
            expected = {m: Decimal(each["in"]) - Decimal(each["out"]) for m, each in closing.expected.items()}
            assert expected == closed[closing.first_day, closing.day]
        signed = [
            -row.amount if row.payment_type == PaymentType.REFUND else row.amount
            for row in Payment.objects.live().filter(payment_status=PaymentStatus.VERIFIED)
        ]
        assert sum(nets(date(2000, 1, 1), end).values()) == sum(signed, money.ZERO)

    def give_back(self, studio, session, amount, method, now):
        from payments import ledger

        refund = ledger.owe_refund(session, amount=amount, by=studio.coordinator, now=now, today=now.date())
        how = {"method": method, "document_number": "R-7", "payment_date": now.date()}
        pay.pay_out(refund, by=studio.coordinator, now=now, **how)


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def now_studio() -> Studio:
    return Studio(today=today() - timedelta(days=2))


def form_of(day: date, **values: str) -> dict[str, str]:
    first = till.first_open_day() or day
    books = {f"counted_{method.lower()}": str(net) for method, net in nets(first, day).items()}
    seen = {f"seen_{method.lower()}": str(net) for method, net in nets(first, day).items()}
    return {**books, **seen, "notes": "", **values}


def test_the_page_shows_the_day_and_says_what_closing_means(now_studio):
    confirmed(now_studio)
    body = browser(now_studio.coordinator).get(url(now_studio.today)).content.decode()
    assert "Q\N{NO-BREAK SPACE}500.00" in body and now_studio.client.full_name in body and "BI-1" in body
    assert "can never be changed or opened again" in body and "Close for good" in body


def test_closing_by_the_page_freezes_it_and_shows_the_difference(now_studio):
    confirmed(now_studio)
    client, day = browser(now_studio.coordinator), now_studio.today
    page = client.post(url(day), form_of(day, counted_transfer="499,50"))
    assert page.status_code == 422 and "write down why" in page.content.decode()
    assert client.post(url(day), form_of(day, counted_transfer="499,50", notes="A coin rolled away")).status_code == 302
    body = client.get(url(day)).content.decode()
    assert "A coin rolled away" in body and "\N{MINUS SIGN}0.50" in body and "Close for good" not in body
    assert "No money has counted" not in body
    assert client.post(url(day), form_of(day)).status_code == 422
    assert CashClosing.objects.count() == 1


def test_the_differences_are_worked_out_without_closing(now_studio):
    confirmed(now_studio)
    sent = form_of(now_studio.today, counted_transfer="510", preview="1")
    answer = browser(now_studio.coordinator).post(url(now_studio.today), sent)
    assert answer.status_code == 200 and "Q\N{NO-BREAK SPACE}10.00" in answer.content.decode()
    assert not CashClosing.objects.exists()


@pytest.mark.parametrize("typed", ["", "NaN", "1e3", "12.345", "99999999999", "ten", "--1"])
def test_odd_figures_close_nothing(now_studio, typed):
    confirmed(now_studio)
    sent = form_of(now_studio.today, counted_cash=typed, notes="x")
    answer = browser(now_studio.coordinator).post(url(now_studio.today), sent, headers=AS_JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
    assert "counted_cash" in answer.json()["details"]["fields"] and not CashClosing.objects.exists()


def test_a_till_that_moved_meanwhile_comes_back_with_the_new_figures(now_studio):
    session, day = confirmed(now_studio), now_studio.today
    client, sent = browser(now_studio.coordinator), form_of(day, notes="All of it")
    received(now_studio, session, "33.00", when=now_studio.now)
    page = client.post(url(day), sent)
    assert page.status_code == 422 and "since you looked" in page.content.decode()
    assert 'name="seen_cash" value="33.00"' in page.content.decode()


@pytest.mark.parametrize("day", ["yesterday", "1999-12-31", "99999-01-01", "2026-02-30", "20260101", "2126-01-01"])
def test_what_is_no_day_of_the_books_is_not_found(studio, day):
    assert browser(studio.coordinator).get(reverse("till"), {"day": day}).status_code == 404


def test_money_decided_after_the_closing_says_so_in_its_row(now_studio):
    session = confirmed(now_studio)
    received(now_studio, session, when=timezone.now())
    close(now_studio, today(), now=timezone.now())
    received(now_studio, session, "5.00", when=timezone.now())
    client = browser(now_studio.coordinator)
    for address in (session.get_absolute_url(), f"{reverse('payment-list')}?tab=all"):
        assert client.get(address).content.decode().count("the day of the decision was closed") == 1
    body = client.get(url(today() + timedelta(days=1))).content.decode()
    assert "which was closed" in body and "This day has not begun" in body


def test_the_file_of_a_day_has_its_entries(now_studio):
    confirmed(now_studio)
    answer = browser(now_studio.coordinator).get(url(now_studio.today) + "&format=csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 2 and "500.00" in lines[1] and "BI-1" in lines[1]


def test_the_page_costs_the_same_for_one_entry_and_for_thirty(now_studio):
    session = confirmed(now_studio)
    client = browser(now_studio.coordinator)
    counts = []
    for size in (1, 30):
        for _each in range(size):
            received(now_studio, session, "1.00", when=now_studio.now)
        client.get(url(now_studio.today))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(url(now_studio.today))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 15, counts
