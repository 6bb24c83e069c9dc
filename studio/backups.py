"""Backups of the database: taken by pg_dump, tried by restoring, put back by renaming (docs/adr/0008).

A backup is two files: `atelier-<when>-<random>.dump` and its manifest beside it, the same name with `.json`. Neither
has its name before it is complete. What the operator reads is English, as everywhere in the commands.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from studio import postgres
from studio.models import OutgoingEmail
from studio.postgres import Content, PostgresError, Programs, Server

logger = logging.getLogger(__name__)

FORMAT = "atelier-backup-1"
NAME = re.compile(r"atelier-\d{8}T\d{6}Z-[0-9a-f]{8}")
ARCHIVE_BEGINS = b"PGDMP"
# A draft that nobody holds and that is no younger was left behind by a killed run.
LEFT_BEHIND_AFTER_SECONDS = 60.0
# What the operator is shown of a database before it is replaced.
SHOWN = ("sessions_app.Session", "sessions_app.Client")

# What a manifest has to tell, beside when it was verified.
MANIFEST: dict[str, type] = {
    "database": str,
    "taken_at": str,
    "size": int,
    "sha256": str,
    "server": str,
    "programs": int,
    "migrations": dict,
    "rows": dict,
    "structure": dict,
    "why_unverified": str,
}

Say = Callable[[str], None]


class BackupError(PostgresError):
    """A backup that could not be taken, or may not be restored; the sentence says what to do."""


@dataclass(frozen=True)
class Backup:
    """One backup: where it is, and what its manifest says. `verified_at` is empty until it was restored once."""

    path: Path
    database: str
    taken_at: datetime
    size: int  # bytes
    sha256: str
    server: str
    programs: int  # the major version that wrote it: older ones cannot read it
    migrations: Mapping[str, str]  # the latest of each app
    rows: Mapping[str, int]
    structure: Mapping[str, int]
    verified_at: datetime | None = None
    why_unverified: str = ""

    @property
    def manifest(self) -> Path:
        return self.path.with_suffix(".json")

    @property
    def content(self) -> Content:
        return Content(self.rows, self.structure)

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "file": self.path.name,
            "database": self.database,
            "taken_at": self.taken_at.isoformat(),
            "verified_at": self.verified_at.isoformat() if self.verified_at else None,
            "why_unverified": self.why_unverified,
            "size": self.size,
            "sha256": self.sha256,
            "server": self.server,
            "programs": self.programs,
            "migrations": dict(self.migrations),
            "rows": dict(self.rows),
            "structure": dict(self.structure),
        }

    @classmethod
    def read(cls, dump: Path) -> Backup:
        """From the manifest beside `dump`. FileNotFoundError without one, ValueError when it is none of ours."""
        told = json.loads(dump.with_suffix(".json").read_text())
        if not isinstance(told, dict) or (told.get("format"), told.get("file")) != (FORMAT, dump.name):
            raise ValueError("it is of another format, or of another file")
        for name, kind in MANIFEST.items():
            if not isinstance(told.get(name), kind):
                raise ValueError(f"its {name} is missing or wrong")
        verified_at = told.get("verified_at")
        return cls(
            path=dump,
            taken_at=_instant(told["taken_at"]),
            verified_at=_instant(verified_at) if verified_at else None,
            **{name: told[name] for name in MANIFEST if name != "taken_at"},
        )


def _instant(told: str) -> datetime:
    return datetime.fromisoformat(told).astimezone(UTC)


def _nothing(_line: str) -> None: ...


# --- Taking one ---------------------------------------------------------------------------


@postgres.in_words()
def back_up(
    directory: Path,
    *,
    verify: bool = True,
    keep: int | None = None,
    server: Server | None = None,
    say: Say = _nothing,
) -> Backup:
    """Dump the database into `directory`, restore the dump beside it to see that it can be, and describe it.

    What pg_dump finished is kept even when the trial fails: then `verified_at` is empty, and `why_unverified` says
    why. With `keep`, older backups of this database beyond that number are removed. Raises PostgresError when there is
    no backup at all; nothing is left under a real name then. Any number may run at once.
    """
    server = server or Server.of_settings()
    make_directory(directory)
    _remove_leftovers(directory)
    server.drop_leftovers()
    programs = postgres.programs(server.major)
    with closing(server.connect()) as source:
        source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with _draft(directory, postgres.clock(source)) as (draft, into):
            backup, original = _dumped(server, programs, source, draft, into)
            say(f"Dumped {backup.database}: {_megabytes(backup.size)} as of {backup.taken_at:%Y-%m-%d %H:%M:%S} UTC.")
            if verify:
                backup = _tried(server, programs, draft, backup, original)
            backup = _published(backup, draft)
    if keep is not None:
        for gone in prune(directory, keep, database=backup.database):
            say(f"Removed {gone.name}.")
    return backup


def make_directory(directory: Path) -> None:
    """For its owner only, when it is made here: backups hold everything. One that exists keeps its mode."""
    with _disk(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        if not directory.is_dir():
            raise BackupError(f"{directory} is not a directory.")


def _dumped(
    server: Server, programs: Programs, source: psycopg.Connection[Any], draft: Path, into: int
) -> tuple[Backup, Content]:
    """Write the dump into the draft. Counts and dump are of the transaction of `source`, whoever writes meanwhile."""
    (snapshot,) = source.execute("SELECT pg_export_snapshot()").fetchone()
    with programs.dump(server, server.database, snapshot, into) as dump:
        original = postgres.content(source)
        migrations = _latest(_applied(source))
        dump.finish(f"in {draft.parent}")
    taken_at = postgres.clock(source)
    source.execute("COMMIT")  # an old snapshot keeps the server from cleaning up
    with _disk(draft.parent):
        os.fsync(into)
        with draft.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    backup = Backup(
        path=draft,
        database=server.database,
        taken_at=taken_at,
        size=draft.stat().st_size,
        sha256=sha256,
        server=(source.info.parameter_status("server_version") or str(server.major)).split()[0],
        programs=programs.major,
        migrations=migrations,
        rows=original.rows,
        structure=original.structure,
        why_unverified="Nobody asked for a trial.",
    )
    return backup, original


def _tried(server: Server, programs: Programs, draft: Path, backup: Backup, original: Content) -> Backup:
    """The backup, verified, or with the reason why not."""
    try:
        with postgres.in_words(), server.new_database("check", like=server.database) as scratch:
            programs.load(server, scratch, draft)
            verified_at = _compared(server, scratch, original)
    except PostgresError as wrong:
        logger.warning("The backup of %s is not verified: %s", backup.database, wrong)
        return replace(backup, why_unverified=str(wrong))
    return replace(backup, verified_at=verified_at, why_unverified="")


def _compared(server: Server, copy: str, original: Content) -> datetime:
    """When the copy was found to be the same; PostgresError with what differs."""
    with closing(server.connect(copy)) as connection:
        differences = original.differences(postgres.content(connection))
        if differences:
            more = f", and {len(differences) - 3} differences more" if len(differences) > 3 else ""
            raise PostgresError(f"The restored copy is not the same: {'; '.join(differences[:3])}{more}.")
        return postgres.clock(connection)


def _published(backup: Backup, draft: Path) -> Backup:
    """Give manifest and dump their names."""
    directory = draft.parent
    backup = replace(backup, path=directory / draft.name.removeprefix(".").removesuffix(".part"))
    with _disk(directory):
        try:
            # This order: a manifest without its dump is nobody's, and is removed; a dump without one would stay.
            _write(backup.manifest, backup.as_json())
            draft.rename(backup.path)
        except BaseException:
            if not backup.path.exists():
                backup.manifest.unlink(missing_ok=True)
            raise
        _sync(directory)
    return backup


@contextmanager
def _draft(directory: Path, taken_at: datetime) -> Iterator[tuple[Path, int]]:
    """An empty file under a hidden name, locked while it is written, removed unless it was renamed."""
    with _disk(directory):
        path = directory / f".atelier-{taken_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.dump.part"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        # pg_dump inherits it with the file: a draft that is still written is never taken for a leftover.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path, descriptor
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _remove_leftovers(directory: Path) -> None:
    """Drafts and lonely manifests of killed runs. What somebody still writes is locked, or young."""
    for draft in directory.glob(".atelier-*.part"):
        with suppress(OSError):  # another run removes it, too
            descriptor = os.open(draft, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_old(draft):
                    draft.unlink(missing_ok=True)
            finally:
                os.close(descriptor)
    for manifest in directory.glob("atelier-*.json"):
        dump = manifest.with_suffix(".dump")
        # In this order: a draft that has got its name meanwhile is found at the second look.
        being_written = (directory / f".{dump.name}.part").exists()
        with suppress(OSError):
            if NAME.fullmatch(manifest.stem) and not being_written and not dump.exists() and _is_old(manifest):
                manifest.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > LEFT_BEHIND_AFTER_SECONDS


def _write(path: Path, told: Mapping[str, Any]) -> None:
    draft = path.parent / f".{path.name}.part"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(told, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Have the new names on the disk, too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk(directory: Path) -> Iterator[None]:
    """What the disk of the backups refuses, in one sentence."""
    try:
        yield
    except OSError as wrong:
        raise BackupError(
            f"{wrong.filename or directory} cannot be written ({wrong.strerror}): make room or give the account "
            "rights there, or choose another directory."
        ) from wrong


# --- Those that there are -----------------------------------------------------------------


def backups_in(directory: Path, *, database: str | None = None) -> list[Backup]:
    """The backups in a directory (of one database), newest first. Files that are not ours are passed over."""
    found = []
    for manifest in directory.glob("atelier-*.json"):
        dump = manifest.with_suffix(".dump")
        if not NAME.fullmatch(manifest.stem) or not dump.is_file():
            continue
        try:
            found.append(Backup.read(dump))
        except (OSError, ValueError) as wrong:
            logger.warning("The manifest %s cannot be read: %s", manifest, wrong)
    ours = [backup for backup in found if database in (None, backup.database)]
    return sorted(ours, key=lambda backup: (backup.taken_at, backup.path.name), reverse=True)


def latest(directory: Path) -> Backup | None:
    """The newest backup of this installation's database in `directory`."""
    return next(iter(backups_in(directory, database=Server.of_settings().database)), None)


def prune(directory: Path, keep: int, *, database: str) -> list[Path]:
    """Remove the backups of `database` beyond the newest `keep`, and return their dumps.

    The newest verified one stays in any case: a row of failed trials must not push it out.
    """
    if keep < 1:
        raise BackupError("At least one backup has to be kept.")
    known = backups_in(directory, database=database)
    good = next((backup for backup in known if backup.verified_at), None)
    removed = []
    for backup in known[keep:]:
        if backup != good:
            with _disk(directory):
                # In this order: a manifest that is left alone is removed by the next run.
                backup.path.unlink(missing_ok=True)
                backup.manifest.unlink(missing_ok=True)
            removed.append(backup.path)
    return removed


def nightly(now: datetime, *, dry_run: bool = False) -> dict[str, Any]:
    """The worker's job: a verified backup into BACKUPS, of which BACKUPS_KEPT stay. Returns counts and report.

    An unverified one counts as failed and says why. Raises PostgresError when there is none at all: then the job is
    tried again.
    """
    if settings.BACKUPS is None:
        return {"done": 0, "skipped": 0, "failed": 0, "report": {}, "plan": []}
    server = Server.of_settings()
    if dry_run:
        programs = postgres.programs(server.major)
        plan = [
            f"dump {server.database} into {settings.BACKUPS} by {programs.directory / 'pg_dump'} and restore it once; "
            f"keep the newest {settings.BACKUPS_KEPT}"
        ]
        return {"done": 1, "skipped": 0, "failed": 0, "report": {}, "plan": plan}
    backup = back_up(settings.BACKUPS, keep=settings.BACKUPS_KEPT, server=server)
    name = backup.path.name
    if backup.verified_at is None:
        return {"done": 0, "skipped": 0, "failed": 1, "report": {"errors": {name: backup.why_unverified}}, "plan": []}
    return {"done": 1, "skipped": 0, "failed": 0, "report": {"done": [name]}, "plan": []}


# --- Putting one back ---------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What a restore is going to do. `now` is empty where no database, or an empty one, has the name."""

    file: Path
    database: str
    backup: Backup | None  # without a manifest
    now: Mapping[str, int]  # how many of what is SHOWN
    then: Mapping[str, int]
    exists: bool
    server: Server

    @property
    def replaces(self) -> bool:
        return bool(self.now)


@dataclass(frozen=True)
class Restored:
    """What came of it, and what the operator should know."""

    database: str
    kept_as: str | None
    rows: int
    to_migrate: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@postgres.in_words()
def plan_restore(file: Path, *, database: str | None = None, server: Server | None = None) -> Plan:
    """Look at the file and at what it would replace: `database`, or the one of the settings. Changes nothing.

    Raises BackupError for a file that was changed, is none, or is newer than this program.
    """
    server = server or Server.of_settings()
    database = database or server.database
    if len(database.encode()) > postgres.LONGEST_NAME:
        raise BackupError(f"A database's name has {postgres.LONGEST_NAME} bytes at most.")
    backup = _examined(file)
    tables = {apps.get_model(label)._meta.db_table: label for label in SHOWN}
    if backup is None:
        programs = _programs_for(server, backup)
        then = {table: programs.count(file, table) for table in tables}
    else:
        _refuse_newer(backup.migrations.items())
        then = {table: backup.rows.get(table, 0) for table in tables}
    exists = server.exists(database)
    now: dict[str, int] = {}
    if exists:
        with closing(server.connect(database)) as connection:
            if not postgres.is_empty(connection):
                now = dict.fromkeys(tables, 0) | postgres.rows(connection, tuple(tables))
    shown = {table: str(apps.get_model(label)._meta.verbose_name_plural) for table, label in tables.items()}
    return Plan(
        file=file,
        database=database,
        backup=backup,
        now={shown[table]: count for table, count in now.items()},
        then={shown[table]: count for table, count in then.items()},
        exists=exists,
        server=server,
    )


@postgres.in_words()
def restore(plan: Plan, *, privileges: bool = True, say: Say = _nothing) -> Restored:
    """Restore the file beside the present database, compare it, and swap the two by name.

    The former database is kept under another name. Until the swap, which is one transaction, the present one is not
    touched; raises PostgresError. Without `privileges`, rights given to other accounts are left out.
    """
    server, backup = plan.server, plan.backup
    server.drop_leftovers()
    programs = _programs_for(server, backup)
    like = plan.database if plan.exists else None
    owner = server.owner_to_be(plan.database) if plan.exists else None
    warnings = _warnings_about_settings(plan)
    with server.new_database("restore", like=like, owner=owner) as beside:
        say(f"Restoring into {beside}, beside the present database ...")
        programs.load(server, beside, plan.file, role=owner, privileges=privileges)
        with closing(server.connect(beside)) as connection:
            found = postgres.content(connection)
            applied = _applied(connection)
            waiting = _waiting_mail(connection)
        _compare_with_manifest(backup, found)
        if not applied:
            raise BackupError(f"{plan.file} is a dump of something else: it has no table of Django's migrations.")
        _refuse_newer(applied)
        say("It is complete. Giving it the name ...")
        kept_as = server.swap(beside, plan.database)
    if waiting:
        warnings.append(
            f"{waiting} e-mails were waiting to be sent when the backup was taken. A worker sends them again, unless "
            "you look at Outgoing e-mails first."
        )
    return Restored(plan.database, kept_as, sum(found.rows.values()), tuple(_to_migrate(applied)), tuple(warnings))


@postgres.in_words()
def go_back(former: str, *, server: Server | None = None) -> Restored:
    """Undo a restore: give the database that it kept its name again. What has the name now is kept in turn."""
    server = server or Server.of_settings()
    name = _name_before(server, former)
    return Restored(name, server.swap(former, name), 0)


@postgres.in_words()
def forget(former: str, *, server: Server | None = None) -> None:
    """Remove a database that a restore has kept."""
    server = server or Server.of_settings()
    _name_before(server, former)
    if former == server.database:
        raise BackupError(f"{former} is the database that DATABASE_URL names: it is not removed.")
    server.drop(former)


def _name_before(server: Server, former: str) -> str:
    """What the database was called before a restore put it aside. BackupError for a name of another kind."""
    kept = re.fullmatch(r"(.+?)_before_\d{8}_\d{6}(?:_\d+)?", former)
    if kept is None:
        raise BackupError(f"{former} is not the name of a database that a restore has kept (NAME_before_TIME).")
    if not server.exists(former):
        raise BackupError(f"There is no database {former} on the server.")
    # A long name was cut short.
    is_ours = postgres.former_name(server.database, former[len(kept[1]) :]) == former
    return server.database if is_ours else kept[1]


def _programs_for(server: Server, backup: Backup | None) -> Programs:
    """Those that can read the file and talk to the server."""
    return postgres.programs(max(server.major, backup.programs if backup else 0))


def _examined(file: Path) -> Backup | None:
    """The backup in `file` when it is as it was written; None when there is no manifest to tell."""
    try:
        with file.open("rb") as dump:
            begins = dump.read(len(ARCHIVE_BEGINS))
            size = os.fstat(dump.fileno()).st_size
            dump.seek(0)
            try:
                backup = Backup.read(file)
            except FileNotFoundError:
                backup = None
            except ValueError as wrong:
                raise BackupError(f"The manifest beside {file} is not one of a backup ({wrong}).") from wrong
            if backup and backup.size != size:
                raise BackupError(f"{file} has {size} bytes, but {backup.size} when it was taken: it is not whole.")
            if backup and hashlib.file_digest(dump, "sha256").hexdigest() != backup.sha256:
                raise BackupError(f"{file} is not as it was taken: its sha256 differs from the manifest's.")
    except OSError as wrong:
        raise BackupError(f"{file} cannot be read ({wrong.strerror}).") from wrong
    if begins != ARCHIVE_BEGINS:
        raise BackupError(f"{file} is not a backup: it was not written by pg_dump --format=custom.")
    return backup


def _compare_with_manifest(backup: Backup | None, found: Content) -> None:
    # Without a manifest nobody knows what should be there; but what is there has to be in force.
    differences = backup.content.differences(found) if backup else found.differences(found)
    if differences:
        raise BackupError(f"What was restored is not what was backed up: {'; '.join(differences[:3])}.")


def _warnings_about_settings(plan: Plan) -> list[str]:
    if not plan.exists:
        return []
    own = plan.server.own_settings(plan.database)
    return [f"Settings of the former database are not carried over (ALTER DATABASE): {', '.join(own)}."] if own else []


def _waiting_mail(connection: psycopg.Connection[Any]) -> int:
    table = OutgoingEmail._meta.db_table
    if table not in postgres.rows(connection, (table,)):
        return 0
    waiting = [OutgoingEmail.Status.WAITING.value, OutgoingEmail.Status.CLAIMED.value]
    query = psycopg.sql.SQL("SELECT count(*) FROM {} WHERE status = ANY(%s)")
    (count,) = connection.execute(query.format(psycopg.sql.Identifier("public", table)), [waiting]).fetchone()
    return count


# --- Which program a database belongs to --------------------------------------------------


def _applied(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Its migrations, in the order in which they were applied; none where there is no such table."""
    (table,) = connection.execute("SELECT to_regclass('public.django_migrations')").fetchone()
    if table is None:
        return []
    return connection.execute("SELECT app, name FROM public.django_migrations ORDER BY id").fetchall()


def _latest(applied: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The last of each app, by number."""
    latest: dict[str, str] = {}
    for app, name in applied:
        if _number(name) >= _number(latest.get(app, "")):
            latest[app] = name
    return dict(sorted(latest.items()))


def _number(name: str) -> int:
    found = re.match(r"\d+", name)
    return int(found[0]) if found else -1


def _refuse_newer(applied: Iterable[tuple[str, str]]) -> None:
    """BackupError when the program does not know a migration that its own latest one would precede.

    An unknown one of a lower number was squashed since, and an unknown app was removed: they say nothing about age.
    """
    known = MigrationLoader(None).disk_migrations
    ours = _latest(known)
    replaced = {each for migration in known.values() for each in migration.replaces}
    newer = [
        f"{app}.{name}"
        for app, name in applied
        if (app, name) not in known and (app, name) not in replaced and app in ours
        if _number(name) < 0 or _number(name) >= _number(ours[app])
    ]
    if newer:
        raise BackupError(
            f"The backup is of a newer Atelier than this one, which does not know {', '.join(newer[:5])}. Install the "
            "version that took it, and restore with that."
        )


def _to_migrate(applied: Iterable[tuple[str, str]]) -> list[str]:
    """What `migrate` has still to do, in words."""
    done = set(applied)
    nodes = MigrationLoader(None).graph.nodes
    return [
        f"{app}.{name}"
        for (app, name), migration in sorted(nodes.items())
        if (app, name) not in done and not (migration.replaces and done.issuperset(migration.replaces))
    ]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
