"""Opening hours and days that differ: who writes them, what is refused, and what the page says of what is booked."""

from datetime import date, time, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from scheduling import hours
from scheduling.models import OpeningException, OpeningHours
from scheduling.opening import Hours, Interval
from scheduling.slots import Span, whole_days
from sessions_app.actions import closure, time_off
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, NotFound
from studio.models import AuditEvent, User
from studio.roles import Role
from tests.factories.domain import ClientFactory, Studio, at, person

pytestmark = pytest.mark.django_db
PAGE = "/opening/"
DAY = timedelta(days=1)
TODAY = date(2026, 3, 2)
NOW = at(TODAY)
MORNING, AFTERNOON = Interval(time(8), time(12)), Interval(time(14), time(18))


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


@pytest.fixture
def admin() -> User:
    return person(Role.ADMIN)


# -- the acts ---------------------------------------------------------------------------------------------------------


def test_only_an_admin_writes_hours():
    who = person(Role.COORDINATOR)
    for act in (
        lambda: hours.set_week({0: [MORNING]}, by=who),
        lambda: hours.declare(TODAY, TODAY, by=who, now=NOW),
        lambda: hours.take_out(TODAY, TODAY, by=who, now=NOW),
    ):
        with pytest.raises(AccessDenied):
            act()
    assert not OpeningHours.objects.exists()
    assert AuditEvent.objects.filter(event="denied", actor_id=who.pk).count() == 3


def test_the_week_is_replaced_as_a_whole_and_every_change_is_audited(admin):
    hours.set_week({0: [AFTERNOON, MORNING], 5: [Interval(time(8), time(0))], 6: []}, by=admin)
    known = hours.load(TODAY, TODAY)
    assert known == Hours({0: (MORNING, AFTERNOON), 5: (Interval(time(8), time(0)),)})
    hours.set_week({0: [MORNING, AFTERNOON], 5: [Interval(time(8), time(0))]}, by=admin)  # the same
    hours.set_week({}, by=admin)
    assert not hours.load(TODAY, TODAY).is_known
    events = AuditEvent.objects.filter(event="opening_hours_changed").order_by("pk")
    assert [event.details["after"] for event in events] == [
        {"MONDAY": ["08:00-12:00", "14:00-18:00"], "SATURDAY": ["08:00-00:00"]},
        {},
    ]


@pytest.mark.parametrize(
    ("found", "failed"),
    [
        ([MORNING, Interval(time(11, 59), time(13))], "overlap"),
        ([Interval(time(8), time(0)), Interval(time(22), time(23))], "overlap"),
        ([MORNING, MORNING], "overlap"),
        ([Interval(time(12), time(8))], "goes_backward"),
        ([Interval(time(8), time(8))], "goes_backward"),
    ],
)
def test_hours_that_cannot_be_are_refused_and_nothing_changes(admin, found, failed):
    hours.set_week({1: [AFTERNOON]}, by=admin)
    with translation.override("en"), pytest.raises(InvalidInput) as refused:
        hours.set_week({0: [AFTERNOON], 2: found}, by=admin)
    assert refused.value.details == {"failed": [failed], "weekday": 2}
    assert "Wednesday" in refused.value.message
    with pytest.raises(InvalidInput):
        hours.declare(TODAY, TODAY, hours=found, by=admin, now=NOW)
    assert hours.load(TODAY, TODAY) == Hours({1: (AFTERNOON,)})


def test_days_that_differ_replace_what_was_said_of_them(admin):
    friday = TODAY + 4 * DAY
    hours.declare(friday, friday + 2 * DAY, note="Easter", by=admin, now=NOW)
    hours.declare(friday, friday, hours=[AFTERNOON, MORNING], note=" Half ", by=admin, now=NOW)
    known = hours.load(TODAY, TODAY + 30 * DAY)
    assert known.exceptions == {friday: (MORNING, AFTERNOON), friday + DAY: (), friday + 2 * DAY: ()}
    assert known.notes[friday] == "Half"
    hours.take_out(friday + DAY, friday + 2 * DAY, by=admin, now=NOW)
    assert set(hours.load(TODAY, TODAY + 30 * DAY).exceptions) == {friday}
    with pytest.raises(NotFound):
        hours.take_out(friday + DAY, friday + 2 * DAY, by=admin, now=NOW)


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        (TODAY - DAY, TODAY, "first_day"),
        (TODAY + DAY, TODAY, "last_day"),
        (TODAY, TODAY + 62 * DAY, "last_day"),
        (TODAY + 1200 * DAY, TODAY + 1200 * DAY, "last_day"),
        (date.max, date.max, "last_day"),
    ],
)
def test_days_that_cannot_be_declared(admin, first, last, field):
    with pytest.raises(InvalidInput) as refused:
        hours.declare(first, last, by=admin, now=NOW)
    assert refused.value.field == field
    if first < TODAY:
        with pytest.raises(InvalidInput):
            hours.take_out(first, last, by=admin, now=NOW)


# -- the page ---------------------------------------------------------------------------------------------------------


def week(**times: str) -> dict[str, str]:
    """``week(monday="08:00-12:00 14:00-18:00")`` as the form sends it."""
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    sent = {}
    for number, name in enumerate(names):
        for place, text in enumerate((times.get(name) or "-").split()):
            sent[f"opens_{number}_{place}"], sent[f"closes_{number}_{place}"] = text.split("-")
    return sent


def test_the_form_of_the_week(admin):
    page = browser(admin)
    assert "Nobody has said them yet" in page.get(PAGE).text
    assert page.post(PAGE, week(monday="08:00-12:00 14:00-18:00", saturday="09:00-00:00")).status_code == 302
    assert OpeningHours.objects.count() == 3
    shown = page.get(PAGE).text
    assert 'value="14:00"' in shown
    for wrong, said in (
        (week(monday="08:00-12:00 11:00-18:00"), "Monday: 08:00 to 12:00 and 11:00 to 18:00 overlap."),
        (week(monday="08:00-"), "Until when?"),
        (week(monday="-08:00"), "From when?"),
        (week(monday="8x-9"), "Enter a valid time."),
        ({"opens": "08:00"}, "Check what you have typed."),
    ):
        answer = page.post(PAGE, wrong)
        assert answer.status_code == 422, wrong
        assert said in answer.text
    assert OpeningHours.objects.count() == 3
    # More than the form would have shown: somebody else took hours out meanwhile.
    page.post(PAGE, week(monday="01:00-02:00 03:00-04:00 05:00-06:00 07:00-08:00"))
    assert OpeningHours.objects.count() == 4
    readers = browser(person(Role.COORDINATOR)).get(PAGE).text
    assert "01:00 to 02:00" in readers
    assert "opens_0_0" not in readers


def test_days_that_differ_are_put_down_and_taken_out(admin):
    page, first = browser(admin), timezone.localdate(timezone=STUDIO.zone) + 30 * DAY
    sent = {"first_day": first.isoformat(), "last_day": (first + 2 * DAY).isoformat(), "kind": "closed"}
    assert page.post(f"{PAGE}days/", sent | {"note": "Easter"}).status_code == 302
    other = {"first_day": (first + 9 * DAY).isoformat(), "kind": "hours", "opens": "08:00", "closes": "12:00"}
    assert page.post(f"{PAGE}days/", other).status_code == 302
    assert OpeningException.objects.count() == 4
    shown = page.get(PAGE).text
    assert shown.count("Easter") == 1  # three days in a row are one
    assert "08:00 to 12:00" in shown
    for wrong in (
        {"kind": "hours"},
        {"kind": "maybe"},
        {"last_day": "2020-01-01"},
        {"first_day": "2020-01-01", "last_day": ""},
        {"first_day": "x"},
        {"kind": "hours", "opens": "12:00", "closes": "08:00"},
    ):
        answer = page.post(f"{PAGE}days/", sent | wrong)
        assert answer.status_code == 422, wrong
        assert 'id="other-day"' in answer.text
    days = {"first_day": first.isoformat(), "last_day": (first + 2 * DAY).isoformat()}
    assert page.post(f"{PAGE}days/remove/", days).status_code == 302
    assert OpeningException.objects.count() == 1


def test_what_is_booked_on_a_day_that_is_closed_stays_and_is_named(admin):
    studio = Studio(today=timezone.localdate(timezone=STUDIO.zone), admin=admin)
    session, day = studio.request(), studio.when().session_date
    inside = studio.request(client=ClientFactory(), when=studio.when(days=21))
    assert "Booked outside" not in browser(admin).get(PAGE).text
    sent = {"first_day": day.isoformat(), "kind": "closed", "note": "Holiday"}
    answer = browser(admin).post(f"{PAGE}days/", sent, follow=True)
    assert "1 session lies outside." in answer.text
    assert session.get_absolute_url() in answer.text
    assert inside.get_absolute_url() not in answer.text
    spanish = browser(admin)
    spanish.cookies[settings.LANGUAGE_COOKIE_NAME] = "es"
    assert '<span class="state s-request">Solicitud</span>' in spanish.get(PAGE).text
    # Of another day, and of the week as a whole.
    quiet = {"first_day": (day + 9 * DAY).isoformat(), "kind": "closed"}
    answer = browser(admin).post(f"{PAGE}days/", quiet, follow=True)
    assert "outside." not in answer.text and session.get_absolute_url() in answer.text
    assert "2 sessions lie outside." in browser(admin).post(PAGE, week(monday="01:00-02:00"), follow=True).text
    session.cancel(by=studio.coordinator, now=timezone.now(), reason="Ill", initiator="client")
    assert session.get_absolute_url() not in browser(admin).get(PAGE).text


def test_sessions_not_within_times():
    """In the database as in ``Hours.outside``: whole sessions, half open, spans that touch are one."""
    studio = Studio()
    session = studio.request()
    span, hour = session.span, timedelta(hours=1)
    middle = span.start + hour
    for times, is_outside in (
        ([], True),
        ([span], False),
        ([Span(span.start, middle), Span(middle, span.end)], False),
        ([Span(span.start, middle), Span(middle + DAY, span.end + DAY)], True),
        ([Span(span.start + timedelta(seconds=1), span.end)], True),
        ([Span(span.start - hour, span.end - timedelta(seconds=1))], True),
    ):
        assert Session.objects.not_within(times).exists() is is_outside, times


def test_the_page_asks_as_much_for_many_as_for_one(admin):
    def asked() -> int:
        page = browser(admin)
        with CaptureQueriesContext(connection) as queries:
            assert page.get(PAGE).status_code == 200
        return len(queries)

    studio = Studio(today=timezone.localdate(timezone=STUDIO.zone), admin=admin)
    hours.set_week({0: [Interval(time(1), time(2))]}, by=admin)
    studio.request()
    one = asked()
    for number in range(1, 25):
        studio.request(client=ClientFactory(), when=studio.when(days=20 + number))
    OpeningException.objects.bulk_create(OpeningException(day=studio.today + n * 2 * DAY) for n in range(30))
    assert asked() == one


def test_the_home_of_the_office_says_what_is_closed_today(admin):
    studio = Studio(today=timezone.localdate(timezone=STUDIO.zone), admin=admin)
    now, home = timezone.now(), browser(studio.coordinator)
    assert "Closed" not in home.get("/").text
    hours.declare(studio.today, studio.today, note="Holiday", by=admin, now=now)
    hours.declare(studio.today + DAY, studio.today + DAY, hours=[MORNING], by=admin, now=now)
    days = whole_days(studio.today, studio.today + DAY)
    closure.close(studio.room, span=days, by=studio.coordinator, now=now, notes="New floor")
    time_off.block(studio.photographer, span=days, by=studio.photographer, now=now, notes="Dentist")
    shown = home.get("/").text
    assert shown.count("Closed: Holiday") == shown.count("08:00 to 12:00") == 1
    assert "Closed: New floor" in shown
    assert "Time off" in shown
    assert "Dentist" not in shown
