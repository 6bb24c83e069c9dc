"""Files of clients and appointments: read whatever a spreadsheet saves, tried out by doing it, written whole or not."""

from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments import till
from payments.models import CommissionLine, Payment
from scheduling.models import StaffReservation
from sessions_app import integrity
from sessions_app.importing import acts, reading, task, values, writing
from sessions_app.importing.columns import guessed, missing
from sessions_app.importing.reading import Unreadable
from sessions_app.importing.values import BadCell
from sessions_app.models import Client, Import, Session, StatusHistory
from studio import jobs
from studio.errors import AccessDenied, InvalidInput, InvalidStateTransition
from studio.models import AuditEvent, Notice, OutgoingEmail, User
from studio.roles import Role
from tests.factories.domain import ClientFactory, person
from tests.factories.shop import NOW, Shop, span

CLIENTS = """Nombre completo;Correo electrónico;Teléfono;Tipo;Idioma;Notas
Íñigo Peña;inigo@example.test;5555-0101;Institucional;Español;"Llama; siempre tarde"
Ana Ruiz;ANA@example.test;+502 5555 0102;;;
"""
APPOINTMENTS = """Fecha,Hora inicio,Duración,Artista,Cliente,Correo,Teléfono,Precio,Estado,Título
08/03/2027,10:00,3 h,Nico Paz,Ivana Cruz,ivana@example.test,5555-0201,"1.250,50",Activa,Manga
2027-03-09,2:00 p. m.,90,nico paz,,ivana@example.test,,800,En espera,Retoque
10/03/2026,10:00,1:30,NICO PAZ,,ivana@example.test,,"Q 1,000.00",Completada,Manga
11/03/2026,10:00,1:30,nico paz,,ivana@example.test,,,Cancelada,
12/03/2026,10:00,1.5 h,nico paz,ivana cruz,,,400,No se presentó,
"""
PATH = "/imports/"


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_whatever_a_spreadsheet_saves_is_read(encoding, delimiter):
    rows = [["Nombre", "Correo"], ["Íñigo Peña", 'Say "hi"'], ["", ""], ["Año\nNuevo", "x"]]
    text = "\r\n".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    read = reading.decoded(text.encode(encoding))
    found = reading.sheet_of(read, reading.delimiter_of(read))
    assert found.head == ["Nombre", "Correo"]
    assert [row.cells for row in found.rows] == [["Íñigo Peña", 'Say "hi"'], ["Año\nNuevo", "x"]]
    assert [row.number for row in found.rows] == [2, 4], "as the spreadsheet numbers them"
    assert found.rows[0].cell(7) == ""


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "empty"),
        (b" \n \n", "empty"),
        (b"PK\x03\x04spreadsheet", "no_text"),
        (b"%PDF-1.7", "no_text"),
        (b"a,b\n\x00,1", "no_text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "no_text"),
        (b"\xff\xfea", "no_text"),
        (b"a,b", "no_rows"),
        (b"," * 1_000_000, "columns"),
        (b"a\n" + b"1\n" * 20_001, "too_many"),
        (b"a\n" + b"x" * 10_001, "long_cell"),
        (b'a\n"' + b"x" * 140_000, "broken"),
        (b"x" * 2_000_001, "too_big"),
    ],
)
def test_what_is_no_table_says_why(raw, why):
    with pytest.raises(Unreadable) as refused:
        text = reading.decoded(raw)
        reading.sheet_of(text, reading.delimiter_of(text))
    assert refused.value.why == why
    assert acts._why(refused.value)


def test_our_own_exports_come_back_as_they_were():
    sheet = reading.sheet_of("name,phone\n'=1+1,'+502 5555\n'quoted',x", ",")
    assert [row.cells for row in sheet.rows] == [["=1+1", "+502 5555"], ["'quoted'", "x"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("08/03/2027", (date(2027, 3, 8), None)),
        ("8.3.27", (date(2027, 3, 8), None)),
        ("2027-03-08", (date(2027, 3, 8), None)),
        ("2027-03-08T10:30:00", (date(2027, 3, 8), time(10, 30))),
        ("08/03/2027 2:15 p. m.", (date(2027, 3, 8), time(14, 15))),
        ("31/02/2027", None),
        ("12/31/2026", None),
        ("mañana", None),
        ("45000", None),
        ("01/01/0001", None),
        ("٠٨/٠٣/٢٠٢٧", (date(2027, 3, 8), None)),
    ],
)
def test_dates_have_the_day_first(text, expected):
    if expected is None:
        with pytest.raises(BadCell):
            values.day_and_time(text)
    else:
        assert values.day_and_time(text) == expected


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("90 min", 90), ("1:30", 90), ("1.5 h", 90), ("1,5h", 90), ("2 h 15", 135), ("3 horas", 180)],
)
def test_lengths(text, minutes):
    assert values.length(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "0", "long", "-90", "1e9", "=1+1"])
def test_what_is_no_length(text):
    with pytest.raises(BadCell):
        values.length(text)


def test_prices_in_both_notations_and_times_as_people_write_them():
    assert [values.price(text) for text in ("1.250,50", "1,250.50", "Q 1250.5")] == [Decimal("1250.50")] * 3
    assert (values.price(""), values.price("0")) == (None, Decimal("0.00"))
    for wrong in ("-5", "NaN", "1e9", "=1+1", "12.345"):
        with pytest.raises(BadCell):
            values.price(wrong)
    times = [values.clock_time(text, "start") for text in ("14:00", "14:00:00", "14h", "2 pm", "2:00 P.M.", "14.00")]
    assert times == [time(14)] * 6
    for wrong in ("25:00", "13 pm", "noon", "", "9" * 50):
        with pytest.raises(BadCell):
            values.clock_time(wrong, "start")


def test_columns_are_guessed_from_headings_in_both_languages():
    spanish = guessed("Appointments", APPOINTMENTS.splitlines()[0].split(","))
    assert not missing("Appointments", spanish)
    assert (spanish["date"], spanish["client_email"], spanish["title"]) == (0, 5, 9)
    english = guessed("Appointments", ["Start date", "Start time", "End time", "Artist", "Client email", "Status"])
    assert not missing("Appointments", english)
    assert missing("Clients", guessed("Clients", ["Foo", "Bar"])) == ["full_name", "email", "primary_phone"]
    assert guessed("Clients", ["Nombre", "Nombre"])["full_name"] == 0, "each of theirs is used once"


# -- trying out and writing -------------------------------------------------------------------------------------------


@pytest.fixture
def shop(db) -> Shop:
    return Shop()


@pytest.fixture(autouse=True)
def queued(monkeypatch) -> list[tuple]:
    """What the worker was given to do."""
    found: list[tuple] = []
    monkeypatch.setattr(jobs, "_async_task", lambda path, *args, **how: found.append((path, *args)))
    return found


def upload(shop: Shop, text: str, kind: str = "Appointments", *, by: User | None = None) -> Import:
    return acts.upload(kind=kind, file_name="x.csv", raw=text.encode(), by=by or shop.coordinator, now=timezone.now())


def checked(shop: Shop, text: str, kind: str = "Appointments") -> Import:
    found = upload(shop, text, kind)
    assert acts.check(found, by=shop.coordinator, now=timezone.now())
    task.work(found.pk, "en")
    found.refresh_from_db()
    return found


def written(shop: Shop, found: Import) -> Import:
    assert acts.run(found, by=shop.coordinator, now=timezone.now())
    task.work(found.pk, "en")
    found.refresh_from_db()
    return found


def reasons(found: Import) -> list[tuple[Any, ...]]:
    return [(each["row"], each["column"], each["value"]) for each in found.report["first_errors"]]


def test_clients_are_tried_out_and_then_written(shop):
    known = ClientFactory(email="ana@example.test", full_name="Ana as she was")
    found = checked(shop, CLIENTS, "Clients")
    assert found.report["counts"] == {"client_new": 1, "client_known": 1}
    assert not Client.objects.filter(email="inigo@example.test").exists(), "trying out writes nothing"
    written(shop, found)
    new = Client.objects.get(email="inigo@example.test")
    assert (new.full_name, new.client_type, new.language) == ("Íñigo Peña", "Institutional", "es")
    assert new.notes == "Llama; siempre tarde"
    known.refresh_from_db()
    assert known.full_name == "Ana as she was"
    assert (found.state, found.text, found.done) == ("Done", "", 2)
    assert AuditEvent.objects.filter(event="import_written", details__client_new=1).count() == 1


def test_appointments_come_in_with_their_state_and_whole_history(shop):
    found = checked(shop, APPOINTMENTS)
    assert found.report["errors"] == 0, found.report
    assert not Session.objects.exists()
    assert not StaffReservation.objects.exists()
    written(shop, found)
    rows = {each.session_date.isoformat(): each for each in Session.objects.all()}
    assert {day: each.status for day, each in rows.items()} == {
        "2027-03-08": "Active",
        "2027-03-09": "Waiting",
        "2026-03-10": "Completed",
        "2026-03-11": "Canceled",
        "2026-03-12": "Canceled",
    }
    sleeve = rows["2027-03-08"]
    assert (sleeve.price, sleeve.event_description, sleeve.artist) == (Decimal("1250.50"), "Manga", shop.artist)
    assert sleeve.span.duration == timedelta(hours=3)
    assert rows["2027-03-09"].local_start.time() == time(14)
    assert rows["2026-03-12"].no_show
    assert Client.objects.filter(email="ivana@example.test").count() == 1
    steps = StatusHistory.objects.filter(session=rows["2026-03-10"]).values_list("new_status", "changed_by")
    assert list(steps) == [("Active", shop.coordinator.pk), ("Completed", None)]
    # Money is not imported: nothing in the till, nothing earned again.
    done = rows["2026-03-10"]
    assert (done.total, "1,000.00" in done.special_notes) == (Decimal("0.00"), True)
    assert not Payment.objects.exclude(amount=0).exists()
    today = timezone.localdate()
    assert till.entries(today - timedelta(days=1), today + timedelta(days=1)) == []
    assert not CommissionLine.objects.exclude(amount=0).exists()
    assert not Notice.objects.exists()
    assert not OutgoingEmail.objects.exists()
    # Nor does the nightly check find anything odd about it.
    looked = {name: integrity.look(check, timezone.now()).count for name, check in integrity.CHECKS.items()}
    assert not any(looked.values()), looked


def test_errors_name_row_column_value_and_reason_and_nothing_is_written(shop):
    taken = shop.book(span("12:00", "14:00"))
    deleted = ClientFactory(email="gone@example.test", active=False, deleted_at=NOW)
    head = "Fecha,Hora,Duración,Artista,Correo,Cliente,Teléfono,Precio,Estado\n"
    mail = shop.client.email
    bad = head + "\n".join(
        [
            f"08/03/2027,10:00,3 h,Nico Paz,{mail},,,100,Activa",
            f"31/02/2027,25:00,x,Nobody,{mail},,,=1+1,Lost",
            f"09/03/2027,10:00,1 h,Nico Paz,{mail},,,100,Activa",
            f"09/03/2027,10:30,1 h,Nico Paz,{mail},,,100,Activa",
            "10/03/2027,10:00,1 h,Nico Paz,new@example.test,Nueva,,100,Activa",
            "11/03/2027,10:00,1 h,Nico Paz,,Nobody Knows,,100,Activa",
            f"12/03/2027,10:00,1 h,Nico Paz,{deleted.email},Gone Girl,5555-1234,100,Activa",
            f"13/03/2027,10:00,25 h,Nico Paz,{mail},,,100,Activa",
        ]
    )
    found = checked(shop, bad)
    assert reasons(found) == [
        (2, "start", "10:00"),
        (3, "date", "31/02/2027"),
        (3, "artist", "Nobody"),
        (3, "price", "=1+1"),
        (3, "status", "Lost"),
        (5, "start", "10:30"),
        (6, "client_phone", ""),
        (7, "client_name", "Nobody Knows"),
        (8, "client_email", "gone@example.test"),
        (9, "end", ""),
    ]
    assert taken.code in found.report["first_errors"][0]["reason"]
    assert found.report["counts"] == {"appointment_active": 1}
    assert Session.objects.count() == 1
    with pytest.raises(InvalidStateTransition):
        acts.run(found, by=shop.coordinator, now=timezone.now())


def test_what_was_canceled_frees_its_time_for_whoever_came_instead(shop):
    text = (
        "Fecha,Hora,Duración,Artista,Correo,Estado\n"
        f"08/03/2027,10:00,1 h,Nico Paz,{shop.client.email},Activa\n"
        f"08/03/2027,10:00,1 h,Nico Paz,{shop.client.email},Cancelada\n"
    )
    assert checked(shop, text).report["errors"] == 0


@pytest.mark.parametrize("status", ["Cancelada", "No se presentó"])
def test_what_was_canceled_holds_no_time_and_nothing_is_in_its_way(shop, status):
    shop.book(span("10:00", "12:00"))
    text = f"Fecha,Hora,Duración,Artista,Correo,Estado\n08/03/2027,10:00,1 h,Nico Paz,{shop.client.email},{status}\n"
    found = written(shop, checked(shop, text))
    assert (found.state, found.report["errors"]) == ("Done", 0)
    off = Session.objects.get(status="Canceled")
    assert off.artist == shop.artist
    assert off.assignments.get().released_at is not None
    assert off.no_show == (status != "Cancelada")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("10:00", "08/03/2027 12:00", ("10:00", "12:00", 2)),
        ("2027-03-08 22:00", "2027-03-09 01:00", ("22:00", "01:00", 3)),
        ("22:00", "01:00", ("22:00", "01:00", 3)),
        ("10:00", "09/03/2027 09:00", ("10:00", "09:00", 23)),
        ("10:00", "09/03/2027 12:00", "end"),
        ("22:00", "2027-03-08 01:00", "end"),
        ("10:00", "07/03/2027 12:00", "end"),
        ("09/03/2027 10:00", "12:00", "start"),
    ],
)
def test_a_date_beside_the_time_counts(shop, start, end, expected):
    text = f"Fecha,Hora,Hasta,Artista,Correo\n08/03/2027,{start},{end},Nico Paz,{shop.client.email}\n"
    found = checked(shop, text)
    if isinstance(expected, str):
        assert reasons(found) == [(2, expected, end if expected == "end" else start)]
        return
    written(shop, found)
    booked = Session.objects.get()
    assert (f"{booked.local_start:%H:%M}", f"{booked.local_end:%H:%M}") == expected[:2]
    assert booked.span.duration == timedelta(hours=expected[2])


def test_the_same_client_twice_in_a_file_is_one(shop):
    text = CLIENTS + "Ana Otra;ana@EXAMPLE.test;5555-9999;;;\n"
    found = written(shop, checked(shop, text, "Clients"))
    assert found.report["counts"] == {"client_new": 2, "client_known": 1}
    assert Client.objects.filter(email__iexact="ana@example.test").count() == 1


def test_what_changed_since_it_was_tried_out_leaves_everything_unwritten(shop):
    found = checked(shop, APPOINTMENTS)
    shop.book(span("11:00", "12:00"))
    written(shop, found)
    assert (found.state, found.report["errors"], Session.objects.count()) == ("Checked", 1, 1)
    assert not Client.objects.filter(email="ivana@example.test").exists()


def test_formulas_are_words(shop):
    text = "Name,Email,Phone,Notes\n=cmd|calc,x@example.test,5555-0000,@SUM(1)\n"
    written(shop, checked(shop, text, "Clients"))
    assert Client.objects.get(email="x@example.test").full_name == "=cmd|calc"


# -- once, and whole --------------------------------------------------------------------------------------------------


def test_two_clicks_are_one_run(shop, queued):
    found = checked(shop, CLIENTS, "Clients")
    queued.clear()
    now = timezone.now()
    again = Import.objects.get(pk=found.pk)
    assert [acts.run(each, by=shop.coordinator, now=now) for each in (found, again)] == [True, False]
    assert len(queued) == 1
    task.work(found.pk, "en")
    task.work(found.pk, "en")  # delivered twice by the queue
    assert Client.objects.filter(email="inigo@example.test").count() == 1
    assert not acts.run(Import.objects.get(pk=found.pk), by=shop.coordinator, now=now)
    with pytest.raises(InvalidStateTransition):
        acts.check(Import.objects.get(pk=found.pk), by=shop.coordinator, now=now)


def test_a_worker_that_is_killed_leaves_nothing_and_it_can_be_started_again(shop, monkeypatch):
    found = checked(shop, APPOINTMENTS)
    now = timezone.now()
    acts.run(found, by=shop.coordinator, now=now)

    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(task, "_written", die)
        with pytest.raises(Killed):
            task.work(found.pk, "en")
    assert not Session.objects.exists()
    found.refresh_from_db()
    assert found.state == "Running"
    task.work(found.pk, "en")
    assert not Session.objects.exists(), "it may still be at work"
    later = timezone.now() + timedelta(minutes=2)
    assert acts.is_lost(found, later)
    assert acts.run(found, by=shop.coordinator, now=later)
    task.work(found.pk, "en")
    assert Session.objects.count() == 5


def test_what_breaks_is_said_and_leaves_nothing(shop, monkeypatch):
    found = checked(shop, APPOINTMENTS)
    acts.run(found, by=shop.coordinator, now=timezone.now())
    monkeypatch.setattr(writing, "_book", lambda *args, **kwargs: 1 / 0)
    task.work(found.pk, "en")
    found.refresh_from_db()
    assert (found.state, found.report, Session.objects.count()) == ("Checked", {"broke": "ZeroDivisionError"}, 0)
    assert not found.is_clean


def test_it_is_done_in_the_name_of_who_asked_for_it(shop, queued):
    found = checked(shop, APPOINTMENTS)
    other = person(Role.COORDINATOR)
    queued.clear()
    assert acts.run(found, by=other, now=timezone.now())
    task.work(*queued.pop()[1:])
    assert set(Session.objects.values_list("created_by", flat=True)) == {other.pk}
    by_event = dict(AuditEvent.objects.filter(event__startswith="import_").values_list("event", "actor_id"))
    assert by_event == {"import_started": other.pk, "import_written": other.pk}


@pytest.mark.parametrize("is_run", [False, True])
def test_what_gives_way_to_others_can_be_tried_again(shop, monkeypatch, queued, is_run):
    """Undone by the database, which ends a deadlock: nothing is wrong with the file."""
    found = checked(shop, APPOINTMENTS)
    page = browser(shop.coordinator)
    (acts.run if is_run else acts.check)(found, by=shop.coordinator, now=timezone.now())

    def crossed(*args, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE deadlock_detected; END $$")

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_book", crossed)
        task.work(found.pk, "en")
    found.refresh_from_db()
    assert (found.state, found.is_clean) == (("Checked", True) if is_run else ("Uploaded", False))
    assert not Session.objects.exists()
    looked = page.get(f"{PATH}{found.pk}/check/").text
    assert "Others were writing at the same moment" in looked
    assert "It broke off" not in looked
    again = page.post(f"{PATH}{found.pk}/{'run' if is_run else 'check'}/", follow=True)
    task.work(*queued.pop()[1:])
    found.refresh_from_db()
    assert again.status_code == 200
    assert (found.state, Session.objects.count()) == (("Done", 5) if is_run else ("Checked", 0))
    assert "crossed" not in found.report


def test_clients_are_locked_before_artists_each_by_number_whatever_the_file_says(shop):
    """A single booking does the same; then of two that need the same people one waits, and none is undone."""
    other, artist = ClientFactory(email="late@example.test"), person(Role.ARTIST, full_name="Zoe Sol")
    rows = [(artist, other), (shop.artist, shop.client), (artist, shop.client)]
    text = "Fecha,Hora,Duración,Artista,Correo\n" + "".join(
        f"{day:02}/03/2027,10:00,1 h,{who.full_name},{client.email}\n"
        for day, (who, client) in enumerate(rows, start=8)
    )
    found = upload(shop, text)
    acts.check(found, by=shop.coordinator, now=timezone.now())
    with CaptureQueriesContext(connection) as queries:
        task.work(found.pk, "en")
    locks = [each["sql"] for each in queries if "FOR NO KEY UPDATE" in each["sql"]]
    tables = [sql.split(" FROM ")[1].split()[0].strip('"') for sql in locks]
    assert tables[:2] == ["sessions_app_client", "studio_user"], tables
    assert all(f"{each.pk}" in locks[0] for each in (shop.client, other))
    assert all(f"{each.pk}" in locks[1] for each in (shop.artist, artist))
    assert all("ORDER BY" in sql for sql in locks[:2])
    found.refresh_from_db()
    assert found.report["errors"] == 0


def test_what_is_never_written_is_forgotten(shop):
    found = upload(shop, CLIENTS, "Clients")
    Import.objects.filter(pk=found.pk).update(uploaded_at=timezone.now() - timedelta(days=8))
    upload(shop, CLIENTS, "Clients")
    assert not Import.objects.filter(pk=found.pk).exists()


@pytest.mark.parametrize("role", [Role.ARTIST, Role.PHOTOGRAPHER, Role.EDITOR])
def test_who_keeps_no_client_book_imports_nothing(shop, role):
    who = person(role)
    found = upload(shop, CLIENTS, "Clients")
    for act in (acts.check, acts.run, acts.discard):
        with pytest.raises(AccessDenied):
            act(found, by=who, now=NOW)
    with pytest.raises(AccessDenied):
        upload(shop, CLIENTS, by=who)
    with pytest.raises(AccessDenied):
        acts.choose_columns(found, {}, by=who)


def test_large_files_are_for_admins(shop):
    many = "Name,Email,Phone\n" + "".join(f"N{n},n{n}@example.test,5555-0000\n" for n in range(2_001))
    with pytest.raises(InvalidInput):
        upload(shop, many, "Clients")
    found = upload(shop, many, "Clients", by=person(Role.ADMIN))
    assert found.rows == 2_001
    now = timezone.now()
    # Trying out holds as much as writing.
    for refused in (
        lambda: acts.check(found, by=shop.coordinator, now=now),
        lambda: acts.run(found, by=shop.coordinator, now=now),
        lambda: acts.choose_columns(found, found.mapping, by=shop.coordinator),
    ):
        with pytest.raises(AccessDenied):
            refused()


# -- the pages --------------------------------------------------------------------------------------------------------


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def file(text: str | bytes, name: str = "citas.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text if isinstance(text, bytes) else text.encode(), "text/csv")


def test_from_the_upload_to_the_end_by_its_pages(shop, queued):
    page = browser(shop.coordinator)
    shown = page.post(f"{PATH}new/", {"kind": "Appointments", "file": file(APPOINTMENTS)}, follow=True)
    found = Import.objects.get()
    assert "5 rows" in shown.text
    assert "Ivana Cruz" in shown.text
    mapping = {name: str(place) for name, place in found.mapping.items()}
    missing_one = page.post(f"{PATH}{found.pk}/columns/", {**mapping, "artist": ""})
    assert missing_one.status_code == 422
    assert page.post(f"{PATH}{found.pk}/columns/", {**mapping, "title": mapping["date"]}).status_code == 422
    waiting = page.post(f"{PATH}{found.pk}/columns/", mapping, follow=True)
    assert "Waiting for the worker" in waiting.text
    assert "every 2s" in waiting.text
    assert page.get(f"{PATH}{found.pk}/columns/").status_code == 302, "not while it is under way"
    task.work(*queued.pop()[1:])
    looked = page.get(f"{PATH}{found.pk}/check/")
    assert "Nothing is wrong with it" in looked.text
    assert "1 completed appointment" in looked.text
    assert "Payments are not imported" in looked.text
    page.post(f"{PATH}{found.pk}/run/")
    page.post(f"{PATH}{found.pk}/run/")
    task.work(*queued.pop()[1:])
    assert queued == []
    done = page.get(f"{PATH}{found.pk}/check/")
    assert "Everything is written" in done.text
    assert "every 2s" not in done.text
    assert Session.objects.count() == 5
    assert "citas.csv" in page.get(f"{PATH}new/").text


def test_what_is_wrong_is_a_table_and_the_file_can_be_forgotten(shop, queued):
    page = browser(shop.coordinator)
    page.post(f"{PATH}new/", {"kind": "Appointments", "file": file(APPOINTMENTS.replace("Activa", "<b>Lost</b>"))})
    found = Import.objects.get()
    page.post(f"{PATH}{found.pk}/check/")
    task.work(*queued.pop()[1:])
    looked = page.get(f"{PATH}{found.pk}/check/").text
    assert "&lt;b&gt;Lost&lt;/b&gt;" in looked
    assert "Write all of it" not in looked
    assert page.post(f"{PATH}{found.pk}/run/").status_code == 409
    assert page.post(f"{PATH}{found.pk}/discard/").status_code == 302
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00\x01",
        b"," * 1_000_000,
        b"PK\x03\x04",
        b"a,b\n\xff\xfe\x00",
        b"x" * 2_500_000,
        "só\n".encode("utf-16-le"),
    ],
)
def test_hostile_files_are_refused_in_words(shop, sent):
    answer = browser(shop.coordinator).post(f"{PATH}new/", {"kind": "Clients", "file": file(sent, "a\x00b.csv")})
    assert answer.status_code == 422, sent[:20]
    assert not Import.objects.exists()


def test_a_lost_run_can_be_started_again_from_its_page(shop, queued):
    found = checked(shop, CLIENTS, "Clients")
    acts.run(found, by=shop.coordinator, now=timezone.now() - timedelta(minutes=5))
    page = browser(shop.coordinator)
    assert "Start again" in page.get(f"{PATH}{found.pk}/check/").text
    queued.clear()
    page.post(f"{PATH}{found.pk}/run/")
    assert len(queued) == 1
