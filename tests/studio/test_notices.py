"""What people are told on the dashboard (business rules 8.2)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import translation

from studio import notices
from studio.conf import STUDIO
from studio.models import Notice
from studio.roles import Role
from tests.factories.studio import NoticeFactory, make_user

pytestmark = pytest.mark.django_db

WHEN = datetime(2026, 11, 28, 20, 0, tzinfo=UTC)  # 14:00 in Guatemala


def test_notice_reads_in_the_readers_language_and_the_studios_zone():
    person = make_user(Role.PHOTOGRAPHER)
    notices.notify([person], "session_assigned", title="Ana and Luis", when=WHEN)
    notice = Notice.objects.get()
    assert notice.recipient == person
    with STUDIO.overridden(time_zone="America/Guatemala"), translation.override("en"):
        assert notice.text.startswith("New session assigned: Ana and Luis,")
        assert "14:00" in notice.text


def test_when_is_the_sessions_beginning_unless_said_otherwise():
    with translation.override("en"):
        text = notices.sentence("session_assigned", {"title": "A", "starts_at": WHEN.isoformat()})
    assert "14:00" in text


@pytest.mark.parametrize(
    ("kind", "params"),
    [("session_assigned", {}), ("of_an_older_version", {"title": "A"}), ("material_ready", {"title": "100%"})],
)
def test_old_or_odd_rows_never_break_a_page(kind, params):
    assert notices.sentence(kind, params)


def test_every_kind_has_a_sentence():
    with translation.override("en"):
        for kind in notices.KINDS:
            assert "%(" not in notices.sentence(kind, {"title": "A", "when": WHEN.isoformat()})


def test_same_key_tells_once_and_other_people_too():
    one, two = make_user(), make_user()
    for _again in range(3):
        notices.notify([one, one, two], "resources_missing", key="missing:1:2026-11-21", title="A")
    assert Notice.objects.count() == 2


def test_without_a_key_each_telling_counts():
    one = make_user()
    notices.notify([one], "material_ready", title="A")
    notices.notify([one], "material_ready", title="A")
    assert notices.unread_count(one) == 2


def test_inactive_people_are_told_nothing():
    notices.notify([make_user(is_active=False)], "material_ready", title="A")
    assert not Notice.objects.exists()


def test_unknown_kind_is_an_error_of_the_program():
    with pytest.raises(ValueError):
        notices.notify([make_user()], "gossip", title="A")


def test_reading_touches_only_ones_own():
    mine, other = NoticeFactory(), NoticeFactory()
    assert notices.mark_read(mine.recipient, [mine.pk, other.pk]) == 1
    assert notices.unread_count(mine.recipient) == 0
    assert notices.unread_count(other.recipient) == 1
    assert notices.mark_read(mine.recipient, None) == 0


def test_drop_takes_back_what_is_unread_about_one_thing():
    about, elsewhere, reader = make_user(), make_user(), make_user()
    notices.notify([reader], "material_ready", about=about, title="A")
    notices.notify([reader], "material_ready", about=about, title="B")
    notices.notify([reader], "material_ready", about=elsewhere, title="C")
    notices.mark_read(reader, [Notice.objects.get(params__title="A").pk])
    assert notices.drop(about) == 1
    assert {row.params["title"] for row in Notice.objects.all()} == {"A", "C"}


def test_page_lists_ones_own_and_marks_them_read(client):
    person = make_user(Role.EDITOR)
    mine = NoticeFactory(recipient=person, params={"title": "Mine"})
    NoticeFactory(params={"title": "Not mine"})
    client.force_login(person)
    page = client.get(reverse("notice-list"))
    assert page.status_code == 200
    assert "Mine" in page.text
    assert "Not mine" not in page.text
    answer = client.post(reverse("notice-read"), {"id": mine.pk})
    assert answer.status_code == 302
    assert notices.unread_count(person) == 0


def test_page_asks_the_same_number_of_queries_for_many(client, django_assert_max_num_queries):
    person = make_user(Role.EDITOR)
    client.force_login(person)
    NoticeFactory(recipient=person)
    client.get(reverse("notice-list"))
    with django_assert_max_num_queries(15) as few:
        client.get(reverse("notice-list"))
    NoticeFactory.create_batch(29, recipient=person)
    with django_assert_max_num_queries(15) as many:
        client.get(reverse("notice-list"))
    assert len(few) == len(many)


def test_reading_all_goes_back_only_within_the_site(client):
    person = make_user(Role.EDITOR)
    NoticeFactory.create_batch(3, recipient=person)
    client.force_login(person)
    answer = client.post(reverse("notice-read"), {"all": "1", "next": "https://evil.example/"})
    assert answer["Location"] == reverse("notice-list")
    assert notices.unread_count(person) == 0


@pytest.mark.parametrize("wrong", ["", "abc", "-1", "1e9", "9" * 40, "½"])
def test_odd_ids_are_refused(client, wrong):
    person = make_user(Role.EDITOR)
    client.force_login(person)
    answer = client.post(reverse("notice-read"), {"id": wrong} if wrong else {}, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "INVALID_INPUT"


def test_other_peoples_ids_change_nothing_and_tell_nothing(client):
    person, other = make_user(Role.EDITOR), NoticeFactory()
    client.force_login(person)
    answer = client.post(reverse("notice-read"), {"id": other.pk}, headers={"Accept": "application/json"})
    assert answer.json() == {"read": 0}
    assert notices.unread_count(other.recipient) == 1
