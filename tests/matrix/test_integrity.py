"""The nightly check (business rules 9.4): each thing that it looks for is broken in the database itself, and found.

What would refuse the breaking is taken out inside of the test's transaction.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from sessions_app import integrity
from sessions_app.actions.request import When
from sessions_app.models import Session
from studio.models import JobRun
from studio.roles import Role
from tests.factories.domain import RoomFactory, person
from tests.matrix.conftest import Ten, tried
from tests.matrix.test_constraints import TRIGGERS

pytestmark = pytest.mark.django_db

Break = Callable[[Ten, Session], Any]


# -- how things are broken --------------------------------------------------------------------------------------------


def execute(statement: str, **values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def alter(statement: str) -> None:
    """Change a table: what waits for the end of the transaction is looked at before."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("SET CONSTRAINTS ALL DEFERRED")
    execute(statement)


def sql(statement: str) -> Break:
    """Past every trigger, as a restored copy or a superuser's shell would write."""

    def hit(ten: Ten, session: Session) -> None:
        execute("SET LOCAL session_replication_role = replica")
        execute(statement, id=session.pk, now=ten.studio.now)
        execute("SET LOCAL session_replication_role = DEFAULT")

    return hit


def altered(statement: str) -> Break:
    return lambda ten, session: alter(statement)


def paid(kind: str, amount: str, status: str = "Verified") -> Break:
    """A payment past the triggers that keep payments within the total and refunds within the payments."""
    decided, day = ("%(now)s", "'2026-03-02'") if status == "Verified" else ("NULL", "NULL")
    return sql(
        "INSERT INTO payments_payment (session_id, payment_type, amount, payment_status, payment_method,"
        " document_number, payment_date, notes, registered_at, verified_at, cash_day, deleted_flag, deleted_reason)"
        f" VALUES (%(id)s, '{kind}', {amount}, '{status}', 'Cash', '1', '2026-03-02', '', %(now)s, {decided}, {day},"
        " false, '')"
    )


def held(table: str, during: str) -> Break:
    return sql(f"UPDATE {table} SET during = {during} WHERE session_id = %(id)s AND released_at IS NULL")


def held_again(table: str, more: str = "") -> Break:
    return sql(f"UPDATE {table} SET released_at = NULL WHERE session_id = %(id)s {more}")


def granted(actor: str, codename: str) -> Break:
    return lambda ten, session: execute(
        "INSERT INTO sessions_app_sessionuserobjectpermission (user_id, permission_id, content_object_id)"
        " SELECT %(user)s, id, %(id)s FROM auth_permission WHERE codename = %(codename)s",
        user=ten.by(actor).pk,
        id=session.pk,
        codename=codename,
    )


def not_granted(codename: str) -> Break:
    return sql(
        "DELETE FROM sessions_app_sessionuserobjectpermission g USING auth_permission p"
        f" WHERE p.id = g.permission_id AND p.codename = '{codename}' AND g.content_object_id = %(id)s"
    )


def mailed(kind: str, status: str = "waiting", minutes_ago: int = 0) -> Break:
    """An e-mail about the session that a worker should have had, or has had, so many minutes ago."""
    claimed = "%(now)s - interval '1 minute' * %(ago)s" if status == "claimed" else "NULL"
    return lambda ten, session: execute(
        'INSERT INTO studio_outgoingemail (key, kind, "to", language, context, about_type, about_id, status, attempts,'
        " next_try_at, claimed_at, last_error, tries, created_at) VALUES (%(key)s, %(kind)s, 'client@example.test',"
        " 'es', '{}', 'sessions_app.session', %(id)s, %(status)s, 1, %(now)s - interval '1 minute' * %(ago)s,"
        f" {claimed}, '', '[]', %(now)s)",
        key=f"{kind}:x",
        kind=kind,
        status=status,
        id=session.pk,
        ago=minutes_ago,
        now=ten.studio.now,
    )


def in_turn(*hits: Break) -> Break:
    def hit(ten: Ten, session: Session) -> None:
        for each in hits:
            each(ten, session)

    return hit


def two_in_a_room(ten: Ten, session: Session) -> None:
    when = When(session_date=session.session_date, start_time=session.start_time, end_time=session.end_time)
    other = ten.studio.request(when=when, room_id=RoomFactory().pk)
    alter("ALTER TABLE scheduling_roomreservation DROP CONSTRAINT room_never_twice")
    other.room_reservations.update(room=session.room)
    Session.objects.filter(pk=other.pk).update(room=session.room)


def closed_at_its_end(ten: Ten, session: Session) -> None:
    alter("ALTER TABLE scheduling_roomreservation DROP CONSTRAINT room_never_twice")
    execute(
        "INSERT INTO scheduling_roomreservation (during, created_at, notes, room_id) VALUES"
        " (tstzrange(%(start)s, %(end)s), %(start)s, '', %(room)s)",
        start=session.ends_at - timedelta(minutes=1),
        end=session.ends_at + timedelta(hours=1),
        room=session.room_id,
    )


def two_of_a_person(ten: Ten, session: Session) -> None:
    when = When(session_date=session.session_date, start_time=session.start_time, end_time=session.end_time)
    other = person(Role.PHOTOGRAPHER)
    second = ten.studio.request(when=when, photographer_ids=(other.pk,))
    alter("ALTER TABLE scheduling_staffreservation DROP CONSTRAINT staff_never_twice")
    second.assignments.update(staff=ten.studio.photographer)
    granted("photographer", "session.view.own")(ten, second)
    granted("photographer", "session.mark-attended")(ten, second)
    second.grants.filter(user=other).delete()


def another_room(ten: Ten, session: Session) -> None:
    session.room_reservations.update(room=RoomFactory())


def unfinished_run(ten: Ten, session: Session) -> None:
    then = ten.studio.now - timedelta(days=1, seconds=1)
    JobRun.objects.create(job="auto_cancel_unpaid", local_date=then.date(), due_at=then, started_at=then)


ROOMS, PEOPLE = "scheduling_roomreservation", "scheduling_staffreservation"
ON_IT = "AND assignment_status <> 'Reassigned'"

# The check that is meant, the state of the session that is broken, how, and the checks that see it from another side.
BROKEN: list[tuple[str, str, str, Break, set[str]]] = [
    # -- money
    ("totals_differ_from_lines", "Pre-scheduled", "a line is gone", lambda ten, s: s.lines.first().delete(), set()),
    ("totals_differ_from_lines", "Confirmed", "all are gone", lambda ten, s: s.lines.all().delete(), set()),
    (
        "paid_above_total",
        "Confirmed",
        "the total fell",
        in_turn(
            sql("DELETE FROM sessions_app_sessiondetail WHERE session_id = %(id)s AND line_subtotal > 800"),
            sql("UPDATE sessions_app_session SET subtotal = 100, total = 100 WHERE id = %(id)s"),
        ),
        set(),
    ),
    ("paid_above_total", "Pre-scheduled", "past the trigger", paid("Balance", "1000.01"), set()),
    (
        "refunds_above_payments",
        "Confirmed",
        "more went out than came in",
        paid("Refund", "500.01"),
        set(),
    ),
    ("refunds_above_payments", "Assigned", "more is promised than is left", paid("Refund", "500.01", "Pending"), set()),
    (
        "deposit_is_not_in",
        "Assigned",
        "voided",
        sql(
            "UPDATE payments_payment SET deleted_flag = true, deleted_at = %(now)s, deleted_reason = 'x',"
            " void_cash_day = '2026-03-02'"
            " WHERE session_id = %(id)s"
        ),
        set(),
    ),
    (
        "kept_differs_from_payments",
        "Canceled",
        "more is kept than there is",
        sql("UPDATE sessions_app_session SET kept_amount = 500.01 WHERE id = %(id)s"),
        set(),
    ),
    (
        "kept_differs_from_payments",
        "Canceled",
        "less is kept than there is",
        sql("UPDATE sessions_app_session SET kept_amount = 499.99 WHERE id = %(id)s"),
        set(),
    ),
    ("kept_differs_from_payments", "Canceled", "more went back", paid("Refund", "100"), set()),
    # -- people and rooms
    (
        "assigned_without_photographers",
        "Attended",
        "all were replaced",
        sql(
            f"UPDATE {PEOPLE} SET assignment_status = 'Reassigned', is_lead_photographer = false, released_at = %(now)s"
            " WHERE session_id = %(id)s"
        ),
        {"grants_are_left_over"},
    ),
    (
        "assigned_without_photographers",
        "Completed",
        "the rows are gone",
        sql(f"DELETE FROM {PEOPLE} WHERE session_id = %(id)s"),
        {"grants_are_left_over"},
    ),
    ("rooms_overlap", "Confirmed", "two sessions", two_in_a_room, {"guards_are_off"}),
    ("rooms_overlap", "Confirmed", "a closure", closed_at_its_end, {"guards_are_off"}),
    ("people_overlap", "Confirmed", "two sessions", two_of_a_person, {"guards_are_off"}),
    (
        "rooms_differ_from_sessions",
        "Assigned",
        "another day",
        held(ROOMS, "tstzrange(lower(during) + interval '90 days', upper(during) + interval '90 days')"),
        set(),
    ),
    (
        "rooms_differ_from_sessions",
        "Confirmed",
        "ends too early",
        held(ROOMS, "tstzrange(lower(during), upper(during) - interval '1 minute')"),
        set(),
    ),
    ("rooms_differ_from_sessions", "Confirmed", "another room", another_room, {"rooms_are_not_held"}),
    ("rooms_differ_from_sessions", "Canceled", "held for nothing", held_again(ROOMS), set()),
    ("rooms_differ_from_sessions", "Completed", "held after it", held_again(ROOMS), set()),
    (
        "people_differ_from_sessions",
        "Assigned",
        "another day",
        held(PEOPLE, "tstzrange(lower(during) + interval '90 days', upper(during) + interval '90 days')"),
        set(),
    ),
    (
        "people_differ_from_sessions",
        "Ready for Delivery",
        "for days",
        # The next day's is over, and its people free.
        held(PEOPLE, "tstzrange(lower(during), upper(during) + interval '25 hours')"),
        set(),
    ),
    ("people_differ_from_sessions", "Canceled", "held for nothing", held_again(PEOPLE, ON_IT), set()),
    ("people_differ_from_sessions", "Completed", "held after it", held_again(PEOPLE, ON_IT), set()),
    (
        "rooms_are_not_held",
        "Request",
        "released",
        sql(f"UPDATE {ROOMS} SET released_at = %(now)s WHERE session_id = %(id)s"),
        set(),
    ),
    (
        "people_are_not_held",
        "Confirmed",
        "released",
        sql(f"UPDATE {PEOPLE} SET released_at = %(now)s WHERE session_id = %(id)s"),
        set(),
    ),
    (
        "holds_differ_from_reservations",
        "Negotiation",
        "nothing says until when",
        sql("UPDATE sessions_app_session SET held_until = NULL WHERE id = %(id)s"),
        set(),
    ),
    (
        "holds_differ_from_reservations",
        "Negotiation",
        "beyond its start",
        sql("UPDATE sessions_app_session SET held_until = ends_at WHERE id = %(id)s"),
        set(),
    ),
    (
        "holds_differ_from_reservations",
        "Request",
        "nothing is held",
        sql(
            "WITH room AS (DELETE FROM scheduling_roomreservation WHERE session_id = %(id)s),"
            " people AS (UPDATE scheduling_staffreservation SET assignment_status = 'Reassigned',"
            " is_lead_photographer = false, released_at = %(now)s WHERE session_id = %(id)s)"
            " UPDATE sessions_app_session SET room_id = NULL WHERE id = %(id)s"
        ),
        {"grants_are_left_over"},
    ),
    (
        "deleted_sessions_hold_time",
        "Request",
        "deleted by hand",
        sql("UPDATE sessions_app_session SET deleted_at = %(now)s WHERE id = %(id)s"),
        set(),
    ),
    # -- who may know
    ("grants_are_missing", "Request", "a photographer who does not see it", not_granted("session.view.own"), set()),
    ("grants_are_missing", "Assigned", "one who cannot mark it", not_granted("session.mark-attended"), set()),
    ("grants_are_missing", "In Editing", "an editor who cannot end it", not_granted("session.mark-ready"), set()),
    ("grants_are_missing", "Canceled", "nobody sees that it is off", not_granted("session.view.own"), set()),
    (
        "grants_are_left_over",
        "Confirmed",
        "who was taken off still sees it",
        granted("former_photographer", "session.view.own"),
        set(),
    ),
    (
        "grants_are_left_over",
        "Assigned",
        "a photographer as editor",
        granted("photographer", "session.mark-ready"),
        set(),
    ),
    (
        "grants_are_left_over",
        "In Editing",
        "an editor as photographer",
        granted("editor", "session.mark-attended"),
        set(),
    ),
    ("grants_are_left_over", "Attended", "an editor of nothing", granted("editor", "session.view.own"), set()),
    ("grants_are_left_over", "Request", "of another kind", granted("photographer", "session.cancel"), set()),
    # -- history and deadlines
    (
        "history_is_broken",
        "Confirmed",
        "a line is gone",
        sql("DELETE FROM sessions_app_statushistory WHERE session_id = %(id)s AND new_status = 'Pre-scheduled'"),
        set(),
    ),
    (
        "history_is_broken",
        "Confirmed",
        "the beginning is gone",
        sql("DELETE FROM sessions_app_statushistory WHERE session_id = %(id)s AND previous_status IS NULL"),
        set(),
    ),
    (
        "history_is_broken",
        "Request",
        "begun elsewhere",
        sql(
            "UPDATE sessions_app_statushistory SET new_status = 'Negotiation' WHERE session_id = %(id)s;"
            " UPDATE sessions_app_session SET status = 'Negotiation' WHERE id = %(id)s"
        ),
        set(),
    ),
    (
        "history_is_broken",
        "Request",
        "begun twice",
        in_turn(
            altered("DROP INDEX history_begins_once"),
            sql(
                "INSERT INTO sessions_app_statushistory (session_id, new_status, reason, changed_at)"
                " VALUES (%(id)s, 'Request', '', %(now)s)"
            ),
        ),
        {"guards_are_off"},
    ),
    (
        "history_ends_elsewhere",
        "Request",
        "moved by hand",
        sql("UPDATE sessions_app_session SET status = 'Negotiation' WHERE id = %(id)s"),
        set(),
    ),
    (
        "history_ends_elsewhere",
        "Request",
        "no history",
        sql("DELETE FROM sessions_app_statushistory WHERE session_id = %(id)s"),
        set(),
    ),
    (
        "history_goes_back_in_time",
        "Confirmed",
        "a wrong clock",
        sql(
            "UPDATE sessions_app_statushistory SET changed_at = changed_at - interval '61 minutes'"
            " WHERE session_id = %(id)s AND new_status = 'Confirmed'"
        ),
        set(),
    ),
    (
        "moves_outside_the_table",
        "Negotiation",
        "a leap and back",
        sql(
            "INSERT INTO sessions_app_statushistory (session_id, previous_status, new_status, reason, changed_at)"
            " VALUES (%(id)s, 'Negotiation', 'Request', '', %(now)s), (%(id)s, 'Request', 'Negotiation', '', %(now)s)"
        ),
        set(),
    ),
    (
        "deadlines_inside_a_day",
        "Pre-scheduled",
        "a second late",
        sql(
            "UPDATE sessions_app_session SET payment_deadline = payment_deadline + interval '1 second'"
            " WHERE id = %(id)s"
        ),
        set(),
    ),
    (
        "deadlines_inside_a_day",
        "Confirmed",
        "in another zone",
        sql("UPDATE sessions_app_session SET changes_deadline = '2026-03-15 23:59:59+00' WHERE id = %(id)s"),
        set(),
    ),
    (
        "delivery_differs_from_editing_days",
        "In Editing",
        "a day late",
        sql("UPDATE sessions_app_session SET estimated_delivery_date = estimated_delivery_date + 1 WHERE id = %(id)s"),
        set(),
    ),
    # -- mail and jobs
    ("mail_claims_left_behind", "Confirmed", "no mark", mailed("confirmation_email", "claimed", 61), set()),
    ("mail_left_waiting", "Confirmed", "no worker", mailed("confirmation_email", minutes_ago=361), set()),
    (
        "mail_about_deleted_sessions",
        "Completed",
        "deleted",
        in_turn(
            sql("UPDATE sessions_app_session SET deleted_at = %(now)s WHERE id = %(id)s"),
            mailed("material_ready_email", minutes_ago=61),
        ),
        set(),
    ),
    ("reminders_of_nothing_due", "Canceled", "canceled", mailed("payment_reminder_email", minutes_ago=61), set()),
    *(
        (
            "mail_was_never_written",
            state,
            kind,
            sql(f"DELETE FROM studio_outgoingemail WHERE about_id = %(id)s AND kind = '{kind}'"),
            set(),
        )
        for state, kind in (
            ("Confirmed", "confirmation_email"),
            ("Completed", "material_ready_email"),
            ("Canceled", "cancellation_email"),
        )
    ),
    ("job_runs_unfinished", "Request", "lost", unfinished_run, set()),
    # -- the database itself
    (
        "guards_are_off",
        "Request",
        "a constraint is gone",
        altered("ALTER TABLE sessions_app_session DROP CONSTRAINT session_total_adds_up"),
        set(),
    ),
    ("guards_are_off", "Request", "an index is gone", altered("DROP INDEX payment_one_live_deposit"), set()),
    ("guards_are_off", "Request", "a trigger is gone", altered("DROP TRIGGER payment_fits ON payments_payment"), set()),
    (
        "guards_are_off",
        "Request",
        "triggers are disabled",
        altered("ALTER TABLE payments_payment DISABLE TRIGGER ALL"),
        set(),
    ),
    (
        "guards_are_off",
        "Request",
        "a constraint was never looked at",
        in_turn(
            altered("ALTER TABLE sessions_app_session DROP CONSTRAINT session_amounts_not_negative"),
            altered(
                "ALTER TABLE sessions_app_session"
                " ADD CONSTRAINT session_amounts_not_negative CHECK (total >= 0) NOT VALID"
            ),
        ),
        set(),
    ),
]


@pytest.mark.parametrize(
    ("check", "state", "hit", "others"),
    [pytest.param(check, state, hit, others, id=f"{check}-{how}") for check, state, how, hit, others in BROKEN],
)
def test_what_is_broken_is_found_and_nothing_else(ten, check, state, hit, others):
    with tried():
        session = ten.session(state)
        hit(ten, session)
        outcome = integrity.validate(ten.studio.now, dry_run=True)
        report = outcome["report"]
        assert report["errors"] == {}
        assert set(report["found"]) == {check, *others}
        if check not in ("job_runs_unfinished", "guards_are_off"):
            assert session.code in {word for fact in report["facts"][check] for word in fact.values()}
        assert outcome["failed"] == sum(len(codes) for codes in report["found"].values())
        # The words have all that they need, and no dash in its place.
        for part in integrity.in_words(report):
            assert part.finds and part.advice and part.count
            assert all(finding.text and "%(" not in finding.text for finding in part.findings)
        assert len(outcome["plan"]) == outcome["failed"]


def test_every_check_is_broken_by_a_test():
    assert {check for check, *_rest in BROKEN} == set(integrity.CHECKS)


def test_every_trigger_is_looked_after():
    assert set(integrity.TRIGGERS) == set(TRIGGERS)


# -- and nothing else --------------------------------------------------------------------------------------------------


def assert_sound(now: datetime) -> None:
    outcome = integrity.validate(now, dry_run=True)
    assert (outcome["plan"], outcome["report"]["errors"], outcome["failed"]) == ([], {}, 0)


def test_ten_sessions_in_ten_states_are_sound(ten):
    for later in (0, 30, 400):
        execute("UPDATE studio_outgoingemail SET status = 'sent', sent_at = created_at")
        assert_sound(ten.studio.now + timedelta(days=later))


def test_what_is_under_way_in_the_outbox_and_among_the_jobs_is_sound(ten):
    """E-mails and runs within their time."""
    with tried():
        mailed("confirmation_email", "claimed", 59)(ten, ten.session("Confirmed"))
        execute(
            "UPDATE studio_outgoingemail SET next_try_at = %(now)s - interval '5 hours 59 minutes'"
            " WHERE key NOT LIKE '%%:x'",
            now=ten.studio.now,
        )
        mailed("payment_reminder_email", minutes_ago=59)(ten, ten.session("Canceled"))
        JobRun.objects.create(job="x", local_date=ten.studio.today, due_at=ten.studio.now - timedelta(hours=23))
        assert_sound(ten.studio.now)
