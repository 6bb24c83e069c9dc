"""Each page at a thousand sessions and at very many: 1.5 times as long, and the same questions (quality, Speed).

Both data sets have as many sessions a day: a page of a week or of a month shows as much in either.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db.models import Count
from django.test import Client as Browser
from django.urls import reverse

from sessions_app import workflow
from sessions_app.models import Client, Session
from studio.models import User
from studio.roles import Role
from tests.bench.data_sets import LARGE, MEANT, SMALL, DataSets, Figures, measure, read_whole, today
from tests.bench.table import Table

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quiet")]

MOST_QUESTIONS = 18
TOMORROW = today() + timedelta(days=1)
SERVE = {
    "session_type": workflow.STUDIO_SESSION,
    "first_day": TOMORROW.isoformat(),
    "last_day": (TOMORROW + timedelta(days=59)).isoformat(),
    "duration": "2 h",
    "photographers": "1",
}
# Who opens it, the name of the route, and what is asked of it.
PAGES = {
    "sessions": (Role.COORDINATOR, "session-list", {}),
    "sessions, upcoming": (Role.COORDINATOR, "session-list", {"when": "upcoming"}),
    "sessions, completed": (Role.COORDINATOR, "session-list", {"when": "past", "state": "Completed"}),
    "sessions, own": (Role.PHOTOGRAPHER, "session-list", {}),
    "a session": (Role.COORDINATOR, "session-page", {}),
    "home of coordination": (Role.COORDINATOR, "home", {}),
    "home of a photographer": (Role.PHOTOGRAPHER, "home", {}),
    "home of an editor": (Role.EDITOR, "home", {}),
    "can we serve, in 60 days": (Role.COORDINATOR, "feasibility", SERVE),
    "calendar, week": (Role.COORDINATOR, "calendar", {"view": "week"}),
    "clients": (Role.COORDINATOR, "client-list", {}),
    "a client": (Role.COORDINATOR, "client-page", {}),
    "search": (Role.COORDINATOR, "search", {"q": "Zamora"}),
    "payments": (Role.COORDINATOR, "payment-list", {}),
    "till": (Role.COORDINATOR, "till", {}),
    "report of money": (Role.COORDINATOR, "report-money", {}),
}


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without a line of the log for each request."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


def opened(role: Role, route: str, asked: dict[str, str]) -> Figures:
    browser = Browser()
    # The last one: somebody who is nothing else besides.
    browser.force_login(User.objects.in_role(role).order_by("-pk").first())
    url = reverse(route, kwargs=_which(route))

    def get() -> object:
        answer = browser.get(url, asked)
        assert answer.status_code == 200, (url, asked)
        return answer

    return measure(get, times=9)


def _which(route: str) -> dict[str, object]:
    """The record that a page is about: one of the same kind in each data set."""
    if route == "session-page":
        ahead = Session.objects.filter(status=workflow.CONFIRMED, session_type=workflow.STUDIO_SESSION)
        return {"code": ahead.order_by("starts_at").first().code}
    if route == "client-page":
        several = Client.objects.annotate(sessions_in_all=Count("sessions")).filter(sessions_in_all=4)
        return {"pk": several.order_by("pk").first().pk}
    return {}


def test_pages_do_not_grow_with_the_data(data_sets: DataSets, table: Callable[..., Table]) -> None:
    columns = ("page", f"queries at {SMALL:,}", f"at {LARGE:,}", f"ms at {SMALL:,}", f"at {LARGE:,}")
    worked = ("CPU ms", "at the larger", "ratio of CPU", "planned over whole tables")
    shown = table("pages: the whole request on the server", *columns, *worked)
    found: dict[str, list[Figures]] = {name: [] for name in PAGES}
    whole: dict[str, set[str]] = {}
    for sessions in sorted({SMALL, LARGE}):
        with data_sets.of(sessions):
            for name, page in PAGES.items():
                found[name].append(opened(*page))
                whole[name] = read_whole(found[name][-1].statements) if MEANT else set()
    for name, figures in found.items():
        small, large = figures[0], figures[-1]
        shown.line(
            name,
            small.queries,
            large.queries,
            f"{small.ms:.1f}",
            f"{large.ms:.1f}",
            f"{small.work:.1f}",
            f"{large.work:.1f}",
            f"{large.work / small.work:.2f}",
            ", ".join(sorted(whole[name])) or "-",
        )
        # No question for each row, and none that only many sessions call for.
        assert large.queries <= MOST_QUESTIONS, name
        assert large.queries == small.queries or not MEANT, name


def test_calendar_week_does_not_grow_with_the_data(data_sets: DataSets, table: Callable[..., Table]) -> None:
    shown = table("calendar: the week as JSON", "sessions", "events", "queries", "ms", "Python", "PostgreSQL", "ratio")
    monday = today() - timedelta(days=today().weekday())
    asked = {"start": monday.isoformat(), "end": (monday + timedelta(days=7)).isoformat()}
    first: Figures | None = None
    for sessions in sorted({SMALL, LARGE}):
        with data_sets.of(sessions):
            figures = opened(Role.COORDINATOR, "calendar-events", asked)
            if MEANT and sessions == LARGE:
                assert read_whole(figures.statements) == set()
        first = first or figures
        shown.line(
            sessions,
            len(figures.answer.json()["events"]),
            figures.queries,
            f"{figures.ms:.1f}",
            f"{figures.python:.1f}",
            f"{figures.database:.1f}",
            f"{figures.work / first.work:.2f}",
        )
        assert figures.answer.json()["events"]
        assert figures.queries == first.queries <= MOST_QUESTIONS
