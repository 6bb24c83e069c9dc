"""Hostile values in every form and every address: never an error of ours, never a trace (quality, bad input).

The fields are read off the rendered pages, so that a new form is swept as soon as it has an address.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.http import QueryDict
from django.test import Client as Browser

from sessions_app import workflow
from tests.factories.at_work import PARAMETERS, AtWork, in_one_transaction

pytestmark = pytest.mark.django_db

HOSTILE = (
    "",
    "-1",
    "0",
    "99999999999999999999",
    "1e999",
    "NaN",
    "-Infinity",
    "1.005",
    "x' OR 1=1; --",
    "<script>alert(1)</script>",
    "\u202eesrever \U0001f4f8 ﷽",
    "a" * 10_000,
    "\x00",
    "0001-01-01",
    "9999-12-31",
    "2026-02-31",
    "24:00",
    "23:59",
    "{{ 7 * 7 }} %(x)s %n {0.__class__}",
)
# Parameters that a page reads from its address, besides the fields of its own form.
READ = ("q", "page", "sort", "state", "from", "to", "format", "tab", "client", "next", "find", "package", "times")
READ += ("day", "artist", "start", "session_date", "duration", "person", "client_search", "no_show")
NAMES = re.compile(r"<(?:input|select|textarea)\b[^>]*?\bname=\"([^\"]+)\"")
LEAVE_ALONE = {"logout", "set-language"}
JSON = {"accept": "application/json"}
# The longest test there is: for as many workers.
PARTS = 2


@pytest.fixture(scope="module")
def work(django_db_setup: None, django_db_blocker: Any) -> Iterator[AtWork]:
    with in_one_transaction(django_db_blocker) as built:
        yield built


def desk(work: AtWork, who: str = "admin") -> Browser:
    browser = Browser(raise_request_exception=False)
    browser.force_login(work.own[who])
    return browser


def addresses(work: AtWork) -> list[str]:
    """Every address, about a session that is still open to edits and one that is not; every move."""
    found: list[str] = []
    for session in (work.sessions["negotiation"], work.sessions["editing"]):
        found += [work.url(route, session) for route in PARAMETERS if route not in LEAVE_ALONE | {"session-move"}]
        found += [work.url("session-move", session, name=name) for name in workflow.PHOTOGRAPHY]
    return sorted(set(found))


def refuse_faults(answer: Any, asked: str) -> None:
    assert answer.status_code < 500, f"{asked}: {answer.status_code}"
    if answer.streaming:
        return
    text = answer.content.decode(errors="replace")
    for sign in ("Traceback (most recent call last)", "psycopg.errors", "IntegrityError", "DataError"):
        assert sign not in text, f"{asked}: {sign}"


class Noted(QueryDict):
    """What an address or a form brings along; ``names`` are those that were looked up in it, whether there or not."""

    names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)

    def getlist(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().getlist(name, default)

    def __len__(self) -> int:
        self.names.add("any")  # asked whether there is something at all
        return super().__len__()


class NotedForm(Noted):
    """The same of a form. It is read in first, and looked through once for what no column can hold."""

    def __contains__(self, name: object) -> bool:
        return QueryDict.__contains__(self, name) if self._mutable else super().__contains__(name)

    def __deepcopy__(self, memo: dict[int, Any]) -> QueryDict:
        self.names.add("any")  # all of it, to look at later
        return super().__deepcopy__(memo)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_form_takes_every_hostile_value_without_an_error_of_ours(work, part, monkeypatch):
    """An act that looks at nothing of what it was sent is asked once: it cannot depend on the value."""
    monkeypatch.setattr("django.http.QueryDict", NotedForm)
    browser = desk(work)
    swept = 0
    for url in addresses(work)[part::PARTS]:
        page = browser.get(url)
        refuse_faults(page, url)
        if page.streaming:
            continue
        names = set(NAMES.findall(page.content.decode(errors="replace"))) - {"csrfmiddlewaretoken"}
        blind = set()
        for value in HOSTILE:
            as_machine = bool(len(value) % 2)
            if as_machine in blind and value != "\x00":  # which is refused before it comes to the act
                continue
            with transaction.atomic():
                Noted.names.clear()
                answer = browser.post(url, dict.fromkeys(names, value), headers=JSON if as_machine else {})
                refuse_faults(answer, f"POST {url} with {value[:30]!r}")
                if answer.status_code >= 400 and answer.get("Content-Type", "").startswith("application/json"):
                    assert set(answer.json()) == {"code", "message", "details"}, (url, value[:30])
                transaction.set_rollback(True)
                swept += 1
            if not Noted.names & {*names, "any"}:
                blind.add(as_machine)
            if answer.status_code == 405:
                # A page without a form: one look at its refusal is enough, and does not count as swept.
                swept -= 1
                break
    assert swept > 500 / PARTS


def test_every_page_takes_every_hostile_parameter_without_an_error_of_ours(work, monkeypatch):
    """Each value, in all the names that the page looks up and in those that others do. A page that looks up none can
    but repeat its address: it gets all values at once.
    """
    monkeypatch.setattr("django.core.handlers.wsgi.QueryDict", Noted)
    browser = desk(work)
    # What no column can hold is refused before it comes to a page.
    at_once = {f"q{number}": value for number, value in enumerate(HOSTILE) if value != "\x00"}
    that_look = set()
    for url in addresses(work):
        Noted.names.clear()
        if browser.get(url).status_code != 200:
            continue
        questions = [at_once]
        if names := set(Noted.names):
            questions = [dict.fromkeys((*READ, *names), value) for value in HOSTILE]
            that_look.add(url)
        for question in questions:
            refuse_faults(browser.get(url, question), f"GET {url} with {str(question)[:60]}")
    assert {"/sessions/", "/search/", "/payments/", "/clients/"} <= that_look
    assert len(that_look) > 25


@pytest.mark.parametrize("who", ["photographer", "editor", "coordinator"])
def test_lists_and_searches_take_hostile_parameters_from_everybody(work, who, monkeypatch):
    """Each value alone, in each name that the page looks up; those that it never looks up share one address."""
    monkeypatch.setattr("django.core.handlers.wsgi.QueryDict", Noted)
    browser = desk(work, who)
    alone = 0
    for url in ("/", "/sessions/", "/search/", "/notices/", "/clients/", "/payments/"):
        Noted.names.clear()
        refuse_faults(browser.get(url), url)
        tried_alone: set[str] = set()
        # A value may have the page look up more.
        while True:
            looked_up = Noted.names & set(READ) - tried_alone
            for name in looked_up or [None]:
                names = [name] if name else set(READ) - tried_alone
                for value in ("\x00", "99999999999999999999", "a" * 3000, "9999-12-31", "'\\"):
                    refuse_faults(browser.get(url, dict.fromkeys(names, value)), f"{url}?{names}={value[:20]!r}")
            tried_alone |= looked_up
            if not looked_up and not Noted.names & set(READ) - tried_alone:
                break
        alone += len(tried_alone)
    assert alone > 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"reason": {"a": 1}}',
        b'{"amount": 1e999}',
        b'{"a": "\\u0000"}',
    ],
)
def test_a_body_that_is_no_form_is_refused_in_words(work, body):
    browser = desk(work)
    for route in ("session-new", "session-deposit", "session-edit", "client-new"):
        url = work.url(route, work.sessions["negotiation"])
        answer = browser.post(url, body, content_type="application/json", headers=JSON)
        refuse_faults(answer, f"{url} {body!r}")
        assert answer.status_code in (400, 422), (url, body, answer.status_code)
        assert set(answer.json()) == {"code", "message", "details"}
