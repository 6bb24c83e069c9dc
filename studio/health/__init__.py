"""Is everything well? One list of checks, for the page and for `manage.py doctor`.

A check looks at the real thing and says a sentence with figures, and what to do when it is not well. One that itself
has an error says so; nothing here raises. They write nothing and send nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from studio.health import clock, copies, database, installation, mail, people, work
from studio.health.look import BAD, LEVELS, OK, WARN, Answers, Look, Verdict, broken

__all__ = ["BAD", "CHECKS", "GROUPS", "LEVELS", "OK", "WARN", "Answers", "Finding", "Look", "counts", "findings"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """What one check found. `level` is "ok", "warn" or "bad"; `url` is the page on which something can be done."""

    name: str
    level: str
    says: str
    advice: str = ""
    url: str = ""
    label: str | Promise = ""
    group: str = ""

    @property
    def level_label(self) -> str:
        return str(LEVEL_LABELS[self.level])

    def as_dict(self) -> dict[str, str]:
        """For machines."""
        return {name: str(getattr(self, name)) for name in ("name", "group", "level", "says", "advice")}


@dataclass(frozen=True)
class Check:
    """One line of the list below."""

    name: str
    group: str
    label: str | Promise
    look: Callable[[Look], Verdict | Iterable[Verdict]]
    asks_database: bool = True

    def is_among(self, names: Collection[str]) -> bool:
        """Whether one of these is its name, its group, or a part of it ("jobs.auto_cancel_unpaid")."""
        return not names or any(name in (self.name, self.group) or name.split(".")[0] == self.name for name in names)


LEVEL_LABELS: dict[str, str | Promise] = {
    OK: pgettext_lazy("health", "Well"),
    WARN: pgettext_lazy("health", "To watch"),
    BAD: pgettext_lazy("health", "Broken"),
}
GROUPS: dict[str, str | Promise] = {
    "database": gettext_lazy("Database"),
    "worker": gettext_lazy("Worker"),
    "jobs": gettext_lazy("Jobs"),
    "email": gettext_lazy("E-mail"),
    "time": gettext_lazy("Time"),
    "copies": gettext_lazy("Backups and disks"),
    "people": gettext_lazy("People"),
    "settings": gettext_lazy("Settings"),
}
CHECKS: tuple[Check, ...] = (
    Check("database", "database", gettext_lazy("Database"), database.answers, asks_database=False),
    Check("connections", "database", gettext_lazy("Connections"), database.connections),
    Check("migrations", "database", gettext_lazy("Migrations"), database.migrations),
    Check("rules", "database", gettext_lazy("Rules of the database"), database.rules),
    Check("worker", "worker", gettext_lazy("Worker"), work.worker),
    Check("schedule", "worker", gettext_lazy("Schedule"), work.schedule),
    Check("queue", "worker", gettext_lazy("Tasks"), work.queue),
    Check("redis", "worker", gettext_lazy("Redis"), work.broker, asks_database=False),
    Check("jobs", "jobs", gettext_lazy("Jobs"), work.daily_jobs),
    Check("outbox", "email", gettext_lazy("Outbox"), mail.waiting),
    Check("smtp", "email", gettext_lazy("Mail server"), mail.server, asks_database=False),
    Check("sender", "email", gettext_lazy("Sender"), mail.sender, asks_database=False),
    Check("clock", "time", gettext_lazy("Clocks"), clock.clocks),
    Check("zone", "time", gettext_lazy("Time zone"), clock.zone),
    Check("backup", "copies", gettext_lazy("Backup"), copies.backup),
    Check("disk", "copies", gettext_lazy("Disk"), copies.disks, asks_database=False),
    Check("admins", "people", gettext_lazy("Admins"), people.admins),
    Check("roles", "people", gettext_lazy("Roles"), people.roles),
    Check("passwords", "people", gettext_lazy("Passwords of the demo"), people.demo_passwords),
    Check("debug", "settings", gettext_lazy("DEBUG"), installation.debugging, asks_database=False),
    Check("secret", "settings", gettext_lazy("Secret key"), installation.secret, asks_database=False),
    Check("hosts", "settings", gettext_lazy("Site names"), installation.hosts, asks_database=False),
    Check("https", "settings", gettext_lazy("https"), installation.transport, asks_database=False),
    Check("translations", "settings", gettext_lazy("Translations"), installation.translations, asks_database=False),
    Check("static", "settings", gettext_lazy("Styles and scripts"), installation.static_files, asks_database=False),
)


def findings(now: datetime, *, only: Collection[str] = (), **known: Any) -> list[Finding]:
    """What is and what is not well at `now`, in the order of the list. Never raises.

    `only` are names of checks, of groups, or of parts. `known` are fields of `Look`: how patient to be, and so on.
    """
    return look_around(Look(now=now, **known), only=only)


def look_around(look: Look, *, only: Collection[str] = ()) -> list[Finding]:
    """The same, with a round whose facts are wanted afterwards, too."""
    chosen = [check for check in CHECKS if check.is_among(only)]
    if look.away and any(check.asks_database for check in chosen) and CHECKS[0] not in chosen:
        # Otherwise nothing of what was asked for could be told, and nothing would be called broken.
        chosen.insert(0, CHECKS[0])
    found = [finding for check in chosen for finding in _asked(check, look)]
    parts = {name for name in only if "." in name}
    return [each for each in found if not _is_another_part(each, parts, only)]


def counts(found: Iterable[Finding]) -> dict[str, int]:
    """How many there are of each level, the worst first."""
    levels = [finding.level for finding in found]
    return {level: levels.count(level) for level in LEVELS}


def worst(found: Iterable[Finding]) -> str:
    """The level of the whole."""
    return next((level for level, count in counts(found).items() if count), OK)


def as_dict(found: list[Finding]) -> dict[str, Any]:
    """For machines: the level of the whole, how many of each, and each."""
    return {"level": worst(found), "counts": counts(found), "findings": [finding.as_dict() for finding in found]}


def _asked(check: Check, look: Look) -> list[Finding]:
    if check.asks_database and look.away:
        told = [Verdict(WARN, _("Not known while the database does not answer."))]
    else:
        try:
            answer = check.look(look)
            told = [answer] if isinstance(answer, Verdict) else list(answer)
        except Exception as error:
            logger.warning("The check %s broke.", check.name, exc_info=True)
            told = [broken(look, error)]
    return [
        Finding(
            name=f"{check.name}.{verdict.part}" if verdict.part else check.name,
            level=verdict.level,
            says=verdict.says,
            advice=verdict.advice,
            url=verdict.url,
            label=verdict.label or check.label,
            group=check.group,
        )
        for verdict in told
    ]


def _is_another_part(finding: Finding, parts: set[str], only: Collection[str]) -> bool:
    """Whether parts of this check were asked for, and this is none of them."""
    name = finding.name.split(".")[0]
    asked = {part for part in parts if part.split(".")[0] == name}
    return bool(asked) and not {name, finding.group} & set(only) and "." in finding.name and finding.name not in asked
