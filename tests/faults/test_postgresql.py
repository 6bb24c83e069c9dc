"""PostgreSQL goes away while people book and the worker works, and comes back.

What was answered with success is in the database, what is in the database is whole, and nobody has to restart the web
server or the worker.
"""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from scheduling.models import Room
from sessions_app import workflow
from sessions_app.models import Client, Session
from studio import embedded
from studio.embedded import Cluster
from studio.models import User
from studio.roles import Role
from tests.factories.domain import ClientFactory, RoomFactory, Studio, person
from tests.faults import books
from tests.faults.house import House, at_home, zone_at_noon
from tests.faults.mail_server import MailServer
from tests.faults.people import Answer, Person, let_sign_in
from tests.faults.waiting import eventually
from tests.faults.work import FULL, HOLDER, held, in_full, mails, run_of, studio_since, unpaid

pytestmark = pytest.mark.fault

PEOPLE = 6
UNPAID = 200 if FULL else 30
MAILS = 20
SENDERS = 2
TEMPLATE = "faults_template"


# -- a server to break ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(fill_as_migrated: Callable[[str], None]) -> Iterator[Cluster]:
    """As an installation has it: it waits for its disk. Only its name is that of a throw-away one, so that it is
    removed should these tests be killed.
    """
    place = Path(tempfile.mkdtemp(prefix=embedded.THROWAWAY_PREFIX))
    cluster = Cluster(place)
    try:
        cluster.start()
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as server:
            server.execute(f"CREATE DATABASE {TEMPLATE}")
        fill_as_migrated(cluster.url(TEMPLATE))
        yield cluster
    finally:
        cluster.throwaway = True  # now nothing of it has to reach the disk
        cluster.remove()


@pytest.fixture
def frail_house(
    cluster: Cluster, request: pytest.FixtureRequest, mail_server: MailServer, tmp_path: Path, django_db_blocker: Any
) -> Iterator[House]:
    """A house in the server that is going to break."""
    name = f"faults_{abs(hash(request.node.name))}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    house = House(cluster.url(name), tmp_path, zone=zone_at_noon())
    house.environment |= {"EMAIL_URL": mail_server.url, "WORKERS": str(SENDERS)}
    try:
        with django_db_blocker.unblock(), at_home(house):
            yield house
    finally:
        house.close()


Outage = Callable[[int], None]


def stopped_fast(postmaster: int) -> None:
    """As `pg_ctl stop`, or an update of the system, does: sessions are ended, what is committed is kept."""
    os.kill(postmaster, signal.SIGINT)


def killed(postmaster: int) -> None:
    """kill -9: no time for anything. The next start replays the log."""
    os.kill(postmaster, signal.SIGKILL)


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


# -- people who go on booking ---------------------------------------------------------------------------------------


class Load:
    """Each books, negotiates, and cancels every other session again, as fast as the pages come."""

    def __init__(self, address: str, studio: Studio, coordinators: list[User]) -> None:
        self.studio = studio
        self.answers: list[Answer] = []
        self.told: dict[str, list[str]] = {}
        """The states of which somebody was told that a session had reached them."""
        self._rooms = RoomFactory.create_batch(PEOPLE // 2)
        self._clients = ClientFactory.create_batch(PEOPLE)
        self._desks = [Person(address, who) for who in coordinators]
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(len(coordinators))
        ]

    def __enter__(self) -> "Load":
        for desk in self._desks:
            desk.sign_in()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=90)

    @property
    def successes(self) -> int:
        return sum(answer.is_done for answer in self.answers)

    @property
    def failures(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.is_failure]

    def wait_for_more(self, counted: Callable[[], int], what: str) -> None:
        """Until each of them has had two more, on average."""
        enough = counted() + 2 * PEOPLE
        eventually(lambda: counted() >= enough, what)

    def _work(self, number: int) -> None:
        turn = 0
        while not self._stop.is_set():
            turn += 1
            self._one_session(number, turn)

    def _one_session(self, number: int, turn: int) -> None:
        desk, room, client = self._desks[number], self._rooms[number // 2], self._clients[number]
        booked = self._ask(workflow.REQUEST, desk, reverse("session-new"), **_wish(self.studio, room, client, turn))
        if not booked.is_done:
            return
        moves = [("negotiate", workflow.NEGOTIATION, {})]
        if turn % 2:
            moves.append(("cancel", workflow.CANCELED, {"initiator": "client", "reason": "Ill"}))
        for name, state, fields in moves:
            if not self._ask(state, desk, reverse("session-move", args=[booked.code, name]), **fields).is_done:
                return

    def _ask(self, state: str, desk: Person, path: str, **fields: Any) -> Answer:
        answer = desk.send(path, **fields)
        self.answers.append(answer)
        if answer.is_done:
            self.told.setdefault(answer.code, []).append(state)
        elif answer.is_failure:
            # Nobody reloads a hundred times a second.
            time.sleep(0.05)
        return answer


def _wish(studio: Studio, room: Room, client: Client, turn: int) -> dict[str, Any]:
    """Two at a time want the same room on the same day."""
    return {
        "client": client.pk,
        "session_type": workflow.STUDIO_SESSION,
        "session_date": studio.today + timedelta(days=30 + turn),
        "start_time": "10:00",
        "end_time": "12:00",
        "room": room.pk,
        "event_description": "Portrait",
    }


# -- the test -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outages",
    [
        pytest.param((killed, stopped_fast), id="killed, then stopped"),
        pytest.param((stopped_fast, killed), id="stopped, then killed", marks=in_full),
    ],
)
def test_database_that_goes_away_under_load(
    outages: tuple[Outage, ...], cluster: Cluster, frail_house: House, mail_server: MailServer, tell
):
    house, studio = frail_house, studio_since(days=10)
    sessions = unpaid(studio, UNPAID)
    mails(studio, MAILS)
    coordinators = [person(Role.COORDINATOR) for _ in range(PEOPLE)]
    let_sign_in(*coordinators)
    web, worker = house.web(), house.worker()
    canceled = Session.objects.filter(pk__in=[each.pk for each in sessions], status=workflow.CANCELED)
    away = []
    with held(house, sessions[UNPAID // 3]), Load(web.address, studio, coordinators) as load:
        house.minute()
        load.wait_for_more(lambda: load.successes, "people are at work")
        eventually(lambda: canceled.count() == UNPAID // 3, "auto-cancel is in the middle of its work")
        for broken in outages:
            begun = time.monotonic()
            broken(postmaster(cluster))
            load.wait_for_more(lambda: len(load.failures), "people are told that it is away")
            # What was under way cannot be written down any more.
            house.all_is_lost()
            cluster.start()
            away.append(f"{time.monotonic() - begun:.1f} s")
            connection.close()  # this process's own went down with it
            load.wait_for_more(lambda: load.successes, "people go on")
    assert web.is_running
    assert worker.is_running

    house.time_passes(minutes=16)
    house.minutes_until(books.both(books.all_ended, books.all_sent), "the worker makes up for it")
    assert_told_is_true(load)
    assert_failed_politely(load.failures)
    assert books.wrong() == {}
    assert canceled.count() == UNPAID
    assert run_of("auto_cancel_unpaid").failed == 0
    taken = mail_server.times_taken()
    assert len(taken) >= UNPAID + MAILS
    # One for each child of the worker, each time: sent, and the database away before that could be written down.
    assert taken.total() - len(taken) <= SENDERS * len(outages)
    tell(
        f"PostgreSQL {', then '.join(each.__name__.replace('_', ' ') for each in outages)}, under load",
        f"{load.successes} acts of {PEOPLE} people, {UNPAID} sessions, {len(taken)} e-mails",
        lost=0,
        doubled=taken.total() - len(taken),
        seen=f"away for {' and '.join(away)}; {len(load.failures)} times 503, and nobody restarted anything",
    )


def test_connections_that_are_cut_are_made_anew(house: House, mail_server: MailServer, tell):
    """As a failover, or a firewall that is tired of them, cuts them: the server is there all the time."""
    studio = studio_since(days=10)
    sessions = unpaid(studio, UNPAID)
    coordinators = [person(Role.COORDINATOR) for _ in range(PEOPLE)]
    let_sign_in(*coordinators)
    web = house.web()
    desks = [Person(web.address, who).sign_in() for who in coordinators]
    cut = cut_all_others()
    # Nobody who comes afterwards notices.
    with ThreadPoolExecutor(PEOPLE) as threads:
        answers = list(threads.map(lambda desk: desk.look(reverse("session-new")), desks))
    assert [answer.status for answer in answers] == [200] * PEOPLE

    canceled = Session.objects.filter(pk__in=[each.pk for each in sessions], status=workflow.CANCELED)
    house.minute()
    with held(house, sessions[UNPAID // 3]):
        worker = house.worker()
        eventually(lambda: canceled.count() == UNPAID // 3, "auto-cancel is in the middle of its work")
        cut += cut_all_others()
        house.all_is_lost()
    house.time_passes(minutes=16)
    house.minutes_until(books.both(books.all_ended, books.all_sent), "the worker makes up for it")
    assert worker.is_running
    assert canceled.count() == UNPAID
    # It was not the fault of the session at which it happened.
    assert run_of("auto_cancel_unpaid").failed == 0
    assert books.wrong() == {}
    taken = mail_server.times_taken()
    assert len(taken) == UNPAID
    assert taken.total() - len(taken) <= SENDERS
    tell(
        "PostgreSQL's connections cut",
        f"{UNPAID} sessions and e-mails",
        lost=UNPAID - len(taken),
        doubled=taken.total() - len(taken),
        seen=f"{cut} connections; {PEOPLE} people noticed nothing, the job went on in its second attempt",
    )


def cut_all_others() -> int:
    """End every connection to the house's database but this process's own; how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> %s",
            [HOLDER],
        )
        return cursor.fetchone()[0]


@in_full
def test_schedule_goes_on_after_the_database_was_away(cluster: Cluster, frail_house: House, tell):
    """The worker's own schedule, which looks every half minute, finds its way back as well."""
    worker = frail_house.worker()
    worker.wait_until_it_works()
    killed(postmaster(cluster))
    eventually(lambda: not cluster.listens(), "it is away")
    cluster.start()
    long_ago = timezone.now() - timedelta(hours=1)
    Schedule.objects.update(next_run=long_ago)
    eventually(lambda: Schedule.objects.filter(next_run__gt=long_ago).exists(), "the schedule has made a tick")
    eventually(lambda: books.count("studio_jobrun WHERE job = 'deliver_outbox'"), "the tick was done")
    assert worker.is_running
    tell("PostgreSQL killed, the worker idle", "the schedule", lost=0, doubled=0, seen="its next tick was done")


def assert_told_is_true(load: Load) -> None:
    """What somebody was told is in the history; what is there besides are acts whose answer was lost."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.code, h.new_status FROM sessions_app_statushistory h JOIN sessions_app_session s"
            " ON s.id = h.session_id WHERE s.event_description = 'Portrait'"
        )
        found = set(cursor.fetchall())
    told = {(code, state) for code, states in load.told.items() for state in states}
    assert told - found == set()
    assert len(found - told) <= len(load.failures)


def assert_failed_politely(failures: list[Answer]) -> None:
    """Come again later: no half page, no broken line, and nothing of what went wrong inside."""
    assert {answer.status for answer in failures} <= {503}
    assert [answer.traces for answer in failures if answer.traces] == []
    assert all(answer.text.strip() for answer in failures)
