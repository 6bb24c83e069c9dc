"""Who is told what on the dashboard, and when it is taken back (business rules 8.2; architecture, Mail and notices)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from scheduling.slots import Span, whole_days
from sessions_app import jobs, notices, workflow
from sessions_app.actions import appoint, book, editing, pay, people, request, shoot, time_off
from sessions_app.models import Session, SessionDetail
from studio.models import Notice, User
from studio.notices import KINDS, lines
from studio.roles import Role
from tests.factories.domain import Studio, Walk, person

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@dataclass
class Stage:
    """A studio with two of each, one of each who has left, and a session in a state with ``ana`` on it."""

    studio: Studio = field(default_factory=Studio)
    walk: Walk | None = None

    def __post_init__(self) -> None:
        studio = self.studio
        self.people = {
            "carlos": studio.coordinator,
            "maria": person(Role.COORDINATOR),
            "gabriela": studio.admin,
            "ana": studio.photographer,
            "diego": person(Role.PHOTOGRAPHER),
            "lucia": person(Role.PHOTOGRAPHER),
            "elena": studio.editor,
            "peter": person(Role.EDITOR),
            "nico": person(Role.ARTIST),
            "sara": person(Role.ARTIST),
            "all": person(Role.COORDINATOR, Role.PHOTOGRAPHER, Role.EDITOR),
            "nobody": person(),
            "former coordinator": person(Role.COORDINATOR, is_active=False),
            "former editor": person(Role.EDITOR, is_active=False),
            "former admin": person(Role.ADMIN, is_active=False),
        }

    def at(self, state: str) -> "Stage":
        self.walk = self.studio.walk(state)
        if state not in (workflow.COMPLETED, workflow.CANCELED):
            self.walk.equip()
        Notice.objects.all().delete()
        return self

    @property
    def session(self) -> Session:
        return self.walk.session

    @property
    def now(self) -> Any:
        return self.walk.now

    def __getitem__(self, name: str) -> User:
        return self.people[name]

    def row_of(self, name: str) -> Any:
        return self.session.assignments.get(staff=self[name], released_at=None)

    def told(self) -> dict[str, list[str]]:
        """What each person has been told, who was told nothing left out."""
        known = {each.pk: name for name, each in self.people.items()}
        found: dict[str, list[str]] = {}
        for notice in Notice.objects.order_by("kind", "pk"):
            found.setdefault(known[notice.recipient_id], []).append(notice.kind)
        return found


def put_on(stage: Stage, name: str, by: str = "carlos", session: Session | None = None) -> None:
    session = session or stage.session
    people.assign_photographer(
        session, photographer_id=stage[name].pk, coverage=session.span, by=stage[by], now=stage.now
    )


def two_photographers(stage: Stage) -> None:
    put_on(stage, "diego")
    Notice.objects.all().delete()


def reassign(stage: Stage, new: str, by: str = "carlos") -> None:
    people.reassign(
        stage.session, assignment_id=stage.row_of("ana").pk, photographer_id=stage[new].pk, by=stage[by], now=stage.now
    )


def take_off(stage: Stage, by: str = "carlos") -> None:
    people.take_off(stage.session, assignment_id=stage.row_of("ana").pk, by=stage[by], now=stage.now)


def change_hours(stage: Stage) -> None:
    span = stage.session.span
    people.change_coverage(
        stage.session,
        assignment_id=stage.row_of("ana").pk,
        coverage=Span(span.start - HOUR, span.end),
        by=stage["carlos"],
        now=stage.now,
    )


def lead(stage: Stage) -> None:
    two_photographers(stage)
    people.make_lead(stage.session, assignment_id=stage.row_of("diego").pk, by=stage["carlos"], now=stage.now)


def edit(stage: Stage, days: int = 20, by: str = "carlos", **values: Any) -> None:
    request.edit(stage.session, when=stage.studio.when(days), by=stage[by], now=stage.now, **values)


def move(name: str, by: str = "carlos", **payload: Any) -> Callable[[Stage], Any]:
    def act(stage: Stage) -> None:
        given = {key: stage[value] if key == "editor" else value for key, value in payload.items()}
        if name == "confirm" and not stage.session.payments.exists():
            given["deposit"] = stage.walk.deposit()
        now = max(stage.now, stage.session.changes_deadline + HOUR) if name == "assign" else stage.now
        now = max(now, stage.session.ends_at) if name == "attend" else now
        stage.session.move(name, by=stage[by] if by else None, now=now, **given)

    return act


def cancel(by: str = "carlos") -> Callable[[Stage], Any]:
    return move("cancel", by, reason="Ill", initiator="client")


def second_mark(stage: Stage) -> None:
    two_photographers(stage)
    move("attend", "ana")(stage)
    Notice.objects.all().delete()
    shoot.mark_attended(stage.session, by=stage["diego"], now=stage.session.ends_at)


def another_editor(stage: Stage) -> None:
    people.change_editor(stage.session, editor=stage["peter"], by=stage["gabriela"], now=stage.now)


def deposit(stage: Stage) -> None:
    pay.register_deposit(
        stage.session,
        amount=Decimal("500.00"),
        method="Cash",
        document_number="1",
        payment_date=stage.studio.today,
        by=stage["carlos"],
        now=stage.now,
    )


def paid_at_midnight(stage: Stage) -> None:
    deposit(stage)
    pay.verify(stage.session.payments.get(), by=stage["carlos"], now=stage.now)
    unpaid_at_midnight(stage)


def unpaid_at_midnight(stage: Stage) -> None:
    jobs.auto_cancel_unpaid(stage.session.payment_deadline + HOUR)


def midnight(stage: Stage) -> None:
    jobs.auto_assign_confirmed(stage.session.changes_deadline + HOUR)


def midnight_with_nobody(stage: Stage) -> None:
    take_off(stage)
    Notice.objects.all().delete()
    midnight(stage)


def block(stage: Stage, name: str, by: str) -> None:
    days = whole_days(stage.studio.today, stage.studio.today + timedelta(days=2))
    time_off.block(stage[name], span=days, by=stage[by], now=stage.now)


def booked(stage: Stage) -> Session:
    """An appointment of nico's."""
    start = stage.studio.now + timedelta(days=40)
    return appoint.book(
        client=stage.studio.client,
        artist_id=stage["nico"].pk,
        span=Span(start, start + HOUR),
        by=stage["carlos"],
        now=stage.now,
    )


def of_appointment(act: Callable[[Stage, Session], Any]) -> Callable[[Stage], Any]:
    """What happens to an appointment of which everybody knows."""

    def acted(stage: Stage) -> None:
        session = booked(stage)
        Notice.objects.all().delete()
        act(stage, session)

    return acted


def change(stage: Stage, session: Session, **values: Any) -> None:
    appoint.change(session, by=stage["carlos"], now=stage.now, **values)


def broken_books(stage: Stage) -> None:
    SessionDetail.objects.all().delete()
    jobs.validate_integrity(stage.now)


COORDINATORS = {"carlos", "maria", "all"}
EDITORS = {"elena", "peter", "all"}


def all_of(names: set[str], kind: str) -> dict[str, list[str]]:
    return {name: [kind] for name in names}


# In which state, who does what, and what each person is told. Nobody else is told anything.
TABLE: list[tuple[str, str, Callable[[Stage], Any], dict[str, list[str]]]] = [
    ("put on", "Request", lambda s: put_on(s, "diego"), {"diego": ["session_assigned"]}),
    ("put on by themselves", "Request", lambda s: put_on(s, "all", by="all"), {}),
    (
        "replaced",
        "Assigned",
        lambda s: reassign(s, "diego"),
        {"ana": ["assignment_changed"], "diego": ["assignment_changed"]},
    ),
    ("replaced by themselves", "Request", lambda s: reassign(s, "all", by="all"), {"ana": ["assignment_changed"]}),
    ("taken off", "Confirmed", take_off, {"ana": ["assignment_changed"]}),
    ("other hours", "Assigned", change_hours, {"ana": ["coverage_changed"]}),
    ("another lead", "Assigned", lead, {}),
    ("another room", "Request", lambda s: people.take_room(s.session, by=s["carlos"], now=s.now), {}),
    ("moved", "Confirmed", lambda s: edit(s, 21), {"ana": ["session_moved"]}),
    ("described", "Confirmed", lambda s: edit(s, event_description="Twins"), {}),
    ("negotiated", "Request", move("negotiate"), {}),
    ("confirmed", "Pre-scheduled", move("confirm"), {}),
    ("reopened", "Confirmed", move("reopen"), {}),
    ("deposit registered", "Pre-scheduled", deposit, {}),
    ("assigned", "Confirmed", move("assign"), {"ana": ["session_settled"]}),
    ("assigned by the system", "Confirmed", midnight, {"ana": ["session_settled"]}),
    ("nothing to assign", "Confirmed", midnight_with_nobody, all_of(COORDINATORS, "resources_missing")),
    ("attended", "Assigned", move("attend", "ana"), all_of(EDITORS, "session_for_editing")),
    ("attended by two", "Assigned", second_mark, {}),
    ("taken", "Attended", move("take", "elena"), {}),
    ("given by an Admin", "Attended", move("take", "gabriela", editor="peter"), {"peter": ["session_given_to_edit"]}),
    (
        "given to another",
        "In Editing",
        another_editor,
        {"elena": ["session_taken_from_edit"], "peter": ["session_given_to_edit"]},
    ),
    (
        "delivery moved",
        "In Editing",
        lambda s: editing.move_delivery(s.session, editing_days=9, note="Ill", by=s["elena"], now=s.now),
        {},
    ),
    ("ready", "In Editing", move("ready", "elena"), all_of(COORDINATORS, "material_ready")),
    ("completed", "Ready for Delivery", move("complete"), {}),
    ("canceled", "Assigned", cancel(), {"ana": ["assignment_off"]}),
    ("canceled in the office", "Request", cancel(), {"ana": ["assignment_off"]}),
    ("canceled by the system", "Pre-scheduled", unpaid_at_midnight, {"ana": ["assignment_off"]}),
    ("paid, not confirmed", "Pre-scheduled", paid_at_midnight, all_of(COORDINATORS, "paid_but_unconfirmed")),
    ("broken books", "Pre-scheduled", broken_books, {"gabriela": ["integrity_issue"]}),
    ("appointment booked", "Request", booked, {"nico": ["appointment_booked"]}),
    (
        "appointment moved",
        "Request",
        of_appointment(lambda s, a: change(s, a, span=Span(a.starts_at + HOUR, a.ends_at + HOUR))),
        {"nico": ["appointment_moved"]},
    ),
    (
        "appointment put on hold",
        "Request",
        of_appointment(lambda s, a: a.hold(by=s["carlos"], now=s.now)),
        {"nico": ["appointment_changed"]},
    ),
    (
        "appointment given to another",
        "Request",
        of_appointment(lambda s, a: change(s, a, artist_id=s["sara"].pk)),
        {"nico": ["appointment_given"], "sara": ["appointment_given"]},
    ),
    (
        "appointment changed by its artist",
        "Request",
        of_appointment(lambda s, a: a.hold(by=s["nico"], now=s.now)),
        {},
    ),
    ("time off by the office", "Request", lambda s: block(s, "diego", by="carlos"), {"diego": ["time_off_changed"]}),
    ("time off of their own", "Request", lambda s: block(s, "diego", by="diego"), {}),
    ("deleted", "Completed", lambda s: book.delete_session(s.session, by=s["gabriela"], now=s.now), {}),
]


@pytest.mark.parametrize(
    ("state", "act", "expected"), [pytest.param(*row[1:], id=row[0].replace(" ", "-")) for row in TABLE]
)
def test_each_is_told_what_concerns_them_and_nobody_else(state, act, expected):
    stage = Stage().at(state)
    act(stage)
    assert stage.told() == expected
    # What everybody on a session may know: never money, nor what is hidden of a client (permissions, object level).
    for notice in Notice.objects.exclude(kind="integrity_issue"):
        assert set(notice.params) <= {"code", "title", "when", "until", "place", "by", "variant"}
        assert stage.studio.client.delivery_address not in str(notice.params)


def test_every_kind_about_sessions_is_in_the_table():
    told = {kind for _name, _state, _act, expected in TABLE for kinds in expected.values() for kind in kinds}
    assert set(KINDS) - told == {"job_failed", "email_given_up"}, "those two are the jobs' and the outbox's"


# -- taken back when no longer so -------------------------------------------------------------------------------------


def unread(kind: str) -> set[int]:
    return set(Notice.objects.filter(kind=kind, read_at=None).values_list("recipient_id", flat=True))


def test_what_waited_for_somebody_goes_when_they_have_acted():
    stage = Stage().at(workflow.ASSIGNED)
    for name, by, kind in (("attend", "ana", "session_for_editing"), ("ready", "elena", "material_ready")):
        if name == "ready":
            move("take", "elena")(stage)
            assert not unread("session_for_editing"), "somebody has taken it"
        move(name, by)(stage)
        assert unread(kind)
    move("complete")(stage)
    assert not unread("material_ready"), "it is delivered"


@pytest.mark.parametrize("found", ["photographer", "room"])
def test_what_is_missing_is_no_longer_told_once_it_is_found(found):
    stage = Stage().at(workflow.CONFIRMED)
    if found == "photographer":
        take_off(stage)
    else:
        people.take_room(stage.session, by=stage["carlos"], now=stage.now)
    midnight(stage)
    assert unread("resources_missing")
    if found == "photographer":
        put_on(stage, "diego")
    else:
        people.give_room(stage.session, room_id=stage.studio.room.pk, by=stage["carlos"], now=stage.now)
    assert not unread("resources_missing")


def test_half_of_what_is_missing_is_not_enough():
    stage = Stage().at(workflow.CONFIRMED)
    take_off(stage)
    people.take_room(stage.session, by=stage["carlos"], now=stage.now)
    midnight(stage)
    put_on(stage, "diego")
    assert unread("resources_missing")


@pytest.mark.parametrize("act", [move("reopen"), move("confirm"), cancel()])
def test_paid_but_not_confirmed_goes_with_the_state(act):
    stage = Stage().at(workflow.PRE_SCHEDULED)
    paid_at_midnight(stage)
    assert unread("paid_but_unconfirmed")
    stage.session.refresh_from_db()
    act(stage)
    assert not unread("paid_but_unconfirmed")


def test_who_is_taken_off_is_no_longer_told_that_they_are_on_it():
    """And whoever else is on it is."""
    stage = Stage().at(workflow.REQUEST)
    put_on(stage, "diego")
    edit(stage, 21)
    stage.session.refresh_from_db()
    reassign(stage, "lucia")
    assert stage.told() == {
        "ana": ["assignment_changed"],
        "diego": ["session_assigned", "session_moved"],
        "lucia": ["assignment_changed"],
    }


def test_a_session_that_moves_twice_says_only_where_it_is_now():
    stage = Stage().at(workflow.REQUEST)
    edit(stage, 21)
    read = Notice.objects.get(kind="session_moved")
    edit(stage, 22)
    edit(stage, 23)
    [latest] = Notice.objects.filter(kind="session_moved")
    assert latest.params["when"].startswith(str(stage.studio.when(23).session_date))
    Notice.objects.filter(pk=latest.pk).update(read_at=stage.now)
    edit(stage, 24)
    assert Notice.objects.filter(kind="session_moved").count() == 2, "what was read stays"
    assert read.pk != latest.pk


def test_a_canceled_session_has_nothing_else_to_say():
    stage = Stage().at(workflow.CONFIRMED)
    edit(stage, 21)
    stage.session.refresh_from_db()
    cancel()(stage)
    assert stage.told() == {"ana": ["assignment_off"]}


def test_a_deleted_session_is_spoken_of_no_more_and_leads_nowhere():
    stage = Stage().at(workflow.REQUEST)
    edit(stage, 21)
    Notice.objects.update(read_at=stage.now)
    stage.session.refresh_from_db()
    edit(stage, 22)
    stage.session.refresh_from_db()
    book.delete_session(stage.session, by=stage["gabriela"], now=stage.now)
    [notice] = Notice.objects.all()
    assert (notice.url, notice.read_at) == ("", stage.now)


# -- what it says, and where it leads ---------------------------------------------------------------------------------


def texts(user: User) -> list[str]:
    with translation.override("en"):
        return [line.text for line in lines(Notice.objects.filter(recipient=user).order_by("pk"), user)]


def test_both_sides_of_a_change_read_what_it_means_to_them():
    stage = Stage().at(workflow.REQUEST)
    reassign(stage, "diego")
    assert "you no longer shoot it: Maternity" in texts(stage["ana"])[0]
    assert "you shoot it now: Maternity" in texts(stage["diego"])[0]
    assert all(text.startswith("Assignment changed") for name in ("ana", "diego") for text in texts(stage[name]))


def test_changed_hours_say_from_when_they_are_taken():
    stage = Stage().at(workflow.REQUEST)
    change_hours(stage)
    assert "13:00" in texts(stage["ana"])[0]


def test_a_link_is_for_those_who_may_open_it_and_works_again_when_they_are_back(client):
    """A -> B -> A: what leads to a page that is not there for them is no link."""
    stage = Stage().at(workflow.REQUEST)
    ana, url = stage["ana"], stage.session.get_absolute_url()
    edit(stage, 21)
    Notice.objects.update(read_at=stage.now)
    stage.session.refresh_from_db()
    reassign(stage, "diego")
    client.force_login(ana)

    def links() -> list[tuple[str, str]]:
        answer = client.get(reverse("notice-list"), headers={"Accept": "application/json"})
        return [(each["kind"], each["url"]) for each in answer.json()["notices"]]

    assert client.get(url).status_code == 404
    assert links() == [("assignment_changed", ""), ("session_moved", "")]
    assert url not in client.get(reverse("notice-list")).text
    closed = [line.is_closed for line in lines(Notice.objects.filter(recipient=ana), ana)]
    assert closed == [False, True], "the first says so itself"
    people.reassign(
        stage.session, assignment_id=stage.row_of("diego").pk, photographer_id=ana.pk, by=stage["carlos"], now=stage.now
    )
    assert links() == [("assignment_changed", url), ("assignment_changed", ""), ("session_moved", url)]
    assert client.get(url).status_code == 200


def test_an_editor_is_not_sent_to_what_another_one_has_taken(client):
    stage = Stage().at(workflow.ASSIGNED)
    move("attend", "ana")(stage)
    waiting = Notice.objects.get(recipient=stage["peter"])
    assert lines([waiting], stage["peter"])[0].url
    Notice.objects.update(read_at=stage.now)
    move("take", "elena")(stage)
    line = lines([waiting], stage["peter"])[0]
    assert (line.url, line.open_url, line.is_closed) == ("", "", True)
    client.force_login(stage["peter"])
    assert client.get(reverse("notice-open", args=[waiting.pk]))["Location"] == reverse("notice-list")


def test_it_is_said_who_did_it_and_nobody_for_the_system():
    stage = Stage().at(workflow.CONFIRMED)
    edit(stage, 21)
    assert lines(Notice.objects.all(), stage["ana"])[0].by == stage["carlos"].full_name
    Notice.objects.all().delete()
    stage.session.refresh_from_db()
    midnight(stage)
    assert lines(Notice.objects.all(), stage["ana"])[0].by == ""


def test_lines_ask_as_much_for_thirty_as_for_one():
    stage = Stage().at(workflow.REQUEST)

    def asked(number: int) -> int:
        for _each in range(number):
            notices.tell([stage["ana"]], "session_assigned", stage.session)
        reader = User.objects.get(pk=stage["ana"].pk)
        with CaptureQueriesContext(connection) as queries:
            assert lines(Notice.objects.all(), reader)[-1].url
        return len(queries)

    asked(1)
    # The notices, the roles of whoever reads them, which of the sessions they may open.
    assert [asked(1), asked(28)] == [3, 3]
