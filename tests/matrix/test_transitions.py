"""Each transition x each state x each kind of person: may they, and if not, how are they told (photography machine).

The table is written down here from the transition table and the permission matrix, not computed from the code, so that
a row of ``workflow.PHOTOGRAPHY`` cannot change by accident. One letter is one try:

    +  done
    x  INVALID_STATE_TRANSITION (409): may do it, but not from this state
    -  PERMISSION_DENIED (403): sees the session, may not do this
    0  SESSION_NOT_FOUND (404): must not learn that there is such a session (D36)

The columns are the ten states, from Request to Completed, and Canceled (canceled from In Editing). ``photographer`` and
``photographer_editor`` are on the shoot in every state, ``editor`` is on it from In Editing on and has seen it in the
queue before, ``former_photographer`` was taken off. Actors without a prefix are on it; ``other_`` are not.
"""

import pytest

from sessions_app import workflow
from studio.errors import StudioError
from studio.models import AuditEvent
from tests.matrix.conftest import Ten, footprint, tried

pytestmark = pytest.mark.django_db

OUTCOMES = {
    "x": "INVALID_STATE_TRANSITION",
    "-": "PERMISSION_DENIED",
    "0": "SESSION_NOT_FOUND",
    "+": "done",
}

TABLE = {
    "negotiate": """
        system                ----------
        admin                 +xxxxxxxxx
        coordinator           +xxxxxxxxx
        photographer          ----------
        photographer_editor   ----------
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-----
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "preschedule": """
        system                ----------
        admin                 x+xxxxxxxx
        coordinator           x+xxxxxxxx
        photographer          ----------
        photographer_editor   ----------
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-----
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "confirm": """
        system                ----------
        admin                 xx+xxxxxxx
        coordinator           xx+xxxxxxx
        photographer          ----------
        photographer_editor   ----------
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-----
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "reopen": """
        system                ----------
        admin                 xx++xxxxxx
        coordinator           xx++xxxxxx
        photographer          ----------
        photographer_editor   ----------
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-----
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "assign": """
        system                xxx+xxxxxx
        admin                 xxx+xxxxxx
        coordinator           xxx+xxxxxx
        photographer          ----------
        photographer_editor   ----------
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-----
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "attend": """
        system                ----------
        admin                 xxxx+xxxxx
        coordinator           ----------
        photographer          xxxx+xxxxx
        photographer_editor   xxxx+xxxxx
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-----
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "take": """
        system                ----------
        admin                 xxxxx+xxxx
        coordinator           ----------
        photographer          ----------
        photographer_editor   xxxxx+xxxx
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000+xxxx
        other_editor          00000+xxx0
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "ready": """
        system                ----------
        admin                 xxxxxx+xxx
        coordinator           ----------
        photographer          ----------
        photographer_editor   ----------
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-+xxx
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "complete": """
        system                ----------
        admin                 xxxxxxx+xx
        coordinator           xxxxxxx+xx
        photographer          ----------
        photographer_editor   ----------
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-----
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
    "cancel": """
        system                xx+xxxxxxx
        admin                 ++++++++xx
        coordinator           ++++++++xx
        photographer          ----------
        photographer_editor   ----------
        other_photographer    0000000000
        former_photographer   0000000000
        editor                00000-----
        other_editor          00000-0000
        artist                0000000000
        no_role               0000000000
        inactive_coordinator  0000000000
        anonymous             0000000000
    """,
}

STATES = (
    "Request",
    "Negotiation",
    "Pre-scheduled",
    "Confirmed",
    "Assigned",
    "Attended",
    "In Editing",
    "Ready for Delivery",
    "Completed",
    "Canceled",
)
# The graph of business rules 1.2, once more and apart from the rows above.
TARGETS = {
    ("negotiate", "Request"): "Negotiation",
    ("preschedule", "Negotiation"): "Pre-scheduled",
    ("confirm", "Pre-scheduled"): "Confirmed",
    ("reopen", "Pre-scheduled"): "Negotiation",
    ("reopen", "Confirmed"): "Negotiation",
    ("assign", "Confirmed"): "Assigned",
    ("attend", "Assigned"): "Attended",
    ("take", "Attended"): "In Editing",
    ("ready", "In Editing"): "Ready for Delivery",
    ("complete", "Ready for Delivery"): "Completed",
    **{("cancel", state): "Canceled" for state in STATES[:8]},
}


def rows(transition: str) -> dict[str, str]:
    return dict(line.split() for line in TABLE[transition].strip().splitlines())


def expected(transition: str, state: str) -> dict[str, str]:
    column = STATES.index(state)
    return {actor: OUTCOMES[letters[column]] for actor, letters in rows(transition).items()}


def attempt(ten: Ten, transition: str, state: str, actor: str) -> str:
    """What comes of one try; a refusal has written nothing, and a denial of somebody is in the audit log."""
    session = ten.session(state)
    with tried():
        before, denials = footprint(session), AuditEvent.objects.filter(event="denied").count()
        try:
            session.move(
                transition,
                by=ten.by(actor),
                now=ten.moment(transition, state),
                **ten.payload(transition, actor),
            )
        except StudioError as refused:
            assert footprint(session) == before, f"{actor} was refused and something was written"
            denied = refused.status in (403, 404) and ten.by(actor) is not None
            written = AuditEvent.objects.filter(event="denied").count() - denials
            assert written == int(denied), f"{actor}: {refused.code} left {written} denials in the audit log"
            if denied:
                last = AuditEvent.objects.filter(event="denied").latest("pk")
                assert (last.actor_id, last.object_id) == (ten.by(actor).pk, str(session.pk))
            return refused.code
        assert session.status == TARGETS[transition, state]
        assert ten.session(state).status == session.status
        return "done"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("transition", TABLE)
def test_every_kind_of_person_tries_every_transition(ten, transition, state):
    came_of_it = {actor: attempt(ten, transition, state, actor) for actor in rows(transition)}
    assert came_of_it == expected(transition, state)


def test_table_is_whole(ten):
    """Every transition, state and kind of person there is has its letter."""
    assert set(TABLE) == set(workflow.PHOTOGRAPHY)
    assert workflow.STATES == STATES
    for transition in TABLE:
        assert set(rows(transition)) == set(ten.actors)
        assert all(len(letters) == len(STATES) for letters in rows(transition).values())


def test_graph_is_the_one_of_the_requirements():
    edges = {(row.name, source): row.target for row in workflow.PHOTOGRAPHY.values() for source in row.sources}
    assert edges == TARGETS


@pytest.mark.parametrize("final", ["Completed", "Canceled"])
def test_nothing_leaves_a_final_state_not_even_for_an_admin(ten, final):
    """D15: the graph itself is not overridden."""
    assert {attempt(ten, name, final, "admin") for name in TABLE} == {"INVALID_STATE_TRANSITION"}


@pytest.mark.parametrize("transition", TABLE)
@pytest.mark.parametrize("actor", ["admin", "coordinator", "photographer", "editor"])
def test_button_is_there_exactly_for_those_who_may(ten, transition, actor):
    """``may`` decides about buttons; it agrees with what ``move`` answers."""
    letters = rows(transition)[actor]
    for state, letter in zip(STATES, letters, strict=True):
        assert ten.session(state).may(transition, ten.by(actor)) == (letter in "+x"), state


def test_refusal_by_state_names_the_states_and_what_is_possible_instead(ten):
    session = ten.session("Request")
    with tried(), pytest.raises(StudioError) as refused:
        session.confirm(by=ten.by("coordinator"), now=ten.walks["Request"].now)
    assert refused.value.details == {
        "session": session.code,
        "transition": "confirm",
        "current": "Request",
        "target": "Confirmed",
        "allowed": ["negotiate", "cancel"],
        "failed": ["wrong_state"],
    }


def test_second_editor_is_told_that_another_has_it(ten):
    """D8, D11: the loser of a race gets the same sentence as somebody who is late."""
    with tried(), pytest.raises(StudioError) as refused:
        ten.session("In Editing").take(by=ten.by("other_editor"), now=ten.walks["In Editing"].now)
    assert refused.value.details["failed"] == ["taken_by_another_editor"]
