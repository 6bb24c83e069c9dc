"""The aggregate: clients, and sessions with their lines and history."""

from sessions_app.models.client import Client, ClientType
from sessions_app.models.detail import ReferenceType, SessionDetail
from sessions_app.models.feed import CalendarFeed
from sessions_app.models.history import StatusHistory
from sessions_app.models.imported import Import, ImportKind, ImportState
from sessions_app.models.quote import QuoteVersion
from sessions_app.models.session import Session, SessionUserObjectPermission

__all__ = [
    "CalendarFeed",
    "Client",
    "ClientType",
    "Import",
    "ImportKind",
    "ImportState",
    "QuoteVersion",
    "ReferenceType",
    "Session",
    "SessionDetail",
    "SessionUserObjectPermission",
    "StatusHistory",
]
