"""Where the site lists sessions of both kinds: appointments are there, say what they are, and break nothing."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone, translation

from sessions_app import board, own_work, statements
from sessions_app.models import Session
from sessions_app.views.clients import figures_of
from studio.conf import STUDIO
from studio.models import User
from studio.roles import Role
from tests.factories.domain import Studio, person
from tests.factories.shop import Shop
from tests.sessions_app.test_views_appointment import ADVANCE, book, paid

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def shop() -> Shop:
    return Shop(now=timezone.now() - timedelta(days=2))


@pytest.fixture
def shoot(shop: Shop) -> Session:
    """A shoot of the same client, as far as a quote."""
    studio = Studio(today=timezone.now().astimezone(STUDIO.zone).date() - timedelta(days=1), client=shop.client)
    return studio.walk("Pre-scheduled", when=studio.when(days=30)).session


def get(user: User, route: str, *args: Any, **query: Any):
    client = Browser()
    client.force_login(user)
    return client.get(reverse(route, args=args), query)


def codes(answer: Any) -> list[str]:
    return [row.session.code for row in answer.context["rows"]]


def test_the_list_filters_by_kind_state_and_artist(shop, shoot):
    held, active = book(shop, tentative=True), book(shop, hours=3)
    every = {held.code, active.code, shoot.code}
    assert set(codes(get(shop.coordinator, "session-list"))) == every
    assert set(codes(get(shop.coordinator, "session-list", type="Appointment"))) == every - {shoot.code}
    assert codes(get(shop.coordinator, "session-list", state="Waiting")) == [held.code]
    assert set(codes(get(shop.coordinator, "session-list", photographer=shop.artist.pk))) == every - {shoot.code}
    # By state along both paths: a quote before what is booked, that on hold before that.
    assert codes(get(shop.coordinator, "session-list", sort="state")) == [shoot.code, held.code, active.code]
    assert set(codes(get(shop.artist, "session-list"))) == every - {shoot.code}
    assert codes(get(shop.other, "session-list")) == []


def test_the_file_leaves_a_price_that_nobody_knows_empty(shop):
    book(shop, price=None)
    lines = b"".join(get(shop.coordinator, "session-list", format="csv").streaming_content).decode().splitlines()
    cells = lines[1].split(",")
    assert shop.artist.full_name in cells
    assert (cells[-3], cells[-1]) == ("", "")


def test_no_shows_count_in_the_clients_history(shop):
    """D29."""
    book(shop).cancel(by=shop.artist, reason="Not there", initiator="client", no_show=True)
    book(shop, hours=3).cancel(by=shop.artist, reason="Ill", initiator="client")
    session = book(shop, hours=6)
    figures = figures_of(shop.client)
    assert (figures.record.sessions, figures.record.cancellations, figures.record.no_shows) == (3, 2, 1)
    for answer in (
        get(shop.coordinator, "client-page", shop.client.pk),
        get(shop.coordinator, "session-page", session.code),
    ):
        assert "Did not come" in answer.content.decode()
    # Whether somebody comes is a part of their record, which is the office's.
    assert "Did not come" not in get(shop.artist, "session-page", session.code).content.decode()
    file = b"".join(get(shop.coordinator, "client-list", format="csv").streaming_content).decode().splitlines()
    assert file[1].split(",")[-4:] == ["3", "2", "1", "no"]


def test_a_clients_page_leads_to_the_next_appointment_where_there_are_artists(shop):
    url = f"{reverse('appointment-new')}?client={shop.client.pk}"
    assert url in get(shop.coordinator, "client-page", shop.client.pk).content.decode()
    assert get(shop.coordinator, "appointment-new", client=shop.client.pk).status_code == 200
    User.objects.filter(pk__in=[shop.artist.pk, shop.other.pk]).update(is_active=False)
    assert url not in get(shop.coordinator, "client-page", shop.client.pk).content.decode()


def test_what_is_booked_is_owed_and_what_is_tentative_or_open_is_not(shop):
    book(shop)
    book(shop, hours=3, tentative=True)
    book(shop, hours=6, price=None)
    figures = figures_of(shop.client)
    assert (figures.worth, figures.owed, figures.under_way) == (Decimal("1000.00"), Decimal("1000.00"), 3)
    assert "not agreed yet" in get(shop.coordinator, "client-page", shop.client.pk).content.decode()


def test_the_statement_follows_an_appointment_from_its_price_to_nothing_owed(shop):
    session = book(shop)
    paid(shop, session)
    statement = statements.statement(shop.client)
    assert [(row.charge, row.paid) for row in statement.movements] == [(Decimal("1000.00"), 0), (0, ADVANCE)]
    assert "Advance" in statement.movements[1].text
    assert statement.balance == Decimal("700.00")
    session.complete(by=shop.artist, method="Cash")
    assert statements.statement(shop.client).balance == 0
    assert get(shop.coordinator, "client-statement", shop.client.pk).status_code == 200


def test_the_statement_charges_what_was_kept_of_a_no_show(shop):
    session = book(shop)
    paid(shop, session)
    session.cancel(by=shop.artist, reason="Not there", initiator="client", no_show=True)
    statement = statements.statement(shop.client)
    assert (statement.charged, statement.balance) == (ADVANCE, 0)


def test_the_agenda_of_the_office_has_the_artists_day_with_its_buffers(shop):
    User.objects.filter(pk=shop.artist.pk).update(buffer_before=15)
    book(shop, title="Sleeve")
    held = book(shop, hours=3, title="Lettering", tentative=True)
    tomorrow = board.agenda(now=timezone.now())[1]
    [lane] = [lane for lane in tomorrow.picture.lanes if lane.blocks]
    assert [block.label for block in lane.blocks] == [
        "Sleeve (preparation included)",
        "Lettering (preparation included)",
    ]
    assert "held" in lane.blocks[1].css and held.status == "Waiting"
    # Whoever has nothing to do is there as well.
    assert len(tomorrow.picture.lanes) == 2


def test_the_pipeline_knows_appointments_where_there_are_some(shop, shoot):
    stages = {stage.status: stage.count for stage in board.pipeline(with_money=True).stages}
    assert "Active" not in stages
    book(shop)
    pipeline = board.pipeline(with_money=True)
    stages = {stage.status: stage.count for stage in pipeline.stages}
    assert (stages["Active"], stages["Pre-scheduled"], pipeline.count) == (1, 1, 2)
    assert pipeline.money == Decimal("2000.00")


def test_an_appointment_that_was_forgotten_waits_for_the_office(shop):
    session = book(shop, title="Forgotten")
    assert [row for row in board.waiting(now=session.ends_at, with_money=True) if row.kind == "unsettled"] == []
    [row] = board.waiting(now=session.ends_at + timedelta(days=1), with_money=True)
    assert (row.kind, row.title) == ("unsettled", "Forgotten")
    session.complete(by=shop.artist, method="Cash")
    assert board.waiting(now=session.ends_at + timedelta(days=1), with_money=True) == []


def test_a_price_that_fell_below_the_advance_waits_to_be_settled(shop):
    from sessions_app.actions import appoint

    session = book(shop)
    paid(shop, session)
    appoint.change(session, by=shop.coordinator, now=shop.now, price=Decimal("250.00"))
    [row] = board.waiting(now=timezone.now(), with_money=True)
    assert (row.kind, "50.00" in row.text) == ("overpaid", True)


def test_who_shoots_and_tattoos_sees_no_appointment_among_the_shoots(shop):
    both = person(Role.PHOTOGRAPHER, Role.ARTIST)
    session = book(shop, artist_id=both.pk)
    shoots = own_work.shoots_of(both, now=timezone.now())
    assert (shoots.next, shoots.week, shoots.still_open) == (None, [], [])
    assert get(both, "home").status_code == 200
    assert get(both, "session-page", session.code).status_code == 200


def test_search_finds_it_for_the_office_and_its_artist_alone(shop):
    session = book(shop, title="Koi carp")
    for user, found in ((shop.coordinator, True), (shop.artist, True), (shop.other, False)):
        answer = get(user, "search", q="Koi")
        assert (session.code in answer.content.decode()) == found
    # By the second phone, which the artist does not know, the office alone finds it.
    assert session.code in get(shop.coordinator, "search", q="5555-0999").content.decode()
    assert session.code not in get(shop.artist, "search", q="5555-0999").content.decode()


def test_the_administration_shows_one(shop):
    session = book(shop)
    admin = person(Role.ADMIN, is_staff=True, is_superuser=True)
    client = Browser()
    client.force_login(admin)
    assert client.get(reverse("admin:sessions_app_session_change", args=[session.pk])).status_code == 200
    assert client.get(reverse("admin:sessions_app_session_changelist")).status_code == 200


def test_every_kind_of_page_of_payments_shows_its_money(shop):
    session = book(shop)
    paid(shop, session)
    session.complete(by=shop.artist, method="Cash")
    free = book(shop, hours=3, price=Decimal("0.00"))
    free.complete(by=shop.artist, method="Cash")
    body = get(shop.coordinator, "payment-list", tab="all").content.decode()
    assert "Advance" in body and "no receipt" not in body
    for route in ("payment-list", "till", "receipt-list"):
        assert get(shop.coordinator, route).status_code == 200
