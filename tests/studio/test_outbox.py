"""The outbox: queued with the act, claimed once, checked again, sent, marked (design, Mail and notices)."""

from __future__ import annotations

import html as html_module
import re
import smtplib
import socket
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.locmem import EmailBackend as Locmem
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone, translation
from django_q.models import OrmQ

from studio import letters, mail_faults, outbox
from studio.conf import STUDIO
from studio.errors import AccessDenied
from studio.models import AuditEvent, Notice, OutgoingEmail
from studio.notices import mark_read
from studio.roles import Role
from tests.factories.studio import make_user
from tests.studio.mail_server import HANG_UP, serving

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FACTS = {
    "client_name": "Ana O'Brien & hijos",
    "session_code": "S-0042",
    "session_title": "Boda <Ana>",
    "starts_at": "2026-11-28T20:00:00+00:00",
    "ends_at": "2026-11-29T02:00:00+00:00",
    "place": "Antigua Guatemala",
    "total": "2500.00",
    "deposit_amount": "1250.00",
    "net_paid": "1250.00",
    "balance": "1250.00",
    "payment_deadline": "2026-11-26T05:59:59+00:00",
    "changes_deadline": "2026-11-22T05:59:59+00:00",
    "estimated_delivery_date": "2026-12-03",
    "refund_amount": "625.00",
    "refund_reason": "After changes deadline - 50% refund",
    "cancellation_reason": "The client moves away",
    "sold": [{"quantity": "20", "name": "Printed photo"}],
}
NOTHING = {"sent": 0, "dropped": 0, "failed": 0, "dead": 0, "held": 0}


class Breaking(BaseEmailBackend):
    """A way to the mail server that breaks off in the middle of each e-mail."""

    def send_messages(self, messages):
        error = OSError(104, "password=hunter2 reset")
        raise error


class BreakingSome(Locmem):
    """The same, for one address."""

    def send_messages(self, messages):
        if any("bad@" in to for message in messages for to in message.to):
            raise OSError(5, "no")
        return super().send_messages(messages)


@pytest.fixture
def server(settings):
    """Choose the mail server: `server(Breaking)`, or the address of one that listens."""

    def choose(backend):
        if isinstance(backend, type):
            settings.EMAIL_BACKEND = f"{backend.__module__}.{backend.__qualname__}"
            return
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = backend
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_TIMEOUT = 5

    return choose


@pytest.fixture
def about():
    return make_user()


@pytest.fixture(autouse=True)
def _only_leaf_rules(monkeypatch):
    """The other packages' checks ask about sessions; here the e-mails are about nothing of theirs."""
    monkeypatch.setattr(outbox, "_hooks", {})


def _queue(key="confirmation:1", kind="confirmation_email", **changes):
    values = {"to": "ana@client.example", "language": "en", "context": FACTS, "key": key, **changes}
    row = outbox.queue(kind, **values)
    OutgoingEmail.objects.filter(pk=row.pk).update(next_try_at=NOW, created_at=NOW)
    row.refresh_from_db()
    return row


def _all_are_due():
    """By the clock on the wall, which the worker's entry point and the command read."""
    OutgoingEmail.objects.update(next_try_at=timezone.now() - MINUTE)


def _status(row):
    row.refresh_from_db()
    return row.status


def _counts(**values):
    return NOTHING | values


def _nobody_listens():
    """The address of a port that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()


# -- queued ----------------------------------------------------------------------------------------


def test_queued_and_sent_once():
    row = _queue()
    assert row.status == "waiting"
    assert outbox.deliver(NOW) == _counts(sent=1)
    assert _status(row) == "sent"
    assert row.sent_at == NOW
    assert row.tries == []
    assert outbox.deliver(NOW) == NOTHING
    assert len(mail.outbox) == 1


def test_same_key_is_one_email_for_ever(about):
    first = _queue(about=about)
    assert _queue(to="else@client.example", about=about).pk == first.pk
    outbox.deliver(NOW)
    assert _queue().status == "sent"
    outbox.deliver(NOW)
    assert [message.to for message in mail.outbox] == [["ana@client.example"]]


def test_nothing_is_queued_about_what_did_not_happen():
    with pytest.raises(RuntimeError), transaction.atomic():
        _queue()
        raise RuntimeError
    assert not OutgoingEmail.objects.exists()


@pytest.mark.parametrize("wrong", [{"kind": "spam_email"}, {"to": ""}, {"key": ""}])
def test_incomplete_email_is_an_error_of_the_program(wrong):
    with pytest.raises(ValueError):
        _queue(**wrong)


def test_values_of_any_kind_are_kept_exactly():
    row = _queue(context={"total": Decimal("10.10"), "starts_at": NOW, "sold": ({"quantity": 2},)})
    assert row.context == {
        "total": "10.10",
        "starts_at": "2026-11-21T15:00:00+00:00",
        "sold": [{"quantity": 2}],
    }


def test_drop_takes_waiting_emails_about_one_thing(about):
    mine = _queue("1", about=about)
    reminder = _queue("2", kind="payment_reminder_email", about=about)
    other = _queue("3", about=make_user())
    assert outbox.drop(about, ["payment_reminder_email"]) == 1
    assert (_status(mine), _status(reminder), _status(other)) == ("waiting", "dropped", "waiting")
    assert outbox.drop(about) == 1
    outbox.deliver(NOW)
    assert _status(other) == "sent"
    assert outbox.drop(about) == 0


def test_database_refuses_an_impossible_row():
    row = _queue()
    for values in ({"status": "lost"}, {"status": "sent"}, {"status": "claimed"}, {"sent_at": NOW}):
        with pytest.raises(IntegrityError), transaction.atomic():
            OutgoingEmail.objects.filter(pk=row.pk).update(**values)


# -- what they say ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (
            "confirmation_email",
            ["Boda <Ana>", "S-0042", "14:00", "1,250.00", "2,500.00", "20 × Printed photo", "Antigua"],
        ),
        ("material_ready_email", ["Boda <Ana>", "S-0042", "1,250.00", "20 × Printed photo"]),
        ("cancellation_email", ["Boda <Ana>", "625.00", "The client moves away", "50%"]),
        ("payment_reminder_email", ["Boda <Ana>", "1,250.00", "23:59", "25", "Antigua"]),
        ("delivery_date_email", ["Boda <Ana>", "3"]),
    ],
)
def test_each_email_says_the_facts_in_both_parts(kind, facts, language):
    with STUDIO.overridden(name="Foto & Luz", time_zone="America/Guatemala"):
        message = outbox.render(_queue(kind=kind, language=language))
    html = message.alternatives[0].content
    text = message.body
    assert "\n" not in message.subject
    assert "Foto & Luz" in message.subject
    assert "Foto & Luz" in text
    assert "Foto &amp; Luz" in html
    assert "Ana O'Brien & hijos" in text
    assert "Ana O&#x27;Brien &amp; hijos" in html
    assert "Boda &lt;Ana&gt;" in html
    for fact in facts:
        assert fact in text
    for part in (text, html):
        assert "None" not in part
        assert "{{" not in part
    assert f'lang="{language}"' in html


def _words_of(html):
    """What a reader sees of the HTML: not the head, not the line for the list of e-mails."""
    html = re.sub(r"<head>.*?</head>|<!--.*?-->|<div class=\"m-preheader\".*?</div>", " ", html, flags=re.DOTALL)
    return html_module.unescape(re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("kind", sorted(outbox.KINDS))
def test_text_and_html_say_the_same(kind, language):
    context = FACTS | {"person_name": "Eva", "invited_by": "Ana", "is_new": True, "link": "https://x.example/y"}
    message = outbox.render(_queue(kind=kind, language=language, context=context | {"valid_days": 3}))
    shown = Counter(re.findall(r"\w+", _words_of(message.alternatives[0].content)))
    written = Counter(re.findall(r"\w+", message.body))
    # The text begins with the studio as the HTML does; the button's address stands in it once.
    assert shown - written - Counter(context["link"].split()) == Counter() == written - shown - Counter()


def test_styles_stand_in_the_elements_and_nobody_can_write_some():
    row = _queue(context=FACTS | {"session_title": '<p class="m-h1"> class="m-h1"'})
    html = outbox.render(row).alternatives[0].content
    assert '<h1 class="m-h1" style="' in html
    assert "prefers-color-scheme: dark" in html
    assert html.count('class="m-h1" style=') == 1
    used = set(re.findall(r'class="(m-[\w-]+)"', html))
    assert used <= set(letters._look())


def test_missing_facts_are_left_out():
    message = outbox.render(
        _queue(
            kind="cancellation_email",
            context={"client_name": "Ana", "session_title": "Boda", "session_code": "S-1", "net_paid": "0.00"},
        )
    )
    assert "Refund" not in message.body
    assert "Paid" not in message.body
    assert "None" not in message.body


def test_confirmation_that_comes_late_promises_no_changes():
    late = {**FACTS, "changes_deadline": "2026-11-20T05:59:59+00:00"}
    assert "Changes possible until" in outbox.render(_queue()).body
    assert "Changes possible until" not in outbox.render(_queue("late", context=late)).body
    waited = _queue("waited")
    waited.claimed_at = NOW + timedelta(days=2)
    assert "Changes possible until" not in outbox.render(waited).body


@pytest.mark.parametrize(
    ("zone", "ends_at", "words"),
    [
        ("America/Guatemala", "2026-11-29T02:00:00+00:00", "Saturday 28 November, 14:00 to 20:00"),
        ("America/Guatemala", "2026-11-29T08:00:00+00:00", "Saturday 28 November, 14:00 to Sunday 29 November, 02:00"),
        ("Europe/Madrid", "2026-11-28T22:59:00+00:00", "Saturday 28 November, 21:00 to 23:59"),
        ("Europe/Madrid", "2026-11-29T02:00:00+00:00", "Saturday 28 November, 21:00 to Sunday 29 November, 03:00"),
    ],
)
def test_times_are_the_studios_and_say_the_day_on_which_it_ends(zone, ends_at, words):
    with STUDIO.overridden(time_zone=zone):
        assert f"When: {words}\n" in outbox.render(_queue(context=FACTS | {"ends_at": ends_at})).body


def test_reminder_says_what_is_missing_to_the_deposit():
    body = outbox.render(_queue(kind="payment_reminder_email", context=FACTS | {"net_paid": "250.00"})).body
    assert "Missing to the deposit: Q\xa01,000.00" in body
    assert "Please pay Q\xa01,000.00 by Wednesday 25 November." in body
    unpaid = outbox.render(_queue("2", kind="payment_reminder_email", context=FACTS | {"net_paid": "0.00"})).body
    assert "Missing to the deposit" not in unpaid
    assert "Please pay Q\xa01,250.00 by" in unpaid


def test_cancellation_tells_what_was_paid_back_already():
    body = outbox.render(
        _queue(kind="cancellation_email", context=FACTS | {"refund_amount": "0.00", "refunded_amount": "625.00"})
    ).body
    assert "Paid back already: Q\xa0625.00" in body
    assert "Refund: " not in body


def test_subject_cannot_carry_another_header():
    message = outbox.render(_queue(context={**FACTS, "session_title": "A\r\nBcc: all@example.org"}))
    assert "\n" not in message.subject
    assert "Bcc" not in message.message()


def test_headers_name_the_studio_and_the_row(settings):
    settings.DEFAULT_FROM_EMAIL = "hola@studio.example"
    row = _queue()
    with STUDIO.overridden(name='Foto "Ñ" & Luz'):
        message = outbox.render(row).message()
    assert message["From"].endswith("<hola@studio.example>")
    assert message["Message-ID"].endswith("@studio.example>")
    assert message["Message-ID"] == outbox.render(row).message()["Message-ID"]
    assert message["Auto-Submitted"] == "auto-generated"
    settings.DEFAULT_FROM_EMAIL = "Our House <hola@studio.example>"
    assert outbox.render(row).message()["From"] == "Our House <hola@studio.example>"


# -- checked and read anew -------------------------------------------------------------------------


def test_what_is_no_longer_true_is_dropped():
    outbox.register("confirmation_email", still_true=lambda row: row.to != "ana@client.example")
    first, second = _queue(), _queue("confirmation:2", to="other@client.example")
    assert outbox.deliver(NOW) == _counts(sent=1, dropped=1)
    assert (_status(first), _status(second)) == ("dropped", "sent")
    assert [each["what"] for each in first.tries] == ["dropped"]


def test_facts_are_read_anew_and_kept_before_sending():
    moved = FACTS | {"starts_at": "2026-11-30T20:00:00+00:00", "ends_at": "2026-11-30T22:00:00+00:00"}
    outbox.register("confirmation_email", refresh=lambda row: outbox.Fresh(moved, to="new@client.example"))
    row = _queue()
    assert outbox.as_it_is_now(row).to == "new@client.example"
    assert outbox.deliver(NOW)["sent"] == 1
    row.refresh_from_db()
    assert (row.context, row.to, row.language) == (moved, "new@client.example", "en")
    (message,) = mail.outbox
    assert message.to == ["new@client.example"]
    assert "Monday 30 November, 14:00 to 16:00" in message.body
    assert outbox.preview(row, NOW).body == message.body


def test_preview_of_what_was_sent_is_not_read_anew():
    row = _queue()
    outbox.deliver(NOW)
    outbox.register("confirmation_email", refresh=lambda row: outbox.Fresh(FACTS | {"place": "Elsewhere"}))
    row.refresh_from_db()
    assert "Antigua" in outbox.preview(row, NOW).body
    waiting = _queue("2")
    assert "Elsewhere" in outbox.preview(waiting, NOW).body
    waiting.refresh_from_db()
    assert waiting.context == FACTS


def test_secret_facts_are_for_the_worker_alone():
    outbox.register(
        "invitation_email",
        extra=lambda row: {"link": "https://x.example/secret", "valid_days": 3},
        shown=lambda row: {"link": "https://x.example/none", "valid_days": 3},
    )
    row = _queue(kind="invitation_email", context={"person_name": "Eva", "invited_by": "Ana", "is_new": True})
    shown = outbox.preview(row, NOW)
    assert "secret" not in shown.body + shown.alternatives[0].content
    outbox.deliver(NOW)
    assert "https://x.example/secret" in mail.outbox[0].body
    row.refresh_from_db()
    assert "secret" not in str(row.context)


def test_an_email_that_cannot_be_written_waits_for_a_better_program():
    def broken(row):
        raise KeyError("place")

    outbox.register("confirmation_email", refresh=broken)
    row, other = _queue(), _queue("2", kind="material_ready_email")
    assert outbox.deliver(NOW) == _counts(sent=1, failed=1)
    row.refresh_from_db()
    assert (row.status, row.last_error, row.next_try_at) == ("waiting", "program KeyError", NOW + MINUTE)
    assert _status(other) == "sent"


# -- a server that misbehaves ----------------------------------------------------------------------


def test_connection_is_made_once_for_many(server):
    for each in range(5):
        _queue(str(each))
    with serving() as mail_server:
        server((mail_server.host, mail_server.port))
        assert outbox.deliver(NOW) == _counts(sent=5)
        assert mail_server.connections == 1
        assert len(mail_server.taken) == 5
        assert mail_server.taken[0].get_content_type() == "multipart/alternative"


def test_server_that_is_not_there_is_found_out_once(server):
    rows = [_queue(str(each)) for each in range(5)]
    server(_nobody_listens())
    assert outbox.deliver(NOW) == _counts(held=1)
    first, *others = OutgoingEmail.objects.order_by("pk")
    assert (first.status, first.attempts, first.next_try_at) == ("waiting", 0, NOW + MINUTE)
    assert first.last_error == "unreachable ConnectionRefusedError 111"
    assert all((each.attempts, each.last_error, each.claimed_at) == (0, "", None) for each in others)
    # Others who come at the same moment leave the server alone, in any process.
    assert outbox.deliver(NOW + timedelta(seconds=44)) == NOTHING
    assert outbox.deliver(NOW + timedelta(seconds=44), knock=True) == _counts(held=1)
    with serving() as mail_server:
        server((mail_server.host, mail_server.port))
        assert outbox.deliver(NOW + 2 * MINUTE) == _counts(sent=5)
    assert {_status(row) for row in rows} == {"sent"}


@pytest.mark.parametrize(
    ("behaviour", "word"),
    [
        ({"greeting": "554 5.3.2 no service"}, "unreachable 554 5.3.2"),
        ({"on_sender": lambda address: "530 5.7.0 Authentication required"}, "sign_in 530 5.7.0"),
        ({"on_sender": lambda address: "550 5.7.1 Sender not allowed"}, "sender 550 5.7.1"),
    ],
)
def test_server_that_would_take_nothing_ends_the_round_and_blames_nobody(server, behaviour, word):
    rows = [_queue(str(each)) for each in range(3)]
    with serving(**behaviour) as mail_server:
        server((mail_server.host, mail_server.port))
        assert outbox.deliver(NOW) == _counts(held=1)
        assert mail_server.connections == 1
    for row in rows:
        row.refresh_from_db()
    assert [row.last_error for row in rows] == [word, "", ""]
    assert [row.attempts for row in rows] == [0, 0, 0]


def test_row_survives_an_outage_that_it_was_hardly_tried_in(server):
    """A day of rounds: each tries another one, and nobody is given up."""
    rows = [_queue(str(each)) for each in range(4)]
    server(_nobody_listens())
    now = NOW
    for _round in range(12):
        assert outbox.deliver(now) == _counts(held=1)
        now += timedelta(hours=2)
    for row in rows:
        row.refresh_from_db()
        assert (row.status, row.attempts) == ("waiting", 0)
        assert len(row.tries) == 1
        assert (row.tries[0]["what"], row.tries[0]["times"]) == ("held", 3)


def test_row_that_met_nothing_but_an_outage_for_days_is_given_up(server):
    row = _queue()
    server(_nobody_listens())
    outbox.deliver(NOW)
    assert outbox.deliver(NOW + outbox.OUTAGE_LASTS - MINUTE) == _counts(held=1)
    assert outbox.deliver(NOW + outbox.OUTAGE_LASTS) == _counts(dead=1)
    row.refresh_from_db()
    assert [each["what"] for each in row.tries] == ["held", "dead"]
    assert outbox.requeue(row, now=NOW + outbox.OUTAGE_LASTS)
    assert outbox.deliver(NOW + outbox.OUTAGE_LASTS + MINUTE) == _counts(held=1)


@pytest.mark.parametrize(
    ("behaviour", "word"),
    [
        ({"on_recipient": lambda address: "550 5.1.1 <ana@client.example> unknown"}, "recipient 550 5.1.1"),
        ({"on_content": lambda address: "554 5.6.0 ana is spam"}, "content 554 5.6.0"),
        ({"on_sender": lambda address: "552 5.3.4 too large"}, "content 552 5.3.4"),
    ],
)
def test_what_will_never_be_taken_is_given_up_at_once(server, behaviour, word):
    row = _queue()
    with serving(**behaviour) as mail_server:
        server((mail_server.host, mail_server.port))
        assert outbox.deliver(NOW) == _counts(dead=1)
    row.refresh_from_db()
    assert (row.status, row.attempts, row.last_error) == ("dead", 1, word)
    assert "ana" not in str(row.tries)


def test_address_that_is_none_is_given_up_without_asking_the_server():
    row = _queue(to="nobody at home")
    assert outbox.deliver(NOW) == _counts(dead=1)
    row.refresh_from_db()
    assert row.last_error == "address"


def test_later_means_later(server):
    row, other = _queue("1", to="grey@client.example"), _queue("2")

    def greylist(address):
        return "451 4.7.1 try again" if address.startswith("grey") else "250 ok"

    with serving(on_recipient=greylist) as mail_server:
        server((mail_server.host, mail_server.port))
        assert outbox.deliver(NOW) == _counts(sent=1, failed=1)
        assert mail_server.connections == 1, "a refusal does not end the conversation"
    row.refresh_from_db()
    assert (row.status, row.attempts, row.last_error) == ("waiting", 1, "later 451 4.7.1")
    assert row.next_try_at == NOW + MINUTE
    assert _status(other) == "sent"


def test_one_conversation_that_breaks_off_is_not_the_others_fault(server):
    row, other = _queue("1", to="bad@client.example"), _queue("2")

    def hang_up_on_bad(address):
        return HANG_UP if address.startswith("bad") else "250 ok"

    with serving(on_content=hang_up_on_bad) as mail_server:
        server((mail_server.host, mail_server.port))
        assert outbox.deliver(NOW) == _counts(sent=1, failed=1)
        assert mail_server.connections == 2
    row.refresh_from_db()
    assert (row.attempts, row.last_error.split()[0]) == (1, "broken")
    assert _status(other) == "sent"


def test_server_that_breaks_off_again_and_again_is_left_alone(server):
    rows = [_queue(str(each)) for each in range(5)]
    with serving(on_recipient=lambda address: HANG_UP) as mail_server:
        server((mail_server.host, mail_server.port))
        assert outbox.deliver(NOW) == _counts(failed=1, held=1)
        assert mail_server.connections == 2
    for row in rows:
        row.refresh_from_db()
    assert [row.attempts for row in rows] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(("answer", "became"), [("451 4.3.0 busy", "failed"), ("550 5.7.1 relay denied", "dead")])
def test_server_that_refuses_everything_is_left_alone(server, answer, became):
    for each in range(outbox.REFUSED_IN_A_ROW + 5):
        _queue(str(each))
    with serving(on_recipient=lambda address: answer) as mail_server:
        server((mail_server.host, mail_server.port))
        counts = outbox.deliver(NOW)
        assert counts == _counts(**{became: outbox.REFUSED_IN_A_ROW - 1, "held": 1})
        assert outbox.deliver(NOW) == NOTHING
    held = OutgoingEmail.objects.get(last_error__startswith="refusing")
    assert (held.status, held.attempts) == ("waiting", 0)


def test_server_that_refuses_everything_costs_no_more_e_mails_each_minute(server):
    """One e-mail a round asks whether it still does; what was given up at first is all that is."""
    for each in range(outbox.REFUSED_IN_A_ROW + 5):
        _queue(str(each))
    now, answers = NOW, ["550 5.7.1 relay denied"]
    with serving(on_recipient=lambda address: answers[0]) as mail_server:
        server((mail_server.host, mail_server.port))
        assert outbox.deliver(now) == _counts(dead=outbox.REFUSED_IN_A_ROW - 1, held=1)
        for _minute in range(8):
            now += timedelta(minutes=1)
            assert outbox.deliver(now) == _counts(held=1)
        answers[0] = "250 2.1.5 ok"
        now += timedelta(minutes=1)
        outbox.deliver(now)
        outbox.deliver(now + outbox.HELD_FOR)
    assert OutgoingEmail.objects.filter(status="sent").count() == 6
    assert OutgoingEmail.objects.filter(status="dead").count() == outbox.REFUSED_IN_A_ROW - 1


def test_e_mails_that_are_refused_for_their_own_sake_are_given_up_in_the_end(server):
    """Two bad addresses after many others: each is no proof for ever that the server refuses everything."""
    for each in range(outbox.REFUSED_IN_A_ROW + 1):
        _queue(str(each))
    now = NOW
    with serving(on_recipient=lambda address: "550 5.1.1 no such user") as mail_server:
        server((mail_server.host, mail_server.port))
        for _minute in range(3 * outbox.PUT_BACK_FOR_OTHERS):
            outbox.deliver(now)
            now += timedelta(minutes=1)
    assert set(OutgoingEmail.objects.values_list("status", flat=True)) == {"dead"}


def test_growing_waits_and_then_given_up(server):
    server(Breaking)
    row = _queue()
    now, waits = NOW, []
    for _attempt in range(outbox.MAX_ATTEMPTS):
        outbox.deliver(now)
        row.refresh_from_db()
        waits.append(row.next_try_at - now)
        assert outbox.deliver(now)["failed"] == 0
        now = row.next_try_at
    assert waits[: outbox.MAX_ATTEMPTS - 1] == list(outbox.BACK_OFF)
    assert (row.status, row.attempts) == ("dead", outbox.MAX_ATTEMPTS)
    assert [each["what"] for each in row.tries] == ["failed"] * (outbox.MAX_ATTEMPTS - 1) + ["dead"]
    assert outbox.deliver(now + timedelta(days=9)) == NOTHING


def test_error_is_kept_without_what_the_server_said(server):
    server(Breaking)
    row = _queue()
    outbox.deliver(NOW)
    row.refresh_from_db()
    assert row.last_error == "broken ConnectionResetError 104"
    assert "hunter2" not in str(row.tries)


def test_email_that_cannot_be_sent_does_not_stop_the_others(server):
    server(BreakingSome)
    bad, good = _queue("1", to="bad@client.example"), _queue("2")
    assert outbox.deliver(NOW)["sent"] == 1
    assert (_status(bad), _status(good)) == ("waiting", "sent")


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (smtplib.SMTPRecipientsRefused({"a@b.example": (552, b"5.2.2 full")}), "recipient 552 5.2.2"),
        (smtplib.SMTPRecipientsRefused({"a@b.example": (421, b"bye")}), "broken 421"),
        (smtplib.SMTPRecipientsRefused({"a@b.example": (530, b"sign in")}), "sign_in 530"),
        (smtplib.SMTPRecipientsRefused({}), "later 0"),
        (smtplib.SMTPSenderRefused(451, b"4.1.8 later", "a@b.example"), "later 451 4.1.8"),
        (smtplib.SMTPDataError(452, "4.3.1 full disk"), "later 452 4.3.1"),
        (smtplib.SMTPHeloError(501, b"no"), "unreachable 501"),
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 wrong"), "sign_in 535 5.7.8"),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), "address SMTPNotSupportedError"),
        (smtplib.SMTPServerDisconnected("x"), "broken SMTPServerDisconnected"),
        (TimeoutError(110, "x"), "broken TimeoutError 110"),
        (ValueError("ana@client.example"), "program ValueError"),
    ],
)
def test_each_error_has_its_word_and_codes(error, kept):
    fault = mail_faults.on_sending(error)
    assert str(fault) == kept
    told = mail_faults.in_words(kept)
    assert told and "ana@" not in told
    assert told.endswith(f"({fault.codes})")


def test_errors_of_other_versions_are_told_as_well():
    with translation.override("en"):
        assert mail_faults.in_words("") == ""
        assert mail_faults.in_words("OSError 5") == "It could not be sent (OSError 5)."
        assert mail_faults.in_words("address") == str(mail_faults.WORDS["address"])


# -- given up, sent again --------------------------------------------------------------------------


def test_given_up_emails_are_told_once_to_those_who_can_do_something():
    admin, both = make_user(Role.ADMIN), make_user(Role.ADMIN, Role.COORDINATOR)
    coordinator, editor = make_user(Role.COORDINATOR), make_user(Role.EDITOR)
    outbox.register("confirmation_email", page=lambda row: "/sessions/S-0042/#mail")
    row = _queue(to="nobody at home")
    outbox.deliver(NOW)
    told = {notice.recipient: notice.url for notice in Notice.objects.filter(kind="email_given_up")}
    page = reverse("outbox-page", args=[row.pk])
    assert told == {admin: page, both: page, coordinator: "/sessions/S-0042/#mail"}
    assert not Notice.objects.filter(recipient=editor).exists()
    with translation.override("en"):
        assert "nobody at home" in Notice.objects.filter(recipient=admin).get().text
    mark_read(admin)
    outbox.requeue(row, now=NOW)
    assert outbox.deliver(NOW) == _counts(dead=1)
    assert Notice.objects.filter(kind="email_given_up").count() == 3


def test_invitations_are_the_admins_alone():
    make_user(Role.COORDINATOR)
    admin = make_user(Role.ADMIN)
    _queue(kind="invitation_email", to="nobody at home", context={})
    outbox.deliver(NOW)
    assert [notice.recipient for notice in Notice.objects.all()] == [admin]


def test_notice_that_nobody_read_goes_when_it_was_sent_after_all():
    make_user(Role.ADMIN)
    row = _queue(to="nobody at home")
    outbox.deliver(NOW)
    OutgoingEmail.objects.filter(pk=row.pk).update(to="somebody@client.example")
    outbox.requeue(row, now=NOW)
    outbox.deliver(NOW)
    assert _status(row) == "sent"
    assert not Notice.objects.exists()


def test_given_up_and_dropped_emails_can_be_sent_again():
    row = _queue()
    assert not outbox.requeue(row, now=NOW)
    OutgoingEmail.objects.filter(pk=row.pk).update(status="dead", attempts=8, last_error="x")
    assert outbox.requeue(row, now=NOW)
    outbox.deliver(NOW)
    assert _status(row) == "sent"
    assert not outbox.requeue(row, now=NOW)


def test_sending_again_is_for_admins_and_audited():
    row, waiting = _queue("1"), _queue("2")
    OutgoingEmail.objects.filter(pk=row.pk).update(status="dead")
    with pytest.raises(AccessDenied):
        outbox.send_again([row], by=make_user(Role.COORDINATOR), now=NOW)
    assert _status(row) == "dead"
    admin = make_user(Role.ADMIN, full_name="Ana Paz")
    assert outbox.send_again([row, waiting], by=admin, now=NOW) == 1
    event = AuditEvent.objects.get(event="email_resent")
    assert (event.actor_id, event.object_id, event.details) == (admin.pk, str(row.pk), {"to": row.to})
    row.refresh_from_db()
    assert row.tries == [{"what": "again", "at": NOW.isoformat(), "by": "Ana Paz"}]


def test_why_it_cannot_be_sent_again():
    row = _queue()
    with translation.override("en"):
        assert "on its way" in outbox.why_not_again(row, NOW)
        row.status = "dead"
        assert outbox.why_not_again(row, NOW) == ""
        outbox.register("confirmation_email", still_true=lambda row: row.claimed_at != NOW)
        assert "no longer so" in outbox.why_not_again(row, NOW)
        row.status = "sent"
        assert "was sent" in outbox.why_not_again(row, NOW)


# -- workers ---------------------------------------------------------------------------------------


def test_limit_is_kept():
    for each in range(3):
        _queue(str(each))
    assert outbox.deliver(NOW, limit=2)["sent"] == 2


def test_claim_of_a_worker_that_died_is_taken_over():
    row = _queue()
    OutgoingEmail.objects.filter(pk=row.pk).update(status="claimed", claimed_at=NOW, attempts=1)
    assert outbox.deliver(NOW + timedelta(minutes=9))["sent"] == 0
    assert outbox.deliver(NOW + timedelta(minutes=11))["sent"] == 1
    row.refresh_from_db()
    assert row.attempts == 2


def test_email_whose_workers_keep_dying_is_given_up():
    row = _queue()
    OutgoingEmail.objects.filter(pk=row.pk).update(status="claimed", claimed_at=NOW, attempts=outbox.MAX_ATTEMPTS)
    assert outbox.deliver(NOW + timedelta(minutes=11))["dead"] == 1
    row.refresh_from_db()
    assert (row.status, row.last_error) == ("dead", "worker")


def test_slow_worker_does_not_overwrite_the_one_that_took_over():
    row = _queue()
    claimed = outbox._claim(NOW)
    later = NOW + timedelta(minutes=11)
    outbox.deliver(later)
    assert not outbox._mark(claimed, status="waiting", next_try_at=timezone.now())
    row.refresh_from_db()
    assert (row.status, row.sent_at) == ("sent", later)


def test_row_that_was_taken_over_while_it_was_read_anew_is_left_to_the_other():
    row = _queue()

    def taken_over(read):
        OutgoingEmail.objects.filter(pk=row.pk).update(claimed_at=NOW + timedelta(minutes=11), attempts=2)
        return outbox.Fresh(FACTS | {"place": "Elsewhere"})

    outbox.register("confirmation_email", refresh=taken_over)
    assert outbox.deliver(NOW) == NOTHING
    assert not mail.outbox


@pytest.mark.django_db(transaction=True)
def test_worker_is_woken_once_for_each_transaction_and_only_after_it():
    with transaction.atomic():
        _queue("1")
        _queue("2")
        assert not OrmQ.objects.exists()
    assert OrmQ.objects.count() == 1
    with outbox.woken_once():
        for each in range(3):
            with transaction.atomic():
                _queue(f"job:{each}")
    assert OrmQ.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_rolled_back_act_wakes_nobody():
    with pytest.raises(RuntimeError), transaction.atomic():
        _queue("1")
        raise RuntimeError
    assert not OrmQ.objects.exists()


def _tasks():
    return [row.task["func"] for row in OrmQ.objects.all()]


def test_what_is_left_when_the_time_is_over_goes_on_in_one_other_task():
    for each in range(4):
        _queue(str(each))
    OrmQ.objects.all().delete()
    assert outbox.deliver(NOW, seconds=0) == _counts(sent=1)
    assert _tasks() == ["studio.outbox.deliver_waiting"]
    assert outbox.deliver(NOW, seconds=0) == _counts(sent=1)
    assert len(_tasks()) == 1, "it was asked for already"
    OrmQ.objects.all().delete()
    assert outbox.deliver(NOW, seconds=0, limit=1) == _counts(sent=1)
    assert outbox.deliver(NOW, seconds=0) == _counts(sent=1)
    assert len(_tasks()) == 1, "the one after a limit; nothing is due after the last"


def test_chains_of_tasks_do_not_multiply():
    """Many wake-ups at once during a long night: those that end while others wait leave nobody behind."""
    for each in range(40):
        _queue(str(each))
    OrmQ.objects.all().delete()
    for _wake in range(6):
        outbox._wake()
    longest = 0
    while OrmQ.objects.exists():
        OrmQ.objects.order_by("pk").first().delete()
        outbox.deliver(NOW, seconds=0)
        longest = max(longest, OrmQ.objects.count())
    assert longest <= 5
    assert OutgoingEmail.objects.filter(status="sent").count() == 40


def test_server_that_takes_nothing_is_not_asked_in_a_circle(server):
    for each in range(3):
        _queue(str(each))
    OrmQ.objects.all().delete()
    server(_nobody_listens())
    assert outbox.deliver(NOW, seconds=0) == _counts(held=1)
    assert _tasks() == []


def test_who_is_woken_leaves_the_work_to_whoever_is_at_it():
    at_work, row = _queue("1"), _queue("2")
    _all_are_due()
    OutgoingEmail.objects.filter(pk=at_work.pk).update(status="claimed", claimed_at=timezone.now(), attempts=1)
    assert outbox.deliver_waiting() == NOTHING
    OutgoingEmail.objects.filter(pk=at_work.pk).update(claimed_at=timezone.now() - 2 * MINUTE)
    assert outbox.deliver_waiting() == _counts(sent=1)
    assert _status(row) == "sent"


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deliverers", [2, 4, 8])
def test_many_workers_at_once_send_each_email_once(deliverers):
    for each in range(20):
        _queue(str(each), to=f"client{each}@client.example")
    start = threading.Barrier(deliverers)
    counts = []

    def work():
        try:
            start.wait()
            counts.append(outbox.deliver(NOW)["sent"])
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _each in range(deliverers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(counts) == 20
    assert len({message.to[0] for message in mail.outbox}) == len(mail.outbox) == 20
    assert OutgoingEmail.objects.filter(status="sent").count() == 20


# -- by hand ---------------------------------------------------------------------------------------


def _command(*arguments):
    out = StringIO()
    call_command("deliver_outbox", *arguments, stdout=out)
    return out.getvalue()


def test_command_sends_what_is_due():
    row, later = _queue("1"), _queue("2")
    _all_are_due()
    OutgoingEmail.objects.filter(pk=later.pk).update(next_try_at=timezone.now() + timedelta(hours=1))
    told = _command()
    assert "1 sent" in told
    assert (_status(row), _status(later)) == ("sent", "waiting")


def test_command_tries_a_server_that_rests():
    row = _queue()
    _all_are_due()
    OutgoingEmail.objects.filter(pk=row.pk).update(last_error="unreachable x", claimed_at=timezone.now())
    assert outbox.deliver()["sent"] == 0
    assert "1 sent" in _command()


def test_dry_run_tells_and_writes_nothing():
    outbox.register("material_ready_email", still_true=lambda row: False)
    _queue("1")
    _queue("2", kind="material_ready_email")
    _queue("3", to="nobody at home")
    lost = _queue("4")
    OutgoingEmail.objects.filter(pk=lost.pk).update(attempts=outbox.MAX_ATTEMPTS)
    _all_are_due()
    before = list(OutgoingEmail.objects.order_by("pk").values())
    told = _command("--dry-run")
    assert list(OutgoingEmail.objects.order_by("pk").values()) == before
    assert not mail.outbox
    lines = told.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["send", "drop", "give", "give"]
    assert "1 to send, 1 to drop, 2 to give up" in lines[-1]
    assert "no longer so" in lines[1]
