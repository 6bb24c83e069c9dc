"""The board of appointments, the quick booking and the move to another slot: who sees what, and what is refused."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from payments.models import CommissionLine
from scheduling.models import StaffReservation
from scheduling.slots import Span
from sessions_app import artist_day, workflow
from sessions_app.actions import appoint, pay
from sessions_app.actions.shift import shift_appointment
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.errors import PhotographerNotAvailable
from studio.models import User
from studio.roles import Role
from tests.factories.domain import ClientFactory, Studio, at, person
from tests.factories.shop import MONDAY, NOW, Shop, span

pytestmark = pytest.mark.django_db

BOARD, NEW = reverse("appointment-board"), reverse("appointment-new")
MACHINE = {"Accept": "application/json"}
MOST_QUERIES = 15


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    for user in (made.artist, made.other, made.coordinator):
        User.objects.filter(pk=user.pk).update(language="en")
    return made


@pytest.fixture
def browse(client):
    def sign_in(user):
        client.force_login(user)
        return client

    return sign_in


def day_off(artist: User, when: Span) -> None:
    StaffReservation.objects.create(staff=artist, during=(when.start, when.end), created_at=NOW)


def text_of(answer) -> str:
    return answer.content.decode()


# -- the board ---------------------------------------------------------------------------------------------------------


def test_the_office_sees_the_artists_side_by_side(browse, shop):
    shop.book(title="Sleeve", client=ClientFactory(full_name="Daniela Rosales"))
    shop.book(span("15:00", "16:00"), artist_id=shop.other.pk, price=None, tentative=True)
    day_off(shop.other, span("09:00", "11:00"))
    page = text_of(browse(shop.coordinator).get(BOARD, {"day": MONDAY}))
    for words in ("Nico Paz", "Sara Luna", "Daniela Rosales", "Sleeve", "1,000.00", "10:00–13:00", "Time off"):
        assert words in page
    # Tentative is said in a word, not only drawn; nobody knows its price yet.
    assert "appointment tentative s-waiting" in page
    assert "On hold" in page
    assert "price open" in page
    # Every free slot is a link to the booking with artist and start.
    assert f"{NEW}?artist={shop.other.pk}&amp;start={MONDAY}T11%3A00" in page
    assert f"{NEW}?artist={shop.other.pk}&amp;start={MONDAY}T10%3A30" not in page
    narrowed = text_of(browse(shop.coordinator).get(BOARD, {"day": MONDAY, "artist": shop.other.pk}))
    assert "Daniela Rosales" not in narrowed


def test_a_shoot_keeps_an_artist_busy(browse, shop):
    studio = Studio(today=at("2027-03-01").date(), coordinator=shop.coordinator)
    shop.artist.groups.add(*person(Role.PHOTOGRAPHER).groups.all())
    studio.photographer = shop.artist
    when = studio.when(days=7, start="14:00", end="16:00")
    studio.request(when=when, photographer_ids=(shop.artist.pk,), event_description="Wedding of Paz")
    page = text_of(browse(shop.coordinator).get(BOARD, {"day": MONDAY}))
    assert "Wedding of Paz" in page
    assert "core shoot" in page
    assert f"artist={shop.artist.pk}&amp;start={MONDAY}T15%3A00" not in page


def test_an_artist_sees_their_own_column_and_nothing_else(browse, shop):
    shop.book(client=ClientFactory(full_name="Own Client"))
    shop.book(span("14:00", "15:00"), artist_id=shop.other.pk, title="Secret", client=ClientFactory(full_name="Theirs"))
    day_off(shop.other, span("09:00", "10:00"))
    browser = browse(shop.artist)
    page = text_of(browser.get(BOARD, {"day": MONDAY}))
    assert "Own Client" in page
    for words in ("Theirs", "Secret", "Sara Luna", "Time off</b>"):
        assert words not in page
    assert browser.get(BOARD, {"day": MONDAY, "artist": shop.other.pk}).status_code == 404
    assert browser.get(BOARD, {"day": MONDAY, "artist": shop.artist.pk}).status_code == 200


def test_an_artist_who_left_keeps_the_column_of_their_appointments_and_is_not_offered(browse, shop):
    shop.book(artist_id=shop.other.pk)
    User.objects.filter(pk=shop.other.pk).update(is_active=False)
    page = text_of(browse(shop.coordinator).get(BOARD, {"day": MONDAY}))
    assert "Sara Luna" in page
    assert f"artist={shop.other.pk}&amp;start" not in page


def test_the_board_asks_the_same_however_much_there_is(browse, shop):
    shop.book()
    browser = browse(shop.coordinator)
    browser.get(BOARD, {"day": MONDAY})
    with CaptureQueriesContext(connection) as few:
        browser.get(BOARD, {"day": MONDAY})
    for _number in range(6):
        artist = person(Role.ARTIST)
        for hour in (9, 12, 15):
            shop.book(span(f"{hour:02}:00", f"{hour + 2}:00"), artist_id=artist.pk, client=ClientFactory())
        day_off(artist, span("18:00", "19:00"))
    with CaptureQueriesContext(connection) as many:
        page = text_of(browser.get(BOARD, {"day": MONDAY}))
    assert page.count("data-shift") == 19
    assert len(many) == len(few) <= MOST_QUERIES


def test_a_day_that_is_none_is_said_and_an_artist_who_is_none_is_not_found(browse, shop):
    browser = browse(shop.coordinator)
    for day in ("0000", "0001-01-01", "9999-12-31", "2027-02-30", "x" * 5000, "2027-03-08T10:00"):
        answer = browser.get(BOARD, {"day": day})
        assert answer.status_code == 200
        assert "is no day of the calendar" in text_of(answer)
    for artist in ("x", "-1", "0", "9" * 30, "999999"):
        assert browser.get(BOARD, {"day": MONDAY, "artist": artist}).status_code == 404


def test_a_day_of_another_length_has_its_rows(shop):
    hours = {"time_zone": "America/New_York", "appointment_day_begins": 0, "appointment_day_ends": 24}
    with STUDIO.overridden(**hours):
        days = [at(day).date() for day in ("2026-03-08", "2026-11-01", "2026-11-02")]
        assert [len(artist_day.board(shop.artist, day, now=NOW).rows) for day in days] == [46, 50, 48]


# -- what is offered is accepted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after", "minutes"), [(0, 0, 60), (15, 20, 90), (0, 120, 30)])
def test_exactly_the_slots_that_are_offered_can_be_booked(shop, before, after, minutes):
    User.objects.filter(pk=shop.artist.pk).update(buffer_before=before, buffer_after=after)
    artist = User.objects.get(pk=shop.artist.pk)
    length = timedelta(minutes=minutes)
    shop.book(span("11:00", "12:10"))
    day_off(artist, span("15:30", "16:00"))
    # What was taken the evening before, with its minutes after.
    early = span("05:00", "08:00")
    shop.book(early)
    offered = artist_day.free_slots(artist, early.start.date(), length)
    taken = 0
    for half_hours in range(22):
        start = at(MONDAY, "09:00") + timedelta(minutes=30 * half_hours)
        wanted = Span(start, start + length)
        accepted = True
        try:
            with transaction.atomic():
                shop.book(wanted)
                transaction.set_rollback(True)
        except PhotographerNotAvailable:
            accepted = False
        taken += not accepted
        assert accepted == (start in offered) or wanted.end > at(MONDAY, "20:00")
    assert offered
    assert taken


# -- the quick booking -------------------------------------------------------------------------------------------------


def booking(shop: Shop, **values: object) -> dict[str, object]:
    return {
        "client": shop.client.pk,
        "artist": shop.artist.pk,
        "session_date": MONDAY,
        "start_time": "10:00",
        "duration": "90",
        "event_description": "Sleeve",
        "price": "850.50",
        "special_notes": "Left arm",
        **values,
    }


def test_a_free_slot_opens_the_form_filled_in_and_books(browse, shop):
    browser = browse(shop.coordinator)
    page = text_of(browser.get(NEW, {"artist": shop.artist.pk, "start": f"{MONDAY}T10:00", "duration": "90"}))
    for words in (f'value="{MONDAY}"', 'value="10:00"', f'value="{shop.artist.pk}" selected', "Nico Paz is free"):
        assert words in page
    assert "10:00 to 11:30" in page
    answer = browser.post(NEW, booking(shop), follow=True)
    session = Session.objects.get()
    assert (session.span, session.price, session.status) == (span("10:00", "11:30"), Decimal("850.50"), workflow.ACTIVE)
    assert (session.artist, session.event_description, session.special_notes) == (shop.artist, "Sleeve", "Left arm")
    assert answer.redirect_chain == [(f"{BOARD}?day={MONDAY}", 302)]
    assert f"{session.code} is booked" in text_of(answer)
    assert reverse("session-deposit", args=[session.code]) in text_of(answer)


def test_an_artist_books_a_new_client_on_hold(browse, shop):
    new = {"client": "", "full_name": "Ana New", "primary_phone": "5555-1", "email": "Ana@new.test"}
    values = booking(shop, **new, price="", certainty="tentative")
    del values["artist"]
    answer = browse(shop.artist).post(NEW, values, follow=True)
    session = Session.objects.get()
    assert (session.client.email, session.artist, session.price) == ("ana@new.test", shop.artist, None)
    assert session.status == workflow.WAITING
    assert f"{session.code} is on hold" in text_of(answer)


def test_an_artist_books_for_nobody_else(browse, shop):
    shop.book()
    answer = browse(shop.artist).post(NEW, booking(shop, artist=shop.other.pk, start_time="16:00"), headers=MACHINE)
    assert answer.status_code == 422
    assert Session.objects.count() == 1


def test_an_artist_finds_their_own_clients_by_what_they_may_know(browse, shop):
    mine = ClientFactory(full_name="Mariana Own", secondary_phone="7777-8888", notes="Pays late")
    theirs = ClientFactory(full_name="Mariana Other")
    shop.book(client=mine)
    shop.book(artist_id=shop.other.pk, client=theirs)
    browser = browse(shop.artist)
    options = reverse("appointment-clients")
    found = text_of(browser.get(options, {"client_search": "maria"}))
    assert "Mariana Own" in found
    assert "Mariana Other" not in found
    assert "Mariana Own" not in text_of(browser.get(options, {"client_search": "7777"}))
    assert "Mariana Other" not in text_of(browser.get(options, {"client": theirs.pk}))
    refused = browser.post(NEW, booking(shop, client=theirs.pk, start_time="16:00"))
    assert refused.status_code == 422
    assert "Mariana Other" not in text_of(refused)
    assert "Mariana Other" in text_of(browse(shop.coordinator).get(options, {"client_search": "maria"}))


def test_the_office_is_warned_of_the_record_and_the_artist_is_not(browse, shop):
    for hour in (9, 11, 13):
        missed = shop.book(span(f"{hour:02}:00", f"{hour + 1}:00"))
        missed.cancel(by=shop.coordinator, now=shop.now, reason="Away", initiator="client", no_show=True)
    options = {"client": shop.client.pk}
    warned = text_of(browse(shop.coordinator).get(reverse("appointment-clients"), options))
    assert "High risk: 3 of 3" in warned
    assert "Did not come 3 times" in warned
    untold = text_of(browse(shop.artist).get(reverse("appointment-clients"), options))
    assert shop.client.full_name in untold
    assert "High risk" not in untold
    assert "Did not come" not in untold


def test_a_conflict_says_what_is_in_the_way_and_what_is_free(browse, shop):
    taken = shop.book(span("10:00", "13:00"))
    browser = browse(shop.artist)
    answer = browser.post(NEW, booking(shop, start_time="12:00", event_description="Typed with care"))
    page = text_of(answer)
    assert answer.status_code == 409
    assert "Nico Paz is busy" in page
    assert page.index('id="id_start_time"') < page.index("Nico Paz is busy") < page.index('id="id_duration"')
    assert taken.get_absolute_url() in page
    assert 'value="Typed with care"' in page
    assert f'name="at" value="{MONDAY}T13:00-06:00"' in page
    again = booking(shop, start_time="12:00", event_description="Typed with care", at=f"{MONDAY}T13:00-06:00")
    assert browser.post(NEW, again).status_code == 302
    assert Session.objects.exclude(pk=taken.pk).get().span == span("13:00", "14:30")


def test_the_part_that_says_what_is_free_says_it_while_one_types(browse, shop):
    shop.book(span("10:00", "13:00"))
    browser = browse(shop.coordinator)
    asked = {"artist": shop.artist.pk, "session_date": MONDAY, "start_time": "12:30", "duration": "60"}
    free = reverse("appointment-free")
    assert "Nico Paz is busy" in text_of(browser.get(free, asked))
    assert "13:00 to 14:00" in text_of(browser.get(free, asked | {"start_time": "13:00"}))
    # Whom the form shows before anybody is chosen.
    assert "Nico Paz is busy" in text_of(browser.get(free, asked | {"artist": ""}))
    for unknown in ({"artist": "x"}, {"duration": "9" * 40}, {"duration": "-5"}, {"session_date": "0000-00-00"}):
        assert browser.get(free, asked | unknown).status_code == 200


def test_find_looks_up_and_keeps_what_was_typed(browse, shop):
    values = booking(shop, client="", client_search=shop.client.full_name, find="true")
    page = text_of(browse(shop.coordinator).post(NEW, values))
    assert shop.client.primary_phone in page
    assert 'value="Sleeve"' in page
    assert not Session.objects.exists()


def test_a_start_that_is_none_is_said(browse, shop):
    wrong = ["garbage", "0000-00-00T00:00", "9999-12-31T23:59", "2026-03-08T02:30", "9" * 400, "2027-03-08T10:00+99:99"]
    browser = browse(shop.artist)
    with STUDIO.overridden(time_zone="America/New_York"):
        answers = [browser.get(NEW, {"start": start}) for start in wrong]
    assert {answer.status_code for answer in answers} == {200}
    assert all("is no time: choose one" in text_of(answer) for answer in answers)


def test_a_time_that_the_clocks_skip_is_refused_beside_it(browse, shop):
    with STUDIO.overridden(time_zone="America/New_York"):
        values = booking(shop, session_date="2027-03-14", start_time="02:30")
        answer = browse(shop.coordinator).post(NEW, values, headers=MACHINE)
    assert answer.status_code == 422
    assert "start_time" in answer.json()["details"]["fields"]


def test_a_booking_that_is_none_is_refused(browse, shop):
    browser = browse(shop.coordinator)
    wrong = {"session_date": "9999-12-31", "duration": "7", "price": "-1", "artist": "9" * 30, "start_time": "25:00"}
    for name, value in wrong.items():
        answer = browser.post(NEW, booking(shop, **{name: value}), headers=MACHINE)
        assert answer.status_code == 422
        assert name in answer.json()["details"]["fields"]


# -- the move ----------------------------------------------------------------------------------------------------------


def shift(browser, session: Session, **values: object):
    return browser.post(reverse("appointment-shift", args=[session.code]), values, headers=MACHINE)


def test_a_move_keeps_the_length_unless_it_says_otherwise(browse, shop):
    session = shop.book()
    browser = browse(shop.artist)
    moved = shift(browser, session, start=f"{MONDAY}T14:00")
    assert moved.status_code == 200
    assert "14:00 to 17:00" in moved.json()["message"]
    session.refresh_from_db()
    assert session.span == span("14:00", "17:00")
    shift(browser, session, start=f"{MONDAY}T14:00-06:00", end=f"{MONDAY}T15:30-06:00")
    session.refresh_from_db()
    assert session.span == span("14:00", "15:30")
    assert StaffReservation.objects.holding().get(session=session).span == session.span
    # Without JavaScript it is a form like any other.
    plain = browser.post(reverse("appointment-shift", args=[session.code]), {"start": f"{MONDAY}T09:00"})
    assert plain["Location"] == f"{BOARD}?day={MONDAY}"


def test_a_refused_move_leaves_it_where_it_was(browse, shop):
    session = shop.book()
    other = shop.book(span("15:00", "16:00"))
    refused = shift(browse(shop.artist), session, start=f"{MONDAY}T14:00")
    assert refused.status_code == 409
    assert other.code in refused.json()["message"]
    session.refresh_from_db()
    assert session.span == span()


def test_only_the_office_gives_it_to_another_artist(browse, shop):
    session = shop.book()
    denied = shift(browse(shop.artist), session, start=f"{MONDAY}T10:00", artist=shop.other.pk)
    assert denied.status_code == 403
    assert shift(browse(shop.other), session, start=f"{MONDAY}T15:00").status_code == 404
    session.refresh_from_db()
    assert (session.artist, session.span) == (shop.artist, span())
    given = shift(browse(shop.coordinator), session, start=f"{MONDAY}T11:00", artist=shop.other.pk)
    assert given.status_code == 200
    session.refresh_from_db()
    assert (session.artist, session.span) == (shop.other, span("11:00", "14:00"))


def test_what_is_over_is_not_moved(browse, shop):
    session = shop.book()
    session.complete(by=shop.artist, now=shop.now, method="Cash")
    assert shift(browse(shop.artist), session, start=f"{MONDAY}T14:00").status_code == 422
    assert "data-shift" not in text_of(browse(shop.artist).get(BOARD, {"day": MONDAY}))


WRONG_MOVES = (
    {},
    {"start": "garbage"},
    {"start": "9999-12-31T23:59"},
    {"start": "2027-03-08T10:00", "end": "2027-03-08T10:00"},
    {"start": "2027-03-08T10:00", "end": "2027-03-08T09:00"},
    {"start": "2027-03-08T10:00", "end": "2027-03-10T09:00"},
    {"start": "2027-03-08T10:00", "artist": "9" * 30},
    {"start": "2027-03-08T10:00", "artist": "999999"},
)


def test_a_move_that_is_none_is_refused(browse, shop):
    session = shop.book()
    browser = browse(shop.coordinator)
    assert {shift(browser, session, **wrong).status_code for wrong in WRONG_MOVES} == {422}
    session.refresh_from_db()
    assert session.span == span()


def test_a_shift_keeps_what_it_lasts_now_and_not_what_it_lasted_when_the_page_was_read(shop):
    session = shop.book(span("10:00", "13:00"))
    read = Session.objects.get(pk=session.pk)
    appoint.change(session, by=shop.coordinator, now=NOW, span=span("10:00", "11:00"))
    moved = shift_appointment(read, start=at(MONDAY, "15:00"), by=shop.coordinator, now=NOW)
    assert moved.span == span("15:00", "16:00")


# -- an artist's home --------------------------------------------------------------------------------------------------


def test_own_day_says_what_is_on_what_comes_and_what_is_still_open(shop):
    still_open = shop.book(span("09:00", "10:00", day="2027-03-05"))
    on = shop.book(span("10:00", "13:00"), title="Sleeve")
    later = shop.book(span("15:00", "16:00"), tentative=True)
    tomorrow = shop.book(span("10:00", "11:00", day="2027-03-09"))
    shop.book(span("10:00", "11:00", day="2027-04-09"))
    shop.book(span("14:00", "15:00"), artist_id=shop.other.pk)
    own = artist_day.own_day(shop.artist, now=at(MONDAY, "11:00"))
    assert (own.up.code, own.up.is_now) == (on.code, True)
    assert [move.label for move in own.up.moves] == ["Complete and take payment", "Did not come", "Cancel…"]
    assert [each.code for each in own.still_open] == [still_open.code]
    assert [(word, [each.code for each in found]) for word, found in own.week] == [("Tomorrow", [tomorrow.code])]
    # The day from what is on, free time in one piece; what is over is not offered.
    day = [(each.taken.code if each.taken else "free", f"{each.starts_at:%H:%M}") for each in own.day]
    assert day == [(on.code, "10:00"), ("free", "13:00"), (later.code, "15:00"), ("free", "16:00")]
    before = artist_day.own_day(shop.artist, now=at(MONDAY, "13:00"))
    assert (before.up.code, before.up.is_now) == (later.code, False)
    # Nobody has failed to come before it begins, and what is on hold is confirmed before it is completed.
    assert [move.label for move in before.up.moves] == ["Confirm the appointment", "Cancel…"]


def test_what_was_never_completed_hides_nothing_ahead(shop, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(artist_day, "SHOWN", 2)
    past = [shop.book(span("10:00", "11:00", day=f"2027-03-0{day}")) for day in (3, 4, 5)]
    ahead = [shop.book(span(f"{hour}:00", f"{hour + 1}:00")) for hour in (12, 14, 16)]
    with CaptureQueriesContext(connection) as caught:
        own = artist_day.own_day(shop.artist, now=at(MONDAY, "11:30"))
    assert own.up.code == ahead[0].code
    # The latest of those that are over: what is oldest is the first to leave the page anyhow.
    assert [each.code for each in own.still_open] == [each.code for each in past[1:]]
    for each in past[1:] + ahead[1:]:
        each.cancel(by=shop.coordinator, now=at(MONDAY, "11:00"), reason="Ill", initiator="client")
    with django_assert_num_queries(len(caught)):
        fewer = artist_day.own_day(shop.artist, now=at(MONDAY, "11:30"))
    assert (fewer.up.code, [each.code for each in fewer.still_open]) == (ahead[0].code, [past[0].code])


def test_own_day_says_why_it_cannot_be_completed_yet(shop):
    session = shop.book()
    paid = {"method": "Transfer", "document_number": "BI-1", "payment_date": shop.today}
    pay.register_advance(session, amount=Decimal("200.00"), by=shop.coordinator, now=shop.now, **paid)
    own = artist_day.own_day(shop.artist, now=at(MONDAY, "11:00"))
    complete = next(move for move in own.up.moves if move.name.startswith("complete"))
    assert "waits to be verified" in complete.reason


def test_the_home_of_an_artist_has_their_commission_of_the_month(browse, shop, django_assert_max_num_queries):
    now = timezone.now()
    soon = Span(now - timedelta(minutes=30), now + timedelta(minutes=30))
    shop.book(soon, price=Decimal("640.00"))
    done = Session.objects.get()
    done.complete(by=shop.artist, now=now, method="Cash")
    shop.book(Span(soon.end, soon.end + timedelta(hours=1)))
    assert CommissionLine.objects.get().amount == Decimal("320.00")
    browser = browse(shop.artist)
    browser.get("/")
    with django_assert_max_num_queries(MOST_QUERIES):
        page = text_of(browser.get("/"))
    assert "320.00" in page
    assert "Up next" in page
    assert "320.00" not in text_of(browse(shop.other).get("/"))
