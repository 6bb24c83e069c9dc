"""What a client said in confidence, and all money, never reaches who has only to shoot or to edit.

Everything that a photographer, an editor and an artist can open is read: every route, the links of its page, JSON,
CSV, search, errors (permissions, Object level; quality, Permissions).
"""

import html
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus, urljoin, urlsplit

import pytest
from django.test import Client as Browser
from django.urls import reverse

from payments.models import Payment
from sessions_app.models import Session
from studio.models import Notice
from tests.factories import pdf_text
from tests.factories.at_work import PARAMETERS, SECRETS, AtWork, in_one_transaction, tried

pytestmark = pytest.mark.django_db

READERS = ("photographer", "other_photographer", "editor", "other_editor", "artist", "other_artist")
MOST_PAGES = 60
# Of the moves, those of photographers, editors and artists, and one of the office.
MOVES = ("attend", "take", "ready", "cancel", "complete")
KINDS = {"page": "text/html", "machine": "application/json"}
# The catalogue is everybody's to read, prices and all: what a session costs is not.
SMALLEST_SECRET = Decimal("100")


@pytest.fixture(scope="module")
def work(django_db_setup: None, django_db_blocker: Any) -> Iterator[AtWork]:
    with in_one_transaction(django_db_blocker) as built:
        yield built


def amounts_of(session: Session) -> set[Decimal]:
    """All that was agreed, paid, or follows from it."""
    session.refresh_from_db()
    found = {session.total, session.discount, session.deposit_amount}
    found |= set(Payment.objects.filter(session=session).values_list("amount", flat=True))
    paid = {session.total - amount for amount in found if amount}
    return {amount for amount in found | paid if amount and amount >= SMALLEST_SECRET}


def written(amount: Decimal) -> set[str]:
    """The amount as each language and each machine would write it."""
    plain = f"{amount:.2f}"
    grouped = f"{amount:,.2f}"
    return {plain, grouped, plain.replace(".", ","), grouped.translate(str.maketrans(",.", ".,"))}


def secrets_of(work: AtWork, who: str = "") -> dict[str, str]:
    """Text that must not appear, with what it would give away. An artist knows the money of their own appointments."""
    found = {text: what for what, text in SECRETS.items()}
    found |= {"Institucional": "client type", "Institutional": "client type", "A friend": "discount reason"}
    public = set()
    for line in work.sessions["editing"].lines.all():
        public |= written(line.unit_price) | written(line.unit_price * line.quantity)
    public |= written(work.studio.package.base_price)
    own = work.sessions["appointment"], work.sessions["held"]
    public |= {text for session in own if who == "artist" for amount in amounts_of(session) for text in written(amount)}
    for kind, session in work.sessions.items():
        for amount in amounts_of(session):
            found |= dict.fromkeys(written(amount) - public, f"money of {kind}")
    return found


def hidden_names(work: AtWork, who: str) -> dict[str, str]:
    """Who a person may not know to be a client, and what they may not know to be booked."""
    person = work.own[who]
    visible = set(Session.objects.visible_to(person).values_list("pk", flat=True))
    found = {work.stranger.full_name: "a foreign client", work.stranger.email: "a foreign client's e-mail"}
    every = [*work.sessions.values(), work.foreign]
    for client in (work.studio.client, work.tattooed):
        if not Session.objects.filter(pk__in=visible, client=client).exists():
            found |= {client.full_name: "a foreign client", client.email: "their e-mail"}
    found |= {session.code: "a foreign session" for session in every if session.pk not in visible}
    return found


def beginnings(work: AtWork) -> list[str]:
    """Every route about every session, and the questions that the pages ask by their address."""
    urls = []
    sessions = [work.sessions[kind] for kind in ("editing", "queue", "assigned", "appointment")] + [work.foreign]
    for route, parameters in PARAMETERS.items():
        if "code" not in parameters:
            urls.append(work.url(route, work.sessions["editing"]))
        elif route == "session-move":
            urls += [work.url(route, session, name=name) for session in sessions for name in MOVES]
        else:
            urls += [work.url(route, session) for session in sessions]
    client = work.studio.client
    words = (
        client.full_name,
        work.tattooed.full_name,
        work.stranger.full_name,
        work.foreign.code,
        *SECRETS.values(),
        "1025",
        "902.46",
    )
    for text in words:
        urls += [f"{reverse('search')}?q={text}", f"{reverse('session-list')}?q={text}"]
        urls.append(f"{reverse('session-list')}?format=csv&q={text}")
    urls += [
        f"{reverse('session-list')}?{query}" for query in ("format=csv", "sort=total", "sort=-total", "sort=client")
    ]
    urls += [f"{reverse('client-list')}?format=csv", f"{reverse('payment-list')}?format=csv&tab=all"]
    return urls


def text_of(response: Any) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    if response.headers["Content-Type"] == "application/pdf":
        return pdf_text.text_of(body).replace("\N{NO-BREAK SPACE}", " ")
    # The hidden token is random, and could be any number.
    body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", body.decode(response.charset or "utf-8"))
    return html.unescape(body).replace("\N{NO-BREAK SPACE}", " ") + " ".join(map(str, response.headers.values()))


def links_in(text: str, base: str) -> set[str]:
    found = re.findall(r'(?:href|hx-get|action|src)="([^"#]+)', text)
    urls = {urljoin(base, html.unescape(each)) for each in found}
    return {url for url in urls if not urlsplit(url).netloc and urlsplit(url).path.startswith("/")} - {""}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("who", READERS)
def test_nothing_confidential_is_ever_shown(work, who, kind):
    browser = Browser(raise_request_exception=False, headers={"Accept": KINDS[kind]})
    browser.force_login(work.own[who])
    forbidden = {**secrets_of(work, who), **hidden_names(work, who)}
    waiting, seen, leaks = beginnings(work), set(), set()
    most = len(waiting) + MOST_PAGES
    while waiting and len(seen) < most:
        url = waiting.pop(0)
        if url in seen or url.startswith(("/static/", "/sign-out")):
            continue
        seen.add(url)
        with tried():
            response = browser.get(url)
        text = text_of(response)
        assert response.status_code < 500, url
        # What was asked for is echoed, and tells nothing.
        asked = unquote_plus(url)
        leaks |= {(url, what) for secret, what in forbidden.items() if secret in text and secret not in asked}
        if response.status_code == 200:
            waiting += sorted(links_in(text, url) - seen)
    assert leaks == set()


@pytest.mark.parametrize("who", ["other_photographer", "other_editor", "artist"])
def test_searching_for_a_secret_finds_nothing(work, who):
    """An answer that is different for the right guess would tell it, too."""
    browser = Browser(headers={"Accept": "text/html"})
    browser.force_login(work.own[who])
    for route in ("search", "session-list"):
        found = [len(browser.get(reverse(route), {"q": each}).content) for each in ("5511-7788", "5599-1122")]
        assert found[0] == found[1]


@pytest.mark.parametrize("who", ["photographer", "editor"])
def test_who_is_on_it_cannot_search_by_what_is_hidden(work, who):
    browser = Browser()
    browser.force_login(work.own[who])
    code = work.sessions["queue" if who == "editor" else "assigned"].code
    assert code in browser.get(reverse("session-list"), {"q": "Ximena", "state": ""}).content.decode()
    for secret in SECRETS.values():
        assert code not in browser.get(reverse("session-list"), {"q": secret}).content.decode()


def test_notices_say_nothing_confidential(work):
    """Of everybody who is no part of the office: the sentences, and what they are made of."""
    office = {work.own["coordinator"].pk, work.own["admin"].pk}
    forbidden = secrets_of(work)
    rows = Notice.objects.exclude(recipient__in=office)
    assert rows.exists()
    for notice in rows:
        said = f"{notice.text} {notice.params} {notice.url}"
        assert [what for secret, what in forbidden.items() if secret in said] == []
        own = Session.objects.visible_to(notice.recipient).filter(pk=notice.about_id).exists()
        assert own or work.stranger.full_name not in said


# What people who are no part of the office may send at all, and every act of the office beside it.
ACTS = [route for route in PARAMETERS if "code" in PARAMETERS[route]]


@pytest.mark.parametrize("who", READERS)
def test_errors_name_no_session_to_who_may_not_see_it(work, who):
    """Refusals of acts, with their details: a foreign session and one that does not exist read the same."""
    browser = Browser(raise_request_exception=False, headers={"Accept": "application/json"})
    browser.force_login(work.own[who])
    forbidden = {**secrets_of(work, who), **hidden_names(work, who)}
    visible = set(Session.objects.visible_to(work.own[who]).values_list("pk", flat=True))
    absent: dict[str, tuple[int, bytes]] = {}
    for route in ACTS:
        for session in (*(work.sessions[kind] for kind in ("editing", "ready", "appointment")), work.foreign):
            names = MOVES if route == "session-move" else [""]
            for name in names:
                url = work.url(route, session, **({"name": name} if name else {}))
                with tried():
                    response = browser.post(url)
                text = text_of(response)
                told = {what for secret, what in forbidden.items() if secret in text and secret not in url}
                assert told == set(), url
                if session.pk not in visible and (name != "take" or "editor" not in who):
                    nowhere = url.replace(session.code, "S-1999-9999")
                    if nowhere not in absent:
                        with tried():
                            answer = browser.post(nowhere)
                        absent[nowhere] = (answer.status_code, answer.content)
                    assert (response.status_code, response.content) == absent[nowhere], url
