"""Several of each at once on one database: workers, web processes, commands that people type.

Nothing that one of them knows is hidden from the others: jobs run once, e-mails go once, nobody is booked twice.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Success

from sessions_app import workflow
from sessions_app.models import Session
from studio.models import JobRun
from studio.roles import Role
from tests.factories.domain import ClientFactory, RoomFactory, person
from tests.faults import books
from tests.faults.at_once import LINE
from tests.faults.books import DAILY
from tests.faults.house import House, Process
from tests.faults.mail_server import MailServer
from tests.faults.people import Answer, Person, let_sign_in
from tests.faults.waiting import eventually
from tests.faults.work import FULL, in_full, mails, studio_since, unpaid

pytestmark = pytest.mark.fault

UNPAID = 200 if FULL else 30
MAILS = 100 if FULL else 20
PROCESSES = 4


def assert_done_once(sessions: list[Session], mail_server: MailServer, mail_count: int) -> None:
    """Each session was canceled once, each daily job ran once, each e-mail went once."""
    assert set(Session.objects.filter(status=workflow.CANCELED)) == set(sessions)
    assert books.wrong() == {}
    runs = {run.job: run for run in JobRun.objects.filter(by_hand=False, job__in=DAILY)}
    assert set(runs) == DAILY
    assert JobRun.objects.filter(by_hand=False, job__in=DAILY).count() == len(DAILY)
    assert {(run.attempts, run.failed) for run in runs.values()} == {(1, 0)}
    assert runs["auto_cancel_unpaid"].done == len(sessions)
    taken = mail_server.times_taken()
    assert (len(taken), taken.total()) == (mail_count, mail_count)


@pytest.mark.parametrize("workers", [pytest.param(2, marks=in_full), 4])
def test_many_workers_share_what_there_is_to_do(workers: int, house: House, mail_server: MailServer, tell):
    studio = studio_since(days=10)
    sessions = unpaid(studio, UNPAID)
    mails(studio, MAILS)
    running = [house.worker() for _ in range(workers)]
    for worker in running:
        worker.wait_until_it_works()
    # The schedule of each of them comes at the same moment, and all tasks before any is done.
    with transaction.atomic():
        for _ in range(2 * workers):
            house.minute()
    house.minutes_until(books.both(books.all_have_run, books.all_ended, books.all_sent), "all is done")
    assert_done_once(sessions, mail_server, UNPAID + MAILS)
    busy = sum(" ended after " in worker.said for worker in running)
    tell(
        f"{workers} workers at once, {2 * workers} ticks",
        f"{UNPAID} sessions, {UNPAID + MAILS} e-mails, {len(DAILY)} jobs",
        lost=0,
        doubled=0,
        seen=f"{busy} of {workers} had a part in it",
    )


@in_full
def test_schedules_of_many_workers_make_one_tick(house: House, mail_server: MailServer, tell):
    """The workers' own schedules, without the test's help: each looks every half minute."""
    Schedule.objects.update(next_run=timezone.now() - timedelta(hours=5))
    for _ in range(4):
        house.worker()
    eventually(lambda: JobRun.objects.filter(job="deliver_outbox").exists(), "the first tick of their own")
    eventually(lambda: not OrmQ.objects.exists(), "its tasks are done")
    ticks = Success.objects.filter(func="studio.jobs.minute_tick").count()
    assert ticks == 1
    tell("4 schedules at once, five hours late", "the tick", lost=1 - ticks, doubled=ticks - 1, seen="one tick")


# -- the same job many times ----------------------------------------------------------------------------------------


@contextmanager
def released_together(processes: list[Process]) -> Iterator[None]:
    """Around their start; at the end all of them have come to the line, and it opens."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LINE])
        yield
        waiting = "pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        eventually(lambda: books.count(waiting, LINE) == len(processes), "all have come to the line")
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LINE])


def test_job_that_is_started_by_hand_many_times_at_once_does_its_work_once(house: House, tell):
    sessions = unpaid(studio_since(days=10), UNPAID)
    started: list[Process] = []
    with released_together(started):
        started += [house.python("tests.faults.at_once", "run_job", "auto_cancel_unpaid") for _ in range(PROCESSES)]
    assert [process.wait_for_end() for process in started] == [0] * PROCESSES, [each.said for each in started]
    runs = JobRun.objects.filter(job="auto_cancel_unpaid", by_hand=True)
    assert runs.count() == PROCESSES
    assert sum(run.done for run in runs) == UNPAID
    assert sum(run.failed for run in runs) == 0
    assert not runs.filter(finished_at=None).exists()
    assert Session.objects.filter(status=workflow.CANCELED).count() == len(sessions)
    assert books.wrong() == {}
    done = sorted((run.done for run in runs), reverse=True)
    tell(
        f"a job started {PROCESSES} times at once by hand",
        f"{UNPAID} sessions",
        lost=0,
        doubled=0,
        seen=f"they did {', '.join(map(str, done))}",
    )


@in_full
def test_run_that_is_delivered_many_times_at_once_runs_once(house: House, tell):
    """The same row by as many processes, as a broker does that has lost its patience."""
    unpaid(studio_since(days=10), UNPAID)
    now = timezone.now()
    run = JobRun.objects.create(job="auto_cancel_unpaid", local_date=now.date(), due_at=now, queued_at=now)
    started: list[Process] = []
    with released_together(started):
        started += [house.python("tests.faults.at_once", "studio.jobs.run_job", str(run.pk)) for _ in range(PROCESSES)]
    assert [process.wait_for_end() for process in started] == [0] * PROCESSES, [each.said for each in started]
    run.refresh_from_db()
    assert (run.attempts, run.done, run.skipped, run.failed) == (1, UNPAID, 0, 0)
    assert run.finished_at is not None
    assert books.wrong() == {}
    tell(
        f"a run delivered {PROCESSES} times at once", f"{UNPAID} sessions", lost=0, doubled=0, seen="one of them did it"
    )


# -- past one machine -----------------------------------------------------------------------------------------------

SLOTS = 3
PEOPLE = 8


def test_two_webs_and_two_workers_on_one_database(house: House, mail_server: MailServer, tell):
    """The same room and photographer at the same time, asked for by many people through both web servers, while the
    night's jobs and the e-mails are under way: nothing is held in one process that another must know.
    """
    studio = studio_since(days=10)
    sessions = unpaid(studio, UNPAID)
    room, photographer = RoomFactory(), person(Role.PHOTOGRAPHER)
    coordinators = [person(Role.COORDINATOR) for _ in range(PEOPLE)]
    let_sign_in(*coordinators)
    clients = ClientFactory.create_batch(PEOPLE)
    webs = [house.web(processes=1), house.web(processes=1)]
    for _ in range(2):
        house.worker()
    desks = [Person(webs[number % 2].address, who) for number, who in enumerate(coordinators)]

    def book(desk: Person, client: int, slot: int) -> Answer:
        return desk.send(
            reverse("session-new"),
            client=client,
            session_type=workflow.STUDIO_SESSION,
            session_date=studio.today + timedelta(days=40 + slot),
            start_time="10:00",
            end_time="12:00",
            room=room.pk,
            photographers=photographer.pk,
            event_description="Portrait",
        )

    with ThreadPoolExecutor(PEOPLE) as threads:
        list(threads.map(Person.sign_in, desks))
        with transaction.atomic():
            for _ in range(2):
                house.minute()
        answers = [
            list(threads.map(book, desks, [each.pk for each in clients], [slot] * PEOPLE)) for slot in range(SLOTS)
        ]
    taken = [[answer for answer in of_slot if answer.is_done] for of_slot in answers]
    assert [len(winners) for winners in taken] == [1] * SLOTS
    assert {answer.status for of_slot in answers for answer in of_slot} == {302, 409}
    codes = {answer.code for winners in taken for answer in winners}
    assert set(Session.objects.filter(room=room).values_list("code", flat=True)) == codes
    assert books.count("scheduling_roomreservation WHERE room_id = %s", room.pk) == SLOTS
    assert books.count("scheduling_staffreservation WHERE staff_id = %s", photographer.pk) == SLOTS

    house.minutes_until(books.both(books.all_have_run, books.all_ended, books.all_sent), "jobs and e-mails are done")
    assert_done_once(sessions, mail_server, UNPAID)
    tell(
        "2 web servers and 2 workers on one database",
        f"{SLOTS} slots, {UNPAID} sessions and e-mails",
        lost=0,
        doubled=sum(len(winners) - 1 for winners in taken),
        seen=f"{PEOPLE} people asked for each slot, one got it",
    )
