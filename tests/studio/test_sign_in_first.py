"""Every address wants a person, unless it is named as open."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from studio.middleware import RoleGateMiddleware

pytestmark = pytest.mark.django_db

HOSTILE = {"code": "S-2026-0001", "name": "confirm", "uidb64": "x", "token": "x-y"}


def addresses(resolver=None, prefix: str = "", namespace: str = "") -> list[tuple[str, str]]:
    """(name, path) of every pattern, with something in its parameters."""
    found = []
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += addresses(entry, route, entry.namespace or namespace)
        elif isinstance(entry, URLPattern) and "(?P" not in route:
            name = f"{namespace}:{entry.name}" if namespace else entry.name
            path = route
            for converter in entry.pattern.converters:
                path = path.replace(f"<int:{converter}>", "1")
                path = path.replace(f"<str:{converter}>", HOSTILE.get(converter, "x"))
                path = path.replace(f"<{converter}>", HOSTILE.get(converter, "1"))
                path = path.replace(f"<slug:{converter}>", "x")
                path = path.replace(f"<path:{converter}>", "1")
            found.append((name, "/" + path))
    return found


def test_nobody_comes_in_without_signing_in(client):
    open_to_all = {*RoleGateMiddleware.OPEN, "admin:login", "admin:jsi18n"}
    behind_the_door = [(name, path) for name, path in addresses() if name not in open_to_all]
    assert len(behind_the_door) > 20
    for name, path in behind_the_door:
        response = client.get(path)
        assert response.status_code == 302, f"{name} {path} answered {response.status_code}"
        assert response.url.startswith(("/sign-in", "/accounts/login", "/login", "/admin/login")), (name, response.url)


def test_a_machine_is_told_to_sign_in(client):
    response = client.get("/notices/", headers={"accept": "application/json"})
    assert (response.status_code, response.json()["code"]) == (401, "SIGN_IN_REQUIRED")


def test_htmx_is_sent_to_the_door_as_a_whole_page(client):
    response = client.post("/notices/read/", headers={"HX-Request": "true"})
    assert response.status_code in (401, 403)


@pytest.mark.parametrize(
    ("method", "headers", "leads_back_to"),
    [
        ("get", {}, "/notices/?page=2"),
        ("post", {"Referer": "http://testserver/sessions/new/?client=3"}, "/sessions/new/?client=3"),
        ("post", {"Referer": "https://evil.example/sessions/"}, "/"),
        ("post", {}, "/"),
        ("get", {"HX-Request": "true", "HX-Current-URL": "http://testserver/appointments/new/"}, "/appointments/new/"),
        ("get", {"HX-Request": "true", "HX-Current-URL": "//evil.example/"}, "/"),
        ("get", {"HX-Request": "true"}, "/"),
    ],
)
def test_one_comes_back_to_a_page_and_never_to_an_act_or_a_part(client, method, headers, leads_back_to):
    response = getattr(client, method)("/notices/?page=2", headers=headers)
    address = response.headers.get("HX-Redirect") or response.url
    assert parse_qs(urlsplit(address).query)["next"] == [leads_back_to]
