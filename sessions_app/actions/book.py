"""The client book, and taking records out of sight (permissions: client.*, session.delete; D30)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from scheduling import booking
from sessions_app import holds, mail, notices, workflow
from sessions_app.actions.reach import locked_for, touch
from sessions_app.models import Client, Session
from studio import audit
from studio.access import require
from studio.errors import ImmutableSession, InvalidInput
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User


def add_client(client: Client, *, by: "User") -> Client:
    """Write a new client, as a form has filled and checked it. Raises ``InvalidInput`` for an e-mail that is taken."""
    with audit.act():
        require(by, Perm.CLIENT_CREATE)
        with _email_is_free():
            client.save(force_insert=True)
    return client


def change_client(client: Client, *, by: "User", **values: Any) -> Client:
    with audit.act():
        require(by, Perm.CLIENT_EDIT, client)
        for name, value in values.items():
            setattr(client, name, value)
        with _email_is_free():
            client.save()
    return client


@contextmanager
def _email_is_free() -> Iterator[None]:
    """Two people may write the same client down at one moment; the constraint knows, and this says so."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as taken:
        if "client_email_unique" not in str(taken):
            raise
        raise InvalidInput(_("Another client has this e-mail."), field="email") from taken


def delete_client(client: Client, *, by: "User", now: datetime) -> Client:
    """Soft: the client disappears from the book; sessions and payments stay (D30).

    Raises ``InvalidInput`` while a session is under way.
    """
    with audit.act():
        require(by, Perm.CLIENT_DELETE, client)
        locked = Client.objects.select_for_update().get(pk=client.pk)
        if Session.objects.active().filter(client=locked).exists():
            raise InvalidInput(_("The client has sessions under way. Cancel or complete them first."))
        locked.active, locked.deleted_at, locked.deleted_by = False, now, by
        locked.save(update_fields=["active", "deleted_at", "deleted_by"])
        audit.record("client_deleted", by=by, about=locked)
    return locked


def delete_session(session: Session, *, by: "User", now: datetime) -> None:
    """Soft: out of every list. Only one that is over or never began: what holds time or money is cancelled first."""
    with audit.act():
        locked = locked_for(session, by=by, perm=Perm.SESSION_DELETE)
        if locked.status not in (workflow.REQUEST, *workflow.FINAL):
            raise ImmutableSession(_("Cancel the session first."), details={"current": locked.status})
        booking.release(locked.pk, now=now)
        holds.end(locked)
        notices.forget(locked)
        mail.drop(locked, set(mail.STATES_OF) - {"cancellation_email"})
        locked.deleted_at = now
        touch(locked, by=by, now=now)
        audit.record("session_deleted", by=by, about=locked)
