"""Requests, edits, moves: all that a session holds goes with it, or nothing does (business rules 3; D2, D16, D33)."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from sessions_app import workflow
from sessions_app.actions import people, request
from sessions_app.actions.request import When
from sessions_app.deadlines import changes_deadline
from sessions_app.models import Session
from studio.errors import (
    AccessDenied,
    ImmutableSession,
    InvalidInput,
    InvalidSessionDate,
    MissingResources,
    PhotographerNotAvailable,
    RoomNotAvailable,
)
from studio.models import AuditEvent, Notice
from studio.roles import Role
from tests.factories.domain import ClientFactory, RoomFactory, Studio, person

pytestmark = pytest.mark.django_db


def fresh(session: Session) -> Session:
    return Session.objects.get(pk=session.pk)


def held(session: Session) -> list[tuple]:
    rows = [*session.assignments.filter(released_at=None), *session.room_reservations.filter(released_at=None)]
    return [(type(row).__name__, row.span.start, row.span.end) for row in rows]


def edit(studio: Studio, session: Session, when: When, **values):
    given = {"by": studio.coordinator, "now": studio.now} | values
    return request.edit(session, when=when, **given)


def test_request_holds_its_room_and_people_from_the_first_state_on():
    """D33."""
    studio = Studio()
    studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    with pytest.raises(RoomNotAvailable) as refused:
        studio.request(room_id=studio.room.pk)
    assert refused.value.details["conflicts"][0]["session"] == Session.objects.get().code
    with pytest.raises(PhotographerNotAvailable):
        studio.request(photographer_ids=(studio.photographer.pk,))
    assert Session.objects.count() == 1  # nothing half written


def test_past_is_for_admins_and_is_audited():
    """D16, retroactive entry."""
    studio = Studio()
    past = studio.when(days=-3)
    with pytest.raises(InvalidSessionDate):
        studio.request(when=past)
    values = {"client": studio.client, "session_type": "Studio", "when": past, "now": studio.now}
    session = request.open_request(by=studio.admin, **values)
    assert AuditEvent.objects.get(event="retroactive_entry").object_id == str(session.pk)
    session.negotiate(by=studio.admin, now=studio.now)
    assert session.status == workflow.NEGOTIATION


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"session_type": "External", "location": " "}, "location"),
        ({"session_type": "Wedding"}, "session_type"),
        ({"session_type": "External", "location": "Finca", "room_id": 1}, "room"),
    ],
)
def test_odd_places_are_refused_beside_their_field(values, field):
    studio = Studio()
    with pytest.raises(InvalidInput) as refused:
        studio.request(**values)
    assert refused.value.field == field
    assert not Session.objects.exists()


def test_client_that_is_gone_gets_no_request():
    studio = Studio()
    with pytest.raises(InvalidInput):
        studio.request(client=ClientFactory(active=False))


def test_only_the_office_opens_requests():
    studio = Studio()
    with pytest.raises(AccessDenied):
        request.open_request(
            client=studio.client, session_type="Studio", when=studio.when(), by=studio.photographer, now=studio.now
        )
    assert AuditEvent.objects.filter(event="denied", actor_id=studio.photographer.pk).count() == 1


def test_moving_takes_everything_along_and_tells_the_people():
    """Business rules 3; D4: reservations, deadlines, notices."""
    studio = Studio()
    walk = studio.walk(workflow.CONFIRMED, room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    new = studio.when(days=25, start="09:00", end="10:00")
    edit(studio, walk.session, new, now=walk.now)
    session = fresh(walk.session)
    assert session.span == new.span()
    assert {(start, end) for _what, start, end in held(session)} == {(session.starts_at, session.ends_at)}
    assert session.changes_deadline == changes_deadline(session.session_date)
    assert Notice.objects.filter(kind="session_moved", recipient=studio.photographer).count() == 1


@pytest.mark.parametrize("taken", ["room", "photographer"])
def test_move_into_something_taken_changes_nothing(taken):
    """Business rules 3.1, 3.2: the whole edit is refused, the description too."""
    studio = Studio()
    there = studio.when(days=25)
    session = studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    if taken == "room":
        studio.request(when=there, room_id=studio.room.pk)
    else:
        studio.request(when=there, photographer_ids=(studio.photographer.pk,))
    before = held(session), fresh(session).span
    error = RoomNotAvailable if taken == "room" else PhotographerNotAvailable
    with pytest.raises(error) as refused:
        edit(studio, session, there, event_description="Moved")
    assert len(refused.value.details["conflicts"]) == 1
    assert (held(session), fresh(session).span) == before
    assert fresh(session).event_description == "Maternity"
    assert not Notice.objects.filter(kind="session_moved").exists()


@pytest.mark.parametrize("gone", ["room", "photographer", "role"])
def test_move_promises_nothing_that_is_out_of_use(gone):
    """Business rules 3: another time is validated anew; until then the session keeps what it has."""
    studio = Studio()
    session = studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    match gone:
        case "room":
            studio.room.status = "Maintenance"
            studio.room.save()
        case "photographer":
            studio.photographer.is_active = False
            studio.photographer.save()
        case "role":
            studio.photographer.groups.clear()
    refusal = RoomNotAvailable if gone == "room" else PhotographerNotAvailable
    with pytest.raises(refusal):
        request.edit(session, when=studio.when(40), by=studio.coordinator, now=studio.now)
    before = session.starts_at
    session.refresh_from_db()
    assert session.starts_at == before
    request.edit(session, when=studio.when(), special_notes="Blue", by=studio.coordinator, now=studio.now)


def test_move_by_a_little_does_not_meet_itself():
    studio = Studio()
    session = studio.request(room_id=studio.room.pk, photographer_ids=(studio.photographer.pk,))
    edit(studio, session, studio.when(start="15:00", end="17:30"))
    assert fresh(session).local_start.time() == time(15)


def test_move_into_the_past_is_refused():
    studio = Studio()
    session = studio.request()
    with pytest.raises(InvalidSessionDate):
        edit(studio, session, studio.when(days=-1))
    edit(studio, session, studio.when(days=-1), by=studio.admin)
    assert AuditEvent.objects.filter(event="retroactive_entry").count() == 1


@pytest.mark.parametrize("state", [workflow.ASSIGNED, workflow.COMPLETED, workflow.CANCELED])
def test_settled_session_is_edited_by_admins_only(state):
    """Business rules 6.3, D15, D36."""
    studio = Studio()
    walk = studio.walk(state)
    same = replace(studio.when(), session_date=fresh(walk.session).session_date)
    with pytest.raises(ImmutableSession):
        edit(studio, walk.session, same, now=walk.now, special_notes="x")
    edit(studio, walk.session, same, now=walk.now, special_notes="x", by=studio.admin)
    assert AuditEvent.objects.filter(event="admin_override").count() == 1


def test_session_that_becomes_external_gives_its_room_back():
    studio = Studio()
    session = studio.request(room_id=studio.room.pk)
    with pytest.raises(InvalidInput):
        edit(studio, session, studio.when(), session_type="External")
    edit(studio, session, studio.when(), session_type="External", location="Finca El Pilar")
    assert fresh(session).room is None
    assert held(session) == []
    studio.request(room_id=studio.room.pk)


@pytest.mark.parametrize(("start", "end", "hours"), [("18:00", "02:00", 8), ("10:00", "10:00", 24)])
def test_session_past_midnight_is_valid(start, end, hours):
    """D2."""
    studio = Studio()
    session = studio.request(when=studio.when(start=start, end=end))
    assert session.ends_at - session.starts_at == timedelta(hours=hours)


def test_date_beyond_the_calendar_is_refused_not_an_error():
    with pytest.raises(InvalidInput):
        When(session_date=date.max, start_time=time(22), end_time=time(2)).span()


# -- people and rooms -----------------------------------------------------------------------------------------------


def assign(studio: Studio, session: Session, **values):
    given = {"photographer_id": studio.photographer.pk, "coverage": session.span, "by": studio.coordinator}
    return people.assign_photographer(session, now=studio.now, **(given | values))


def test_first_photographer_leads_and_another_may_take_the_lead():
    """Business rules 10.2."""
    studio = Studio()
    session = studio.request()
    first = assign(studio, session)
    second = assign(studio, session, photographer_id=person(Role.PHOTOGRAPHER).pk)
    assert (first.is_lead_photographer, second.is_lead_photographer) == (True, False)
    people.make_lead(session, assignment_id=second.pk, by=studio.coordinator, now=studio.now)
    assert list(session.assignments.filter(is_lead_photographer=True)) == [second]
    people.take_off(session, assignment_id=second.pk, by=studio.coordinator, now=studio.now)
    assert list(session.assignments.filter(is_lead_photographer=True)) == [first]


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [(24, 24, None), (25, 0, "coverage_start_time"), (0, 25, "coverage_end_time"), (0, 24 * 365, "coverage_end_time")],
)
def test_coverage_reaches_a_day_beyond_its_session_at_most(before, after, field):
    studio = Studio()
    session = studio.request()
    coverage = session.span.widened(timedelta(hours=before), timedelta(hours=after))
    act = {"photographer_id": studio.photographer.pk, "by": studio.coordinator, "now": studio.now}
    if field is None:
        assert people.assign_photographer(session, coverage=coverage, **act)
        return
    with pytest.raises(InvalidInput) as refused:
        people.assign_photographer(session, coverage=coverage, **act)
    assert refused.value.field == field
    assert not session.assignments.exists()


def test_travel_is_a_part_of_what_is_taken():
    """Business rules 3.2: the next session may begin when they are back, and not before."""
    studio = Studio()
    session = studio.request()
    assign(studio, session, coverage=session.span.widened(after=timedelta(hours=2)))
    with pytest.raises(PhotographerNotAvailable):
        studio.request(when=studio.when(start="18:29", end="19:00"), photographer_ids=(studio.photographer.pk,))
    studio.request(when=studio.when(start="18:30", end="19:00"), photographer_ids=(studio.photographer.pk,))


@pytest.mark.parametrize("who", ["editor", "coordinator", "nobody", "stranger"])
def test_only_photographers_are_assigned(who):
    studio = Studio()
    session = studio.request()
    pk = {"editor": studio.editor.pk, "coordinator": studio.coordinator.pk, "nobody": 0, "stranger": 10**9}[who]
    with pytest.raises(InvalidInput) as refused:
        assign(studio, session, photographer_id=pk)
    assert refused.value.field == "photographer"


def test_assigned_session_keeps_a_photographer_and_a_room():
    studio = Studio()
    walk = studio.walk(workflow.ASSIGNED)
    own = walk.session.assignments.get()
    with pytest.raises(MissingResources):
        people.take_off(walk.session, assignment_id=own.pk, by=studio.coordinator, now=walk.now)
    with pytest.raises(MissingResources):
        people.take_room(walk.session, by=studio.coordinator, now=walk.now)
    other = RoomFactory()
    people.give_room(walk.session, room_id=other.pk, by=studio.coordinator, now=walk.now)
    assert fresh(walk.session).room == other
    assert walk.session.room_reservations.filter(released_at=None).count() == 1


@pytest.mark.parametrize("state", [workflow.COMPLETED, workflow.CANCELED])
def test_people_of_a_session_that_is_over_stay_as_they_are(state):
    """Business rules 10.4: not even for an Admin; held time would block for nothing."""
    studio = Studio()
    walk = studio.walk(state)
    for by in (studio.coordinator, studio.admin):
        with pytest.raises(ImmutableSession):
            assign(studio, walk.session, by=by)


def test_both_are_told_of_a_reassignment():
    """Business rules 8.2, 10.4."""
    studio = Studio()
    session, other = studio.request(), person(Role.PHOTOGRAPHER)
    old = assign(studio, session)
    people.reassign(session, assignment_id=old.pk, photographer_id=other.pk, by=studio.coordinator, now=studio.now)
    told = Notice.objects.values_list("kind", "recipient_id")
    assert sorted(told) == sorted([("assignment_changed", studio.photographer.pk), ("assignment_changed", other.pk)])
