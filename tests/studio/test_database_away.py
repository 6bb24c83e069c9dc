"""PostgreSQL is stopped and started under a running web server and worker: what people are told meanwhile, what the
log says of it, and that the next request after it finds everything as it was.
"""

import http.cookiejar
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from studio import embedded

ROOT = Path(__file__).parent.parent.parent
WITHIN_SECONDS = 60
EMAIL, PASSWORD = "ada@studio.example", "only for this one story"
HTML, JSON, HTMX = {"Accept": "text/html"}, {"Accept": "application/json"}, {"HX-Request": "true"}


def until(holds: Callable[[], Any], what: str) -> Any:
    """Ask again until it holds."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not (found := holds()):
        if time.monotonic() > deadline:
            pytest.fail(f"Not within {WITHIN_SECONDS} s: {what}")
        time.sleep(0.05)
    return found


class Studio:
    """A database of its own, and the processes of docs/running.md on it."""

    def __init__(self, cluster: embedded.Cluster, place: Path) -> None:
        self.cluster = cluster
        self.place = place
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        self.environment = inherited | {
            # As the demo's processes: plain http on this machine, e-mails into files.
            "ATELIER_DEMO": "1",
            "ATELIER_DATA": str(place),
            "DATABASE_URL": cluster.url(),
            "SECRET_KEY": "only-for-this-story-and-long-enough-for-production",
            "BIND": f"127.0.0.1:{self.port}",
            "WEB_CONCURRENCY": "1",
            "WORKERS": "1",
            "LOG_FORMAT": "json",
            "STUDIO_LANGUAGE": "es",
        }

    def manage(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment | environment, check=True, capture_output=True)

    @contextmanager
    def running(self, name: str, *command: str) -> Iterator[None]:
        """A process of it, with its output in a file."""
        with (self.place / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @contextmanager
    def without_database(self) -> Iterator[None]:
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            connection.execute("CHECKPOINT")  # a throw-away server forgets what it was told last
        self.cluster.stop()
        try:
            yield
        finally:
            self.cluster.start()

    def said(self, name: str) -> list[dict[str, Any]]:
        """The lines of a process's log. Each is an object: also those of gunicorn and of django-q2."""
        text = (self.place / f"{name}.log").read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


class Browser:
    def __init__(self, studio: Studio) -> None:
        self.address = f"http://127.0.0.1:{studio.port}"
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def ask(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Any:
        """The answer, whatever its status; `text` is its body."""
        body = urllib.parse.urlencode(fields).encode() if fields is not None else None
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path, body, named)
        try:
            answer = self._opener.open(request, timeout=30)
        except urllib.error.HTTPError as refused:
            answer = refused
        answer.text = answer.read().decode()
        return answer

    def token(self, path: str) -> str:
        return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.ask(path).text)[1]

    def sign_in(self) -> None:
        fields = {"csrfmiddlewaretoken": self.token("/sign-in/"), "username": EMAIL, "password": PASSWORD}
        assert self.ask("/sign-in/", fields).status == 200
        assert self.reads_sessions()

    def reads_sessions(self) -> bool:
        """Whether the list comes, and not the door."""
        answer = self.ask("/sessions/")
        return answer.status == 200 and answer.url == f"{self.address}/sessions/"


@pytest.fixture(scope="module")
def studio(fill_as_migrated: Callable[[str], None]) -> Iterator[Studio]:
    with ExitStack() as ending:
        place = Path(tempfile.mkdtemp(prefix="atelier-away-"))
        ending.callback(shutil.rmtree, place, ignore_errors=True)
        cluster = embedded.throwaway_cluster()
        ending.callback(cluster.remove)
        cluster.start()
        studio = Studio(cluster, place)
        fill_as_migrated(cluster.url())
        studio.manage(
            *("createsuperuser", "--noinput", "--email", EMAIL, "--full_name", "Ada Admin"),
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        ending.enter_context(studio.running("web", "-m", "gunicorn"))
        browser = Browser(studio)
        until(lambda: _answers(browser), "the web server answers")
        yield studio


def _answers(browser: Browser) -> bool:
    with suppress(OSError):
        return browser.ask("/readyz").status == 200
    return False


def test_id_of_a_request_is_found_in_the_web_process_and_in_the_worker(studio):
    browser = Browser(studio)
    browser.sign_in()
    fields = {
        "csrfmiddlewaretoken": browser.token("/staff/new/"),
        "email": "nora@studio.example",
        "full_name": "Nora New",
        "roles": "Editor",
    }
    assert browser.ask("/staff/new/", fields, X_Request_ID="invite-nora-1").status == 200

    def in_worker() -> list[dict[str, Any]]:
        return [told for told in studio.said("worker") if told.get("request_id") == "invite-nora-1"]

    with studio.running("worker", "manage.py", "qcluster"):
        [ended, *_rest] = until(in_worker, "the worker tells of the task that the request caused")
    assert ended["logger"] == "studio.worker"
    assert ended["message"].startswith("studio.outbox.deliver_waiting ended after ")
    assert ended["task"]
    asked = [told for told in studio.said("web") if told.get("request_id") == "invite-nora-1"]
    assert [(told["logger"], told["method"], told["route"], told["status"]) for told in asked] == [
        ("studio.access", "POST", "staff-new", 302),
        ("studio.access", "GET", "staff-list", 200),  # where it led, by the same browser's hand
    ]
    told = json.dumps(studio.said("web") + studio.said("worker"))
    assert "nora@" not in told and "Nora" not in told and EMAIL not in told and PASSWORD not in told


def test_while_the_database_is_away_pages_say_so_and_afterwards_all_is_as_it_was(studio):
    browser, stranger = Browser(studio), Browser(studio)
    browser.sign_in()
    token = stranger.token("/sign-in/")
    before = len(studio.said("web"))

    with studio.without_database():
        assert stranger.ask("/healthz").status == 200
        ready = stranger.ask("/readyz")
        assert (ready.status, ready.text) == (503, "no database\n")

        # Already the session cannot be read: no view has been reached, and whose language it is, is not known.
        page = browser.ask("/sessions/?q=Ana", **HTML, X_Request_ID="while-away-1")
        assert page.status == 503
        assert int(page.headers["Retry-After"]) > 0
        assert page.headers["X-Request-ID"] == "while-away-1"
        assert page.headers["Content-Language"] == "es"
        assert "while-away-1" in page.text and "UNAVAILABLE" in page.text
        assert page.headers["Content-Security-Policy"]
        english = browser.ask("/", **HTML, Accept_Language="fr, en-GB;q=0.8")
        assert (english.status, english.headers["Content-Language"]) == (503, "en")
        assert "The database does not answer just now" in english.text
        chosen = browser.ask("/", **HTML, Accept_Language="es", Cookie=f"django_language=en; sessionid={'x' * 32}")
        assert (chosen.status, chosen.headers["Content-Language"]) == (503, "en")
        machine = browser.ask("/sessions/", **JSON)
        assert (machine.status, json.loads(machine.text)["code"]) == (503, "UNAVAILABLE")
        fragment = browser.ask("/sessions/", **HTMX)
        assert fragment.status == 503
        assert fragment.headers["HX-Retarget"] == "#messages"
        assert "<html" not in fragment.text
        act = stranger.ask(
            "/sign-in/", {"csrfmiddlewaretoken": token, "username": EMAIL, "password": PASSWORD}, Accept_Language="en"
        )
        assert act.status == 503
        assert "mira primero si se guardó" in act.text
        for answer in (page, english, machine, fragment, act):
            assert "psycopg" not in answer.text and "Traceback" not in answer.text

        until(lambda: len(studio.said("web")) >= before + 13, "all of it is in the log")
        told = studio.said("web")[before:]
        assert not [line for line in told if "exception" in line or "Traceback" in line["message"]]
        why, end = [line for line in told if line.get("request_id") == "while-away-1"]
        assert (why["level"], why["message"].partition(":")[0]) == ("ERROR", "The database does not answer")
        assert (end["level"], end["status"], end["logger"]) == ("WARNING", 503, "studio.access")

    assert browser.ask("/readyz").status == 200
    # Every thread kept a connection that is dead now, and finds out by itself; nobody has to sign in again.
    with ThreadPoolExecutor(8) as many:
        assert all(many.map(lambda _turn: browser.reads_sessions(), range(16)))


def test_database_that_was_restarted_between_two_requests_is_not_noticed(studio):
    browser = Browser(studio)
    browser.sign_in()
    for _turn in range(2):
        with studio.without_database():
            pass
        assert browser.reads_sessions()


def test_database_that_takes_no_more_connections_is_one_that_is_away(studio):
    browser = Browser(studio)
    browser.sign_in()
    with psycopg.connect(studio.cluster.url("postgres"), autocommit=True) as elsewhere:
        elsewhere.execute("ALTER DATABASE atelier ALLOW_CONNECTIONS false")
        try:
            elsewhere.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'atelier'")
            answer = browser.ask("/sessions/", **JSON)
            assert (answer.status, json.loads(answer.text)["code"]) == (503, "UNAVAILABLE")
            assert browser.ask("/readyz").status == 503
        finally:
            elsewhere.execute("ALTER DATABASE atelier ALLOW_CONNECTIONS true")
    assert browser.reads_sessions()
