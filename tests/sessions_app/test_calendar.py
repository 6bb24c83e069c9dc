"""The calendar: who sees what of it, what it is asked for, and what moves in it."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from scheduling import booking
from scheduling.models import OpeningException, OpeningHours, RoomReservation, StaffReservation
from scheduling.slots import Span, whole_days
from sessions_app import calendar, workflow
from sessions_app.actions import appoint, people, request, shift
from sessions_app.actions.request import At, When
from sessions_app.calendar import Filters
from sessions_app.models import Session
from sessions_app.views import calendar as views
from studio.conf import STUDIO
from studio.errors import PhotographerNotAvailable, RoomNotAvailable
from studio.models import Notice, User
from studio.roles import Role
from tests.factories.domain import ClientFactory, RoomFactory, Studio, at, person

pytestmark = pytest.mark.django_db

PAGE, EVENTS, RESOURCES = reverse("calendar"), reverse("calendar-events"), reverse("calendar-resources")
MACHINE = {"Accept": "application/json"}
# A Monday of a week that has nothing but what a test puts into it.
MONDAY = date(2027, 3, 8)
MOST_QUERIES = 5


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


@dataclass
class Week:
    """A studio with one shoot, one appointment, somebody's time off and a closed room, all on one Monday."""

    studio: Studio = field(default_factory=lambda: Studio(today=date(2027, 2, 1)))
    other: User = field(default_factory=lambda: person(Role.PHOTOGRAPHER, full_name="Lucy Barrios"))
    artist: User = field(default_factory=lambda: person(Role.ARTIST, full_name="Nico Paz"))
    second: Any = field(default_factory=RoomFactory)
    shoot: Session = None
    tattoo: Session = None

    def __post_init__(self) -> None:
        for user in (self.studio.coordinator, self.studio.admin, self.studio.photographer, self.artist):
            User.objects.filter(pk=user.pk).update(language="en")
        self.shoot = self.request("14:00", "16:30", title="Maternity Ruiz")
        when = Span(at(MONDAY, "10:00"), at(MONDAY, "12:00"))
        self.tattoo = appoint.book(
            client=ClientFactory(full_name="Paulina Ceiba"),
            artist_id=self.artist.pk,
            span=when,
            price=None,
            by=self.studio.coordinator,
            now=self.studio.now,
        )
        days = whole_days(MONDAY, MONDAY)
        booking.block(staff_id=self.other.pk, span=days, by=None, now=self.studio.now, notes="Dentist")
        RoomReservation.objects.create(
            room=self.second, during=(days.start, days.end), created_at=self.studio.now, notes="Painting"
        )

    def request(self, start: str, end: str, *, day: date = MONDAY, title: str = "", **values: Any) -> Session:
        values.setdefault("room_id", self.studio.room.pk)
        values.setdefault("photographer_ids", (self.studio.photographer.pk,))
        times = [datetime.strptime(each, "%H:%M").time() for each in (start, end)]  # noqa: DTZ007
        when = When(session_date=day, start_time=times[0], end_time=times[1])
        return self.studio.request(when=when, event_description=title, **values)

    @property
    def whole(self) -> Span:
        return whole_days(MONDAY, MONDAY + timedelta(days=6))

    def seen_by(self, user: User, **filters: Any) -> dict[str, calendar.Event]:
        found = calendar.agenda(user, self.whole, now=self.studio.now, filters=Filters(**filters))
        return {each.title: each for each in found.events}


@pytest.fixture
def week() -> Week:
    return Week()


@pytest.fixture
def browse(client):
    def sign_in(user):
        client.force_login(user)
        return client

    return sign_in


def feed(browser: Any, **query: str) -> Any:
    return browser.get(EVENTS, {"start": "2027-03-08", "end": "2027-03-15", **query}, headers=MACHINE)


SHOOT, TATTOO, OFF, CLOSED = "Maternity Ruiz", "Paulina Ceiba", "Time off", "Closed"
WHO_SEES = {
    "coordinator": {SHOOT, TATTOO, OFF, CLOSED},
    "admin": {SHOOT, TATTOO, OFF, CLOSED},
    "photographer on it": {SHOOT},
    "photographer who is off": {OFF},
    "artist": {TATTOO},
    "editor": set(),
    "no role": set(),
}


def test_each_reader_is_told_of_their_own_and_nothing_else(browse, week):
    studio = week.studio
    readers = {
        "coordinator": studio.coordinator,
        "admin": studio.admin,
        "photographer on it": studio.photographer,
        "photographer who is off": week.other,
        "artist": week.artist,
        "editor": studio.editor,
        "no role": person(),
    }
    assert {name: set(week.seen_by(user)) for name, user in readers.items()} == WHO_SEES
    secrets = {
        SHOOT: [SHOOT, week.shoot.code],
        TATTOO: [TATTOO, week.tattoo.code],
        OFF: ["Dentist", week.other.full_name],
        CLOSED: ["Painting", week.second.name],
    }
    for name, user in readers.items():
        if name == "no role":
            continue
        browser = browse(user)
        told = (
            feed(browser).content.decode() + browser.get(PAGE, {"view": "week", "date": "2027-03-08"}).content.decode()
        )
        told = told.replace(user.full_name, "")
        hidden = [word for title, words in secrets.items() if title not in WHO_SEES[name] for word in words]
        assert [word for word in hidden if word in told] == [], name
        # Neither money nor how to reach the client: that is for the session's page.
        assert "5555-" not in told
    # Who shoots is told of the own line only: neither the room nor who else comes is a line of theirs.
    rows = feed(browse(studio.photographer)).json()["events"]
    assert {each for row in rows for each in row["resourceIds"]} == {f"p-{studio.photographer.pk}"}
    assert [row["extendedProps"]["who"] for row in rows] == [[]]
    lines = browse(studio.photographer).get(RESOURCES).json()["resources"]
    assert [each["id"] for each in lines] == [f"p-{studio.photographer.pk}"]
    lines = browse(studio.editor).get(RESOURCES).json()["resources"]
    assert [each["extendedProps"]["kind"] for each in lines] == ["person"]
    assert reverse("feed-list") not in browse(studio.editor).get(PAGE).content.decode()
    # Who moves nothing is not told how to.
    hints = {
        name: "calendar-hint" in browse(user).get(PAGE).content.decode()
        for name, user in readers.items()
        if name != "no role"
    }
    assert {name for name, has in hints.items() if has} == {"coordinator", "admin", "artist"}
    assert {f"r-{studio.room.pk}", f"p-{week.artist.pk}", "none"} <= {
        each["id"] for each in browse(studio.coordinator).get(RESOURCES).json()["resources"]
    }


def test_an_event_says_what_it_is_and_what_its_reader_may_do(browse, week):
    studio = week.studio
    row = {each["id"]: each for each in feed(browse(studio.coordinator)).json()["events"]}[week.shoot.code]
    assert (row["start"], row["end"]) == ("2027-03-08T14:00:00", "2027-03-08T16:30:00")
    assert row["resourceIds"] == [f"r-{studio.room.pk}", f"p-{studio.photographer.pk}"]
    assert row["startEditable"] and row["durationEditable"]
    more = row["extendedProps"]
    # Days in the server's words; the reason why it stays is of what stays.
    assert (more["day"], more["lastDay"], more["fixed"]) == ("Mon 8 Mar 2027", "", "")
    assert (more["state"], more["who"], more["place"]) == ("Request", [studio.photographer.full_name], studio.room.name)
    # Kept for the client until then; the office alone is told.
    assert more["held"] and "held" in row["classNames"]
    (own,) = feed(browse(studio.photographer)).json()["events"]
    assert own["extendedProps"]["held"] is None
    assert not own["startEditable"] and "move" not in own["extendedProps"]
    (booked,) = feed(browse(week.artist)).json()["events"]
    assert booked["startEditable"] and not booked["extendedProps"]["mayGive"]


def test_travel_is_drawn_in_the_line_of_who_travels(browse, week):
    studio = week.studio
    assignment = week.shoot.assignments.get()
    wider = week.shoot.span.widened(timedelta(hours=1), timedelta(minutes=30))
    people.change_coverage(
        week.shoot, assignment_id=assignment.pk, coverage=wider, by=studio.coordinator, now=studio.now
    )
    rows = {each["id"]: each for each in feed(browse(studio.coordinator)).json()["events"]}
    cover = rows[f"{week.shoot.code}/{studio.photographer.pk}"]
    assert (cover["start"], cover["end"]) == ("2027-03-08T13:00:00", "2027-03-08T17:00:00")
    assert (cover["display"], cover["resourceIds"]) == ("background", [f"p-{studio.photographer.pk}"])
    assert rows[week.shoot.code]["start"] == "2027-03-08T14:00:00"


def test_the_filter_narrows_it_for_the_office_alone(browse, week):
    studio = week.studio
    assert set(week.seen_by(studio.coordinator, room_id=studio.room.pk)) == {SHOOT}
    assert set(week.seen_by(studio.coordinator, room_id=week.second.pk)) == {CLOSED}
    assert set(week.seen_by(studio.coordinator, person_id=week.other.pk)) == {OFF}
    assert set(week.seen_by(studio.coordinator, person_id=week.artist.pk)) == {TATTOO}
    assert SHOOT in week.seen_by(studio.coordinator, status=workflow.REQUEST)
    assert TATTOO not in week.seen_by(studio.coordinator, status=workflow.REQUEST)
    week.shoot.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")
    assert SHOOT not in week.seen_by(studio.coordinator)
    assert set(week.seen_by(studio.coordinator, status=workflow.CANCELED)) == {SHOOT}
    # A photographer who names somebody else gets their own, as ever.
    assert set(week.seen_by(week.other, person_id=studio.photographer.pk, room_id=studio.room.pk)) == {OFF}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "From"),
        ({"start": "2027-03-08"}, "To"),
        ({"start": "yesterday", "end": "2027-03-15"}, "is no day"),
        ({"start": "2027-03-08T10:00", "end": "2027-03-15"}, "is no day"),
        ({"start": "2027-02-30", "end": "2027-03-15"}, "is no day"),
        ({"start": "0001-01-01", "end": "9999-12-31"}, "is no day"),
        ({"start": "2027-03-08" * 100, "end": "2027-03-15"}, "at most 40"),
        ({"start": "2027-03-15", "end": "2027-03-08"}, "before the start"),
        ({"start": "2027-03-08", "end": "2027-03-08"}, "before the start"),
        ({"start": "2027-01-01", "end": "2027-12-31"}, "62 days"),
        ({"start": "2027-03-08", "end": "2027-03-15", "state": "Asleep"}, "State"),
        ({"start": "2027-03-08", "end": "2027-03-15", "room": "99999999999999999999"}, "Room"),
        ({"start": "2027-03-08", "end": "2027-03-15", "person": "'"}, "Who"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused_in_a_sentence(browse, week, query, words):
    answer = browse(week.studio.coordinator).get(EVENTS, query)
    assert answer.status_code == 400
    said = answer.json()
    assert said["code"] == "INVALID_INPUT"
    assert words in said["message"]


def test_the_page_leaves_out_what_cannot_be_meant_and_says_so(browse, week):
    browser = browse(week.studio.coordinator)
    page = browser.get(PAGE, {"view": "year", "date": "2027-02-31", "room": "x", "person": "-1", "state": "?"})
    assert page.status_code == 200
    assert page.content.decode().count("was left out of the filter") == 4
    # What was asked for is said again, and not as a program would.
    assert "“2027-02-31” is no day of the calendar: today is shown." in page.content.decode()
    for view in ("day", "week", "month", "list"):
        for edge in ("1990-01-01", "2199-12-31"):
            assert browser.get(PAGE, {"view": view, "date": edge}).status_code == 200
    # Without scripts the page is the list, with the links that move what may be moved.
    page = browser.get(PAGE, {"view": "day", "date": "2027-03-08"}).content.decode()
    for words in (SHOOT, "14:00–16:30", "all day", "Dentist", "Painting", "held until", "Monday 8 March"):
        assert words in page
    assert reverse("calendar-shift", args=[week.shoot.code]) in page
    assert reverse("appointment-edit", args=[week.tattoo.code]) in page


def test_today_leads_to_its_place_in_a_list_that_began_before():
    today = date(2027, 3, 8)
    before, later = date(2027, 3, 1), date(2027, 3, 10)
    assert views._anchor([before, today, later], today) == "#day-2027-03-08"
    assert views._anchor([before, later], today) == "#day-2027-03-10"
    assert [views._anchor(days, today) for days in ([], [before], [later], [today, later])] == ["", "", "", ""]


def test_what_began_before_the_window_and_lasts_into_it_is_shown(week):
    studio = week.studio
    late = week.request(
        "20:00", "20:00", day=MONDAY - timedelta(days=1), title="Until tomorrow", room_id=None, photographer_ids=()
    )
    assert late.span.duration == timedelta(hours=24)
    week.request("22:00", "00:00", day=MONDAY - timedelta(days=2), title="Ends at midnight")
    found = week.seen_by(studio.coordinator)
    assert "Until tomorrow" in found
    sunday = whole_days(MONDAY - timedelta(days=1), MONDAY - timedelta(days=1))
    titles = {each.title for each in calendar.agenda(studio.coordinator, sunday, now=studio.now).events}
    assert titles == {"Until tomorrow"}
    # It stands on the first day of the list.
    days = dict(calendar.agenda(studio.coordinator, week.whole, now=studio.now).days)
    assert "Until tomorrow" in [each.title for each in days[MONDAY]]


def test_the_wall_shows_an_end_after_the_start_when_the_clocks_go_back(browse):
    with STUDIO.overridden(time_zone="America/New_York"):
        week = Week()
        day = date(2027, 11, 7)
        # Half an hour, from the first 1:45 to the second 1:15.
        session = week.request("01:45", "02:45", day=day, title="Night")
        start = session.starts_at
        span = Span(start, start + timedelta(minutes=30))
        request.edit(session, when=At(span), by=week.studio.coordinator, now=week.studio.now)
        answer = feed(browse(week.studio.coordinator), start="2027-11-07", end="2027-11-08").json()
        row = {each["id"]: each for each in answer["events"]}[session.code]
        assert (row["start"], row["end"]) == ("2027-11-07T01:45:00", "2027-11-07T02:15:00")
        assert row["extendedProps"]["seenEnd"].endswith("01:15:00-05:00")
        # Its room may change without anybody saying which of the two it is.
        other = RoomFactory()
        seen = {name: row["extendedProps"][key] for name, key in (("seen_start", "seenStart"), ("seen_end", "seenEnd"))}
        answer = browse(week.studio.coordinator).post(
            reverse("calendar-shift", args=[session.code]),
            {**seen, "from_resource": f"r-{week.studio.room.pk}", "to_resource": f"r-{other.pk}"},
            headers=MACHINE,
        )
        assert answer.status_code == 200, answer.content
        session.refresh_from_db()
        assert (session.span, session.room) == (span, other)


def test_closed_hours_come_with_the_events(browse, week):
    OpeningHours.objects.create(weekday=0, opens="08:00", closes="13:00")
    OpeningHours.objects.create(weekday=0, opens="14:00", closes="18:00")
    closed = feed(browse(week.studio.coordinator), end="2027-03-09").json()["closed"]
    assert [(each["start"][11:16], each["end"][11:16]) for each in closed] == [
        ("00:00", "08:00"),
        ("13:00", "14:00"),
        ("18:00", "00:00"),
    ]


def test_a_day_shows_its_open_hours_and_what_is_booked_beside_them(browse, week):
    def hours(day: str = "2027-03-08") -> list[int]:
        after = date.fromisoformat(day) + timedelta(days=1)
        found = feed(browse(week.studio.coordinator), start=day, end=after.isoformat()).json()["hours"]
        return [found["from"], found["to"]]

    # Nobody has said when it is open: an ordinary day.
    assert hours() == [8, 20]
    OpeningHours.objects.create(weekday=0, opens="08:30", closes="13:00")
    OpeningHours.objects.create(weekday=0, opens="14:00", closes="18:00")
    assert hours() == [8, 18]
    week.request("06:00", "07:15", title="Dawn", photographer_ids=(), room_id=None)
    assert hours() == [6, 18]
    # Over midnight: what there is of it on each day.
    week.request("22:00", "02:30", day=date(2027, 3, 10), title="Night", photographer_ids=(), room_id=None)
    assert (hours("2027-03-10"), hours("2027-03-11")) == ([8, 24], [0, 20])
    OpeningHours.objects.create(weekday=2, opens="00:00", closes="00:00")
    assert hours("2027-03-10") == [0, 24]


def test_a_day_that_differs_is_named_in_the_calendar_and_in_the_list(browse, week):
    OpeningHours.objects.create(weekday=0, opens="08:00", closes="18:00")
    OpeningException.objects.create(day=date(2027, 3, 9), note="Feriado")
    OpeningException.objects.create(day=MONDAY, opens="08:00", closes="12:00", note="Half a day")
    browser = browse(week.studio.coordinator)
    for view in ("week", "month", "list"):
        page = browser.get(PAGE, {"view": view, "date": "2027-03-08"})
        drawn = page.context["widget"]["days"]
        assert drawn["2027-03-09"] == {"words": "Tue 9 Mar 2027", "remark": "Closed: Feriado", "isClosed": True}
        assert (drawn["2027-03-08"]["remark"], drawn["2027-03-08"]["isClosed"]) == ("08:00 to 12:00: Half a day", False)
        # The holiday has its place in the list, with nothing on it.
        assert [(on.day, len(rows), remark) for on, rows, remark in page.context["days"]] == [
            (8, 4, "08:00 to 12:00: Half a day"),
            (9, 0, "Closed: Feriado"),
        ]
        assert "Closed: Feriado" in page.content.decode()
    # A month is drawn with the weeks in which it begins and ends.
    assert len(browser.get(PAGE, {"view": "month", "date": "2027-03-08"}).context["widget"]["days"]) == 35


def test_it_asks_the_same_however_much_there_is(browse, week):
    studio = week.studio

    def asked() -> list[int]:
        counts = []
        with CaptureQueriesContext(
            connection,
        ) as captured:
            calendar.agenda(studio.coordinator, week.whole, now=studio.now)
        counts.append(len(captured))
        for address in (EVENTS, PAGE):
            with CaptureQueriesContext(connection) as captured:
                query = {"start": "2027-03-08", "end": "2027-03-15", "view": "week", "date": "2027-03-08"}
                assert browse(studio.coordinator).get(address, query).status_code == 200
            counts.append(len(captured))
        return counts

    asked()
    few = asked()
    for hour in range(30):
        day = MONDAY + timedelta(days=1 + hour // 10)
        week.request(f"{8 + hour % 10:02d}:00", f"{8 + hour % 10:02d}:45", day=day, title=f"Session {hour}")
    assert asked() == few
    assert few[0] <= MOST_QUERIES


def test_of_too_much_the_first_is_shown_and_the_rest_is_said(browse, week, monkeypatch):
    monkeypatch.setattr(calendar, "MOST", 1)
    answer = feed(browse(week.studio.coordinator)).json()
    assert answer["truncated"] and "choose fewer days" in answer["message"]
    assert [each["id"] for each in answer["events"] if each["extendedProps"]["kind"] == "appointment"]
    assert week.shoot.code not in [each["id"] for each in answer["events"]]
    monkeypatch.setattr(calendar, "MOST", 3000)
    ada, days = person(Role.PHOTOGRAPHER, full_name="Ada Ruiz"), whole_days(MONDAY - timedelta(days=1), MONDAY)
    booking.block(staff_id=ada.pk, span=days, by=None, now=week.studio.now)
    assert not feed(browse(week.studio.coordinator)).json()["truncated"]
    monkeypatch.setattr(calendar, "MOST_OFF", 1)
    answer = feed(browse(week.studio.coordinator)).json()
    assert answer["truncated"] and answer["message"]
    # The first by time, not by when somebody wrote it down.
    assert [each["extendedProps"]["who"] for each in answer["events"] if each["extendedProps"]["kind"] == "off"] == [
        ["Ada Ruiz"]
    ]


# -- moving ------------------------------------------------------------------------------------------------------------


def drop(browser: Any, session: Session, **change: str) -> Any:
    """As the widget sends it: what it was drawn from goes along."""
    seen = {"seen_start": session.starts_at.isoformat(), "seen_end": session.ends_at.isoformat()}
    return browser.post(reverse("calendar-shift", args=[session.code]), {**seen, **change}, headers=MACHINE)


def test_time_room_and_person_change_in_one_act(browse, week):
    studio = week.studio
    newcomer, room = person(Role.PHOTOGRAPHER, full_name="Diego Fuentes"), RoomFactory()
    wider = week.shoot.span.widened(timedelta(hours=1))
    first = week.shoot.assignments.get()
    people.change_coverage(week.shoot, assignment_id=first.pk, coverage=wider, by=studio.coordinator, now=studio.now)
    # Whoever leaves is busy at the new time: that is no reason against it.
    booking.block(
        staff_id=studio.photographer.pk,
        span=Span(at("2027-03-09", "08:00"), at("2027-03-09", "20:00")),
        by=None,
        now=studio.now,
    )
    answer = browse(studio.coordinator).post(
        reverse("calendar-shift", args=[week.shoot.code]),
        {
            "seen_start": week.shoot.starts_at.isoformat(),
            "seen_end": week.shoot.ends_at.isoformat(),
            "session_date": "2027-03-09",
            "start_time": "10:00",
            "end_time": "12:00",
            "room": room.pk,
            f"person_{studio.photographer.pk}": newcomer.pk,
        },
        headers=MACHINE,
    )
    assert answer.status_code == 200, answer.content
    assert "Tuesday 9 March 2027, 10:00 to 12:00" in answer.json()["message"]
    week.shoot.refresh_from_db()
    assert week.shoot.span == Span(at("2027-03-09", "10:00"), at("2027-03-09", "12:00"))
    (row,) = people.current(week.shoot)
    # An hour on the way, as before, and the lead goes on.
    assert (row.staff, row.is_lead_photographer) == (newcomer, True)
    assert row.span == Span(at("2027-03-09", "09:00"), at("2027-03-09", "12:00"))
    held = RoomReservation.objects.holding().get(session=week.shoot)
    assert (held.room, held.span.start, week.shoot.room) == (room, week.shoot.starts_at, room)
    assert Session.objects.visible_to(newcomer).filter(pk=week.shoot.pk).exists()
    assert not Session.objects.visible_to(studio.photographer).filter(pk=week.shoot.pk).exists()
    told = set(
        Notice.objects.filter(recipient__in=[newcomer, studio.photographer]).values_list("recipient_id", flat=True)
    )
    assert told == {newcomer.pk, studio.photographer.pk}


def test_one_refusal_leaves_everything_as_it_was(week):
    studio = week.studio
    taken = week.request("10:00", "12:00", day=MONDAY + timedelta(days=1), title="In the way", photographer_ids=())
    newcomer = person(Role.PHOTOGRAPHER)
    before = StaffReservation.objects.count(), Notice.objects.count()
    span = Span(at("2027-03-09", "11:00"), at("2027-03-09", "13:00"))
    act = {"seen": week.shoot.span, "by": studio.coordinator, "now": studio.now}
    with pytest.raises(RoomNotAvailable) as refused:
        shift.shift(week.shoot, to=shift.Shift(span=span, instead={studio.photographer.pk: newcomer.pk}), **act)
    assert taken.code in refused.value.message
    with pytest.raises(PhotographerNotAvailable):
        shift.shift(week.shoot, to=shift.Shift(instead={studio.photographer.pk: week.other.pk}), **act)
    week.shoot.refresh_from_db()
    assert week.shoot.span == Span(at(MONDAY, "14:00"), at(MONDAY, "16:30"))
    (row,) = people.current(week.shoot)
    assert (row.staff, row.released_at, row.is_lead_photographer) == (studio.photographer, None, True)
    assert (StaffReservation.objects.count(), Notice.objects.count()) == before


def test_an_old_calendar_takes_nobodys_change_back(browse, week):
    studio = week.studio
    old = Session.objects.get(pk=week.shoot.pk)
    browser = browse(studio.coordinator)
    assert drop(browser, old, start="2027-03-08T15:00", end="2027-03-08T17:30").status_code == 200
    answer = drop(browser, old, start="2027-03-08T09:00", end="2027-03-08T11:30")
    assert (answer.status_code, answer.json()["details"]["failed"]) == (409, ["moved_meanwhile"])
    assert "8 Mar 2027 15:00" in answer.json()["message"].replace("\xa0", " ")
    week.shoot.refresh_from_db()
    assert week.shoot.starts_at == at(MONDAY, "15:00")
    # The form comes back as it was typed, and has seen by then what is true.
    seen = {"seen_start": old.starts_at.isoformat(), "seen_end": old.ends_at.isoformat()}
    typed = {"session_date": "2027-03-08", "start_time": "09:00", "end_time": "11:30", "room": studio.room.pk}
    page = browser.post(reverse("calendar-shift", args=[old.code]), {**seen, **typed})
    assert page.status_code == 409
    assert week.shoot.starts_at.isoformat() in page.content.decode()
    assert "09:00" in page.content.decode()
    # Who had the old room before them changes the time, and leaves the room to who gave it.
    second, third = RoomFactory(), RoomFactory()
    people.give_room(week.shoot, room_id=second.pk, by=studio.coordinator, now=studio.now)
    week.shoot.refresh_from_db()
    now_seen = {"seen_start": week.shoot.starts_at.isoformat(), "seen_end": week.shoot.ends_at.isoformat()}
    typed |= {**now_seen, "start_time": "09:30", "end_time": "12:00", "seen_room": studio.room.pk}
    address = reverse("calendar-shift", args=[old.code])
    assert browser.post(address, typed, headers=MACHINE).status_code == 200
    week.shoot.refresh_from_db()
    assert (week.shoot.room, week.shoot.starts_at) == (second, at(MONDAY, "09:30"))
    answer = drop(browser, week.shoot, from_resource=f"r-{studio.room.pk}", to_resource=f"r-{third.pk}")
    assert (answer.status_code, answer.json()["details"]["failed"]) == (409, ["moved_meanwhile"])
    # The photographer went meanwhile: whoever drags their line is told.
    people.reassign(
        week.shoot,
        assignment_id=week.shoot.assignments.get().pk,
        photographer_id=person(Role.PHOTOGRAPHER).pk,
        by=studio.coordinator,
        now=studio.now,
    )
    own = f"p-{studio.photographer.pk}"
    answer = drop(browser, week.shoot, from_resource=own, to_resource=f"p-{week.other.pk}")
    assert answer.status_code == 422
    assert "not on the session any more" in answer.json()["message"]


def test_a_drag_is_as_long_as_the_setting_allows(browse, week):
    with STUDIO.overridden(max_session_hours=3):
        answer = drop(browse(week.studio.coordinator), week.shoot, end="2027-03-08T17:30")
    assert (answer.status_code, answer.json()["message"]) == (422, "A session lasts 3 hours at most.")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"start": "2027-03-08T17:00", "end": "2027-03-08T15:00"}, 422),
        ({"start": "2027-03-08T17:00", "end": "2027-03-08T17:00"}, 422),
        ({"start": "2027-03-08T10:00", "end": "2027-03-09T10:30"}, 422),
        ({"start": "soon"}, 422),
        ({"start": "2020-03-08T10:00", "end": "2020-03-08T12:00"}, 422),
        ({"to_resource": "none", "from_resource": "r-1"}, 422),
        ({"to_resource": "p-1", "from_resource": "r-1"}, 422),
        ({"to_resource": "r-999999999999999999"}, 422),
        ({"to_resource": "x"}, 422),
        ({"seen_start": ""}, 422),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(browse, week, change, status):
    answer = drop(browse(week.studio.coordinator), week.shoot, **change)
    assert answer.status_code == status
    assert answer.json()["message"]
    unchanged = Session.objects.get(pk=week.shoot.pk)
    assert (unchanged.span, unchanged.room) == (week.shoot.span, week.studio.room)


def test_only_who_may_moves_it(browse, week):
    studio = week.studio
    later = {"start": "2027-03-08T17:00", "end": "2027-03-08T19:30"}
    answers = {
        name: drop(browse(user), week.shoot, **later).status_code
        for name, user in {
            "on it": studio.photographer,
            "not on it": week.other,
            "artist": week.artist,
            "editor": studio.editor,
        }.items()
    }
    assert answers == {"on it": 403, "not on it": 404, "artist": 404, "editor": 404}
    # Once it is assigned its time is fixed; who comes may still change.
    walk = studio.walk(workflow.ASSIGNED, when=studio.when(days=30))
    locked = Session.objects.get(pk=walk.session.pk)
    (event,) = calendar.agenda(studio.coordinator, locked.span, now=walk.now).events
    assert (event.may_move, event.may_give) == (False, True)
    assert event.fixed == "A session that is assigned cannot be changed any more."
    refused = drop(browse(studio.coordinator), locked, end=(locked.ends_at + timedelta(hours=1)).isoformat())
    assert (refused.status_code, refused.json()["code"]) == (422, "IMMUTABLE_SESSION")
    form = browse(studio.coordinator).get(reverse("calendar-shift", args=[locked.code])).content.decode()
    assert "session_date" not in form
    assert f"person_{studio.photographer.pk}" in form
    newcomer = person(Role.PHOTOGRAPHER)
    own = f"p-{studio.photographer.pk}"
    moved = drop(browse(studio.coordinator), locked, from_resource=own, to_resource=f"p-{newcomer.pk}")
    assert moved.status_code == 200, moved.content
    assert [row.staff for row in people.current(locked)] == [newcomer]


def test_an_artist_moves_their_own_appointment_and_gives_it_to_nobody(browse, week):
    browser = browse(week.artist)
    other = person(Role.ARTIST)
    answer = drop(browser, week.tattoo, end="2027-03-08T13:00")
    assert answer.status_code == 200, answer.content
    week.tattoo.refresh_from_db()
    assert week.tattoo.span == Span(at(MONDAY, "10:00"), at(MONDAY, "13:00"))
    give = {"from_resource": f"p-{week.artist.pk}", "to_resource": f"p-{other.pk}"}
    assert drop(browser, week.tattoo, **give).status_code == 403
    assert drop(browse(week.studio.coordinator), week.tattoo, **give).status_code == 200
    assert week.tattoo.artist == other
    room = {"to_resource": f"r-{week.studio.room.pk}"}
    assert drop(browse(week.studio.coordinator), week.tattoo, **room).status_code == 422
    # The form of an appointment is its own.
    answer = browse(week.studio.coordinator).get(reverse("calendar-shift", args=[week.tattoo.code]))
    assert answer.url.startswith(reverse("appointment-edit", args=[week.tattoo.code]))


def test_somebody_and_a_room_come_to_a_session_that_has_nobody(browse, week):
    bare = week.request("08:00", "09:00", title="Bare", room_id=None, photographer_ids=())
    browser = browse(week.studio.coordinator)
    OpeningHours.objects.create(weekday=0, opens="09:00", closes="18:00")
    rows = {each["id"]: each for each in feed(browser).json()["events"]}
    assert rows[bare.code]["resourceIds"] == ["none"]
    assert drop(browser, bare, from_resource="none", to_resource=f"r-{week.studio.room.pk}").status_code == 200
    answer = drop(browser, bare, from_resource="none", to_resource=f"p-{week.studio.photographer.pk}")
    assert answer.status_code == 200, answer.content
    # It is done, and said to lie outside the hours.
    assert "outside the opening hours" in answer.json()["message"]
    (row,) = people.current(bare)
    assert row.span == bare.span


def test_a_client_who_was_told_the_time_is_to_be_told_the_other_one(browse, week):
    words = "The client is not written to about it: tell them."
    studio = week.studio
    browser = browse(studio.coordinator)
    assert words not in drop(browser, week.shoot, end="2027-03-08T17:00").json()["message"]
    walk = studio.walk(workflow.CONFIRMED, when=studio.when(days=30))
    session = Session.objects.get(pk=walk.session.pk)
    assert words in browser.get(reverse("calendar-shift", args=[session.code])).content.decode()
    assert words in browser.get(reverse("session-edit", args=[session.code])).content.decode()
    later = session.ends_at + timedelta(hours=1)
    assert words in drop(browser, session, end=later.isoformat()).json()["message"]
    session.refresh_from_db()
    # Who comes is the studio's own affair.
    assert words not in drop(browser, session, to_resource=f"p-{week.other.pk}").json()["message"]
    typed = {
        "session_type": session.session_type,
        "session_date": session.session_date,
        "start_time": session.start_time.strftime("%H:%M"),
        "end_time": (session.local_end + timedelta(hours=1)).strftime("%H:%M"),
    }
    answer = browser.post(reverse("session-edit", args=[session.code]), typed, headers=MACHINE)
    assert words in answer.json()["message"]
    assert (
        words
        not in browser.post(reverse("session-edit", args=[session.code]), typed, headers=MACHINE).json()["message"]
    )


def test_what_is_over_stays_where_it_is(browse, week):
    studio = week.studio
    week.shoot.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")
    event = week.seen_by(studio.coordinator, status=workflow.CANCELED)[SHOOT]
    assert (event.may_move, event.may_give, event.move_url) == (False, False, "")
    own = {"from_resource": f"p-{studio.photographer.pk}", "to_resource": f"p-{week.other.pk}"}
    for change in ({"start": "2027-03-09T10:00", "end": "2027-03-09T12:00"}, own):
        answer = drop(browse(studio.coordinator), week.shoot, **change)
        assert (answer.status_code, answer.json()["code"]) == (422, "IMMUTABLE_SESSION")
    assert browse(studio.coordinator).get(reverse("calendar-shift", args=[week.shoot.code])).status_code == 422
