"""Health: a studio that works is well, and each thing that one breaks is found, by its name and alone.

What is broken is really broken: rows, constraints, sockets, settings. The instant is given, so that nothing waits.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone, translation
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage

from studio import health, health_views, jobs, navigation, outbox
from studio.backups import Backup
from studio.conf import STUDIO
from studio.health import BAD, OK, WARN, Answers, Finding, Look
from studio.health.clock import next_change
from studio.health.look import Server
from studio.health.words import length, size, some, took
from studio.models import JobRun, OutgoingEmail, User
from studio.roles import Role
from tests.factories.studio import make_user

pytestmark = pytest.mark.django_db

# Noon in the studio: each daily job fell due some hours ago.
NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
TODAY = NOW.date()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAILY = tuple(job for job in jobs.JOBS if job.at is not jobs.EVERY_MINUTE)


@dataclass
class World:
    """A studio in production in which nothing is wrong, and what a round of checks is given."""

    settings: Any
    place: Path
    known: dict[str, Any] = field(default_factory=dict)

    def findings(self, *only: str) -> list[Finding]:
        with translation.override("en"):
            return health.findings(NOW, only=only, **self.known)

    def troubles(self, *only: str) -> dict[str, Finding]:
        return {each.name: each for each in self.findings(*only) if each.level != OK}

    def back_up(self, taken_at: datetime, *, verified: bool = True) -> None:
        """What a nightly backup leaves behind."""
        dump = self.place / "backups" / f"atelier-{taken_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.dump"
        dump.write_bytes(b"PGDMP")
        backup = Backup(
            path=dump,
            database=connection.settings_dict["NAME"],
            taken_at=taken_at,
            size=5,
            sha256="0" * 64,
            server="18.4",
            programs=18,
            migrations={},
            rows={},
            structure={},
            verified_at=taken_at if verified else None,
            why_unverified="" if verified else "Nobody asked for a trial.",
        )
        backup.manifest.write_text(json.dumps(backup.as_json()))


class MailServer(socketserver.StreamRequestHandler):
    """As much of SMTP as is needed to be let in."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            command = line.split()[0].upper() if line.split() else b""
            if command == b"EHLO":
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif command == b"AUTH":
                self.wfile.write(b"535 5.7.8 no such user hunter2\r\n")
            elif command == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 fine\r\n")


@pytest.fixture(scope="module")
def mail_port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(autouse=True)
def _zone() -> Iterator[None]:
    with STUDIO.overridden(time_zone="America/Guatemala", language="en"):
        yield


@pytest.fixture
def world(settings, tmp_path, mail_port) -> World:
    """Everything is as it should be."""
    settings.DEMO = settings.LOCAL = settings.DEBUG = False
    settings.SECRET_KEY = secrets.token_urlsafe(48)
    settings.ALLOWED_HOSTS = ["atelier.example", "testserver"]
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_port
    settings.DEFAULT_FROM_EMAIL = "Atelier <studio@atelier.example>"
    settings.BACKUPS = tmp_path / "backups"
    settings.BACKUPS.mkdir()
    world = World(settings, tmp_path, {"patience": 2.0})
    world.back_up(NOW - 10 * HOUR)
    # The test's own database is minutes old.
    MigrationRecorder.Migration.objects.update(applied=NOW - 90 * DAY)
    Schedule.objects.update(next_run=NOW + MINUTE)
    make_user(Role.ADMIN)
    JobRun.objects.create(
        job="deliver_outbox", local_date=TODAY, due_at=NOW, started_at=NOW - MINUTE, finished_at=NOW - MINUTE
    )
    for job in DAILY:
        day, due_at = jobs.latest_due(job, NOW)
        JobRun.objects.create(
            job=job.name, local_date=day, due_at=due_at, queued_at=due_at, **ran(due_at, done=3), attempts=1
        )
    return world


def ran(at: datetime, **counts: Any) -> dict[str, Any]:
    return {"started_at": at, "finished_at": at + timedelta(seconds=2), **counts}


def test_a_studio_that_works_is_well(world):
    found = world.findings()
    assert [each for each in found if each.level != OK] == []
    assert all(re.search(r"\.$|\]\.$", each.says) for each in found), "each says a sentence"
    assert {each.name.split(".")[0] for each in found} == {check.name for check in health.CHECKS} - {"redis"}
    assert {each.group for each in found} == set(health.GROUPS)
    assert health.worst(found) == OK


# --- What one breaks ----------------------------------------------------------------------


def job_run(name: str) -> Any:
    return JobRun.objects.filter(job=name)


def sql(statement: str) -> Callable[[World], None]:
    def run(world: World) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return run


def setting(**values: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in values.items():
            setattr(world.settings, name, value)

    return change


def given(**known: Any) -> Callable[[World], None]:
    return lambda world: world.known.update(known)


def update(name: str, **values: Any) -> Callable[[World], None]:
    return lambda world: job_run(name).update(**values)


def email(**values: Any) -> Callable[[World], None]:
    def write(world: World) -> None:
        defaults = {"key": secrets.token_hex(4), "kind": "confirmation_email", "to": "a@b.example", "language": "es"}
        OutgoingEmail.objects.create(**{**defaults, "next_try_at": NOW, "created_at": NOW, **values})

    return write


def tasks(count: int, age: timedelta) -> Callable[[World], None]:
    def enqueue(world: World) -> None:
        payload = SignedPackage.dumps({"id": "1", "name": "1", "func": "x.y", "started": NOW - age})
        OrmQ.objects.bulk_create(OrmQ(key="atelier", payload=payload, lock=NOW) for _ in range(count))

    return enqueue


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def mail_server_is_down(world: World) -> None:
    world.settings.EMAIL_PORT = closed_port()


def mail_server_wants_another_password(world: World) -> None:
    world.settings.EMAIL_HOST_USER, world.settings.EMAIL_HOST_PASSWORD = "atelier", "wrong"


def mail_server_has_no_name(world: World) -> None:
    world.settings.EMAIL_HOST = "mail.invalid"


def redis_is_down(world: World) -> None:
    world.settings.REDIS_URL = f"redis://127.0.0.1:{closed_port()}/0"


def backups_are(*ages: timedelta, verified: bool = True) -> Callable[[World], None]:
    def take(world: World) -> None:
        for file in world.settings.BACKUPS.iterdir():
            file.unlink()
        for age in ages:
            world.back_up(NOW - age, verified=verified)

    return take


def role_lacks_a_permission(world: World) -> None:
    group = Group.objects.get(name=Role.COORDINATOR.value)
    group.permissions.remove(group.permissions.get(codename="session.cancel"))


def role_has_another_permission(world: World) -> None:
    editor = Group.objects.get(name=Role.EDITOR.value)
    editor.permissions.add(Permission.objects.get(codename="user.delete", content_type__model="user"))


def role_is_gone(world: World) -> None:
    Group.objects.filter(name=Role.ARTIST.value).delete()


def no_admin_has_a_password(world: World) -> None:
    for person in User.objects.all():
        person.set_unusable_password()
        person.save()


def demo_account(world: World) -> None:
    make_user(email="carlos@demo.test", password="demo-atelier")


def demo_account_with_a_password_of_its_own(world: World) -> None:
    make_user(email="carlos@demo.test")


def translations_are_not_compiled(world: World) -> None:
    source = world.place / "locale" / "es" / "LC_MESSAGES" / "django.po"
    source.parent.mkdir(parents=True)
    source.write_text('msgid "Rooms"\nmsgstr "Salas"\n')
    world.settings.LOCALE_PATHS = [world.place / "locale"]


def nothing_was_collected(world: World) -> None:
    world.settings.STATIC_ROOT = world.place / "staticfiles"


def server_is(**facts: Any) -> Callable[[World], None]:
    """The database as another server would tell of itself."""

    def tell(world: World) -> None:
        told = {"version": "18.4", "number": 180004, "is_replica": False, "used": 3, "maximum": 97}
        server = Server(**{**told, "answered_ms": 1.0, "ahead_seconds": 0.0, **facts})
        world.findings = lambda *only: look_at(server, *only)

    def look_at(server: Server, *only: str) -> list[Finding]:
        look = Look(now=NOW, patience=2.0)
        look.server = server
        with translation.override("en"):
            return health.look_around(look, only=only)

    return tell


BREAKS: list[tuple[str, Callable[[World], Any], str, str, str]] = [
    # what is broken, how, which finding tells, how bad it is, in which words
    ("no heartbeat", lambda world: job_run("deliver_outbox").delete(), "worker", BAD, "never"),
    ("old heartbeat", update("deliver_outbox", finished_at=NOW - 4 * MINUTE), "worker", BAD, "silent for 4 min"),
    (
        "yesterday's heartbeat",
        update("deliver_outbox", local_date=TODAY - DAY, finished_at=NOW - 15 * HOUR),
        "worker",
        BAD,
        "silent for 15 h",
    ),
    (
        "e-mails cannot be sent at all",
        update("deliver_outbox", report={"error": "LookupError: no such kind"}),
        "worker",
        BAD,
        "no such kind",
    ),
    ("no schedule", lambda world: Schedule.objects.all().delete(), "schedule", BAD, "no job will ever run"),
    ("schedule stands still", lambda world: Schedule.objects.update(next_run=NOW - HOUR), "schedule", BAD, "11:00"),
    ("schedule of an hour", lambda world: Schedule.objects.update(minutes=60), "schedule", BAD, "each minute"),
    ("schedule has ended", lambda world: Schedule.objects.update(repeats=0), "schedule", BAD, "each minute"),
    (
        "two schedules",
        lambda world: Schedule.objects.create(func="studio.jobs.minute_tick", next_run=NOW),
        "schedule",
        WARN,
        "2 schedules",
    ),
    ("an old task", tasks(1, HOUR), "queue", BAD, "1 task waits, for 60 min"),
    ("a task that waits", tasks(2, 12 * MINUTE), "queue", WARN, "oldest for 12 min"),
    ("many tasks", tasks(201, MINUTE), "queue", WARN, "201 tasks"),
    ("missed job", lambda world: job_run("auto_cancel_unpaid").delete(), "jobs.auto_cancel_unpaid", BAD, "Missed"),
    (
        "failed job",
        update("send_payment_reminders", report={"error": "OSError: disk full"}, failed=1),
        "jobs.send_payment_reminders",
        BAD,
        "disk full",
    ),
    (
        "job that is tried again",
        update("send_payment_reminders", report={"error": "OSError: disk full"}, finished_at=None),
        "jobs.send_payment_reminders",
        BAD,
        "disk full",
    ),
    (
        "job that does not end",
        update("auto_assign_confirmed", started_at=NOW - HOUR, finished_at=None),
        "jobs.auto_assign_confirmed",
        BAD,
        "not come to its end",
    ),
    (
        "job that nobody takes up",
        update("auto_assign_confirmed", started_at=None, finished_at=None),
        "jobs.auto_assign_confirmed",
        BAD,
        "not come to its end",
    ),
    (
        "sessions that failed",
        update("auto_cancel_unpaid", failed=2, report={"errors": {"S-2026-0001": "x", "S-2026-0002": "y"}}),
        "jobs.auto_cancel_unpaid",
        WARN,
        "2 failed: S-2026-0001, S-2026-0002",
    ),
    (
        "integrity",
        update("validate_integrity", failed=1, report={"found": {"rooms_overlap": ["S-2026-0001"]}}),
        "jobs.validate_integrity",
        BAD,
        "must not be",
    ),
    (
        "dropped constraint",
        sql("ALTER TABLE scheduling_roomreservation DROP CONSTRAINT room_never_twice"),
        "rules",
        BAD,
        "1 rule of the database is missing: room_never_twice",
    ),
    (
        "dropped unique index",
        sql("DROP INDEX job_once_a_day"),
        "rules",
        BAD,
        "missing: job_once_a_day",
    ),
    (
        "constraint that was never checked",
        sql(
            "ALTER TABLE sessions_app_client DROP CONSTRAINT client_has_a_name;"
            "ALTER TABLE sessions_app_client ADD CONSTRAINT client_has_a_name CHECK (full_name <> '') NOT VALID"
        ),
        "rules",
        BAD,
        "turned off: client_has_a_name",
    ),
    (
        "dropped trigger",
        sql("DROP TRIGGER studio_audit_append_only ON studio_auditevent"),
        "rules",
        BAD,
        "missing: studio_audit_append_only",
    ),
    (
        "disabled trigger",
        sql("ALTER TABLE sessions_app_statushistory DISABLE TRIGGER history_is_never_changed"),
        "rules",
        BAD,
        "turned off: history_is_never_changed",
    ),
    (
        "all triggers of a table disabled",
        sql("ALTER TABLE payments_payment DISABLE TRIGGER ALL"),
        "rules",
        BAD,
        "rules of the database are turned off: .*payment",
    ),
    (
        "newer database",
        lambda world: MigrationRecorder.Migration.objects.create(app="payments", name="9999_next", applied=NOW),
        "migrations",
        BAD,
        "newer than this program: payments.9999_next",
    ),
    ("old PostgreSQL", server_is(version="13.9", number=130009), "database", BAD, "13.9 is too old"),
    ("replica", server_is(is_replica=True), "database", BAD, "nothing can be saved"),
    ("slow database", server_is(answered_ms=2300.0), "database", WARN, "2300.0 ms"),
    ("most connections used", server_is(used=70), "connections", WARN, "70 of 97"),
    ("nearly all connections used", server_is(used=95), "connections", BAD, "95 of 97"),
    ("old outbox", email(next_try_at=NOW - 2 * HOUR), "outbox", BAD, "1 e-mail is due, for 2 h"),
    ("slow outbox", email(next_try_at=NOW - 20 * MINUTE), "outbox", WARN, "for 20 min"),
    (
        "e-mail that is tried again and again",
        email(next_try_at=NOW + HOUR, created_at=NOW - 3 * HOUR, attempts=4, last_error="later 451 4.7.1"),
        "outbox",
        WARN,
        "more than an hour",
    ),
    ("given-up e-mail", email(status="dead", claimed_at=NOW - DAY), "outbox", BAD, "given up"),
    ("old given-up e-mail", email(status="dead", claimed_at=NOW - 20 * DAY), "outbox", WARN, "given up"),
    ("claim that was left behind", email(status="claimed", claimed_at=NOW - HOUR), "outbox", BAD, "claimed for long"),
    ("mail server that refuses", mail_server_is_down, "smtp", BAD, "it refuses connections"),
    ("mail server that wants another password", mail_server_wants_another_password, "smtp", BAD, r"password \(535\)"),
    ("mail server without a name", mail_server_has_no_name, "smtp", BAD, "mail.invalid:"),
    ("e-mails into files", setting(EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend"), "smtp", WARN, "not"),
    ("sender of nowhere", setting(DEFAULT_FROM_EMAIL="atelier@localhost"), "sender", WARN, "atelier@localhost"),
    ("clock a minute late", given(clock=lambda: time.time() - 60), "clock", BAD, r"differ by (59|60)\.\d s"),
    ("clock ten seconds early", given(clock=lambda: time.time() + 10), "clock", WARN, r"differ by (9|10)\.\d s"),
    ("old backup", backups_are(30 * HOUR, 54 * HOUR), "backup", BAD, "30 h old"),
    ("no backup", backups_are(), "backup", BAD, "no backup in"),
    ("unverified backup", backups_are(HOUR, verified=False), "backup", WARN, "not verified"),
    ("backups elsewhere", setting(BACKUPS=None), "backup", WARN, "not seen"),
    ("disk that is full", given(room=(2**60, 2**60)), "disk", BAD, "are free"),
    ("disk that fills", given(room=(2**60, 1)), "disk", WARN, "are free"),
    ("role that lacks a permission", role_lacks_a_permission, "roles", BAD, "Coordinator lacks session.cancel"),
    ("role with another permission", role_has_another_permission, "roles", BAD, "Editor has user.delete"),
    ("role that is gone", role_is_gone, "roles", BAD, "Artist lacks"),
    ("inactive Admin", lambda world: User.objects.update(is_active=False), "admins", BAD, "No Admin"),
    ("Admin without a password", no_admin_has_a_password, "admins", BAD, "No Admin"),
    ("Admin no more", lambda world: User.groups.through.objects.all().delete(), "admins", BAD, "No Admin"),
    ("demo's account", demo_account, "passwords", BAD, "carlos@demo.test"),
    ("demo's account, mended", demo_account_with_a_password_of_its_own, "passwords", WARN, "carlos@demo.test"),
    ("DEBUG", setting(DEBUG=True), "debug", BAD, "DEBUG is on"),
    ("short secret", setting(SECRET_KEY=secrets.token_urlsafe(15)), "secret", BAD, "20 letters"),
    ("simple secret", setting(SECRET_KEY="ab" * 40), "secret", BAD, "guessed"),
    ("middling secret", setting(SECRET_KEY=secrets.token_urlsafe(30)), "secret", WARN, "40 letters"),
    ("any host", setting(ALLOWED_HOSTS=["*"]), "hosts", BAD, "any name"),
    ("no host", setting(ALLOWED_HOSTS=["localhost"]), "hosts", WARN, "this machine only"),
    ("open cookies", setting(SESSION_COOKIE_SECURE=False), "https", BAD, "SESSION_COOKIE_SECURE"),
    ("no HSTS", setting(SECURE_HSTS_SECONDS=0), "https", WARN, "SECURE_HSTS_SECONDS"),
    ("what Django objects to", setting(X_FRAME_OPTIONS="SAMEORIGIN"), "https", WARN, "security.W019"),
    ("translations not compiled", translations_are_not_compiled, "translations", BAD, "es is not compiled"),
    ("nothing collected", nothing_was_collected, "static", BAD, "atelier/atelier.css"),
]


@pytest.mark.parametrize(("do", "name", "level", "words"), [row[1:] for row in BREAKS], ids=[row[0] for row in BREAKS])
def test_what_is_broken_is_found_by_its_name_and_alone(world, do, name, level, words):
    do(world)
    found = world.troubles()
    assert set(found) == {name}, {each.name: each.says for each in found.values()}
    assert found[name].level == level
    assert re.search(words, found[name].says), found[name].says
    assert found[name].advice


def test_the_demo_is_not_asked_for_what_only_a_studio_needs(world):
    world.settings.DEMO, world.settings.BACKUPS = True, None
    world.settings.DATA_DIR = world.place
    world.settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    world.settings.EMAIL_FILE_PATH = world.place
    world.settings.DEFAULT_FROM_EMAIL = "atelier@localhost"
    world.settings.SESSION_COOKIE_SECURE = world.settings.SECURE_SSL_REDIRECT = False
    world.settings.ALLOWED_HOSTS = ["localhost"]
    demo_account(world)
    assert world.troubles() == {}


# --- Several at once, and what breaks the checks themselves -------------------------------


def test_an_unapplied_migration_is_named_and_the_rules_wait_for_it(world):
    MigrationRecorder.Migration.objects.filter(app="payments", name="0003_invariants").delete()
    found = world.troubles()
    assert (found["migrations"].level, found["rules"].level) == (BAD, WARN)
    assert "1 migration was not applied: payments.0003_invariants" in found["migrations"].says
    assert found["migrations"].advice == "manage.py migrate"


def test_a_table_that_is_missing_is_a_sentence_of_its_own(world):
    with savepoint_for_each_check():
        sql("DROP TABLE django_q_ormq CASCADE")(world)
        found = world.troubles("queue", "schedule")
    assert set(found) == {"queue"}
    assert (found["queue"].level, found["queue"].advice != "") == (BAD, True)
    assert 'relation "django_q_ormq" does not exist' in found["queue"].says
    assert "\n" not in found["queue"].says


@contextmanager
def savepoint_for_each_check() -> Iterator[None]:
    """A test is one transaction, which the first error would spoil; a request, or the command, has none."""
    before = health.CHECKS

    def kept(look: Callable[..., Any]) -> Callable[..., Any]:
        def inside(round_: Look) -> Any:
            from django.db import transaction

            with transaction.atomic():
                answer = look(round_)
                return answer if not isinstance(answer, Iterator) else list(answer)

        return inside

    from dataclasses import replace

    health.CHECKS = tuple(replace(check, look=kept(check.look)) for check in before)
    try:
        yield
    finally:
        health.CHECKS = before


def test_a_zone_that_nobody_knows_breaks_what_needs_it_and_nothing_else(world):
    object.__setattr__(STUDIO, "time_zone", "Mars/Olympus")
    try:
        found = world.troubles()
    finally:
        object.__setattr__(STUDIO, "time_zone", "America/Guatemala")
    assert "The zone Mars/Olympus is not known here." in found["zone"].says
    assert {each.level for each in found.values()} == {BAD}
    assert {"zone", "jobs.auto_cancel_unpaid"} <= set(found)
    assert not {"database", "rules", "outbox", "smtp", "roles", "debug"} & set(found)
    assert all("Traceback" not in each.says for each in found.values())


def test_a_zone_that_only_python_knows_is_told(world):
    """PostgreSQL has no zone of this name; Python's files do."""
    object.__setattr__(STUDIO, "time_zone", "right/UTC" if _python_has("right/UTC") else "Factory")
    try:
        found = {each.name: each for each in world.findings("zone")}["zone"]
    finally:
        object.__setattr__(STUDIO, "time_zone", "America/Guatemala")
    if found.level == OK:
        pytest.skip("This PostgreSQL and this Python know the same zones.")
    assert "does not know the zone" in found.says or "in the database" in found.says


def _python_has(name: str) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def test_a_mail_server_that_never_answers_costs_no_more_than_the_patience(world):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        world.settings.EMAIL_PORT = silent.getsockname()[1]
        world.known["patience"] = 0.2
        begun = time.monotonic()
        found = world.troubles("smtp")
        assert time.monotonic() - begun < 2
    assert "no answer within 0.2 seconds" in found["smtp"].says


def test_a_mail_server_that_answers_letter_by_letter_does_not_either(world):
    """Each letter is within a socket's time limit; the patience is for all of them together."""

    class Trickle(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                while not stopping.wait(0.05):
                    self.request.sendall(b"2")
            except OSError:
                pass

    stopping = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trickle) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        world.settings.EMAIL_PORT = server.server_address[1]
        world.known["patience"] = 0.3
        begun = time.monotonic()
        found = world.troubles("smtp")
        took_seconds = time.monotonic() - begun
        stopping.set()
        server.shutdown()
    assert took_seconds < 2
    assert "no answer within 0.3 seconds" in found["smtp"].says


def test_what_a_mail_server_says_is_not_repeated(world):
    mail_server_wants_another_password(world)
    told = world.troubles("smtp")["smtp"]
    assert "hunter2" not in told.says + told.advice
    assert "wrong" not in told.says + told.advice


def test_another_way_of_sending_is_not_asked(world):
    world.settings.EMAIL_BACKEND = "tests.studio.test_health.ByPigeon"
    assert world.troubles("smtp") == {}


class ByPigeon:
    """An e-mail backend of somebody else's."""


def test_redis_is_asked_where_it_is_the_broker(world):
    redis_is_down(world)
    found = world.troubles("worker")
    assert (found["redis"].level, found["queue"].level) == (BAD, WARN)
    assert "Redis does not answer" in found["redis"].says


def test_redis_that_answers_is_well(world):
    class Redis(socketserver.StreamRequestHandler):
        """As much of its protocol as is needed to be asked how long a list is."""

        def handle(self) -> None:
            while line := self.rfile.readline():
                words = []
                for _ in range(int(line[1:])):
                    self.rfile.readline()
                    words.append(self.rfile.readline().strip().upper())
                answers = {b"LLEN": b":7\r\n", b"HELLO": b"%1\r\n+proto\r\n:3\r\n"}
                self.wfile.write(answers.get(words[0], b"+OK\r\n"))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Redis) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        world.settings.REDIS_URL = f"redis://127.0.0.1:{server.server_address[1]}/0"
        found = {each.name: each for each in world.findings("worker")}
        server.shutdown()
    assert {each.level for each in found.values()} == {OK}
    assert found["queue"].says == "7 tasks wait."


# --- The jobs, in time --------------------------------------------------------------------


def told_of(world: World, name: str, now: datetime = NOW) -> Finding:
    with translation.override("en"):
        return next(each for each in health.findings(now, only=[f"jobs.{name}"], **world.known))


def test_a_job_that_has_just_fallen_due_is_given_time(world):
    nine = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
    assert told_of(world, "send_payment_reminders", nine + 2 * MINUTE).level == OK
    assert told_of(world, "send_payment_reminders", nine + 10 * MINUTE).level == WARN
    assert told_of(world, "send_payment_reminders", nine + 31 * MINUTE).level == BAD


def test_a_run_that_is_made_up_for_is_given_time_from_then_on(world):
    job_run("auto_cancel_unpaid").update(queued_at=NOW - 5 * MINUTE, started_at=None, finished_at=None)
    assert "Waits for a worker" in told_of(world, "auto_cancel_unpaid").says
    job_run("auto_cancel_unpaid").update(started_at=NOW - 4 * MINUTE, done=1200)
    told = told_of(world, "auto_cancel_unpaid")
    assert (told.level, "1200 done so far" in told.says) == (OK, True)


def test_a_worker_that_is_busy_with_one_long_job_is_not_called_dead(world):
    job_run("deliver_outbox").update(finished_at=NOW - 6 * MINUTE)
    job_run("validate_integrity").update(started_at=NOW - 6 * MINUTE, finished_at=None)
    told = world.troubles()["worker"]
    assert (told.level, "at work on “Check the records”" in told.says) == (WARN, True)
    # By then the time limit has ended the task, or the worker died with it.
    job_run("deliver_outbox").update(finished_at=NOW - 12 * MINUTE)
    job_run("validate_integrity").update(started_at=NOW - 12 * MINUTE)
    assert world.troubles()["worker"].level == BAD


def test_a_run_that_came_late_says_so(world):
    job_run("auto_cancel_unpaid").update(**ran(NOW - HOUR))
    told = told_of(world, "auto_cancel_unpaid")
    assert (told.level, "11 h late" in told.says) == (OK, True)


@pytest.mark.parametrize(
    "broken", [{"report": {"error": "OSError: x"}}, {"failed": 1, "report": {"errors": {"a": "b"}}}]
)
def test_a_run_by_hand_mends_what_the_scheduled_one_left(world, broken):
    job_run("auto_cancel_unpaid").update(**broken)
    assert told_of(world, "auto_cancel_unpaid").level != OK
    by_hand = JobRun.objects.create(
        job="auto_cancel_unpaid", local_date=TODAY, due_at=NOW - HOUR, by_hand=True, **ran(NOW - HOUR, done=1)
    )
    told = told_of(world, "auto_cancel_unpaid")
    assert (told.level, "by hand" in told.says) == (OK, True)
    JobRun.objects.filter(pk=by_hand.pk).update(report={"error": "OSError: again"})
    assert "again" in told_of(world, "auto_cancel_unpaid").says


def test_a_run_by_hand_of_yesterday_mends_nothing(world):
    job_run("auto_cancel_unpaid").delete()
    JobRun.objects.create(
        job="auto_cancel_unpaid", local_date=TODAY - DAY, due_at=NOW - DAY, by_hand=True, **ran(NOW - DAY)
    )
    assert "Missed" in told_of(world, "auto_cancel_unpaid").says


def test_before_the_first_tick_of_a_new_installation_all_is_well(world):
    JobRun.objects.all().delete()
    backups_are()(world)
    MigrationRecorder.Migration.objects.update(applied=NOW - MINUTE)
    assert world.troubles() == {}
    MigrationRecorder.Migration.objects.update(applied=NOW - 10 * MINUTE)
    missed = {f"jobs.{job.name}" for job in DAILY}
    assert set(world.troubles()) == {"worker"} | missed
    MigrationRecorder.Migration.objects.update(applied=NOW - 27 * HOUR)
    assert set(world.troubles()) == {"worker", "backup"} | missed


def test_a_demo_that_was_started_again_is_given_its_first_minute(world):
    import os

    world.settings.DEMO, world.settings.DATA_DIR = True, world.place
    JobRun.objects.all().delete()
    backups_are(9 * DAY)(world)
    Schedule.objects.update(next_run=NOW - 3 * DAY)
    mark = world.place / "demo.json"
    mark.write_text("{}")
    os.utime(mark, (NOW.timestamp() - 20,) * 2)
    assert world.troubles() == {}
    os.utime(mark, (NOW.timestamp() - 600,) * 2)
    assert {"worker", "schedule", "backup", "jobs.auto_cancel_unpaid"} <= set(world.troubles())


# --- Clocks and words ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        ("Europe/Madrid", "2027-03-10T12:00:00", ("2027-03-28T01:00:00", 60)),
        ("Europe/Madrid", "2026-10-20T12:00:30", ("2026-10-25T01:00:00", -60)),
        ("Europe/Madrid", "2026-10-25T00:59:00", ("2026-10-25T01:00:00", -60)),
        ("Europe/Madrid", "2026-10-25T01:00:00", None),
        ("Australia/Lord_Howe", "2027-03-20T12:00:00", ("2027-04-03T15:00:00", -30)),
        ("America/Guatemala", "2026-11-21T12:00:00", None),
    ],
)
def test_next_change_of_the_clocks(zone, now, expected):
    from zoneinfo import ZoneInfo

    found = next_change(datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone))
    if expected is None:
        assert found is None
    else:
        at, by = found
        assert (at.strftime("%Y-%m-%dT%H:%M:%S"), by / MINUTE) == expected


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (datetime(2027, 3, 10, 12, tzinfo=UTC), "Sunday 28 March 2027 clocks go forward by 60 min, to 03:00"),
        (datetime(2026, 10, 20, 12, tzinfo=UTC), "clocks go back by 60 min, to 02:00"),
    ],
)
def test_a_change_of_the_clocks_that_is_near_is_told(world, now, words):
    with STUDIO.overridden(time_zone="Europe/Madrid"), translation.override("en"):
        (told,) = health.findings(now, only=["zone"])
    assert (told.level, words in told.says) == (OK, True), told.says


def test_words():
    with translation.override("en"):
        seconds = (5, 89, 90, 5399, 5400, 86_400 * 2 - 1, 86_400 * 2, -5)
        assert [length(timedelta(seconds=each)) for each in seconds] == [
            *("5 s", "89 s", "1 min", "89 min", "1 h", "47 h", "2 days", "0 s")
        ]
        assert [took(timedelta(seconds=each)) for each in (0.44, 12.3, 130)] == ["0.4 s", "12 s", "2 min 10 s"]
        assert took(None) == ""
    assert [size(each) for each in (2048, 5 * 1024**2, 13 * 1024**3)] == ["2 kB", "5 MB", "13.0 GB"]
    assert some(map(str, range(9)), 3) == "0, 1, 2 …"
    assert some([]) == ""


# --- The list -----------------------------------------------------------------------------


def test_only_what_is_asked_for_is_looked_at(world, django_assert_num_queries):
    assert [each.name for each in world.findings("outbox")] == ["outbox"]
    assert [each.name for each in world.findings("time")] == ["clock", "zone"]
    assert [each.name for each in world.findings("jobs.auto_cancel_unpaid", "debug")] == [
        *("jobs.auto_cancel_unpaid", "debug")
    ]
    with django_assert_num_queries(1):  # whether the database is there
        world.findings("debug", "smtp")


def test_a_finding_reads_as_the_contract_says():
    told = Finding("clock", OK, "It is noon.", "")
    assert (told.name, told.level, told.says, told.advice) == ("clock", "ok", "It is noon.", "")


def test_worst_and_counts():
    found = [Finding("a", OK, ""), Finding("b", WARN, ""), Finding("c", OK, "")]
    assert health.counts(found) == {"bad": 0, "warn": 1, "ok": 2}
    assert health.worst(found) == WARN
    assert health.worst([*found, Finding("d", BAD, "")]) == BAD


def test_answers_are_kept_for_a_while_and_asked_anew_when_told():
    asked: list[int] = []
    answers = Answers(keep_seconds=60)
    for _ in range(3):
        answers.of("smtp", lambda: asked.append(1))
    assert len(asked) == 1
    answers.of("other", lambda: asked.append(1))
    answers.forget()
    answers.of("smtp", lambda: asked.append(1))
    assert len(asked) == 3


def test_collected_files_that_are_old_are_found(world):
    """As after an update without collectstatic."""
    collected = world.place / "staticfiles"
    (collected / "atelier").mkdir(parents=True)
    for source in (django_settings.BASE_DIR / "static" / "atelier").rglob("*"):
        if source.is_file():
            (collected / "atelier" / source.name).write_bytes(source.read_bytes())
    world.settings.STATIC_ROOT = collected
    assert world.troubles("static") == {}
    (collected / "atelier" / "atelier.css").write_text("body {}")
    assert "1 file of the pages" in world.troubles("static")["static"].says


# --- The page -----------------------------------------------------------------------------


@pytest.fixture
def page(world, monkeypatch) -> Browser:
    """An Admin's browser. The instant is the real one: rows of the world are moved to it."""
    monkeypatch.setattr(health_views, "ANSWERS", Answers(keep_seconds=30))
    world.settings.SECURE_SSL_REDIRECT = world.settings.SESSION_COOKIE_SECURE = False
    world.settings.LOCAL = True
    now = timezone.now()
    move_to(now)
    backups_are()(world)
    world.back_up(now - HOUR)
    browser = Browser()
    browser.force_login(User.objects.get())
    return browser


def move_to(now: datetime) -> None:
    JobRun.objects.all().delete()
    JobRun.objects.create(
        job="deliver_outbox", local_date=now.astimezone(STUDIO.zone).date(), due_at=now, **ran(now - MINUTE)
    )
    for job in DAILY:
        day, due_at = jobs.latest_due(job, now)
        JobRun.objects.create(job=job.name, local_date=day, due_at=due_at, **ran(due_at, done=3))
    Schedule.objects.update(next_run=now + MINUTE)


def test_page_says_that_everything_is_well(page):
    answer = page.get(reverse("health"))
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "Everything is well" in text
    assert "The worker ticked" in text
    assert 'class="count"' not in text.split('href="/health/"')[1].split("</a>")[0]


def test_page_shows_the_worst_first_with_advice(page, world):
    email(status="dead", claimed_at=timezone.now())(world)
    world.settings.DEFAULT_FROM_EMAIL = "atelier@localhost"
    world.settings.DEBUG = False
    text = page.get(reverse("health")).content.decode()
    assert "1 thing is broken" in text
    assert text.index("given up") < text.index("which nobody can answer") < text.index("PostgreSQL")
    assert "Set DEFAULT_FROM_EMAIL" in text


def test_page_shows_the_jobs_reports_with_links_to_sessions(page):
    job_run("auto_cancel_unpaid").update(
        failed=1,
        report={
            "done": ["S-2026-0007"],
            "skipped": {"deposit_is_in": ["S-2026-0008"]},
            "errors": {"S-2026-0009": "ValueError: <script>alert(1)</script>"},
        },
    )
    text = page.get(reverse("health")).content.decode()
    for code in ("S-2026-0007", "S-2026-0008", "S-2026-0009"):
        assert f'<a href="{reverse("session-page", args=[code])}">{code}</a>' in text
    assert "ValueError: &lt;script&gt;" in text
    assert "<script>alert" not in text


def test_page_shows_what_the_nightly_check_found_in_words(page):
    job_run("validate_integrity").update(
        failed=1, report={"found": {"rooms_overlap": ["S-2026-0001"]}, "counts": {"rooms_overlap": 120}}
    )
    text = page.get(reverse("health")).content.decode()
    assert "S-2026-0001" in text
    assert "and 119 more" in text


def test_page_as_json(page, world):
    email(status="dead", claimed_at=timezone.now())(world)
    answer = page.get(reverse("health"), headers={"accept": "application/json"})
    told = answer.json()
    assert (answer.status_code, told["level"]) == (200, "bad")
    assert told["counts"]["bad"] == 1
    assert {"name", "group", "level", "says", "advice"} == set(told["findings"][0])
    assert {row["job"] for row in told["jobs"]} == {job.name for job in jobs.JOBS}
    assert answer["Cache-Control"].find("no-store") >= 0


def test_page_costs_the_same_whatever_there_is(page, world, django_assert_max_num_queries):
    with django_assert_max_num_queries(22) as few:
        page.get(reverse("health"))
    for number in range(30):
        email(status="dead", claimed_at=timezone.now(), key=f"key-{number}")(world)
        JobRun.objects.create(
            job="auto_cancel_unpaid",
            local_date=TODAY,
            due_at=timezone.now(),
            by_hand=True,
            **ran(timezone.now(), report={"done": [f"S-2026-{each:04}" for each in range(100)]}),
        )
    with django_assert_max_num_queries(22) as many:
        page.get(reverse("health"))
    assert len(few) == len(many)


def test_page_asks_the_mail_server_once_in_a_while_and_when_told(page, world):
    page.get(reverse("health"))
    mail_server_port = world.settings.EMAIL_PORT
    answers = health_views.ANSWERS
    kept = dict(answers._kept)
    page.get(reverse("health"))
    assert answers._kept == kept
    page.get(reverse("health"), {"fresh": "1"})
    assert answers._kept.keys() == kept.keys()
    assert answers._kept != kept
    assert any(str(mail_server_port) in key for key in kept)


@pytest.mark.parametrize("role", [None, *(role for role in Role if role is not Role.ADMIN)])
def test_page_is_for_admins(role):
    browser = Browser()
    browser.force_login(make_user(*([role] if role else [])))
    assert browser.get(reverse("health"), headers={"accept": "application/json"}).status_code == 403


@pytest.mark.parametrize("report", [[], "x", 7, {"errors": ["a"], "skipped": 3}, {"found": 1}, {"done": {"a": 1}}])
@pytest.mark.parametrize("job", ["auto_cancel_unpaid", "validate_integrity", "deliver_outbox"])
def test_page_survives_a_report_that_nobody_wrote(page, job, report):
    job_run(job).update(report=report, failed=1)
    answer = page.get(reverse("health"))
    assert answer.status_code == 200
    assert "Traceback" not in answer.content.decode()
    assert page.get(reverse("staff-list")).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_page_says_what_it_can_while_the_database_is_away(accept, settings):
    """Whoever asks has been let in already: the database went away while the page was made."""
    request = RequestFactory().get(reverse("health"), headers={"accept": accept})
    request.user = User(pk=1, full_name="Ana", email="ana@studio.example")
    request.user.__dict__["_roles"] = frozenset({Role.ADMIN})
    with database_away(), translation.override("en"):
        answer = health_views.health_page(request)
    text = answer.content.decode()
    assert answer.status_code == 503
    assert "The database does not answer" in text
    assert "Not known while the database does not answer" in text
    assert "Traceback" not in text


@contextmanager
def database_away() -> Iterator[None]:
    """The address of this thread's connection is one where nobody listens."""
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": str(closed_port())}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict |= before


# --- The figure in the navigation ---------------------------------------------------------


def shown(person: User) -> int:
    return next(link.count for link in navigation.links_for(person) if link.name == "health")


def test_navigation_counts_what_nobody_else_would_tell(page, django_assert_num_queries):
    admin = User.objects.get()
    assert shown(admin) == 0
    job_run("auto_cancel_unpaid").update(report={"error": "OSError: x"})
    job_run("send_payment_reminders").update(report={"error": "OSError: x"})
    with django_assert_num_queries(1):
        assert health_views.badge(admin) == 2
    job_run("deliver_outbox").update(finished_at=timezone.now() - 4 * MINUTE)
    assert shown(admin) == 1  # the worker; the rest follows from it
    JobRun.objects.all().delete()
    assert shown(admin) == 1


def test_the_jobs_log_says_what_ran_how_long_and_how_it_ended(page):
    job_run("auto_cancel_unpaid").update(report={"error": "OSError: disk full"})
    job_run("send_payment_reminders").update(finished_at=None)
    by_hand = JobRun.objects.create(job="gone_since", local_date=TODAY, due_at=NOW, by_hand=True, report=[], **ran(NOW))
    text = page.get(reverse("admin:studio_jobrun_changelist")).content.decode()
    for words in ("Cancel what is unpaid", "OSError: disk full", "not ended", "2.0 s", "gone_since"):
        assert words in text
    answer = page.get(reverse("admin:studio_jobrun_change", args=[by_hand.pk]))
    assert answer.status_code == 200


def test_outbox_page_is_linked_where_there_is_one(world):
    email(status="dead", claimed_at=NOW)(world)
    assert world.troubles()["outbox"].url == navigation.address("outbox-list")


def test_claims_are_given_as_long_as_the_outbox_gives_them(world):
    email(status="claimed", claimed_at=NOW - outbox.CLAIM_LASTS)(world)
    assert world.troubles() == {}


def test_what_fell_due_before_there_was_anything_is_not_late(world):
    MigrationRecorder.Migration.objects.update(applied=NOW - HOUR)
    job_run("auto_cancel_unpaid").update(**ran(NOW - HOUR + MINUTE))
    told = told_of(world, "auto_cancel_unpaid")
    assert (told.level, "late" in told.says) == (OK, False)
