"""``docs/states.md``, made from the transition tables: the machines and what is written of them cannot differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sessions_app import workflow
from sessions_app.workflow import APPOINTMENTS, PHOTOGRAPHY, Transition

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
APPOINTMENT_MEANINGS = {
    workflow.WAITING: "booked tentatively; the artist's time is held",
    workflow.ACTIVE: "booked; the artist's time is held",
    workflow.COMPLETED: "done, paid and its commission fixed; read only, its time stays held (D34)",
    workflow.CANCELED: "over, or the client did not come; time is free again, an advance goes back or is kept (D40)",
}

HEAD = """# States of a session

This page is made from the transition tables, `sessions_app/workflow.py`, by `python manage.py render_states`; a test
compares them. Change the tables, not this page. The rules are business rules 1 and the decisions D7 to D15; of
appointments D26 to D29 and D40. A session follows one of the two machines by its type, for good.
"""

NOTES = """## How a transition is done

`Session.move` is the only writer of a status. It locks the session, asks who may, asks this table, loads the facts,
asks the conditions, writes the effects and the history, queues mail and notices, and commits: whole or not at all.
Somebody who may not know of the session is answered `SESSION_NOT_FOUND`, who may not do it `PERMISSION_DENIED`; a wrong
state is `INVALID_STATE_TRANSITION`. Admins may do every row, whoever its executor is, and each such override is in the
audit log; the graph itself is not overridden (D15).
"""


def render() -> str:
    return "\n".join([HEAD, *_machine(SHOOT), *_machine(APPOINTMENT), NOTES])


@dataclass(frozen=True, slots=True)
class Machine:
    """One table as it is written down; ``of`` stands behind its headings."""

    of: str
    meanings: Mapping[str, str]
    rows: Mapping[str, Transition]
    begins: tuple[str, ...]


SHOOT = Machine("", MEANINGS, PHOTOGRAPHY, (workflow.REQUEST,))
APPOINTMENT = Machine(" of an appointment", APPOINTMENT_MEANINGS, APPOINTMENTS, (workflow.ACTIVE, workflow.WAITING))


def _machine(machine: Machine) -> list[str]:
    return [_states(machine), _diagram(machine), _transitions(machine)]


def _states(machine: Machine) -> str:
    rows = (
        (state, meaning, "final" if state in workflow.FINAL else _names(workflow.transitions_from(state)))
        for state, meaning in machine.meanings.items()
    )
    return f"## The states{machine.of}\n\n" + _table(("state", "what it means", "leaves by"), rows)


def _diagram(machine: Machine) -> str:
    lines = [f"## The graph{machine.of}", "", "```mermaid", "stateDiagram-v2", "    direction TB"]
    lines += [f'    state "{state}" as {_id(state)}' for state in machine.meanings]
    lines += [f"    [*] --> {_id(state)}" for state in machine.begins]
    for row in machine.rows.values():
        lines += [f"    {_id(source)} --> {_id(row.target)}: {row.name}" for source in _ordered(row.sources)]
    lines += [f"    {_id(state)} --> [*]" for state in machine.meanings if state in workflow.FINAL]
    return "\n".join([*lines, "```", ""])


def _transitions(machine: Machine) -> str:
    written = "\n".join(_transition(row, machine) for row in machine.rows.values())
    return f"## The transitions{machine.of}\n\n" + written


def _transition(row: Transition, machine: Machine) -> str:
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
    of_which = " (appointment)" if machine.of else ""
    table = _table(("", ""), ((f"**{what}**", text) for what, text in said if text))
    return f"### {row.name}{of_which}\n\n{table}"


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
    return sorted(states, key=workflow.ALL_STATES.index)


def _id(state: str) -> str:
    return state.replace(" ", "_").replace("-", "_")


def _names(rows: Iterable[Transition]) -> str:
    return ", ".join(row.name for row in rows)


def _words(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"
