"""The totals while one types: told by what saves, never written, errors beside their fields (D22, D23, D24, D32)."""

import random
import re
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection
from django.http import QueryDict
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from payments import ledger
from sessions_app import quotes, workflow
from sessions_app.actions import price
from sessions_app.actions.price import LineChange
from sessions_app.forms.lines import PriceForm
from sessions_app.models import Session, SessionDetail
from studio.conf import STUDIO
from studio.errors import StudioError
from tests.factories.domain import ItemFactory, PackageFactory, Studio, Walk
from tests.matrix.conftest import tried

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}
D = Decimal
FIGURES = ("subtotal", "transportation_cost", "discount", "discount_reason", "total", "deposit_percentage")


@pytest.fixture
def studio():
    return Studio(today=timezone.localdate(timezone=STUDIO.zone))


@pytest.fixture
def office(studio):
    browser = Browser()
    browser.force_login(studio.coordinator)
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return browser


def url(name, session):
    return reverse(name, args=[session.code])


def read(session: Session) -> tuple:
    return (*(getattr(session, name) for name in FIGURES), session.deposit_amount, ledger.account(session))


def come_out(act) -> tuple:
    try:
        return "done", read(act())
    except StudioError as refused:
        return "refused", refused.code, refused.message, refused.field


def a_draft(dice: random.Random, walk: Walk, packages: list, items: list) -> tuple[dict, dict, dict]:
    """Something that a person might have on the page: a package, an item, and what is typed beside them."""
    lines = list(walk.session.lines.all())
    some = dice.sample(lines, dice.randint(0, len(lines)))
    typed = {
        "lines": [LineChange(line.pk, dice.choice([None, 0, 1, 3, 40, 100_000, 100_001]), None) for line in some],
        "discount": dice.choice([None, D("0.00"), D("0.01"), D("99.99"), D("1000.00"), D("5000.00"), D("1.005")]),
        "discount_reason": dice.choice([None, "", "Friends"]),
        "transportation_cost": dice.choice([None, None, D("0.00"), D("200.00"), D("-1.00"), D("NaN")]),
        "deposit_percentage": dice.choice([None, 0, 33, 50, 100, 101]),
        "deposit_note": dice.choice([None, "Asked for it"]),
    }
    sale = {"package": dice.choice(packages), "times": dice.randint(1, 3), "take_discount": dice.random() < 0.5}
    single = {"item": dice.choice(items), "quantity": dice.choice([1, 7, 0])}
    return (sale if dice.random() < 0.4 else {}), (single if dice.random() < 0.3 else {}), typed


@pytest.mark.parametrize("state", [workflow.NEGOTIATION, workflow.PRE_SCHEDULED, workflow.CONFIRMED])
def test_what_is_foreseen_is_what_is_saved(studio, state):
    """Thirty drafts in each state: the same figures, or the same refusal; and foreseeing wrote nothing."""
    walk = studio.walk(state, session_type="External")
    if state == workflow.NEGOTIATION:
        price.add_package(walk.session, package=studio.package, by=studio.coordinator, now=walk.now)
    session = Session.objects.get(pk=walk.session.pk)
    by = {"by": studio.coordinator, "now": walk.now}
    packages = [studio.package, PackageFactory(base_price=D("900.00")), PackageFactory(session_type="Studio")]
    items = [ItemFactory(), ItemFactory(unit_price=D("9999999999.99")), ItemFactory(active=False)]
    dice, outcomes = random.Random(state), []
    for _ in range(30):
        sale, single, typed = a_draft(dice, walk, packages, items)

        def save(sale=sale, single=single, typed=typed):
            if sale:
                price.add_package(session, **sale, **by)
            if single:
                price.add_item(session, **single, **by)
            return price.set_price(session, **typed, **by)

        before = read(Session.objects.get(pk=session.pk))
        foreseen = come_out(lambda given={**sale, **single, **typed}: price.foresee(session, **given, **by))
        assert read(Session.objects.get(pk=session.pk)) == before
        with tried():
            saved = come_out(save)
        # Two things that are wrong at once may be told in another order; that it is refused is the same.
        assert foreseen[0] == saved[0] and (foreseen[0] == "refused" or foreseen == saved), (sale, single, typed)
        outcomes.append(foreseen[0])
    assert outcomes.count("done") > 2 and outcomes.count("refused") > 5


def test_typing_is_answered_with_the_totals_and_writes_nothing(studio, office):
    session = studio.walk(workflow.CONFIRMED).session
    first, second = session.lines.all()
    typed = {
        f"line{first.pk}-quantity": "2",
        "discount": "1.200,00",
        "discount_reason": "Again",
        "deposit_percentage": "50",
    }
    with CaptureQueriesContext(connection) as asked:
        answer = office.post(url("session-price-preview", session), typed, headers=HTMX)
    text = answer.content.decode()
    assert answer.status_code == 200 and "<html" not in text and "Nothing is saved yet" in text
    # 1,900 less 1,200 is 700: the balance of the 500 that were paid.
    assert "700.00" in text and "200.00" in text and "Now Q\xa01,000.00" in text
    written = [
        each["sql"] for each in asked if re.match(r"\s*(INSERT|UPDATE|DELETE)|.*FOR (NO KEY )?UPDATE", each["sql"])
    ]
    assert not written and len(asked) <= 20
    owed = office.post(url("session-price-preview", session), typed | {"discount": "1600"}, headers=JSON).json()
    assert (owed["total"], owed["balance"], owed["owed_to_the_client"]) == ("300.00", "0.00", "200.00")
    assert office.post(url("session-price", session), typed | {"discount": "1600"}).status_code == 302
    assert office.post(url("session-price-preview", session), {"deposit_percentage": "50"}, headers=JSON).json() == owed


def test_without_javascript_the_button_shows_the_same_page_with_what_was_typed(studio, office):
    session = studio.walk(workflow.PRE_SCHEDULED).session
    typed = {"discount": "100", "discount_reason": "A friend of ours", "deposit_percentage": "40"}
    page = office.post(url("session-price-preview", session), typed).content.decode()
    assert "900.00" in page and "Nothing is saved yet" in page and 'value="A friend of ours"' in page
    session.refresh_from_db()
    assert session.total == 1000
    assert "session-price-preview" not in page and url("session-price-preview", session) in page


def test_a_chosen_package_and_item_count_in_the_totals(studio, office):
    session = studio.walk(workflow.NEGOTIATION).session
    package, item = PackageFactory(base_price=D("900.00")), ItemFactory(unit_price=D("50.00"))
    chosen = {"package": package.pk, "times": "2", "take_discount": "true", "item": item.pk, "quantity": "3"}
    told = office.post(
        url("session-price-preview", session), chosen | {"deposit_percentage": "50"}, headers=JSON
    ).json()
    assert (told["subtotal"], told["discount"], told["total"], told["deposit"]) == (
        "2150.00",
        "200.00",
        "1950.00",
        "975.00",
    )
    shown = office.get(url("session-add-package", session), {"package": package.pk}).content.decode()
    assert "Nothing is saved yet" in shown and "900.00" in shown
    assert not SessionDetail.objects.filter(session=session).exists()


def test_errors_stand_beside_their_field_and_what_was_typed_stays(studio, office):
    session = studio.walk(workflow.NEGOTIATION).session
    line = price.add_item(session, item=ItemFactory(), quantity=2, by=studio.coordinator, now=studio.now)
    typed = {f"line{line.pk}-quantity": "0", "discount": "ten", "deposit_percentage": "50", "deposit_note": "typed"}
    slots = office.post(url("session-price-preview", session), typed, headers=HTMX)
    text = slots.content.decode()
    assert slots.status_code == 422 and "As it is saved" in text
    for slot in (f"line{line.pk}-quantity_wrong", "price_discount_wrong"):
        assert re.search(rf'id="{slot}"[^>]*hx-swap-oob="true">[^<]+<', text), slot
    assert re.search(r'id="price_deposit_note_wrong"[^>]*></div>', text)
    for address in ("session-price-preview", "session-price"):
        page = office.post(url(address, session), typed)
        assert page.status_code == 422 and 'value="ten"' in page.content.decode()
        assert 'value="typed"' in page.content.decode()
    ruled = office.post(
        url("session-price-preview", session), {"discount": "9999", "deposit_percentage": "50"}, headers=JSON
    )
    assert ruled.status_code == 422 and "Say why" in ruled.json()["message"]
    assert SessionDetail.objects.get().quantity == 2


def test_saving_takes_nobody_elses_change_back(studio, office):
    """The page sends what it showed: what was not typed over is no change."""
    session = studio.walk(workflow.NEGOTIATION).session
    mine, theirs = (
        price.add_item(session, item=ItemFactory(), quantity=2, by=studio.coordinator, now=studio.now) for _ in "12"
    )
    page = office.get(url("session-lines", session)).content.decode()
    hidden = dict(re.findall(r'name="(seen-[^"]+)" value="([^"]*)"', page))
    shown = {name.removeprefix("seen-"): value for name, value in hidden.items()}
    price.set_price(
        session,
        by=studio.coordinator,
        now=studio.now,
        lines=[LineChange(theirs.pk, 9)],
        discount=D("5.00"),
        discount_reason="Their friend",
    )
    sent = hidden | shown | {f"line{mine.pk}-quantity": "3"}
    assert office.post(url("session-price", session), sent).status_code == 302
    session.refresh_from_db()
    assert {line.pk: line.quantity for line in session.lines.all()} == {mine.pk: 3, theirs.pk: 9}
    assert (session.discount, session.discount_reason) == (5, "Their friend")
    session.lines.filter(pk=mine.pk).delete()
    # What one changed on a line that is gone is not passed over; a line that one left alone may go.
    gone = office.post(url("session-price", session), sent | {f"line{mine.pk}-quantity": "4"})
    assert gone.status_code == 422 and "not in the session any more" in gone.content.decode()
    assert office.post(url("session-price", session), sent | {f"line{mine.pk}-quantity": "2"}).status_code == 302
    assert session.lines.get().quantity == 9


def test_the_page_and_the_quote_have_one_order(studio, office):
    """Packages first, each together, then the items on their own, whatever was sold in between."""
    session = studio.walk(workflow.NEGOTIATION).session
    by = {"by": studio.coordinator, "now": studio.now}
    other = PackageFactory(name="Another", content=[(ItemFactory(name="Other one"), 1)])
    price.add_item(session, item=ItemFactory(name="Single one"), quantity=1, **by)
    price.add_package(session, package=other, **by)
    price.add_item(session, item=ItemFactory(name="Single two"), quantity=1, **by)
    price.add_package(session, package=studio.package, **by)
    price.add_package(session, package=other, **by)
    order = [line.item_name for line in quotes.lines_of(session)]
    own = [line.item_name for line in session.lines.filter(reference_id=studio.package.pk, reference_type="Package")]
    assert order == ["Other one", "Other one", *own, "Single one", "Single two"]
    page = office.get(url("session-lines", session)).content.decode()
    assert re.findall(r'aria-label="Move ([^"]+) up"', page) == order
    # Lines of before that do not stand together are shown as the quote has them, too.
    last = session.lines.order_by("-display_order").first()
    SessionDetail.objects.filter(pk=last.pk).update(display_order=0)
    order = [line.item_name for line in quotes.lines_of(session)]
    page = office.get(url("session-lines", session)).content.decode()
    assert re.findall(r'aria-label="Move ([^"]+) up"', page) == order and order[0] == "Single two"


def test_a_form_that_comes_back_shows_what_others_saved_meanwhile():
    """Sent again, it would take their change back otherwise: beside the fields stands what is saved now."""
    session = Session(session_type="Studio", discount=Decimal("20.00"), discount_reason="Theirs", deposit_percentage=50)
    sent = {"discount": "0.00", "discount_reason": "", "deposit_percentage": "500"}
    seen = {"seen-discount": "0.00", "seen-discount_reason": "", "seen-deposit_percentage": "50"}
    form = PriceForm(QueryDict(urlencode(sent | seen)), session=session)
    assert not form.is_valid()
    assert set(form.errors) == {"deposit_percentage"}
    shown = {name: form[name].value() for name in sent}
    assert shown == {"discount": "20.00", "discount_reason": "Theirs", "deposit_percentage": "500"}
    assert dict(form.seen())["seen-discount"] == Decimal("20.00")
