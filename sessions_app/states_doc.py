"""``docs/states.md``, made from the transition table, so that the machine and what is written of it cannot differ."""

from collections.abc import Iterable

from sessions_app import workflow
from sessions_app.workflow import PHOTOGRAPHY, Transition

MEANINGS = {
    workflow.REQUEST: "somebody asks; room and people that are named are held already (D33)",
    workflow.NEGOTIATION: "the studio and the client agree on what and for how much",
    workflow.PRE_SCHEDULED: "quoted; the client has until the payment deadline for the deposit",
    workflow.CONFIRMED: "the deposit is verified; changes are possible until the changes deadline",
    workflow.ASSIGNED: "settled: people and room stand, nothing is changed any more but by an Admin",
    workflow.ATTENDED: "the shoot is done; it waits in the queue of the editors",
    workflow.IN_EDITING: "one editor has it",
    workflow.READY: "the client has been told that the material is ready",
    workflow.COMPLETED: "delivered; read only",
    workflow.CANCELED: "over; time is free again, a refund may be owed",
}

HEAD = """# States of a session

This page is made from the transition table, `sessions_app/workflow.py`, by `python manage.py render_states`; a test
compares them. Change the table, not this page. The rules are business rules 1 and the decisions D7 to D15.
"""

NOTES = """## How a transition is done

`Session.move` is the only writer of a status. It locks the session, asks who may, asks this table, loads the facts,
asks the conditions, writes the effects and the history, queues mail and notices, and commits: whole or not at all.
Somebody who may not know of the session is answered `SESSION_NOT_FOUND`, who may not do it `PERMISSION_DENIED`; a wrong
state is `INVALID_STATE_TRANSITION`. Admins may do every row, whoever its executor is, and each such override is in the
audit log; the graph itself is not overridden (D15).
"""


def render() -> str:
    return "\n".join([HEAD, _states(), _diagram(), _transitions(), NOTES])


def _states() -> str:
    rows = (
        (state, MEANINGS[state], "final" if state in workflow.FINAL else _names(workflow.transitions_from(state)))
        for state in workflow.STATES
    )
    return "## The states\n\n" + _table(("state", "what it means", "leaves by"), rows)


def _diagram() -> str:
    lines = ["## The graph", "", "```mermaid", "stateDiagram-v2", "    direction TB"]
    lines += [f'    state "{state}" as {_id(state)}' for state in workflow.STATES]
    lines.append(f"    [*] --> {_id(workflow.REQUEST)}")
    for row in PHOTOGRAPHY.values():
        lines += [f"    {_id(source)} --> {_id(row.target)}: {row.name}" for source in _ordered(row.sources)]
    lines += [f"    {_id(state)} --> [*]" for state in workflow.STATES if state in workflow.FINAL]
    return "\n".join([*lines, "```", ""])


def _transitions() -> str:
    return "## The transitions\n\n" + "\n".join(_transition(row) for row in PHOTOGRAPHY.values())


def _transition(row: Transition) -> str:
    said = [
        ("from", ", ".join(_ordered(row.sources))),
        ("to", row.target),
        ("permission", f"`{row.permission}`" if row.permission else "that of its executors (D9)"),
        ("by", _executors(row)),
        ("given", ", ".join(f"`{name}`" for name in (*row.needs, *row.optional))),
        ("conditions", _words(guard.__name__ for guard in row.guards)),
        ("before them", _words(row.prepare)),
        ("effects", _words(row.effects)),
        ("mail and notices", _words(row.tells)),
    ]
    return f"### {row.name}\n\n" + _table(("", ""), ((f"**{what}**", text) for what, text in said if text))


def _executors(row: Transition) -> str:
    people = [role if role in workflow.OFFICE else f"{role} who is on it" for role in sorted(row.roles, reverse=True)]
    if row.from_queue:
        people = [f"any {role}" for role in sorted(row.roles)]
    if workflow.ADMIN not in row.roles:
        people.append("Admin (override)")
    if row.system:
        only = "" if row.system == row.sources else f" (from {', '.join(_ordered(row.system))})"
        people.append(f"the system{only}")
    return ", ".join(people)


def _ordered(states: Iterable[str]) -> list[str]:
    return sorted(states, key=workflow.STATES.index)


def _id(state: str) -> str:
    return state.replace(" ", "_").replace("-", "_")


def _names(rows: Iterable[Transition]) -> str:
    return ", ".join(row.name for row in rows)


def _words(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"
