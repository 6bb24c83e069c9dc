"""The outbox: queued with the act, claimed once, checked again, sent, marked (design, Mail and notices)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.locmem import EmailBackend as Locmem
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from studio import outbox
from studio.conf import STUDIO
from studio.models import OutgoingEmail
from tests.factories.studio import make_user

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
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


class Refusing(BaseEmailBackend):
    """A mail server that is down."""

    def send_messages(self, messages):
        error = OSError(111, "password=hunter2 refused")
        raise error


class RefusingSome(Locmem):
    """A mail server that takes no e-mails for one address."""

    def send_messages(self, messages):
        if any("bad@" in to for message in messages for to in message.to):
            raise OSError(5, "no")
        return super().send_messages(messages)


@pytest.fixture
def server(settings):
    """Choose the mail server: `server(Refusing)`."""

    def choose(backend):
        settings.EMAIL_BACKEND = f"{backend.__module__}.{backend.__qualname__}"

    return choose


@pytest.fixture
def about():
    return make_user()


@pytest.fixture(autouse=True)
def _only_leaf_rules(monkeypatch):
    """The other packages' checks ask about sessions; here the e-mails are about nothing of theirs."""
    monkeypatch.setattr(outbox, "_still_true", {})


def _queue(key="confirmation:1", kind="confirmation_email", **changes):
    values = {"to": "ana@client.example", "language": "en", "context": FACTS, "key": key, **changes}
    row = outbox.queue(kind, **values)
    OutgoingEmail.objects.filter(pk=row.pk).update(next_try_at=NOW, created_at=NOW)
    row.refresh_from_db()
    return row


def _status(row):
    row.refresh_from_db()
    return row.status


def test_queued_and_sent_once():
    row = _queue()
    assert row.status == "waiting"
    assert outbox.deliver(NOW) == {"sent": 1, "dropped": 0, "failed": 0, "dead": 0}
    assert _status(row) == "sent"
    assert row.sent_at == NOW
    assert outbox.deliver(NOW)["sent"] == 0
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


def test_subject_cannot_carry_another_header():
    message = outbox.render(_queue(context={**FACTS, "session_title": "A\r\nBcc: all@example.org"}))
    assert "\n" not in message.subject
    assert "Bcc" not in message.message()


def test_what_is_no_longer_true_is_dropped():
    outbox.register("confirmation_email", still_true=lambda row: row.to != "ana@client.example")
    first, second = _queue(), _queue("confirmation:2", to="other@client.example")
    assert outbox.deliver(NOW) == {"sent": 1, "dropped": 1, "failed": 0, "dead": 0}
    assert (_status(first), _status(second)) == ("dropped", "sent")


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


def test_server_that_is_down_delays_with_growing_waits_and_then_gives_up(server):
    server(Refusing)
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
    assert outbox.deliver(now + timedelta(days=9)) == {"sent": 0, "dropped": 0, "failed": 0, "dead": 0}


def test_error_is_kept_without_what_the_server_said(server):
    server(Refusing)
    row = _queue()
    outbox.deliver(NOW)
    row.refresh_from_db()
    assert row.last_error == "ConnectionRefusedError 111"
    assert "hunter2" not in row.last_error


def test_email_that_cannot_be_sent_does_not_stop_the_others(server):
    server(RefusingSome)
    bad, good = _queue("1", to="bad@client.example"), _queue("2")
    assert outbox.deliver(NOW)["sent"] == 1
    assert (_status(bad), _status(good)) == ("waiting", "sent")


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
    assert _status(row) == "dead"


def test_given_up_and_dropped_emails_can_be_sent_again():
    row = _queue()
    assert not outbox.requeue(row, now=NOW)
    OutgoingEmail.objects.filter(pk=row.pk).update(status="dead", attempts=8, last_error="x")
    assert outbox.requeue(row, now=NOW)
    outbox.deliver(NOW)
    assert _status(row) == "sent"
    assert not outbox.requeue(row, now=NOW)


def test_database_refuses_an_impossible_row():
    row = _queue()
    for values in ({"status": "lost"}, {"status": "sent"}, {"status": "claimed"}, {"sent_at": NOW}):
        with pytest.raises(IntegrityError), transaction.atomic():
            OutgoingEmail.objects.filter(pk=row.pk).update(**values)


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


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_send_each_email_once():
    for each in range(20):
        _queue(str(each), to=f"client{each}@client.example")
    start = threading.Barrier(8)
    counts = []

    def work():
        try:
            start.wait()
            counts.append(outbox.deliver(NOW)["sent"])
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _each in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(counts) == 20
    assert len({message.to[0] for message in mail.outbox}) == len(mail.outbox) == 20
    assert OutgoingEmail.objects.filter(status="sent").count() == 20


def test_slow_worker_does_not_overwrite_the_one_that_took_over():
    row = _queue()
    claimed = outbox._claim(NOW)
    later = NOW + timedelta(minutes=11)
    outbox.deliver(later)
    outbox._mark(claimed, status="waiting", next_try_at=timezone.now())
    row.refresh_from_db()
    assert (row.status, row.sent_at) == ("sent", later)
