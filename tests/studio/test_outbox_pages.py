"""The outbox for Admins: found, explained, shown as it reads, sent again; and what nobody else gets."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from sessions_app import workflow
from studio import mail_examples, mail_views, navigation, outbox
from studio.accounts import people
from studio.conf import LANGUAGES, STUDIO
from studio.models import AuditEvent, Notice, OutgoingEmail, User
from studio.roles import Role
from tests.factories.domain import Studio
from tests.factories.studio import make_user

pytestmark = pytest.mark.django_db

LIST = "/outbox/"
AS_JSON = {"accept": "application/json"}


@pytest.fixture(autouse=True)
def english():
    with STUDIO.overridden(language="en"), translation.override("en"):
        yield


@pytest.fixture
def admin():
    return make_user(Role.ADMIN, full_name="Ana Paz", language="en")


@pytest.fixture
def office(admin):
    return browser(admin)


def browser(user: User) -> Browser:
    client = Browser()
    client.force_login(user)
    return client


@pytest.fixture
def studio() -> Studio:
    """A studio of today: pages read the clock."""
    return Studio(today=timezone.now().astimezone(STUDIO.zone).date())


def mail(number: int = 0, **values) -> OutgoingEmail:
    created_at = timezone.now() - timedelta(hours=number)
    values = {"key": f"k{number}", "kind": "confirmation_email", "to": f"c{number}@client.example"} | values
    if values.get("status") == "sent":
        values.setdefault("sent_at", created_at)
    return OutgoingEmail.objects.create(language="en", created_at=created_at, **values)


def invitation(**values) -> OutgoingEmail:
    """One that is still so, without a session: about somebody who is active."""
    about = {"about_type": "studio.user", "about_id": make_user(Role.EDITOR).pk}
    return mail(1, kind="invitation_email", context={"person_name": "Eva"}, **about, **values)


def text(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def page(office, row) -> str:
    return text(office.get(reverse("outbox-page", args=[row.pk])))


# -- the list --------------------------------------------------------------------------------------


def test_an_empty_outbox_says_what_it_is_for(office):
    body = text(office.get(LIST))
    assert "No e-mails yet" in body
    assert reverse("mail-previews") in body


def test_given_up_ones_come_first_with_their_reason(office):
    mail(1, status="sent")
    mail(2)
    mail(3, status="dead", last_error="recipient 550 5.1.1")
    body = text(office.get(LIST))
    assert body.index("c3@client") < body.index("c1@client") < body.index("c2@client")
    assert "no such recipient" in body and "550 5.1.1" in body
    assert "Send the one that was given up again" in body


def test_chips_count_each_state_and_filter(office):
    mail(1, status="sent")
    mail(2)
    mail(3, status="claimed", claimed_at=timezone.now())
    mail(4, status="dead")
    mail(5, status="dropped")
    counts = dict(re.findall(r">(\w[\w ]*)<span class=\"n\">([^<]+)</span>", text(office.get(LIST))))
    assert counts == {"Given up": "1", "Waiting": "2", "Sent": "1", "Dropped": "1"}
    for state, shown in {"dead": {4}, "waiting": {2, 3}, "sent": {1}, "dropped": {5}}.items():
        body = text(office.get(LIST, {"state": state}))
        assert {n for n in range(1, 6) if f"c{n}@client" in body} == shown


def test_count_of_sent_ones_stops_at_a_limit(office, monkeypatch):
    monkeypatch.setattr(mail_views, "COUNT_LIMIT", 2)
    for number in range(4):
        mail(number, status="sent")
    assert "more than 2" in text(office.get(LIST))


def test_search_by_address_kind_and_code(office, studio):
    session = studio.walk(workflow.CONFIRMED).session
    mail(1, to="zoe@client.example", kind="invitation_email")
    by_code = text(office.get(LIST, {"q": session.code}))
    assert studio.client.email in by_code and "zoe@" not in by_code
    assert f"{session.get_absolute_url()}#mail" in by_code
    by_address = text(office.get(LIST, {"q": " ZOE@ "}))
    assert "zoe@client.example" in by_address and studio.client.email not in by_address
    by_kind = text(office.get(LIST, {"kind": "invitation_email"}))
    assert "zoe@client.example" in by_kind and studio.client.email not in by_kind
    assert "No e-mail fits this filter" in text(office.get(LIST, {"q": "nobody"}))


@pytest.mark.parametrize(
    "asked",
    [{"state": "x"}, {"kind": "x"}, {"page": "x"}, {"page": "7"}, {"page": "0"}, {"q": "a" * 101}],
)
def test_what_cannot_be_meant_is_left_out_and_said(office, asked):
    mail(1)
    answer = office.get(LIST, asked)
    assert answer.status_code == 200
    assert "c1@client" in text(answer)
    assert 'class="say warning"' in text(answer)


def test_pages_hold_every_row_once(office, monkeypatch):
    monkeypatch.setattr(mail_views, "PAGE_SIZE", 3)
    for number in range(11):
        mail(number, status="dead" if number % 3 == 0 else "sent")
    found = []
    for number in range(1, 5):
        rows = re.findall(r"<td class=\"what-cell\"[^>]*>c(\d+)@", text(office.get(LIST, {"page": number})))
        assert len(rows) <= 3
        found += map(int, rows)
    assert found == [0, 3, 6, 9, 1, 2, 4, 5, 7, 8, 10]


def test_waiting_too_long_and_a_server_that_takes_nothing_are_said(office):
    row = mail(1)
    OutgoingEmail.objects.update(next_try_at=timezone.now() - timedelta(minutes=5))
    assert "5 min ago" in text(office.get(LIST))
    assert "wait longer" not in text(office.get(LIST))
    OutgoingEmail.objects.update(next_try_at=timezone.now() - timedelta(hours=1))
    assert "wait longer than they should" in text(office.get(LIST))
    OutgoingEmail.objects.filter(pk=row.pk).update(last_error="unreachable OSError 111", claimed_at=timezone.now())
    assert "could not be reached" in text(office.get(LIST))


def queries(user: User, url: str) -> int:
    client = browser(user)
    with CaptureQueriesContext(connection) as caught:
        assert client.get(url).status_code == 200
    return len(caught)


def test_list_asks_the_same_number_of_queries_for_one_row_and_for_thirty(admin):
    mail(0, status="dead")
    one = queries(admin, LIST)
    for number in range(1, 31):
        mail(number, status=["dead", "sent", "waiting"][number % 3], context={"session_code": f"S-{number}"})
    assert queries(admin, LIST) == one <= 15


def test_page_of_one_stays_within_the_budget(admin, studio):
    studio.walk(workflow.CONFIRMED)
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    for status in ("waiting", "dead"):
        OutgoingEmail.objects.update(status=status)
        assert queries(admin, reverse("outbox-page", args=[row.pk])) <= 15


def test_list_is_a_file_as_well(office):
    mail(1, status="dead", last_error="later 451", to="=cmd@client.example")
    answer = office.get(LIST, {"format": "csv"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 2
    assert "'=cmd@client.example" in lines[1] and "451" in lines[1] and "given up" in lines[1]


def test_badge_counts_what_was_given_up(office, admin):
    mail(1)
    links = {link.name: link.count for link in navigation.links_for(admin)}
    assert links["outbox-list"] == 0
    mail(2, status="dead")
    assert {link.name: link.count for link in navigation.links_for(admin)}["outbox-list"] == 1
    coordinator = make_user(Role.COORDINATOR)
    assert "outbox-list" not in {link.name for link in navigation.links_for(coordinator)}


# -- one e-mail ------------------------------------------------------------------------------------


def test_page_tells_the_story_of_a_given_up_one(office, studio):
    session = studio.walk(workflow.CONFIRMED).session
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    now = timezone.now().isoformat()
    OutgoingEmail.objects.update(
        status="dead",
        attempts=3,
        last_error="recipient 550 5.1.1",
        tries=[
            {"what": "failed", "at": now, "error": "later 451 4.7.1"},
            {"what": "held", "at": now, "until": now, "times": 7, "error": "unreachable OSError 111"},
            {"what": "again", "at": now, "by": "Ana Paz"},
            {"what": "dead", "at": now, "error": "recipient 550 5.1.1"},
        ],
    )
    body = page(office, row)
    for said in ("Tried in vain", "451 4.7.1", "Put back 7 times", "Set going again", "Ana Paz", "Given up", "Written"):
        assert said in body
    assert f'href="{session.get_absolute_url()}#mail"' in body
    assert reverse("outbox-html", args=[row.pk]) in body
    assert f"{session.code.lower()}.ics" in body and "text/calendar" in body
    assert "Your session is confirmed" in body or "Tu sesión está confirmada" in body


def test_page_shows_what_it_says_now_until_it_is_sent(office, studio):
    walk = studio.walk(workflow.CONFIRMED)
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    OutgoingEmail.objects.update(language="en")
    type(studio.client).objects.update(full_name="Renamed Later", language="en")
    assert "Hello Renamed Later" in page(office, row)
    outbox.deliver(timezone.now() + timedelta(minutes=1))
    type(studio.client).objects.update(full_name="Renamed Again")
    body = page(office, row)
    assert "Hello Renamed Later" in body and "As it would" not in body
    assert walk.session.code in body


def test_html_is_framed_by_our_pages_alone_and_runs_nothing(office):
    row = mail(1, context={"client_name": "<script>alert(1)</script>", "session_title": "x", "session_code": "S-1"})
    answer = office.get(reverse("outbox-html", args=[row.pk]))
    body = answer.content.decode()
    assert "&lt;script&gt;" in body and "<script" not in body
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "frame-ancestors 'self'" in policy and "sandbox" in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert answer["Cache-Control"] == "no-store"
    around = office.get(reverse("outbox-page", args=[row.pk]))
    assert "frame-src 'self'" in around["Content-Security-Policy"]
    assert "unsafe-inline" not in around["Content-Security-Policy"]
    assert around["X-Frame-Options"] == "DENY"
    assert re.search(r"<iframe[^>]* sandbox ", around.content.decode())
    assert "frame-src" not in office.get(LIST)["Content-Security-Policy"]


def test_row_that_cannot_be_written_is_still_explained(office):
    row = mail(1, kind="confirmation_email", context={"starts_at": 7, "sold": 3})
    OutgoingEmail.objects.filter(pk=row.pk).update(kind="gone_email")
    answer = office.get(reverse("outbox-page", args=[row.pk]))
    assert answer.status_code == 200
    assert "cannot be shown" in text(answer)
    assert office.get(reverse("outbox-html", args=[row.pk])).status_code == 404
    assert office.get(LIST).status_code == 200


def test_unknown_ones_are_not_there(office):
    for pk in (987654, 10**17, 10**30):
        assert office.get(f"/outbox/{pk}/").status_code == 404


def test_invitation_is_shown_without_a_link_that_works(office, admin):
    person = people.invite(
        by=admin,
        now=timezone.now(),
        email="eva@studio.example",
        full_name="Eva",
        roles=[Role.EDITOR],
        base_url="https://studio.example/",
        language="en",
    )
    row = OutgoingEmail.objects.get(kind="invitation_email")
    body = page(office, row) + text(office.get(reverse("outbox-html", args=[row.pk])))
    assert "Welcome to" in body
    links = set(re.findall(r"https://studio\.example(/[\w./-]+)", body))
    assert links
    for link in links:
        answer = Browser().get(link, follow=True)
        assert "new_password1" not in text(answer)
    assert reverse("staff-edit", args=[person.pk]) in body


# -- sent again ------------------------------------------------------------------------------------


def test_given_up_one_is_sent_again_audited_and_the_worker_woken(office, admin, django_capture_on_commit_callbacks):
    row = invitation(status="dead", attempts=8, last_error="recipient 550")
    with django_capture_on_commit_callbacks() as callbacks:
        answer = office.post(reverse("outbox-resend", args=[row.pk]), {"next": "/outbox/?state=dead"})
    assert answer["Location"] == "/outbox/?state=dead"
    assert [callback.__name__ for callback in callbacks] == ["_wake"]
    row.refresh_from_db()
    assert (row.status, row.attempts, row.last_error) == ("waiting", 0, "")
    assert row.tries[-1]["by"] == "Ana Paz"
    event = AuditEvent.objects.get(event="email_resent")
    assert (event.actor_id, event.object_id) == (admin.pk, str(row.pk))
    assert "is sent again" in text(office.get(LIST))


@pytest.mark.parametrize("status", ["sent", "waiting", "claimed"])
def test_what_need_not_be_sent_again_says_so(office, status):
    row = mail(1, status=status, claimed_at=timezone.now())
    assert re.search(r"<button[^>]*disabled[^>]*>Send again", page(office, row))
    answer = office.post(reverse("outbox-resend", args=[row.pk]), headers=AS_JSON)
    assert (answer.status_code, answer.json()["details"]["failed"]) == (422, ["not_again"])
    assert 'class="say warning"' in text(office.post(reverse("outbox-resend", args=[row.pk]), follow=True))
    row.refresh_from_db()
    assert row.status == status


def test_what_is_no_longer_so_is_not_sent_again_but_set_aside(office, studio):
    walk = studio.walk(workflow.CONFIRMED)
    row = OutgoingEmail.objects.get(kind="confirmation_email")
    OutgoingEmail.objects.update(status="dead", last_error="recipient 550")
    walk.to(workflow.CANCELED)
    body = page(office, row)
    assert "no longer so" in body and "As it would read, if it were still so" in body
    assert office.post(reverse("outbox-resend", args=[row.pk]), headers=AS_JSON).status_code == 422
    assert office.post(reverse("outbox-set-aside", args=[row.pk])).status_code == 302
    row.refresh_from_db()
    assert (row.status, row.tries[-1]["what"]) == ("dropped", "aside")
    assert not outbox.given_up().exists()
    assert AuditEvent.objects.filter(event="email_set_aside", object_id=str(row.pk)).exists()
    assert office.post(reverse("outbox-set-aside", args=[row.pk]), headers=AS_JSON).status_code == 422
    assert "Set aside" in page(office, row)


def test_setting_aside_takes_the_unread_notices_back(office, admin):
    row = invitation()
    User.objects.filter(pk=row.about_id).update(email="nobody at home")
    outbox.deliver(timezone.now() + timedelta(minutes=1))
    assert Notice.objects.filter(recipient=admin, kind="email_given_up").exists()
    office.post(reverse("outbox-set-aside", args=[row.pk]))
    assert not Notice.objects.filter(kind="email_given_up").exists()


def test_chosen_ones_and_all_are_sent_again(office, monkeypatch):
    dead = [mail(number, status="dead") for number in range(5)]
    waiting = mail(9)
    url = reverse("outbox-resend-many")
    answer = office.post(url, {"id": [dead[0].pk, dead[1].pk, waiting.pk, "x", "9" * 40]}, headers=AS_JSON)
    assert answer.json()["count"] == 2
    monkeypatch.setattr(mail_views, "AT_ONCE", 2)
    answer = office.post(url, {"all": "1"}, headers=AS_JSON)
    assert (answer.json()["count"], answer.json()["left"]) == (2, 1)
    assert "1 is still given up" in answer.json()["message"]
    assert AuditEvent.objects.filter(event="email_resent").count() == 4
    assert office.post(url, headers=AS_JSON).status_code == 422
    assert "Choose at least one" in text(office.post(url, follow=True))


def test_reading_sends_nothing(office):
    row = mail(1, status="dead")
    for name in ("outbox-resend", "outbox-set-aside"):
        assert office.get(reverse(name, args=[row.pk])).status_code == 405
    assert office.get(reverse("outbox-resend-many")).status_code == 405


# -- examples --------------------------------------------------------------------------------------


def test_every_kind_has_an_example_in_every_language(office):
    gallery = text(office.get(reverse("mail-previews")))
    assert set(mail_examples.WHEN_SENT) == outbox.KINDS
    for kind in outbox.KINDS:
        for language in LANGUAGES:
            url = reverse("mail-preview", args=[kind, language])
            assert url in gallery
            assert office.get(url).status_code == 200
            html = office.get(reverse("mail-preview-html", args=[kind, language]))
            assert f'lang="{language}"' in html.content.decode()
            assert "None" not in text(html)
    assert not OutgoingEmail.objects.exists()


def test_examples_bring_the_calendar_file_and_no_working_link(office):
    assert ".ics" in text(office.get(reverse("mail-preview", args=["confirmation_email", "en"])))
    cancellation = text(office.get(reverse("mail-preview", args=["cancellation_email", "en"])))
    assert "METHOD:CANCEL" in cancellation
    reminder = text(office.get(reverse("mail-preview", args=["payment_reminder_email", "en"])))
    assert "Please pay Q 2,425.00" in reminder
    invitation = text(office.get(reverse("mail-preview-html", args=["invitation_email", "en"])))
    for link in re.findall(r"https://studio\.example(/[\w./-]+)", invitation):
        assert "new_password1" not in text(Browser().get(link, follow=True))


@pytest.mark.parametrize("path", ["spam_email/es/", "confirmation_email/fr/", "spam_email/es/html/"])
def test_examples_of_nothing_are_not_there(office, path):
    assert office.get(f"/outbox/previews/{path}").status_code == 404


# -- nobody else -----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_nobody_else_sees_or_sends(role):
    row = mail(1, status="dead")
    client = browser(make_user(role))
    for url in (
        LIST,
        f"{LIST}?format=csv",
        reverse("outbox-page", args=[row.pk]),
        reverse("outbox-page", args=[row.pk + 99]),
        reverse("outbox-html", args=[row.pk]),
        reverse("mail-previews"),
        reverse("mail-preview", args=["confirmation_email", "es"]),
        reverse("mail-preview-html", args=["spam_email", "es"]),
    ):
        assert client.get(url).status_code == 403
    for name in ("outbox-resend", "outbox-set-aside"):
        assert client.post(reverse(name, args=[row.pk])).status_code == 403
    assert client.post(reverse("outbox-resend-many"), {"all": "1"}).status_code == 403
    row.refresh_from_db()
    assert row.status == "dead"


def test_coordinators_see_on_the_session_what_did_not_reach_the_client(studio, admin):
    session = studio.walk(workflow.CONFIRMED).session
    OutgoingEmail.objects.update(status="dead", last_error="recipient 550 5.1.1")
    row = OutgoingEmail.objects.get()
    type(studio.coordinator).objects.update(language="en")
    body = text(browser(studio.coordinator).get(session.get_absolute_url()))
    assert "no such recipient" in body and "given up" in body and "has not got it" in body
    assert reverse("outbox-page", args=[row.pk]) not in body
    assert reverse("outbox-page", args=[row.pk]) in text(browser(admin).get(session.get_absolute_url()))
