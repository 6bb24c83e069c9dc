"""The pure modules: values in, values out (architecture, "Layers").

import-linter forbids them Django and the database, also at second hand; what it cannot see is a
reading of the clock, which would make a rule depend on when it is asked.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CLOCK = {
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("timezone", "now"),
    ("timezone", "localdate"),
    ("timezone", "localtime"),
    ("time", "time"),
    ("time", "monotonic"),
    ("time", "localtime"),
}
FOREIGN = {"django", "psycopg", "guardian", "django_q", "time", "random", "os", "socket"}


# Those that the architecture names. One that is not written yet joins the contract when it is.
NAMED = {
    "sessions_app.workflow",
    "sessions_app.deadlines",
    "payments.money",
    "payments.refunds",
    "payments.commissions",
    "catalog.explode",
    "scheduling.slots",
}


def pure_modules() -> list[str]:
    """Those of the contract in pyproject.toml: one list for both."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (pure,) = (each for each in contracts["contracts"] if each["type"] == "forbidden")
    return pure["source_modules"]


def source_of(module: str) -> Path:
    return ROOT / (module.replace(".", "/") + ".py")


def clock_reads(tree: ast.AST) -> Iterator[str]:
    """`datetime.now`, `date.today` and the like, called or only named."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if (name, node.attr) in CLOCK:
                yield f"line {node.lineno}: {name}.{node.attr}"


def foreign_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in FOREIGN:
                yield f"line {node.lineno}: {name}"


def test_contract_covers_every_pure_module_there_is():
    assert {module for module in NAMED if source_of(module).exists()} <= set(pure_modules())


@pytest.mark.parametrize("module", pure_modules())
def test_pure_module_reads_no_clock_and_imports_no_framework(module):
    tree = ast.parse(source_of(module).read_text())
    assert list(clock_reads(tree)) == []
    assert list(foreign_imports(tree)) == []


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nnow = datetime.now()",
        "import datetime as dt\nnow = dt.datetime.now(dt.UTC)",
        "from datetime import date\ntoday = date.today",
        "def fn():\n    from django.utils import timezone\n    return timezone.now()",
    ],
)
def test_clock_reads_are_found(source):
    assert list(clock_reads(ast.parse(source)))


def test_imports_inside_functions_are_found():
    assert list(foreign_imports(ast.parse("def fn():\n    from django.db import models")))
