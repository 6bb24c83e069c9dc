"""What one round of checks knows: the instant, how patient it is, and facts that several checks need."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from studio import embedded
from studio.models import JobRun

OK, WARN, BAD = "ok", "warn", "bad"
# From the worst to the best.
LEVELS = (BAD, WARN, OK)

# A worker's first tick comes half a minute after it was started; until then nothing can be said against it.
STARTING = timedelta(minutes=3)
# The page and the checks look no further back into the jobs' log.
LOG_DAYS = 8
# No such table, no such column.
NOT_THERE = ("42P01", "42703")


@dataclass(frozen=True)
class Verdict:
    """What a check says: a sentence with figures, and what to do (a command, or a page at `url`).

    `part` tells the verdicts of one check apart; `label` is what people call this part.
    """

    level: str
    says: str
    advice: str = ""
    url: str = ""
    part: str = ""
    label: str | Promise = ""


def ok(says: str, **more: Any) -> Verdict:
    return Verdict(OK, says, **more)


def warn(says: str, advice: str, **more: Any) -> Verdict:
    return Verdict(WARN, says, advice, **more)


def bad(says: str, advice: str, **more: Any) -> Verdict:
    return Verdict(BAD, says, advice, **more)


@dataclass(frozen=True)
class Server:
    """What the database says of itself. `ahead_seconds` is by how much its clock is before this machine's."""

    version: str
    number: int
    is_replica: bool
    used: int
    maximum: int
    answered_ms: float
    ahead_seconds: float


SERVER = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery(),
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
       extract(epoch FROM clock_timestamp())::float8
"""


@dataclass
class Look:
    """One round. Facts are asked once each, when a check first needs them.

    `clock` is this machine's, in seconds since 1970; `patience` is how long a mail server or a broker may take, in
    seconds; `answers` keeps what slow ones said, so that a page need not ask at each reload; `room` is how many bytes
    of a disk have to be free, for a warning and for an alarm.
    """

    now: datetime
    clock: Callable[[], float] = time.time
    patience: float = 5.0
    answers: Answers = field(default_factory=lambda: Answers(keep_seconds=0))
    room: tuple[int, int] = (2 * 1024**3, 512 * 1024**2)

    @cached_property
    def server(self) -> Server:
        """Raises DatabaseError when the database is away."""
        connection.ensure_connection()
        with connection.cursor() as cursor:
            asked, begun = self.clock(), time.perf_counter()
            cursor.execute(SERVER)
            version, number, is_replica, used, maximum, told = cursor.fetchone()
            took, answered = time.perf_counter() - begun, self.clock()
        return Server(
            version=version.split()[0],
            number=number,
            is_replica=is_replica,
            used=used,
            maximum=maximum,
            answered_ms=took * 1000,
            # Its clock was read about in the middle between question and answer.
            ahead_seconds=told - (asked + answered) / 2,
        )

    @cached_property
    def away(self) -> str:
        """Why the database does not answer; empty when it does."""
        try:
            self.server  # noqa: B018 - asking is the point
        except (DatabaseError, OSError) as error:
            return in_words(error)
        return ""

    @cached_property
    def migrations(self) -> MigrationExecutor:
        """All migrations of the program, and those that were applied, with when."""
        return MigrationExecutor(connection)

    @cached_property
    def unapplied(self) -> list[str]:
        """The migrations that the program wants and the database lacks."""
        loader = self.migrations.loader
        return sorted(f"{app}.{name}" for app, name in set(loader.graph.nodes) - set(loader.applied_migrations))

    @cached_property
    def installed_at(self) -> datetime:
        """When the first table was made: a database that was restored keeps its age."""
        applied = [migration.applied for migration in self.migrations.loader.applied_migrations.values()]
        return min(applied, default=self.now)

    @cached_property
    def started_at(self) -> datetime:
        """When the worker may have been started, as far as that can be known: never before the installation."""
        since = embedded.demo_since(settings.DATA_DIR) if settings.DEMO else None
        demo = datetime.fromtimestamp(since, UTC) if since else self.installed_at
        return max(demo, self.installed_at)

    @property
    def is_starting(self) -> bool:
        return self.now - self.started_at < STARTING

    @cached_property
    def runs(self) -> list[JobRun]:
        """The jobs' log of the last days, newest first."""
        return recent_runs(self.now, timedelta(days=LOG_DAYS))


def recent_runs(now: datetime, back: timedelta) -> list[JobRun]:
    return list(JobRun.objects.filter(due_at__gte=now - back).order_by("-due_at", "-pk"))


class Answers:
    """What slow machines answered, kept for a while in this process. They may be asked anew at any time."""

    def __init__(self, keep_seconds: float) -> None:
        self.keep_seconds = keep_seconds
        self._kept: dict[str, tuple[float, Any]] = {}

    def of(self, key: str, ask: Callable[[], Any]) -> Any:
        """The answer to `ask`, kept under `key`. It returns what happened, also an error, and never raises."""
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < self.keep_seconds:
            return kept[1]
        answer = ask()
        if self.keep_seconds:
            self._kept[key] = (time.monotonic(), answer)
        return answer

    def forget(self) -> None:
        self._kept.clear()


def within(seconds: float, do: Callable[[], Any]) -> Any:
    """What `do` returns, or the error that it raised, or TimeoutError after so many seconds. Never raises.

    It runs in a thread of its own: a socket's time limit is for each of its steps, and looking up a name has none; only
    this holds for all of them together. A thread that hangs ends by its own limits.
    """
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(do())
        except Exception as error:
            answers.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else TimeoutError(f"no answer within {seconds:g} s")


def in_words(error: BaseException) -> str:
    """An error as one line for an Admin: its kind, and what it says first."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0].strip()}"[:300] if said else type(error).__name__


def broken(look: Look, error: BaseException) -> Verdict:
    """For a check that itself has an error: that much can be said."""
    if getattr(error.__cause__, "sqlstate", None) in NOT_THERE and look.unapplied:
        return warn(_("Not known until the migrations are applied."), "")
    return bad(
        _("This could not be looked at: %(error)s.") % {"error": in_words(error).rstrip(".")},
        _("The log of the web process tells more, and so does manage.py doctor --verbosity 2."),
    )
