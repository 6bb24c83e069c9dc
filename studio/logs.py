"""What the log says, and of whose doing: one line for people, or one JSON object for machines.

Each line carries the id of the request that it belongs to, in the web process as well as in the worker's task that the
request caused, so that one id finds the whole story (docs/running.md). What people typed stays out: no query strings,
no secrets of addresses, no e-mail addresses, no rows that the database quotes in its errors.

Free of Django when imported: gunicorn reads it before there are settings.
"""

from __future__ import annotations

import copy
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

FORMATS = ("line", "json")

# The request that is being answered, or that caused the task. Empty: nobody's.
request_id: ContextVar[str] = ContextVar("atelier_request_id", default="")
# The task of the worker, or the job: "robin-utah-four/deliver_outbox". Empty: none.
task_name: ContextVar[str] = ContextVar("atelier_task", default="")
_request: ContextVar[Any] = ContextVar("atelier_request", default=None)
# When the task began, and what was told before it: one that runs in the process that caused it leaves that as it was.
_outside: ContextVar[tuple[float, str, str]] = ContextVar("atelier_outside", default=(0.0, "", ""))

worker = logging.getLogger("studio.worker")

# Parts of addresses that are names given by the program. Any other text is shown by the name of its place.
SHOWN = frozenset({"code", "name", "job", "kind", "language"})
_HARMLESS = re.compile(r"[A-Za-z0-9_-]{1,40}")
_BY_EXPRESSION = re.compile(r"\(\?P<(\w+)>[^()]*\)")
_PLACE = re.compile(r"<(?:[^:<>]+:)?(\w+)>")


# --- Whose doing ----------------------------------------------------------------------------


@contextmanager
def answering(request: Any) -> Iterator[None]:
    """While `request` is being answered its lines carry its id, method, path, route and person."""
    tokens = (request_id.set(request.id), _request.set(request))
    try:
        yield
    finally:
        request_id.reset(tokens[0])
        _request.reset(tokens[1])


@contextmanager
def task(name: str) -> Iterator[None]:
    """Around what the worker, or a command, does under a name. Inside of another one both are told: outer/inner."""
    around = task_name.get()
    token = task_name.set(f"{around}/{name}" if around else name)
    try:
        yield
    finally:
        task_name.reset(token)


def follow_tasks() -> None:
    """Have django-q2's tasks log under their names and under the id of the request that caused them, and log their end.

    django-q2's own lines about each task are written where neither is known (`NotEachTask`).
    """
    from django_q.signals import post_execute_in_worker, pre_enqueue, pre_execute

    pre_enqueue.connect(_sign_task, dispatch_uid="studio.logs")
    pre_execute.connect(_enter_task, dispatch_uid="studio.logs")
    post_execute_in_worker.connect(_leave_task, dispatch_uid="studio.logs")


def _sign_task(task: dict[str, Any], **_signal: Any) -> None:
    if request_id.get():
        task["request_id"] = request_id.get()


def _enter_task(task: dict[str, Any], **_signal: Any) -> None:
    _outside.set((time.perf_counter(), request_id.get(), task_name.get()))
    request_id.set(task.get("request_id", ""))
    task_name.set(task.get("name", ""))


def _leave_task(task: dict[str, Any], **_signal: Any) -> None:
    begun, before_request, before_task = _outside.get()
    took = (time.perf_counter() - begun) * 1000
    succeeded = task.get("success", False)
    worker.log(
        logging.INFO if succeeded else logging.WARNING,
        "%s %s after %d ms",
        getattr(task["func"], "__qualname__", task["func"]),
        "ended" if succeeded else "failed",
        took,
        extra={"duration_ms": round(took, 1)},
    )
    request_id.set(before_request)
    task_name.set(before_task)


def facts_of(request: Any) -> dict[str, Any]:
    """What the log may know of a request. Asks the database nothing: who it is only when that is known already."""
    match = request.resolver_match
    return {
        "method": request.method,
        "path": shown_path(request),
        "route": match.view_name if match is not None else None,
        "user": _known_user(request),
    }


def shown_path(request: Any) -> str:
    """The address without its query; what is typed or secret in it by the name of its place.

    /set-password/<uidb64>/<token>/, /sessions/S-12/. Of an address that leads nowhere only the beginning: it may be
    one with a secret, copied with a dot too many.
    """
    match = request.resolver_match
    if match is None:
        return _beginning(request.path)
    values = match.captured_kwargs or {}

    def shown(place: re.Match[str]) -> str:
        value = values.get(place[1])
        if isinstance(value, int) or (place[1] in SHOWN and _HARMLESS.fullmatch(str(value))):
            return str(value)
        return f"<{place[1]}>"

    return "/" + _PLACE.sub(shown, _BY_EXPRESSION.sub(r"<\1>", match.route).strip("^$"))


def _beginning(path: str) -> str:
    first, slash, rest = path.lstrip("/").partition("/")
    return "/" + quote(first[:40]) + slash + ("…" if rest else "")


def _known_user(request: Any) -> int | None:
    from django.utils.functional import LazyObject, empty

    user = vars(request).get("user")
    if isinstance(user, LazyObject) and user._wrapped is empty:
        return None
    return getattr(user, "pk", None)


class Origin(logging.Filter):
    """Writes on each record whose doing it is. Lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        record.task = task_name.get()
        request = _request.get()
        if request is not None:
            for name, value in facts_of(request).items():
                if not hasattr(record, name):
                    setattr(record, name, value)
        return True


class NotEachTask(logging.Filter):
    """Drops the three or four lines that django-q2 writes about each task that goes well: ours has the ids.

    How its processes start, stop and fail goes through.
    """

    _ABOUT_ONE = re.compile(r"'[\w.]+'")  # the function

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.INFO:
            return True
        return record.module not in ("tasks", "scheduler") and not self._ABOUT_ONE.search(record.getMessage())


# --- What stays out -------------------------------------------------------------------------

_MAIL_ADDRESS = re.compile(r"[^\s@\"'<>()\[\]{},;:=/\\]+@[^\s@\"'<>()\[\]{},;:=/\\]+\.\w{2,}")
_QUERY = re.compile(r"(/[^\s\"'?]*)\?[^\s\"']+")
# PostgreSQL quotes the row that broke a rule. What quotes nothing begins the next part of the text.
_QUOTED_ROW = re.compile(
    r"^DETAIL:.*?(?=^(?:HINT|CONTEXT|LINE \d+): |^\nThe above exception|^\nDuring handling|\Z)",
    re.DOTALL | re.MULTILINE,
)


def private(text: str) -> str:
    """`text` without e-mail addresses, query strings and rows of the database."""
    if "@" in text:
        text = _MAIL_ADDRESS.sub("(e-mail address)", text)
    if "?" in text:
        text = _QUERY.sub(r"\1", text)
    if "DETAIL:" in text:
        text = _QUOTED_ROW.sub("DETAIL: (left out)\n", text)
    request = _request.get()
    if request is not None and request.path != (shown := shown_path(request)):
        # Django escapes addresses in its own messages.
        for written in (request.path, request.path.encode("unicode_escape").decode("ascii")):
            text = text.replace(written, shown)
    return text


def _cut(record: logging.LogRecord) -> logging.LogRecord:
    """A copy of the record that says only what may be kept; other handlers see the original."""
    kept = copy.copy(record)
    if record.name.startswith("gunicorn") and isinstance(record.args, tuple):
        # Outside of any request: whole addresses, with their secrets.
        kept.args = tuple(_beginning(a) if isinstance(a, str) and a.startswith("/") else a for a in record.args)
    kept.msg, kept.args = private(kept.getMessage()), ()
    kept.exc_text = None
    return kept


# --- How it looks ---------------------------------------------------------------------------

# Of a copied message, everything that moves a terminal's cursor or ends a line.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Line(logging.Formatter):
    """For people: time with its offset, level, logger, [request and task], message.

    What goes on over several lines is indented: nobody's text can look like a line of ours.
    """

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name} [{origin}] {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        kept = _cut(record)
        named = (getattr(record, "request_id", ""), getattr(record, "task", ""))
        kept.origin = " ".join(each for each in named if each) or "-"
        text = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], super().format(kept))
        return text.replace("\n", "\n    ")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds")

    def formatException(self, told: Any) -> str:
        return private(super().formatException(told))


class Json(JsonFormatter):
    """For machines: one object a line, with the fields that docs/running.md lists; one without a value is absent."""

    FIELDS = ["asctime", "levelname", "name", "message"]
    ORIGIN = ["request_id", "task", "user", "route", "method", "path", "process"]
    NAMES = {"asctime": "time", "levelname": "level", "name": "logger", "process": "pid", "exc_info": "exception"}
    # Objects that Django attaches for its own handlers.
    LEFT_OUT = ("request", "status_code", "server_time")

    def __init__(self) -> None:
        reserved = [*RESERVED_ATTRS, *self.LEFT_OUT]
        super().__init__([*self.FIELDS, *self.ORIGIN], rename_fields=self.NAMES, reserved_attrs=reserved)

    def format(self, record: logging.LogRecord) -> str:
        return super().format(_cut(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        told = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return told.replace("+00:00", "Z")

    def formatException(self, told: Any) -> str:
        return private(str(super().formatException(told)))

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {
            name: private(value) if isinstance(value, str) else value
            for name, value in log_data.items()
            if value not in (None, "")
        }


_FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {"line": Line, "json": Json}


def configuration(form: str, level: str) -> dict[str, Any]:
    """For `logging.config.dictConfig`: Django's in every process, and gunicorn's before there is Django.

    Raises ValueError for a form or a level that does not exist.
    """
    level = level.upper()
    if form not in FORMATS:
        raise ValueError(f"LOG_FORMAT has to be one of {', '.join(FORMATS)}; it is {form!r}.")
    if level not in logging.getLevelNamesMapping():
        raise ValueError(f"LOG_LEVEL has to be DEBUG, INFO, WARNING, ERROR or CRITICAL; it is {level!r}.")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"origin": {"()": Origin}, "not each task": {"()": NotEachTask}},
        "formatters": {name: {"()": formatter} for name, formatter in _FORMATTERS.items()},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["origin"],
                "level": level,
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's own handlers would print each line twice.
            "django": {"handlers": [], "propagate": True},
            # What was refused is in the line of its request, with the route instead of the address.
            "django.request": {"level": "ERROR"},
            # The development server's own line of each request, which has its query.
            "django.server": {"handlers": [], "propagate": True, "level": "CRITICAL"},
            "django-q": {"handlers": [], "propagate": True, "filters": ["not each task"]},
            # A sign-in that goes well is in the line of its request.
            "axes": {"level": "WARNING"},
            # Starting, stopping and ending workers as usual is nothing to read about.
            "gunicorn.error": {"handlers": [], "propagate": True, "level": "WARNING"},
            "gunicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
        },
    }
