"""Holds: from when to when a request keeps its room and people, more time for them, and letting them go."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Q
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from scheduling.models import AssignmentStatus, RoomReservation, StaffReservation
from scheduling.slots import Span
from sessions_app import holds, integrity, workflow
from sessions_app.actions import book, hold, pay, people, request
from sessions_app.actions.request import When
from sessions_app.actions.shift import Shift, shift
from sessions_app.deadlines import end_of_day, hold_deadline, hold_end
from sessions_app.effects import Deposit
from sessions_app.models import Session
from sessions_app.states import SessionType
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, InvalidStateTransition, SessionNotFound
from studio.models import AuditEvent, Notice
from studio.roles import Role
from tests.factories.domain import Studio, at, person

ZONES = [ZoneInfo(name) for name in ("America/Guatemala", "Europe/Madrid", "Asia/Beirut", "America/Scoresbysund")]
INSTANTS = st.integers(0, 730 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


# -- pure: until when --------------------------------------------------------------------------------------------------


@given(
    now=INSTANTS,
    ahead=st.timedeltas(timedelta(0), timedelta(days=20)),
    days=st.integers(0, 12),
    at=st.sampled_from(ZONES),
)
def test_a_hold_ends_with_a_day_or_with_the_start_whichever_comes_first(now, ahead, days, at):
    """D1: by the instants, also where the clocks repeat an hour or skip midnight."""
    starts_at = now + ahead
    until = hold_deadline(now, starts_at.astimezone(at), days, at)
    if not ahead:
        assert until is None
        return
    ends = end_of_day(now.astimezone(at).date() + timedelta(days=days), at)
    assert until.timestamp() == min(ends.timestamp(), starts_at.timestamp())
    assert until.timestamp() > now.timestamp() or days == 0


def test_in_an_hour_that_comes_twice_the_earlier_instant_counts():
    """Beirut puts the clocks back from midnight: 23:59:59 of that day comes twice, an hour apart."""
    beirut = ZoneInfo("Asia/Beirut")
    first = datetime(2026, 10, 24, 23, 59, 59, tzinfo=beirut, fold=0)
    assert hold_end(date(2026, 10, 24), first).astimezone(UTC) == first.astimezone(UTC)
    again = first.replace(fold=1)
    # The clocks show the same; the hold that begins in between goes on for an hour.
    assert hold_deadline(first, again, 0, beirut) is not None


# -- upkeep: from the first thing held to the last ---------------------------------------------------------------------


@pytest.fixture
def studio(db):
    return Studio()


def fresh(session: Session) -> Session:
    return Session.objects.get(pk=session.pk)


def usual(studio: Studio, days: int = STUDIO.hold_days) -> datetime:
    return end_of_day(studio.today + timedelta(days=days))


def office(studio: Studio, **more):
    return {"by": studio.coordinator, "now": studio.now} | more


def put_on(studio: Studio, session: Session, **more) -> StaffReservation:
    values = {"photographer_id": studio.photographer.pk, "coverage": session.span} | office(studio) | more
    return people.assign_photographer(session, **values)


def sound(studio: Studio, now: datetime | None = None) -> bool:
    """What the nightly check says of it."""
    return integrity.look(integrity.CHECKS["holds_differ_from_reservations"], now or studio.now).count == 0


def test_a_hold_begins_with_the_first_thing_and_ends_with_the_last(studio):
    bare, roomed = studio.request(), studio.request(room_id=studio.room.pk, when=studio.when(21))
    staffed = studio.request(photographer_ids=(studio.photographer.pk,), when=studio.when(22))
    assert (bare.held_until, roomed.held_until, staffed.held_until) == (None, usual(studio), usual(studio))
    later = studio.now + timedelta(days=3)
    seat = put_on(studio, bare, now=later)
    assert fresh(bare).held_until == usual(studio, 3 + STUDIO.hold_days)
    # More of it does not make it last longer, nor does less.
    people.give_room(bare, room_id=studio.room.pk, **office(studio, now=later + timedelta(days=2)))
    people.take_off(bare, assignment_id=seat.pk, **office(studio, now=later))
    assert fresh(bare).held_until == usual(studio, 3 + STUDIO.hold_days)
    hold.extend(bare, until=studio.today + timedelta(days=12), reason="Abroad", **office(studio, now=later))
    people.take_room(bare, **office(studio, now=later))
    assert (fresh(bare).held_until, fresh(bare).hold_reason) == (None, "")
    # Another one in somebody's place goes on where they were.
    people.reassign(
        staffed,
        assignment_id=staffed.assignments.get().pk,
        photographer_id=person(Role.PHOTOGRAPHER).pk,
        **office(studio),
    )
    assert fresh(staffed).held_until == usual(studio)
    assert sound(studio)


def test_a_hold_never_goes_beyond_the_start_and_one_that_has_begun_has_none(studio):
    soon = studio.request(room_id=studio.room.pk, when=studio.when(2))
    assert soon.held_until == soon.starts_at
    past = request.open_request(
        client=studio.client,
        session_type=SessionType.STUDIO,
        when=studio.when(-3),
        room_id=studio.room.pk,
        by=studio.admin,
        now=studio.now,
    )
    assert past.held_until is None
    # Moved ahead after all, it holds its room as a new one would; and what only its start cut short goes on.
    request.edit(past, when=studio.when(15), by=studio.admin, now=studio.now)
    request.edit(soon, when=studio.when(25), **office(studio))
    assert (fresh(past).held_until, fresh(soon).held_until) == (usual(studio), usual(studio))
    request.edit(soon, when=studio.when(3), **office(studio))
    assert fresh(soon).held_until == fresh(soon).starts_at
    request.edit(past, when=studio.when(-4), by=studio.admin, now=studio.now)
    assert fresh(past).held_until is None
    assert sound(studio)


def test_a_move_neither_lengthens_a_hold_nor_takes_back_an_extension(studio):
    session = studio.request(room_id=studio.room.pk)
    request.edit(session, when=studio.when(30), **office(studio, now=studio.now + timedelta(days=4)))
    assert fresh(session).held_until == usual(studio)
    on_the_day = studio.today + timedelta(days=30)
    hold.extend(session, until=on_the_day, reason="Until the day", **office(studio))
    assert fresh(session).held_until == fresh(session).starts_at
    request.edit(session, when=studio.when(50), **office(studio))
    assert fresh(session).held_until == at(on_the_day, "14:00")
    assert fresh(session).hold_reason == "Until the day"


def test_in_the_calendar_it_is_kept_as_on_the_pages(studio):
    """Dragged out of the past to another photographer: only who comes is held, and only then."""
    shot = {"client": studio.client, "session_type": SessionType.STUDIO, "photographer_ids": (studio.photographer.pk,)}
    past = request.open_request(when=studio.when(-3), by=studio.admin, now=studio.now, **shot)
    instead = {studio.photographer.pk: person(Role.PHOTOGRAPHER).pk}
    ahead = Shift(
        span=Span(at(studio.today + timedelta(days=9)), at(studio.today + timedelta(days=9), "11:00")), instead=instead
    )
    shift(past, to=ahead, seen=past.span, by=studio.admin, now=studio.now)
    assert fresh(past).held_until == usual(studio)
    assert sound(studio)


def test_giving_the_room_up_for_another_place_ends_the_hold(studio):
    session = studio.request(room_id=studio.room.pk)
    when = {"session_date": session.session_date, "start_time": session.start_time, "end_time": session.end_time}
    request.edit(
        session, when=When(**when), session_type=SessionType.EXTERNAL, location="Finca El Pilar", **office(studio)
    )
    assert fresh(session).held_until is None
    assert sound(studio)


def test_a_hold_ends_with_the_negotiation_and_begins_anew_with_it(studio):
    walk = studio.walk(workflow.NEGOTIATION, room_id=studio.room.pk)
    hold.extend(walk.session, until=studio.today + timedelta(days=9), reason="Abroad", **office(studio))
    walk.session.refresh_from_db()
    walk.step()
    assert (fresh(walk.session).held_until, fresh(walk.session).hold_reason) == (None, "")
    later = studio.now + timedelta(days=1)
    walk.session.reopen(by=studio.coordinator, now=later)
    assert fresh(walk.session).held_until == usual(studio, 1 + STUDIO.hold_days)
    walk.session.cancel(by=studio.coordinator, now=later, reason="Ill", initiator="client")
    gone = studio.request(room_id=studio.room.pk)
    book.delete_session(gone, by=studio.admin, now=studio.now)
    assert fresh(walk.session).held_until is fresh(gone).held_until is None
    empty = studio.walk(workflow.PRE_SCHEDULED, when=studio.when(25)).session
    empty.reopen(by=studio.coordinator, now=later)
    assert fresh(empty).held_until is None
    assert sound(studio)


# -- more time ---------------------------------------------------------------------------------------------------------


def test_more_time_is_given_with_a_reason_also_to_what_has_expired(studio):
    session = studio.request(room_id=studio.room.pk)
    late = usual(studio) + timedelta(days=1)
    assert holds.has_expired(fresh(session), late)
    hold.extend(session, until=late.date() + timedelta(days=5), reason=" She is abroad. ", **office(studio, now=late))
    held = fresh(session)
    assert held.held_until == end_of_day(late.date() + timedelta(days=5)) and held.hold_reason == "She is abroad."
    line = AuditEvent.objects.get(event="hold_extended")
    assert (line.actor_id, line.details["reason"]) == (studio.coordinator.pk, "She is abroad.")
    # On the session's own day it ends with the start; a slip of the pen is set right by an earlier day.
    hold.extend(session, until=held.session_date, reason="To the day", **office(studio))
    assert fresh(session).held_until == held.starts_at
    hold.extend(session, until=studio.today, reason="Typed wrong", **office(studio))
    assert fresh(session).held_until == end_of_day(studio.today)


def test_more_time_is_refused_with_the_reason_why(studio):
    session = studio.request(room_id=studio.room.pk, when=studio.when(90))
    soon = studio.request(room_id=studio.room.pk, when=studio.when(2))
    bare, sold = studio.request(when=studio.when(91)), studio.walk(workflow.PRE_SCHEDULED).session
    today, before = studio.today, list(Session.objects.order_by("pk").values())
    day = today + timedelta(days=10)
    with translation.override("en"):
        for wrong, until, reason, now, sentence in (
            (session, today - timedelta(days=1), "x", studio.now, "This day has passed."),
            (session, today + timedelta(days=61), "x", studio.now, "At most 60 days from today."),
            (session, date.max, "x", studio.now, "Nothing is held beyond the session itself"),
            (soon, today + timedelta(days=3), "x", studio.now, "it begins on 4 Mar"),
            (soon, day, "x", studio.now + timedelta(days=4), "The session has begun"),
            (session, day, "  ", studio.now, "Say why"),
            (session, day, "x" * 251, studio.now, "At most 250 characters"),
            (bare, day, "x", studio.now, "It holds nobody"),
            (sold, day, "x", studio.now, "It is pre-scheduled"),
        ):
            with pytest.raises((InvalidInput, InvalidStateTransition)) as refused:
                hold.extend(wrong, until=until, reason=reason, **office(studio, now=now))
            assert sentence.replace("4 Mar", "4\N{NO-BREAK SPACE}Mar") in str(refused.value)
    assert list(Session.objects.order_by("pk").values()) == before


def test_only_coordination_decides_on_holds(studio):
    session = studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    day, now = studio.today + timedelta(days=9), studio.now
    for by, refusal in (
        (studio.photographer, AccessDenied),
        (studio.editor, SessionNotFound),
        (person(Role.ARTIST), SessionNotFound),
    ):
        with pytest.raises(refusal):
            hold.extend(session, until=day, reason="x", by=by, now=now)
        with pytest.raises(refusal):
            hold.release(session, by=by, now=now)
        with pytest.raises(AccessDenied):
            hold.release_expired([session.code], by=by, now=now + timedelta(days=9))
    assert fresh(session).held_until == usual(studio)


# -- letting go --------------------------------------------------------------------------------------------------------


def test_letting_go_frees_time_and_membership_and_tells_who_leaves(studio):
    """D34: both end at once, and the session stays as it is."""
    gone = person(Role.PHOTOGRAPHER)
    session = studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk, gone.pk))
    gone.is_active = False
    gone.save()
    done = hold.release(session, reason="Booked elsewhere", **office(studio))
    assert done.names == [studio.photographer.full_name, gone.full_name, studio.room.name]
    left = fresh(session)
    assert (left.status, left.room_id, left.held_until) == (workflow.REQUEST, None, None)
    rows = StaffReservation.objects.filter(session=session)
    assert {(row.assignment_status, row.released_at, row.is_lead_photographer) for row in rows} == {
        (AssignmentStatus.REASSIGNED, studio.now, False)
    }
    assert not RoomReservation.objects.holding().exists()
    assert not Session.objects.visible_to(studio.photographer).exists()
    notices = Notice.objects.filter(recipient__in=[studio.photographer, gone], read_at=None)
    (told,) = notices.filter(recipient=studio.photographer)
    assert (told.kind, told.params["variant"], told.url) == ("assignment_changed", "off", "")
    line = AuditEvent.objects.get(event="hold_released").details
    assert (line["people"], line["room"], line["reason"]) == (done.people, done.room, "Booked elsewhere")
    # Free for another one at once; and nothing is left to let go of.
    studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    with pytest.raises(InvalidStateTransition):
        hold.release(session, **office(studio))
    assert sound(studio)


def test_what_somebody_else_extended_meanwhile_is_not_let_go(studio):
    session = studio.request(room_id=studio.room.pk)
    hold.extend(session, until=studio.today + timedelta(days=9), reason="x", **office(studio))
    with pytest.raises(InvalidStateTransition) as refused:
        hold.release(session, seen=session.held_until, **office(studio))
    assert refused.value.details["failed"] == ["hold_changed"]
    hold.release(session, seen=fresh(session).held_until, **office(studio))


def test_many_expired_ones_go_in_one_act_and_others_stay_with_their_reason(studio):
    expired = [studio.request(room_id=studio.room.pk, when=studio.when(20 + day)) for day in (0, 1)]
    paid = studio.walk(workflow.PRE_SCHEDULED, room_id=studio.room.pk, when=studio.when(25)).session
    rest = Deposit(amount=paid.deposit_amount, method="Cash", document_number="B-1")
    paid.confirm(by=studio.coordinator, now=studio.now, deposit=rest)
    paid.reopen(by=studio.coordinator, now=studio.now)
    promised = studio.walk(workflow.PRE_SCHEDULED, room_id=studio.room.pk, when=studio.when(26)).session
    deposit = {"method": "Transfer", "document_number": "B-2", "payment_date": studio.today}
    pay.register_deposit(promised, amount=promised.deposit_amount, **deposit, **office(studio))
    promised.reopen(by=studio.coordinator, now=studio.now)
    extended = studio.request(room_id=studio.room.pk, when=studio.when(27))
    hold.extend(extended, until=studio.today + timedelta(days=20), reason="Abroad", **office(studio))
    sold = studio.walk(workflow.PRE_SCHEDULED, room_id=studio.room.pk, when=studio.when(28)).session
    others = {paid.code: "has paid Q", promised.code: "has paid Q", extended.code: "It is held until 22"}
    others |= {sold.code: "It is pre-scheduled", "S-1999-0001": "no such session"}
    late = office(studio, now=usual(studio) + timedelta(hours=1))
    codes = [each.code for each in expired]
    with translation.override("en"):
        released, kept = hold.release_expired([*codes, *others, codes[0]], **late)
    assert [each.session.code for each in released] == codes
    assert [each.code for each in kept] == list(others)
    assert all(others[each.code] in each.why for each in kept), kept
    assert RoomReservation.objects.holding().count() == 4
    # One by one it is decided on a paid one too; and nothing, or too much, is not an act.
    hold.release(paid, **late)
    for wrong in ([], [f"S-{n}" for n in range(hold.AT_ONCE + 1)]):
        with pytest.raises(InvalidInput):
            hold.release_expired(wrong, **late)
    assert sound(studio, late["now"])
    assert not Session.objects.filter(~Q(status=workflow.REQUEST), code__in=codes).exists()
