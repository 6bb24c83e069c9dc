""" "Can we serve this client?": the answer by examples, what it comes to, and the page (screens; business rules 3)."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from scheduling import booking
from scheduling.models import OpeningException, OpeningHours, Room
from scheduling.slots import Span, whole_days
from sessions_app import serving, terms, workflow
from sessions_app.actions import people, serve
from sessions_app.actions.hold import extend
from sessions_app.actions.time_off import block
from sessions_app.alternatives import Proposal, Sacrifice, select
from sessions_app.editing_load import Desk, Waiting
from sessions_app.feasibility import MOST_DAYS, Answer, Wish, answer
from sessions_app.forms.serve import DurationField, Question, WishForm, opened, sealed
from sessions_app.models import Client, Session
from studio.conf import STUDIO
from studio.errors import InvalidInput, PhotographerNotAvailable
from studio.models import User
from studio.roles import Role
from tests.factories.domain import PackageFactory, RoomFactory, Studio, at, person

pytestmark = pytest.mark.django_db

SATURDAY = date(2026, 3, 14)
HOUR = timedelta(hours=1)
PAGE, HOLD, QUOTE = (reverse(f"feasibility{name}") for name in ("", "-hold", "-quote"))
JSON = {"accept": "application/json"}


class House(Studio):
    """Three photographers, two rooms, hours from 9 to 19 but on Sundays; today is Monday 2 March 2026, 10:00."""

    def __init__(self) -> None:
        super().__init__(
            photographer=person(Role.PHOTOGRAPHER, full_name="Ana"), room=RoomFactory(code="A", name="Studio A")
        )
        self.ana = self.photographer
        self.diego = person(Role.PHOTOGRAPHER, full_name="Diego")
        self.lucia = person(Role.PHOTOGRAPHER, full_name="Lucía")
        self.second: Room = RoomFactory(code="B", name="Studio B")
        OpeningHours.objects.bulk_create(OpeningHours(weekday=day, opens=time(9), closes=time(19)) for day in range(6))

    def wish(self, **values: object) -> Wish:
        values.setdefault("session_type", workflow.STUDIO_SESSION)
        day = values.pop("day", SATURDAY)
        values = {"first_day": day, "last_day": day, "start_time": time(15), "duration": 2 * HOUR} | values
        return Wish(**values)

    def ask(self, **values: object) -> Answer:
        return answer(self.wish(**values), now=self.now)

    def out_of_the_house(self, who: User, *, start: str, end: str, way: int) -> Session:
        """Somebody out of the house, with the way there and back in their coverage."""
        session = self.busy(start=start, end=end, session_type="External")
        coverage = session.span.widened(timedelta(minutes=way), timedelta(minutes=way))
        assign = {"photographer_id": who.pk, "coverage": coverage, "by": self.coordinator, "now": self.now}
        people.assign_photographer(session, **assign)
        return session

    def busy(self, *people: User, start: str = "14:00", end: str = "16:30", day: date = SATURDAY, **values) -> Session:
        when = self.when((day - self.today).days, start, end)
        return self.request(when=when, photographer_ids=tuple(each.pk for each in people), **values)


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def instants(span: Span) -> list[datetime]:
    """In UTC: in the hour that comes twice, clocks of two zones are never equal."""
    return [span.start.astimezone(UTC), span.end.astimezone(UTC)]


def rows(given: Answer) -> list[serving.Row]:
    count = len(given.alternatives)
    return serving.alternatives(given, [""] * count, [0] * count)


def names(offer) -> list[str]:
    return [each.name for each in offer.people]


# -- the verdict -------------------------------------------------------------------------------------------------------


def test_a_free_saturday_is_offered_with_people_and_room_by_name(house):
    given = house.ask(photographers=2)
    assert given.is_possible and given.alternatives == []
    assert (names(given.best), given.best.room.name) == (["Ana", "Diego"], "Studio A")
    assert given.best.span == Span(at(SATURDAY, "15:00"), at(SATURDAY, "17:00"))
    assert [each.name for each in given.look.free] == ["Ana", "Diego", "Lucía"]
    shown = serving.verdict(given, None)
    assert (shown.kind, shown.title) == ("yes", "Yes: Saturday 14 March, 15:00 to 17:00")


def test_a_taken_saturday_says_by_whom_and_ranks_what_the_client_gives_up(house):
    wedding = house.busy(house.diego, house.lucia, session_type="External", event_description="Boda Méndez")
    given = house.ask(photographers=2)
    assert not given.is_possible
    shown = serving.verdict(given, None)
    assert shown.title == "Not like this: a photographer is missing"
    assert "Ana is free." in shown.text
    # The words of booking, to the letter.
    with pytest.raises(PhotographerNotAvailable) as refused:
        house.busy(house.diego, start="15:00", end="17:00")
    assert refused.value.message in shown.why
    assert (
        f"Boda Méndez ({wedding.code}), Sat 14 Mar 14:00 to 16:30 (hold until 9\xa0Mar\xa023:59)"
        in refused.value.message
    )
    [diego, _lucia] = [each for each in serving.people(given) if not each.is_free]
    assert diego.taken[0].text == "Boda Méndez, Sat 14 Mar 14:00 to 16:30: held until 9\xa0Mar\xa023:59"
    assert len(given.alternatives) >= 5
    gives = [row.gives for row in rows(given)]
    assert "1\xa0h 30\xa0min later" in gives and "one day earlier" in gives
    assert "one photographer" in gives and "a week later, the same weekday" in gives
    # Two of the three come for the whole of it, the third from when the wedding is over.
    assert not any("joins" in row.whom for row in rows(given)), "less than half of it would be left"
    longer = rows(house.ask(photographers=2, duration=4 * HOUR))
    assert "with Ana; Diego joins at 16:30; Studio A" in [row.whom for row in longer]
    assert "one photographer for 1\xa0h 30\xa0min of it" in [row.gives for row in longer]


def test_wishes_for_somebody_and_a_room_are_what_is_given_up_first(house):
    house.busy(house.diego, room_id=house.room.pk)
    given = house.ask(people=(house.diego.pk,), room=house.room.pk)
    assert serving.verdict(given, None).title == "Not like this: Diego is busy"
    assert [(row.gives, row.whom) for row in rows(given)[:2]] == [
        ("1\xa0h 30\xa0min later", "with Diego; Studio A"),
        ("Ana instead of Diego; Studio B instead of the wished room", "with Ana; Studio B"),
    ]
    assert serving.verdict(house.ask(room=house.room.pk), None).title == "Not like this: the wished room is not free"
    house.busy(room_id=house.second.pk)
    assert serving.verdict(house.ask(), None).title == "Not like this: no room is free"
    assert house.ask(session_type="External").is_possible


def test_who_is_wished_for_leads_and_the_others_follow_by_their_month(house):
    """Of those who are free the least loaded comes first; the reason is said."""
    house.busy(house.ana, day=SATURDAY - timedelta(days=1))
    house.busy(house.diego, day=SATURDAY - timedelta(days=2), end="14:30")
    given = house.ask(photographers=2)
    assert names(given.best) == ["Lucía", "Diego"]
    assert [serving.load_of(each, given.best.span.start) for each in given.look.free] == [
        "nothing yet in March",
        "30\xa0min in March, in 1 session",
        "2\xa0h 30\xa0min in March, in 1 session",
    ]
    assert names(house.ask(photographers=2, people=(house.ana.pk,)).best) == ["Ana", "Lucía"]
    # Another month is another count.
    assert names(house.ask(day=date(2026, 4, 11), photographers=2).best) == ["Ana", "Diego"]


def test_who_has_no_time_for_the_way_is_proposed_last(house):
    house.busy(house.ana, start="13:00", end="14:50", session_type="External")
    house.busy(house.diego, start="17:00", end="18:00")
    house.busy(house.lucia, start="11:00", end="13:30", session_type="External")
    house.busy(house.diego, day=SATURDAY - timedelta(days=1), end="23:00")
    given = house.ask()
    assert [each.name for each in given.look.free] == ["Lucía", "Diego", "Ana"]
    assert serving.load_of(given.look.free[-1], given.best.span.start).endswith(
        "only 10\xa0min on the way from the session before"
    )
    # With the way in the coverage there is enough.
    outside = house.ask(session_type="External", travel=timedelta(minutes=30))
    assert "Ana" not in [each.name for each in outside.look.free]


def test_the_way_counts_for_people_and_the_turnaround_for_rooms(house):
    house.busy(house.ana, house.diego, house.lucia, start="17:30", end="18:30", room_id=house.room.pk)
    assert house.ask(session_type="External", travel=timedelta(minutes=30)).is_possible
    given = house.ask(session_type="External", travel=timedelta(minutes=31))
    assert not given.is_possible
    assert given.look.coverage == Span(at(SATURDAY, "14:29"), at(SATURDAY, "17:31"))
    with STUDIO.overridden(room_turnaround_minutes=45):
        assert not house.ask(room=house.room.pk).is_possible


def test_time_off_and_closures_are_in_the_way_without_their_reasons(house):
    off = whole_days(SATURDAY, SATURDAY)
    for one in (house.ana, house.diego, house.lucia):
        block(one, span=off, by=one, now=house.now, notes="private")
    booking.close_room(room_id=house.room.pk, span=off, by=None, now=house.now, notes="Painting")
    given = house.ask()
    said = " ".join(serving.verdict(given, None).why)
    assert "Ana is busy: time off" in said and "private" not in said
    assert [each.text for each in serving.rooms(given) if not each.is_free] == [
        "Studio A is taken: closed: Painting, all of Sat 14 Mar."
    ]


# -- days and hours ----------------------------------------------------------------------------------------------------


def test_outside_the_hours_is_a_yes_with_a_warning_and_proposals_lie_inside(house):
    sunday = house.ask(day=SATURDAY + timedelta(days=1))
    assert sunday.is_possible and sunday.best.is_outside
    shown = serving.verdict(sunday, None)
    assert shown.kind == "partly" and shown.why == ["That is outside the opening hours (Sun 15 Mar closed)."]
    OpeningException.objects.create(day=SATURDAY, note="Holiday")
    assert serving.verdict(house.ask(), None).why == ["That is outside the opening hours (Sat 14 Mar closed: Holiday)."]
    # Where only the hours are odd, what lies within them is proposed beside it.
    assert len(sunday.alternatives) >= 5 and not any(each.offer.is_outside for each in sunday.alternatives)
    weekend = house.ask(first_day=SATURDAY + timedelta(days=1), last_day=SATURDAY + timedelta(days=2))
    assert [each.day.day for each in weekend.offers] == [16, 15]
    house.busy(house.ana, house.diego, house.lucia, day=SATURDAY + timedelta(days=2), start="09:00", end="19:00")
    given = house.ask(day=SATURDAY + timedelta(days=2))
    assert given.alternatives and not any(each.offer.is_outside for each in given.alternatives)


def test_any_hour_of_a_day_lists_its_times_and_a_range_its_days(house):
    house.busy(house.ana, house.diego, house.lucia, start="09:00", end="13:00")
    day = house.ask(start_time=None)
    assert [f"{each.span.start:%H:%M}" for each in day.offers] == ["13:00", "14:00", "15:00", "16:00", "17:00"]
    assert day.offers_in_all == 9
    week = house.ask(last_day=SATURDAY + timedelta(days=4), first_day=SATURDAY, start_time=None)
    assert [each.day.day for each in week.offers] == [14, 16, 17, 18]
    closed = house.ask(day=SATURDAY + timedelta(days=1), start_time=None)
    assert closed.impossible.message == "The studio is closed on these days."
    # Five proposals, not one of them five times.
    assert len({(each.offer.day, each.sacrifice.kind) for each in closed.alternatives}) >= 5
    late = answer(house.wish(day=house.today, start_time=None), now=at(house.today, "18:30"))
    assert late.impossible.message == "Nothing is left of this day." and len(late.alternatives) >= 5


def test_what_is_longer_than_the_hours_begins_within_them(house):
    given = house.ask(start_time=None, duration=12 * HOUR)
    assert given.is_possible and all(each.is_outside for each in given.offers)
    assert serving.verdict(given, None).kind == "partly"


def test_hours_over_midnight_are_one_stretch(house):
    OpeningHours.objects.all().delete()
    OpeningHours.objects.bulk_create(
        OpeningHours(weekday=day, opens=opens, closes=closes)
        for day in range(7)
        for opens, closes in ((time(18), time(0)), (time(0), time(3)))
    )
    given = house.ask(start_time=None, duration=4 * HOUR)
    starts = [f"{each.span.start:%H:%M}" for each in given.offers]
    assert starts == ["00:00", "18:00", "19:00", "20:00", "21:00", "22:00", "23:00"] or "22:00" in starts
    assert not any(each.is_outside for each in given.offers)
    assert not house.ask(start_time=time(22), duration=4 * HOUR).best.is_outside


def test_one_holiday_does_not_open_the_nights(house):
    OpeningHours.objects.all().delete()
    OpeningException.objects.create(day=SATURDAY + timedelta(days=1), note="Holiday")
    given = house.ask(start_time=None)
    assert f"{given.best.span.start:%H:%M}" == "08:00"


def test_more_photographers_than_there_are_are_given_up_everywhere(house):
    house.busy(house.ana)
    given = house.ask(photographers=6)
    assert "The studio has 3 photographers." in serving.verdict(given, None).why
    assert len(given.alternatives) >= 5
    assert {each.sacrifice.missing for each in given.alternatives} <= {3, 4}


def test_a_range_from_the_past_on_begins_today(house):
    given = house.ask(first_day=date(2025, 12, 20), last_day=date(2026, 3, 7))
    assert given.is_possible and given.capped_at is None and given.best.day == house.today


def test_an_external_session_without_its_place_says_so(house):
    given = house.ask(session_type="External")
    assert "Say the place, and the way there, before it is held." in serving.verdict(given, None).why
    assert serving.verdict(house.ask(session_type="External", location="Antigua"), None).kind == "yes"
    house.busy(house.ana, house.diego, house.lucia)
    refused = serving.verdict(house.ask(session_type="External"), None)
    assert refused.kind == "no" and "Say the place, and the way there, before it is held." in refused.why


def test_a_neighbours_own_way_counts(house):
    """Who has an hour of way home in their coverage is in time for what comes right after it."""
    there = house.out_of_the_house(house.ana, start="10:00", end="12:00", way=60)
    assert there.assignments.get().ends_at == at(SATURDAY, "13:00")
    free = house.ask(start_time=time(13)).look.free
    assert next(each for each in free if each.name == "Ana").gets_there


def test_a_year_is_capped_with_a_message_and_the_past_is_refused_by_the_date_rule(house):
    year = house.ask(last_day=SATURDAY + timedelta(days=364))
    assert year.capped_at == SATURDAY + timedelta(days=MOST_DAYS - 1)
    assert any("Only the first 60 days were looked at" in each for each in serving.verdict(year, None).why)
    past = house.ask(day=date(2026, 2, 28))
    assert past.impossible.code == "INVALID_SESSION_DATE" and len(past.alternatives) >= 5
    assert all(each.offer.span.start > house.now for each in past.alternatives)
    today = house.ask(day=house.today, start_time=time(10))
    assert today.impossible.code == "INVALID_SESSION_DATE"
    assert rows(today)[0].gives == "30\xa0min later"


def test_past_midnight_and_a_minute_before_it(house):
    late = house.ask(start_time=time(23, 59), duration=3 * HOUR)
    assert serving.in_words(late.best) == "Saturday 14 March, 23:59 to 02:59 of the next day"
    house.busy(house.ana, house.diego, house.lucia, day=SATURDAY + timedelta(days=1), start="02:58", end="04:00")
    assert not house.ask(start_time=time(23, 59), duration=3 * HOUR).is_possible
    assert house.ask(start_time=time(23, 59), duration=timedelta(hours=2, minutes=59)).is_possible


@pytest.mark.parametrize(
    ("zone", "day", "skipped", "repeated_day", "repeated"),
    [
        ("Europe/Madrid", date(2026, 3, 29), time(2, 30), date(2026, 10, 25), time(2, 30)),
        ("America/New_York", date(2026, 3, 8), time(2, 30), date(2026, 11, 1), time(1, 30)),
        ("America/Santiago", date(2026, 9, 6), time(0, 30), date(2026, 4, 4), time(23, 30)),
        ("America/Havana", date(2026, 3, 8), time(0, 30), date(2026, 11, 1), time(0, 30)),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), date(2026, 4, 5), time(1, 45)),
    ],
)
def test_five_zones_when_the_clocks_change(house, zone, day, skipped, repeated_day, repeated):
    """D1, D2: a time that the clocks skip is none; over a change hours are hours that pass, and they can be booked."""
    OpeningHours.objects.all().delete()
    with STUDIO.overridden(time_zone=zone):
        given = house.ask(day=day, start_time=skipped)
        assert given.impossible.message == "This date and time do not exist in the studio's time zone."
        assert len(given.alternatives) >= 5
        for asked, on in ((time(23), day - timedelta(days=1)), (repeated, repeated_day)):
            best = house.ask(day=on, start_time=asked, duration=5 * HOUR).best
            assert best.span.duration == 5 * HOUR and best.span.start.astimezone(ZoneInfo(zone)).time() == asked
            session = serve.hold(
                opened(sealed(best, Question(house.wish(), (), Decimal(0)))),
                client=house.client,
                by=house.coordinator,
                now=house.now,
            )
            assert instants(session.span) == instants(best.span)
            assert not house.ask(day=on, start_time=asked, duration=5 * HOUR, people=(house.ana.pk,)).is_possible
            session.cancel(by=house.coordinator, now=house.now, reason="x", initiator="client")


# -- what it comes to --------------------------------------------------------------------------------------------------


def test_terms_are_what_the_acts_write(house):
    package = PackageFactory(base_price=Decimal("900.00"), estimated_editing_days=9)
    given = house.ask(session_type="External", location="Antigua", photographers=2)
    price = terms.price_of([package.pk], transportation_cost=Decimal("200.00"))
    desk = terms.desk(until=SATURDAY, now=house.now)
    told = terms.terms(given.best.span.start, price=price, desk=desk, now=house.now)
    question = Question(given.wish, (package.pk,), Decimal("200.00"))
    session = serve.quote(
        opened(sealed(given.best, question)), client=house.client, by=house.coordinator, now=house.now
    )
    assert session.status == workflow.NEGOTIATION
    assert (told.price.total, told.price.discount) == (session.total, session.discount) == (1100, 100)
    assert told.held_until == session.held_until
    session.preschedule(by=house.coordinator, now=house.now)
    assert (told.deposit, told.payment_deadline) == (session.deposit_amount, session.payment_deadline)
    from sessions_app.effects import Deposit

    deposit = Deposit(amount=told.deposit, method="Cash", document_number="1")
    session.confirm(by=house.coordinator, now=house.now, deposit=deposit)
    assert told.changes_deadline == session.changes_deadline
    assert told.promised == SATURDAY + timedelta(days=session.estimated_editing_days) == date(2026, 3, 23)
    assert told.days_late == 0
    with pytest.raises(InvalidInput, match="a quote needs a package"):
        serve.quote(
            opened(sealed(house.ask().best, Question(house.wish(), (), Decimal(0)))),
            client=house.client,
            by=house.coordinator,
            now=house.now,
        )


def test_a_promise_that_the_editors_cannot_keep_is_flagged(house):
    """Each edits so many at once; who was shot before goes first."""
    day = date(2026, 3, 14)
    free = Desk(1)
    assert free.delivers(day, 5, today=house.today) == date(2026, 3, 19)
    assert Desk(None).delivers(day, 5, today=house.today) == date(2026, 3, 19)
    assert Desk(0).delivers(day, 5, today=house.today) is None
    assert Desk(1, until=(date(2026, 3, 16),)).delivers(day, 5, today=house.today) == date(2026, 3, 21)
    # Late already: at the earliest today.
    assert Desk(1, until=(date(2026, 2, 1),)).delivers(house.today, 5, today=house.today) == date(2026, 3, 7)
    waiting = (Waiting(date(2026, 3, 10), 5), Waiting(date(2026, 3, 12), 5), Waiting(date(2026, 3, 15), 5))
    assert Desk(1, waiting=waiting).delivers(day, 5, today=house.today) == date(2026, 3, 25)
    assert Desk(2, waiting=waiting).delivers(day, 5, today=house.today) == date(2026, 3, 20)
    # Somebody has more than the limit: the first to be done frees nothing.
    over = Desk(1, until=(date(2026, 3, 15), date(2026, 3, 18)))
    assert over.delivers(day, 5, today=house.today) == date(2026, 3, 23)


def test_the_desk_counts_what_is_there_and_what_will_be_shot(house):
    house.walk(workflow.IN_EDITING)
    house.walk(workflow.CONFIRMED, when=house.when(8, "09:00", "10:00"))
    house.walk(workflow.CONFIRMED, when=house.when(40, "09:00", "10:00"))
    house.walk(workflow.NEGOTIATION, when=house.when(9, "09:00", "10:00"))
    with STUDIO.overridden(max_concurrent_editing_sessions=1):
        desk = terms.desk(until=SATURDAY, now=house.now)
    assert (desk.places, len(desk.until), desk.waiting) == (1, 1, (Waiting(date(2026, 3, 10), 5),))
    with STUDIO.overridden(max_concurrent_editing_sessions=0):
        assert terms.desk(until=SATURDAY, now=house.now).places is None


# -- ranking, pure -----------------------------------------------------------------------------------------------------


def test_proposals_differ_from_each_other_and_are_at_least_five():
    hours = [Proposal(n, SATURDAY, n * 30, Sacrifice(shift=timedelta(minutes=30 * n))) for n in range(1, 9)]
    days = [Proposal(10 + n, SATURDAY + timedelta(days=n), 5000 * n, Sacrifice(days=n)) for n in range(1, 9)]
    chosen = select([*days, *hours], apart=60)
    assert [each.sacrifice.kind for each in chosen] == ["hour", "hour", "hour", "day", "day", "day"]
    assert [each.key for each in chosen[:3]] == [1, 3, 5]
    # The same weekday of the next week asks less than the day after the day after tomorrow.
    assert [each.sacrifice.days for each in chosen[3:]] == [1, 2, 7]
    assert len(select(hours, apart=60)) == 5 and len(select(hours[:2], apart=60)) == 2
    assert select([], apart=60) == []


# -- the page ----------------------------------------------------------------------------------------------------------


def question(**values: object) -> dict[str, object]:
    return {
        "session_type": "Studio",
        "first_day": (timezone.localdate(timezone=STUDIO.zone) + timedelta(days=30)).isoformat(),
        "start_time": "15:00",
        "duration": "2 h",
        "photographers": 1,
    } | values


def tokens(body: str) -> list[str]:
    return re.findall(r'name="offer" value="([^"]+)" formaction="[^"]*hold', body)


def test_from_the_phone_to_a_held_request(house):
    """The question, the answer, and the alternative held for a client of the book; the same once more is refused."""
    office = browser(house.coordinator)
    body = office.get(PAGE, question()).content.decode()
    token = tokens(body)[0]
    typed = {"offer": token, "client": house.client.pk, "event_description": "Maternity"}
    answer_ = office.post(f"{HOLD}?first_day=2026-12-01", typed)
    session = Session.objects.get()
    assert answer_.status_code == 302 and answer_["location"] == session.get_absolute_url()
    assert (session.status, session.event_description) == (workflow.REQUEST, "Maternity")
    assert session.held_until is not None and session.room.name == "Studio A"
    # Somebody else was quicker: refused in words, nothing typed is lost, nothing is written.
    late = office.post(f"{HOLD}?first_day=2026-12-01", typed)
    assert (
        late.status_code == 409 and "is busy" in late.content.decode() and 'value="Maternity"' in late.content.decode()
    )
    assert Session.objects.count() == 1
    machine = office.post(HOLD, typed, headers=JSON)
    assert (machine.status_code, machine.json()["code"]) == (409, "PHOTOGRAPHER_NOT_AVAILABLE")


def test_a_new_client_and_a_quote_in_one_act(house):
    package = PackageFactory()
    office = browser(house.coordinator)
    body = office.get(PAGE, question(packages=package.pk)).content.decode()
    token = tokens(body)[0]
    who = {"full_name": "Rosa Méndez", "primary_phone": "5555-1234", "email": "rosa@example.test"}
    answer_ = office.post(QUOTE, {"offer": token, **who})
    session = Session.objects.get()
    assert answer_["location"] == reverse("session-lines", args=[session.code])
    assert (session.status, session.total, session.client.full_name) == ("Negotiation", 1000, "Rosa Méndez")
    assert session.lines.count() == 2


def test_enter_in_a_field_finds_the_client_and_keeps_the_question(house):
    office = browser(house.coordinator)
    asked = question()
    typed = {"find": "true", "client_search": house.client.full_name, "event_description": "Maternity"}
    found = office.post(f"{HOLD}?{urlencode(asked)}", typed)
    body = found.content.decode()
    assert found.status_code == 200 and Session.objects.count() == 0
    assert f'id="client_{house.client.pk}"' in body and 'value="Maternity"' in body and tokens(body)
    # The address of a refusal, opened later, is the question.
    again = office.get(HOLD, asked)
    assert (again.status_code, again["location"]) == (302, f"{PAGE}?{urlencode(asked)}")
    # Whom it is for stays when the question is asked again.
    assert f'name="client" value="{house.client.pk}"' in office.get(PAGE, {"client": house.client.pk}).content.decode()


@pytest.mark.parametrize(
    ("typed", "status", "text"),
    [
        ({"client": ""}, 422, "Choose the client, or write a new one."),
        ({"offer": "made-up"}, 422, "This offer is no longer valid: ask once more."),
        ({"offer": ""}, 422, "This offer is no longer valid: ask once more."),
        ({"client": "999999999999"}, 422, "Select a valid choice"),
    ],
)
def test_what_cannot_be_taken_comes_back_in_words(house, typed, status, text):
    office = browser(house.coordinator)
    token = tokens(office.get(PAGE, question()).content.decode())[0]
    clients = Client.objects.count()
    given = office.post(HOLD, {"offer": token, "client": house.client.pk} | typed)
    assert given.status_code == status and text in given.content.decode()
    assert (Session.objects.count(), Client.objects.count()) == (0, clients)


def test_a_high_risk_client_is_asked_for_the_whole_price(house):
    """D24: also in the answer."""
    package = PackageFactory()
    for day in (8, 9, 10):
        session = house.request(when=house.when(day))
        session.cancel(by=house.coordinator, now=house.now, reason="x", initiator="client")
    body = browser(house.coordinator).get(PAGE, question(client=house.client.pk, packages=package.pk)).content.decode()
    assert "Deposit 100" in body and "High risk: the whole price is asked for." in body


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"duration": "0"}, "A session lasts a minute at least."),
        ({"duration": "-3 h"}, "Say how long, such as 4 h, 1:30 or 90 min."),
        ({"duration": "25 h"}, "A session lasts 24 hours at most."),
        ({"duration": "9" * 500}, "Say how long"),
        ({"photographers": "0"}, "greater than or equal to 1"),
        ({"photographers": "NaN"}, "Enter a whole number"),
        ({"last_day": "2020-01-01"}, "This day comes before the first one."),
        ({"first_day": "9999-12-31"}, "That is more than five years ahead."),
        ({"first_day": "31/31/2026"}, "Enter a valid date"),
        ({"people": "12345678901234567890"}, "12345678901234567890"),
        ({"room": "nowhere"}, "Select a valid choice"),
        ({"travel": "1e9", "session_type": "External"}, "Enter a whole number"),
        ({"start_time": "24:00"}, "Enter a valid time"),
    ],
)
def test_a_question_that_is_not_one_says_why(house, asked, text):
    given = browser(house.coordinator).get(PAGE, question(**asked))
    assert given.status_code == 422 and text in given.content.decode()
    assert "The question is not clear yet" in given.content.decode()


def test_a_day_alone_is_a_question_and_the_past_an_answer(house):
    office = browser(house.coordinator)
    assert "Say the date" in office.get(PAGE).content.decode()
    day = office.get(PAGE, {"first_day": (timezone.localdate(timezone=STUDIO.zone) + timedelta(days=30)).isoformat()})
    assert "What can be held" in day.content.decode()
    past = office.get(PAGE, question(first_day="0001-01-01"))
    assert past.status_code == 200 and "Not like this" in past.content.decode()


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("4", 240), ("4 h", 240), ("4h", 240), ("1.5 h", 90), ("1,25", 75), ("1:30", 90), ("90 min", 90), ("2 h 15", 135)],
)
def test_durations_are_read_as_people_say_them(text, minutes):
    field = DurationField()
    read = field.clean(text)
    assert read == timedelta(minutes=minutes)
    assert field.clean(field.prepare_value(read)) == read


def test_holds_of_others_are_shown_with_their_end_and_expired_ones_can_go(house):
    held = house.busy(house.ana, house.diego, house.lucia, event_description="Quince años")
    extend(held, until=date(2026, 3, 10), reason="Waits for her mother", by=house.coordinator, now=house.now)
    given = answer(house.wish(), now=at(date(2026, 3, 9)))
    assert "hold until 10\xa0Mar\xa023:59" in serving.people(given)[0].text
    expired = answer(house.wish(), now=at(date(2026, 3, 11)))
    assert serving.people(expired)[0].taken[0].is_expired


def test_the_number_of_questions_is_fixed(house, django_assert_num_queries: Callable):
    package = PackageFactory()
    house.busy(house.ana)
    asked = house.wish(last_day=SATURDAY + timedelta(days=59), photographers=2)

    def everything() -> None:
        given = answer(asked, now=house.now)
        price = terms.price_of([package.pk])
        desk = terms.desk(until=given.best.day, now=house.now)
        terms.terms(given.best.span.start, price=price, desk=desk, now=house.now)

    with django_assert_num_queries(6):
        everything()
    for day in range(20):
        house.busy(house.ana, house.diego, day=SATURDAY + timedelta(days=day + 1), room_id=house.room.pk)
        person(Role.PHOTOGRAPHER)
    with django_assert_num_queries(6):
        everything()
    office = browser(house.coordinator)
    office.get(PAGE)
    with CaptureQueriesContext(connection) as asked_of:
        assert office.get(PAGE, question(packages=package.pk, client=house.client.pk)).status_code == 200
    assert len(asked_of) <= 15


def test_wish_form_takes_the_way_and_the_transportation_of_external_sessions_alone(house):
    data = question(location="Antigua", travel=45, remote="on", room=house.room.pk)
    inside = WishForm(data, today=timezone.localdate(timezone=STUDIO.zone))
    outside = WishForm(data | {"session_type": "External"}, today=timezone.localdate(timezone=STUDIO.zone))
    assert inside.is_valid() and outside.is_valid()
    assert (inside.wish().way, inside.transportation_cost(), inside.wish().room) == (timedelta(), 0, house.room.pk)
    assert (outside.wish().way, outside.transportation_cost()) == (timedelta(minutes=45), Decimal("200.00"))
    assert (outside.wish().location, outside.wish().room) == ("Antigua", None)


def test_offers_are_signed(house):
    given = house.ask()
    token = sealed(given.best, Question(given.wish, (), Decimal(0)))
    chosen = opened(token)
    assert (chosen.span, chosen.room_id) == (given.best.span, house.room.pk)
    for broken in (token[:-1], "x" + token, "", "a:b:c"):
        with pytest.raises(InvalidInput):
            opened(broken)


def test_instants_survive_the_offer_in_the_hour_that_comes_twice(house):
    with STUDIO.overridden(time_zone="Europe/Madrid"):
        zone = ZoneInfo("Europe/Madrid")
        second = Span(
            datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zone), datetime(2026, 10, 25, 3, 30, fold=0, tzinfo=zone)
        )
        given = house.ask(day=date(2026, 10, 24))
        from dataclasses import replace

        moved = replace(given.best, span=second, people=())
        chosen = opened(sealed(moved, Question(given.wish, (), Decimal(0))))
        assert chosen.span.start == second.start.astimezone(ZoneInfo("UTC"))
