"""One writer for each truth (style 3), and a clock that is passed in (style 10): looked for in the source itself.

What is looked for are the ways in which a truth could be written elsewhere: assignments, ``setattr`` and queryset
updates of its fields, and new rows of its model. A way that is none of these would still meet the constraints and
triggers of the database; this test is here so that it is not even tried.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("studio", "catalog", "scheduling", "payments", "sessions_app")
DOMAIN = ("scheduling", "payments", "sessions_app")

WRITES_ROWS = {"create", "bulk_create", "get_or_create", "update_or_create", "bulk_update"}
CLOCKS = {
    ("timezone", "now"),
    ("timezone", "localdate"),
    ("timezone", "localtime"),
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("date", "today"),
}


@cache
def parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text())


def modules(packages: tuple[str, ...]) -> Iterator[tuple[str, ast.AST]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if "/migrations/" not in name:
                yield name, parsed(path)


def owner(node: ast.AST) -> str:
    """The last word of what stands before a dot: ``self.session`` is ``session``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def assigned(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Whose attribute is written, which one, and where."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            for each in ast.walk(target):
                if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
                    yield owner(each.value), each.attr, node.lineno
        if isinstance(node, ast.Call) and owner(node.func) == "setattr" and len(node.args) == 3:
            name = node.args[1]
            yield owner(node.args[0]), name.value if isinstance(name, ast.Constant) else "*", node.lineno


def updated(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The fields that a queryset's ``update`` writes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update":
            for keyword in node.keywords:
                yield keyword.arg or "**", node.lineno


def written_rows(tree: ast.AST, model: str, related: set[str]) -> Iterator[int]:
    """Where rows are made: ``Model(...)``, ``Model.objects.create(...)``, ``session.lines.create(...)``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == model:
            yield node.lineno
        elif isinstance(node.func, ast.Attribute) and node.func.attr in WRITES_ROWS:
            through = {owner(each) for each in ast.walk(node.func.value)}
            if model in through or through & related:
                yield node.lineno


def places(
    packages: tuple[str, ...], allowed: set[str], *, fields: set[str], owners: set[str] | None = None
) -> list[str]:
    """Where these fields are assigned or updated outside of their writers. ``owners`` narrows assignments by name."""
    found = []
    for name, tree in modules(packages):
        if name in allowed:
            continue
        found += [
            f"{name}:{line}: {whose}.{field}"
            for whose, field, line in assigned(tree)
            if field in fields and (owners is None or whose in owners)
        ]
        found += [f"{name}:{line}: update({field})" for field, line in updated(tree) if field in fields]
    return found


def makers(model: str, related: set[str], allowed: set[str]) -> list[str]:
    return [
        f"{name}:{line}: {model}"
        for name, tree in modules(PACKAGES)
        if name not in allowed
        for line in written_rows(tree, model, related)
    ]


# What the demo backdates in the outbox, which has a status of its own.
OUTBOX_OF_THE_DEMO = "sessions_app/demo.py"


def test_status_of_a_session_is_written_by_move_alone():
    found = places(DOMAIN, {"sessions_app/models/session.py", "scheduling/rooms.py"}, fields={"status"})
    assert [place for place in found if not place.startswith(OUTBOX_OF_THE_DEMO)] == []


def test_move_is_the_only_function_of_its_module_that_assigns_the_status():
    tree = ast.parse((ROOT / "sessions_app/models/session.py").read_text())
    writers = {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(field == "status" for _whose, field, _line in assigned(function))
    }
    assert writers == {"move"}


def test_sessions_are_made_by_open_alone():
    assert makers("Session", set(), {"sessions_app/models/session.py"}) == []


def test_history_is_written_by_the_session_alone():
    assert makers("StatusHistory", {"history"}, {"sessions_app/models/session.py"}) == []


def test_payments_are_written_by_the_ledger_alone():
    ledger = {"payments/ledger.py"}
    fields = {"payment_status", "payment_type", "deleted_flag", "deleted_reason", "verified_by", "verified_at"}
    assert makers("Payment", {"payments"}, ledger) == []
    assert places(PACKAGES, ledger, fields=fields) == []


def test_reservations_are_written_by_booking_alone():
    booking = {"scheduling/booking.py"}
    fields = {"during", "released_at", "assignment_status", "is_lead_photographer", "attended_at"}
    related = {"assignments", "room_reservations", "reservations"}
    assert makers("StaffReservation", related, booking) == []
    assert makers("RoomReservation", related, booking) == []
    assert places(PACKAGES, booking, fields=fields) == []


def test_lines_and_totals_are_written_by_price_alone():
    """A change of type is the one other act that the total could follow; it refuses instead (D23)."""
    price = {"sessions_app/actions/price.py"}
    assert makers("SessionDetail", {"lines"}, price) == []
    fields = {"subtotal", "total", "discount", "transportation_cost", "line_subtotal", "unit_price"}
    owners = {"session", "self", "line", "locked", "obj"}
    assert places(("sessions_app", "payments"), price, fields=fields, owners=owners) == []


# Where a moment enters: somebody or something starts here, and passes it on from here (style 10).
ENTRY_POINTS = {
    "sessions_app/models/session.py",
    # Programs enter here (D31).
    "sessions_app/appointments.py",
    # The worker enters here.
    "sessions_app/importing/task.py",
    "studio/jobs.py",
    "studio/outbox.py",
    "studio/notices.py",
    "studio/models.py",
    "studio/templatetags/atelier.py",
}


def is_entry_point(name: str) -> bool:
    file = name.rsplit("/", 1)[-1]
    entered = file.endswith(("views.py", "admin.py")) or "/views/" in name or "/management/" in name
    return entered or name in ENTRY_POINTS


def clock_reads(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (owner(node.value), node.attr) in CLOCKS:
            yield f"{owner(node.value)}.{node.attr}", node.lineno


@pytest.mark.parametrize("package", PACKAGES)
def test_clock_is_read_at_entry_points_only(package):
    found = [
        f"{name}:{line}: {clock}"
        for name, tree in modules((package,))
        if not is_entry_point(name)
        for clock, line in clock_reads(tree)
    ]
    assert found == []


def test_move_is_the_only_function_of_its_module_that_reads_the_clock():
    tree = ast.parse((ROOT / "sessions_app/models/session.py").read_text())
    readers = {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and list(clock_reads(function))
    }
    assert readers == {"move"}


@pytest.mark.parametrize(
    "source",
    [
        "session.status = 'Confirmed'",
        "self.session.status = x",
        "a, session.status = 1, 2",
        "session.status += ''",
        "setattr(session, 'status', 'Confirmed')",
    ],
)
def test_assignments_are_found(source):
    """The search itself: a net with holes would let everything through."""
    assert "status" in {field for _whose, field, _line in assigned(ast.parse(source))}


@pytest.mark.parametrize(
    "source",
    [
        "Payment(amount=1)",
        "Payment.objects.create(amount=1)",
        "Payment.objects.filter(x=1).get_or_create(amount=1)",
        "session.payments.create(amount=1)",
        "models.Payment.objects.bulk_create([])",
    ],
)
def test_new_rows_are_found(source):
    assert list(written_rows(ast.parse(source), "Payment", {"payments"}))


def test_updates_are_found():
    source = "Session.objects.filter(pk=1).update(status='Confirmed')"
    assert list(updated(ast.parse(source))) == [("status", 1)]
