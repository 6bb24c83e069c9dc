"""What protects the site as a whole: policy, cookies, tokens, redirects, and reading that writes nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from catalog.models import Item
from payments.models import Payment
from sessions_app.models import Client
from tests.factories.at_work import PARAMETERS, AtWork, in_one_transaction, row_counts, tried

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http:evil.example")


@pytest.fixture(scope="module")
def work(django_db_setup: None, django_db_blocker: Any) -> Iterator[AtWork]:
    with in_one_transaction(django_db_blocker) as built:
        yield built


def signed_in(work: AtWork, who: str = "admin", **options: Any) -> Browser:
    browser = Browser(raise_request_exception=False, **options)
    if who:
        browser.force_login(work.own[who])
    return browser


def routes() -> list[str]:
    return sorted(set(PARAMETERS) - {"session-move"})


@pytest.mark.parametrize("who", ["admin", "editor", "photographer"])
def test_reading_writes_nothing(work, who):
    """A denial is written down, in the audit log and nowhere else."""
    browser = signed_in(work, who)
    before = row_counts()
    for name in routes():
        browser.get(work.url(name, work.sessions["editing"]))
    for name in ("attend", "take", "ready", "complete", "cancel"):
        browser.get(work.url("session-move", work.sessions["editing"], name=name))
    assert row_counts() == before


def test_every_act_wants_the_token_of_its_form(work):
    """No act of the site can be sent from another one."""
    browser = signed_in(work, enforce_csrf_checks=True)
    before = row_counts()
    for name in routes():
        url = work.url(name, work.sessions["negotiation"])
        answer = browser.post(url, headers={"Accept": "application/json"})
        # Whoever may only read, or has no business there, is told that instead.
        assert answer.status_code in (403, 405), name
        if answer.status_code == 403:
            assert answer.json()["details"] == {"failed": "csrf"}, name
    assert row_counts() == before


@pytest.mark.parametrize("who", ["", "no_role", "editor", "admin"])
def test_every_answer_carries_the_policy_and_its_number(work, who):
    browser = signed_in(work, who)
    urls = [work.url(name, work.sessions["editing"]) for name in routes()]
    urls += ["/nothing/here/", "/admin/", "/admin/studio/user/", "/sessions/%00/", "/sign-in/?next=%00"]
    for url in urls:
        with tried():
            answer = browser.get(url)
        assert answer.status_code < 500, url
        policy = answer.headers.get("Content-Security-Policy", "")
        assert "default-src 'none'" in policy, url
        assert answer.headers["X-Request-ID"], url
        if who == "admin" and url.endswith("/html/"):
            # An e-mail in its frame: styled as mail programs need it, without scripts and without an origin.
            assert "sandbox" in policy and "script-src" not in policy, url
            assert "frame-ancestors 'self'" in policy and answer.headers["X-Frame-Options"] == "SAMEORIGIN", url
        else:
            assert "unsafe" not in policy, url
            assert answer.headers["X-Frame-Options"] == "DENY", url
        assert answer.headers["X-Content-Type-Options"] == "nosniff", url


def test_an_error_of_the_program_keeps_the_policy_and_shows_no_trace(work, monkeypatch):
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the inside of the program")

    monkeypatch.setattr("sessions_app.views.homes.greeting", broken)
    for accept in ("text/html", "application/json"):
        answer = signed_in(work).get("/", headers={"Accept": accept})
        assert answer.status_code == 500
        assert b"inside" not in answer.content and b"Traceback" not in answer.content
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Request-ID"].encode() in answer.content


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_act_leads_to_another_site(work, target):
    """Wherever an address or a form says where to go next."""
    payment = work.payments["pending"].pk
    client = {"full_name": "Ana", "email": "ana-next@example.test", "primary_phone": "5555-1234"}
    acts = [
        (reverse("payment-verify", args=[payment]), {}),
        (reverse("payment-reject", args=[payment]), {}),
        (reverse("payment-void", args=[payment]), {"reason": "Wrong"}),
        (reverse("client-new"), client),
        (reverse("notice-read"), {"all": "1"}),
        (reverse("set-language"), {"language": "en"}),
        (reverse("logout"), {}),
    ]
    for url, values in acts:
        for sent_to in (url, f"{url}?next={target}"):
            with tried():
                answer = signed_in(work).post(sent_to, {**values, "next": target}, headers={"Referer": target})
            assert answer.status_code in (302, 405, 422), url
            assert "evil" not in answer.headers.get("Location", ""), url
            assert "javascript" not in answer.headers.get("Location", ""), url
    browser = signed_in(work)
    for name in routes():
        answer = browser.get(work.url(name, work.sessions["negotiation"]), {"next": target})
        if not answer.streaming:
            assert f'href="{target}' not in answer.content.decode(errors="replace"), name
            assert f'action="{target}' not in answer.content.decode(errors="replace"), name
    answer = signed_in(work).get(reverse("login"), {"next": target})
    assert "evil" not in answer.headers.get("Location", "")


# What a spreadsheet would run. The tabulator and the new line are tried where a field keeps them.
FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", " =1+1", "\uff1d1+1")


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_export_has_a_cell_that_runs(work, formula):
    with tried():
        work.payments["pending"].refresh_from_db()
        Client.objects.filter(pk=work.studio.client.pk).update(full_name=formula, secondary_phone=formula)
        Payment.objects.filter(pk=work.payments["pending"].pk).update(notes=formula)
        Item.objects.update(name=formula)
        for route in ("session-list", "client-list", "payment-list"):
            answer = signed_in(work).get(reverse(route), {"format": "csv", "tab": "all"})
            text = b"".join(answer.streaming_content).decode("utf-8-sig")
            assert answer.headers["Content-Type"].startswith("text/csv")
            assert "attachment" in answer.headers["Content-Disposition"]
            cells = [cell.strip('"') for line in text.splitlines() for cell in line.split(",")]
            assert formula in text
            assert [cell for cell in cells if cell.startswith(formula)] == [], route


def test_production_settings_pass_djangos_own_check():
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "".join(chr(33 + number % 90) for number in range(0, 60 * 7, 7)),
        "ALLOWED_HOSTS": "atelier.example",
        "DATABASE_URL": os.environ["DATABASE_URL"],
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_cookies_are_out_of_reach_in_production():
    names = ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY"]
    # Not said, and so Django's own default: Lax.
    names += ["SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SAMESITE"]
    code = f"import json; from studio import settings; print(json.dumps([vars(settings).get(n) for n in {names}]))"
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "x1" * 30,
        "ALLOWED_HOSTS": "atelier.example",
        "DATABASE_URL": os.environ["DATABASE_URL"],
    }
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout) == [True, True, True, None, None]
