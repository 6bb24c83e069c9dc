"""The page that says whether everything is well. For people in the office, and as JSON for whoever watches over it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from studio import access, health, jobs
from studio.answers import wants_json
from studio.health import Answers, Finding, Look, work
from studio.health.words import took
from studio.models import JobRun
from studio.roles import Perm

logger = logging.getLogger(__name__)

# Nobody waits longer for a page. `manage.py doctor` is more patient.
PATIENCE_SECONDS = 3.0
# The mail server and Redis are not asked anew by each reload, and by everybody who watches.
ANSWERS = Answers(keep_seconds=30)


@dataclass(frozen=True)
class Named:
    """Something that a report names: a code, its page if it has one, and what there is to say of it."""

    code: str
    url: str = ""
    says: str = ""


@dataclass(frozen=True)
class Part:
    """A part of a job's report: what is common to those that it names."""

    title: str
    level: str
    names: list[Named] = field(default_factory=list)
    advice: str = ""
    more: int = 0


@dataclass(frozen=True)
class JobRow:
    """A job, and its last run if there was one lately."""

    job: jobs.Job
    run: JobRun | None
    level: str
    parts: list[Part]

    @property
    def took(self) -> str:
        return took(self.run.took) if self.run else ""


@never_cache
@login_required
@require_safe
def health_page(request: HttpRequest) -> HttpResponse:
    """Every check, the worst first, and the jobs' last runs. `fresh` asks also those anew that were asked just now."""
    access.require(request.user, Perm.SYSTEM_SETTINGS)
    if "fresh" in request.GET:
        ANSWERS.forget()
    look = Look(now=timezone.now(), patience=PATIENCE_SECONDS, answers=ANSWERS)
    found = health.look_around(look)
    rows = [] if look.away else _job_rows(look, found)
    status = 503 if look.away else 200
    if wants_json(request):
        told = {"checked_at": look.now.isoformat(), **health.as_dict(found), "jobs": [_as_dict(row) for row in rows]}
        return JsonResponse(told, status=status)
    facts = {
        "now": look.now,
        "needed": sorted(
            (each for each in found if each.level != health.OK), key=lambda each: health.LEVELS.index(each.level)
        ),
        "well": [(health.GROUPS[group], members) for group, members in _by_group(found)],
        "counts": health.counts(found),
        "level": health.worst(found),
        "jobs": rows,
    }
    if look.away:
        # The frame around a page asks the database who is here.
        return render(None, "health/alone.html", facts, status=status)
    return render(request, "health/page.html", facts)


def badge(user: Any) -> int:
    """How much is broken of what nobody else would tell of. One query.

    It stands on each page of an Admin's: a row that cannot be read counts as broken, and breaks none of them.
    """
    try:
        return work.silent_or_failed(timezone.now())
    except DatabaseError:
        raise
    except Exception:
        logger.exception("The jobs' runs cannot be read.")
        return 1


def _by_group(found: list[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    """What is well, by groups."""
    for group in health.GROUPS:
        members = [each for each in found if each.group == group and each.level == health.OK]
        if members:
            yield group, members


def _job_rows(look: Look, found: list[Finding]) -> list[JobRow]:
    levels = {each.name: each.level for each in found}
    # The job of each minute is judged as the worker's heartbeat.
    levels[f"jobs.{work.HEARTBEAT}"] = levels.get("worker", health.OK)
    return [
        JobRow(job, run, levels.get(f"jobs.{job.name}", health.OK), _report(run) if run else [])
        for job, run in work.last_runs(look.runs)
    ]


def _report(run: JobRun) -> list[Part]:
    """A run's report, the worst first. One that no version of ours wrote is said to be so."""
    try:
        return list(_parts(run))
    except Exception:
        logger.warning("The report of %s cannot be read.", run, exc_info=True)
        return [Part(_("The report of this run cannot be read."), health.BAD)]


def _parts(run: JobRun) -> Iterator[Part]:
    report = run.report
    if "error" in report:
        yield Part(_("The job broke"), health.BAD, [Named("", says=str(report["error"]))])
    for part in work.found_by(run):
        names = [Named(each.code, _page_of(each.code), each.text) for each in part.findings]
        if part.error:
            names.append(Named("", says=part.error))
        yield Part(part.finds, health.BAD, names, part.advice, more=max(part.count - len(part.findings), 0))
    errors = report.get("errors") or {}
    if errors:
        failed = [Named(code, _page_of(code), str(why)) for code, why in errors.items()]
        yield Part(_("Failed"), health.WARN, failed, more=max(run.failed - len(errors), 0))
    for reason, codes in (report.get("skipped") or {}).items():
        yield Part(jobs.reason_in_words(reason), health.OK, [Named(code, _page_of(code)) for code in codes])
    done = report.get("done") or []
    if done:
        names = [Named(code, _page_of(code)) for code in done]
        yield Part(_("Done"), health.OK, names, more=max(run.done - len(done), 0))


def _page_of(code: str) -> str:
    """The address of the session of this code; "" when it is no session's. Asks the database nothing."""
    if not code.startswith("S-"):
        return ""
    try:
        return reverse("session-page", args=[code])
    except NoReverseMatch:
        return ""


def _as_dict(row: JobRow) -> dict[str, Any]:
    told: dict[str, Any] = {"job": row.job.name, "label": str(row.job.label), "level": row.level}
    if row.run is not None:
        told |= {
            "started_at": row.run.started_at.isoformat(),
            "finished_at": row.run.finished_at.isoformat() if row.run.finished_at else None,
            "by_hand": row.run.by_hand,
            "done": row.run.done,
            "skipped": row.run.skipped,
            "failed": row.run.failed,
        }
    return told
