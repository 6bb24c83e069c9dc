"""What happened, with the next act as a link, through Django's messages and their JSON."""

from __future__ import annotations

import pytest
from django.contrib import messages
from django.contrib.messages.storage.cookie import MessageDecoder, MessageEncoder
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import RequestFactory

from studio import say


class Kept(messages.storage.base.BaseStorage):
    """Messages in memory, through the same JSON as those in cookies and sessions."""

    kept = "[]"

    def _get(self, *args, **kwargs):
        return MessageDecoder().decode(self.kept), True

    def _store(self, queued, response, *args, **kwargs):
        self.kept = MessageEncoder().encode(queued)
        return []


@pytest.fixture
def request_() -> HttpRequest:
    request = RequestFactory().get("/")
    request._messages = Kept(request)
    return request


def shown(request: HttpRequest) -> str:
    request._messages.update(None)
    after = Kept(request)
    after.kept = request._messages.kept
    return render_to_string("components/messages.html", {"messages": after})


def test_tell_keeps_the_link_and_escapes_the_words(request_: HttpRequest) -> None:
    say.tell(request_, "<Paz> confirmed.", next_url="/sessions/S-1/?a=1&b=2", next_label="Assign > people")
    page = shown(request_)
    assert "&lt;Paz&gt; confirmed." in page
    assert '<a class="next-act" href="/sessions/S-1/?a=1&amp;b=2">Assign &gt; people</a>' in page
    assert 'class="say success"' in page


def test_tell_without_a_link_escapes_the_words(request_: HttpRequest) -> None:
    say.tell(request_, "<b>Paz</b>")
    assert "<b>" not in shown(request_)


def test_refuse_is_announced_at_once(request_: HttpRequest) -> None:
    say.refuse(request_, "The room is taken.")
    page = shown(request_)
    assert 'aria-live="polite"' in page
    assert 'class="say error" role="alert"' in page


def test_warn_is_a_warning(request_: HttpRequest) -> None:
    say.warn(request_, "The e-mail waits.")
    assert 'class="say warning"' in shown(request_)


@pytest.mark.parametrize("address", ["https://elsewhere.test/", "//elsewhere.test", "javascript:alert(1)"])
def test_tell_refuses_a_link_that_leaves_the_site(request_: HttpRequest, address: str) -> None:
    with pytest.raises(ValueError, match="not an address of this site"):
        say.tell(request_, "Done.", next_url=address, next_label="On")


def test_tell_refuses_a_link_without_words(request_: HttpRequest) -> None:
    with pytest.raises(ValueError, match="needs words"):
        say.tell(request_, "Done.", next_url="/")
