"""Every view finds its records here: what a person may not see is not there (404)."""

from django.http import HttpRequest

from payments.models import Payment
from sessions_app.models import Client, Session
from sessions_app.queries import SessionQuerySet
from studio.access import require
from studio.errors import NotFound, SessionNotFound
from studio.roles import Perm

LARGEST_ID = 2**63 - 1


def visible_session(request: HttpRequest, code: str, among: SessionQuerySet | None = None) -> Session:
    """The session with this code within the person's reach, else ``SessionNotFound`` (D36)."""
    rows = among if among is not None else Session.objects.visible_to(request.user)
    found = rows.select_related("client", "room", "assigned_editor").filter(code=code).first()
    if found is None:
        # Recorded as a denial only where there was something to deny.
        hidden = Session.objects.present().filter(code=code).first()
        raise SessionNotFound(
            user=request.user if hidden else None, perm=Perm.SESSION_VIEW_OWN if hidden else None, obj=hidden
        )
    return found


def visible_payment(request: HttpRequest, payment_id: int) -> Payment:
    """The payment, of a session within reach, for somebody who has to do with money; else ``NotFound``."""
    rows = Payment.objects.filter(session__in=Session.objects.visible_to(request.user).values("pk"))
    found = rows.select_related("session__client").filter(pk=payment_id).first() if payment_id <= LARGEST_ID else None
    if found is None:
        raise NotFound
    return found


def present_client(request: HttpRequest, client_id: int) -> Client:
    """The client, for those who hold the client book; else ``AccessDenied``, or ``NotFound`` for no such client."""
    require(request.user, Perm.CLIENT_VIEW)
    found = Client.objects.present().filter(pk=client_id).first() if client_id <= LARGEST_ID else None
    if found is None:
        raise NotFound
    return found
