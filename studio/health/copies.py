"""What is left when a disk breaks, and whether it still has room."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from studio import backups
from studio.health.look import Look, Verdict, bad, ok, warn
from studio.health.words import length, size
from studio.templatetags.atelier import moment

# One a day, and two hours for one that takes long.
OLD = timedelta(hours=26)


def backup(look: Look) -> Verdict:
    """The newest backup that was verified by restoring it is of today."""
    place: Path | None = settings.BACKUPS
    if place is None:
        if settings.DEMO:
            return ok(_("The demo is not backed up."))
        return warn(
            _("No backups are taken here. Those taken by other means are not seen."),
            _("Set ATELIER_BACKUPS to a directory on another disk."),
        )
    newest = backups.latest(place)
    first_by = look.installed_at + OLD
    if newest is None:
        if look.now < first_by:
            return ok(_("No backup yet; the first is due by %(when)s.") % {"when": moment(first_by)})
        return bad(_("There is no backup in %(place)s.") % {"place": place}, _("Take one now: manage.py backup"))
    age = look.now - newest.taken_at
    told = {"age": length(age), "when": moment(newest.taken_at), "size": size(newest.size)}
    if age > OLD and look.is_starting:
        return ok(_("The last backup is %(age)s old; the worker, which is starting, takes one.") % told)
    if age > OLD:
        return bad(
            _("The last backup is %(age)s old, of %(when)s.") % told,
            _("Take one now: manage.py backup. Then see why the nightly one was not taken."),
        )
    if newest.verified_at is None:
        return warn(
            _("The backup of %(when)s (%(size)s) was not verified by restoring it.") % told,
            _("Take one now, which verifies it: manage.py backup"),
        )
    return ok(_("The last backup is %(age)s old (%(size)s), and was verified.") % told)


def disks(look: Look) -> Iterator[Verdict]:
    """Room where data and backups lie: a full disk stops the database, and with it the studio."""
    seen: set[int] = set()
    for place in _places():
        try:
            device = os.stat(place).st_dev
        except OSError:
            continue
        if device in seen:
            continue
        seen.add(device)
        yield _room(look, place)


def _places() -> Iterator[Path]:
    """Where we write on this machine: our data, the embedded database's (it may lie elsewhere), backups."""
    if settings.LOCAL or settings.DEMO:
        yield settings.DATA_DIR
        yield settings.DATA_DIR / "pgdata"
    if settings.BACKUPS:
        yield settings.BACKUPS
    # Logs and temporary files, at least.
    yield settings.BASE_DIR


def _room(look: Look, place: Path) -> Verdict:
    usage = shutil.disk_usage(place)
    says = _("%(free)s of %(total)s are free where %(place)s lies.") % {
        "free": size(usage.free),
        "total": size(usage.total),
        "place": place,
    }
    advice = _("Make room, or move it to a larger disk, before it is full.")
    enough, least = look.room
    if usage.free < least:
        return bad(says, advice)
    if usage.free < enough:
        return warn(says, advice)
    return ok(says)
