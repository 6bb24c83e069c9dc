"""Somebody at a browser: signs in, opens forms, sends them, and notes what was answered."""

import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.urls import reverse

from studio.models import User
from tests.factories.domain import PASSWORD

# Nothing of this is for the eyes of somebody who books.
TRACES = ("Traceback (most", "psycopg", "OperationalError", "InterfaceError", "DatabaseError", "django/")


@dataclass(frozen=True, slots=True)
class Answer:
    """``status`` is 0 when none came: then nobody knows whether it was done."""

    status: int
    url: str = ""
    text: str = ""

    @property
    def is_done(self) -> bool:
        """A form that was taken sends its reader on."""
        return self.status == 302

    @property
    def is_failure(self) -> bool:
        return self.status == 0 or self.status >= 500

    @property
    def code(self) -> str:
        """The session that the reader is sent to."""
        found = re.search(r"/sessions/([^/]+)/", self.url)
        return found[1] if found else ""

    @property
    def traces(self) -> list[str]:
        return [trace for trace in TRACES if trace in self.text]


def let_sign_in(*people: User) -> None:
    """Give them the password of the tests, hashed as the web process hashes: the tests' own hash it does not know."""
    hasher = Argon2PasswordHasher()
    encoded = hasher.encode(PASSWORD, hasher.salt())
    User.objects.filter(pk__in=[each.pk for each in people]).update(password=encoded)


class Person:
    """One browser. For one thread."""

    def __init__(self, address: str, who: User) -> None:
        self.address = address
        self.who = who
        self._browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar()), _NoRedirect()
        )

    def sign_in(self) -> "Person":
        answer = self.send(reverse("login"), username=self.who.email, password=PASSWORD)
        assert answer.is_done, (answer.status, answer.text[:2000])
        return self

    def look(self, path: str) -> Answer:
        return self._ask(urllib.request.Request(self.address + path))

    def send(self, path: str, **fields: Any) -> Answer:
        """Open the form and send it filled in; the failure of the page is its answer when it does not open."""
        page = self.look(path)
        if page.status != 200:
            return page
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, f"{path} has no form"
        body = urlencode(fields | {"csrfmiddlewaretoken": token[1]}, doseq=True).encode()
        return self._ask(urllib.request.Request(self.address + path, data=body))

    def _ask(self, request: urllib.request.Request) -> Answer:
        try:
            with self._browser.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.url, answer.read().decode())
        except urllib.error.HTTPError as answer:
            with answer:
                return Answer(answer.code, answer.headers.get("Location", ""), answer.read().decode())
        except (OSError, HTTPException):
            return Answer(0)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
