"""What the people of a session are told on their dashboards, and when it is no longer so.

Who is told what (business rules 8.2; architecture, Mail and notices):

- put on a session: that photographer, ``session_assigned``
- replaced, or taken off: the one who leaves and the one who comes, ``assignment_changed``
- the session moves: who is on it, ``session_moved``; their own hours change: that photographer, ``coverage_changed``
- -> Assigned: who is on it, ``session_settled``
- -> Attended: all editors, ``session_for_editing``
- an Admin gives it to an editor: that editor, ``session_given_to_edit``; who had it, ``session_taken_from_edit``
- -> Ready for Delivery: coordinators, ``material_ready``
- -> Canceled: the photographers who are freed, ``assignment_off``
- booked for an artist by somebody else: that artist, ``appointment_booked``; moved, ``appointment_moved``; confirmed or
  put on hold, ``appointment_changed``; given to another one: both, ``appointment_given``
- past its changes deadline without people or room: coordinators, each night, ``resources_missing``
- paid, and not confirmed by its payment deadline: coordinators, ``paid_but_unconfirmed`` (D14)

Nobody is told of what they did themselves, and nobody who is inactive. A notice that nobody has read goes when it is
no longer so.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from scheduling.models import AssignmentStatus
from sessions_app import workflow
from studio import notices
from studio.access import allows
from studio.roles import Perm

if TYPE_CHECKING:
    from sessions_app.models import Session
    from studio.models import User

# Kinds that say how things stand, and the one state in which they do.
TRUE_IN = {
    "paid_but_unconfirmed": workflow.PRE_SCHEDULED,
    "resources_missing": workflow.CONFIRMED,
    "session_for_editing": workflow.ATTENDED,
    "material_ready": workflow.READY,
}
# What is said to the photographers of a session, and to its editor: untrue for who is so no longer.
TO_PHOTOGRAPHERS = ("session_assigned", "assignment_changed", "session_settled", "session_moved", "coverage_changed")
TO_ARTISTS = ("appointment_booked", "appointment_moved", "appointment_changed", "appointment_given")
TO_EDITORS = ("session_given_to_edit",)
# Said to who leaves: there is nothing for them to open.
FAREWELLS = {("assignment_changed", "off"), ("appointment_given", "off"), ("session_taken_from_edit", "")}
# The last one says how it is; an earlier one of the kind that nobody has read would say how it was.
LATEST_ONLY = {"session_moved", "coverage_changed", "appointment_moved", "appointment_changed", *TRUE_IN}


def tell(
    people: Iterable["User"], kind: str, session: "Session", *, by: "User | None" = None, key: str = "", **params: Any
) -> None:
    """Queue one notice for each of ``people`` but ``by``, who did it, in the transaction of the act."""
    facts = {
        "code": session.code,
        "title": session.title,
        "when": session.starts_at.isoformat(),
        "place": session.place,
        "by": by.full_name if by is not None else "",
    }
    notices.notify(
        [person for person in people if by is None or person.pk != by.pk],
        kind,
        about=session,
        url="" if (kind, params.get("variant", "")) in FAREWELLS else session.get_absolute_url(),
        key=key,
        replaces=kind in LATEST_ONLY,
        **(facts | params),
    )


def drop(session: "Session", kinds: Iterable[str] | None = None, *, people: "Iterable[User] | None" = None) -> None:
    """What is not read yet is no longer to be said: all of it, or these kinds, or to these people."""
    notices.drop(session, kinds, people=people)


def forget(session: "Session") -> None:
    """The session is deleted: nothing is to be said of it, and what was said leads nowhere."""
    notices.drop(session)
    notices.unlink(session)


def drop_untrue(session: "Session") -> None:
    """What is so in another state only, and not in the one that was entered."""
    notices.drop(session, [kind for kind, state in TRUE_IN.items() if state != session.status])


def drop_if_complete(session: "Session") -> None:
    """Somebody or a room was found: a Confirmed session that has both is missing nothing any more."""
    if session.status != workflow.CONFIRMED or not (session.is_external or session.room_id):
        return
    if session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED).exists():
        notices.drop(session, ["resources_missing"])


def open_to(user: "User", ids: set[int]) -> set[int]:
    """Which of these sessions the person may still open: who was taken off is not sent to a page that is not there."""
    from sessions_app.models import Session

    if allows(user, Perm.SESSION_VIEW_ALL):
        return ids  # what is deleted has no links any more
    return set(Session.objects.visible_to(user).filter(pk__in=ids).values_list("pk", flat=True))
