"""`manage.py doctor`: what it prints, how it ends, and that it sees a demo as the demo's own processes do."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from studio import embedded
from studio.embedded import Cluster
from studio.health import BAD, OK, WARN
from studio.roles import Role
from tests.factories.studio import make_user

ROOT = Path(__file__).parent.parent.parent
# Of these only the Admin has to be given to the test's own database.
WELL = ("admins", "roles", "database", "rules", "debug")


def told(*only: str, **options: Any) -> tuple[int, str]:
    """The exit code and what was printed."""
    out = io.StringIO()
    try:
        call_command("doctor", only=list(only), stdout=out, no_color=True, **options)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a person calls it, with nothing but this environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "ATELIER_PG_BIN") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *arguments],
        cwd=ROOT,
        env=kept | {"PYTHONIOENCODING": "utf-8"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.django_db
def test_all_well_is_a_line_for_each_and_exit_0():
    make_user(Role.ADMIN)
    code, printed = told(*WELL)
    assert code == 0
    lines = printed.splitlines()
    assert lines[-1] == "7 ok, 0 to watch, 0 broken"  # the group of the database has four
    assert [line for line in lines if not line.startswith("  ")][:-1] == ["Database", "People", "Settings"]
    assert sum(line.lstrip().startswith("✓") or line.lstrip().startswith("ok") for line in lines) == 7
    assert "->" not in printed


@pytest.mark.django_db
def test_something_broken_is_told_with_what_to_do_and_exit_1():
    code, printed = told("admins", "roles")
    assert code == 1
    lines = printed.splitlines()
    assert any("No Admin can sign in" in line for line in lines)
    where = next(number for number, line in enumerate(lines) if "No Admin" in line)
    assert lines[where + 1].strip() == "-> manage.py createsuperuser"
    assert lines[-1] == "1 ok, 0 to watch, 1 broken"


@pytest.mark.django_db
def test_something_to_watch_ends_with_0(settings):
    settings.DEFAULT_FROM_EMAIL = "atelier@localhost"
    code, printed = told("sender")
    assert (code, printed.splitlines()[-1]) == (0, "0 ok, 1 to watch, 0 broken")


@pytest.mark.django_db
def test_speaks_english_whoever_calls_it():
    make_user(Role.ADMIN)
    with translation.override("es"):
        assert "1 Admin can sign in." in told("admins")[1]


@pytest.mark.django_db
def test_json_for_machines():
    code, printed = told("admins", "roles", json=True)
    read = json.loads(printed)
    assert (code, read["level"], read["counts"]) == (1, BAD, {"bad": 1, "warn": 0, "ok": 1})
    assert [(each["name"], each["level"]) for each in read["findings"]] == [("admins", BAD), ("roles", OK)]


@pytest.mark.django_db
def test_unknown_name_lists_the_known_ones():
    with pytest.raises(CommandError, match="no check 'wheather'.*clock.*worker"):
        call_command("doctor", only=["wheather"])


@pytest.mark.django_db
def test_marks_fit_every_terminal():
    raw = io.BytesIO()
    make_user(Role.ADMIN)
    terminal = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    call_command("doctor", only=["admins"], stdout=terminal, no_color=True)
    assert raw.getvalue().decode("ascii").splitlines()[1].strip().startswith("ok")


@pytest.mark.django_db
def test_a_statement_that_waits_is_given_up_and_the_limit_taken_back():
    from django.db import connection

    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return cursor.fetchone()[0]

    before = limit()
    told("admins")
    assert limit() == before


def test_changes_nothing_and_needs_no_database_of_its_own(tmp_path):
    """Who asks how an installation is does not want a new one."""
    ran = run("--only", "database", ATELIER_DATA=str(tmp_path / "data"))
    assert ran.returncode == 1
    assert "There is no database in" in ran.stdout
    assert not (tmp_path / "data" / "pgdata").exists()


def test_a_dead_database_is_one_clear_line_and_the_rest_is_looked_at(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ran = run(
        DATABASE_URL=f"postgresql://atelier:hunter2@127.0.0.1:{port}/atelier",
        SECRET_KEY="x1y2" * 20 + "abcdefgh",
        ALLOWED_HOSTS="atelier.example",
        EMAIL_URL="consolemail://",
        ATELIER_DATA=str(tmp_path / "data"),
    )
    assert ran.returncode == 1
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "hunter2" not in ran.stdout + ran.stderr
    assert ran.stderr == ""
    lines = ran.stdout.splitlines()
    (database,) = [line for line in lines if "The database does not answer" in line]
    assert database.startswith("  ✗ database")
    assert "refused" in database
    assert any(line.startswith("  ✓ debug") for line in lines)
    assert any(line.startswith("  ✓ https") for line in lines)
    assert any(line.startswith("  ! rules") and "Not known" in line for line in lines)


def test_what_cannot_be_asked_is_not_called_well(tmp_path):
    """Also when only something else was asked for."""
    told_json = run(
        "--json",
        "--only",
        "jobs",
        DATABASE_URL="postgresql://atelier@127.0.0.1:1/atelier",
        SECRET_KEY="x1y2" * 20,
        ATELIER_DATA=str(tmp_path / "data"),
    )
    assert told_json.returncode == 1
    read = json.loads(told_json.stdout)
    assert [(each["name"], each["level"]) for each in read["findings"]] == [("database", BAD), ("jobs", WARN)]


# --- Beside a demo ------------------------------------------------------------------------


@pytest.fixture
def data() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="atelier-demo-"))
    place.chmod(0o711)
    yield place / "data"
    Cluster(place / "data").stop()
    shutil.rmtree(place, ignore_errors=True)


@contextmanager
def demo(data: Path) -> Iterator[None]:
    """Everything in one process tree, from nothing to served pages, and to the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    unset = ("DATABASE_URL", "SECRET_KEY")
    inherited = {
        name: value for name, value in os.environ.items() if name not in unset and not name.startswith("PYTEST")
    }
    owner = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--data", str(data), "--port", str(port)],
        cwd=ROOT,
        env=inherited,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        seen = []
        for line in owner.stdout:
            seen.append(line)
            if line.startswith("Stop with"):
                break
        else:
            pytest.fail("The demo ended:\n" + "".join(seen))
        yield
    finally:
        owner.send_signal(signal.SIGTERM)
        owner.wait(30)


def troubles(ran: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {each["name"]: each["says"] for each in json.loads(ran.stdout)["findings"] if each["level"] != OK}


def test_the_demo_is_all_green_from_the_first_minute_on_and_red_without_its_worker(data):
    with demo(data):
        # As a person types it, in another terminal.
        green = run("--data", str(data))
        assert (green.returncode, green.stderr) == (0, ""), green.stdout
        assert green.stdout.splitlines()[-1].endswith(" ok, 0 to watch, 0 broken")
        assert "E-mails are written as files" in green.stdout
        # The same by the environment; and it leaves the demo's database to the demo.
        assert troubles(run("--json", ATELIER_DATA=str(data))) == {}
        assert Cluster(data).is_ready()
    assert not Cluster(data).is_ready()

    an_hour_passes(data)
    red = run("--json", f"--data={data}")
    assert red.returncode == 1
    assert "worker" in troubles(red)
    assert not {"database", "rules", "smtp", "admins"} & set(troubles(red))
    assert not Cluster(data).is_ready(), "it stops what only it has started"


def an_hour_passes(data: Path) -> None:
    """Without a worker nothing would have been written meanwhile."""
    mark = data / embedded.DEMO_MARK
    os.utime(mark, (mark.stat().st_mtime - 3600,) * 2)
    with Cluster(data) as cluster, psycopg.connect(cluster.url(), autocommit=True) as database:
        database.execute("UPDATE django_migrations SET applied = applied - interval '1 hour'")
        database.execute(
            "UPDATE studio_jobrun SET started_at = started_at - interval '1 hour',"
            " finished_at = finished_at - interval '1 hour'"
        )


def test_the_mark_of_a_demo_holds_no_secrets(tmp_path):
    embedded.mark_as_demo(tmp_path, {"ATELIER_DEMO": "1"})
    assert embedded.demo_environment(tmp_path) == {"ATELIER_DEMO": "1"}
    from studio.management.commands import demo as command

    assert not {"SECRET_KEY", "DATABASE_URL", "EMAIL_URL"} & set(command.TOLD)


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '"x"'])
def test_a_mark_that_cannot_be_read_says_nothing(content, tmp_path):
    (tmp_path / embedded.DEMO_MARK).write_text(content)
    assert embedded.demo_environment(tmp_path) == {}


def test_no_mark_is_no_demo(tmp_path):
    assert (embedded.demo_environment(tmp_path), embedded.demo_since(tmp_path)) == ({}, None)
