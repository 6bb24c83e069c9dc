"""Errors and how they are told; JSON bodies, the language, request ids, the gate (business rules 11)."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import include, path, reverse
from django.utils import translation

from studio import audit, errors
from studio.access import require
from studio.errors import BY_CODE, AccessDenied, InvalidInput, NotFound, RoomNotAvailable
from studio.models import AuditEvent, User
from studio.roles import Perm, Role
from tests.factories.studio import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true"}


def _raise(request: HttpRequest, code: str) -> HttpResponse:
    raise BY_CODE[code]()


def _denied(request: HttpRequest) -> HttpResponse:
    with audit.act():
        require(request.user, Perm.USER_EDIT, User.objects.order_by("pk").first())
    return HttpResponse("never")


def _denied_by_django(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def _hidden(request: HttpRequest) -> HttpResponse:
    raise NotFound(user=request.user, perm=Perm.SESSION_VIEW_OWN)


def _missing(request: HttpRequest) -> HttpResponse:
    raise Http404


def _broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret of the program")


def _conflict(request: HttpRequest) -> HttpResponse:
    raise RoomNotAvailable(details={"sessions": ["S-1"]})


def _echo(request: HttpRequest) -> HttpResponse:
    return JsonResponse(dict(request.POST.lists()))


def _say(request: HttpRequest) -> HttpResponse:
    return HttpResponse(translation.gettext("Photographer"))


urlpatterns = [
    path("raise/<code>/", _raise),
    path("denied/", _denied),
    path("denied-by-django/", _denied_by_django),
    path("hidden/", _hidden),
    path("missing/", _missing),
    path("broken/", _broken),
    path("conflict/", _conflict),
    path("echo/", _echo),
    path("say/", _say),
    path("", include("studio.urls")),
]
handler400 = "studio.views.bad_request"
handler403 = "studio.views.permission_denied"
handler404 = "studio.views.page_not_found"
handler500 = "studio.views.server_error"

# Section 11 and ours: the code and its status.
CODES = {
    "SESSION_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "PERMISSION_DENIED": 403,
    "INVALID_STATE_TRANSITION": 409,
    "ROOM_NOT_AVAILABLE": 409,
    "PHOTOGRAPHER_NOT_AVAILABLE": 409,
    "PAYMENT_DEADLINE_EXPIRED": 422,
    "CHANGES_DEADLINE_EXPIRED": 422,
    "INSUFFICIENT_PAYMENT": 422,
    "INVALID_SESSION_DATE": 422,
    "MISSING_RESOURCES": 422,
    "PAYMENT_EXCEEDS_TOTAL": 422,
    "IMMUTABLE_SESSION": 422,
    "INVALID_INPUT": 422,
}


def test_every_code_has_its_status():
    assert {code: error.status for code, error in BY_CODE.items()} == CODES
    assert all(issubclass(error, ValueError) for error in BY_CODE.values())


@pytest.fixture
def signed_in(client):
    client.force_login(make_user(Role.EDITOR))
    return client


@pytest.mark.parametrize(("code", "status"), CODES.items())
def test_error_as_json(signed_in, code, status):
    answer = signed_in.get(f"/raise/{code}/", headers=JSON)
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json()["message"]
    assert answer.json()["details"] == {}


@pytest.mark.parametrize(("code", "status"), CODES.items())
def test_error_as_page(signed_in, code, status):
    answer = signed_in.get(f"/raise/{code}/")
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert str(BY_CODE[code]().message)[:10] in answer.text


def test_error_as_fragment_for_htmx(signed_in):
    answer = signed_in.get("/conflict/", headers=HTMX)
    assert answer.status_code == 409
    assert answer["HX-Retarget"] == "#messages"
    assert "<html" not in answer.text


def test_details_are_for_machines(signed_in):
    answer = signed_in.get("/conflict/", headers=JSON)
    assert answer.json()["details"] == {"sessions": ["S-1"]}
    assert "Accept" in answer["Vary"]


def test_message_is_translated_when_it_is_raised():
    with translation.override("en"):
        assert errors.MissingResources().message == "The session still needs people or a room."
    assert errors.InvalidInput("Exactly this.").message == "Exactly this."


def test_denial_in_an_act_is_recorded_once(signed_in):
    answer = signed_in.get("/denied/", headers=JSON)
    assert answer.status_code == 403
    [line] = AuditEvent.objects.filter(event="denied")
    assert line.details["permission"] == "user.edit"


def test_denial_of_django_is_recorded_and_told_the_same_way(signed_in):
    answer = signed_in.get("/denied-by-django/", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED")
    [line] = AuditEvent.objects.filter(event="denied")
    assert line.details["path"] == "/denied-by-django/"


def test_denial_outside_of_an_act_is_recorded(signed_in):
    assert signed_in.get("/hidden/").status_code == 404
    assert signed_in.get("/raise/PERMISSION_DENIED/").status_code == 403
    assert AuditEvent.objects.filter(event="denied").count() == 2


def test_what_does_not_exist_is_no_denial(signed_in):
    assert signed_in.get("/raise/NOT_FOUND/").status_code == 404
    assert not AuditEvent.objects.exists()


def test_unknown_address_answers_json_when_asked(signed_in):
    assert signed_in.get("/nowhere/", headers=JSON).json()["code"] == "NOT_FOUND"
    assert signed_in.get("/missing/", headers=JSON).status_code == 404
    assert signed_in.get("/nowhere/").status_code == 404


def test_error_of_the_program_says_nothing_of_it(signed_in):
    signed_in.raise_request_exception = False
    for headers in ({}, JSON):
        answer = signed_in.get("/broken/", headers=headers)
        assert answer.status_code == 500
        assert "secret" not in answer.text
    assert answer.json()["code"] == "SERVER_ERROR"
    assert answer.json()["details"]["request_id"] == answer["X-Request-ID"]


def test_missing_csrf_token_answers_in_kind():
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/echo/", headers=JSON).json()["code"] == "PERMISSION_DENIED"
    assert strict.post("/echo/").status_code == 403


def test_json_body_is_a_form(signed_in):
    body = """{"amount": 12.10, "big": 100000000000000000000.05, "n": 3, "yes": true, "no": false,
               "none": null, "many": ["a", 2, null], "text": "ñandú", "empty": []}"""
    answer = signed_in.post("/echo/", body, content_type="application/json")
    assert answer.json() == {
        "amount": ["12.10"],
        "big": ["100000000000000000000.05"],
        "n": ["3"],
        "yes": ["true"],
        "no": ["false"],
        "none": [""],
        "many": ["a", "2", ""],
        "text": ["ñandú"],
        "empty": [],
    }


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"text"',
        "NaN",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": {"b": 1}}',
        '{"a": [[1]]}',
        "[" * 100_000,
        b"\xff\xfe\xfa",
        '{"a": "\\u0000"}',
        '{"a\\u0000": "b"}',
        '{"a": "\\ud800"}',
        json.dumps({"a": ["x"] * 5000}),
        "{'a': 1}",
    ],
)
def test_malformed_json_is_refused(signed_in, body):
    answer = signed_in.post("/echo/", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["code"] == "INVALID_INPUT"
    assert answer.json()["details"]["failed"]


def test_empty_json_body_is_an_empty_form(signed_in):
    assert signed_in.post("/echo/", "", content_type="application/json").json() == {}


def test_error_about_a_json_body_is_json_without_being_asked(signed_in):
    answer = signed_in.post("/conflict/", "{}", content_type="application/json")
    assert answer.json()["code"] == "ROOM_NOT_AVAILABLE"


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get("/say/?q=a%00b"),
        lambda client: client.get("/say/?a%00=b"),
        lambda client: client.get("/say/%00"),
        lambda client: client.post("/echo/", {"name": "a\x00b"}),
    ],
)
def test_nul_is_refused_everywhere(signed_in, ask):
    answer = ask(signed_in)
    assert answer.status_code == 400


def test_language_is_the_persons_then_the_browsers_then_the_studios(client):
    person = make_user(Role.PHOTOGRAPHER, language="en")
    client.force_login(person)
    client.cookies["django_language"] = "es"
    assert client.get("/say/")["Content-Language"] == "en"
    person.language = ""
    person.save()
    assert client.get("/say/")["Content-Language"] == "es"
    client.cookies["django_language"] = "xx"
    assert client.get("/say/")["Content-Language"] == "es"
    assert translation.get_language() == "es"


def test_request_id_is_given_or_kept_when_harmless(client):
    assert len(client.get("/healthz")["X-Request-ID"]) == 32
    assert client.get("/healthz", headers={"X-Request-ID": "abc-12345"})["X-Request-ID"] == "abc-12345"
    forged = client.get("/healthz", headers={"X-Request-ID": "x y;<script>"})["X-Request-ID"]
    assert len(forged) == 32


def test_health_is_answered_on_plain_http_and_pages_are_sent_to_https(client, settings):
    """A load balancer asks from within, without TLS."""
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    assert client.get(reverse("login"))["Location"].startswith("https://")


def test_health_asks_the_database_nothing(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/healthz").status_code == 200
    with django_assert_num_queries(1):
        assert client.get("/readyz").status_code == 200


def test_person_without_a_role_sees_an_explanation_and_nothing_else(client):
    admin, person = make_user(Role.ADMIN), make_user()
    client.force_login(person)
    for address in ("/say/", reverse("notice-list"), reverse("staff-list")):
        answer = client.get(address)
        assert answer.status_code == 403
        assert admin.email in answer.text
    assert client.get("/say/", headers=JSON).json()["code"] == "PERMISSION_DENIED"
    assert client.post(reverse("notice-read"), {"all": "1"}).status_code == 403
    assert client.get(reverse("no-role")).status_code == 200
    assert client.get(reverse("password-change")).status_code == 200
    assert AuditEvent.objects.filter(event="denied", actor_id=person.pk).count() == 5


def test_stranger_is_sent_to_the_door_in_kind(client):
    page = client.get("/say/?q=1")
    assert page["Location"] == f"{reverse('login')}?next=/say/%3Fq%3D1"
    machine = client.get("/say/", headers=JSON)
    assert (machine.status_code, machine.json()["code"]) == (401, "SIGN_IN_REQUIRED")
    fragment = client.get("/say/", headers=HTMX)
    assert fragment.status_code == 401
    assert fragment["HX-Redirect"].startswith(reverse("login"))
    assert client.get("/healthz").status_code == 200


def test_errors_carry_what_was_given():
    error = AccessDenied("No.", user=1, perm="a.b", obj=2, details={"x": 1})
    assert (error.user, error.perm, error.obj, error.recorded) == (1, "a.b", 2, False)
    assert error.as_dict() == {"code": "PERMISSION_DENIED", "message": "No.", "details": {"x": 1}}
    assert InvalidInput("No.", field="email").field == "email"
