"""One session under many hands: taken, cancelled, moved, reassigned, confirmed (business rules 1; D6 to D11)."""

from datetime import timedelta
from functools import partial

import pytest
from django.db.models import Count

from payments.models import Payment
from scheduling import booking
from scheduling.models import AssignmentStatus, RoomReservation, StaffReservation
from sessions_app import jobs, workflow
from sessions_app.actions import book, people, request
from sessions_app.actions.request import When
from sessions_app.effects import Deposit
from sessions_app.models import Session
from studio.conf import STUDIO
from studio.models import AuditEvent, OutgoingEmail, User
from studio.roles import Role
from tests.factories.domain import ClientFactory, RoomFactory, Studio, person
from tests.races import guards
from tests.races.copies import copies, same
from tests.races.together import (
    FEWER,
    HALF,
    TRIES,
    WIDTH,
    Act,
    Crowd,
    Tally,
    assert_typed,
    show,
    turned,
    untyped,
    winners,
)

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def times_reached(session: Session, status: str) -> int:
    return session.history.filter(new_status=status).count()


# -- editors --------------------------------------------------------------------------------------------------------


def attended(studio: Studio, count: int) -> list[Session]:
    return copies(studio.walk(workflow.ATTENDED).session, count)


def takes(session: Session, editors: list[User]) -> list[Act]:
    """Each editor wants it."""
    now = session.ends_at
    return [partial(each.take, by=editor, now=now) for each, editor in zip(same(session, WIDTH), editors, strict=True)]


def second_editors(session: Session) -> int:
    return times_reached(session, workflow.IN_EDITING) - 1


def test_one_editor_gets_the_session(studio, crowd, tally):
    line = tally("two editors")
    sessions, editors = attended(studio, HALF), [person(Role.EDITOR) for _ in range(WIDTH)]
    for number, session in enumerate(sessions):
        # The one in front changes: nobody comes to their limit.
        outcomes = crowd.race(takes(session, turned(editors, number)))
        line.add(outcomes, broken=second_editors(session))
        assert_typed(outcomes, "INVALID_STATE_TRANSITION")
        [winner] = winners(outcomes)
        session.refresh_from_db()
        assert session.assigned_editor == winner.value.assigned_editor
        granted = session.grants.filter(permission__codename="session.mark-ready")
        assert [grant.user_id for grant in granted] == [session.assigned_editor_id]
    assert line.broken == 0


def test_without_the_lock_several_editors_get_the_session(studio, crowd, tally, monkeypatch):
    sessions, editors = iter(attended(studio, TRIES)), [person(Role.EDITOR) for _ in range(WIDTH)]
    line = tally("two editors, CONTROL")
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        session = next(sessions)
        line.add(crowd.race(takes(session, editors)), broken=second_editors(session))
        return line.broken

    show(attempt)


def takes_of_one(model: Session, editor: User) -> list[Act]:
    """One editor wants many sessions at the same moment, in as many windows."""
    return [partial(session.take, by=editor, now=session.ends_at) for session in copies(model, WIDTH)]


def above_limit(editor: User) -> int:
    editing = Session.objects.filter(assigned_editor=editor, status=workflow.IN_EDITING).count()
    return max(0, editing - STUDIO.max_concurrent_editing_sessions)


def test_an_editor_never_exceeds_the_limit(studio, crowd, tally):
    line, model = tally("editor's limit"), studio.walk(workflow.ATTENDED).session
    for _ in range(FEWER):
        editor = person(Role.EDITOR)
        outcomes = crowd.race(takes_of_one(model, editor))
        line.add(outcomes, broken=above_limit(editor))
        assert_typed(outcomes, "INVALID_STATE_TRANSITION")
        assert len(winners(outcomes)) == min(WIDTH, STUDIO.max_concurrent_editing_sessions)
    assert line.broken == 0


def test_without_the_lock_of_the_editor_the_limit_is_exceeded(studio, crowd, tally, monkeypatch):
    """The sessions are still locked, each on its own: that is not enough."""
    line, model = tally("editor's limit, CONTROL"), studio.walk(workflow.ATTENDED).session
    monkeypatch.setattr(booking, "lock_people", guards.read_people)

    def attempt() -> int:
        editor = person(Role.EDITOR)
        line.add(crowd.race(takes_of_one(model, editor)), broken=above_limit(editor))
        return line.broken

    show(attempt)


# -- cancelling -----------------------------------------------------------------------------------------------------


def confirmed(studio: Studio, count: int) -> list[Session]:
    """Confirmed with a room and a photographer, one on each day."""
    walk = studio.walk(workflow.CONFIRMED).equip()
    return copies(walk.session, count, days_apart=1, with_time=True)


def cancels(studio: Studio, session: Session) -> list[Act]:
    how = {"by": studio.coordinator, "now": studio.now, "reason": "Ill", "initiator": "client"}
    return [partial(each.cancel, **how) for each in same(session, WIDTH)]


def done_twice(session: Session) -> int:
    """Cancellations, refunds, mails and lines in the audit log above one."""
    about = {"about_type": "sessions_app.session", "about_id": session.pk}
    counts = (
        times_reached(session, workflow.CANCELED),
        Payment.objects.refunds().filter(session=session).count(),
        OutgoingEmail.objects.filter(kind="cancellation_email", **about).count(),
        AuditEvent.objects.filter(event="session_canceled", object_id=str(session.pk)).count(),
    )
    return sum(counts) - len(counts)


def still_held(session: Session) -> int:
    return sum(rows.objects.holding().filter(session=session).count() for rows in (RoomReservation, StaffReservation))


def test_many_cancel_once(studio, crowd, tally):
    line = tally("many cancels")
    for session in confirmed(studio, HALF):
        outcomes = crowd.race(cancels(studio, session))
        line.add(outcomes, broken=done_twice(session) + still_held(session))
        assert_typed(outcomes, "INVALID_STATE_TRANSITION")
        assert len(winners(outcomes)) == 1
    assert line.broken == 0


def test_without_the_lock_many_cancel_many_times(studio, crowd, tally, monkeypatch):
    line, sessions = tally("many cancels, CONTROL"), iter(confirmed(studio, TRIES))
    guards.without_row_locks(monkeypatch)
    with guards.without_trigger("payments_payment", "payment_fits"):

        def attempt() -> int:
            session = next(sessions)
            line.add(crowd.race(cancels(studio, session)), broken=done_twice(session))
            return line.broken

        show(attempt)


def edits_and_cancels(studio: Studio, session: Session) -> list[Act]:
    """Half move it to another hour of its day, each to another one; half cancel."""
    acts = cancels(studio, session)
    for number in range(0, WIDTH, 2):
        begin = session.local_start.replace(hour=8, minute=0) + timedelta(minutes=5 * number)
        end = begin + timedelta(hours=1)
        when = When(session_date=begin.date(), start_time=begin.time(), end_time=end.time())
        acts[number] = partial(request.edit, session, when=when, by=studio.coordinator, now=studio.now)
    return acts


def rooms_and_cancels(studio: Studio, session: Session) -> list[Act]:
    """Half give it another room, each another one; half cancel."""
    acts = cancels(studio, session)
    for number in range(0, WIDTH, 2):
        room = RoomFactory()
        acts[number] = partial(people.give_room, session, room_id=room.pk, by=studio.coordinator, now=studio.now)
    return acts


def torn(session: Session) -> int:
    """What a cancellation that met another act must not leave: time that is held, or that is not the session's."""
    session.refresh_from_db()
    elsewhere = sum(
        (row.starts_at, row.ends_at) != (session.starts_at, session.ends_at)
        for row in (*session.room_reservations.order_by("id").reverse()[:1], *session.assignments.all())
    )
    wrong_end = session.status != workflow.CANCELED
    return still_held(session) + elsewhere + wrong_end + (times_reached(session, workflow.CANCELED) - 1)


AGAINST_CANCEL = [
    pytest.param("move against cancel", edits_and_cancels, id="move"),
    pytest.param("room against cancel", rooms_and_cancels, id="room"),
]


@pytest.mark.parametrize(("name", "acts"), AGAINST_CANCEL)
def test_a_canceled_session_holds_nothing(name, acts, studio, crowd, tally):
    line = tally(name)
    for number, session in enumerate(confirmed(studio, FEWER)):
        outcomes = crowd.race(turned(acts(studio, session), number))
        line.add(outcomes, broken=torn(session))
        assert_typed(outcomes, "INVALID_STATE_TRANSITION", "IMMUTABLE_SESSION")
    assert line.broken == 0


@pytest.mark.parametrize(("name", "acts"), AGAINST_CANCEL)
def test_without_the_lock_acts_run_into_each_other(name, acts, studio, crowd, tally, monkeypatch):
    line, sessions = tally(f"{name}, CONTROL"), iter(confirmed(studio, TRIES))
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        session = next(sessions)
        outcomes = crowd.race(acts(studio, session))
        line.add(outcomes, broken=torn(session) + untyped(outcomes))
        return line.broken

    show(attempt)


# -- confirming against the job that cancels ------------------------------------------------------------------------


def due_session(studio: Studio) -> Session:
    """One at a time: the job takes whatever is due."""
    return studio.walk(workflow.PRE_SCHEDULED).session


def confirms_and_jobs(studio: Studio, session: Session) -> list[Act]:
    """Half confirm with a deposit in the last second of the deadline; half are the job, in the first one after it."""
    deadline = session.payment_deadline
    deposit = Deposit(
        amount=session.deposit_amount, method="Transfer", document_number="BI-1", payment_date=studio.today
    )
    return [
        partial(jobs.auto_cancel_unpaid, deadline + timedelta(seconds=1))
        if number % 2
        else partial(each.confirm, by=studio.coordinator, now=deadline, deposit=deposit)
        for number, each in enumerate(same(session, WIDTH))
    ]


def round_of_confirms(line: Tally, studio: Studio, session: Session, crowd: Crowd, number: int) -> int:
    """One round; how much went wrong, an error that a job reports included."""
    outcomes = crowd.race(turned(confirms_and_jobs(studio, session), number))
    reports = [outcome.value for outcome in outcomes if isinstance(outcome.value, dict)]
    confirmations = times_reached(session, workflow.CONFIRMED)
    cancellations = times_reached(session, workflow.CANCELED)
    paid = Payment.objects.filter(session=session).count()
    broken = abs(confirmations + cancellations - 1) + abs(paid - confirmations)
    broken += sum(report["failed"] for report in reports) + untyped(outcomes)
    line.add(outcomes, broken=broken, won=confirmations + cancellations)
    if not broken:
        assert_typed(outcomes, "INVALID_STATE_TRANSITION")
    return broken


def test_a_session_is_confirmed_or_canceled_never_both(studio, crowd, tally):
    line = tally("confirm against auto-cancel")
    for number in range(FEWER):
        round_of_confirms(line, studio, due_session(studio), crowd, number)
    assert line.broken == 0


def test_without_the_lock_confirming_meets_the_job(studio, crowd, tally, monkeypatch):
    """The database refuses the status that has no history, in words that nobody should read."""
    line = tally("confirm against auto-cancel, CONTROL")
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        return round_of_confirms(line, studio, due_session(studio), crowd, line.rounds)

    show(attempt)


# -- reassigning ----------------------------------------------------------------------------------------------------


def reassigns(studio: Studio, session: Session, others: list[User]) -> list[Act]:
    """Each puts somebody else in the place of the same photographer."""
    [assignment] = session.assignments.filter(released_at=None)
    how = {"assignment_id": assignment.pk, "by": studio.coordinator, "now": studio.now}
    return [partial(people.reassign, session, photographer_id=other.pk, **how) for other in others]


def wrong_people(session: Session) -> int:
    """People on it above one, and grants of people who are not."""
    current = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED)
    on_it = set(current.values_list("staff_id", flat=True))
    granted = set(session.grants.values_list("user_id", flat=True))
    return abs(len(on_it) - 1) + len(granted ^ on_it)


def test_a_photographer_is_replaced_once(studio, crowd, tally):
    line = tally("reassign against reassign")
    others = [person(Role.PHOTOGRAPHER) for _ in range(WIDTH)]
    for number, session in enumerate(confirmed(studio, FEWER)):
        outcomes = crowd.race(turned(reassigns(studio, session, others), number))
        line.add(outcomes, broken=wrong_people(session))
        assert_typed(outcomes, "INVALID_INPUT")
        assert len(winners(outcomes)) == 1
    assert line.broken == 0


def test_without_locks_a_photographer_is_replaced_by_several(studio, crowd, tally, monkeypatch):
    line, sessions = tally("reassign against reassign, CONTROL"), iter(confirmed(studio, TRIES))
    others = [person(Role.PHOTOGRAPHER) for _ in range(WIDTH)]
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        session = next(sessions)
        outcomes = crowd.race(reassigns(studio, session, others))
        line.add(outcomes, broken=wrong_people(session) + untyped(outcomes))
        return line.broken

    show(attempt)


# -- a client who is deleted while somebody books for them ----------------------------------------------------------


def requests_and_deletions(studio: Studio) -> list[Act]:
    client = ClientFactory()
    return [
        partial(book.delete_client, client, by=studio.admin, now=studio.now)
        if number % 2
        else partial(studio.request, client=client)
        for number in range(WIDTH)
    ]


def sessions_of_nobody() -> int:
    """Clients that are gone and have a session under way."""
    gone = Session.objects.active().filter(client__deleted_at__isnull=False)
    return gone.values("client").annotate(count=Count("id")).count()


def test_nobody_books_for_a_client_who_is_gone(studio, crowd, tally):
    line = tally("request against deleted client")
    for number in range(FEWER):
        outcomes = crowd.race(turned(requests_and_deletions(studio), number))
        line.add(outcomes, broken=sessions_of_nobody())
        assert_typed(outcomes, "INVALID_INPUT")
    assert line.broken == 0


def test_without_the_lock_a_session_is_left_to_nobody(studio, crowd, tally, monkeypatch):
    line = tally("request against deleted client, CONTROL")
    guards.without_row_locks(monkeypatch)

    def attempt() -> int:
        line.add(crowd.race(requests_and_deletions(studio)), broken=sessions_of_nobody())
        return line.broken

    show(attempt)
