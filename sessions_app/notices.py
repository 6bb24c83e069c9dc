"""What the people of a session are told on their dashboards."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from studio import notices

if TYPE_CHECKING:
    from sessions_app.models import Session
    from studio.models import User


def tell(people: Iterable["User"], kind: str, session: "Session", *, key: str = "", **params: Any) -> None:
    """Queue one notice for each of ``people`` about the session, in the transaction of the act."""
    facts = {
        "code": session.code,
        "title": session.title,
        "when": session.starts_at.isoformat(),
        "place": session.place,
    }
    notices.notify(people, kind, about=session, url=session.get_absolute_url(), key=key, **(facts | params))


def drop(session: "Session", kinds: Iterable[str] | None = None) -> None:
    """What nobody has read yet is no longer to be said, all of it or these kinds."""
    notices.drop(session, kinds)
