"""The log: whose doing each line is, in both formats; and what can never be found in it (docs/running.md)."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path, re_path, resolve
from django_q.tasks import async_task

from studio import jobs, logs
from studio.accounts.mail import set_password_link
from studio.jobs import Job
from studio.models import JobRun, OutgoingEmail, User
from studio.roles import Role
from tests.factories.studio import PASSWORD, make_user

pytestmark = pytest.mark.urls(__name__)

logger = logging.getLogger(__name__)


def _say(request: HttpRequest) -> HttpResponse:
    logger.info("Inside.")
    return HttpResponse("said")


def _broken(request: HttpRequest, **_given: str) -> HttpResponse:
    raise RuntimeError(f"at {request.get_full_path()} for ana@example.com")


def _nothing(request: HttpRequest, **_given: str) -> HttpResponse:
    raise Http404


def _enqueue(request: HttpRequest) -> HttpResponse:
    async_task("tests.studio.test_logs.work", sync=True)
    logger.info("After the task.")
    return HttpResponse("done")


def _written_while_read(request: HttpRequest) -> HttpResponse:
    def rows() -> Iterator[str]:
        yield "first"
        logger.info("A row.")
        raise RuntimeError("no more")

    return StreamingHttpResponse(rows())


def work() -> None:
    logger.info("At work.")


def fail(*_given: object) -> None:
    raise RuntimeError("not today")


urlpatterns = [
    path("say/", _say, name="say"),
    path("broken/", _broken, name="broken"),
    path("secret/<token>/broken/", _broken, name="secret-broken"),
    path("enqueue/", _enqueue, name="enqueue"),
    path("streamed/", _written_while_read, name="streamed"),
    path("things/<int:pk>/<str:code>/", _nothing, name="thing"),
    path("whose/<str:owner>/", _nothing, name="whose"),
    re_path(r"^old/(?P<owner>.*)$", _nothing, name="old"),
    path("", include("studio.urls")),
    path("", include("sessions_app.urls")),
]
handler500 = "studio.views.server_error"


@contextmanager
def listening(form: str) -> Iterator[Callable[[], list[str]]]:
    """What the handler of `form` writes meanwhile, line by line."""
    wanted = logs.configuration(form, "INFO")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(wanted["formatters"][form]["()"]())
    handler.addFilter(logs.Origin())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield lambda: stream.getvalue().splitlines()
    finally:
        root.removeHandler(handler)


@pytest.fixture
def lines() -> Iterator[Callable[[], list[str]]]:
    with listening("line") as said:
        yield said


@pytest.fixture
def objects() -> Iterator[Callable[[], list[dict]]]:
    with listening("json") as said:
        yield lambda: [json.loads(line) for line in said()]


# --- The two formats ------------------------------------------------------------------------


def test_line_has_time_with_offset_level_logger_and_no_origin_outside_of_everything(lines):
    logger.warning("Ñandú %s", 1)
    [line] = lines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d WARNING tests\.studio\.test_logs \[-\] Ñandú 1", line
    )


def test_line_cannot_be_forged_by_what_it_tells(lines):
    logger.info("typed: %s", "a\n2026-11-21T00:00:00.000+00:00 ERROR root [-] forged\r\x1b[2Jb\u2028c\x85d")
    first, second = lines()
    assert first.endswith("typed: a")
    assert second == r"    2026-11-21T00:00:00.000+00:00 ERROR root [-] forged\r\x1b[2Jb\u2028c\x85d"


def test_trace_in_a_line_is_indented(lines):
    try:
        fail()
    except RuntimeError:
        logger.exception("It failed.")
    told = lines()
    assert told[0].endswith("ERROR tests.studio.test_logs [-] It failed.")
    assert told[1] == "    Traceback (most recent call last):"
    assert told[-1] == "    RuntimeError: not today"


def test_object_has_time_in_utc_level_logger_message_and_leaves_out_what_is_empty(objects):
    logger.warning("Ñandú %s", 1, extra={"session": "S-1"})
    [told] = objects()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert isinstance(told.pop("pid"), int)
    assert told == {"level": "WARNING", "logger": __name__, "message": "Ñandú 1", "session": "S-1"}


def test_object_holds_its_trace_on_its_one_line(objects):
    try:
        fail()
    except RuntimeError:
        logger.exception("It failed.")
    [told] = objects()
    assert told["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert told["exception"].endswith("RuntimeError: not today")


@pytest.mark.parametrize(("form", "level"), [("xml", "INFO"), ("", "INFO"), ("json", "LOUD")])
def test_unknown_format_and_level_are_refused_with_the_variable_named(form, level):
    with pytest.raises(ValueError, match="LOG_"):
        logs.configuration(form, level)


@pytest.mark.parametrize("form", logs.FORMATS)
def test_configuration_is_one_that_python_takes(form):
    logging.config.DictConfigurator(logs.configuration(form, "info"))
    assert logs.configuration(form, "info")["handlers"]["console"]["level"] == "INFO"


# --- Whose doing ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_line_of_a_request_has_its_id_and_the_last_one_its_end(client, objects):
    person = make_user(Role.EDITOR)
    client.force_login(person)
    answer = client.get("/say/?name=Ana", headers={"X-Request-ID": "from-the-proxy-1"})
    inside, end = objects()
    assert answer["X-Request-ID"] == "from-the-proxy-1"
    assert {told["request_id"] for told in (inside, end)} == {"from-the-proxy-1"}
    assert inside["message"] == "Inside."
    for told in (inside, end):
        assert (told["method"], told["path"], told["route"], told["user"]) == ("GET", "/say/", "say", person.pk)
    assert (end["logger"], end["level"], end["status"]) == ("studio.access", "INFO", 200)
    assert 0 < end["duration_ms"] < 60_000
    assert re.fullmatch(rf"GET /say/ 200 in \d+ ms, user {person.pk}", end["message"])


@pytest.mark.django_db
def test_id_is_in_the_line_for_people_and_gone_after_the_request(client, lines):
    answer = client.get("/sign-in/")
    logger.info("Outside.")
    end, outside = lines()
    assert f" [{answer['X-Request-ID']}] GET /sign-in/ 200 in " in end
    assert end.endswith(", user -")
    assert " [-] Outside." in outside
    assert (logs.request_id.get(), logs.task_name.get()) == ("", "")


@pytest.mark.django_db
def test_failure_has_its_id_in_answer_trace_and_end_and_is_a_warning(client, objects):
    client.force_login(make_user(Role.EDITOR))
    client.raise_request_exception = False
    answer = client.get("/broken/?name=Ana")
    fault, end = objects()
    assert answer.status_code == 500
    assert answer["X-Request-ID"] in answer.text
    assert {told["request_id"] for told in (fault, end)} == {answer["X-Request-ID"]}
    assert (fault["level"], fault["route"]) == ("ERROR", "broken")
    assert "RuntimeError" in fault["exception"]
    assert (end["level"], end["status"]) == ("WARNING", 500)


@pytest.mark.django_db
def test_refusals_have_one_line_each(client, objects):
    strict = Client(enforce_csrf_checks=True)
    for answer in (client.get("/say/"), client.get("/sessions/nowhere/at/all/"), client.get("/things/1/x/")):
        assert answer.status_code in (302, 404)
    told = objects()
    assert [(each["logger"], each["level"]) for each in told] == [("studio.access", "INFO")] * 3
    assert strict.post("/sign-in/").status_code == 403
    *why, end = objects()[3:]
    assert (end["logger"], end["status"]) == ("studio.access", 403)
    assert [each["logger"] for each in why] == ["django.security.csrf"]


@pytest.mark.django_db
def test_probes_and_files_have_no_line(client, lines):
    for address in ("/healthz", "/readyz", "/static/atelier/atelier.css"):
        assert client.get(address).status_code == 200
    assert lines() == []


@pytest.mark.django_db
def test_asking_who_it_is_costs_nothing_for_the_logs_sake(client, objects, django_assert_num_queries):
    client.force_login(make_user(Role.EDITOR))
    with django_assert_num_queries(0):
        # Answered before anybody asked whose session it is.
        assert client.post("/say/", "{", content_type="application/json").status_code == 400
    assert "user" not in objects()[-1]


@pytest.mark.django_db
def test_answer_that_breaks_off_while_it_is_written_is_told_with_its_id(client, objects):
    client.force_login(make_user(Role.EDITOR))
    answer = client.get("/streamed/")
    with pytest.raises(RuntimeError, match="no more"):
        answer.getvalue()
    end, row, broke = objects()
    assert end["logger"] == "studio.access"
    assert (row["message"], broke["message"]) == ("A row.", "The answer broke off.")
    assert {told["request_id"] for told in (end, row, broke)} == {answer["X-Request-ID"]}
    assert logs.request_id.get() == ""


@pytest.mark.django_db
def test_task_has_its_own_name_and_the_id_of_the_request_that_caused_it(client, objects):
    client.force_login(make_user(Role.EDITOR))
    client.get("/enqueue/", headers={"X-Request-ID": "cause-of-it"})
    told = {each["message"].partition(" ")[0]: each for each in objects()}
    assert told["At"]["request_id"] == told["GET"]["request_id"] == "cause-of-it"
    assert re.fullmatch(r"\w+-\w+-\w+-\w+", told["At"]["task"])
    ended = told["tests.studio.test_logs.work"]
    assert (ended["logger"], ended["level"], ended["task"]) == ("studio.worker", "INFO", told["At"]["task"])
    assert re.fullmatch(r"tests\.studio\.test_logs\.work ended after \d+ ms", ended["message"])
    assert "task" not in told["After"]
    assert logs.task_name.get() == ""


@pytest.mark.django_db
def test_task_that_fails_says_so_under_its_name_and_leaves_no_trace_of_itself(objects):
    with pytest.raises(RuntimeError):
        async_task("tests.studio.test_logs.fail", sync=True)
    [ended] = [told for told in objects() if told["logger"] == "studio.worker"]
    assert ended["level"] == "WARNING"
    assert "failed after" in ended["message"]
    assert "request_id" not in ended
    assert logs.task_name.get() == ""


@pytest.mark.django_db
def test_what_a_job_says_is_under_the_jobs_name_inside_of_its_task(objects):
    broken = (Job("broken", None, "tests.studio.test_logs.fail"),)
    with logs.task("robin-utah-four-five"):
        jobs.run_minutely("broken", broken)
    [told] = objects()
    assert told["task"] == "robin-utah-four-five/broken"
    assert told["exception"].endswith("RuntimeError: not today")
    assert JobRun.objects.get(job="broken").failed == 1


def test_lines_about_each_task_are_left_out_and_those_about_processes_kept():
    keep = logs.NotEachTask().filter

    def record(module: str, level: int, text: str) -> logging.LogRecord:
        return logging.LogRecord("django-q", level, f"/django_q/{module}.py", 1, text, (), None)

    assert keep(record("worker", logging.INFO, "Process-1 ready for work at 12"))
    assert keep(record("monitor", logging.ERROR, "Failed 'studio.jobs.run_job' (robin-utah) - RuntimeError"))
    assert not keep(record("monitor", logging.INFO, "Processed 'studio.jobs.run_job' (robin-utah)"))
    assert not keep(record("worker", logging.INFO, "Process-1 processing robin-utah 'studio.jobs.run_job'"))
    assert not keep(record("tasks", logging.INFO, "Enqueued [atelier] 3"))


# --- What stays out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/", "/"),
        ("/sign-in/", "/sign-in/"),
        ("/things/7/S-2026-12/", "/things/7/S-2026-12/"),
        ("/things/7/Ana%20P/", "/things/7/<code>/"),
        ("/whose/Ana/", "/whose/<owner>/"),
        ("/old/Ana/Pérez", "/old/<owner>"),
        ("/set-password/MQ/abc-def/", "/set-password/<uidb64>/<token>/"),
        # Leads nowhere: one with a secret, without its last stroke or with a dot too many.
        ("/set-password/MQ/abc-def", "/set-password/…"),
        ("/set-password/MQ/abc-def/.", "/set-password/…"),
        ("/nowhere", "/nowhere"),
        ("/%0Aforged%20line/x", "/%0Aforged%20line/…"),
        ("/" + "x" * 100, "/" + "x" * 40),
    ],
)
def test_address_is_shown_without_what_is_typed_or_secret_in_it(address, shown):
    request = RequestFactory().get(address + "?q=Ana")
    try:
        request.resolver_match = resolve(request.path_info)
    except Http404:
        request.resolver_match = None
    assert logs.shown_path(request) == shown


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("to ana.perez+x@mail.example.com now", "to (e-mail address) now"),
        ("{'ana@example.com': (550, b'no')}", "{'(e-mail address)': (550, b'no')}"),
        ("<ñandú@example.com>", "<(e-mail address)>"),
        ("postgresql://atelier@/atelier?host=x", "postgresql://atelier@/atelier"),
        ("GET /search/?q=Ana+P HTTP/1.1", "GET /search/ HTTP/1.1"),
        ("Is it sure?", "Is it sure?"),
        (
            "duplicate key\nDETAIL:  Key (email)=(Ana\n\nP) already exists.\n\nThe above exception was",
            "duplicate key\nDETAIL: (left out)\n\nThe above exception was",
        ),
        ("x\nDETAIL:  Failing row contains (Ana).\nCONTEXT:  SQL", "x\nDETAIL: (left out)\nCONTEXT:  SQL"),
    ],
)
def test_text_is_kept_without_addresses_queries_and_rows(text, kept):
    assert logs.private(text) == kept


@pytest.mark.django_db
@pytest.mark.parametrize("form", logs.FORMATS)
def test_row_that_the_database_refused_is_not_in_the_trace(form):
    make_user(email="ana@example.com")
    with listening(form) as said:
        try:
            with transaction.atomic():
                User.objects.bulk_create([User(email="ana@example.com", full_name="Ana Secret")])
        except IntegrityError:
            logger.exception("Twice.")
        text = "\n".join(said())
    assert "UniqueViolation" in text
    assert "(left out)" in text
    assert "ana@" not in text


@pytest.mark.django_db
@pytest.mark.parametrize("form", logs.FORMATS)
def test_trace_of_a_page_with_a_secret_address_does_not_tell_it(client, form):
    client.force_login(make_user(Role.EDITOR))
    client.raise_request_exception = False
    with listening(form) as said:
        client.get("/secret/abc-def-token/broken/?name=Ana")
        text = "\n".join(said())
    assert "RuntimeError: at /secret/<token>/broken/ for (e-mail address)" in text
    assert "abc-def-token" not in text
    assert "Ana" not in text


def test_other_handlers_see_the_record_as_it_was(caplog, lines):
    logger.info("to %s", "ana@example.com")
    assert caplog.records[0].args == ("ana@example.com",)
    assert "ana@example.com" not in lines()[0]


def test_gunicorns_addresses_are_cut():
    record = logging.LogRecord(
        "gunicorn.error", logging.ERROR, "", 1, "Error handling request %s", ("/set-password/MQ/abc-def/?next=1",), None
    )
    assert logs.Line().format(record).endswith("Error handling request /set-password/…")


def _walk_with_secrets(settings, admin: User) -> list[str]:
    """A sign-in that fails and one that does not, an invitation that is taken up, a search; the secrets of them."""
    settings.AXES_ENABLED = True
    client = Client(enforce_csrf_checks=True)

    def form(address: str) -> str:
        page = client.get(address, follow=True)
        return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]

    def post(address: str, **fields: str) -> HttpResponse:
        return client.post(address, {"csrfmiddlewaretoken": form(address), **fields})

    typed = {"username": admin.email, "password": "a wrong Passw0rd"}
    assert post("/sign-in/", **typed).status_code != 302
    assert client.post("/sign-in/", typed).status_code == 403  # without its token
    assert post("/sign-in/?next=/search/", username=admin.email, password=PASSWORD).status_code == 302
    assert client.get("/search/?q=Zacarias+Quiroga").status_code == 200
    assert client.get("/search/", {"q": "zacarias@client.example"}, headers={"HX-Request": "true"}).status_code == 200
    token_of_form = form("/staff/new/")
    invited = client.post(
        "/staff/new/",
        {
            "csrfmiddlewaretoken": token_of_form,
            "email": "nora@studio.example",
            "full_name": "Nora Novais",
            "roles": [Role.EDITOR.value],
        },
    )
    assert invited.status_code == 302, invited.text
    link = set_password_link(OutgoingEmail.objects.get(kind="invitation_email"))["link"]
    address = link.partition("testserver")[2]
    uid, token = address.strip("/").split("/")[1:]
    client.post("/sign-out/", {"csrfmiddlewaretoken": token_of_form})
    client.get(address.rstrip("/"))  # copied without its last stroke
    opened = client.get(address, follow=True)
    where = opened.redirect_chain[-1][0]
    chosen = "a chosen Passw0rd of hers"
    hidden = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', opened.text)[1]
    taken = client.post(where, {"csrfmiddlewaretoken": hidden, "new_password1": chosen, "new_password2": chosen})
    assert taken.status_code == 302, taken.text
    assert authenticate(RequestFactory().get("/"), username="nora@studio.example", password=chosen)
    cookies = [morsel.value for morsel in client.cookies.values() if morsel.value]
    return [
        *("Passw0rd", PASSWORD, admin.email, "nora@", "Nora", "Novais", "Zacarias", "zacarias", "Quiroga"),
        *(token, f"/{uid}/", token_of_form, hidden, client.session.session_key or "-none-", *cookies),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("form", logs.FORMATS)
def test_walk_leaves_no_password_token_address_or_query_in_the_log(settings, form, django_capture_on_commit_callbacks):
    admin = make_user(Role.ADMIN, full_name="Ada Admin")
    with listening(form) as said, django_capture_on_commit_callbacks(execute=True):
        secrets = _walk_with_secrets(settings, admin)
    text = "\n".join(said())
    assert "/set-password/<uidb64>/<token>/" in text
    assert "/search/" in text
    assert [secret for secret in secrets if secret in text] == []
    assert "?" not in text
    assert "csrfmiddlewaretoken" not in text
