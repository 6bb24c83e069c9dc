"""The database: it answers, it is up to date, and its rules hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.apps import apps
from django.db import connection
from django.db.migrations import RunSQL
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from studio.health.look import Look, Verdict, bad, ok, warn
from studio.health.words import some

OLDEST_VERSION = 14
MANY_CONNECTIONS, TOO_MANY_CONNECTIONS = 0.7, 0.9
SLOW_MS = 1000

_MIGRATE = "manage.py migrate"


def answers(look: Look) -> Verdict:
    """The server is there, is new enough, and can be written to."""
    if look.away:
        return bad(
            _("The database does not answer: %(error)s") % {"error": look.away},
            _("Start PostgreSQL, or mend DATABASE_URL. Nothing is lost: what was saved stays saved."),
        )
    server = look.server
    told = {"version": server.version, "ms": f"{server.answered_ms:.1f}"}
    if server.number < OLDEST_VERSION * 10_000:
        return bad(
            _("PostgreSQL %(version)s is too old.") % told,
            _("Move to PostgreSQL %(oldest)s or newer.") % {"oldest": OLDEST_VERSION},
        )
    if server.is_replica:
        return bad(
            _("This is a replica (PostgreSQL %(version)s): nothing can be saved.") % told,
            _("Point DATABASE_URL to the primary server, or promote this one."),
        )
    if server.answered_ms > SLOW_MS:
        return warn(
            _("PostgreSQL %(version)s takes %(ms)s ms to answer.") % told,
            _("Look at its load and at the network between it and this machine."),
        )
    return ok(_("PostgreSQL %(version)s answers in %(ms)s ms.") % told)


def connections(look: Look) -> Verdict:
    server = look.server
    told = {"used": server.used, "maximum": server.maximum}
    says = _("%(used)s of %(maximum)s connections are in use.") % told
    advice = _("Raise max_connections of PostgreSQL, or serve with fewer processes and threads.")
    share = server.used / max(server.maximum, 1)
    if share >= TOO_MANY_CONNECTIONS:
        return bad(says, advice)
    if share >= MANY_CONNECTIONS:
        return warn(says, advice)
    return ok(says)


def migrations(look: Look) -> Verdict:
    """What the program expects of the tables has been done to them, and nothing that it does not know."""
    loader = look.migrations.loader
    applied = set(loader.applied_migrations)
    if look.unapplied:
        says = ngettext(
            "%(n)s migration was not applied: %(names)s.",
            "%(n)s migrations were not applied: %(names)s.",
            len(look.unapplied),
        )
        return bad(says % {"n": len(look.unapplied), "names": some(look.unapplied)}, _MIGRATE)
    # A squashed migration also stands in the books under the names of those that it replaced.
    replaced = {old for migration in loader.disk_migrations.values() for old in migration.replaces}
    unknown = sorted(
        f"{app}.{name}"
        for app, name in applied - set(loader.disk_migrations)
        if app in loader.migrated_apps and (app, name) not in replaced
    )
    if unknown:
        return bad(
            _("The database is newer than this program: %(names)s.") % {"names": some(unknown)},
            _("Start the newer program again, or restore a backup that was taken before it."),
        )
    says = ngettext("%(n)s migration, all applied.", "%(n)s migrations, all applied.", len(applied))
    return ok(says % {"n": len(applied)})


def rules(look: Look) -> Iterator[Verdict]:
    """The constraints of the models and the triggers of the migrations are there, on, and checked.

    They have the last word on double bookings, histories and payments; what was dropped or turned off by hand, or by
    a restore that stopped half way, would be missed only when it is too late.
    """
    if look.unapplied:
        yield warn(_("Not known until the migrations are applied."), "")
        return
    constraints, triggers = _constraints(), _triggers(look)
    there, off = _rules_in_the_database()
    missing = sorted((constraints | triggers) - there)
    advice = _(
        "Stop web and worker, and make it again as the migrations say (docs/data-model.md tells what each is for). "
        "Then look for what was saved meanwhile: manage.py run_job validate_integrity"
    )
    if missing:
        says = ngettext(
            "%(n)s rule of the database is missing: %(names)s.",
            "%(n)s rules of the database are missing: %(names)s.",
            len(missing),
        )
        yield bad(says % {"n": len(missing), "names": some(missing)}, advice)
    if off:
        says = ngettext(
            "%(n)s rule of the database is turned off: %(names)s.",
            "%(n)s rules of the database are turned off: %(names)s.",
            len(off),
        )
        yield bad(says % {"n": len(off), "names": some(sorted(off))}, advice)
    if not missing and not off:
        told = {"constraints": len(constraints), "triggers": len(triggers)}
        yield ok(_("%(constraints)s constraints and %(triggers)s triggers hold.") % told)


def _constraints() -> set[str]:
    """The names of all constraints that models declare."""
    models = [model for model in apps.get_models() if model._meta.managed and not model._meta.proxy]
    return {constraint.name for model in models for constraint in model._meta.constraints}


_TRIGGER = re.compile(
    r"\b(CREATE|DROP)\s+(?:OR\s+REPLACE\s+)?(?:CONSTRAINT\s+)?TRIGGER\s+(?:IF\s+EXISTS\s+)?(\w+)", re.IGNORECASE
)


def _triggers(look: Look) -> set[str]:
    """The names of the triggers that the migrations make and do not drop again, read off their SQL."""
    found: set[str] = set()
    loader = look.migrations.loader
    for migration, _backwards in look.migrations.migration_plan(loader.graph.leaf_nodes(), clean_start=True):
        for statement in _statements(migration.operations):
            for verb, name in _TRIGGER.findall(statement):
                (found.add if verb.upper() == "CREATE" else found.discard)(name)
    return found


def _statements(operations: list[object]) -> Iterator[str]:
    for operation in operations:
        if isinstance(operation, RunSQL):
            given = operation.sql
            for each in [given] if isinstance(given, str) else given:
                yield each if isinstance(each, str) else each[0]


# `conenforced` came with PostgreSQL 18; a unique constraint with a condition is an index only.
RULES = """
SELECT conname, convalidated AND coalesce((to_jsonb(c) ->> 'conenforced')::bool, true)
  FROM pg_constraint c WHERE connamespace = current_schema::text::regnamespace
UNION ALL
SELECT r.relname, i.indisvalid AND i.indisready
  FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid
 WHERE i.indisunique AND r.relnamespace = current_schema::text::regnamespace
UNION ALL
SELECT CASE WHEN t.tgisinternal THEN coalesce(k.conname, t.tgname) ELSE t.tgname END, t.tgenabled IN ('O', 'A')
  FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint
 WHERE r.relnamespace = current_schema::text::regnamespace
"""


def _rules_in_the_database() -> tuple[set[str], set[str]]:
    """The names of what is there, and of those of them that are turned off or were never checked."""
    with connection.cursor() as cursor:
        cursor.execute(RULES)
        rows = cursor.fetchall()
    return {name for name, _holds in rows}, {name for name, holds in rows if not holds}
