"""The steps of somebody who brings a file: upload, columns, try out, write (permissions: client.create).

Coordinators write up to 2,000 rows at once, Admins as many as a file may have: the artists of a large one cannot be
booked by anybody else until it is written.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from sessions_app.importing import columns, reading
from sessions_app.importing.reading import Sheet, Unreadable
from sessions_app.models import Import, ImportState
from studio import audit, jobs
from studio.access import require
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, InvalidStateTransition
from studio.roles import Perm, is_admin

if TYPE_CHECKING:
    from studio.models import User

ROWS_OF_A_COORDINATOR = 2_000
# Work that was not heard of for so long died with its worker; before it has begun, no worker runs.
SILENT = timedelta(seconds=60)
# What was never written is forgotten, with the personal data in it.
FORGOTTEN_AFTER = timedelta(days=7)
TASK = "sessions_app.importing.task.work"
TASK_SECONDS = 3_600


def upload(*, kind: str, file_name: str, raw: bytes, by: "User", now: datetime) -> Import:
    """Keep a file for its next steps, with its columns guessed. Raises ``InvalidInput`` for one that is no table."""
    with audit.act():
        require(by, Perm.CLIENT_CREATE)
        try:
            text = reading.decoded(raw)
            delimiter = reading.delimiter_of(text)
            sheet = reading.sheet_of(text, delimiter)
        except Unreadable as wrong:
            raise InvalidInput(_why(wrong), field="file", details={"failed": [wrong.why]}) from wrong
        if len(sheet.rows) > ROWS_OF_A_COORDINATOR and not is_admin(by):
            raise InvalidInput(
                _("This file has %(rows)d rows. Coordinators import up to %(most)d at once, an Admin more.")
                % {"rows": len(sheet.rows), "most": ROWS_OF_A_COORDINATOR},
                field="file",
                details={"failed": ["too_many_for_a_coordinator"]},
            )
        forget_old(now=now)
        return Import.objects.create(
            kind=kind,
            file_name=reading.CONTROLS.sub("", file_name)[:200],
            text=text,
            delimiter=delimiter,
            mapping=columns.guessed(kind, sheet.head),
            rows=len(sheet.rows),
            uploaded_at=now,
            uploaded_by=by,
        )


def choose_columns(found: Import, mapping: Mapping[str, int], *, by: "User") -> Import:
    """Which of theirs is which of ours; what was tried out before counts no more. Raises ``InvalidInput``."""
    with audit.act():
        _require_so_many(found, by)
        head = sheet(found).head
        wrong = [place for place in mapping.values() if not 0 <= place < len(head)]
        lacking = columns.missing(found.kind, mapping)
        if wrong or lacking or len(set(mapping.values())) < len(mapping):
            raise InvalidInput(
                _("Choose the columns that are needed, each once."), details={"missing": lacking, "unknown": wrong}
            )
        _enter(
            found,
            idle(),
            state=ImportState.UPLOADED,
            mapping=dict(mapping),
            report={},
            done=0,
        )
    return found


def check(found: Import, *, by: "User", now: datetime) -> bool:
    """Have the worker try it out: everything is done, and undone. False when that is under way already.

    Raises ``InvalidInput`` while columns are missing, ``InvalidStateTransition`` once it is written, ``AccessDenied``
    for a file that is too large for them: trying it out holds the artists as long as writing it does.
    """
    with audit.act():
        _require_so_many(found, by)
        if columns.missing(found.kind, found.mapping):
            raise InvalidInput(_("Choose the columns that are needed, each once."))
        return _queue(found, [ImportState.UPLOADED, ImportState.CHECKED], ImportState.CHECKING, by=by, now=now)


def run(found: Import, *, by: "User", now: datetime) -> bool:
    """Have the worker write it, all or nothing. False when that is under way already, or done.

    Raises ``InvalidStateTransition`` for a file that was not tried out, or in which something is wrong.
    """
    with audit.act():
        _require_so_many(found, by)
        if found.state in (ImportState.UPLOADED, ImportState.CHECKED) and not found.is_clean:
            raise InvalidStateTransition(_("Try it out first: nothing may be wrong with it."))
        queued = _queue(found, [ImportState.CHECKED], ImportState.RUNNING, by=by, now=now)
        if queued:
            audit.record("import_started", by=by, about=found, kind=found.kind, rows=found.rows)
        return queued


def discard(found: Import, *, by: "User", now: datetime) -> None:
    """Forget the file; what was written stays. Raises ``InvalidStateTransition`` while it is under way."""
    with audit.act():
        require(by, Perm.CLIENT_CREATE)
        if not Import.objects.filter(idle() | lost(now), pk=found.pk).delete()[0]:
            raise InvalidStateTransition(_("This is under way, or written already."))


def forget_old(*, now: datetime) -> None:
    Import.objects.filter(idle() | lost(now), uploaded_at__lt=now - FORGOTTEN_AFTER).delete()


def sheet(found: Import) -> Sheet:
    """The rows of a file that is not written yet. Raises ``InvalidStateTransition`` once it is."""
    if found.state == ImportState.DONE:
        raise InvalidStateTransition(_("This is under way, or written already."))
    return reading.sheet_of(found.text, found.delimiter)


def idle() -> Q:
    return Q(state__in=[ImportState.UPLOADED, ImportState.CHECKED])


def lost(now: datetime) -> Q:
    """Under way, and silent for too long."""
    return Q(state__in=[ImportState.CHECKING, ImportState.RUNNING], beat_at__lt=now - SILENT)


def is_lost(found: Import, now: datetime) -> bool:
    return found.is_under_way and found.beat_at is not None and found.beat_at < now - SILENT


def recent() -> QuerySet[Import]:
    return Import.objects.select_related("uploaded_by").defer("text")


def _require_so_many(found: Import, by: "User") -> None:
    require(by, Perm.CLIENT_CREATE)
    if found.rows > ROWS_OF_A_COORDINATOR and not is_admin(by):
        raise AccessDenied(user=by, perm=Perm.CLIENT_CREATE, obj=found)


def _queue(found: Import, sources: list[str], state: str, *, by: "User", now: datetime) -> bool:
    """Of several that ask at once, one finds it as it was: it is done in the name of that one."""
    fresh = Q(state__in=sources) | Q(state=state) & lost(now)
    values = {"state": state, "done": 0, "started_at": None, "beat_at": now}
    if not Import.objects.filter(fresh, pk=found.pk).update(**values):
        found.refresh_from_db()
        if found.state == ImportState.DONE and state == ImportState.CHECKING:
            raise InvalidStateTransition(_("This is under way, or written already."))
        return False
    for name, value in values.items():
        setattr(found, name, value)
    jobs.later(TASK, found.pk, get_language() or STUDIO.language, by.pk, seconds=TASK_SECONDS)
    return True


def _enter(found: Import, while_it_is: Q, **values: object) -> None:
    if not Import.objects.filter(while_it_is, pk=found.pk).update(**values):
        raise InvalidStateTransition(_("This is under way, or written already."))
    for name, value in values.items():
        setattr(found, name, value)


def _why(wrong: Unreadable) -> str:
    figure = {"figure": wrong.figure}
    match wrong.why:
        case "empty":
            return _("The file is empty.")
        case "too_big":
            return _("The file is larger than %(megabytes)d MB: split it.") % {"megabytes": wrong.figure // 1_000_000}
        case "no_text":
            return _("This is no CSV file. In the spreadsheet choose “Save as” and the format CSV.")
        case "no_rows":
            return _("The file has headings, and no row beneath them.")
        case "columns":
            return (
                ngettext(
                    "A file has at most %(figure)d column.", "A file has at most %(figure)d columns.", wrong.figure
                )
                % figure
            )
        case "too_many":
            return (
                ngettext(
                    "A file has at most %(figure)d row: split it.",
                    "A file has at most %(figure)d rows: split it.",
                    wrong.figure,
                )
                % figure
            )
        case "long_cell":
            return _("A cell of row %(figure)d is too long to be meant.") % figure
        case _:
            return _("Row %(figure)d cannot be read: look for a quotation mark that is not closed.") % figure
