"""The homes: what waits for whom, why, and the act beside it; never more than 15 queries."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from scheduling.slots import Span
from sessions_app import board, own_work, workflow
from sessions_app.actions import pay, people, price
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.models import AuditEvent, Notice
from studio.roles import Role
from tests.factories.domain import ClientFactory, ItemFactory, Studio, at, person
from tests.races.copies import copies

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
# Who holds every role has all of them beneath each other.
FOUR_HOMES = 20


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


@pytest.fixture
def studio():
    return Studio()


@pytest.fixture
def today():
    """A studio whose clock is the wall's: the pages ask it."""
    return Studio(today=timezone.localdate(timezone=STUDIO.zone))


def kinds(rows):
    return [(row.title, row.text, row.label) for row in rows]


def waiting(now, with_money=True):
    return board.waiting(now=now, with_money=with_money)


# -- what waits for the office -----------------------------------------------------------------------------------------


def test_a_deposit_waits_from_the_day_before_its_deadline(studio):
    walk = studio.walk(workflow.PRE_SCHEDULED)
    assert waiting(studio.now) == []
    assert waiting(at(studio.today + timedelta(days=3))) == []
    soon = waiting(at(studio.today + timedelta(days=4)))
    assert [(row.when, row.tone) for row in soon] == [("Tomorrow 23:59", "soon")]
    last_day = waiting(at(studio.today + timedelta(days=5)))
    assert [(row.when, row.tone) for row in last_day] == [("Today 23:59", "late")]
    assert "500.00" in last_day[0].text
    assert last_day[0].why == "It cancels itself tonight."
    assert last_day[0].url == reverse("session-deposit", args=[walk.session.code])
    (late,) = waiting(at(studio.today + timedelta(days=6)))
    assert late.tone == "late"
    assert "has passed" in late.why


def test_a_deposit_that_is_in_waits_to_be_confirmed(studio):
    walk = studio.walk(workflow.PRE_SCHEDULED)
    registered = _deposit(studio, walk)
    rows = waiting(studio.now)
    assert [row.label for row in rows] == ["Verify"]
    assert "BI-7" in rows[0].why
    assert studio.coordinator.full_name in rows[0].why
    for payment in registered:
        pay.verify(payment, by=studio.coordinator, now=studio.now)
    (row,) = waiting(studio.now)
    assert (row.label, row.url) == ("Confirm", reverse("session-move", args=[walk.session.code, "confirm"]))
    (late,) = waiting(at(studio.today + timedelta(days=6)))
    assert late.label == "Reopen"


def test_a_deposit_that_is_not_verified_is_told_at_its_deadline(studio):
    _deposit(studio, studio.walk(workflow.PRE_SCHEDULED))
    texts = [row.text for row in waiting(at(studio.today + timedelta(days=5)))]
    assert any("not verified yet" in text for text in texts)


def test_a_refund_that_is_owed_waits_until_it_is_paid_out(studio):
    walk = studio.walk(workflow.CONFIRMED).to(workflow.CANCELED)
    (row,) = waiting(studio.now)
    assert row.label == "Pay out"
    assert "500.00" in row.text
    assert row.why.startswith("Within the changes deadline.")
    payment = walk.session.payments.refunds().get()
    assert row.url == reverse("payment-pay-out", args=[payment.pk])
    pay.pay_out(
        payment,
        method="Cash",
        document_number="DEV-1",
        payment_date=studio.today,
        by=studio.coordinator,
        now=studio.now,
    )
    assert waiting(studio.now) == []


def test_a_confirmed_session_waits_for_people_and_room(studio):
    walk = studio.walk(workflow.CONFIRMED)
    deadline = walk.session.changes_deadline
    assert waiting(deadline - timedelta(days=5)) == []
    (row,) = waiting(deadline - timedelta(days=2))
    assert (row.text, row.tone) == ("confirmed without photographer and room", "")
    (row,) = waiting(deadline + timedelta(hours=12))
    assert (row.tone, row.url) == ("late", reverse("session-people", args=[walk.session.code]))
    people.assign_photographer(
        walk.session,
        photographer_id=studio.photographer.pk,
        coverage=walk.session.span,
        by=studio.coordinator,
        now=studio.now,
    )
    (row,) = waiting(deadline + timedelta(hours=12))
    assert row.text == "confirmed without room"
    walk.equip()
    assert waiting(deadline - timedelta(days=2)) == []
    (row,) = waiting(deadline + timedelta(hours=12))
    assert row.label == "Assign"


def test_a_ready_session_waits_for_delivery_with_its_balance(studio):
    walk = studio.walk(workflow.READY)
    (row,) = waiting(walk.now)
    assert row.label == "Deliver"
    assert "500.00" in row.why
    assert waiting(walk.now, with_money=False)[0].why == ""


def test_requests_wait_the_oldest_first_with_their_age(studio):
    young = studio.request(client=ClientFactory(full_name="Young"), event_description="")
    studio.today -= timedelta(days=4)
    old = studio.request(client=ClientFactory(full_name="Old"), event_description="")
    rows = waiting(at(date(2026, 3, 2), "12:00"))
    assert [row.title for row in rows] == ["Old", "Young"]
    assert [row.tone for row in rows] == ["late", ""]
    assert "4 days" in rows[0].why
    assert rows[0].title_url == old.get_absolute_url() != young.get_absolute_url()


def test_what_was_overpaid_waits_to_be_settled(studio):
    walk = studio.walk(workflow.CONFIRMED)
    session = walk.session
    session.reopen(by=studio.coordinator, now=walk.now)
    price.remove_package(session, package_id=studio.package.pk, by=studio.coordinator, now=walk.now)
    item = ItemFactory(unit_price=Decimal("100.00"))
    price.add_item(session, item=item, quantity=1, by=studio.coordinator, now=walk.now)
    (row,) = waiting(walk.now)
    assert (row.label, row.url) == ("Settle", reverse("session-owe", args=[session.code]))
    assert "400.00" in row.text
    assert waiting(walk.now, with_money=False) == []
    pay.owe_difference(session, by=studio.coordinator, now=walk.now)
    assert [row.label for row in waiting(walk.now)] == ["Pay out"]


def test_the_most_urgent_stands_first(studio):
    studio.request(when=studio.when(30))
    studio.walk(workflow.PRE_SCHEDULED, when=studio.when(40))
    labels = [row.label for row in waiting(at(studio.today + timedelta(days=5)))]
    assert labels == ["Register payment", "Answer"] or labels == ["Answer", "Register payment"]
    assert waiting(at(studio.today + timedelta(days=6)))[0].label == "Register payment"


# -- the days and the pipeline -----------------------------------------------------------------------------------------


def test_the_agenda_shows_rooms_and_people_with_travel(studio):
    inside = studio.walk(workflow.CONFIRMED, when=studio.when(10)).equip()
    outside = studio.walk(workflow.CONFIRMED, session_type="External", when=studio.when(10, "08:00", "10:00"))
    people.assign_photographer(
        outside.session,
        photographer_id=studio.photographer.pk,
        coverage=Span(outside.session.starts_at - timedelta(hours=1), outside.session.ends_at),
        by=studio.coordinator,
        now=studio.now,
    )
    day, after = board.agenda(now=at(studio.today + timedelta(days=10), "09:00"))
    lanes = {lane.label: [block.label for block in lane.blocks] for lane in day.picture.lanes}
    assert inside.session.title in lanes[studio.room.name]
    own = next(blocks for label, blocks in lanes.items() if label.startswith("Photogra"))
    assert len(own) == 2
    assert any("travel" in label for label in own)
    assert (day.is_empty, after.is_empty) == (False, True)
    assert day.picture.now_x


def test_the_pipeline_counts_what_is_under_way(studio):
    studio.walk(workflow.CONFIRMED, when=studio.when(10))
    studio.walk(workflow.CONFIRMED, when=studio.when(11))
    studio.request(when=studio.when(12))
    studio.walk(workflow.NEGOTIATION, when=studio.when(13)).to(workflow.CANCELED)
    line = board.pipeline(with_money=True)
    counts = {stage.status: (stage.count, stage.money) for stage in line.stages}
    assert counts["Confirmed"] == (2, Decimal("2000.00"))
    assert counts["Request"] == (1, Decimal("0.00"))
    assert "Canceled" not in counts
    assert (line.money, line.count) == (Decimal("2000.00"), 3)
    assert board.pipeline(with_money=False).money is None


# -- photographers -----------------------------------------------------------------------------------------------------


def shoots(studio, now):
    return own_work.shoots_of(studio.photographer, now=now)


def test_the_next_session_says_where_when_and_what(studio):
    walk = studio.walk(workflow.CONFIRMED, session_type="External", special_notes="Soft light", when=studio.when(10))
    session = walk.session
    people.assign_photographer(
        session,
        photographer_id=studio.photographer.pk,
        coverage=Span(session.starts_at - timedelta(minutes=45), session.ends_at + timedelta(minutes=45)),
        by=studio.coordinator,
        now=studio.now,
    )
    found = shoots(studio, studio.now).next
    assert (found.code, found.place, found.wishes) == (session.code, "Finca El Pilar", "Soft light")
    assert found.leave_at == session.starts_at - timedelta(minutes=45)
    assert sorted(quantity for quantity, _name in found.included) == [1, 20]
    assert (found.client_name, found.client_phone) == (studio.client.full_name, "5555-0142")
    assert found.team == "You (lead)"
    attend, notes = found.moves
    assert "once it is assigned" in attend.reason
    assert notes.reason


def test_marking_attended_opens_on_the_day(studio):
    walk = studio.walk(workflow.ASSIGNED)
    day_before = walk.session.starts_at - timedelta(days=1)
    assert "from the day of the session" in shoots(studio, day_before).next.moves[0].reason
    on_the_day = shoots(studio, walk.session.starts_at - timedelta(hours=2)).next.moves[0]
    assert (on_the_day.reason, on_the_day.method) == ("", "post")
    assert on_the_day.url == reverse("session-attend", args=[walk.session.code])
    after = shoots(studio, walk.session.ends_at + timedelta(hours=2))
    assert after.next is None
    assert [shoot.code for shoot in after.still_open] == [walk.session.code]


def test_what_was_shot_stays_until_it_is_delivered(studio):
    walk = studio.walk(workflow.ATTENDED)
    (open_one,) = shoots(studio, walk.now + timedelta(days=1)).still_open
    assert [move.label for move in open_one.moves] == ["Observations or incident"]
    walk.to(workflow.COMPLETED)
    assert shoots(studio, walk.now + timedelta(days=1)).still_open == []


def test_the_week_is_grouped_by_day_and_a_canceled_one_says_so(studio):
    first = studio.walk(workflow.ASSIGNED, when=studio.when(20, "08:00", "09:00"))
    second = studio.walk(workflow.ASSIGNED, when=studio.when(20, "10:00", "11:00"))
    third = studio.walk(workflow.ASSIGNED, when=studio.when(22))
    far = studio.walk(workflow.ASSIGNED, when=studio.when(60))
    third.to(workflow.CANCELED)
    found = shoots(studio, at(studio.today + timedelta(days=19)))
    assert found.next.code == first.session.code
    assert [[shoot.code for shoot in group] for _word, group in found.week] == [
        [second.session.code],
        [third.session.code],
    ]
    canceled = found.week[1][1][0]
    assert (canceled.is_canceled, canceled.moves) == (True, [])
    assert far.session.code not in str(found)


def test_somebody_who_was_replaced_sees_nothing_of_it(studio):
    walk = studio.walk(workflow.ASSIGNED)
    other = person(Role.PHOTOGRAPHER)
    people.reassign(
        walk.session,
        assignment_id=walk.session.assignments.get().pk,
        photographer_id=other.pk,
        by=studio.coordinator,
        now=walk.now,
    )
    assert shoots(studio, walk.now).next is None
    assert own_work.shoots_of(other, now=walk.now).next.code == walk.session.code


# -- editors -----------------------------------------------------------------------------------------------------------


def desk(studio, now, by_admin=False):
    return own_work.desk_of(studio.editor, now=now, by_admin=by_admin)


def test_the_queue_goes_by_promised_delivery(studio):
    late = studio.walk(workflow.ATTENDED, when=studio.when(10))
    later = studio.walk(workflow.ATTENDED, when=studio.when(12))
    mine = studio.walk(workflow.IN_EDITING, when=studio.when(14))
    now = at(late.session.estimated_delivery_date + timedelta(days=1), "09:00")
    found = desk(studio, now)
    assert [row.code for row in found.queue] == [late.session.code, later.session.code]
    assert found.queue[0].left == "1 day late"
    assert found.queue[0].tone == "late"
    assert [row.code for row in found.mine] == [mine.session.code]
    assert [move.label for move in found.mine[0].moves] == ["Mark as ready", "Delivery date", "Observations"]
    take = found.queue[0].moves[0]
    assert (take.reason, take.method) == ("", "post")
    assert take.url == reverse("session-move", args=[late.session.code, "take"])


def test_at_the_limit_nothing_more_is_taken(studio):
    studio.walk(workflow.IN_EDITING, when=studio.when(10))
    waiting_one = studio.walk(workflow.ATTENDED, when=studio.when(12))
    with STUDIO.overridden(max_concurrent_editing_sessions=1):
        found = desk(studio, waiting_one.now)
        assert (found.load, found.limit, found.bar) == (1, 1, 64)
        assert "limit is 1" in found.queue[0].moves[0].reason
        assert desk(studio, waiting_one.now, by_admin=True).queue[0].moves[0].reason == ""
    with STUDIO.overridden(max_concurrent_editing_sessions=0):
        assert desk(studio, waiting_one.now).queue[0].moves[0].reason == ""


# -- the pages ---------------------------------------------------------------------------------------------------------


def page(client, user):
    client.force_login(user)
    answer = client.get(reverse("home"))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_office_sees_what_waits_and_what_it_is_worth(client, today):
    today.request()
    html = page(client, today.coordinator)
    assert 'id="waiting"' in html
    assert 'id="pipeline"' in html
    assert today.coordinator.short_name in html
    assert 'id="queue"' not in html


def test_a_photographer_sees_no_price_and_no_private_field(client, today):
    walk = today.walk(workflow.CONFIRMED, special_notes="Soft light").equip()
    html = page(client, today.photographer)
    assert 'id="next"' in html
    assert "Soft light" in html
    assert f'href="tel:{walk.session.client.primary_phone.replace("-", "")}"' in html
    for secret in ("1,000.00", "500.00", "Q\N{NO-BREAK SPACE}", "5555-0999", "Secret street", "Pays late"):
        assert secret not in html
    assert 'id="waiting"' not in html
    assert 'id="pipeline"' not in html


def test_an_editor_sees_the_queue_and_no_price(client, today):
    today.today -= timedelta(days=30)
    walk = today.walk(workflow.ATTENDED)
    html = page(client, today.editor)
    assert walk.session.get_absolute_url() in html
    for secret in ("1,000.00", "500.00", "5555-0999", "Secret street", "Pays late"):
        assert secret not in html


def test_an_artist_gets_an_explanation_and_notices(client):
    artist = person(Role.ARTIST)
    Notice.objects.create(recipient=artist, kind="material_ready", params={"title": "Maternity"})
    html = page(client, artist)
    assert "Maternity" in html
    assert 'id="waiting"' not in html


def test_without_a_role_there_is_only_an_explanation(client):
    nobody = person()
    client.force_login(nobody)
    assert client.get(reverse("home")).status_code == 403
    assert AuditEvent.objects.filter(event="denied", actor_id=nobody.pk).exists()


def test_strangers_sign_in_first(client):
    answer = client.get(reverse("home"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("login"))


def test_notices_of_others_are_not_shown(client, today):
    Notice.objects.create(recipient=today.editor, kind="material_ready", params={"title": "Not yours"})
    assert "Not yours" not in page(client, today.coordinator)


@pytest.mark.parametrize(
    ("hour", "words"), [(8, "Good morning, Ana"), (13, "Good afternoon, Ana"), (22, "Good evening, Ana")]
)
def test_the_greeting_goes_by_the_studios_clock(hour, words):
    from sessions_app.views.homes import greeting

    assert greeting(datetime(2026, 3, 2, hour, tzinfo=STUDIO.zone), "Ana") == words


# -- query budgets -----------------------------------------------------------------------------------------------------


def one_of_each(studio):
    """A row of every kind for every home, and whether the same lies ahead of it or behind."""
    start, client = studio.today, ClientFactory()
    rows = [studio.request(client=client, when=studio.when(20))]
    rows.append(studio.walk(workflow.CONFIRMED, client=client, when=studio.when(60, "08:00", "09:00")).equip().session)
    rows.append(studio.walk(workflow.CONFIRMED, client=client, when=studio.when(3, "10:00", "11:00")).equip().session)
    pay.register_balance(
        rows[-1],
        amount=Decimal("10.00"),
        method="Cash",
        document_number="BI-1",
        payment_date=start,
        by=studio.coordinator,
        now=studio.now,
    )
    Notice.objects.create(recipient=studio.coordinator, kind="material_ready", params={"title": "x"})
    studio.today = start - timedelta(days=40)
    rows.append(studio.walk(workflow.READY, client=client, when=studio.when(20, "08:00", "09:00")).session)
    rows.append(studio.walk(workflow.ATTENDED, client=client, when=studio.when(20, "10:00", "11:00")).session)
    rows.append(studio.walk(workflow.IN_EDITING, client=client, when=studio.when(20, "12:00", "13:00")).session)
    studio.today = start
    return [(row, -1 if row.ends_at < studio.now else 1) for row in rows]


def more_of_each(studio, rows, number):
    """As many more of each, a day further away than the one before, and of a client of its own."""
    clients = ClientFactory.create_batch(number)
    for row, days_apart in rows:
        row.refresh_from_db()
        for client, copy in zip(clients, copies(row, number, days_apart=days_apart, with_time=True), strict=True):
            Session.objects.filter(pk=copy.pk).update(client=client)
    Notice.objects.bulk_create(
        Notice(recipient=studio.coordinator, kind="material_ready", params={"title": "x"}) for _ in range(number)
    )


def queries(client, user):
    client.force_login(user)
    client.get(reverse("home"))
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(reverse("home")).status_code == 200
    return len(captured)


def test_every_home_asks_as_much_for_one_row_as_for_thirty(client, today):
    everything = person(*Role)
    rows = one_of_each(today)
    everybody = (today.coordinator, today.admin, today.photographer, today.editor, everything)
    before = [queries(client, user) for user in everybody]
    assert max(before[:-1]) <= MOST_QUERIES
    assert before[-1] <= FOUR_HOMES
    more_of_each(today, rows, 29)
    assert [queries(client, user) for user in everybody] == before


def _deposit(studio, walk):
    return pay.register_deposit(
        walk.session,
        amount=Decimal("500.00"),
        method="Transfer",
        document_number="BI-7",
        payment_date=studio.today,
        by=studio.coordinator,
        now=studio.now,
    )
