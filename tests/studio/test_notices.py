"""What people are told on the dashboard (business rules 8.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.urls import reverse
from django.utils import timezone, translation

from studio import jobs, notices
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


# -- what a notice says ------------------------------------------------------------------------------------------------


def said(kind, language="en", **params):
    with translation.override(language):
        return notices.sentence(kind, params)


def test_figures_agree_with_their_words():
    assert said("integrity_issue", count=1) == "The nightly check found 1 problem."
    assert said("integrity_issue", count=3) == "The nightly check found 3 problems."
    assert said("integrity_issue", count="many")  # an odd row


def test_a_failed_job_is_called_by_its_name_for_people():
    text = said("job_failed", job="auto_cancel_unpaid", day="2026-11-21", attempts=3)
    assert "“Cancel what is unpaid”" in text
    assert "auto_cancel" not in text
    with translation.override("es"):
        assert str(jobs.label("auto_cancel_unpaid")) in said(
            "job_failed", "es", job="auto_cancel_unpaid", day="2026-11-21", attempts=3
        )
    assert "gone_since" in said("job_failed", job="gone_since", day="2026-11-21", attempts=3)


def test_every_kind_has_an_icon_that_there_is():
    sheet = (settings.BASE_DIR / "static/vendor/bootstrap-icons/bootstrap-icons.min.css").read_text()
    for kind in [*notices.KINDS.values(), notices.UNKNOWN]:
        assert f".bi-{kind.icon}:" in sheet


# -- replacing and taking back ----------------------------------------------------------------------------------------


def test_a_newer_one_takes_the_place_of_what_was_not_read():
    about, elsewhere, reader, other = (make_user() for _each in range(4))
    for title in ("first", "second"):
        notices.notify([reader], "session_moved", about=about, replaces=True, title=title)
    notices.notify([reader], "session_moved", about=elsewhere, replaces=True, title="elsewhere")
    notices.notify([other], "session_moved", about=about, replaces=True, title="other's")
    notices.notify([reader], "material_ready", about=about, replaces=True, title="another kind")
    assert {row.params["title"] for row in Notice.objects.all()} == {"second", "elsewhere", "other's", "another kind"}


def test_the_same_once_more_stays_as_it_is():
    """A job that runs twice, or again the next night (D6)."""
    about, reader = make_user(), make_user()

    def tell(night):
        notices.notify([reader], "resources_missing", about=about, key=f"missing:{night}", replaces=True, title="A")
        return Notice.objects.get(read_at=None).pk

    assert tell(1) == tell(1)
    assert tell(1) != tell(2)
    Notice.objects.update(read_at=WHEN)
    notices.notify([reader], "resources_missing", about=about, key="missing:2", replaces=True, title="A")
    assert notices.unread_count(reader) == 0, "it was told today, and read"


def test_drop_takes_back_what_some_people_were_told():
    about, one, two = make_user(), make_user(), make_user()
    notices.notify([one, two], "session_assigned", about=about, title="A")
    notices.notify([one], "material_ready", about=about, title="B")
    assert notices.drop(about, ["session_assigned"], people=[one]) == 1
    assert [(row.recipient, row.kind) for row in Notice.objects.order_by("pk")] == [
        (two, "session_assigned"),
        (one, "material_ready"),
    ]


# -- following a link -------------------------------------------------------------------------------------------------


def follow(client, notice, **headers):
    return client.get(reverse("notice-open", args=[notice.pk]), headers=headers)


def test_following_a_link_marks_it_and_the_earlier_ones_about_the_same(client):
    person, about = make_user(Role.EDITOR), make_user()
    told = [
        Notice.objects.create(
            recipient=person,
            kind="material_ready",
            url="/rooms/",
            about_type="studio.user",
            about_id=about_id,
            created_at=WHEN + timedelta(hours=number),
        )
        for number, about_id in enumerate([about.pk, about.pk, about.pk, person.pk])
    ]
    client.force_login(person)
    answer = follow(client, told[1])
    assert (answer.status_code, answer["Location"]) == (302, "/rooms/")
    assert "no-store" in answer["Cache-Control"]
    for notice in told:
        notice.refresh_from_db()
    assert [notice.read_at is not None for notice in told] == [True, True, False, False]
    first = told[1].read_at
    follow(client, told[1])
    told[1].refresh_from_db()
    assert told[1].read_at == first, "read once"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_who_did_not_follow_it_has_not_read_it(client, headers):
    """A browser that fetches ahead, and a page elsewhere that sends somebody here."""
    notice = NoticeFactory(recipient=make_user(Role.EDITOR), url="/rooms/")
    client.force_login(notice.recipient)
    assert follow(client, notice, **headers)["Location"] == "/rooms/"
    assert client.head(reverse("notice-open", args=[notice.pk])).status_code == 302
    assert notices.unread_count(notice.recipient) == 1
    follow(client, notice, **{"Sec-Fetch-Site": "same-origin"})
    assert notices.unread_count(notice.recipient) == 0


@pytest.mark.parametrize("url", ["", "https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_a_notice_leads_nowhere_else(client, url):
    notice = NoticeFactory(recipient=make_user(Role.EDITOR), url=url)
    client.force_login(notice.recipient)
    assert follow(client, notice)["Location"] == reverse("notice-list")
    assert notices.unread_count(notice.recipient) == 0


@pytest.mark.parametrize("pk", ["other", 0, 2**70])
def test_other_peoples_notices_are_not_there(client, pk):
    other = NoticeFactory(url="/rooms/")
    client.force_login(make_user(Role.EDITOR))
    answer = client.get(reverse("notice-open", args=[other.pk if pk == "other" else pk]))
    assert answer.status_code == 404
    assert notices.unread_count(other.recipient) == 1


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_list_has_what_is_unread_first_and_both_by_day(client):
    person = make_user(Role.EDITOR)
    now = timezone.now().astimezone(STUDIO.zone).replace(hour=12)
    for title, days, is_read in (("old", 9, False), ("read", 0, True), ("new", 0, False), ("day before", 1, False)):
        NoticeFactory(
            recipient=person,
            params={"title": title},
            created_at=now - timedelta(days=days),
            read_at=now if is_read else None,
        )
    client.force_login(person)
    groups = client.get(reverse("notice-list")).context["groups"]
    with translation.override("en"):
        told = notices.by_day(notices.lines(notices.unread_first(person), person), now=now)
    shown = [
        (is_read, [(day.heading, [line.text.split(": ")[-1] for line in day.lines]) for day in days])
        for is_read, days in told
    ]
    assert shown == [
        (False, [("Today", ["new"]), ("Yesterday", ["day before"]), (shown[0][1][2][0], ["old"])]),
        (True, [("Today", ["read"])]),
    ]
    assert [is_read for is_read, _days in groups] == [False, True]
    only = client.get(reverse("notice-list"), {"show": "unread"})
    assert [is_read for is_read, _days in only.context["groups"]] == [False]


def test_the_list_as_json_says_how_many_are_unread_and_pages(client):
    person = make_user(Role.EDITOR)
    NoticeFactory.create_batch(51, recipient=person, params={"title": "A", "by": "Carlos"})
    client.force_login(person)
    answer = client.get(reverse("notice-list"), {"page": 2}, headers={"Accept": "application/json"}).json()
    assert (answer["unread"], answer["page"], answer["pages"]) == (51, 2, 2)
    [notice] = answer["notices"]
    assert set(notice) == {"id", "kind", "text", "by", "url", "created_at", "read"}
    assert (notice["by"], notice["read"]) == ("Carlos", False)


def test_text_of_a_notice_is_text(client):
    person = make_user(Role.EDITOR)
    NoticeFactory(recipient=person, params={"title": "<script>alert(1)</script>", "by": "<b>x"})
    client.force_login(person)
    page = client.get(reverse("notice-list")).text
    assert "<script>alert(1)" not in page
    assert "<b>x" not in page


def test_two_tabs_that_mark_the_same_do_no_harm(client):
    notice = NoticeFactory(recipient=make_user(Role.EDITOR))
    client.force_login(notice.recipient)
    answers = [
        client.post(reverse("notice-read"), {"id": notice.pk}, headers={"Accept": "application/json"}).json()
        for _tab in range(2)
    ]
    assert answers == [{"read": 1}, {"read": 0}]


def test_the_badge_is_counted_in_the_index_of_what_is_unread():
    """On every page: however many notices were read, the count reads none of them."""
    person = make_user(Role.EDITOR)
    Notice.objects.bulk_create(
        Notice(recipient=person, kind="material_ready", read_at=WHEN if n % 100 else None) for n in range(5000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE studio_notice")
    assert "notice_unread" in notices.unread(person).explain()
    assert notices.unread_count(person) == 50
