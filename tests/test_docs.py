"""The pages that describe the program say what the program does: states, constants, records."""

import re
from dataclasses import fields
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from sessions_app import states_doc
from sessions_app.workflow import PHOTOGRAPHY, STATES
from studio.conf import StudioConf, env_name
from tests.matrix.test_constraints import OURS, TRIGGERS

DOCS = Path(__file__).parent.parent / "docs"


def rows(page: str, columns: int) -> list[list[str]]:
    """The rows of the tables of a page that have so many columns, without head and rule."""
    lines = [line for line in (DOCS / page).read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = {index for index, row in enumerate(cells) if set("".join(row)) <= set("- ")}
    return [
        row for index, row in enumerate(cells) if index not in rules and index + 1 not in rules and len(row) == columns
    ]


def test_states_page_is_what_the_table_says():
    call_command("render_states", "--check")


def test_check_fails_for_another_page(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError, match="render_states"):
        call_command("render_states", "--check")
    call_command("render_states", stdout=StringIO())
    call_command("render_states", "--check")
    page = tmp_path / "docs" / "states.md"
    page.write_text(page.read_text() + "More.\n")
    with pytest.raises(CommandError, match="render_states"):
        call_command("render_states", "--check")


def test_states_page_names_every_state_and_transition():
    page = states_doc.render()
    assert all(f"| {state} |" in page for state in STATES)
    assert all(f"### {name}\n" in page for name in PHOTOGRAPHY)


def as_written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def test_constants_page_has_every_constant_with_its_default():
    """Business rules 7, and ours."""
    written = {row[0].strip("`"): row[1].strip("`") for row in rows("constants.md", 4)}
    assert written == {env_name(each.name): as_written(each.default) for each in fields(StudioConf)}


def test_constants_of_the_rules_have_the_defaults_of_the_rules():
    """Business rules 7, literally."""
    required = {
        "payment_deadline_days": 5,
        "changes_deadline_days": 7,
        "default_editing_days": 5,
        "default_deposit_percentage": 50,
        "refund_within_deadline": 100,
        "refund_after_deadline": 50,
        "refund_force_majeure": 100,
        "refund_client_after_assigned": 0,
        "remote_transportation_cost": Decimal("200.00"),
        "max_concurrent_editing_sessions": 10,
    }
    assert {each.name: each.default for each in fields(StudioConf) if each.name in required} == required
    assert all(env_name(name) == name.upper() for name in required)


def test_records_page_explains_every_constraint_and_trigger():
    page = (DOCS / "data-model.md").read_text()
    ours = [model for model in apps.get_models() if model._meta.app_label in OURS]
    named = {constraint.name for model in ours for constraint in model._meta.constraints} | set(TRIGGERS)
    assert {name for name in named if f"`{name}`" not in page} == set()
    explained = {row[0].strip("`") for row in rows("data-model.md", 2) if row[0].startswith("`")}
    assert explained - named == set(), "these are gone"


def test_records_page_draws_every_table():
    page = (DOCS / "data-model.md").read_text()
    drawn = set(re.findall(r"^ {4}(\w+) \{", page, flags=re.MULTILINE))
    assert drawn == {model.__name__ for model in apps.get_models() if model._meta.app_label in OURS}
