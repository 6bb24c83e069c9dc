"""Closures of rooms: who may put them down and end them, what is in the way, and what the page says."""

from datetime import date, time, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from scheduling.models import RoomReservation, RoomStatus
from scheduling.slots import Span, instant, whole_days
from sessions_app.actions import closure, people
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, NotFound, RoomNotAvailable
from studio.models import AuditEvent, User
from studio.roles import Role
from tests.factories.domain import RoomFactory, Studio, at, person

pytestmark = pytest.mark.django_db
PAGE = "/closures/"
DAY = timedelta(days=1)
AHEAD = date(2026, 3, 22)  # twenty days from the studio's today, when its requests are for


@pytest.fixture
def studio() -> Studio:
    return Studio()


def close(studio: Studio, when: Span | None = None, *, by: User | None = None, **values) -> RoomReservation:
    return closure.close(
        values.pop("room", studio.room),
        span=when or whole_days(AHEAD, AHEAD),
        by=by or studio.coordinator,
        now=studio.now,
        notes=values.pop("notes", "New floor"),
    )


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def test_only_the_office_closes_and_opens_a_room(studio):
    for role in (Role.PHOTOGRAPHER, Role.EDITOR, Role.ARTIST):
        with pytest.raises(AccessDenied):
            close(studio, by=person(role))
    row = close(studio)
    with pytest.raises(AccessDenied):
        closure.end(row.pk, by=studio.photographer, now=studio.now)
    closure.end(row.pk, by=studio.admin, now=studio.now)
    events = AuditEvent.objects.filter(object_type="scheduling.roomreservation").order_by("pk")
    assert list(events.values_list("event", "details__notes"))[-2:] == [
        ("room_closed", "New floor"),
        ("closure_canceled", "New floor"),
    ]
    with pytest.raises(NotFound):
        closure.end(row.pk, by=studio.admin, now=studio.now)


def test_where_a_session_has_the_room_there_is_no_closure_and_it_says_by_what(studio):
    session = studio.request(room_id=studio.room.pk)
    with pytest.raises(RoomNotAvailable) as refused:
        close(studio)
    assert refused.value.details["conflicts"][0]["session"] == session.code
    assert session.code in refused.value.message
    after = Span(session.room_reservations.get().during.upper, at("2026-03-22", "23:00"))
    assert close(studio, after)  # touching is no conflict
    assert close(studio, room=RoomFactory())


def test_in_a_closure_nobody_has_the_room_until_it_is_ended(studio):
    row = close(studio)
    session = studio.request()
    with translation.override("en"), pytest.raises(RoomNotAvailable) as refused:
        people.give_room(session, room_id=studio.room.pk, by=studio.coordinator, now=studio.now)
    assert "closed: New floor" in refused.value.message
    noon = at("2026-03-22", "12:00")
    closure.end(row.pk, by=studio.coordinator, now=noon)
    row.refresh_from_db()
    assert (row.during.upper, row.released_at) == (noon, None)
    people.give_room(session, room_id=studio.room.pk, by=studio.coordinator, now=studio.now)
    with pytest.raises(InvalidInput):
        closure.end(row.pk, by=studio.coordinator, now=noon)


def test_what_is_no_closure(studio):
    """Days that are over, but for an Admin; more than a year; a room that is out of use; a session's own time."""
    yesterday = whole_days(studio.today - DAY, studio.today - DAY)
    with pytest.raises(InvalidInput):
        close(studio, yesterday)
    assert close(studio, yesterday, by=studio.admin)
    with pytest.raises(InvalidInput):
        close(studio, whole_days(studio.today, studio.today + 366 * DAY))
    assert close(studio, whole_days(studio.today, studio.today + 365 * DAY))
    with pytest.raises(RoomNotAvailable):
        close(studio, room=RoomFactory(status=RoomStatus.MAINTENANCE))
    held = studio.request(room_id=RoomFactory().pk).room_reservations.get()
    with pytest.raises(NotFound):
        closure.end(held.pk, by=studio.coordinator, now=studio.now)


def test_the_page_closes_opens_and_says_what_is_in_the_way(studio):
    first = timezone.localdate(timezone=STUDIO.zone) + 30 * DAY
    page = browser(studio.coordinator)
    sent = {"room": studio.room.pk, "first_day": first.isoformat(), "notes": "Paint"}
    assert page.post(PAGE, sent | {"last_day": (first + DAY).isoformat()}).status_code == 302
    row = RoomReservation.objects.get()
    assert (row.span, row.notes) == (whole_days(first, first + DAY), "Paint")
    hours = {"start_time": "14:00", "end_time": "16:00"}
    taken = page.post(PAGE, sent | hours)
    assert taken.status_code == 409
    assert "closed: Paint" in taken.text
    assert page.post(PAGE, sent | hours | {"first_day": (first + 9 * DAY).isoformat()}).status_code == 302
    assert RoomReservation.objects.latest("pk").span.start == instant(first + 9 * DAY, time(14))
    for wrong in ({"room": ""}, {"room": "9" * 30}, {"first_day": "9999-12-31"}, {"last_day": "2020-01-01"}):
        assert page.post(PAGE, sent | wrong).status_code == 422, wrong
    shown = page.get(PAGE, {"room": studio.room.pk, "day": first.isoformat()}).text
    assert "Paint" in shown
    assert f'value="{first.isoformat()}"' in shown
    assert "Paint" not in page.get(PAGE, {"room": RoomFactory().pk}).text
    assert page.post(f"{PAGE}{row.pk}/end/").status_code == 302
    assert RoomReservation.objects.holding().count() == 1


def test_the_page_asks_as_much_for_thirty_as_for_one(studio):
    def asked() -> int:
        page = browser(studio.coordinator)
        with CaptureQueriesContext(connection) as queries:
            assert page.get(PAGE).status_code == 200
        return len(queries)

    today = timezone.localdate(timezone=STUDIO.zone)
    rows = [
        RoomReservation(
            room=RoomFactory() if number % 10 == 1 else studio.room,
            during=(span.start, span.end),
            created_at=studio.now,
            created_by=studio.coordinator,
        )
        for number in range(1, 31)
        for span in [whole_days(today + number * DAY, today + number * DAY)]
    ]
    rows[0].save()
    one = asked()
    RoomReservation.objects.bulk_create(rows[1:])
    assert asked() == one
