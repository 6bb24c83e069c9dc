"""Time off: who may put it down and take it back, what is in the way, and what the clocks do to it."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduling.models import StaffReservation
from scheduling.slots import Span, as_whole_days, instant, whole_days
from sessions_app.actions import time_off
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, NotFound, PhotographerNotAvailable
from studio.models import AuditEvent, Notice, User
from studio.roles import Role
from tests.factories.domain import Studio, at, person
from tests.factories.shop import MONDAY, NOW, Shop, span

pytestmark = pytest.mark.django_db
PAGE = "/time-off/"
DAY = timedelta(days=1)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def block(who: User, when: Span | None = None, *, by: User | None = None, **values) -> StaffReservation:
    return time_off.block(who, span=when or span(), by=by or who, now=values.pop("now", NOW), **values)


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


# -- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_who_is_booked_blocks_their_own_time_and_the_office_everybodys(role, shop):
    who = person(role)
    own = role is not Role.EDITOR
    office = role in (Role.ADMIN, Role.COORDINATOR)
    if own:
        assert block(who).staff == who
    else:
        with pytest.raises(AccessDenied):
            block(who)
    if office:
        assert block(shop.artist, by=who).created_by == who
    else:
        with pytest.raises(AccessDenied):
            block(shop.artist, by=who)
        assert AuditEvent.objects.filter(event="denied", actor_id=who.pk).exists()


def test_nobody_learns_of_other_peoples_time_off(shop):
    row = block(shop.artist)
    with pytest.raises(NotFound):
        time_off.take_back(row.pk, by=shop.other, now=NOW)
    assert shop.artist.full_name not in browser(shop.other).get(PAGE, {"person": shop.artist.pk}).text
    assert shop.artist.full_name in browser(shop.coordinator).get(PAGE).text


def test_an_editor_and_somebody_who_left_have_no_time_to_block(shop):
    gone = person(Role.ARTIST, is_active=False)
    for who in (person(Role.EDITOR), gone):
        with pytest.raises(InvalidInput):
            block(who, by=shop.coordinator)


# -- what is in the way -----------------------------------------------------------------------------------------------


def test_where_somebody_is_booked_there_is_no_time_off_and_it_says_by_what(shop):
    session = shop.book()
    with pytest.raises(PhotographerNotAvailable) as refused:
        block(shop.artist, whole_days(date.fromisoformat(MONDAY), date.fromisoformat(MONDAY)))
    assert refused.value.details["conflicts"][0]["session"] == session.code
    assert session.code in refused.value.message
    assert not StaffReservation.objects.filter(session=None).exists()


def test_in_time_off_nobody_is_booked_until_it_is_taken_back(shop):
    row = block(shop.artist)
    block(shop.other)  # another one's time is another one's
    with pytest.raises(PhotographerNotAvailable) as refused:
        shop.book()
    assert refused.value.details["conflicts"][0]["session"] is None
    with pytest.raises(PhotographerNotAvailable):
        block(shop.artist, span("12:00", "15:00"))
    block(shop.artist, span("13:00", "15:00"))  # touching is no conflict
    time_off.take_back(row.pk, by=shop.artist, now=NOW)
    assert shop.book().status == "Active"
    assert (
        list(AuditEvent.objects.filter(event__startswith="time_off").values_list("event", flat=True)).count(
            "time_off_canceled"
        )
        == 1
    )
    with pytest.raises(NotFound):
        time_off.take_back(row.pk, by=shop.artist, now=NOW)


def test_in_time_off_no_photographer_is_put_on_a_shoot():
    studio = Studio()
    day = studio.when().session_date
    time_off.block(studio.photographer, span=whole_days(day, day), by=studio.coordinator, now=studio.now)
    with pytest.raises(PhotographerNotAvailable) as refused:
        studio.request(photographer_ids=(studio.photographer.pk,))
    assert refused.value.details["conflicts"][0]["session"] is None
    assert not Session.objects.exists()


def test_what_has_begun_ends_now_and_what_is_over_stays(shop):
    row = block(shop.artist)
    noon = at(MONDAY, "12:00")
    time_off.take_back(row.pk, by=shop.artist, now=noon)
    row.refresh_from_db()
    assert (row.during.upper, row.released_at) == (noon, None)
    shop.book(span("12:00", "13:00"))
    with pytest.raises(InvalidInput):
        time_off.take_back(row.pk, by=shop.artist, now=noon)


def test_only_an_admin_puts_down_days_that_are_over(shop):
    yesterday = whole_days(NOW.date() - DAY, NOW.date() - DAY)
    with pytest.raises(InvalidInput):
        block(shop.artist, yesterday)
    with pytest.raises(InvalidInput):
        block(shop.artist, yesterday, by=shop.coordinator)
    assert block(shop.artist, yesterday, by=person(Role.ADMIN))
    # Today has begun, and is still today.
    assert block(shop.artist, whole_days(NOW.date(), NOW.date()))


def test_a_year_is_the_most(shop):
    first = NOW.date()
    assert block(shop.artist, whole_days(first, first + 365 * DAY))
    with pytest.raises(InvalidInput):
        block(shop.other, whole_days(first, first + 366 * DAY))


# -- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "first", "last", "hours"),
    [
        ("America/Guatemala", "2027-03-08", "2027-03-08", 24),
        ("Europe/Madrid", "2027-03-28", "2027-03-28", 23),
        ("Europe/Madrid", "2027-10-30", "2027-10-31", 49),
        # Midnight itself is skipped, and comes twice.
        ("America/Santiago", "2027-09-05", "2027-09-05", 23),
        ("America/Havana", "2027-11-07", "2027-11-07", 25),
    ],
)
def test_whole_days_begin_and_end_with_the_local_day(zone, first, last, hours):
    days = whole_days(date.fromisoformat(first), date.fromisoformat(last), ZoneInfo(zone))
    assert days.duration == timedelta(hours=hours)
    assert as_whole_days(days, ZoneInfo(zone)) == (date.fromisoformat(first), date.fromisoformat(last))
    shorter = Span(days.start, days.end - timedelta(minutes=1))
    assert as_whole_days(shorter, ZoneInfo(zone)) is None


def test_a_time_that_the_clocks_skip_is_refused_in_words(shop):
    with STUDIO.overridden(time_zone="Europe/Madrid"):
        answer = browser(shop.artist).post(PAGE, {"first_day": "2027-03-28", "start_time": "02:30"})
    assert answer.status_code == 422
    assert "do not exist" in answer.text


# -- the page ---------------------------------------------------------------------------------------------------------


def test_days_and_hours_as_the_form_puts_them_down(shop):
    first = timezone.localdate(timezone=STUDIO.zone) + 30 * DAY
    last = first + 2 * DAY
    page = browser(shop.artist)
    sent = {"first_day": first.isoformat(), "last_day": last.isoformat(), "notes": "Convention"}
    assert page.post(PAGE, sent).status_code == 302
    whole = StaffReservation.objects.get()
    assert (whole.span, whole.notes) == (whole_days(first, last), "Convention")
    assert "Convention" in page.get(PAGE).text
    page.post(PAGE, {"first_day": (first + 9 * DAY).isoformat(), "start_time": "14:00", "end_time": "16:00"})
    hours = StaffReservation.objects.latest("pk").span
    assert hours == Span(instant(first + 9 * DAY, time(14)), instant(first + 9 * DAY, time(16)))
    for wrong in (
        {"first_day": last.isoformat(), "last_day": first.isoformat()},
        {"first_day": first.isoformat(), "start_time": "16:00", "end_time": "14:00"},
        {"first_day": "", "start_time": "x"},
        {"first_day": "9999-12-31"},
    ):
        assert page.post(PAGE, wrong).status_code == 422, wrong
    assert page.post(f"{PAGE}{whole.pk}/end/").status_code == 302
    assert StaffReservation.objects.holding().count() == 1


def test_the_session_in_the_way_is_a_link(shop):
    today = timezone.localdate(timezone=STUDIO.zone)
    session = shop.book(Span(instant(today + DAY, time(10)), instant(today + DAY, time(12))))
    answer = browser(shop.artist).post(PAGE, {"first_day": (today + DAY).isoformat()})
    assert answer.status_code == 409
    assert session.get_absolute_url() in answer.text


def test_who_is_put_off_by_somebody_else_is_told_and_told_of_what_is_taken_back(shop):
    first = timezone.localdate(timezone=STUDIO.zone) + 30 * DAY
    office = browser(shop.coordinator)
    office.post(PAGE, {"person": shop.artist.pk, "first_day": first.isoformat()})
    row = StaffReservation.objects.get()
    [notice] = Notice.objects.filter(recipient=shop.artist)
    assert (notice.kind, notice.url, notice.params["when"]) == ("time_off_changed", PAGE, first.isoformat())
    assert "Time off put down for you" in browser(shop.artist).get("/notices/").text
    notice.read_at = NOW
    notice.save()
    office.post(f"{PAGE}{row.pk}/end/")
    assert "was taken back" in browser(shop.artist).get("/notices/").text
    # What was never read is taken back without a word.
    office.post(PAGE, {"person": shop.artist.pk, "first_day": first.isoformat()})
    office.post(f"{PAGE}{StaffReservation.objects.holding().get().pk}/end/")
    assert Notice.objects.filter(read_at=None, params__variant="").count() == 0


def test_the_page_asks_as_much_for_thirty_as_for_one(shop):
    def asked() -> int:
        page = browser(shop.coordinator)
        with CaptureQueriesContext(connection) as queries:
            assert page.get(PAGE).status_code == 200
        return len(queries)

    today = timezone.localdate(timezone=STUDIO.zone)
    block(person(Role.ARTIST), whole_days(today + DAY, today + DAY), by=shop.coordinator, now=timezone.now())
    one = asked()
    for number in range(2, 31):
        days = whole_days(today + number * DAY, today + number * DAY)
        block(person(Role.ARTIST), days, by=shop.coordinator, now=timezone.now())
    assert asked() == one


def test_time_off_is_no_session(shop):
    block(shop.artist)
    assert not Session.objects.exists()
