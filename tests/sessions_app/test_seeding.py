"""Large data sets for measuring: always the same, and nothing in them that the rules would not have let through."""

from collections import Counter
from datetime import date, timedelta
from io import StringIO
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from payments.models import Till
from scheduling.models import Room, StaffReservation
from sessions_app import integrity, workflow
from sessions_app.models import Client, Session, StatusHistory
from sessions_app.seeding.agenda import DAYS_AHEAD, Agenda, Size
from sessions_app.seeding.writing import WRITTEN, Seed, WrongSeed, seed_sessions
from studio.models import User
from studio.roles import Role
from tests.factories.domain import Studio

TODAY = date(2026, 11, 21)


# -- the agenda: pure -------------------------------------------------------------------------------------------------


def agenda(sessions: int, **values: Any) -> Agenda:
    values = {"today": TODAY, "seed": 1, "changes_days": 7, "dice": Random} | values
    return Agenda(Size(sessions, values.pop("photographers", 20), values.pop("rooms", 6)), **values)


@pytest.mark.parametrize("sessions", (1, 7, 100, 4_000))
def test_agenda_has_as_many_sessions_as_were_asked_for(sessions):
    days = [planned.day for planned in agenda(sessions).latest_first()]
    assert len(days) == sessions
    assert days == sorted(days, reverse=True)


def test_agenda_is_the_same_each_time_and_another_for_another_seed():
    first, again, other = (list(agenda(500, seed=seed).latest_first()) for seed in (1, 1, 2))
    assert first == again != other


def test_nobody_and_no_room_is_at_two_places():
    """With the way there and back; what follows at once is no overlap."""
    taken: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for planned in agenda(3_000).latest_first():
        midnight = planned.day.toordinal() * 1440
        for whose in (planned.lead, planned.second):
            if whose is not None:
                span = (midnight + planned.starts - planned.travel, midnight + planned.ends + planned.travel)
                taken.setdefault(("person", whose), []).append(span)
        if planned.room is not None:
            taken.setdefault(("room", planned.room), []).append(
                (midnight + planned.starts, midnight + planned.ends + 60)
            )
    assert len(taken) == 26
    for spans in taken.values():
        assert all(end <= start for (_, end), (start, _) in pairwise(sorted(spans)))


def test_agenda_is_as_a_studio_s():
    planned = list(agenda(5_000).latest_first())
    ahead = [each for each in planned if each.day >= TODAY]
    assert {each.day - TODAY for each in ahead} == {
        timedelta(days=n)
        for n in range(DAYS_AHEAD + 1)
        if n not in (0, 35)  # Saturdays without anything
    }
    per_day = Counter(each.day for each in planned)
    assert 20 < len(planned) / len(per_day) < 28
    assert {each.status for each in planned} == set(workflow.ALL_STATES)
    assert {each.session_type for each in planned} == {*workflow.SHOOTS, workflow.APPOINTMENT}
    assert all(each.starts >= 8 * 60 for each in planned)
    late = [each for each in planned if each.ends > 21 * 60]
    assert late and all(each.ends > 24 * 60 and each.session_type == workflow.EXTERNAL_SESSION for each in late)


# -- the rows ---------------------------------------------------------------------------------------------------------


def digests() -> dict[str, str]:
    """All that the tables say but for ids and what is made of them; people by their place among the people."""
    found = {}
    with connection.cursor() as cursor:
        for model in WRITTEN:
            columns = [column.column for column in model._meta.concrete_fields]
            people = [key.column for key in model._meta.concrete_fields if key.related_model is User]
            left_out = [c for c in columns if c.endswith("id") or c in ("code", "key", "content")]
            whose = "".join(f" || '/' || coalesce({c} - (SELECT min(id) FROM studio_user), 0)" for c in people)
            cursor.execute(
                f"SELECT md5(string_agg((to_jsonb(t) - %s::text[])::text{whose}, ',' ORDER BY id))"
                f" FROM {model._meta.db_table} t",
                [left_out],
            )
            found[model.__name__] = cursor.fetchone()[0]
    return found


@pytest.mark.django_db
def test_data_set_is_sound_and_the_same_each_time():
    seen, statements = [], []
    for sessions, seed in ((300, 1), (300, 1), (900, 2)):
        with transaction.atomic():
            with CaptureQueriesContext(connection) as captured, translation.override("en"):
                rows = seed_sessions(Size(sessions), today=TODAY, seed=seed)
            assert rows["sessions"] == Session.objects.count() == sessions
            seen.append(digests())
            if sessions == 900:
                look_at_it()
            transaction.set_rollback(True)
        statements.append(len(captured))
    assert all(seen[0].values())
    assert seen[0] == seen[1]
    assert statements[1] == statements[2]


def look_at_it() -> None:
    """The rules hold, and are guarded again."""
    as_of = Seed(Agenda(Size(1), TODAY, 1, 7, Random)).as_of
    outcome = integrity.validate(as_of, dry_run=True)
    assert (outcome["plan"], outcome["report"]["errors"]) == ([], {})
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('session_replication_role')")
        assert cursor.fetchone() == ("origin",)
        cursor.execute("SELECT to_regclass('seed_agenda'), to_regclass('seed_story')")
        assert cursor.fetchone() == (None, None)
    assert set(Session.objects.values_list("status", flat=True)) == set(workflow.ALL_STATES)
    assert not StatusHistory.objects.filter(changed_at__gt=as_of + timedelta(minutes=1)).exists()
    held = Session.objects.filter(held_until__isnull=False)
    assert held.filter(held_until__lt=as_of).exists() and held.filter(held_until__gt=as_of).exists()
    assert StaffReservation.objects.filter(session=None).exists()
    assert Room.objects.filter(reservations__session=None).exists()
    assert Client.objects.count() == 225
    assert User.objects.in_role(Role.EDITOR).count() == 4
    assert not User.objects.first().has_usable_password()
    # The next one that people write down gets a number of its own.
    assert Studio().request().code not in set(Session.objects.order_by("pk")[:900].values_list("code", flat=True))


# -- the command ------------------------------------------------------------------------------------------------------


def seed(**options: Any) -> str:
    said = StringIO()
    options = {"sessions": 40, "today": TODAY, "into": connection.settings_dict["NAME"]} | options
    call_command("seed_sessions", stdout=said, **options)
    return said.getvalue()


@pytest.mark.django_db
def test_command_writes_only_where_it_is_told_to():
    with pytest.raises(CommandError, match="--into says 'another'"):
        seed(into="another")
    assert not Session.objects.exists()
    assert "40  sessions" in seed()
    with pytest.raises(CommandError, match="There are sessions in this database already"):
        seed()
    assert "80  sessions" in seed(add=True)
    assert Session.objects.values("code").distinct().count() == 80
    Till.objects.update_or_create(pk=1, defaults={"closed_through": TODAY})
    with pytest.raises(CommandError, match="till are closed"):
        seed(add=True)


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", (["--sessions", "0"], ["--sessions", "many"], ["--sessions", "5", "--people", "-1"]))
def test_command_refuses_sizes_that_cannot_be_meant(wrong):
    with pytest.raises(CommandError):
        call_command("seed_sessions", "--into", connection.settings_dict["NAME"], *wrong)


@pytest.mark.django_db
def test_nothing_is_kept_when_the_books_are_wrong():
    """Whatever is wrong in the database afterwards: here a session that lost a line before."""
    broken = Studio().walk(workflow.PRE_SCHEDULED).session
    broken.lines.first().delete()
    with pytest.raises(WrongSeed, match=broken.code):
        seed_sessions(Size(20), today=TODAY)
    with pytest.raises(CommandError, match="Nothing was written"):
        seed(add=True)
    assert Session.objects.count() == 1


@pytest.mark.django_db
def test_command_says_which_right_is_missing():
    """Of an account that may do everything with the tables, and not pass over their triggers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE ROLE atelier_plain; GRANT ALL ON ALL TABLES IN SCHEMA public TO atelier_plain;"
            " GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO atelier_plain; SET LOCAL ROLE atelier_plain"
        )
    with pytest.raises(CommandError, match="GRANT SET ON PARAMETER session_replication_role"):
        seed()
    assert not Session.objects.exists()
