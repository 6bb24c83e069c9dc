"""What the client is offered: versions, what changed between them, and the paper (D13, D22, D23, D32)."""

import copy
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from sessions_app import quotes, workflow
from sessions_app.actions import price
from sessions_app.models import QuoteVersion, Session
from studio.conf import STUDIO
from studio.roles import Role
from studio.templatetags.atelier import clock
from tests.factories.domain import ItemFactory, Studio, person
from tests.factories.pdf_text import pages_of, text_of

JSON = {"HTTP_ACCEPT": "application/json"}


def line(number, **values):
    return {
        "line": number,
        "code": f"I{number}",
        "name": f"Print {number}",
        "package": "",
        "description": "",
        "quantity": 2,
        "unit_price": "10.00",
        "amount": "20.00",
    } | values


CONTENT = {
    "lines": [line(1), line(2)],
    "subtotal": "40.00",
    "transportation": "0.00",
    "discount": "0.00",
    "discount_reason": "",
    "total": "40.00",
    "deposit_percentage": 50,
    "deposit": "20.00",
    "starts_at": "2026-11-28T14:00:00+00:00",
    "ends_at": "2026-11-28T16:00:00+00:00",
    "place": "",
}


def changed(**values):
    return copy.deepcopy(CONTENT) | values


CHANGES = {
    "nothing": (changed(), []),
    "same moment, other offset": (changed(starts_at="2026-11-28T08:00:00-06:00"), []),
    "sold again": (changed(lines=[line(1), line(9, code="I2", name="Print 2")]), []),
    "added": (changed(lines=[line(1), line(2), line(3)]), ["Added: 2 × Print 3 for Q\xa010.00."]),
    "removed": (changed(lines=[line(2)]), ["Taken out: 2 × Print 1."]),
    "quantity": (changed(lines=[line(1), line(2, quantity=5)]), ["Print 2: 5 instead of 2."]),
    "price": (
        changed(lines=[line(1, unit_price="12.50"), line(2)]),
        ["Print 1: Q\xa012.50 each instead of Q\xa010.00."],
    ),
    "description": (changed(lines=[line(1, description="matt"), line(2)]), ["Print 1: another description."]),
    "order": (changed(lines=[line(2), line(1)]), ["The lines are in another order."]),
    "transportation": (changed(transportation="5.00"), ["Transportation: Q\xa05.00 instead of Q\xa00.00."]),
    "discount": (
        changed(discount="5.00", discount_reason="Friend"),
        ["Discount: Q\xa05.00 instead of Q\xa00.00.", "Reason of the discount: Friend."],
    ),
    "total": (changed(total="45.00"), ["Total: Q\xa045.00 instead of Q\xa040.00."]),
    "deposit": (
        changed(deposit="40.00", deposit_percentage=100),
        ["Deposit: Q\xa040.00 instead of Q\xa020.00.", "The deposit is 100 % instead of 50 %."],
    ),
    "place": (changed(place="Antigua"), ["Place: Antigua."]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_is_said_in_words(name):
    after, said = CHANGES[name]
    with translation.override("en"):
        assert quotes.changes(CONTENT, after) == said
    assert quotes.is_same(CONTENT, after) == (not said)


def test_name_with_a_percent_sign_is_a_name():
    with translation.override("en"):
        said = quotes.changes(CONTENT, changed(lines=[line(1), line(2), line(3, name="50 %(x)s %")]))
    assert said == ["Added: 2 × 50 %(x)s % for Q\xa010.00."]


# --- Versions -------------------------------------------------------------------------------


@pytest.fixture
def studio(db):
    return Studio(today=timezone.localdate(timezone=STUDIO.zone))


@pytest.fixture
def walk(studio):
    return studio.walk(workflow.PRE_SCHEDULED)


@pytest.fixture
def session(walk):
    return walk.session


@pytest.fixture
def office(studio):
    return browser(studio.coordinator)


def browser(user):
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def url(name, session, *more):
    return reverse(name, args=[session.code, *more])


def again(session, walk, studio):
    """Back to Negotiation and quoted once more."""
    session = Session.objects.get(pk=session.pk)
    session.move("reopen", by=studio.coordinator, now=walk.now)
    return session


def quote(session, walk, studio):
    session = Session.objects.get(pk=session.pk)
    session.move("preschedule", by=studio.coordinator, now=walk.now)
    return session


def test_prescheduling_keeps_what_was_offered(session, studio):
    (version,) = session.quotes.all()
    assert (version.number, version.total, version.made_by) == (1, session.total, studio.coordinator)
    assert version.content["deposit"] == str(session.deposit_amount)
    assert len(version.content["lines"]) == session.lines.count() > 0


def test_same_quote_again_makes_no_new_version(session, walk, studio):
    again(session, walk, studio)
    quote(session, walk, studio)
    assert session.quotes.count() == 1


def test_changed_quote_makes_the_next_version_and_keeps_the_old_one(session, walk, studio):
    before = session.quotes.get().content
    again(session, walk, studio)
    price.add_item(
        session, item=ItemFactory(unit_price=Decimal("33.00")), quantity=2, by=studio.coordinator, now=walk.now
    )
    quote(session, walk, studio)
    first, second = QuoteVersion.objects.filter(session=session)
    assert (first.number, first.content, second.number) == (1, before, 2)
    assert second.total == first.total + 66
    assert Decimal(second.content["deposit"]) == Session.objects.get(pk=session.pk).deposit_amount


def test_page_says_what_changed_and_what_differs_now(session, walk, studio, office):
    again(session, walk, studio)
    item = ItemFactory(name="Canvas", unit_price=Decimal("33.00"))
    price.add_item(session, item=item, quantity=2, by=studio.coordinator, now=walk.now)
    facts = office.get(url("session-quotes", session), **JSON).json()
    assert facts["since"][0] == "Added: 2 × Canvas for Q\xa033.00."
    # What was fixed before it was reopened says nothing about the deposit that would be asked for now.
    assert any(each.startswith("Deposit: ") for each in facts["since"])
    quote(session, walk, studio)
    facts = office.get(url("session-quotes", session), **JSON).json()
    assert facts["since"] == [] and [each["number"] for each in facts["versions"]] == [2, 1]
    page = office.get(url("session-quotes", session)).content.decode()
    assert "Added: 2 × Canvas" in page and studio.coordinator.full_name in page


def test_page_costs_the_same_for_one_version_and_for_thirty(session, studio, office):
    def cost():
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert office.get(url("session-quotes", session)).status_code == 200
        return len(queries)

    cost()
    one = cost()
    content = session.quotes.get().content
    for number in range(2, 31):
        QuoteVersion.objects.create(
            session=session, number=number, content=content, total=1, made_at=timezone.now(), made_by=studio.coordinator
        )
    assert cost() == one <= 15


# --- Paper ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "title", "deposit"), [("en", "Quote", "50 % of the total"), ("es", None, None)])
def test_paper_is_in_the_clients_language_whatever_the_readers(session, office, language, title, deposit):
    session.client.language = language
    session.client.save()
    text = text_of(office.get(url("session-quote-version", session, 1)).content)
    year = str(timezone.localdate(session.starts_at, STUDIO.zone).year)
    for each in (STUDIO.name, session.client.full_name, session.code, clock(session.starts_at), year, "500.00"):
        assert each in text
    if title:
        assert title in text and deposit in text and "until" in text
        assert "100 % of what you paid is given back" in text
    else:
        assert " de 20" in text


def test_paper_has_everything_that_is_priced(session, walk, studio, office):
    again(session, walk, studio)
    sold = session.lines.first()
    price.change_line(
        session, line_id=sold.pk, description_override="ñandú – 20 €", by=studio.coordinator, now=walk.now
    )
    price.set_price(
        session,
        transportation_cost=Decimal("0.00"),
        discount=Decimal("10.00"),
        discount_reason="Fiel <b>",
        deposit_percentage=40,
        deposit_note="",
        by=studio.coordinator,
        now=walk.now,
    )
    session.client.language = "en"
    session.client.save()
    answer = office.get(url("session-quote-now", session))
    assert answer["Content-Disposition"] == f'inline; filename="quote-{session.code}.pdf"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    text = text_of(answer.content)
    for each in ("ñandú – 20 €", "Fiel <b>", "\N{MINUS SIGN}Q 10.00", "40 % of the total", "days of acceptance"):
        assert each in text


def test_sixty_lines_and_long_descriptions_go_over_pages(session, walk, studio, office):
    again(session, walk, studio)
    for number in range(60):
        item = ItemFactory(name=f"Print {number}", unit_price=Decimal("1.00"))
        price.add_item(session, item=item, quantity=1, by=studio.coordinator, now=walk.now)
    session.lines.filter(item_name="Print 7").update(description_override="larga " * 1600)
    session.client.language = "en"
    session.client.save()
    pages = pages_of(office.get(url("session-quote-now", session)).content)
    assert len(pages) > 3 and all(f"Page {n} of {len(pages)}" in page for n, page in enumerate(pages, start=1))
    assert all(f"Print {number}\n" in " ".join(pages) for number in range(60))
    assert all("Quantity" in page for page in pages[:-1])


def test_old_version_stays_as_it_was_given(session, walk, studio, office):
    before = office.get(url("session-quote-version", session, 1)).content
    again(session, walk, studio)
    price.add_item(session, item=ItemFactory(name="Canvas"), quantity=2, by=studio.coordinator, now=walk.now)
    assert "Canvas" not in text_of(office.get(url("session-quote-version", session, 1)).content)
    assert "Canvas" in text_of(office.get(url("session-quote-now", session)).content)
    assert before[:4] == b"%PDF"


def test_papers_are_for_the_office_alone(studio):
    """Prices are nobody else's: those on the session are refused, the others do not know of it."""
    session = studio.walk(workflow.IN_EDITING).session
    assert session.quotes.count() == 1
    others = [person(Role.PHOTOGRAPHER), person(Role.EDITOR), person(Role.ARTIST)]
    for who, answers in [
        (studio.photographer, {403}),
        (studio.editor, {403}),
        *((each, {403, 404}) for each in others),
    ]:
        for name, more in (("session-quotes", []), ("session-quote-now", []), ("session-quote-version", [1])):
            assert browser(who).get(url(name, session, *more), **JSON).status_code in answers
        assert "quotes/" not in browser(who).get(session.get_absolute_url()).content.decode()


@pytest.mark.parametrize("number", [0, 2, 2**31, 10**30])
def test_version_that_is_not_there(session, office, number):
    path = f"/sessions/{session.code}/quotes/{number}.pdf"
    assert office.get(path, **JSON).status_code == 404


def test_quote_without_lines_is_still_a_page_and_a_paper(studio, office):
    session = studio.walk(workflow.REQUEST).session
    assert office.get(url("session-quotes", session)).status_code == 200
    assert office.get(url("session-quote-now", session)).content[:4] == b"%PDF"


def test_moved_session_is_a_change(session, walk, studio):
    content = session.quotes.get().content
    later = datetime.fromisoformat(content["starts_at"]) + timedelta(days=1)
    with translation.override("en"):
        (said,) = quotes.changes(content, {**content, "starts_at": later.isoformat()})
    assert said.startswith("Starts ")
