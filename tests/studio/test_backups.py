"""Backups and restores by the real programs, on databases of the tests' own; that of the other tests is only read."""

import hashlib
import io
import json
import os
import re
import resource
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg import errors, sql

from sessions_app import workflow
from sessions_app.models import Session
from studio import backups, embedded, postgres
from studio.backups import Backup, BackupError, back_up, forget, go_back, latest, nightly, plan_restore, prune, restore
from studio.children import leaving_tidily
from studio.postgres import PostgresError, Server
from tests.factories.domain import Studio

# Not for the tests, which have their own connections, but so that there is a database to begin with.
pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parent.parent.parent
REAL = embedded.wheel_binaries()
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
# A constraint, an index, a trigger and rows that do not compress: enough to lose something of each kind.
SMALL = """
CREATE TABLE django_migrations (id serial PRIMARY KEY, app text, name text);
INSERT INTO django_migrations (app, name) VALUES ('studio', '0001_initial');
CREATE TABLE thing (id serial PRIMARY KEY, size int CONSTRAINT size_is_positive CHECK (size > 0), noise text);
CREATE INDEX thing_by_size ON thing (size);
CREATE FUNCTION thing_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'It stays.'; END $$;
CREATE TRIGGER thing_is_never_deleted BEFORE DELETE ON thing FOR EACH ROW EXECUTE FUNCTION thing_stays();
INSERT INTO thing (size, noise) SELECT n, md5(n::text) || md5((-n)::text) FROM generate_series(1, 2000) n;
"""


def execute(server: Server, database: str, statement: str) -> list[tuple]:
    with closing(server.connect(database)) as opened:
        opened.execute("SET search_path = public")
        done = opened.execute(statement)
        return done.fetchall() if done.description else []


def one(server: Server, database: str, question: str) -> object:
    return execute(server, database, question)[0][0]


def databases(server: Server, beginning: str) -> set[str]:
    with server.maintenance() as asked:
        found = asked.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [beginning])
        return {name for (name,) in found}


def drop(server: Server, beginning: str) -> None:
    with server.maintenance() as opened:
        for name in databases(server, beginning):
            opened.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def django_in(database: str) -> Iterator[None]:
    """Django in another database; what it has remembered of the rows of one is not true of the other."""
    usual = connections["default"]
    other = connections.create_connection("default")
    other.settings_dict = usual.settings_dict | {"NAME": database}
    ContentType.objects.clear_cache()
    connections["default"] = other
    try:
        yield
    finally:
        connections["default"] = usual
        other.close()
        ContentType.objects.clear_cache()


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Server:
    return Server.of_settings()


@pytest.fixture
def name(server: Server) -> Iterator[str]:
    """The name of a database that there is not yet, and of all whose names begin so."""
    name = f"test_backups_{secrets.token_hex(6)}"
    yield name
    drop(server, name)


def make_small(server: Server, name: str) -> Server:
    with server.maintenance() as opened:
        opened.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    execute(server, name, SMALL)
    return replace(server, database=name)


@pytest.fixture
def own(server: Server, name: str) -> Server:
    """A small database that the test may change, as the one that is backed up."""
    return make_small(server, name)


@pytest.fixture(scope="module")
def small(server: Server) -> Iterator[Server]:
    """A small database that nobody changes."""
    name = f"test_backups_{secrets.token_hex(6)}"
    yield make_small(server, name)
    drop(server, name)


@pytest.fixture(scope="module")
def taken(small: Server, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """A backup of it, to be copied before it is spoilt."""
    return back_up(tmp_path_factory.mktemp("small") / "backups", server=small)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture(scope="module")
def at_work(
    server: Server, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Backup]]:
    """A studio with sessions, in a database of its own, and a backup of it."""
    name = f"test_backups_{secrets.token_hex(6)}"
    place = tmp_path_factory.mktemp("at-work")
    schema = back_up(place / "schema", verify=False, server=server)
    restore(plan_restore(schema.path, database=name, server=server))
    with django_db_blocker.unblock(), django_in(name):
        studio = Studio()
        studio.walk(workflow.CONFIRMED).equip()
        studio.walk(workflow.COMPLETED, when=studio.when(days=30))
    own = replace(server, database=name)
    yield own, back_up(place / "taken", server=own)
    drop(server, name)


def copied(backup: Backup, place: Path, *, manifest: bool = True) -> Path:
    """A copy to be spoilt."""
    if manifest:
        shutil.copy(backup.manifest, place)
    return Path(shutil.copy(backup.path, place))


def names_in(place: Path) -> set[str]:
    return {each.name for each in place.iterdir()} if place.exists() else set()


def wrapped(directory: Path, **scripts: str) -> Path:
    """The real programs in a new directory, some of them behind a script; `$REAL` is where they are."""
    directory.mkdir()
    for program in postgres.PROGRAMS:
        script = scripts.get(program, "")
        lines = f'#!/bin/sh\nREAL={REAL}\n[ "$1" = --version ] && exec $REAL/{program} "$@"\n{script}\n'
        (directory / program).write_text(f'{lines}exec $REAL/{program} "$@"\n')
        (directory / program).chmod(0o755)
    return directory


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def command(server: Server, *arguments: str, environment: dict[str, str] | None = None, **how) -> subprocess.Popen[str]:
    """`manage.py` in a process of its own, for the database of `server`."""
    # The rest of the address is read from libpq's own variables.
    given = {"DATABASE_URL": f"postgresql:///{server.database}", "SECRET_KEY": "k" * 50}
    address = {postgres.KEYWORDS[name]: value for name, value in server.parameters.items() if postgres.KEYWORDS[name]}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=kept | address | given | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )


# --- The whole way ------------------------------------------------------------------------


def test_what_comes_back_still_refuses_a_double_booking(at_work, name):
    own, backup = at_work
    done = restore(plan_restore(backup.path, database=name, server=own))
    assert (done.database, done.kept_as, done.to_migrate) == (name, None, ())
    assert "e-mails were waiting to be sent" in done.warnings[0]
    with closing(own.connect(name)) as opened:
        assert postgres.rows(opened) == postgres.rows(own.connect()) == backup.rows
        assert backup.rows[Session._meta.db_table] == 2
        opened.execute("SET search_path = public")
        held = "scheduling_roomreservation"
        (columns,) = opened.execute(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_schema = 'public' AND "
            "table_name = %s AND column_name <> 'id'",
            [held],
        ).fetchone()
        twice = f"INSERT INTO {held} ({columns}) SELECT {columns} FROM {held} WHERE released_at IS NULL"
        with pytest.raises(errors.ExclusionViolation) as refused:
            opened.execute(twice)
        assert refused.value.diag.constraint_name == "room_never_twice"
        with pytest.raises(errors.CheckViolation, match="append only"):
            opened.execute("UPDATE sessions_app_statushistory SET new_status = new_status")


def test_a_restored_database_goes_on_where_it_stopped(at_work, name, django_db_blocker):
    own, backup = at_work
    restore(plan_restore(backup.path, database=name, server=own))
    with django_db_blocker.unblock(), django_in(name):
        before = set(Session.objects.values_list("code", flat=True))
        session = Studio().walk(workflow.CONFIRMED).session
        assert session.code not in before


def test_counts_and_dump_are_of_one_moment_while_others_write(own, place):
    stop = threading.Event()
    written = []

    def write() -> None:
        with closing(own.connect()) as opened:
            while not stop.is_set():
                opened.execute("INSERT INTO public.thing (size) SELECT 1 FROM generate_series(1, 7)")
                written.append(7)

    with ThreadPoolExecutor() as pool:
        writer = pool.submit(write)
        until(lambda: len(written) > 10)
        before = sum(written)
        backup = back_up(place, server=own)
        after = sum(written)
        stop.set()
        writer.result()
    assert backup.why_unverified == ""
    assert 2000 + before < backup.rows["thing"] < 2000 + after


def test_manifest_tells_what_was_taken(small, place):
    started = datetime.now(UTC)
    backup = back_up(place, server=small)
    told = json.loads(backup.manifest.read_text())
    assert told["sha256"] == hashlib.sha256(backup.path.read_bytes()).hexdigest()
    assert told["size"] == backup.path.stat().st_size
    assert told["rows"] == {"django_migrations": 1, "thing": 2000}
    assert told["structure"] | {"column": 6} == {
        "column": 6,
        "constraint": 3,
        "function": 1,
        "index": 3,
        "sequence": 2,
        "table": 2,
        "trigger": 1,
    }
    assert told["migrations"] == {"studio": "0001_initial"}
    assert told["server"].split(".")[0] == str(small.major)
    aside = timedelta(minutes=5)  # a server may have another clock
    assert started - aside < datetime.fromisoformat(told["taken_at"]) <= datetime.fromisoformat(told["verified_at"])
    assert Backup.read(backup.path) == backup


def test_backups_are_for_their_owners_eyes(small, place, tmp_path):
    backup = back_up(place, verify=False, server=small)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (place, backup.path, backup.manifest)]
    assert modes == [0o700, 0o600, 0o600]
    # One that was there, such as /tmp, may be others', too.
    (tmp_path / "open").mkdir(mode=0o755)
    back_up(tmp_path / "open", verify=False, server=small)
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o755


def test_two_at_once_do_not_hurt_each_other(small, place):
    with ThreadPoolExecutor() as pool:
        taken = list(pool.map(lambda _: back_up(place, keep=3, server=small), range(3)))
    assert len({backup.path for backup in taken}) == 3
    for backup in taken:
        assert backup.verified_at
        assert hashlib.sha256(backup.path.read_bytes()).hexdigest() == backup.sha256
    assert len(names_in(place)) == 6


# --- Tried, or not ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        ("--section=pre-data --section=data", "the copy lacks the constraint public.thing.size_is_positive"),
        ("--schema-only", "thing has 2000 rows, and 0 in the copy"),
    ],
)
def test_a_copy_that_lacks_something_is_not_verified(own, place, tmp_path, monkeypatch, left_out, reason):
    if "section" in left_out:
        # A table's own check is made with it; one that is added later comes after the data.
        execute(own, own.database, "ALTER TABLE thing DROP CONSTRAINT size_is_positive")
        execute(
            own, own.database, "ALTER TABLE thing ADD CONSTRAINT size_is_positive EXCLUDE USING btree (size WITH =)"
        )
    programs = wrapped(tmp_path / "bin", pg_restore=f'exec $REAL/pg_restore {left_out} "$@"')
    monkeypatch.setenv("ATELIER_PG_BIN", str(programs))
    backup = back_up(place, server=own)
    assert backup.verified_at is None
    assert reason in backup.why_unverified
    assert Backup.read(backup.path).why_unverified == backup.why_unverified


def test_a_constraint_that_guards_nothing_is_told(own, place):
    execute(own, own.database, "ALTER TABLE thing ADD CONSTRAINT later CHECK (size < 10) NOT VALID")
    execute(own, own.database, "ALTER TABLE thing DISABLE TRIGGER thing_is_never_deleted")
    backup = back_up(place, server=own)
    assert backup.verified_at is None
    assert "constraint public.thing.later guards nothing" in backup.why_unverified
    assert "trigger public.thing.thing_is_never_deleted guards nothing" in backup.why_unverified


def test_an_account_that_may_not_create_databases_keeps_the_backup_unverified(small, place, server):
    account = f"test_backups_{secrets.token_hex(6)}"
    password = secrets.token_hex(8)
    execute(
        small, small.database, f"CREATE ROLE {account} LOGIN PASSWORD '{password}'; GRANT pg_read_all_data TO {account}"
    )
    try:
        reader = replace(small, parameters=dict(small.parameters) | {"user": account, "password": password})
        backup = back_up(place, server=reader)
        assert backup.verified_at is None
        assert f"The account {account} may not create databases" in backup.why_unverified
        assert f'ALTER ROLE "{account}" CREATEDB' in backup.why_unverified
        with pytest.raises(PostgresError, match="may not create databases"):
            restore(plan_restore(backup.path, database=f"{small.database}_2", server=reader))
    finally:
        with server.maintenance() as opened:
            opened.execute(f"DROP ROLE {account}")


def test_scratch_databases_of_killed_runs_are_dropped(server):
    with server.maintenance() as opened:
        (now,) = opened.execute("SELECT extract(epoch FROM now())::bigint").fetchone()
        ending = secrets.token_hex(6)
        old, young, entered = (f"atelier_check_{now - ago}_{ending}" for ago in (100, 5, 200))
        foreign = f"atelier_check_{ending}"
        try:
            for each in (old, young, entered, foreign):
                opened.execute(f"CREATE DATABASE {each} TEMPLATE template0")
            with closing(server.connect(entered)):
                server.drop_leftovers()
            left = databases(server, "atelier_check_")
            assert old not in left and left >= {young, entered, foreign}
        finally:
            for each in (old, young, entered, foreign):
                opened.execute(f"DROP DATABASE IF EXISTS {each} WITH (FORCE)")


# --- Interrupted, killed, full ------------------------------------------------------------


@pytest.fixture(params=["pg_dump", "pg_restore"])
def stuck(request, small, place, tmp_path) -> subprocess.Popen[str]:
    """`manage.py backup` halfway: one of its programs writes something and then hangs."""
    halfway = (
        f"echo $$ > {tmp_path}/halfway.new; printf PGDMP; mv {tmp_path}/halfway.new {tmp_path}/halfway; exec sleep 60"
    )
    programs = wrapped(tmp_path / "bin", **{request.param: halfway})
    run = command(small, "backup", "--to", str(place), environment={"ATELIER_PG_BIN": str(programs)})
    until((tmp_path / "halfway").exists)
    yield run
    run.kill()
    run.wait()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def test_interrupted_it_leaves_nothing(stuck, place, tmp_path):
    stuck.terminate()
    assert stuck.wait(timeout=20) == 128 + signal.SIGTERM
    assert names_in(place) == set()
    assert is_gone(int((tmp_path / "halfway").read_text()))


def test_interrupted_it_drops_its_scratch_database(small, place, tmp_path, monkeypatch):
    """In this process, to know the name: Ctrl-C comes while pg_restore is at work."""
    told = f'echo "$@" > {tmp_path}/told.new; mv {tmp_path}/told.new {tmp_path}/told; exec sleep 60'
    monkeypatch.setenv("ATELIER_PG_BIN", str(wrapped(tmp_path / "bin", pg_restore=told)))
    main = threading.main_thread().ident

    def interrupt() -> None:
        until((tmp_path / "told").exists)
        signal.pthread_kill(main, signal.SIGTERM)

    with ThreadPoolExecutor() as pool:
        done = pool.submit(interrupt)
        with pytest.raises(SystemExit), leaving_tidily():
            back_up(place, server=small)
        done.result()
    (scratch,) = re.findall(r"--dbname=dbname=(atelier_check_\w+)", (tmp_path / "told").read_text())
    assert scratch not in databases(small, "atelier_check_")
    assert names_in(place) == set()


def test_killed_it_leaves_nothing_under_a_real_name(stuck, small, place, tmp_path):
    stuck.kill()
    stuck.wait()
    if sys.platform.startswith("linux"):
        until(lambda: is_gone(int((tmp_path / "halfway").read_text())))
    (draft,) = place.iterdir()
    assert draft.name.startswith(".") and backups.backups_in(place) == []
    assert back_up(place, verify=False, server=small).path.exists()
    assert draft.exists()  # it may be somebody's who has just begun
    os.utime(draft, (0, 0))
    back_up(place, verify=False, server=small)
    assert not draft.exists()


def test_a_draft_that_is_being_written_is_left_alone(place):
    place.mkdir()
    with backups._draft(place, NOW) as (draft, _descriptor):
        os.utime(draft, (0, 0))
        backups._remove_leftovers(place)
        assert draft.exists()
    assert names_in(place) == set()


def test_a_full_disk_is_told_in_one_sentence_and_leaves_nothing(small, place):
    limit = 20_000  # bytes that a file may have: the kernel's refusal in the middle of the dump

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = command(small, "backup", "--to", str(place), preexec_fn=full)
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 1
    assert f"There is no room left in {place}: pg_dump stopped" in said
    assert "Traceback" not in said
    assert names_in(place) == set()


def test_a_full_disk_of_the_server_keeps_the_backup_unverified(small, place, tmp_path, monkeypatch):
    told = (
        'pg_restore: error: could not execute query: ERROR:  could not extend file "base/1/2": No space left on device'
    )
    programs = wrapped(tmp_path / "bin", pg_restore=f"echo '{told}' >&2; exit 1")
    monkeypatch.setenv("ATELIER_PG_BIN", str(programs))
    backup = back_up(place, server=small)
    assert backup.verified_at is None
    assert "There is no room left on the database server" in backup.why_unverified


def test_a_place_that_cannot_be_written_is_told(small, tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BackupError, match="file"):
            back_up(place, server=small)


def test_a_server_that_is_away_is_told(small, place):
    away = replace(small, parameters={"host": "127.0.0.1", "port": "1", "user": "nobody", "password": "opensesame"})
    with pytest.raises(PostgresError, match="127.0.0.1") as told:
        back_up(place, server=away)
    assert "opensesame" not in str(told.value)
    assert names_in(place) == set()


# --- The programs -------------------------------------------------------------------------


def test_password_is_on_no_command_line(small, place, tmp_path, monkeypatch):
    seen = tmp_path / "seen"
    spy = f'echo "$0 $@" >> {seen}; echo "given: $PGPASSWORD" >> {seen}'
    monkeypatch.setenv("ATELIER_PG_BIN", str(wrapped(tmp_path / "bin", pg_dump=spy, pg_restore=spy)))
    password = small.parameters.get("password", "opensesame")
    own = replace(small, parameters=dict(small.parameters) | {"password": password})
    assert back_up(place, server=own).verified_at
    lines = seen.read_text().splitlines()
    assert lines.count(f"given: {password}") == 2
    assert not any(password in line for line in lines if not line.startswith("given: "))
    assert password not in repr(own) and password not in own.address("x")


def test_older_programs_are_passed_over(tmp_path, monkeypatch):
    old = wrapped(tmp_path / "old")
    for program in postgres.PROGRAMS:
        (old / program).write_text(f'#!/bin/sh\necho "{program} (PostgreSQL) 9.6.24"\n')
    monkeypatch.setenv("ATELIER_PG_BIN", str(old))
    monkeypatch.setenv("PATH", str(old))
    assert postgres.programs(10).directory == REAL
    assert postgres.programs(9).directory == old
    with pytest.raises(PostgresError) as told:
        postgres.programs(99)
    assert f"9 in {old}" in str(told.value) and str(REAL) in str(told.value)
    assert "postgresql-client-99" in str(told.value)


def test_a_server_older_than_the_programs_is_restored_to(small, place):
    """pg_restore of 17 and later begins with a setting that 14 to 16 do not know: they get SQL without it."""
    older = replace(small)
    older.__dict__["major"] = 16
    backup = back_up(place, server=older)
    assert backup.verified_at
    spoilt = bytearray(backup.path.read_bytes())
    spoilt[len(spoilt) // 2] ^= 255
    backup.path.write_bytes(spoilt)
    backup.manifest.unlink()
    with pytest.raises(PostgresError):
        restore(plan_restore(backup.path, database=f"{small.database}_2", server=older))
    assert databases(small, small.database) == {small.database}


# --- Which ones are kept ------------------------------------------------------------------


def aged(backup: Backup, days: int, **changed: object) -> Backup:
    """The same backup, from longer ago, under a name of its own."""
    name = f"atelier-20250101T000000Z-{secrets.token_hex(4)}.dump"
    older = replace(
        backup, path=backup.path.with_name(name), taken_at=backup.taken_at - timedelta(days=days), **changed
    )
    shutil.copy(backup.path, older.path)
    older.manifest.write_text(json.dumps(older.as_json()))
    return older


def test_pruning_keeps_the_newest_and_the_last_that_was_verified(small, place):
    newest = back_up(place, verify=False, server=small)
    unverified = [aged(newest, days) for days in (1, 2, 3)]
    verified = [aged(newest, days, verified_at=NOW) for days in (4, 5)]
    assert prune(place, 2, database=small.database) == [each.path for each in (*unverified[1:], verified[1])]
    left = backups.backups_in(place)
    assert left == [newest, unverified[0], verified[0]]
    assert names_in(place) == {name for each in left for name in (each.path.name, each.manifest.name)}
    with pytest.raises(BackupError):
        prune(place, 0, database=small.database)


def test_pruning_never_touches_what_is_not_ours(small, place):
    newest = back_up(place, verify=False, server=small)
    of_another = aged(newest, 9, database="another")
    foreign = {
        "notes.txt": "keep me",
        "atelier-20250101T000000Z-00000001.dump": "no manifest",
        "atelier-20250101T000000Z-00000002.dump": "with a broken one",
        "atelier-20250101T000000Z-00000002.json": "{",
        "atelier-20250101T000000Z-00000003.dump": "with somebody else's",
        "atelier-20250101T000000Z-00000003.json": json.dumps({"format": "other"}),
        "atelier-copy.dump": "by hand",
        "atelier-copy.json": newest.manifest.read_text(),
    }
    for name, text in foreign.items():
        (place / name).write_text(text)
    back_up(place, verify=False, keep=1, server=small)
    assert not newest.path.exists() and not newest.manifest.exists()
    assert of_another.path.exists() and of_another.manifest.exists()
    assert names_in(place) > set(foreign)


def test_a_manifest_without_its_dump_is_removed_when_it_is_old(small, place):
    backup = back_up(place, verify=False, server=small)
    backup.path.unlink()
    backups._remove_leftovers(place)
    assert backup.manifest.exists()
    os.utime(backup.manifest, (0, 0))
    backups._remove_leftovers(place)
    assert not backup.manifest.exists()


def test_latest_is_the_newest_of_this_database(server, small, place, settings):
    assert latest(place) is None
    back_up(place, verify=False, server=small)
    assert latest(place) is None
    settings.BACKUPS, settings.BACKUPS_KEPT = place, 1
    first, second = nightly(NOW), nightly(NOW)
    assert (first["done"], first["failed"], second["done"]) == (1, 0, 1)
    found = latest(place)
    assert found.verified_at
    assert second["report"] == {"done": [found.path.name]}
    assert len(backups.backups_in(place, database=server.database)) == 1
    plan = nightly(NOW, dry_run=True)["plan"]
    assert server.database in plan[0] and str(place) in plan[0]
    assert latest(place) == found


def test_nightly_counts_an_unverified_backup_as_failed(server, place, settings, tmp_path, monkeypatch):
    settings.BACKUPS = place
    monkeypatch.setenv("ATELIER_PG_BIN", str(wrapped(tmp_path / "bin", pg_restore="echo 'Gone wrong' >&2; exit 1")))
    told = nightly(NOW)
    assert (told["done"], told["failed"]) == (0, 1)
    assert told["report"]["errors"] == {latest(place).path.name: "pg_restore failed: Gone wrong"}


def test_nightly_does_nothing_where_backups_have_no_place(settings):
    settings.BACKUPS = None
    assert nightly(NOW)["done"] == nightly(NOW)["failed"] == 0


# --- Putting one back ---------------------------------------------------------------------


def test_restoring_swaps_and_keeps_the_former_database(own, place):
    backup = back_up(place, server=own)
    execute(own, own.database, "INSERT INTO thing (size) VALUES (1), (2), (3)")
    with closing(own.connect()) as in_use:
        done = restore(plan_restore(backup.path, server=own))
        with pytest.raises(psycopg.OperationalError):
            in_use.execute("SELECT 1")
    assert done.kept_as.startswith(f"{own.database}_before_")
    assert one(own, own.database, "SELECT count(*) FROM thing") == 2000
    assert one(own, done.kept_as, "SELECT count(*) FROM thing") == 2003
    assert one(own, own.database, "INSERT INTO thing (size) VALUES (1) RETURNING id") == 2001

    undone = go_back(done.kept_as, server=own)
    assert undone.database == own.database
    assert one(own, own.database, "SELECT count(*) FROM thing") == 2003
    assert one(own, undone.kept_as, "SELECT count(*) FROM thing") == 2001
    with pytest.raises(BackupError, match="DATABASE_URL"):
        forget(undone.kept_as, server=replace(own, database=undone.kept_as))
    assert databases(own, own.database) == {own.database, undone.kept_as}


def test_going_back_asks_for_a_database_that_was_kept(own):
    for wrong in (own.database, f"{own.database}_before_20200101_000000"):
        for act in (go_back, forget):
            with pytest.raises(BackupError):
                act(wrong, server=own)


def test_long_names_are_cut_and_found_again(small, taken, name):
    long = replace(small, database=name.ljust(postgres.LONGEST_NAME, "x"))
    restore(plan_restore(taken.path, server=long))
    done = restore(plan_restore(taken.path, server=long))
    assert len(done.kept_as) == postgres.LONGEST_NAME
    assert go_back(done.kept_as, server=long).database == long.database


def test_an_empty_database_is_nothing_to_ask_about(small, taken, name):
    with small.maintenance() as opened:
        opened.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    plan = plan_restore(taken.path, database=name, server=small)
    assert plan.exists and not plan.replaces
    restore(plan)
    assert one(small, name, "SELECT count(*) FROM thing") == 2000


def assert_untouched(own: Server) -> None:
    """The database is what it was, and nothing stands beside it."""
    assert databases(own, own.database) == {own.database}
    assert one(own, own.database, "SELECT count(*) FROM thing") == 2000


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("spoilt", "manifest", "reason"),
    [
        (flipped, True, "its sha256 differs"),
        (flipped, False, "pg_restore failed"),
        (lambda content: content[:-3000], True, "it is not whole"),
        (lambda content: content[: len(content) // 2], False, "pg_restore failed"),
        (lambda content: b"-- SQL\n" + content, False, "not written by pg_dump"),
        (lambda content: b"", False, "not written by pg_dump"),
    ],
)
def test_a_spoilt_backup_is_refused(small, taken, tmp_path, spoilt, manifest, reason):
    file = copied(taken, tmp_path, manifest=manifest)
    file.write_bytes(spoilt(file.read_bytes()))
    with pytest.raises(PostgresError, match=reason):
        restore(plan_restore(file, server=small))
    assert_untouched(small)


def test_a_manifest_that_tells_of_something_else_is_refused(small, taken, tmp_path):
    backup = replace(taken, path=copied(taken, tmp_path))
    for changed, reason in (
        ({"rows": dict(backup.rows) | {"thing": 2001}}, "thing has 2001 rows, and 2000 in the copy"),
        ({"structure": dict(backup.structure) | {"trigger": 2}}, "trigger: 2 there were, and 1 are in the copy"),
        ({"size": "big"}, "its size is missing or wrong"),
        ({"file": "another.dump"}, "of another file"),
    ):
        backup.manifest.write_text(json.dumps(backup.as_json() | changed))
        with pytest.raises(BackupError, match=reason):
            restore(plan_restore(backup.path, server=small))
    assert_untouched(small)


def test_a_file_that_is_not_there_is_told(small, place):
    with pytest.raises(BackupError, match="No such file"):
        plan_restore(place / "atelier-x.dump", server=small)


@pytest.mark.parametrize("manifest", [True, False])
def test_a_backup_of_a_newer_program_is_refused_by_name(own, place, tmp_path, manifest):
    execute(own, own.database, "INSERT INTO django_migrations (app, name) VALUES ('studio', '9999_from_tomorrow')")
    file = copied(back_up(place, verify=False, server=own), tmp_path, manifest=manifest)
    with pytest.raises(BackupError, match=r"newer Atelier.*studio\.9999_from_tomorrow"):
        restore(plan_restore(file, server=own))
    assert databases(own, own.database) == {own.database}


def test_what_was_squashed_or_removed_since_is_no_sign_of_a_newer_program(own, place):
    execute(
        own,
        own.database,
        "INSERT INTO django_migrations (app, name) VALUES ('studio', '0000_long_ago'), ('removed_app', '0007_last')",
    )
    restore(plan_restore(back_up(place, verify=False, server=own).path, server=own))


def test_a_backup_of_an_older_program_says_what_to_migrate(small, taken, name):
    done = restore(plan_restore(taken.path, database=name, server=small))
    assert "sessions_app.0001_initial" in done.to_migrate
    assert "studio.0001_initial" not in done.to_migrate


def test_a_dump_of_something_else_is_refused(own, place):
    execute(own, own.database, "DROP TABLE django_migrations")
    with pytest.raises(BackupError, match="dump of something else"):
        restore(plan_restore(back_up(place, verify=False, server=own).path, server=own))


def test_tables_stay_those_of_the_account_that_uses_them(own, place):
    """Restored by an administrator, the web processes' account still has its tables."""
    account = f"test_backups_{secrets.token_hex(6)}"
    execute(own, own.database, f"CREATE ROLE {account}")
    try:
        for table in ("django_migrations", "thing"):
            execute(own, own.database, f"ALTER TABLE {table} OWNER TO {account}")
        restore(plan_restore(back_up(place, verify=False, server=own).path, server=own))
        assert one(own, own.database, "SELECT tableowner FROM pg_tables WHERE tablename = 'thing'") == account
    finally:
        drop(own, own.database)
        with own.maintenance() as opened:
            opened.execute(f"DROP ROLE {account}")


def test_settings_of_the_former_database_are_told(own, place):
    execute(own, own.database, f"ALTER DATABASE {own.database} SET work_mem = '7MB'")
    done = restore(plan_restore(back_up(place, verify=False, server=own).path, server=own))
    assert "work_mem=7MB" in done.warnings[0]


# --- The command --------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def replaced(at_work, name) -> tuple[Path, str]:
    """A backup of the studio at work, and a database with a part of it."""
    own, backup = at_work
    restore(plan_restore(backup.path, database=name, server=own))
    execute(own, name, "TRUNCATE sessions_app_client CASCADE")
    return backup.path, name


def test_it_says_what_it_replaces_and_has_the_name_typed(replaced, at_work, monkeypatch):
    file, name = replaced
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdin", Terminal("atelier\n"))
    with pytest.raises(CommandError, match="not its name"):
        call_command("restore", str(file), "--into", name, stdout=said)
    lines = said.getvalue().splitlines()
    assert f"This replaces the database {name}" in lines[0]
    assert "seconds" not in lines[1] and "UTC" in lines[1] and lines[1].endswith("verified.")
    assert [line.split() for line in lines[2:5]] == [
        ["now", "in", "the", "backup"],
        ["sessions", "0", "2"],
        ["clients", "0", "1"],
    ]
    own, _backup = at_work
    assert one(own, name, "SELECT count(*) FROM sessions_app_client") == 0

    monkeypatch.setattr(sys, "stdin", Terminal(f"{name}\n"))
    call_command("restore", str(file), "--into", name, stdout=said)
    kept = next(line for line in said.getvalue().splitlines() if "--back-to" in line).split()[-1]
    assert kept.startswith(f"{name}_before_")
    assert one(own, name, "SELECT count(*) FROM sessions_app_client") == 1
    assert one(own, kept, "SELECT count(*) FROM sessions_app_client") == 0

    said = io.StringIO()
    call_command("restore", "--back-to", kept, "--yes", stdout=said)
    assert one(own, name, "SELECT count(*) FROM sessions_app_client") == 0
    kept = next(line for line in said.getvalue().splitlines() if "--forget" in line).split()[-1]
    call_command("restore", "--forget", kept, "--yes", stdout=said)
    assert databases(own, name) == {name}


def test_without_a_terminal_it_wants_to_be_told(replaced, monkeypatch):
    file, name = replaced
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{name}\n"))
    with pytest.raises(CommandError, match="say --yes"):
        call_command("restore", str(file), "--into", name, stdout=io.StringIO())


def test_without_a_manifest_the_archive_is_counted(at_work, name, tmp_path):
    own, backup = at_work
    file = copied(backup, tmp_path, manifest=False)
    said = io.StringIO()
    call_command("restore", str(file), "--into", name, stdout=said)
    assert "no manifest" in said.getvalue()
    assert "sessions              2" in said.getvalue()
    assert one(own, name, "SELECT count(*) FROM sessions_app_client") == 1


def test_both_commands_in_processes_of_their_own(own, place):
    run = command(own, "backup", "--to", str(place), "--keep", "1")
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 0, said
    assert "Verified: restored into a scratch database, it has the same 2,001 rows, 2 tables, 3 constraints" in said
    (backup,) = backups.backups_in(place)
    execute(own, own.database, "DROP TABLE thing")
    run = command(own, "restore", str(backup.path), "--yes")
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 0, said
    assert "run `manage.py migrate`" in said
    assert one(own, own.database, "SELECT count(*) FROM thing") == 2000


@pytest.mark.parametrize("arguments", [(), ("x.dump", "--back-to", "y")])
def test_restore_wants_one_thing_to_restore(arguments):
    with pytest.raises(CommandError, match="Name either"):
        call_command("restore", *arguments)


def test_an_unverified_backup_is_an_error_unless_nobody_asked(place, tmp_path, monkeypatch):
    monkeypatch.setenv("ATELIER_PG_BIN", str(wrapped(tmp_path / "bin", pg_restore="echo 'Gone wrong' >&2; exit 1")))
    call_command("backup", "--to", str(place), "--no-verify", stdout=io.StringIO())
    with pytest.raises(CommandError, match=r"kept, but it is not verified\. pg_restore failed: Gone wrong"):
        call_command("backup", "--to", str(place), stdout=io.StringIO())
    assert len(backups.backups_in(place)) == 2


def test_backup_wants_a_place(settings):
    settings.BACKUPS, settings.LOCAL = None, False
    with pytest.raises(CommandError, match="ATELIER_BACKUPS"):
        call_command("backup")
    with pytest.raises(CommandError, match="--keep"):
        call_command("backup", "--to", "/nowhere", "--keep", "0")
