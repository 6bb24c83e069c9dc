"""A tattoo shop: artists, a client, and their appointments."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from scheduling.slots import Span
from sessions_app.actions import appoint
from sessions_app.models import Client, Session
from studio.conf import STUDIO
from studio.models import User
from studio.roles import Role
from tests.factories.domain import ClientFactory, at, person

MONDAY = "2027-03-08"
NOW = at("2027-03-01", "09:00")


def span(begins: str = "10:00", ends: str = "13:00", day: str = MONDAY) -> Span:
    """Local times of one day."""
    return Span(at(day, begins), at(day, ends))


@dataclass
class Shop:
    artist: User = field(default_factory=lambda: person(Role.ARTIST, full_name="Nico Paz"))
    other: User = field(default_factory=lambda: person(Role.ARTIST, full_name="Sara Luna"))
    coordinator: User = field(default_factory=lambda: person(Role.COORDINATOR))
    client: Client = field(default_factory=ClientFactory)
    now: datetime = NOW

    @property
    def today(self) -> date:
        """By the studio's clock."""
        return self.now.astimezone(STUDIO.zone).date()

    def book(self, when: Span | None = None, *, by: User | None = None, **values: Any) -> Session:
        """An active appointment of 1,000.00 on Monday from 10 to 13, unless told otherwise."""
        values.setdefault("price", Decimal("1000.00"))
        values.setdefault("client", self.client)
        values.setdefault("artist_id", self.artist.pk)
        return appoint.book(span=when or span(), by=by or self.coordinator, now=self.now, **values)

    def later(self, **delta: int) -> datetime:
        self.now += timedelta(**delta)
        return self.now
