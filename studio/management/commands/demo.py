"""`manage.py demo`: everything in one process tree, from nothing to served pages.

The process of this command owns the others: PostgreSQL, the web server and the worker. They start
in this order and stop in the other one.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import (
    BaseCommand,
    CommandError,
    CommandParser,
    call_command,
    get_commands,
)

from studio import embedded
from studio.children import die_with_owner

SERVE_WITHIN_SECONDS = 60.0
STOP_WITHIN_SECONDS = 5.0
RESTARTS = 5
RESTARTS_WITHIN_SECONDS = 60.0
SIGN_INS = "sign-ins.txt"
# What commands beside the demo have to know of its environment.
TOLD = ("ATELIER_DEMO", "ATELIER_BACKUPS", "ALLOWED_HOSTS")


class Command(BaseCommand):
    help = "Serve Atelier on this machine, with its own PostgreSQL and with data to look at."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
        parser.add_argument("--data", type=Path, help="where to keep the data (.atelier)")
        parser.add_argument("--no-demo-data", action="store_true", help="start empty")
        # The same command once more, with the environment of the demo: see `prepared`.
        parser.add_argument("--prepare", action="store_true", help="(internal)")

    def handle(self, **options: Any) -> None:
        if options["prepare"]:
            _prepare(with_demo_data=not options["no_demo_data"])
            return
        data = (options["data"] or settings.DATA_DIR).absolute()
        with_demo_data = not options["no_demo_data"]
        _refuse_known_passwords_in_public(options["host"], data, with_demo_data)
        stopping = _Stopping()
        key = os.environ.get("SECRET_KEY") or embedded.secret_key(data)  # makes the directory
        os.umask(0o077)  # logs and mail are for the owner's eyes
        with _only_owner_of(data):
            given = os.environ.get("DATABASE_URL")
            cluster = None if given else embedded.Cluster(data)
            try:
                with cluster or nullcontext():
                    environment = os.environ | {
                        "ATELIER_DEMO": "1",
                        "ATELIER_DATA": str(data),
                        "DATABASE_URL": given or cluster.url(),
                        "SECRET_KEY": key,
                        "ATELIER_BACKUPS": os.environ.get("ATELIER_BACKUPS") or str(data / "backups"),
                        "BIND": _address(options["host"], options["port"]),
                    }
                    if options["host"] not in settings.ALLOWED_HOSTS:
                        allowed = [*settings.ALLOWED_HOSTS, options["host"]]
                        environment["ALLOWED_HOSTS"] = ",".join(allowed)
                    embedded.mark_as_demo(data, {name: environment[name] for name in TOLD if name in environment})
                    self._serve(environment, data, options, stopping, cluster)
            except embedded.EmbeddedError as wrong:
                raise CommandError(str(wrong)) from wrong

    def _serve(
        self,
        environment: dict[str, str],
        data: Path,
        options: dict[str, Any],
        stopping: _Stopping,
        cluster: embedded.Cluster | None,
    ) -> None:
        """Prepare the database, start web and worker, watch them until asked to stop."""
        manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        _wait_for_port(options["host"], options["port"], stopping)
        prepare = [*manage, "demo", "--prepare"]
        if options["no_demo_data"]:
            prepare.append("--no-demo-data")
        web = _Child("web", [sys.executable, "-m", "gunicorn"], environment, data)
        worker = _Child("worker", [*manage, "qcluster"], environment, data)
        children = [web, worker]
        try:
            # Loading the code takes longer than bringing the database up to date: both at once.
            web.start()
            if not _done(prepare, environment, stopping):
                return
            worker.start()
            url = f"http://{_address(options['host'], options['port'])}"
            if self._answers(url, children, stopping):
                self._say_where(url, data)
            while not stopping.asked:
                for child in children:
                    child.restart_if_it_ended()
                if cluster is not None and not cluster.listens():
                    cluster.start()
                time.sleep(0.2)
        finally:
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.stop()

    def _answers(self, url: str, children: list[_Child], stopping: _Stopping) -> bool:
        """Wait until a page comes back. False when asked to stop before."""
        deadline = time.monotonic() + SERVE_WITHIN_SECONDS
        while not stopping.asked:
            for child in children:
                child.restart_if_it_ended()
            try:
                with urllib.request.urlopen(_reachable(url), timeout=5):
                    return True
            except urllib.error.HTTPError as answer:
                if answer.code < 500:
                    return True
                reason = f"pages answer {answer.code}"
            except OSError as wrong:
                reason = str(wrong)
            if time.monotonic() > deadline:
                log = children[0].log
                raise CommandError(f"No page came within a minute ({reason}); see {log}.")
            time.sleep(0.1)
        return False

    def _say_where(self, url: str, data: Path) -> None:
        self.stdout.write(f"Serving on {url}")
        sign_ins = data / SIGN_INS
        if sign_ins.exists():
            self.stdout.write(sign_ins.read_text().rstrip())
        self.stdout.write("Stop with Ctrl-C.")
        self.stdout.flush()


def _prepare(*, with_demo_data: bool) -> None:
    """Bring the database up to date; load the demo data where nobody has an account yet."""
    from django.contrib.auth import get_user_model

    call_command("migrate", verbosity=0, interactive=False)
    if with_demo_data and "load_demo" in get_commands() and not get_user_model().objects.exists():
        draft = settings.DATA_DIR / f"{SIGN_INS}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            call_command("load_demo", stdout=file)
        draft.rename(settings.DATA_DIR / SIGN_INS)


def _done(command: list[str], environment: dict[str, str], stopping: _Stopping) -> bool:
    """Run to the end; False when asked to stop before (its transactions roll back)."""
    running = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    while running.poll() is None:
        if stopping.asked:
            running.terminate()
            running.wait()
            return False
        time.sleep(0.05)
    if running.returncode != 0 and not stopping.asked:
        raise CommandError("The database could not be prepared; the message is above.")
    return not stopping.asked


class _Stopping:
    """Whether somebody asked to stop: by Ctrl-C, by SIGTERM, or by closing the terminal."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


class _Child:
    """A child in a process group of its own, with its output in a file, restarted when it dies."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], data: Path) -> None:
        self.name = name
        self.command = command
        self.env = env
        self.log = data / f"{name}.log"
        self._running: subprocess.Popen[bytes] | None = None
        self._started: deque[float] = deque(maxlen=RESTARTS + 1)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self.command,
                cwd=settings.BASE_DIR,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to the owner, which stops all in order
                preexec_fn=die_with_owner(),
            )
        self._started.append(time.monotonic())

    def restart_if_it_ended(self) -> None:
        """Start it again, but not for ever: what dies at once again and again needs a person."""
        if self._running is None or self._running.poll() is None:
            return
        self._end_group(signal.SIGKILL)
        often = len(self._started) > RESTARTS
        if often and time.monotonic() - self._started[0] < RESTARTS_WITHIN_SECONDS:
            raise CommandError(f"The {self.name} process keeps ending; see {self.log}.")
        self.start()

    def ask_to_stop(self) -> None:
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()

    def stop(self) -> None:
        """Wait for it, then end whatever is left of its group."""
        if self._running is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._running.wait(STOP_WITHIN_SECONDS)
        self._end_group(signal.SIGKILL)
        self._running.wait()

    def _end_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._running.pid, number)


def _only_owner_of(data: Path) -> Any:
    """Hold the data directory's lock: two owners would each run the jobs and stop each other."""
    file = (data / "owner.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise CommandError(f"Another process serves from {data} already; stop it, or choose another --data.") from None
    return file


def _wait_for_port(host: str, port: int, stopping: _Stopping) -> None:
    """After a kill -9 the last web server needs a moment to go."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + 8
    while not stopping.asked:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return
            except OSError as taken:
                if time.monotonic() > deadline:
                    raise CommandError(
                        f"{_address(host, port)} cannot be used ({taken.strerror}); choose another --port."
                    ) from taken
        time.sleep(0.2)


def _refuse_known_passwords_in_public(host: str, data: Path, with_demo_data: bool) -> None:
    """The passwords of the demo are printed in the manual: for this machine only."""
    try:
        public = not ipaddress.ip_address(host).is_loopback
    except ValueError:
        public = host != "localhost"
    if public and (with_demo_data or (data / SIGN_INS).exists()):
        raise CommandError(
            f"The demo's passwords are known to everybody, and {host} can be reached from other "
            "machines. Use --no-demo-data and a --data directory without demo data."
        )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reachable(url: str) -> str:
    """The address under which this machine reaches a server that listens everywhere."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
