"""Calendar feeds: who opens and reads them, what they say, and the right local times on every night."""

import io
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar

from scheduling import ics
from scheduling.models import RoomReservation
from scheduling.slots import Span, whole_days
from sessions_app import feeds, workflow
from sessions_app.actions import book, feed, people, request, time_off
from sessions_app.actions.request import At, When
from sessions_app.models import CalendarFeed, Session
from studio import logs
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, NotFound
from studio.models import AuditEvent, User
from studio.roles import Role
from tests.factories.domain import RoomFactory, Studio, person
from tests.factories.shop import Shop

pytestmark = pytest.mark.django_db
PAGE = "/feeds/"
SITE = "https://studio.example/"
ENGLISH = User.Language.ENGLISH
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def studio() -> Studio:
    found = Studio(photographer=person(Role.PHOTOGRAPHER, language=ENGLISH), coordinator=person(Role.COORDINATOR))
    found.coordinator.language = ENGLISH
    found.coordinator.save()
    return found


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def opened(owner: User, room_id: int | None = None) -> CalendarFeed:
    return feed.open_feed(by=owner, now=timezone.now(), room_id=room_id)[0]


def address(owner: User, room_id: int | None = None) -> str:
    return reverse("calendar-feed", args=[feed.open_feed(by=owner, now=timezone.now(), room_id=room_id)[1]])


def read(owner: User, now: datetime, room_id: int | None = None) -> list:
    """What a calendar program finds in the owner's feed at that time."""
    own = CalendarFeed.objects.filter(owner=owner, room=room_id, revoked_at=None).first() or opened(owner, room_id)
    return Calendar.from_ical(feeds.file(own, site=SITE, now=now)).walk("VEVENT")


def one(owner: User, now: datetime, room_id: int | None = None):
    (found,) = read(owner, now, room_id)
    return found


def put_on(
    studio: Studio, session: Session, who: User, before: timedelta = timedelta(), after: timedelta = timedelta()
):
    return people.assign_photographer(
        session,
        photographer_id=who.pk,
        coverage=session.span.widened(before, after),
        by=studio.coordinator,
        now=studio.now,
    )


# -- the right local times --------------------------------------------------------------------------------------------

ZONES = (
    "America/Guatemala",
    "Europe/Madrid",
    "America/Santiago",
    "America/Havana",
    "Africa/Cairo",
    "Australia/Lord_Howe",
)


def nights_of_change(zone: ZoneInfo) -> list[date]:
    """The local days of 2026 on which the clocks change, by the zone's own rules."""
    noons = [datetime(2026, 3, 7, 12, tzinfo=zone) + number * DAY for number in range(290)]
    return [each.date() for each in noons if each.utcoffset() != (each - DAY).utcoffset()]


def bookings_around(zone: ZoneInfo) -> Iterator[tuple[date, str, str]]:
    """An ordinary day, past midnight, to the minute, and around each change of the clocks."""
    yield date(2026, 4, 14), "14:00", "16:30"
    yield date(2026, 4, 15), "20:00", "02:00"
    yield date(2026, 4, 17), "23:59", "00:01"
    yield date(2026, 4, 18), "00:01", "23:59"
    for day in nights_of_change(zone):
        # Over the change, and then what begins or ends in hours that are skipped or come twice.
        yield day - DAY, "20:00", "05:00"
        yield day, "06:00", "07:00"
        yield day + 7 * DAY, "20:00", "05:00"
    for day in nights_of_change(zone)[-1:]:
        yield day - DAY, "17:00", "20:00"


@pytest.mark.parametrize("name", ZONES)
def test_a_feed_opens_in_a_real_parser_with_the_right_local_times(studio, name):
    zone = ZoneInfo(name)
    assert bool(nights_of_change(zone)) == (name != "America/Guatemala")
    with STUDIO.overridden(time_zone=name):
        booked: dict[str, tuple[date, str, str]] = {}
        for day, start, end in bookings_around(zone):
            when = When(session_date=day, start_time=time.fromisoformat(start), end_time=time.fromisoformat(end))
            session = studio.request(when=when)
            put_on(studio, session, studio.photographer)
            booked[session.code] = (day, start, end)
        found = {str(each["uid"]): each for each in read(studio.photographer, studio.now)}
        assert len(found) == len(booked) == (4 if name == "America/Guatemala" else 11)
        for session in Session.objects.all():
            day, start, end = booked[session.code]
            shown = found[ics.uid_of("session", session.code, session.created_at)]
            local = shown.start.astimezone(zone), shown.end.astimezone(zone)
            assert [f"{each:%H:%M}" for each in local] == [start, end]
            assert (local[0].date(), local[1].date()) == (day, day + DAY * (end <= start))
            assert Span(shown.start, shown.end).duration == session.span.duration


def test_each_hour_of_the_nights_of_change_keeps_its_instant(studio):
    """Skipped hours are no times, and of two equal ones each is told as it is: by people who are back in the second."""
    for name in ZONES[1:]:
        zone = ZoneInfo(name)
        with STUDIO.overridden(time_zone=name):
            for day in nights_of_change(zone):
                noon = datetime.combine(day, time(12), tzinfo=zone).astimezone(UTC)
                hours = [Span(noon - number * HOUR, noon - number * HOUR + HOUR / 2) for number in range(8, 15)]
                who = person(Role.PHOTOGRAPHER)
                for span in hours:
                    put_on(studio, studio.request(when=At(span)), who)
                shown = [Span(each.start, each.end) for each in read(who, studio.now)]
                assert shown == sorted(hours)
                walls = [f"{each.start.astimezone(zone):%d %H:%M}" for each in shown]
                if name != "Australia/Lord_Howe":  # which changes by half an hour
                    forward = noon.astimezone(zone).utcoffset() > (noon - DAY).astimezone(zone).utcoffset()
                    assert len(set(walls)) == (7 if forward else 6), (name, walls)


# -- what it says ------------------------------------------------------------------------------------------------------


def test_what_was_written_is_what_is_read(studio):
    """A person's feed and a room's, with all that they hold, to bytes and back."""
    outside = studio.request(
        session_type=workflow.EXTERNAL_SESSION, location="Finca; El Pilar, «Ñ»\nGate 2", when=studio.when(days=30)
    )
    put_on(studio, outside, studio.photographer, before=HOUR, after=timedelta(minutes=45))
    studio.walk(workflow.CONFIRMED, event_description="Boda 📷").equip()
    days = whole_days(studio.today + 40 * DAY, studio.today + 44 * DAY)
    time_off.block(studio.photographer, span=days, by=studio.photographer, now=studio.now, notes="Surgery")
    RoomReservation.objects.create(
        room=studio.room, during=(days.start, days.end), created_at=studio.now, notes="Painted by Ramírez"
    )
    for own in (opened(studio.photographer), opened(studio.coordinator, studio.room.pk)):
        written = feeds.events(own, site=SITE, now=studio.now)
        stamp = max(event.changed_at for event in written)
        content = ics.calendar(written, stamp=stamp, name="x")
        again = [
            ics.Event(
                uid=str(each["uid"]),
                span=Span(each.start, each.end),
                summary=str(each["summary"]),
                changed_at=each["last-modified"].dt,
                location=str(each.get("location", "")),
                description=str(each.get("description", "")),
                status=ics.Status(str(each["status"])),
            )
            for each in Calendar.from_ical(content).walk("VEVENT")
        ]
        plain = [
            ics.Event(
                uid=event.uid,
                span=event.span,
                summary=ics.line(event.summary),
                changed_at=event.changed_at.replace(microsecond=0),
                location=ics.line(event.location),
                description=ics.text(event.description),
                status=event.status,
            )
            for event in written
        ]
        assert again == plain
        assert len(again) == (3 if own.room_id is None else 2)
        assert "Surgery" not in content.decode() and "Ramírez" not in content.decode()


def test_an_event_has_time_with_travel_place_state_team_and_link(studio):
    second = person(Role.PHOTOGRAPHER, full_name="Ana Reyes")
    session = studio.request(session_type=workflow.EXTERNAL_SESSION)
    put_on(studio, session, studio.photographer, before=HOUR, after=HOUR / 2)
    put_on(studio, session, second)
    shown = one(studio.photographer, studio.now)
    assert (shown.start, shown.end) == (session.starts_at - HOUR, session.ends_at + HOUR / 2)
    assert (shown["summary"], shown["location"]) == ("Maternity · External", "Finca El Pilar")
    assert (shown["status"], shown["transp"]) == ("TENTATIVE", "OPAQUE")
    assert str(shown["description"]).splitlines() == [
        "Request",
        "The session itself: 14:00 to 16:30 (America/Guatemala).",
        f"Team: {studio.photographer.full_name} (lead), Ana Reyes",
        f"https://studio.example/sessions/{session.code}/",
    ]
    # The second one has no way to go, and reads it in the studio's language.
    other = one(second, studio.now)
    assert (other.start, other.end) == (session.starts_at, session.ends_at)
    assert other["uid"] == shown["uid"]
    assert "The session itself" not in other["description"]


def test_the_name_stays_over_edits_moves_and_states_and_the_version_grows(studio):
    walk = studio.walk(workflow.CONFIRMED).equip()
    seen = [one(studio.photographer, studio.now)]
    assert seen[0]["status"] == "CONFIRMED"
    moved = studio.when(days=25, start="09:00", end="10:00")
    session, by, now = Session.objects.get(pk=walk.session.pk), studio.coordinator, studio.now
    request.edit(session, by=by, now=now + HOUR, when=moved, event_description="Family")
    seen.append(one(studio.photographer, studio.now))
    assert (seen[1]["summary"], seen[1].start) == ("Family · Studio", Session.objects.get().starts_at)
    Session.objects.get().cancel(by=by, now=now + 2 * HOUR, reason="Ill", initiator="client")
    for owner, room in ((studio.photographer, None), (by, studio.room.pk)):
        seen.append(one(owner, studio.now, room))
        assert seen[-1]["summary"] == "Canceled: Family · Studio"
        assert (seen[-1]["status"], seen[-1]["transp"]) == ("CANCELLED", "TRANSPARENT")
    assert len({str(each["uid"]) for each in seen}) == 1
    sequences = [each["sequence"] for each in seen]
    assert sequences[0] < sequences[1] < sequences[2] == sequences[3]
    assert seen[0]["last-modified"].dt < seen[1]["last-modified"].dt
    # Three months later it is no longer told.
    assert read(studio.photographer, studio.now + 130 * DAY) == []


def test_who_is_taken_off_has_it_no_more_and_who_follows_has_it(studio):
    session = studio.request()
    row = put_on(studio, session, studio.photographer)
    follows = person(Role.PHOTOGRAPHER)
    uid = one(studio.photographer, studio.now)["uid"]
    people.reassign(
        session, assignment_id=row.pk, photographer_id=follows.pk, by=studio.coordinator, now=studio.now + HOUR
    )
    assert read(studio.photographer, studio.now) == []
    assert one(follows, studio.now)["uid"] == uid
    book.delete_session(Session.objects.get(), by=studio.admin, now=studio.now + 2 * HOUR)
    assert read(follows, studio.now) == []


def test_an_appointment_comes_with_the_minutes_around_it(studio):
    shop = Shop(artist=person(Role.ARTIST, language=ENGLISH, buffer_before=15, buffer_after=30))
    session = shop.book(title="Koi carp", tentative=True)
    shown = one(shop.artist, shop.now)
    quarter = timedelta(minutes=15)
    assert (shown.start, shown.end) == (session.starts_at - quarter, session.ends_at + 2 * quarter)
    assert (shown["summary"], shown["status"]) == ("Koi carp · Appointment", "TENTATIVE")
    assert read(shop.other, shop.now) == []


def test_time_off_and_closures_are_there_until_they_are_taken_back(studio):
    days = whole_days(studio.today - 2 * DAY, studio.today + 300 * DAY)
    row = time_off.block(studio.photographer, span=days, by=studio.admin, now=studio.now)
    closed = RoomReservation.objects.create(room=studio.room, during=(days.start, days.end), created_at=studio.now)
    # Also when it began before what the feed shows.
    later = studio.now + 120 * DAY
    shown = one(studio.photographer, later)
    assert (shown["summary"], shown.start, shown.end) == ("Time off", days.start, days.end)
    assert "description" not in shown
    assert one(studio.coordinator, later, studio.room.pk)["summary"] == "Closed"
    before = shown["sequence"]
    time_off.take_back(row.pk, by=studio.photographer, now=later)
    shown = one(studio.photographer, later)
    assert shown.end == later and shown["sequence"] > before
    RoomReservation.objects.filter(pk=closed.pk).update(released_at=later)
    assert read(studio.coordinator, later, studio.room.pk) == []


def test_a_feed_of_somebody_without_sessions_is_a_calendar_without_events(studio):
    own = opened(studio.photographer)
    content = feeds.file(own, site=SITE, now=studio.now)
    calendar = Calendar.from_ical(content)
    assert calendar.walk("VEVENT") == []
    assert (calendar["version"], calendar["refresh-interval"].dt) == ("2.0", HOUR)
    assert calendar["x-published-ttl"] == "PT1H"
    assert studio.photographer.full_name in calendar["x-wr-calname"]


def test_nothing_confidential_and_nobody_elses_session_is_in_a_feed(studio):
    """Of the client what the session is called; of other people only who is on the same session."""
    session = studio.walk(workflow.CONFIRMED, event_description="", special_notes="Hide the scar").equip().session
    book.change_client(session.client, by=studio.coordinator, notes="Pays late, be careful")
    other = person(Role.PHOTOGRAPHER)
    foreign = studio.request(when=studio.when(days=50), event_description="Secret wedding")
    put_on(studio, foreign, other)
    time_off.block(other, span=whole_days(studio.today, studio.today), by=other, now=studio.now)
    room = RoomFactory()
    people.give_room(foreign, room_id=room.pk, by=studio.coordinator, now=studio.now)
    for owner, room_id in ((studio.photographer, None), (studio.coordinator, studio.room.pk)):
        own = opened(owner, room_id)
        text = feeds.file(own, site=SITE, now=studio.now).replace(b"\r\n ", b"").decode()
        assert session.client.full_name in text
        client = session.client
        for secret in (client.email, client.primary_phone, client.secondary_phone, client.delivery_address):
            assert secret not in text
        for secret in ("scar", "Pays late", "1000", "500.00", foreign.code, "Secret wedding", other.full_name):
            assert secret not in text, secret
    assert session.total == Decimal("1000.00")


# -- who opens, who reads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_who_is_booked_opens_their_own_and_the_office_a_rooms(studio, role):
    who = person(role)
    office = role in (Role.ADMIN, Role.COORDINATOR)
    for allowed, room_id in ((role is not Role.EDITOR, None), (office, studio.room.pk)):
        if allowed:
            own, token = feed.open_feed(by=who, now=studio.now, room_id=room_id)
            assert feeds.find(token) == own
            assert token not in str(CalendarFeed.objects.values().get(pk=own.pk)) and len(token) >= 43
        else:
            with pytest.raises(AccessDenied):
                feed.open_feed(by=who, now=studio.now, room_id=room_id)
            assert AuditEvent.objects.filter(event="denied", actor_id=who.pk).exists()
    with pytest.raises((AccessDenied, InvalidInput)):
        feed.open_feed(by=who, now=studio.now, room_id=2**60)


def test_ten_are_the_most_and_a_revoked_one_makes_room(studio):
    who = studio.photographer
    made = [feed.open_feed(by=who, now=studio.now)[0] for _ in range(feed.MOST_OPEN)]
    answer = browser(who).post(PAGE)
    assert answer.status_code == 422 and "revoke one" in answer.text
    feed.revoke(made[0].pk, by=who, now=studio.now)
    assert browser(who).post(PAGE).status_code == 200


def test_own_feeds_are_revoked_by_oneself_and_any_by_an_admin(studio):
    own, token = feed.open_feed(by=studio.photographer, now=studio.now)
    for stranger in (person(Role.PHOTOGRAPHER), studio.coordinator):
        with pytest.raises(NotFound):
            feed.revoke(own.pk, by=stranger, now=studio.now)
        assert browser(stranger).post(reverse("feed-revoke", args=[own.pk])).status_code == 404
    assert feeds.find(token)
    answer = browser(studio.admin).post(reverse("feed-revoke", args=[own.pk]), follow=True)
    assert "leads nowhere any more" in answer.text and studio.photographer.full_name not in answer.text
    feed.revoke(own.pk, by=studio.photographer, now=studio.now)  # once more changes nothing
    told = AuditEvent.objects.filter(event__startswith="feed_").order_by("pk")
    assert [(each.event, each.actor_id) for each in told] == [
        ("feed_opened", studio.photographer.pk),
        ("feed_revoked", studio.admin.pk),
    ]
    assert token not in str(list(AuditEvent.objects.values())) and own.token_hash not in str(list(told.values()))


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log says meanwhile."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.configuration("line", "INFO")["formatters"]["line"]["()"]())
    handler.addFilter(logs.Origin())
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def test_revoked_deactivated_demoted_and_never_there_are_the_same_404(studio, lines):
    """In bytes and headers, for a program and for a page; and no address is in the log, whatever came of it."""
    gone, demoted = person(Role.PHOTOGRAPHER), person(Role.COORDINATOR, Role.EDITOR)
    revoked, by_revoked = feed.open_feed(by=studio.photographer, now=studio.now)
    urls = [address(gone), address(demoted), address(demoted, studio.room.pk)]
    urls += [reverse("calendar-feed", args=[each]) for each in (by_revoked, "x" * 43, "Ñ" * 3000, "..%2F..")]
    stranger = Browser()
    assert [stranger.get(url).status_code for url in urls] == [200, 200, 200, 200, 404, 404, 404]
    feed.revoke(revoked.pk, by=studio.photographer, now=studio.now)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    demoted.groups.remove(demoted.groups.get(name=Role.COORDINATOR))
    for asked in ({}, {"accept": "application/json"}, {"accept": "text/calendar"}, {"if-none-match": "*"}):
        headers = {"x-request-id": "the-same-one", **asked}
        answers = [Browser().get(url, headers=headers) for url in urls]
        told = {(each.status_code, each.content, str(sorted(each.headers.items()))) for each in answers}
        assert len(told) == 1 and answers[0].status_code == 404
    for method in ("post", "put", "delete"):
        assert len({getattr(stranger, method)(url).status_code for url in urls}) == 1
    # Nor where the address is wrong by a sign, or breaks.
    stranger.get(urls[0].removesuffix(".ics"))
    stranger.get(urls[0] + "/")
    said = lines.getvalue()
    assert "GET /feeds/<token>.ics 200" in said and "GET /feeds/<token>.ics 404" in said
    for url in urls:
        assert url.removeprefix(PAGE).removesuffix(".ics") not in said
    assert not AuditEvent.objects.filter(event="denied").exists()


# -- over the web ------------------------------------------------------------------------------------------------------


def test_the_file_is_read_without_signing_in_and_leaves_no_cookie(studio):
    studio.walk(workflow.CONFIRMED, when=ahead(studio)).equip()
    url = address(studio.photographer)
    stranger = Browser()
    answer = stranger.get(url, headers={"accept": "text/calendar"})
    assert answer.status_code == 200 and not answer.cookies and not stranger.cookies
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Content-Language"] == "en"
    (event,) = Calendar.from_ical(answer.content).walk("VEVENT")
    assert "http://testserver/sessions/S-" in event["description"]
    # Unchanged is not sent again, whoever has a role or none is signed in.
    etag = answer.headers["ETag"]
    again = browser(person()).get(url, headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert stranger.head(url).headers["ETag"] == etag and stranger.head(url).content == b""
    Session.objects.update(updated_at=timezone.now() + HOUR)
    assert stranger.get(url, headers={"if-none-match": etag}).status_code == 200


def ahead(studio: Studio, days: int = 30) -> When:
    """From today by the clock, which the web goes by."""
    day = timezone.localdate(timezone=STUDIO.zone) + days * DAY
    studio.today = timezone.localdate(timezone=STUDIO.zone)
    return When(session_date=day, start_time=time(9), end_time=time(10))


def test_reading_is_noted_once_an_hour(studio):
    own, token = feed.open_feed(by=studio.photographer, now=studio.now)
    url = reverse("calendar-feed", args=[token])
    Browser().get(url)
    own.refresh_from_db()
    first = own.last_read_at
    assert timezone.now() - first < HOUR
    Browser().get(url)
    own.refresh_from_db()
    assert own.last_read_at == first
    feed.note_reading(own, now=first + HOUR)
    own.refresh_from_db()
    assert own.last_read_at == first + HOUR


def test_a_feed_asks_as_much_for_thirty_as_for_one(studio):
    def asked(url: str) -> tuple[int, int]:
        CalendarFeed.objects.update(last_read_at=None)
        with CaptureQueriesContext(connection) as queries:
            answer = Browser().get(url)
        return len(queries), len(Calendar.from_ical(answer.content).walk("VEVENT"))

    urls = [address(studio.photographer), address(studio.coordinator, studio.room.pk)]
    when = ahead(studio)

    def more(number: int) -> None:
        session = studio.request(when=replace(when, session_date=when.session_date + number * DAY))
        put_on(studio, session, studio.photographer)
        people.give_room(session, room_id=studio.room.pk, by=studio.coordinator, now=studio.now)

    off = whole_days(when.session_date + 100 * DAY, when.session_date + 101 * DAY)
    time_off.block(studio.photographer, span=off, by=studio.coordinator, now=timezone.now())
    more(0)
    few = [asked(url) for url in urls]
    for number in range(1, 30):
        more(number)
    many = [asked(url) for url in urls]
    assert [count for count, _events in few] == [count for count, _events in many]
    assert all(count <= 6 for count, _events in many)
    assert [events for _count, events in many] == [31, 30]


def test_a_huge_agenda_is_capped_at_what_comes_first(studio, monkeypatch):
    monkeypatch.setattr(feeds, "MOST", 2)
    for days in (10, 12, 11):
        put_on(studio, studio.request(when=studio.when(days=days)), studio.photographer)
    time_off.block(
        studio.photographer,
        span=whole_days(studio.today + 9 * DAY, studio.today + 9 * DAY),
        by=studio.photographer,
        now=studio.now,
    )
    shown = [str(each["summary"]) for each in read(studio.photographer, studio.now)]
    assert shown == ["Time off", "Maternity · Studio"]


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_address_is_shown_once_and_the_page_says_what_is_open(studio):
    page = browser(studio.coordinator)
    answer = page.post(PAGE, {"room": studio.room.pk})
    assert answer.headers["Cache-Control"] == "no-store"
    found = answer.context["opened"].address
    assert found.startswith("http://testserver/feeds/") and f'value="{found}"' in answer.text
    assert f'href="webcal{found.removeprefix("http")}"' in answer.text
    token = found.split("/feeds/")[1].removesuffix(".ics")
    listed = page.get(PAGE)
    assert token not in listed.text and studio.room.name in listed.text
    assert "Not read by any calendar yet." in listed.text
    Browser().get(found)
    assert re.search(r"Last read about [^.:]*:00\.", page.get(PAGE).text)
    # A machine gets it in its answer.
    told = page.post(PAGE, {}, headers={"accept": "application/json"}).json()
    assert told["ok"] and Browser().get(told["address"]).status_code == 200
    for wrong in ("0", "x", "99999999999999999999"):
        assert page.post(PAGE, {"room": wrong}).status_code == 422
    # A photographer chooses nothing, and sees nobody else's; an Admin sees whose they are.
    own = browser(studio.photographer).get(PAGE).text
    assert studio.room.name not in own and 'name="room"' not in own
    assert studio.coordinator.full_name in browser(studio.admin).get(PAGE).text


def test_the_list_asks_as_much_for_ten_as_for_one(studio):
    def asked() -> int:
        page = browser(studio.admin)
        with CaptureQueriesContext(connection) as queries:
            assert page.get(PAGE).status_code == 200
        return len(queries)

    opened(studio.coordinator, studio.room.pk)
    one_row = asked()
    for _ in range(9):
        opened(studio.coordinator, RoomFactory().pk)
    for _ in range(10):
        opened(person(Role.ARTIST))
    assert asked() == one_row


def test_homes_lead_to_it(studio):
    for role in (Role.PHOTOGRAPHER, Role.ARTIST):
        assert browser(person(role)).get("/").text.count('href="/feeds/"') == 2  # the home, and the menu
    assert 'href="/feeds/"' not in browser(person(Role.EDITOR)).get("/").text
