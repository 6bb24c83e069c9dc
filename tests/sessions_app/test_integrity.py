"""The nightly check (business rules 9.4): what comes of it, and that it raises no alarm where the books are sound.

What it finds is broken one by one in ``tests/matrix/test_integrity.py``.
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone, translation

from payments.models import Payment
from scheduling.slots import Span
from sessions_app import integrity, jobs, workflow
from sessions_app.actions import book, editing, pay, people, price, request, shoot
from sessions_app.models import Session
from studio import jobs as schedule
from studio.conf import STUDIO
from studio.models import JobRun, Notice
from studio.roles import Role
from tests.factories import at_work
from tests.factories.domain import Studio, Walk, at, person
from tests.matrix.test_integrity import alter, execute

pytestmark = pytest.mark.django_db


def test_someone_who_is_taken_all_day_is_found_with_each_of_the_others():
    """A long one over two short ones: only the first of those follows it directly."""
    studio = Studio()
    short = [
        studio.request(when=studio.when(20, start, end), photographer_ids=(person(Role.PHOTOGRAPHER).pk,))
        for start, end in (("10:00", "11:00"), ("12:00", "13:00"), ("14:00", "15:00"))
    ]
    alter("ALTER TABLE scheduling_staffreservation DROP CONSTRAINT staff_never_twice")
    first = short[0].assignments.get()
    for each in short:
        each.assignments.update(staff=first.staff)
    short[0].assignments.update(during=(short[0].starts_at, short[2].ends_at))
    looked = integrity.look(integrity.CHECKS["people_overlap"], studio.now)
    assert [(fact["code"], fact["other"]) for fact in looked.facts] == [
        (short[1].code, short[0].code),
        (short[2].code, short[0].code),
    ]


# -- what comes of it -------------------------------------------------------------------------------------------------


def alerts(studio: Studio) -> list[Notice]:
    return list(Notice.objects.filter(kind="integrity_issue", recipient=studio.admin).order_by("pk"))


def unsound(studio: Studio) -> Session:
    session = studio.walk(workflow.PRE_SCHEDULED).session
    session.lines.first().delete()
    return session


def test_admins_alone_are_alerted_once_a_day_as_long_as_it_goes_on(caplog):
    studio = Studio()
    session = unsound(studio)
    night = at(studio.today, "02:00")
    for _again in range(2):
        jobs.validate_integrity(night)
    [alert] = alerts(studio)
    assert Notice.objects.filter(kind="integrity_issue").count() == 1
    with translation.override("en"):
        assert alert.text == "The nightly check found 1 problem."
    assert alert.url == "/health/"
    assert session.code in caplog.text and "totals_differ_from_lines" in caplog.text
    Notice.objects.update(read_at=night)
    jobs.validate_integrity(night)
    assert len(alerts(studio)) == 1, "it was read today"
    jobs.validate_integrity(night + timedelta(days=1))
    assert len(alerts(studio)) == 2, "it goes on"


def test_todays_alert_takes_the_place_of_yesterdays():
    studio = Studio()
    unsound(studio)
    night = at(studio.today, "02:00")
    jobs.validate_integrity(night)
    studio.walk(workflow.PRE_SCHEDULED).session.lines.all().delete()
    jobs.validate_integrity(night + timedelta(days=1))
    [alert] = alerts(studio)
    assert alert.params["count"] == 2


def test_an_alert_goes_when_all_is_sound_again():
    studio = Studio()
    session = unsound(studio)
    jobs.validate_integrity(studio.now)
    # What the advice says: save a line again.
    line = session.lines.get()
    price.change_line(session, line_id=line.pk, quantity=line.quantity, by=studio.coordinator, now=studio.now)
    jobs.validate_integrity(studio.now)
    assert alerts(studio) == []


def test_a_dry_run_says_what_it_would_and_tells_nobody():
    studio = Studio()
    session = unsound(studio)
    before = at_work.row_counts()
    with translation.override("en"):
        [line] = jobs.validate_integrity(studio.now, dry_run=True)["plan"]
    assert at_work.row_counts() == before
    assert line == f"{session.code}: The lines add up to Q\xa0100.00, the subtotal is Q\xa01,000.00."


def test_a_check_that_breaks_is_reported_and_stops_no_other():
    studio = Studio()
    session = unsound(studio)
    alter("ALTER TABLE studio_jobrun RENAME TO elsewhere")
    outcome = jobs.validate_integrity(studio.now)
    report = outcome["report"]
    assert set(report["errors"]) == {"job_runs_unfinished"}
    assert "ProgrammingError" in report["errors"]["job_runs_unfinished"]
    assert report["found"] == {"totals_differ_from_lines": [session.code]}
    assert (outcome["done"], outcome["failed"]) == (len(integrity.CHECKS) - 1, 2)
    assert alerts(studio)[0].params["count"] == 2
    broken = next(part for part in integrity.in_words(report) if part.name == "job_runs_unfinished")
    assert (broken.count, broken.findings) == (0, [])
    assert broken.error


def test_a_check_that_takes_too_long_is_given_up(monkeypatch):
    studio = Studio()
    slow = integrity.Check(finds="", says="", advice="", sql="SELECT pg_sleep(30)::text AS code")
    monkeypatch.setattr(integrity, "LONGEST_LOOK", timedelta(milliseconds=50))
    monkeypatch.setattr(integrity, "CHECKS", {"slow": slow, "guards_are_off": integrity.CHECKS["guards_are_off"]})
    execute("SET LOCAL statement_timeout = '77s'")
    report = integrity.validate(studio.now)["report"]
    assert list(report["errors"]) == ["slow"]
    assert "statement timeout" in report["errors"]["slow"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("77s",), "what was set before holds again"


def test_thousands_are_counted_and_the_first_of_them_named():
    studio = Studio()
    long_ago = studio.now - timedelta(days=400)
    JobRun.objects.bulk_create(
        JobRun(job="x", local_date=(long_ago + timedelta(days=n)).date(), due_at=long_ago, started_at=long_ago)
        for n in range(130)
    )
    outcome = integrity.validate(studio.now)
    report = outcome["report"]
    assert len(report["found"]["job_runs_unfinished"]) == schedule.NAMED
    assert (report["counts"], outcome["failed"]) == ({"job_runs_unfinished": 130}, 130)
    assert integrity.in_words(report)[0].count == 130


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"found": {"totals_differ_from_lines": ["S-2026-0001"]}},
        {"found": {"a_check_of_an_older_version": ["S-2026-0001"]}},
        {"found": {"rooms_overlap": ["S-2026-0001"]}, "facts": {"rooms_overlap": [{"code": "S-2026-0001"}]}},
    ],
)
def test_a_report_of_another_version_never_breaks_the_page(report):
    assert [part.count for part in integrity.in_words(report)] == [1] * len(report.get("found", {}))


def test_the_run_keeps_what_was_found_and_says_it_in_the_readers_language():
    studio = Studio()
    session = unsound(studio)
    schedule.run_by_hand("validate_integrity", studio.now)
    run = JobRun.objects.get(job="validate_integrity")
    assert run.report["found"] == {"totals_differ_from_lines": [session.code]}
    assert (run.done, run.failed, run.report["checks"]) == (len(integrity.CHECKS), 1, len(integrity.CHECKS))
    assert set(run.report["seconds"]) == set(integrity.CHECKS)
    with translation.override("en"):
        [part] = integrity.in_words(run.report)
        assert part.finds == "Totals that differ from their lines"


def test_the_page_of_the_records_explains_every_check():
    page = (
        (settings.BASE_DIR / "docs" / "data-model.md").read_text().partition("## What the nightly check looks for")[2]
    )
    assert re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE) == list(integrity.CHECKS)


# -- sound books raise no alarm ---------------------------------------------------------------------------------------


def assert_sound(now: datetime) -> None:
    outcome = integrity.validate(now, dry_run=True)
    assert (outcome["plan"], outcome["report"]["errors"], outcome["failed"]) == ([], {}, 0)


def test_a_studio_at_work_is_sound():
    at_work.build()
    assert_sound(timezone.now())


def reassigned_there_and_back(studio: Studio) -> None:
    """A -> B -> A, and somebody who was taken off (D34)."""
    other = person(Role.PHOTOGRAPHER)
    walk = studio.walk(workflow.CONFIRMED).equip()
    for photographer in (other, studio.photographer):
        current = walk.session.assignments.get(released_at=None)
        people.reassign(
            walk.session, assignment_id=current.pk, photographer_id=photographer.pk, by=studio.coordinator, now=walk.now
        )
    more = people.assign_photographer(
        walk.session, photographer_id=other.pk, coverage=walk.session.span, by=studio.coordinator, now=walk.now
    )
    walk.to(workflow.ATTENDED)
    people.take_off(walk.session, assignment_id=more.pk, by=studio.coordinator, now=walk.now)
    walk.to(workflow.COMPLETED)


def reopened_and_repriced(studio: Studio) -> None:
    """Confirmed, opened again, cheaper, what was paid too much given back, confirmed again (D13, D14)."""
    walk = studio.walk(workflow.CONFIRMED)
    walk.session.reopen(by=studio.coordinator, now=walk.now)
    reprice(studio, walk, Decimal("700.00"))
    pay.pay_out(
        pay.owe_difference(walk.session, by=studio.coordinator, now=walk.now),
        method="Cash",
        document_number="1",
        payment_date=studio.today,
        by=studio.coordinator,
        now=walk.now,
    )
    walk.session.preschedule(by=studio.coordinator, now=walk.now)
    walk.session.confirm(by=studio.coordinator, now=walk.now)


def cheaper_while_confirmed(studio: Studio) -> None:
    """The difference is owed and written down; then the price rises again, and the deposit stays as it was (D32)."""
    walk = studio.walk(workflow.CONFIRMED)
    reprice(studio, walk, Decimal("700.00"))
    pay.owe_difference(walk.session, by=studio.coordinator, now=walk.now)
    reprice(studio, walk, Decimal("0.00"))


def reprice(studio: Studio, walk: Walk, discount: Decimal) -> None:
    price.set_price(
        walk.session,
        transportation_cost=Decimal("0.00"),
        discount=discount,
        discount_reason="A friend" if discount else "",
        deposit_percentage=50,
        deposit_note="",
        by=studio.coordinator,
        now=walk.now,
    )


def canceled_and_paid_late(studio: Studio) -> None:
    """Money that is verified after the cancellation is owed back and paid out; some never came (D18, D19)."""
    walk = studio.walk(workflow.CONFIRMED).equip()
    late, lost = (balance(studio, walk, amount) for amount in ("100.00", "50.00"))
    walk.to(workflow.CANCELED)
    pay.verify(late, by=studio.coordinator, now=walk.now)
    pay.reject(lost, by=studio.coordinator, now=walk.now)
    for refund in Payment.objects.refunds().pending().filter(session=walk.session).order_by("pk")[:1]:
        pay.pay_out(
            refund, method="Cash", document_number="1", payment_date=studio.today, by=studio.coordinator, now=walk.now
        )


def canceled_and_voided(studio: Studio) -> None:
    """What the studio kept turns out to have been typed by mistake (D21)."""
    walk = studio.walk(workflow.ASSIGNED)
    walk.to(workflow.CANCELED)
    deposit = walk.session.payments.get(payment_type="Deposit")
    pay.void(deposit, reason="Typed twice", by=studio.coordinator, now=walk.now + timedelta(hours=1))


def balance(studio: Studio, walk: Walk, amount: str) -> Payment:
    return pay.register_balance(
        walk.session,
        amount=Decimal(amount),
        method="Cash",
        document_number="7",
        payment_date=studio.today,
        by=studio.coordinator,
        now=walk.now,
    )


def paid_voided_and_paid_again(studio: Studio) -> None:
    walk = studio.walk(workflow.CONFIRMED)
    wrong = balance(studio, walk, "100.00")
    pay.verify(wrong, by=studio.coordinator, now=walk.now)
    pay.void(wrong, reason="Wrong client", by=studio.coordinator, now=walk.now)
    pay.verify(balance(studio, walk, "500.00"), by=studio.coordinator, now=walk.now)
    walk.to(workflow.COMPLETED)


def canceled_by_the_system(studio: Studio) -> None:
    session = studio.walk(workflow.PRE_SCHEDULED).equip().session
    jobs.auto_cancel_unpaid(session.payment_deadline + timedelta(seconds=1))


def without_a_deposit(studio: Studio) -> None:
    walk = studio.walk(workflow.NEGOTIATION)
    price.add_package(walk.session, package=studio.package, by=studio.coordinator, now=walk.now)
    price.set_price(
        walk.session,
        transportation_cost=Decimal("0.00"),
        discount=Decimal("0.00"),
        discount_reason="",
        deposit_percentage=0,
        deposit_note="Known for years",
        by=studio.coordinator,
        now=walk.now,
    )
    walk.session.preschedule(by=studio.coordinator, now=walk.now)
    walk.session.confirm(by=studio.coordinator, now=walk.now)


def external_with_travel_past_midnight(studio: Studio) -> None:
    when = studio.when(20, "20:00", "02:00")
    walk = studio.walk(workflow.CONFIRMED, when=when, session_type=workflow.EXTERNAL_SESSION)
    span = walk.session.span
    long = Span(span.start - timedelta(hours=24), span.end + timedelta(hours=24))
    people.assign_photographer(
        walk.session, photographer_id=studio.photographer.pk, coverage=long, by=studio.coordinator, now=walk.now
    )
    walk.to(workflow.COMPLETED)


def moved_and_retyped(studio: Studio) -> None:
    """To another day with all that it holds, and out of the studio: the room is released."""
    session = studio.walk(workflow.PRE_SCHEDULED).equip().session
    then = {"by": studio.coordinator, "now": studio.now}
    request.edit(session, when=studio.when(40, "23:00", "01:00"), **then)
    session.refresh_from_db()
    request.edit(
        session, when=studio.when(41), session_type=workflow.EXTERNAL_SESSION, location="Finca El Pilar", **then
    )


def edited_by_an_admin_when_over(studio: Studio) -> None:
    """An Admin moves what is completed (D15): nothing is held, and the promise follows."""
    walk = studio.walk(workflow.COMPLETED)
    request.edit(walk.session, when=studio.when(10), by=studio.admin, now=walk.now)


def given_to_another_editor(studio: Studio) -> None:
    other = person(Role.EDITOR)
    walk = studio.walk(workflow.IN_EDITING)
    editing.move_delivery(walk.session, editing_days=30, note="Ill", by=studio.editor, now=walk.now)
    people.change_editor(walk.session, editor=other, by=studio.admin, now=walk.now)
    walk.session.ready(by=other, now=walk.now)


def shot_and_edited_by_one(studio: Studio) -> None:
    """Two parts of one person: taken off as photographer, they stay as editor."""
    both = person(Role.PHOTOGRAPHER, Role.EDITOR)
    walk = studio.walk(workflow.CONFIRMED).equip()
    more = people.assign_photographer(
        walk.session, photographer_id=both.pk, coverage=walk.session.span, by=studio.coordinator, now=walk.now
    )
    walk.to(workflow.ATTENDED)
    shoot.mark_attended(walk.session, by=both, now=walk.now)
    walk.session.take(by=both, now=walk.now)
    people.take_off(walk.session, assignment_id=more.pk, by=studio.coordinator, now=walk.now)


def deleted(studio: Studio) -> None:
    for state in (workflow.REQUEST, workflow.COMPLETED, workflow.CANCELED):
        walk = studio.walk(state)
        if state == workflow.REQUEST:
            walk.equip()
        book.delete_session(walk.session, by=studio.admin, now=walk.now)


def left_the_studio(studio: Studio) -> None:
    walk = studio.walk(workflow.ASSIGNED)
    walk.session.assignments.get().staff.groups.clear()


def moved_while_another_waited(studio: Studio) -> None:
    """Whoever had to wait for the lock writes an earlier moment after a later one."""
    session = studio.request()
    session.negotiate(by=studio.coordinator, now=studio.now + timedelta(minutes=9))
    session.cancel(by=studio.coordinator, now=studio.now, reason="Ill", initiator="client")


SOUND = [
    reassigned_there_and_back,
    reopened_and_repriced,
    cheaper_while_confirmed,
    canceled_and_paid_late,
    canceled_and_voided,
    paid_voided_and_paid_again,
    canceled_by_the_system,
    without_a_deposit,
    external_with_travel_past_midnight,
    moved_and_retyped,
    edited_by_an_admin_when_over,
    given_to_another_editor,
    shot_and_edited_by_one,
    deleted,
    left_the_studio,
    moved_while_another_waited,
]


@pytest.mark.parametrize("story", SOUND, ids=lambda story: story.__name__)
def test_what_the_rules_allow_is_sound(story):
    studio = Studio()
    story(studio)
    assert_sound(studio.now)


# Where clocks change: in the night, at midnight, and over the very last second of a day.
@pytest.mark.parametrize(
    ("zone", "today"),
    [
        ("America/New_York", "2026-02-20"),
        ("America/New_York", "2026-10-14"),
        ("Africa/Cairo", "2026-04-05"),
        ("America/Nuuk", "2026-03-10"),
        ("Australia/Lord_Howe", "2026-03-17"),
        ("Pacific/Kiritimati", "2026-03-02"),
    ],
)
def test_a_change_of_the_clocks_is_no_finding(zone, today):
    """Sessions, deadlines and deliveries on every day around it (D1)."""
    with STUDIO.overridden(time_zone=zone, room_turnaround_minutes=30):
        studio = Studio(today=datetime.fromisoformat(today).date())
        for days in range(8, 24):
            walk = studio.walk(workflow.NEGOTIATION, when=studio.when(days, "22:30", "04:30"))
            walk.now += timedelta(days=days // 2)
            walk.to((workflow.PRE_SCHEDULED, workflow.CONFIRMED, workflow.READY)[days % 3])
        assert_sound(studio.now)
        execute("UPDATE studio_outgoingemail SET status = 'sent', sent_at = created_at")
        assert_sound(studio.now + timedelta(days=60))
