"""The mail server fails in all of its ways: what is to be said waits, and nothing else does.

An e-mail that the server has taken without saying so is sent again: nobody can know. Every other one goes once.
"""

import pytest

from sessions_app import workflow
from sessions_app.models import Session
from studio import outbox
from studio.models import Notice, OutgoingEmail
from tests.factories.domain import ClientFactory, Studio
from tests.faults import books
from tests.faults.house import House
from tests.faults.mail_server import Does, MailServer
from tests.faults.waiting import eventually
from tests.faults.work import in_full, rows_of, studio_since, unpaid

pytestmark = pytest.mark.fault

MAILS = 6
UNPAID = 10

# What the server does, and how many e-mails it may have got without saying so, each time that somebody tries.
FAULTS = [
    (Does.REFUSE_CONNECTIONS, False),
    (Does.SHUT_DOWN, False),
    (Does.HANG_BEFORE_BANNER, False),
    (Does.REFUSE_SENDER, False),
    (Does.PUT_OFF_RECIPIENTS, False),
    (Does.PUT_OFF_CONTENT, False),
    (Does.HANG_BEFORE_DATA, False),
    (Does.DIE_IN_DATA, False),
    (Does.HANG_AFTER_DATA, True),
    (Does.DIE_AFTER_DATA, True),
]
# In the whole suite one of each sort: nobody comes in, it hangs, it has the e-mail and does not say so.
USUAL = {Does.REFUSE_CONNECTIONS, Does.HANG_BEFORE_BANNER, Does.DIE_AFTER_DATA}


def confirmed(studio: Studio, count: int) -> list[OutgoingEmail]:
    """Confirmations as the acts write them, each to a client of its own."""
    sessions = [studio.walk(workflow.CONFIRMED, client=ClientFactory()).session for _ in range(count)]
    found = {row.about_id: row for row in OutgoingEmail.objects.filter(kind="confirmation_email")}
    return [found[session.pk] for session in sessions]


@pytest.mark.parametrize(
    ("does", "has_them"),
    [
        pytest.param(does, has_them, id=does.name.lower(), marks=() if does in USUAL else in_full)
        for does, has_them in FAULTS
    ],
)
def test_mail_server_that_fails_delays_e_mails_and_nothing_else(
    does: Does, has_them: bool, house: House, mail_server: MailServer, tell
):
    studio = studio_since(days=10)
    sessions = unpaid(studio, UNPAID)
    rows = confirmed(studio, MAILS)
    mail_server.does = does
    house.worker()
    eventually(lambda: any(row.last_error for row in rows_of(rows).values()), "the worker has met it")
    # People act, and the jobs of the day run.
    rows += confirmed(studio, 1)
    house.minutes_until(books.all_have_run, "the jobs run")
    assert set(Session.objects.filter(status=workflow.CANCELED)) == set(sessions)
    assert {row.status for row in rows_of(rows).values()} <= {"waiting", "claimed"}
    house.time_passes(minutes=2)
    house.minute()
    tried = mail_server.conversations
    eventually(lambda: does is Does.REFUSE_CONNECTIONS or mail_server.conversations > tried, "it is tried again")

    mail_server.does = Does.TAKE
    mail_server.let_go()
    house.minutes_until(books.all_sent, "all is sent", passing=True)
    now = rows_of(rows).values()
    assert {row.status for row in now} == {"sent"}
    # A server that takes nothing is not held against the e-mails.
    assert max(row.attempts for row in now) <= 4
    taken = mail_server.times_taken()
    assert len(taken) == MAILS + 1 + UNPAID
    doubled = taken.total() - len(taken)
    assert doubled <= (mail_server.broken if has_them else 0)
    assert not Notice.objects.filter(kind="email_given_up").exists()
    tell(
        f"mail server: {does.name.lower().replace('_', ' ')}",
        f"{len(taken)} e-mails, {UNPAID} sessions",
        lost=MAILS + 1 + UNPAID - len(taken),
        doubled=doubled,
        seen=f"{mail_server.conversations} conversations; jobs and acts went on",
    )


def test_recipient_that_is_refused_for_good_is_given_up_at_once_and_told(house: House, mail_server: MailServer, tell):
    studio = studio_since(days=10)
    rows = confirmed(studio, MAILS)
    bad = rows[2]
    mail_server.refused_addresses = frozenset({bad.to})
    house.worker()
    eventually(books.all_sent, "the others are sent")
    bad.refresh_from_db()
    assert (bad.status, bad.attempts) == ("dead", 1)
    assert "550" in bad.last_error
    assert "secret" not in bad.last_error
    assert mail_server.times_taken() == {row.pk: 1 for row in rows if row != bad}
    [notice] = Notice.objects.filter(kind="email_given_up", recipient=studio.admin)
    assert bad.to in notice.text

    mail_server.refused_addresses = frozenset()
    assert outbox.send_again([bad], by=studio.admin, now=bad.created_at) == 1
    eventually(books.all_sent, "it is sent once somebody has seen to it")
    assert mail_server.times_taken() == {row.pk: 1 for row in rows}
    tell(
        "mail server: one recipient refused for good",
        f"{MAILS} e-mails",
        lost=0,
        doubled=0,
        seen="given up at the first attempt, an Admin told, sent when asked to",
    )


@in_full
def test_mail_server_that_goes_down_in_the_middle_of_many(house: House, mail_server: MailServer, tell):
    rows = confirmed(studio_since(days=10), MAILS)
    house.worker(WORKERS="1")
    # The third is not taken any more, nor is any after it.
    mail_server.does_after(2, Does.DIE_IN_DATA)
    eventually(lambda: any(row.last_error for row in rows_of(rows).values()), "the worker has met it")
    assert len(mail_server.times_taken()) == 2
    mail_server.does = Does.TAKE
    house.minutes_until(books.all_sent, "all is sent", passing=True)
    taken = mail_server.times_taken()
    assert taken == {row.pk: 1 for row in rows}
    tell(
        "mail server: dies after two of many",
        f"{MAILS} e-mails",
        lost=MAILS - len(taken),
        doubled=taken.total() - len(taken),
        seen="the rest was sent when it was back",
    )


@in_full
def test_mail_server_that_refuses_everybody_loses_nothing(house: House, mail_server: MailServer, tell):
    """A wrong setting over there: every recipient is refused for good. What was given up waits for an Admin."""
    studio = studio_since(days=10)
    rows = confirmed(studio, MAILS)
    mail_server.does = Does.REFUSE_RECIPIENTS
    house.worker()
    house.minutes_until(
        lambda: all(row.last_error for row in rows_of(rows).values()), "each has been refused", passing=True
    )
    given_up = [row for row in rows_of(rows).values() if row.status == "dead"]
    assert Notice.objects.filter(kind="email_given_up", recipient=studio.admin).count() == len(given_up)
    mail_server.does = Does.TAKE
    assert outbox.send_again(given_up, by=studio.admin, now=studio.now) == len(given_up)
    house.minutes_until(books.all_sent, "all is sent", passing=True)
    taken = mail_server.times_taken()
    assert taken == {row.pk: 1 for row in rows}
    tell(
        "mail server: everybody refused for good",
        f"{MAILS} e-mails",
        lost=MAILS - len(taken),
        doubled=taken.total() - len(taken),
        seen=f"{len(given_up)} given up, Admins told; sent when asked to",
    )
