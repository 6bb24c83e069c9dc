"""Who sees which entry, which one is current, what fits on a phone, and what the frame makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation

from studio import navigation
from studio.context import Shell, shell
from studio.models import Notice, User
from studio.roles import Role
from tests.factories.studio import make_user

pytestmark = pytest.mark.urls("tests.studio.frame_urls")

COMMON = ["home", "session-list", "item-list", "room-list", "notice-list"]
OFFICE = ["home", "session-list", "client-list", "payment-list", "item-list", "room-list", "notice-list"]


@pytest.fixture(autouse=True)
def no_badges(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(navigation, "_badges", {})
    yield


def somebody(*roles: Role) -> User:
    """A person who is not in the database; the roles are as if they had been read."""
    user = User(pk=1, full_name="Ana Lucía Paz", email="ana@studio.test")
    user.__dict__["_roles"] = frozenset(roles)
    return user


def request_of(user: User | AnonymousUser, path: str = "/") -> HttpRequest:
    request = RequestFactory().get(path)
    request.user = user
    return request


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (Role.ADMIN, [*OFFICE[:-1], "staff-list", "notice-list", "admin:index"]),
        (Role.COORDINATOR, OFFICE),
        (Role.PHOTOGRAPHER, COMMON),
        (Role.ARTIST, COMMON),
        (Role.EDITOR, COMMON),
    ],
)
def test_links_are_those_of_the_role(role: Role, names: list[str]) -> None:
    assert [link.name for link in navigation.links_for(somebody(role))] == names


def test_links_without_a_role_lead_home_only() -> None:
    assert [link.name for link in navigation.links_for(somebody())] == ["home"]


@pytest.mark.urls("tests.studio.test_navigation")
def test_links_leave_out_what_has_no_address() -> None:
    assert navigation.links_for(somebody(Role.ADMIN)) == []


urlpatterns: list[object] = []  # for the test above: a site without a page


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "home"),
        ("/sessions/", "session-list"),
        ("/sessions/S-2026-0001/cancel/", "session-list"),
        ("/catalogue/", "item-list"),
        ("/catalogue/rooms/", "room-list"),
        ("/catalogue/rooms/3/", "room-list"),
        ("/catalogue/roomservice/", "item-list"),
        ("/admin/studio/user/", "admin:index"),
        ("/password/", ""),
    ],
)
def test_current_is_the_longest_entry_that_the_path_lies_under(path: str, name: str) -> None:
    assert navigation.current(navigation.links_for(somebody(Role.ADMIN)), path) == name


def test_phone_shows_all_links_when_they_fit() -> None:
    shown, more = navigation.for_phone(navigation.links_for(somebody(Role.PHOTOGRAPHER)))
    assert [link.name for link in shown] == ["home", "session-list", "notice-list", "item-list", "room-list"]
    assert more == []


def test_phone_opens_the_rest_from_its_last_place() -> None:
    shown, more = navigation.for_phone(navigation.links_for(somebody(Role.COORDINATOR)))
    assert [link.name for link in shown] == ["home", "session-list", "client-list", "payment-list"]
    assert [link.name for link in more] == ["notice-list", "item-list", "room-list"]


def test_badge_is_asked_only_for_those_who_see_the_entry() -> None:
    asked: list[User] = []

    def to_verify(user: User) -> int:
        asked.append(user)
        return 3

    navigation.register_badge("payment-list", to_verify)
    counts = {link.name: link.count for link in navigation.links_for(somebody(Role.COORDINATOR))}
    assert counts["payment-list"] == 3
    assert counts["client-list"] == 0
    navigation.links_for(somebody(Role.PHOTOGRAPHER))
    assert len(asked) == 1


def test_main_act_is_offered_to_those_who_may() -> None:
    coordinator, photographer = somebody(Role.COORDINATOR), somebody(Role.PHOTOGRAPHER)
    assert Shell(request_of(coordinator)).primary.url == "/sessions/new/"
    assert Shell(request_of(photographer)).primary is None


def test_shell_says_the_roles_and_the_initials() -> None:
    with translation.override("en"):
        frame = Shell(request_of(somebody(Role.COORDINATOR, Role.ADMIN)))
        assert frame.role == "Admin, Coordinator"
        assert frame.initials == "AP"
        assert Shell(request_of(somebody())).role == "No role yet"


def test_shell_of_a_stranger_offers_nothing() -> None:
    frame = Shell(request_of(AnonymousUser()))
    assert (frame.user, frame.links, frame.primary, frame.unread, frame.search_url) == (None, [], None, 0, "")


@pytest.mark.django_db
def test_frame_costs_two_queries_however_many_figures_it_shows(django_assert_max_num_queries) -> None:
    user = make_user(Role.COORDINATOR)
    Notice.objects.create(recipient=user, kind="session_assigned")
    navigation.register_badge("payment-list", lambda person: Notice.objects.filter(recipient=person).order_by("pk"))
    navigation.register_badge("client-list", lambda person: Notice.objects.none())
    navigation.register_badge("item-list", lambda person: 7)
    request = request_of(User.objects.get(pk=user.pk), "/sessions/S-1/")
    with django_assert_max_num_queries(2), translation.override("en"):
        page = render_to_string("base.html", {"page_title": "Sessions"}, request=request)
    assert 'aria-label="1 unread notice"' in page
    assert page.count('aria-current="page"') == 2  # beside and below
    counts = {link.name: link.count for link in Shell(request).links if link.count}
    assert counts == {"notice-list": 1, "payment-list": 1, "item-list": 7}


@pytest.mark.django_db
def test_fragment_costs_nothing(django_assert_num_queries) -> None:
    user = make_user(Role.COORDINATOR)
    request = request_of(User.objects.get(pk=user.pk))
    with django_assert_num_queries(0):
        assert set(shell(request)) == {"shell"}
        render_to_string("errors/fragment.html", {"message": "No."}, request=request)


@pytest.mark.django_db
def test_nav_of_the_view_has_the_last_word() -> None:
    request = request_of(somebody(Role.COORDINATOR), "/elsewhere/")
    page = render_to_string("base.html", {"nav": "home"}, request=request)
    assert '<a href="/" aria-current="page">' in page


@pytest.mark.parametrize("name", ["400.html", "403.html", "404.html", "500.html", "403_csrf.html"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_error_pages_render_without_any_context(name: str, language: str) -> None:
    with translation.override(language):
        page = render_to_string(name)
    assert page.count("<h1>") == 1


def test_templates_carry_no_style_and_no_script_of_their_own() -> None:
    """The content security policy would block them silently."""
    root = Path(__file__).resolve().parent.parent.parent / "templates"
    pages = [page for page in root.rglob("*.html") if "mail" not in page.parts]
    assert pages
    for page in pages:
        text = page.read_text()
        for forbidden in (
            " style=",
            "<style",
            "<script>",
            " onclick=",
            " onchange=",
            " onsubmit=",
            "javascript:",
            "hx-on",
        ):
            assert forbidden not in text, f"{page.relative_to(root)} has {forbidden!r}"
