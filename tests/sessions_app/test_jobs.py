"""The nightly and morning jobs (business rules 9; D5, D6, D14)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from sessions_app import jobs, workflow
from sessions_app.actions import pay
from sessions_app.models import Client, Session, SessionDetail
from studio import jobs as schedule
from studio import outbox
from studio.models import JobRun, Notice, OutgoingEmail
from tests.factories.at_work import row_counts
from tests.factories.domain import Studio, at

pytestmark = pytest.mark.django_db


def reminders() -> int:
    return OutgoingEmail.objects.filter(kind="payment_reminder_email").count()


def test_unpaid_sessions_are_canceled_after_the_deadline_and_not_a_second_before():
    studio = Studio()
    session = studio.walk(workflow.PRE_SCHEDULED).session
    assert jobs.auto_cancel_unpaid(session.payment_deadline)["done"] == 0
    report = jobs.auto_cancel_unpaid(session.payment_deadline + timedelta(seconds=1))
    session.refresh_from_db()
    assert (report["done"], session.status) == (1, workflow.CANCELED)
    assert session.cancellation_reason == "Payment deadline expired - no deposit received"
    assert session.canceled_by_initiator == "system"
    assert session.history.last().changed_by is None


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("es", "Venció el plazo de pago sin que llegara el depósito."),
        ("en", "The payment deadline passed without a deposit."),
    ],
)
def test_client_reads_in_their_language_why_the_system_canceled(language: str, told: str):
    session = Studio().walk(workflow.PRE_SCHEDULED).session
    Client.objects.filter(pk=session.client_id).update(language=language)
    jobs.auto_cancel_unpaid(session.payment_deadline + timedelta(seconds=1))
    assert OutgoingEmail.objects.get(kind="cancellation_email").context["cancellation_reason"] == told


def test_canceling_twice_changes_nothing_more():
    studio = Studio()
    session = studio.walk(workflow.PRE_SCHEDULED).session
    late = session.payment_deadline + timedelta(days=3)
    jobs.auto_cancel_unpaid(late)
    assert jobs.auto_cancel_unpaid(late)["done"] == 0
    assert session.history.count() == 4
    assert OutgoingEmail.objects.filter(kind="cancellation_email").count() == 1


def test_a_paid_session_is_left_alone_and_shown_to_the_coordinators_once():
    studio = Studio()
    session = studio.walk(workflow.PRE_SCHEDULED).session
    for payment in pay.register_deposit(
        session,
        amount=Decimal("500.00"),
        method="Cash",
        document_number="1",
        payment_date=studio.today,
        by=studio.coordinator,
        now=studio.now,
    ):
        pay.verify(payment, by=studio.coordinator, now=studio.now)
    late = session.payment_deadline + timedelta(days=1)
    for _ in range(2):
        assert jobs.auto_cancel_unpaid(late)["skipped"] == 1
    session.refresh_from_db()
    assert session.status == workflow.PRE_SCHEDULED
    assert Notice.objects.filter(kind="paid_but_unconfirmed", recipient=studio.coordinator).count() == 1


def test_complete_sessions_are_assigned_and_the_others_reported_daily():
    studio = Studio()
    complete = studio.walk(workflow.CONFIRMED).equip().session
    missing = studio.walk(workflow.CONFIRMED, when=studio.when(20, "17:00", "18:00")).session
    night = complete.changes_deadline + timedelta(seconds=1)
    told = Notice.objects.filter(kind="resources_missing", recipient=studio.coordinator)
    report = jobs.auto_assign_confirmed(night)
    jobs.auto_assign_confirmed(night)
    assert told.count() == 1
    told.update(read_at=night)
    for later in (1, 1, 2):
        jobs.auto_assign_confirmed(night + timedelta(days=later))
    for session in (complete, missing):
        session.refresh_from_db()
    assert (report["done"], report["skipped"], report["failed"]) == (1, 1, 0)
    assert (complete.status, missing.status) == (workflow.ASSIGNED, workflow.CONFIRMED)
    assert told.count() == 2, "the one that was read, and the one of the last night"


@pytest.mark.parametrize(("days_before", "expected"), [(2, 0), (1, 1), (0, 1)])
def test_a_reminder_goes_out_the_day_before_or_on_the_day(days_before: int, expected: int):
    session = Studio().walk(workflow.PRE_SCHEDULED).session
    day = session.payment_deadline.astimezone(session.local_start.tzinfo).date()
    jobs.send_payment_reminders(at(day - timedelta(days=days_before), "09:00"))
    assert reminders() == expected


def test_a_deadline_is_never_reminded_of_twice_but_a_new_one_is():
    studio = Studio()
    session = studio.walk(workflow.PRE_SCHEDULED).session
    day = session.payment_deadline.astimezone(session.local_start.tzinfo).date()
    eve = at(day - timedelta(days=1), "09:00")
    jobs.send_payment_reminders(eve)
    jobs.send_payment_reminders(eve)
    jobs.send_payment_reminders(at(day, "09:00"))
    assert reminders() == 1
    session.reopen(by=studio.coordinator, now=eve)
    session.preschedule(by=studio.coordinator, now=eve)
    jobs.send_payment_reminders(at(day + timedelta(days=3), "09:00"))
    assert reminders() == 2


def test_one_session_that_fails_does_not_stop_the_others():
    studio = Studio()
    first, second = (studio.walk(workflow.PRE_SCHEDULED, when=studio.when(20 + n)).session for n in range(2))
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.id = {first.pk} THEN RAISE EXCEPTION 'stumbled'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER stumble BEFORE UPDATE ON sessions_app_session"
            " FOR EACH ROW EXECUTE FUNCTION stumble()"
        )
    report = jobs.auto_cancel_unpaid(first.payment_deadline + timedelta(days=1))
    second.refresh_from_db()
    assert (report["done"], report["failed"], second.status) == (1, 1, workflow.CANCELED)
    assert first.code in report["report"]["errors"]


def test_a_dry_run_lists_each_session_and_changes_nothing():
    studio = Studio()
    due = studio.walk(workflow.PRE_SCHEDULED).equip().session
    paid = studio.walk(workflow.PRE_SCHEDULED, when=studio.when(21)).session
    register_verified(studio, paid, "500.00")
    late = due.payment_deadline + timedelta(days=1)
    before = row_counts()
    report = jobs.auto_cancel_unpaid(late, dry_run=True)
    assert row_counts() == before
    assert [session.history.count() for session in (due, paid)] == [3, 3]
    [line] = report["plan"]
    assert due.code in line and studio.photographer.full_name in line and due.client.email in line
    assert report["report"]["skipped"] == {"deposit_covered": [paid.code]}
    assert (report["done"], report["skipped"], report["failed"]) == (1, 1, 0)
    assert jobs.auto_cancel_unpaid(late)["report"]["done"] == report["report"]["done"] == [due.code]


@pytest.mark.parametrize("job", [jobs.auto_assign_confirmed, jobs.send_payment_reminders, jobs.validate_integrity])
def test_every_job_has_a_dry_run(job):
    studio = Studio()
    confirmed = studio.walk(workflow.CONFIRMED).equip().session
    waiting = studio.walk(workflow.PRE_SCHEDULED, when=studio.when(21)).session
    SessionDetail.objects.filter(session=studio.walk(workflow.NEGOTIATION).session).delete()
    now = {
        jobs.auto_assign_confirmed: confirmed.changes_deadline + timedelta(seconds=1),
        jobs.send_payment_reminders: waiting.payment_deadline - timedelta(hours=5),
    }.get(job, studio.now)
    before = row_counts()
    would = job(now, dry_run=True)
    assert row_counts() == before
    done = job(now)
    for outcome in (would, done):
        outcome["plan"] = []
        outcome["report"].pop("seconds", None)
    assert done == would
    assert would["done"] > 0


def test_a_deposit_that_is_verified_meanwhile_is_seen_under_the_lock():
    """The list of what is due was read before: the last look is the one that counts (D14)."""
    studio = Studio()
    session = studio.walk(workflow.PRE_SCHEDULED).session
    late = session.payment_deadline + timedelta(seconds=1)
    register_verified(studio, session, "500.00")
    with pytest.raises(jobs.Skip, match="deposit_covered"):
        jobs._cancel_unpaid(session.pk, late)
    session.reopen(by=studio.coordinator, now=studio.now)
    with pytest.raises(jobs.Skip, match="no_longer_due"):
        jobs._cancel_unpaid(session.pk, late)


def test_a_night_of_many_asks_as_much_for_each_as_a_night_of_few():
    studio = Studio()
    night = None
    asked = []
    for days in (range(20, 22), range(22, 28)):
        sessions = [studio.walk(workflow.PRE_SCHEDULED, when=studio.when(each)).equip().session for each in days]
        night = sessions[-1].payment_deadline + timedelta(seconds=1)
        with CaptureQueriesContext(connection) as queries:
            assert jobs.auto_cancel_unpaid(night)["done"] == len(sessions)
        asked.append((len(queries) - 1) / len(sessions))
    assert asked[0] == asked[1] <= 19


def test_a_long_job_goes_on_in_another_task(monkeypatch):
    studio = Studio()
    sessions = [studio.walk(workflow.PRE_SCHEDULED, when=studio.when(20 + n)).session for n in range(3)]
    run = JobRun.objects.create(job="auto_cancel_unpaid", local_date=studio.today, due_at=studio.now)
    monkeypatch.setattr(schedule, "PART_SECONDS", -1)
    schedule.run_job(run.pk, now=sessions[0].payment_deadline + timedelta(seconds=1))
    run.refresh_from_db()
    assert (run.finished_at, run.started_at, run.done) == (None, None, 0)
    assert OrmQ.objects.count() == 1
    monkeypatch.undo()
    schedule.run_job(run.pk, now=sessions[0].payment_deadline + timedelta(seconds=1))
    run.refresh_from_db()
    assert (run.done, run.failed) == (3, 0)
    assert run.finished_at and run.took is not None
    assert run.report == {"done": [session.code for session in sessions]}


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_is_left_as_it_is_does_not_hold_up_what_comes_behind_it(monkeypatch, by_hand: bool):
    """Reminded sessions stay due: a part that began with them again would come no further than the last one."""
    studio = Studio()
    sessions = [studio.walk(workflow.PRE_SCHEDULED, when=studio.when(20 + n)).session for n in range(5)]
    morning = sessions[0].payment_deadline - timedelta(hours=12)
    assert jobs._remind(sessions[0].pk, morning) and jobs._remind(sessions[3].pk, morning)
    # Each part takes one session.
    monkeypatch.setattr(schedule.Tally, "is_time_to_stop", property(lambda tally: bool(tally.done or tally.skipped)))
    if by_hand:
        monkeypatch.setattr(schedule.timezone, "now", lambda: morning)
        schedule.run_by_hand("send_payment_reminders", morning)
    else:
        run = JobRun.objects.create(job="send_payment_reminders", local_date=studio.today, due_at=studio.now)
        for part in range(5):
            run.refresh_from_db()
            assert (run.finished_at, run.done + run.skipped) == (None, part)
            schedule.run_job(run.pk, now=morning)
    run = JobRun.objects.get()
    assert run.finished_at is not None
    assert (run.done, run.skipped, run.failed) == (3, 2, 0)
    codes = [session.code for session in sessions]
    assert run.report == {
        "done": [codes[1], codes[2], codes[4]],
        "skipped": {"reminded_already": [codes[0], codes[3]]},
    }
    assert reminders() == 5


def test_progress_is_written_while_the_job_is_at_work(monkeypatch):
    """A worker that dies in the middle leaves how far it had come; the next attempt adds to it."""
    studio = Studio()
    sessions = [studio.walk(workflow.PRE_SCHEDULED, when=studio.when(20 + n)).session for n in range(3)]
    night = sessions[0].payment_deadline + timedelta(seconds=1)
    run = JobRun.objects.create(job="auto_cancel_unpaid", local_date=studio.today, due_at=studio.now)
    monkeypatch.setattr(schedule, "PROGRESS_EVERY_SECONDS", 0)
    real = jobs._cancel_unpaid

    def dies_at_the_third(pk, now):
        if pk == sessions[2].pk:
            raise KeyboardInterrupt
        return real(pk, now)

    monkeypatch.setattr(jobs, "_cancel_unpaid", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        schedule.run_job(run.pk, now=night)
    run.refresh_from_db()
    assert (run.done, run.attempts, run.finished_at) == (2, 1, None)
    monkeypatch.undo()
    schedule.run_job(run.pk, now=night + schedule.STILL_RUNNING + timedelta(seconds=1))
    run.refresh_from_db()
    assert (run.done, run.attempts) == (3, 2)


def register_verified(studio: Studio, session: Session, amount: str) -> None:
    document = {"method": "Cash", "document_number": "1", "payment_date": studio.today}
    for payment in pay.register_deposit(
        session, amount=Decimal(amount), by=studio.coordinator, now=studio.now, **document
    ):
        pay.verify(payment, by=studio.coordinator, now=studio.now)


def test_a_reminder_that_was_dropped_is_sent_when_it_is_true_again(studio_with_deadline):
    """The deposit was verified, so the reminder went; then it was voided: the client has read nothing (D5)."""
    studio, session, eve = studio_with_deadline
    jobs.send_payment_reminders(eve)
    reminder = OutgoingEmail.objects.get(kind="payment_reminder_email")
    OutgoingEmail.objects.filter(pk=reminder.pk).update(status="dropped")
    assert jobs.send_payment_reminders(eve)["done"] == 1
    reminder.refresh_from_db()
    assert reminder.status == "waiting"
    admin = studio.admin
    assert outbox.set_aside(reminder, by=admin, now=eve)
    assert jobs.send_payment_reminders(eve)["report"]["skipped"] == {"reminded_already": [session.code]}


@pytest.fixture
def studio_with_deadline():
    studio = Studio()
    session = studio.walk(workflow.PRE_SCHEDULED).session
    day = session.payment_deadline.astimezone(session.local_start.tzinfo).date()
    return studio, session, at(day - timedelta(days=1), "09:00")
