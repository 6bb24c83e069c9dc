"""Errors and how they are told; JSON bodies, the language, request ids, the gate (business rules 11)."""

from __future__ import annotations

import json

import psycopg
import pytest
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, ProgrammingError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import include, path, reverse
from django.utils import translation

from studio import audit, errors, views
from studio.access import require
from studio.errors import BY_CODE, AccessDenied, InvalidInput, NotFound, RoomNotAvailable
from studio.models import AuditEvent, User
from studio.outages import Outage, outage_of
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


def _database_says(request: HttpRequest, state: str) -> HttpResponse:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'of {state}' USING ERRCODE = '{state}'; END $$")
    return HttpResponse("never")


def _lost(request: HttpRequest, how: str) -> HttpResponse:
    """Loses its connection in the middle of a transaction, and then goes on in one of three ways."""
    with transaction.atomic(), connection.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        except OperationalError:
            if how == "told":
                raise
            if how == "followed":
                User.objects.count()
            elif how == "hidden":
                raise RuntimeError("a fault of the program, whatever came before") from None
    return HttpResponse("never")


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
    path("database-says/<state>/", _database_says),
    path("lost/<how>/", _lost),
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


# --- The database is away, or busy ----------------------------------------------------------

AWAY = ("57P01", "57P02", "57P03", "57014", "08006", "53300", "53100", "58030", "25006", "25P03", "40003")
BUSY = ("40001", "40P01", "55P03")


@pytest.fixture
def visitor(signed_in):
    signed_in.raise_request_exception = False
    return signed_in


@pytest.mark.parametrize("state", AWAY + BUSY)
def test_outage_is_told_as_one_in_every_form(visitor, state):
    code, seconds = ("BUSY", "1") if state in BUSY else ("UNAVAILABLE", "10")
    page = visitor.get(f"/database-says/{state}/?next=1")
    machine = visitor.get(f"/database-says/{state}/", headers=JSON)
    fragment = visitor.get(f"/database-says/{state}/", headers=HTMX)
    for answer in (page, machine, fragment):
        assert answer.status_code == 503
        assert answer["Retry-After"] == seconds
        assert answer["Cache-Control"] == "no-store"
        assert "RAISE" not in answer.text and f"of {state}" not in answer.text
    assert page.text.startswith("<!doctype html>")
    assert code in page.text and page["X-Request-ID"] in page.text
    assert machine.json()["code"] == code
    assert machine.json()["details"] == {"request_id": machine["X-Request-ID"], "retry_after": int(seconds)}
    assert "<html" not in fragment.text
    assert fragment["X-Request-ID"] in fragment.text
    assert (fragment["HX-Retarget"], fragment["HX-Reswap"]) == ("#messages", "innerHTML")


@pytest.mark.parametrize("state", ["42P01", "42601", "22012", "23505", "23P01", "XX000", "0A000", "P0001"])
def test_error_of_the_program_in_the_database_stays_one(visitor, state):
    answer = visitor.get(f"/database-says/{state}/", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (500, "SERVER_ERROR")
    assert "Retry-After" not in answer


def test_outage_says_what_to_do_and_offers_to_repeat_only_what_may_be_repeated(visitor):
    visitor.cookies["django_language"] = "en"
    User.objects.update(language="en")
    read = visitor.get("/database-says/57P01/")
    act = visitor.post("/database-says/57P01/")
    for answer in (read, act):
        assert "The database does not answer just now" in answer.text
        assert "look first whether it was saved" in answer.text
        assert answer["Content-Language"] == "en"
    assert 'href=""' in read.text
    assert 'href=""' not in act.text
    assert "Somebody else is changing the same just now" in visitor.post("/database-says/40P01/").text


def test_outage_leaves_one_line_without_a_trace(visitor, caplog):
    with caplog.at_level("INFO"):
        answer = visitor.get("/database-says/57P01/")
    told = [record for record in caplog.records if record.name != "studio.access"]
    assert [(record.levelname, record.getMessage()) for record in told] == [
        ("ERROR", "The database does not answer: of 57P01")
    ]
    assert told[0].exc_info is None
    assert answer.status_code == 503


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("how", "status"), [("told", 503), ("followed", 503), ("hidden", 500)])
def test_connection_that_is_lost_in_a_transaction_is_told_and_heals(how, status):
    client = Client(raise_request_exception=False)
    client.force_login(make_user(Role.EDITOR))
    answer = client.get(f"/lost/{how}/", headers=JSON)
    assert answer.status_code == status
    if how == "hidden":
        connection.close()  # the end of a real request does that; the client's own keeps it for the test
    assert client.get("/say/").status_code == 200


def test_error_that_follows_a_loss_counts_as_the_loss_and_no_other():
    lost = psycopg.OperationalError("the connection is lost")
    deadlock = psycopg.errors.DeadlockDetected("deadlock")

    def raised(error: Exception, cause: Exception | None = None, context: Exception | None = None) -> Exception:
        error.__cause__, error.__context__ = cause, context
        return error

    assert outage_of(lost) is Outage.AWAY
    assert outage_of(raised(OperationalError(), cause=lost)) is Outage.AWAY
    assert outage_of(raised(ProgrammingError("atomic"), context=raised(OperationalError(), cause=lost))) is Outage.AWAY
    assert outage_of(raised(OperationalError(), cause=deadlock)) is Outage.BUSY
    # Dealing with a deadlock, the program made a mistake of its own.
    assert outage_of(raised(ProgrammingError(), context=raised(OperationalError(), cause=deadlock))) is None
    assert outage_of(raised(RuntimeError(), context=lost)) is None
    assert outage_of(InterfaceError("the cursor is closed")) is None
    assert outage_of(None) is None


def test_not_ready_while_migrations_are_missing_and_asked_only_until_they_are_there(
    client, django_assert_num_queries, request
):
    request.addfinalizer(views._migrations_are_applied.set)
    views._migrations_are_applied.clear()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'studio'")
        for _turn in range(2):
            answer = client.get("/readyz")
            assert (answer.status_code, answer.text) == (503, "migrations are missing\n")
        transaction.set_rollback(True)
    assert client.get("/readyz").status_code == 200
    with django_assert_num_queries(1):
        assert client.get("/readyz").status_code == 200


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
    client.get("/readyz")  # once for each process it looks whether the tables are there
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
