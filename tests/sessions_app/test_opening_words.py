"""What lies outside the opening hours is said in words, and is not refused."""

from datetime import date, time, timedelta

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation

from scheduling.models import OpeningException, OpeningHours
from scheduling.opening import Hours, Interval
from scheduling.slots import Span
from sessions_app.models import Session
from sessions_app.opening_words import outside_hours
from studio.conf import STUDIO
from tests.factories.domain import Studio, at
from tests.factories.shop import Shop, span

SATURDAY, SUNDAY, MONDAY = "2027-03-06", "2027-03-07", "2027-03-08"
HOURS = Hours(
    {
        0: (Interval(time(8), time(12)), Interval(time(14), time(18))),
        1: (Interval(time(8), time(12)),),
        5: (Interval(time(8), time(0)),),
    },
    {date(2027, 3, 15): (), date(2027, 3, 16): (), date(2027, 3, 22): (Interval(time(8), time(10)),)},
    {date(2027, 3, 15): "Holiday", date(2027, 3, 22): "Half a day"},
)


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


@pytest.mark.parametrize(
    ("day", "begins", "ends", "words"),
    [
        (MONDAY, "09:00", "12:00", ""),
        (MONDAY, "11:00", "13:00", "Mon 8 Mar 2027 08:00 to 12:00, 14:00 to 18:00"),
        (SUNDAY, "11:00", "13:00", "Sun 7 Mar 2027 closed"),
        (SATURDAY, "20:00", "23:59", ""),
        ("2027-03-15", "09:00", "10:00", "Mon 15 Mar 2027 closed: Holiday"),
        ("2027-03-16", "09:00", "10:00", "Tue 16 Mar 2027 closed"),
        ("2027-03-22", "09:00", "11:00", "Mon 22 Mar 2027 08:00 to 10:00: Half a day"),
        ("9999-12-31", "10:00", "11:00", ""),
    ],
)
def test_hours_of_the_day_are_said(day, begins, ends, words):
    said = outside_hours(span(begins, ends, day), HOURS).replace("\N{NO-BREAK SPACE}", " ")
    assert said == (f"That is outside the opening hours ({words})." if words else "")


def test_of_a_night_the_day_that_is_closed_is_named():
    night = Span(at(SATURDAY, "22:00"), at(SUNDAY, "02:00"))
    assert "Sun 7 Mar 2027 closed" in outside_hours(night, HOURS).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.django_db
def test_hours_are_asked_once_and_unknown_ones_warn_of_nothing(django_assert_num_queries):
    assert outside_hours(span()) == ""
    OpeningHours.objects.create(weekday=5, opens=time(8), closes=time(13))
    OpeningException.objects.create(day=date(2027, 3, 8), note="Holiday")
    with django_assert_num_queries(1):
        assert "Holiday" in outside_hours(span(day=MONDAY))


@pytest.mark.django_db
def test_a_booking_outside_the_hours_is_made_and_warned_of_beforehand_and_afterwards(client):
    studio, shop = Studio(today=timezone.localdate(timezone=STUDIO.zone)), Shop()
    client.force_login(studio.coordinator)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    day = studio.today + timedelta(days=20)
    OpeningException.objects.create(day=day, note="Day of the dead")
    when = {"session_date": day.isoformat(), "start_time": "10:00", "end_time": "12:00", "duration": 120}
    whose = {"client": studio.client.pk, "event_description": "Koi"}
    appointment = when | whose | {"artist": shop.artist.pk, "certainty": "active"}
    series = appointment | {"every": 1, "unit": "weeks", "count": 2}
    for asked in (
        client.get(reverse("session-free"), when),
        client.get(reverse("session-new"), when),
        client.get(reverse("appointment-free"), appointment),
        client.post(reverse("appointment-series"), series | {"plan": "true"}),
        client.post(reverse("session-new"), when | whose | {"session_type": "Studio"}, follow=True),
        client.post(reverse("appointment-new"), appointment, follow=True),
    ):
        assert asked.status_code == 200
        # Where it was booked, the session's own page says it as well as what was done.
        times = 2 if asked.request["PATH_INFO"].startswith("/sessions/S-") else 1
        assert asked.text.count("closed: Day of the dead)") == times, asked.request
    assert Session.objects.count() == 2
    # Back into the hours, nothing is said.
    session = Session.objects.get(session_type="Studio")
    edited = when | {"session_type": "Studio", "event_description": "Koi"} | {"session_date": day + timedelta(days=1)}
    moved = client.post(reverse("session-edit", args=[session.code]), edited, follow=True)
    assert "is changed" in moved.text
    assert "opening hours (" not in moved.text
