"""The client book: who may, what is shown, and what is refused with a sentence."""

import csv
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sessions_app import workflow
from sessions_app.actions import book
from sessions_app.models import Client, Session
from sessions_app.views.clients import figures_of
from studio.errors import InvalidInput
from studio.models import AuditEvent
from studio.roles import Role
from tests.factories.domain import ClientFactory, Studio, person
from tests.races.copies import copies

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
TYPED = {
    "full_name": "  Sofía   Ruiz ",
    "email": "SOFIA@Example.test",
    "primary_phone": "5555-0142",
    "client_type": "Individual",
}
PAGES = ("client-list", "client-new", "client-page", "client-edit", "client-delete")


@pytest.fixture
def studio():
    studio = Studio()
    for user in (studio.coordinator, studio.admin):
        user.language = "en"
        user.save()
    return studio


@pytest.fixture
def desk(client, studio):
    client.force_login(studio.coordinator)
    return client


@pytest.fixture
def office(client, studio):
    client.force_login(studio.admin)
    return client


def address(name, client=None):
    return reverse(name) if name in ("client-list", "client-new") else reverse(name, args=[client.pk])


def cancel(studio, client, days, initiator="client"):
    session = studio.request(client=client, when=studio.when(days))
    session.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator=initiator)


# -- who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.PHOTOGRAPHER, Role.EDITOR, Role.ARTIST])
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_the_office_opens_the_book(client, studio, role, name, method):
    client.force_login(person(role))
    answer = getattr(client, method)(address(name, studio.client))
    assert answer.status_code == (405 if method == "post" and name in ("client-list", "client-page") else 403)
    assert studio.client.full_name not in answer.content.decode()


@pytest.mark.parametrize("name", PAGES)
def test_strangers_sign_in_first(client, studio, name):
    assert client.get(address(name, studio.client))["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_an_admin_deletes(desk, studio, method):
    assert getattr(desk, method)(address("client-delete", studio.client)).status_code == 403
    assert Client.objects.present().filter(pk=studio.client.pk).exists()
    assert AuditEvent.objects.filter(event="denied", actor_id=studio.coordinator.pk).count() == 1


def test_no_such_client(desk, studio):
    for pk in (999_999, 2**63 - 1, 2**70):
        assert desk.get(f"/clients/{pk}/").status_code == 404
    book.delete_client(studio.client, by=studio.admin, now=studio.now)
    for name in ("client-page", "client-edit"):
        assert desk.get(address(name, studio.client)).status_code == 404


# -- the list ----------------------------------------------------------------------------------------------------------


def shown(browser, **query):
    answer = browser.get(reverse("client-list"), query)
    assert answer.status_code == 200
    return [row.client.full_name for row in answer.context["rows"]]


def test_the_list_searches_and_filters(desk, studio):
    ClientFactory(full_name="Sofía Ruiz", email="sofia@example.test")
    ClientFactory(full_name="Gone", active=False)
    assert shown(desk, q="sofia") == ["Sofía Ruiz"]
    assert "Gone" not in shown(desk)
    assert shown(desk, show="inactive") == ["Gone"]
    assert "Gone" in shown(desk, show="all")
    assert shown(desk, q="!!") == []
    assert studio.client.full_name in shown(desk, show="nonsense", page="-7")


def test_high_risk_is_flagged_and_found(desk, studio):
    risky = ClientFactory(full_name="Risky")
    for days in (10, 11, 12):
        cancel(studio, risky, days)
    fine = ClientFactory(full_name="Fine")
    for days in (13, 14, 15):
        cancel(studio, fine, days, initiator="company")
    assert shown(desk, show="risk") == ["Risky"]
    html = desk.get(reverse("client-list")).content.decode()
    assert html.count("high risk") == 1
    page = desk.get(risky.get_absolute_url()).content.decode()
    assert "Canceled 3 of 3 sessions (100 %)." in page
    assert "Canceled 3 of" not in desk.get(fine.get_absolute_url()).content.decode()


def test_the_csv_holds_the_filtered_list_and_no_formula(desk, studio):
    ClientFactory(full_name='=HYPERLINK("http://evil.test")', email="evil@example.test", primary_phone="+502 5555")
    ClientFactory(full_name="Quiet", active=False)
    answer = desk.get(reverse("client-list"), {"format": "csv"})
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.reader(StringIO(text.lstrip("\ufeff"))))
    assert [row[0] for row in rows[1:]] == ['\'=HYPERLINK("http://evil.test")', studio.client.full_name]
    assert rows[1][3] == "'+502 5555"
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    assert "Pays late" not in text


# -- a client's page ---------------------------------------------------------------------------------------------------


def test_the_page_adds_up_what_was_booked_paid_and_owed(desk, studio):
    studio.walk(workflow.CONFIRMED, when=studio.when(10))
    studio.walk(workflow.CONFIRMED, when=studio.when(11)).to(workflow.CANCELED)
    studio.request(when=studio.when(12))
    figures = figures_of(studio.client)
    assert (figures.paid, figures.owed, figures.refund_owed) == (1000, 500, 500)
    assert (figures.worth, figures.under_way, figures.record.cancellations) == (Decimal("1000.00"), 2, 1)
    html = desk.get(studio.client.get_absolute_url()).content.decode()
    assert "Refund owed" in html
    assert f"{reverse('session-new')}?client={studio.client.pk}" in html
    assert "Secret street 7" in html
    assert reverse("client-delete", args=[studio.client.pk]) not in html


def test_an_inactive_client_gets_no_new_request(desk, studio):
    book.change_client(studio.client, by=studio.coordinator, active=False)
    html = desk.get(studio.client.get_absolute_url()).content.decode()
    assert "session-new" not in html
    assert f"{reverse('session-new')}?client=" not in html
    assert "The client is inactive" in html


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_new_client_is_tidied_and_leads_to_a_request(desk, studio):
    answer = desk.post(reverse("client-new"), TYPED, follow=True)
    made = Client.objects.get(email="sofia@example.test")
    assert made.full_name == "Sofía Ruiz"
    assert answer.redirect_chain == [(made.get_absolute_url(), 302)]
    assert f"{reverse('session-new')}?client={made.pk}" in answer.content.decode()


def test_a_new_client_goes_back_to_the_request_that_was_begun(desk, studio):
    answer = desk.post(reverse("client-new"), TYPED | {"next": "/sessions/new/?when=1"})
    made = Client.objects.get(email="sofia@example.test")
    assert answer["Location"] == f"/sessions/new/?when=1&client={made.pk}"
    answer = desk.post(reverse("client-new"), TYPED | {"email": "b@example.test", "next": "//evil.test/"})
    assert answer["Location"] == Client.objects.get(email="b@example.test").get_absolute_url()


def test_what_was_searched_begins_the_form(desk, studio):
    assert 'value="Luisa"' in desk.get(reverse("client-new"), {"q": "Luisa"}).content.decode()
    assert 'value="luisa@x.test"' in desk.get(reverse("client-new"), {"q": "luisa@x.test"}).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("full_name", ""),
        ("full_name", "   "),
        ("full_name", "x" * 101),
        ("email", "nobody"),
        ("email", ""),
        ("primary_phone", ""),
        ("primary_phone", "call me"),
        ("primary_phone", "5" * 21),
        ("secondary_phone", "<script>"),
        ("client_type", "King"),
        ("language", "fr"),
        ("notes", "x" * 4001),
    ],
)
def test_bad_input_comes_back_with_what_was_typed(desk, studio, field, value):
    answer = desk.post(reverse("client-new"), TYPED | {"notes": "Keep this", field: value})
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {field}
    assert "Keep this" in answer.content.decode() or field == "notes"
    assert Client.objects.count() == 1


def test_an_email_is_taken_once(desk, studio):
    answer = desk.post(reverse("client-new"), TYPED | {"email": studio.client.email.upper()})
    assert answer.status_code == 422
    assert "Another client has this e-mail." in answer.content.decode()
    as_json = desk.post(
        reverse("client-new"),
        TYPED | {"email": studio.client.email},
        content_type="application/json",
        headers={"accept": "application/json"},
    )
    assert as_json.status_code == 422
    assert as_json.json()["code"] == "INVALID_INPUT"


def test_an_email_that_is_taken_in_the_same_moment_is_a_sentence(studio):
    twin = Client(full_name="Twin", email=studio.client.email, primary_phone="5555")
    with pytest.raises(InvalidInput) as refused:
        book.add_client(twin, by=studio.coordinator)
    assert refused.value.field == "email"
    other = ClientFactory()
    with pytest.raises(InvalidInput):
        book.change_client(other, by=studio.coordinator, email=studio.client.email)


def test_a_machine_writes_a_client_too(desk, studio):
    answer = desk.post(
        reverse("client-new"), TYPED, content_type="application/json", headers={"accept": "application/json"}
    )
    assert answer.status_code == 200
    made = Client.objects.get(email="sofia@example.test")
    assert answer.json()["id"] == made.pk
    assert answer.json()["url"] == made.get_absolute_url()


def test_editing_keeps_the_rest(desk, studio):
    answer = desk.post(address("client-edit", studio.client), TYPED | {"active": "on", "notes": studio.client.notes})
    assert answer.status_code == 302
    studio.client.refresh_from_db()
    assert (studio.client.full_name, studio.client.active) == ("Sofía Ruiz", True)
    bad = desk.post(address("client-edit", studio.client), TYPED | {"full_name": "", "active": "on"})
    assert bad.status_code == 422
    assert "Sofía Ruiz" in bad.content.decode()


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_deleting_shows_what_happens_and_keeps_sessions(office, studio):
    studio.walk(workflow.CONFIRMED).to(workflow.CANCELED)
    page = office.get(address("client-delete", studio.client))
    html = page.content.decode()
    assert "1 session stays as it is." in html
    assert "A refund is still owed" in html
    assert not page.context["act_reason"]
    answer = office.post(address("client-delete", studio.client))
    assert answer["Location"] == reverse("client-list")
    assert not Client.objects.present().filter(pk=studio.client.pk).exists()
    assert Session.objects.count() == 1


def test_a_client_with_sessions_under_way_stays(office, studio):
    studio.request()
    page = office.get(address("client-delete", studio.client))
    assert "1 session of this client is under way" in page.context["act_reason"]
    answer = office.post(address("client-delete", studio.client))
    assert answer.status_code == 422
    assert "sessions under way" in answer.content.decode()
    assert Client.objects.present().filter(pk=studio.client.pk).exists()


# -- query budgets -----------------------------------------------------------------------------------------------------


def queries(browser, url):
    browser.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(url).status_code == 200
    return len(captured)


def test_pages_ask_as_much_for_one_row_as_for_thirty(desk, studio):
    session = studio.walk(workflow.CONFIRMED, when=studio.when(9, "08:00", "09:00")).session
    urls = [reverse("client-list"), studio.client.get_absolute_url(), address("client-edit", studio.client)]
    before = [queries(desk, url) for url in urls]
    assert max(before) <= MOST_QUERIES
    ClientFactory.create_batch(30)
    copies(session, 30, days_apart=1)
    assert [queries(desk, url) for url in urls] == before


def test_deleting_asks_little(office, studio):
    studio.today -= timedelta(days=1)
    assert queries(office, address("client-delete", studio.client)) <= MOST_QUERIES
