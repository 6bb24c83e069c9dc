"""Guards, blockers and edits as pure rules, each true and false (business rules 1.3, 3.3, 6.3; D4, D8, D11, D13)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sessions_app import workflow
from sessions_app.workflow import (
    PHOTOGRAPHY,
    STATES,
    Facts,
    blockers,
    date_blocker,
    edit_blocker,
    people_blocker,
    transitions_from,
)
from studio.errors import BY_CODE
from studio.roles import MATRIX, Perm, Role

NOW = datetime(2026, 3, 10, 16, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GOOD = Facts(
    now=NOW,
    today=date(2026, 3, 10),
    session_type="Studio",
    starts_at=NOW + timedelta(days=5),
    session_date=date(2026, 3, 15),
    has_lines=True,
    total=Decimal("1000.00"),
    net_paid=Decimal("500.00"),
    deposit_amount=Decimal("500.00"),
    payment_deadline=NOW,
    changes_deadline=NOW,
    photographers=1,
    has_room=True,
    editor_limit=10,
    reason="Ill",
    initiator="client",
)
ON_THE_DAY = {"today": date(2026, 3, 15)}
OVER = {"changes_deadline": NOW - SECOND}
TRANSITION = "INVALID_STATE_TRANSITION"

# transition, what is otherwise than GOOD, the code and the condition that answer; None where it may happen.
ROWS = [
    ("negotiate", {}, None, None),
    ("negotiate", {"client_active": False}, TRANSITION, "client_inactive"),
    ("negotiate", {"starts_at": NOW + SECOND}, None, None),
    ("negotiate", {"starts_at": NOW}, "INVALID_SESSION_DATE", "starts_in_the_past"),
    ("negotiate", {"starts_at": NOW - SECOND}, "INVALID_SESSION_DATE", "starts_in_the_past"),
    ("negotiate", {"starts_at": NOW - SECOND, "by_admin": True}, None, None),
    ("negotiate", {"session_type": ""}, TRANSITION, "no_type"),
    ("preschedule", {}, None, None),
    ("preschedule", {"has_lines": False}, TRANSITION, "no_lines"),
    ("preschedule", {"total": Decimal("0.00"), "net_paid": Decimal("0.00")}, TRANSITION, "total_is_zero"),
    ("preschedule", {"total": Decimal("0.01"), "net_paid": Decimal("0.00")}, None, None),
    ("preschedule", {"net_paid": Decimal("1000.00")}, None, None),
    ("preschedule", {"net_paid": Decimal("1000.01")}, TRANSITION, "overpaid"),
    ("confirm", {}, None, None),
    ("confirm", {"payment_deadline": NOW - SECOND}, "PAYMENT_DEADLINE_EXPIRED", "payment_deadline_passed"),
    ("confirm", {"payment_deadline": None}, "PAYMENT_DEADLINE_EXPIRED", "payment_deadline_passed"),
    ("confirm", {"net_paid": Decimal("499.99")}, "INSUFFICIENT_PAYMENT", "deposit_missing"),
    ("confirm", {"net_paid": Decimal("0.00"), "deposit_amount": Decimal("0.00")}, None, None),
    ("confirm", {"net_paid": Decimal("1000.00")}, None, None),
    ("reopen", {}, None, None),
    ("reopen", {"changes_deadline": None}, None, None),
    ("reopen", OVER, "CHANGES_DEADLINE_EXPIRED", "changes_deadline_passed"),
    ("assign", OVER, None, None),
    ("assign", {}, TRANSITION, "changes_deadline_not_passed"),
    ("assign", {"changes_deadline": NOW + SECOND}, TRANSITION, "changes_deadline_not_passed"),
    ("assign", {**OVER, "photographers": 0}, "MISSING_RESOURCES", "resources_missing"),
    ("assign", {**OVER, "has_room": False}, "MISSING_RESOURCES", "resources_missing"),
    ("assign", {**OVER, "has_room": False, "session_type": "External"}, None, None),
    ("assign", {**OVER, "photographers": 0, "session_type": "External"}, "MISSING_RESOURCES", "resources_missing"),
    ("attend", ON_THE_DAY, None, None),
    ("attend", {"today": date(2026, 3, 14)}, TRANSITION, "session_date_not_come"),
    ("attend", {"today": date(2026, 4, 1)}, None, None),
    ("take", {}, None, None),
    ("take", {"has_editor": True}, TRANSITION, "taken_by_another_editor"),
    ("take", {"editor_is_editor": False}, "INVALID_INPUT", "not_an_editor"),
    ("take", {"editor_load": 9}, None, None),
    ("take", {"editor_load": 10}, TRANSITION, "editor_at_limit"),
    ("take", {"editor_load": 10, "by_admin": True}, None, None),
    ("take", {"editor_load": 5000, "editor_limit": 0}, None, None),
    ("ready", {}, None, None),
    ("complete", {}, None, None),
    ("complete", {"requires_full_payment": True}, "INSUFFICIENT_PAYMENT", "not_paid_in_full"),
    ("complete", {"requires_full_payment": True, "net_paid": Decimal("1000.00")}, None, None),
    ("cancel", {}, None, None),
    ("cancel", {"reason": ""}, "INVALID_INPUT", "no_reason"),
    ("cancel", {"reason": " \n"}, "INVALID_INPUT", "no_reason"),
    ("cancel", {"initiator": ""}, "INVALID_INPUT", "unknown_initiator"),
    ("cancel", {"initiator": "system"}, "INVALID_INPUT", "unknown_initiator"),
    ("cancel", {"initiator": "company"}, None, None),
    ("cancel", {"initiator": "force_majeure"}, None, None),
    ("cancel", {"initiator": "system", "by_system": True}, None, None),
    ("cancel", {"initiator": "client", "by_system": True}, "INVALID_INPUT", "unknown_initiator"),
]


@pytest.mark.parametrize(("name", "otherwise", "code", "failed"), ROWS)
def test_guard_answers_with_its_code_and_condition(name, otherwise, code, failed):
    found = blockers(PHOTOGRAPHY[name], replace(GOOD, **otherwise))
    assert [(blocker.code, blocker.failed) for blocker in found] == ([(code, failed)] if code else [])


def test_every_guard_is_seen_both_true_and_false():
    """The table above leaves none out."""
    blocked = {failed for _name, _otherwise, _code, failed in ROWS if failed}
    guards = {guard for row in PHOTOGRAPHY.values() for guard in row.guards}
    assert len(blocked) == len(guards)
    passing = {name for name, _otherwise, code, _failed in ROWS if code is None}
    assert passing == set(PHOTOGRAPHY)


@pytest.mark.parametrize(("name", "otherwise", "code", "failed"), [row for row in ROWS if row[2]])
def test_every_refusal_has_a_typed_error(name, otherwise, code, failed):
    """Business rules 11."""
    assert code in BY_CODE


def test_all_broken_conditions_are_told_in_the_order_of_the_table():
    """D8: the first one speaks, all are in ``details.failed``."""
    broken = replace(GOOD, has_lines=False, total=Decimal("0.00"))
    assert [each.failed for each in blockers(PHOTOGRAPHY["preschedule"], broken)] == [
        "no_lines",
        "total_is_zero",
        "overpaid",
    ]


def test_button_leaves_out_what_the_person_has_still_to_fill_in():
    found = blockers(PHOTOGRAPHY["cancel"], replace(GOOD, reason="", initiator=""), skip={"no_reason"})
    assert [each.failed for each in found] == ["unknown_initiator"]


@pytest.mark.parametrize(
    ("otherwise", "missing"),
    [
        ({"photographers": 0}, ["photographer"]),
        ({"has_room": False}, ["room"]),
        ({"photographers": 0, "has_room": False}, ["photographer", "room"]),
    ],
)
def test_missing_resources_are_named(otherwise, missing):
    (blocker,) = blockers(PHOTOGRAPHY["assign"], replace(GOOD, **OVER, **otherwise))
    assert blocker.details == {"missing": missing}


def test_missing_deposit_is_told_in_figures():
    (blocker,) = blockers(PHOTOGRAPHY["confirm"], replace(GOOD, net_paid=Decimal("120.50")))
    assert blocker.details == {"deposit_amount": "500.00", "verified": "120.50", "missing": "379.50"}


# Business rules 6.3, state by state; Confirmed goes by its changes deadline.
EDITABLE = {
    "Request": True,
    "Negotiation": True,
    "Pre-scheduled": True,
    "Assigned": False,
    "Attended": False,
    "In Editing": False,
    "Ready for Delivery": False,
    "Completed": False,
    "Canceled": False,
}


@pytest.mark.parametrize(("status", "open_"), EDITABLE.items())
@pytest.mark.parametrize("deadline", [None, NOW + timedelta(days=1), NOW - timedelta(days=1)])
def test_lines_and_price_are_open_by_state(status, open_, deadline):
    """Business rules 6.3."""
    blocker = edit_blocker(status, deadline, NOW)
    assert (blocker is None) is open_
    assert blocker is None or blocker.code == "IMMUTABLE_SESSION"


@pytest.mark.parametrize(
    ("deadline", "open_"),
    [(NOW + SECOND, True), (NOW, True), (NOW - SECOND, False), (NOW - timedelta(microseconds=1), False), (None, False)],
)
def test_confirmed_session_is_open_until_its_changes_deadline(deadline, open_):
    """Business rules 6.3: the deadline's own second is within it."""
    assert (edit_blocker("Confirmed", deadline, NOW) is None) is open_


@pytest.mark.parametrize("status", STATES)
def test_people_change_until_it_is_over(status):
    """Business rules 10.4."""
    assert (people_blocker(status) is None) is (status not in ("Completed", "Canceled"))


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize(("starts_in", "by_admin"), [(1, False), (0, False), (-1, False), (-1, True)])
def test_date_rule_asks_for_the_future_until_the_shoot(status, starts_in, by_admin):
    """Business rules 3.3, D16."""
    starts = NOW + timedelta(seconds=starts_in)
    behind = status in ("Attended", "In Editing", "Ready for Delivery", "Completed")
    blocker = date_blocker(status, starts.date(), starts, NOW, by_admin)
    assert (blocker is None) is (by_admin or behind or starts_in > 0)
    assert blocker is None or blocker.code == "INVALID_SESSION_DATE"


@pytest.mark.parametrize("row", PHOTOGRAPHY.values(), ids=lambda row: row.name)
def test_words_of_the_table_are_those_of_the_roles(row):
    """The pure table spells permissions and roles; a role in it holds the permission that it needs."""
    assert row.roles <= {role.value for role in Role}
    if row.permission is not None:
        holders = MATRIX[Perm(row.permission)]
        assert {Role(name) for name in row.roles} <= holders


def test_who_executes_what():
    """Business rules 1.2, the executors."""
    office = {"Coordinator", "Admin"}
    assert {row.name: set(row.roles) for row in PHOTOGRAPHY.values()} == {
        "negotiate": office,
        "preschedule": office,
        "confirm": office,
        "reopen": office,
        "assign": office,
        "attend": {"Photographer"},
        "take": {"Editor"},
        "ready": {"Editor"},
        "complete": office,
        "cancel": office,
    }
    assert {row.name: set(row.system) for row in PHOTOGRAPHY.values() if row.system} == {
        "assign": {"Confirmed"},
        "cancel": {"Pre-scheduled"},
    }


def test_transitions_from_a_state_come_in_the_order_of_the_table():
    assert [row.name for row in transitions_from(workflow.PRE_SCHEDULED)] == ["confirm", "reopen", "cancel"]
    assert [row.name for row in transitions_from(workflow.CONFIRMED)] == ["reopen", "assign", "cancel"]
    assert transitions_from(workflow.COMPLETED) == transitions_from(workflow.CANCELED) == []
