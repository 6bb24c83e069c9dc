"""The worker ends in the middle of its work: between claim and sent, between two sessions, because it is asked to.

Nothing is lost, and nothing is doubled beyond the e-mail that was in flight: nobody can know whether it arrived.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from django_q.tasks import async_task

from sessions_app import workflow
from sessions_app.models import Session
from studio.models import OutgoingEmail
from tests.faults import books
from tests.faults.house import House, Worker
from tests.faults.mail_server import Does, MailServer
from tests.faults.waiting import eventually
from tests.faults.work import FULL, held, in_full, mails, rows_of, run_of, studio_since, unpaid

pytestmark = pytest.mark.fault

MAILS = 6
UNPAID = 300 if FULL else 60


def the_machine(worker: Worker) -> None:
    worker.kill()


def the_child_that_sends(worker: Worker) -> None:
    """As the kernel does when memory is short."""
    os.kill(worker.pid_of("ready for work"), signal.SIGKILL)
    worker.end_as_service_manager()


@pytest.mark.parametrize(
    ("killed", "moment", "in_doubt"),
    [
        pytest.param(the_machine, Does.HANG_AFTER_DATA, 1, id="machine, the server has it"),
        pytest.param(the_child_that_sends, Does.HANG_BEFORE_DATA, 0, id="child, the server does not have it"),
        pytest.param(the_machine, Does.HANG_BEFORE_DATA, 0, id="machine, the server does not have it", marks=in_full),
        pytest.param(the_child_that_sends, Does.HANG_AFTER_DATA, 1, id="child, the server has it", marks=in_full),
    ],
)
def test_e_mails_of_a_killed_worker_are_sent_by_the_next(
    killed: Callable[[Worker], None], moment: Does, in_doubt: int, house: House, mail_server: MailServer, tell
):
    rows = mails(studio_since(days=10), MAILS)
    mail_server.does = moment
    worker = house.worker(WORKERS="1", EMAIL_TIMEOUT="60")
    eventually(lambda: mail_server.hanging, "the worker sends")
    killed(worker)
    eventually(lambda: not mail_server.hanging, "the worker is gone")
    house.all_is_lost()
    [claimed] = [row for row in rows_of(rows).values() if row.status == "claimed"]

    mail_server.does = Does.TAKE
    house.worker(WORKERS="1")
    house.minute()
    waiting = OutgoingEmail.objects.exclude(pk=claimed.pk).exclude(status="sent")
    eventually(lambda: not waiting.exists(), "the others are sent")
    # Whoever claimed it may still be about to send it.
    claimed.refresh_from_db()
    assert (claimed.status, claimed.attempts) == ("claimed", 1)

    house.time_passes(minutes=11)
    house.minute()
    eventually(books.all_sent, "the one in flight is sent, too")
    claimed.refresh_from_db()
    assert (claimed.status, claimed.attempts) == ("sent", 2)
    taken = mail_server.times_taken()
    assert {row.pk: 1 + (row.pk == claimed.pk and in_doubt) for row in rows} == taken
    tell(
        f"kill -9 of {killed.__name__.replace('_', ' ')}, {'with' if in_doubt else 'without'} the e-mail at the server",
        f"{MAILS} e-mails",
        lost=MAILS - len(taken),
        doubled=taken.total() - len(taken),
        seen="sent at the second attempt, once its claim had run out",
    )


def test_auto_cancel_goes_on_after_its_worker_was_killed(house: House, mail_server: MailServer, tell):
    sessions = unpaid(studio_since(days=10), UNPAID)
    canceled = Session.objects.filter(status=workflow.CANCELED)
    house.minute()
    first = UNPAID // 3
    with held(house, sessions[first]):
        worker = house.worker()
        eventually(lambda: canceled.count() == first, "a third of the sessions is canceled")
        worker.kill()
        house.all_is_lost()
    # One of its children canceled; the other may have been sending one of the e-mails about it.
    in_flight = set(OutgoingEmail.objects.filter(status="claimed").values_list("pk", flat=True))
    assert len(in_flight) <= 1
    assert canceled.count() == first
    assert books.wrong() == {}
    run = run_of("auto_cancel_unpaid")
    assert (run.finished_at, run.attempts) == (None, 1)
    told = run.done

    house.time_passes(minutes=16)
    house.worker()
    house.minutes_until(books.both(books.all_ended, books.all_sent), "the rest is done")
    run.refresh_from_db()
    assert set(canceled) == set(sessions)
    assert books.wrong() == {}
    # What was canceled since the run last told how far it was is known from the sessions alone.
    assert (run.attempts, run.done, run.failed) == (2, told + UNPAID - first, 0)
    taken = mail_server.times_taken()
    doubled = {mail for mail, times in taken.items() if times > 1}
    assert doubled <= in_flight
    assert max(taken.values()) <= 2
    tell(
        "kill -9 in the middle of auto-cancel",
        f"{UNPAID} sessions, {len(taken)} e-mails",
        lost=UNPAID - canceled.count(),
        doubled=taken.total() - len(taken),
        seen=f"{first} canceled before, the rest by the second attempt",
    )


@pytest.mark.parametrize(
    "doing",
    [
        pytest.param("ready for work", id="waits for a task"),
        pytest.param("monitoring", id="writes results down", marks=in_full),
        pytest.param("pushing tasks", id="fetches tasks", marks=in_full),
        pytest.param("guarding", id="guards the others", marks=in_full),
    ],
)
def test_worker_of_which_one_process_is_killed_ends_and_is_started_again(
    doing: str, house: House, mail_server: MailServer, tell
):
    """It takes the locks of the queues along: what is left would live on, and do nothing any more."""
    worker = house.worker()
    house.minute()
    eventually(books.both(books.all_have_run, books.all_ended), "it works, and then it waits")
    os.kill(worker.pid_of(doing), signal.SIGKILL)
    assert worker.end_as_service_manager() == 1
    rows = mails(studio_since(days=10), MAILS)
    house.worker()
    house.minutes_until(books.all_sent, "the next one sends")
    taken = mail_server.times_taken()
    assert taken == {row.pk: 1 for row in rows}
    tell(
        f"kill -9 of the worker's process that is {doing}",
        f"{MAILS} e-mails",
        lost=MAILS - len(taken),
        doubled=taken.total() - len(taken),
        seen="the worker ended by itself, and was started again",
    )


@in_full
def test_task_that_takes_too_long_is_ended_and_the_worker_lives_on(house: House, mail_server: MailServer, tell):
    worker = house.worker(WORKERS="1")
    child = worker.pid_of("ready for work")
    async_task("time.sleep", 600, timeout=1)
    eventually(lambda: not Path(f"/proc/{child}").exists(), "its process is replaced")
    rows = mails(studio_since(days=10), MAILS)
    house.minutes_until(books.all_sent, "the next one sends")
    assert worker.is_running
    taken = mail_server.times_taken()
    assert taken == {row.pk: 1 for row in rows}
    tell(
        "a task that takes too long",
        f"{MAILS} e-mails",
        lost=MAILS - len(taken),
        doubled=taken.total() - len(taken),
        seen="it was ended, and its process replaced",
    )


def test_worker_that_is_asked_to_stop_ends_what_it_sends(house: House, mail_server: MailServer, tell):
    rows = mails(studio_since(days=10), MAILS)
    mail_server.does = Does.HANG_AFTER_DATA
    worker = house.worker(EMAIL_TIMEOUT="60")
    eventually(lambda: mail_server.hanging, "the worker sends")
    processes = worker.members
    worker.ask_to_stop()
    eventually(lambda: worker.members < processes, "it takes no more tasks")
    mail_server.does = Does.TAKE
    mail_server.let_go()
    assert worker.wait_for_end() == 0
    now = rows_of(rows).values()
    assert {row.status for row in now} <= {"sent", "waiting"}
    assert {row.pk for row in now if row.status == "sent"} == set(mail_server.times_taken())

    house.worker()
    house.minute()
    eventually(books.all_sent, "the rest is sent")
    taken = mail_server.times_taken()
    assert taken == {row.pk: 1 for row in rows}
    tell(
        "SIGTERM of the worker while it sends",
        f"{MAILS} e-mails",
        lost=MAILS - len(taken),
        doubled=taken.total() - len(taken),
        seen="the e-mail in flight was sent and marked",
    )


@in_full
def test_stop_signal_to_all_of_the_worker_is_no_worse_than_a_kill(house: House, mail_server: MailServer, tell):
    """As a service manager does that is told nothing else. django-q's parent then waits for children that are gone,
    until the service manager's patience ends: the units say `KillMode=mixed`.
    """
    rows = mails(studio_since(days=10), MAILS)
    mail_server.does = Does.HANG_AFTER_DATA
    worker = house.worker(WORKERS="1", EMAIL_TIMEOUT="60")
    eventually(lambda: mail_server.hanging, "the worker sends")
    worker.send_group(signal.SIGTERM)
    eventually(lambda: not mail_server.hanging, "the child that sends is gone")
    worker.kill()
    house.all_is_lost()

    mail_server.does = Does.TAKE
    house.time_passes(minutes=11)
    house.worker()
    house.minute()
    eventually(books.all_sent, "all is sent")
    taken = mail_server.times_taken()
    assert set(taken) == {row.pk for row in rows}
    assert taken.total() == MAILS + 1
    tell(
        "SIGTERM of all its processes while it sends",
        f"{MAILS} e-mails",
        lost=MAILS - len(taken),
        doubled=taken.total() - len(taken),
        seen="as after a kill: the one in flight was sent again",
    )
