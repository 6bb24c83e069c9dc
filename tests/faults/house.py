"""One installation under test: a database of its own, its environment, and the processes that serve it.

The processes are those that `docs/running.md` starts, `manage.py qcluster` and gunicorn, each in a group of its own and
with its output in a file. What the test itself asks and writes goes to the same database (`at_home`).
"""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import environ
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections, transaction
from django.test import override_settings
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from studio.access import forget_permissions
from studio.children import die_with_owner
from studio.conf import STUDIO
from tests.faults.waiting import eventually

ROOT = Path(settings.BASE_DIR)
SECRET = "only-for-these-houses-and-long-enough-for-production"
STOP_WITHIN_SECONDS = 90

# Every instant by which the machinery waits for something. To shift them back is to let time pass.
CLOCKS = {
    "django_q_ormq": ("lock",),
    "studio_outgoingemail": ("next_try_at", "claimed_at", "sent_at", "created_at"),
    "studio_jobrun": ("due_at", "queued_at", "started_at", "finished_at"),
}
UNDER_WAY = """
SELECT 1 FROM studio_outgoingemail WHERE status = 'claimed' AND claimed_at > %(since)s
UNION ALL SELECT 1 FROM studio_jobrun WHERE started_at > %(since)s AND finished_at IS NULL LIMIT 1
"""


def zone_at_noon() -> str:
    """A zone in which it is about noon: no test runs over midnight, and the morning's jobs have fallen due."""
    offset = (12 - datetime.now(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


class Process:
    """A child in a process group of its own."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], place: Path, fds: tuple[int, ...]) -> None:
        self.name = name
        self.log = place / f"{name}.log"
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=fds,
                preexec_fn=die_with_owner(),  # after a kill -9 of the tests
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    @property
    def members(self) -> int:
        """How many processes of its group live."""
        living = 0
        for each in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, _parent, group = each.read_text().rpartition(")")[2].split()[:3]
                living += int(group) == self.pid and state != "Z"
        return living

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """kill -9 of the whole group, as when the machine goes."""
        self.send_group(signal.SIGKILL)
        self.popen.wait()

    def send_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def ask_to_stop(self) -> None:
        """SIGTERM to the one that was started, which stops its children in order."""
        self.popen.send_signal(signal.SIGTERM)

    def wait_for_end(self) -> int:
        return self.popen.wait(STOP_WITHIN_SECONDS)


class Worker(Process):
    """`manage.py qcluster`."""

    def pid_of(self, doing: str) -> int:
        """The process that has said so: `ready for work`, `monitoring`, `pushing tasks`; `guarding` has all of them."""
        if doing == "guarding":
            status = Path(f"/proc/{self.pid_of('monitoring')}/stat").read_text()
            return int(status.rpartition(")")[2].split()[1])
        found = eventually(lambda: re.search(rf"{doing} at (\d+)", self.said), f"the worker is {doing}")
        return int(found[1])

    def wait_until_it_works(self) -> None:
        self.pid_of("pushing tasks")

    def end_as_service_manager(self) -> int:
        """What systemd does once the main process has ended: the rest of the group goes, too. Its exit code."""
        code = self.wait_for_end()
        self.kill()
        return code


class Web(Process):
    """gunicorn, on a socket that is kept for it: where it listens is known before it does."""

    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class House:
    """``url`` names the database. ``environment`` is what its processes get, beside what they inherit."""

    def __init__(self, url: str, place: Path, *, zone: str) -> None:
        self.url = url
        self.place = place
        self.zone = zone
        self.processes: list[Process] = []
        self._lost_at = datetime(2000, 1, 1, tzinfo=UTC)
        self.environment = {
            "DATABASE_URL": url,
            "SECRET_KEY": SECRET,
            "STUDIO_TIME_ZONE": zone,
            "ATELIER_DATA": str(place),
            "EMAIL_URL": "smtp://127.0.0.1:1",
            # A mail server that hangs is given up on so quickly, that a test need not wait.
            "EMAIL_TIMEOUT": "2",
            "WORKERS": "2",
            "PYTHONUNBUFFERED": "1",
        }

    # -- its processes ---------------------------------------------------------------------

    def worker(self, **env: str) -> Worker:
        return self._start(Worker, "worker", [sys.executable, "manage.py", "qcluster"], env)

    def web(self, processes: int = 2) -> Web:
        listening = socket.create_server(("127.0.0.1", 0))
        with listening:
            env = {
                # Plain http, and pages as they are in the source; its mail goes through the worker.
                "ATELIER_DEMO": "1",
                "BIND": f"fd://{listening.fileno()}",
                "WEB_CONCURRENCY": str(processes),
            }
            web = self._start(Web, "web", [sys.executable, "-m", "gunicorn"], env, (listening.fileno(),))
            web.port = listening.getsockname()[1]
        return web

    def python(self, module: str, *arguments: str, **env: str) -> Process:
        """Another program of the house, such as a command that somebody types beside the worker."""
        return self._start(Process, module.rpartition(".")[2], [sys.executable, "-m", module, *arguments], env)

    def _start(self, kind: Any, name: str, command: list[str], env: dict[str, str], fds: tuple[int, ...] = ()) -> Any:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "STUDIO_", "ATELIER_D"))
        }
        number = sum(each.name.startswith(f"{name}-") for each in self.processes) + 1
        process = kind(f"{name}-{number}", command, inherited | self.environment | env, self.place, fds)
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()

    # -- its time --------------------------------------------------------------------------

    def minute(self) -> None:
        """What the schedule does each minute. The worker's own first one comes half a minute after its start."""
        async_task("studio.jobs.minute_tick")

    def minutes_until(self, question: Callable[[], Any], what: str, *, passing: bool = False) -> Any:
        """Let one tick come after the other, each when the worker has taken the tasks of the one before.

        ``passing``: a minute really has passed in between for what waits.
        """

        def after_one_more() -> Any:
            answer = question()
            if not answer and not OrmQ.objects.filter(lock__lte=timezone.now()).exists():
                if passing:
                    self.time_passes(minutes=1)
                self.minute()
            return answer

        return eventually(after_one_more, what)

    def time_passes(self, **span: float) -> None:
        """Have so much time passed for everything that waits: claims, back-offs, queued and started runs.

        Only while nothing is under way: whoever has claimed a row knows it again by the instant of the claim.
        """
        eventually(lambda: self._shift(timedelta(**span)), "nothing is under way")

    def all_is_lost(self) -> None:
        """What is under way now never ends: its process is gone."""
        self._lost_at = timezone.now()

    def _shift(self, span: timedelta) -> bool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE studio_outgoingemail, studio_jobrun IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(UNDER_WAY, {"since": self._lost_at})
            if cursor.fetchone():
                return False
            for table, columns in CLOCKS.items():
                moved = ", ".join(f"{column} = {column} - %s" for column in columns)
                cursor.execute(f"UPDATE {table} SET {moved}", [span] * len(columns))
        self._lost_at -= span
        return True


@contextmanager
def at_home(house: House) -> Iterator[None]:
    """Let this process be one of the house's, too: its database, its zone, and its key for what is queued."""
    default = connection.settings_dict
    told = environ.Env.db_url_config(house.url)
    kept = {key: default.get(key) for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")}
    key = Conf.SECRET_KEY
    _look_anew()
    default.update({name: told.get(name) or ({} if name == "OPTIONS" else "") for name in kept})
    Conf.SECRET_KEY = SECRET
    try:
        with STUDIO.overridden(time_zone=house.zone), override_settings(SECRET_KEY=SECRET, TIME_ZONE=house.zone):
            yield
    finally:
        Conf.SECRET_KEY = key
        _look_anew()
        default.update(kept)


def _look_anew() -> None:
    """Another database: other connections, other ids."""
    connections.close_all()
    forget_permissions()
    ContentType.objects.clear_cache()
