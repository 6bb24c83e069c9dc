"""A PostgreSQL server as its administrator meets it: the client programs, whole databases, what is in one.

Used by `studio/backups.py`. The account is the one of DATABASE_URL. Its password travels in the environment of the
programs, never on their command line, and is in no message.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import errors, sql
from psycopg.pq import Conninfo

from studio import embedded
from studio.children import die_with_owner

logger = logging.getLogger(__name__)

PROGRAMS = ("pg_dump", "pg_restore", "psql")
# One of these is on every server; a database cannot be renamed from within.
MAINTENANCE = ("postgres", "template1", "defaultdb")
# Our databases beside the real one: what for, when by the server's clock, and who.
SCRATCH = re.compile(r"atelier_(?:check|restore)_(\d{10,})_[0-9a-f]{12}")
# So long a new one may be without a connection, between its making and its first use.
SCRATCH_IS_NEW_SECONDS = 60
SWAP_WITHIN_SECONDS = 20.0
LONGEST_NAME = 63  # bytes
# pg_restore of 17 and later begins with a setting that earlier servers do not know, and stops there.
TIMEOUT_SINCE = 17
UNKNOWN_SETTING = b"SET transaction_timeout = 0;\n"
NO_ROOM = ("No space left on device", "Disk quota exceeded", "File too large", "disk full")

KEYWORDS = {
    option.keyword.decode(): option.envvar.decode() if option.envvar else "" for option in Conninfo.get_defaults()
}


class PostgresError(RuntimeError):
    """Something that could not be done; the sentence says what, and what to do."""


# --- The programs -------------------------------------------------------------------------


class Running:
    """A program that was started. Used with `with`: whatever happens, it does not outlive the block."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], **pipes: Any) -> None:
        self._program = Path(command[0]).name
        self._child = subprocess.Popen(
            command,
            env=environment,
            stdin=pipes.get("stdin", subprocess.DEVNULL),
            stdout=pipes.get("stdout", subprocess.DEVNULL),
            stderr=subprocess.PIPE,
            umask=0o077,
            preexec_fn=die_with_owner(),
        )
        self.stdin, self.stdout = self._child.stdin, self._child.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe:
                with suppress(OSError):
                    pipe.close()
        self._child.wait()

    def finish(self, place: str = "") -> None:
        """Wait for the end; PostgresError with the program's own reason. `place` says whose disk it fills."""
        _out, told = self._child.communicate()
        if self._child.returncode != 0:
            raise PostgresError(_why(self._program, self._child.returncode, told.decode(errors="replace"), place))


@dataclass(frozen=True)
class Programs:
    """pg_dump, pg_restore and psql of one directory and one major version."""

    directory: Path
    major: int

    def dump(self, server: Server, database: str, snapshot: str, into: int) -> Running:
        """Begin to write what `snapshot` sees of `database` to the descriptor `into`."""
        return self._start(
            server,
            ["pg_dump", "--format=custom", f"--snapshot={snapshot}", "--lock-wait-timeout=60s", "--no-password"]
            # Who copies this database elsewhere is no part of it, and takes an account of more rights to restore.
            + ["--no-publications", "--no-subscriptions"],
            database,
            stdout=into,
        )

    def load(
        self, server: Server, database: str, archive: Path, *, role: str | None = None, privileges: bool = True
    ) -> None:
        """Restore `archive` into the empty `database`; its objects become those of `role`. The first error ends it."""
        what = ["--no-owner"]
        what += [] if privileges else ["--no-privileges"]
        what += [f"--role={role}"] if role else []
        # A name that contains `=` would be read as a whole address.
        where = [f"--dbname={psycopg.conninfo.make_conninfo(dbname=database)}", "--no-password"]
        if self.major >= TIMEOUT_SINCE > server.major:
            self._load_through_psql(server, database, archive, what, where)
            return
        command = ["pg_restore", "--exit-on-error", *what, *where, str(archive)]
        with self._start(server, command, database) as restore:
            restore.finish("on the database server")

    def count(self, archive: Path, table: str) -> int:
        """How many rows of `table` the archive holds. Asks no server."""
        command = ["pg_restore", "--data-only", f"--table={table}", "--file=-", str(archive)]
        rows, inside = 0, False
        with self._start(None, command, stdout=subprocess.PIPE) as reader:
            for line in reader.stdout:
                if not inside:
                    inside = line.startswith(b"COPY ")
                elif line == b"\\.\n":
                    inside = False
                else:
                    rows += 1
            reader.finish()
        return rows

    def _load_through_psql(
        self, server: Server, database: str, archive: Path, what: Sequence[str], where: Sequence[str]
    ) -> None:
        """The same by way of SQL, without the one setting that an older server refuses."""
        read = ["pg_restore", *what, "--file=-", str(archive)]
        write = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *where]
        with (
            self._start(server, read, database, stdout=subprocess.PIPE) as reader,
            self._start(server, write, database, stdin=subprocess.PIPE) as writer,
        ):
            with suppress(BrokenPipeError):  # psql has stopped at an error, which is told below
                writer.stdin.write(reader.stdout.read(4096).replace(UNKNOWN_SETTING, b"", 1))
                shutil.copyfileobj(reader.stdout, writer.stdin, 1 << 20)
            reader.stdout.close()
            writer.finish("on the database server")
            reader.finish()

    def _start(self, server: Server | None, command: Sequence[str], database: str = "", **pipes: Any) -> Running:
        environment = _bare_environment() if server is None else server.environment(database)
        return Running([str(self.directory / command[0]), *command[1:]], environment, **pipes)


def programs(at_least: int) -> Programs:
    """The programs of a version that can read this server: ATELIER_PG_BIN, then PATH, then the wheel.

    An older pg_dump refuses a newer server; a newer one reads all that Atelier runs on. PostgresError names what is
    here when nothing fits.
    """
    seen = []
    for directory in _directories():
        major = _major(directory)
        if major is None:
            continue
        if major >= at_least:
            return Programs(directory, major)
        seen.append(f"{major} in {directory}")
    here = "those here are of " + " and ".join(seen) if seen else "there are none here"
    raise PostgresError(
        f"This needs pg_dump, pg_restore and psql of PostgreSQL {at_least} or newer, and {here}. Install "
        f"postgresql-client-{at_least}, or set ATELIER_PG_BIN to the directory of such programs."
    )


def _directories() -> Iterator[Path]:
    given = os.environ.get("ATELIER_PG_BIN")
    if given:
        yield Path(given)
    on_path = shutil.which("pg_dump")
    if on_path:
        yield Path(on_path).parent
    with suppress(embedded.EmbeddedError):
        yield embedded.wheel_binaries()


def _major(directory: Path) -> int | None:
    """The version of the programs in there; None where one of them is missing or does not run."""
    if not all(os.access(directory / name, os.X_OK) for name in PROGRAMS):
        return None
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(
            [directory / "pg_dump", "--version"],
            env=_bare_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        found = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
        if found:
            return int(found[1])
    return None


def _bare_environment() -> dict[str, str]:
    """Messages in English, whatever the operator reads: they are looked through."""
    return {**os.environ, "LC_ALL": "C"}


def _why(program: str, code: int, told: str, place: str) -> str:
    """One sentence of what a program said when it failed."""
    said = _first_error(told)
    if code == -signal.SIGXFSZ or any(phrase in told for phrase in NO_ROOM):
        return f"There is no room left {place}: {program} stopped ({said}). Free some space there and try again."
    if "unsupported version" in said:
        return f"The file was written by a newer pg_dump ({said}): set ATELIER_PG_BIN to programs as new."
    if code < 0:
        return f"{program} was ended by {signal.Signals(-code).name}."
    return f"{program} failed: {said}"


def _first_error(told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    if not lines:
        return "it did not say why"
    first = next((n for n, line in enumerate(lines) if re.search("error:|ERROR:|FATAL:", line)), 0)
    said = re.sub(r"^(?:pg_dump|pg_restore|psql|psql:\S+): (?:error: )?", "", lines[first])
    more = [line for line in lines[first + 1 : first + 3] if line.startswith("DETAIL:")]
    return " ".join(" ".join([said, *more]).split())[:400].rstrip(".")


# --- The server and its databases ---------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """How a server is reached and by which account."""

    parameters: Mapping[str, str] = field(repr=False)  # it knows the password
    database: str

    @classmethod
    def of_settings(cls) -> Self:
        """The one of DATABASE_URL, as Django reaches it."""
        from django.db import connection

        told = {name: str(value) for name, value in connection.get_connection_params().items() if name in KEYWORDS}
        # Of Django's own: a dump is in the database's encoding.
        told.pop("client_encoding", None)
        database = told.pop("dbname", "")
        if not database:
            # A service file names it.
            with psycopg.connect(**told) as asked:
                database = asked.info.dbname
        return cls(told, database)

    def connect(self, database: str | None = None) -> psycopg.Connection[Any]:
        """A connection of one's own, without the limits that are meant for pages. Each statement commits."""
        opened = psycopg.connect(
            **{"connect_timeout": "10", "application_name": "atelier backup"} | dict(self.parameters),
            dbname=database or self.database,
            autocommit=True,
            prepare_threshold=None,
        )
        limits = ["statement_timeout", "idle_in_transaction_session_timeout"]
        if opened.info.server_version >= TIMEOUT_SINCE * 10000:
            limits.append("transaction_timeout")
        for limit in limits:
            opened.execute(f"SET {limit} = 0")
        opened.execute("SET lock_timeout = '60s'")
        opened.execute("SET search_path = pg_catalog")
        return opened

    def environment(self, database: str) -> dict[str, str]:
        """What a program needs to get there: the same as Django, the password included."""
        ours = {KEYWORDS[name]: value for name, value in self.parameters.items() if KEYWORDS[name]}
        return _bare_environment() | ours | {"PGDATABASE": database}

    def address(self, database: str) -> str:
        """The database for somebody's own psql, without the password."""
        shown = {name: self.parameters[name] for name in ("service", "host", "port", "user") if name in self.parameters}
        return psycopg.conninfo.make_conninfo(**shown, dbname=database)

    @cached_property
    def major(self) -> int:
        """The server's version. Asked once."""
        with self.maintenance() as connection:
            return connection.info.server_version // 10000

    @contextmanager
    def maintenance(self, besides: str | None = None) -> Iterator[psycopg.Connection[Any]]:
        """A connection to a database that is not `besides`, nor the one of the settings."""
        failed = None
        for name in MAINTENANCE:
            if name in (besides, self.database):
                continue
            try:
                connection = self.connect(name)
            except psycopg.OperationalError as wrong:
                failed = failed or wrong
                continue
            with closing(connection):
                yield connection
            return
        raise PostgresError(
            f"No database could be opened on the server to work from ({_one_line(failed)}); one of "
            f"{', '.join(MAINTENANCE)} has to admit the account."
        )

    def exists(self, database: str) -> bool:
        with self.maintenance(database) as connection:
            return _exists(connection, database)

    @contextmanager
    def new_database(self, purpose: str, *, like: str | None = None, owner: str | None = None) -> Iterator[str]:
        """An empty database for `purpose` (check, restore), dropped at the end unless it was renamed.

        `like` gives it encoding and locale. PostgresError when the account may not create databases.
        """
        place = _locale_of(self, like) if like else [sql.SQL("ENCODING 'UTF8'")]
        if owner:
            place.append(sql.SQL("OWNER {}").format(sql.Identifier(owner)))
        with self.maintenance() as connection:
            (now,) = connection.execute("SELECT extract(epoch FROM clock_timestamp())::bigint").fetchone()
            name = f"atelier_{purpose}_{now}_{secrets.token_hex(6)}"
            create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}").format(
                sql.Identifier(name), sql.SQL(" ").join(place)
            )
            try:
                # Inside, so that an interruption between the two leaves nothing.
                try:
                    connection.execute(create)
                except errors.InsufficientPrivilege as wrong:
                    account = connection.info.user
                    raise PostgresError(
                        f"The account {account} may not create databases ({_one_line(wrong)}). "
                        f'Let somebody who may say ALTER ROLE "{account}" CREATEDB, or name another account in '
                        "DATABASE_URL."
                    ) from wrong
                # Somebody is in it as long as it is needed: nobody takes it for a leftover.
                with closing(self.connect(name)):
                    yield name
            finally:
                _drop(self, name)

    def drop_leftovers(self) -> list[str]:
        """Drop what killed runs left behind: databases of our names, not new, with nobody in them."""
        dropped = []
        with self.maintenance() as connection:
            idle = connection.execute(
                "SELECT datname, extract(epoch FROM clock_timestamp())::bigint FROM pg_database d WHERE starts_with("
                "datname, 'atelier_') AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)"
            ).fetchall()
            for name, now in idle:
                ours = SCRATCH.fullmatch(name)
                if ours and now - int(ours[1]) > SCRATCH_IS_NEW_SECONDS:
                    # Somebody may have entered it, or dropped it; another account's is theirs to drop.
                    with suppress(errors.ObjectInUse, errors.InvalidCatalogName, errors.InsufficientPrivilege):
                        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
                        dropped.append(name)
        return dropped

    def owner_to_be(self, database: str) -> str | None:
        """The account whose tables those of `database` are, where it is another one that ours may act for."""
        with closing(self.connect(database)) as connection:
            owner, account, may = connection.execute(
                "SELECT owner, current_user, pg_has_role(current_user, owner, 'MEMBER') FROM (SELECT pg_get_userbyid("
                "coalesce((SELECT relowner FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                " WHERE relname = 'django_migrations' AND nspname = 'public'), datdba)) AS owner"
                " FROM pg_database WHERE datname = current_database()) AS found"
            ).fetchone()
        return owner if may and owner != account else None

    def own_settings(self, database: str) -> list[str]:
        """What was set for `database` as a whole (ALTER DATABASE ... SET): no dump holds that."""
        with closing(self.connect(database)) as connection:
            found = connection.execute(
                "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
                "WHERE datname = current_database() AND setrole = 0"
            )
            return [each for (each,) in found]

    def drop(self, database: str) -> None:
        """Remove it for good. ObjectInUse when somebody is in it."""
        with self.maintenance(database) as connection:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(database)))

    def swap(self, new: str, name: str) -> str | None:
        """Give `new` the name `name`, in one transaction; returns what the former `name` is called now, if any.

        Connections to both are ended. PostgresError when others keep coming back: then nothing has changed.
        """
        deadline = time.monotonic() + SWAP_WITHIN_SECONDS
        with self.maintenance(name) as connection:
            former = _free_name(connection, name) if _exists(connection, name) else None
            while True:
                try:
                    with connection.transaction():
                        _end_connections(connection, new)
                        if former:
                            _end_connections(connection, name)
                            _rename(connection, name, former)
                        _rename(connection, new, name)
                    return former
                except errors.ObjectInUse as wrong:
                    if time.monotonic() > deadline:
                        raise PostgresError(
                            f"The database {name} is in use and its connections could not be ended "
                            f"({_who(connection, name)}). Stop the web processes and the worker, and try again."
                        ) from wrong
                except errors.InsufficientPrivilege as wrong:
                    raise PostgresError(
                        f"The account {connection.info.user} may not rename {name} or end its connections "
                        f"({_one_line(wrong)}): use the database's owner in DATABASE_URL, with the right CREATEDB."
                    ) from wrong


@contextmanager
def in_words() -> Iterator[None]:
    """Turn what the server or its connection says into one sentence (PostgresError)."""
    try:
        yield
    except errors.DiskFull as wrong:
        raise PostgresError(
            f"There is no room left on the database server ({_one_line(wrong)}). Free some space there and try again."
        ) from wrong
    except errors.LockNotAvailable as wrong:
        raise PostgresError(
            f"A table stayed locked for a minute ({_one_line(wrong)}), as while migrating. Try again afterwards."
        ) from wrong
    except psycopg.OperationalError as wrong:
        raise PostgresError(f"The database server does not answer: {_one_line(wrong)}") from wrong
    except psycopg.Error as wrong:
        raise PostgresError(f"The database refused: {_one_line(wrong)}") from wrong


def _one_line(wrong: BaseException | None) -> str:
    return " ".join(str(wrong or "").split()).rstrip(".")[:400]


def _exists(connection: psycopg.Connection[Any], database: str) -> bool:
    return connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is not None


def _rename(connection: psycopg.Connection[Any], name: str, to: str) -> None:
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to)))


def _end_connections(connection: psycopg.Connection[Any], database: str) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
        [database],
    )


def _who(connection: psycopg.Connection[Any], database: str) -> str:
    found = connection.execute(
        "SELECT coalesce(usename, backend_type), count(*) FROM pg_stat_activity WHERE datname = %s GROUP BY 1",
        [database],
    ).fetchall()
    return ", ".join(f"{count} of {who}" for who, count in found) or "they come and go"


def _free_name(connection: psycopg.Connection[Any], database: str) -> str:
    """What the former `database` is going to be called: with the time by the server's clock."""
    ending = f"_before_{clock(connection):%Y%m%d_%H%M%S}"
    for number in range(2, 100):
        name = former_name(database, ending)
        if not _exists(connection, name):
            return name
        ending = f"{ending[:23]}_{number}"
    raise PostgresError(f"There are a hundred databases named {name} already.")


def former_name(database: str, ending: str) -> str:
    """Both together, cut to what the server takes as a name."""
    return database.encode()[: LONGEST_NAME - len(ending)].decode(errors="ignore") + ending


def _drop(server: Server, name: str) -> None:
    """Away with it, whoever is in it: it is ours. On a connection of its own, since the other may be broken."""
    try:
        with server.maintenance() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    except (psycopg.Error, PostgresError) as wrong:
        logger.warning("The database %s could not be dropped; the next run drops it: %s", name, _one_line(wrong))


def _locale_of(server: Server, database: str) -> list[sql.Composable]:
    """What CREATE DATABASE needs so that text is sorted and folded as in `database`."""
    with closing(server.connect(database)) as connection:
        encoding, told = connection.execute(
            "SELECT pg_encoding_to_char(encoding), to_jsonb(d) FROM pg_database d WHERE datname = current_database()"
        ).fetchone()
    options = {"ENCODING": encoding, "LC_COLLATE": told["datcollate"], "LC_CTYPE": told["datctype"]}
    provider = {"i": "icu", "b": "builtin"}.get(told.get("datlocprovider", "c"))
    if provider:
        options["LOCALE_PROVIDER"] = provider
        options[f"{provider.upper()}_LOCALE"] = told.get("datlocale") or told.get("daticulocale")
        options["ICU_RULES"] = told.get("daticurules")
    return [sql.SQL(f"{name} {{}}").format(sql.Literal(value)) for name, value in options.items() if value]


# --- What is in a database ----------------------------------------------------------------

# Those of extensions come with the extension, and differ between its versions. What has a name in one database has the
# same in the copy; definitions are not compared, since the server may write the same one in two ways.
STRUCTURE = """
WITH ours AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), tables AS (
    SELECT c.oid, relkind, nspname || '.' || relname AS name
    FROM pg_class c JOIN ours ON ours.oid = relnamespace
    WHERE NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND deptype = 'e'
    )
)
SELECT CASE WHEN relkind IN ('v', 'm') THEN 'view' WHEN relkind = 'S' THEN 'sequence' ELSE 'table' END, name, true
FROM tables WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
UNION ALL
SELECT 'column', name || '.' || attname, true
FROM pg_attribute JOIN tables ON tables.oid = attrelid
WHERE relkind IN ('r', 'p', 'f', 'v', 'm') AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'index', i.name, true
FROM pg_index JOIN tables i ON i.oid = indexrelid
WHERE indisvalid
UNION ALL
SELECT 'constraint', name || '.' || conname, convalidated
FROM pg_constraint JOIN tables ON tables.oid = conrelid
WHERE contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 'trigger', name || '.' || tgname, tgenabled <> 'D'
FROM pg_trigger JOIN tables ON tables.oid = tgrelid
WHERE NOT tgisinternal
UNION ALL
SELECT 'function', nspname || '.' || proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', true
FROM pg_proc p JOIN ours ON ours.oid = pronamespace
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND deptype = 'e')
"""


@dataclass(frozen=True)
class Content:
    """The rows of each table, how many there are of each kind of thing, and their names where they are known."""

    rows: Mapping[str, int]
    structure: Mapping[str, int]
    names: frozenset[str] = frozenset()
    # Constraints that are NOT VALID, triggers that are off: they guard nothing.
    unsound: tuple[str, ...] = ()

    def differences(self, copy: Content) -> list[str]:
        """In what `copy` is not the same, a clause each."""
        found = [
            f"{table} has {self.rows.get(table, 'no')} rows, and {copy.rows.get(table, 'no')} in the copy"
            for table in sorted(self.rows.keys() | copy.rows.keys())
            if self.rows.get(table) != copy.rows.get(table)
        ]
        if self.names:
            found += [f"the copy lacks the {name}" for name in sorted(self.names - copy.names)]
            found += [f"only the copy has the {name}" for name in sorted(copy.names - self.names)]
        else:
            found += [
                f"{kind}: {self.structure.get(kind, 0)} there were, and {copy.structure.get(kind, 0)} are in the copy"
                for kind in sorted(self.structure.keys() | copy.structure.keys())
                if self.structure.get(kind, 0) != copy.structure.get(kind, 0)
            ]
        return found + [f"the {name} guards nothing: it is not valid, or off" for name in copy.unsound]


def content(connection: psycopg.Connection[Any]) -> Content:
    """What is in the database of `connection`, as its transaction sees it."""
    found = connection.execute(STRUCTURE).fetchall()
    names = [f"{kind} {name}" for kind, name, _sound in found]
    return Content(
        rows=rows(connection),
        structure=dict(sorted(Counter(kind for kind, _name, _sound in found).items())),
        names=frozenset(names),
        unsound=tuple(f"{kind} {name}" for kind, name, sound in found if not sound),
    )


def rows(connection: psycopg.Connection[Any], only: Sequence[str] | None = None) -> dict[str, int]:
    """How many rows each table has (of those in `only`); tables outside of the schema public with its name."""
    tables = connection.execute(
        "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1, 2"
    ).fetchall()
    counted = {}
    for schema, table in tables:
        shown = table if schema == "public" else f"{schema}.{table}"
        if only is None or shown in only:
            count = sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema, table))
            (counted[shown],) = connection.execute(count).fetchone()
    return counted


def is_empty(connection: psycopg.Connection[Any]) -> bool:
    """Whether there is no table, view or sequence in the database."""
    found = connection.execute(
        "SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LIMIT 1"
    )
    return found.fetchone() is None


def clock(connection: psycopg.Connection[Any]) -> datetime:
    """The server's time: when this transaction began, or now outside of one."""
    (now,) = connection.execute("SELECT now()").fetchone()
    return now.astimezone(UTC)
