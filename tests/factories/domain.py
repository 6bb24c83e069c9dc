"""Records of every package, and sessions that reach a state by walking the table, never by writing the status."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import factory
from django.contrib.auth.models import Group
from factory.django import DjangoModelFactory

from catalog.models import Item, ItemType, Package, PackageItem
from payments.models import PaymentMethod
from scheduling.models import Room
from sessions_app import workflow
from sessions_app.actions import people, price, request
from sessions_app.actions.request import When
from sessions_app.effects import Deposit
from sessions_app.models import Client, Session
from studio.conf import STUDIO
from studio.models import User
from studio.roles import Role

PASSWORD = "correct horse battery"

_numbers = count(1)


def at(day: date | str, clock: str = "10:00") -> datetime:
    """An instant, from a local day and a local time."""
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=STUDIO.zone)


def person(*roles: Role, **values: Any) -> User:
    """Somebody who works in the studio, with these roles."""
    number = next(_numbers)
    values.setdefault("full_name", f"{roles[0].value if roles else 'Nobody'} {number}")
    user = User.objects.create_user(email=values.pop("email", f"person{number}@studio.test"), **values)
    user.groups.add(*(Group.objects.get_or_create(name=role.value)[0] for role in roles))
    return User.objects.get(pk=user.pk)


class RoomFactory(DjangoModelFactory):
    class Meta:
        model = Room

    code = factory.Sequence(lambda n: f"R{n}")
    name = factory.Sequence(lambda n: f"Room {n}")


class ItemFactory(DjangoModelFactory):
    class Meta:
        model = Item

    code = factory.Sequence(lambda n: f"I{n}")
    name = factory.Sequence(lambda n: f"Item {n}")
    item_type = ItemType.DIGITAL_PHOTO
    unit_price = Decimal("45.00")


class PackageFactory(DjangoModelFactory):
    """A package of one item of 900.00 and twenty of 5.00: 1000.00 in all."""

    class Meta:
        model = Package
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"P{n}")
    name = factory.Sequence(lambda n: f"Package {n}")
    base_price = Decimal("1000.00")

    @factory.post_generation
    def content(self, create: bool, content: Any, **kwargs: Any) -> None:
        pairs = content or [
            (ItemFactory(unit_price=Decimal("900.00")), 1),
            (ItemFactory(unit_price=Decimal("5.00")), 20),
        ]
        for order, (item, quantity) in enumerate(pairs):
            PackageItem.objects.create(package=self, item=item, quantity=quantity, display_order=order)


class ClientFactory(DjangoModelFactory):
    class Meta:
        model = Client

    full_name = factory.Sequence(lambda n: f"Client {n}")
    email = factory.Sequence(lambda n: f"client{n}@example.test")
    primary_phone = "5555-0142"
    secondary_phone = "5555-0999"
    delivery_address = "Secret street 7"
    notes = "Pays late, be careful"


@dataclass
class Studio:
    """One of each: the people, the room, the package and the client of a walk."""

    today: date = date(2026, 3, 2)
    admin: User = field(default_factory=lambda: person(Role.ADMIN))
    coordinator: User = field(default_factory=lambda: person(Role.COORDINATOR))
    photographer: User = field(default_factory=lambda: person(Role.PHOTOGRAPHER))
    editor: User = field(default_factory=lambda: person(Role.EDITOR))
    room: Room = field(default_factory=RoomFactory)
    package: Package = field(default_factory=PackageFactory)
    client: Client = field(default_factory=ClientFactory)

    @property
    def now(self) -> datetime:
        return at(self.today)

    def when(self, days: int = 20, start: str = "14:00", end: str = "16:30") -> When:
        return When(
            session_date=self.today + timedelta(days=days),
            start_time=time.fromisoformat(start),
            end_time=time.fromisoformat(end),
        )

    def request(self, **values: Any) -> Session:
        """A request as a coordinator writes it down; without room and people unless they are named."""
        kind = values.setdefault("session_type", workflow.STUDIO_SESSION)
        if kind == workflow.EXTERNAL_SESSION:
            values.setdefault("location", "Finca El Pilar")
        values.setdefault("client", self.client)
        values.setdefault("when", self.when())
        values.setdefault("event_description", "Maternity")
        return request.open_request(by=self.coordinator, now=self.now, **values)

    def walk(self, to: str, **values: Any) -> "Walk":
        """A session brought to a state, along the path of the table."""
        return Walk(self, self.request(**values)).to(to)


@dataclass
class Walk:
    """A session under way, with the clock of its last step."""

    studio: Studio
    session: Session
    now: datetime = None

    def __post_init__(self) -> None:
        self.now = self.now or self.studio.now

    def to(self, status: str) -> "Walk":
        if status == workflow.CANCELED:
            self.session.cancel(by=self.studio.coordinator, now=self.now, reason="Ill", initiator="client")
            return self
        while self.session.status != status:
            self.step()
        return self

    def step(self) -> None:
        studio, session = self.studio, self.session
        match session.status:
            case workflow.REQUEST:
                session.negotiate(by=studio.coordinator, now=self.now)
            case workflow.NEGOTIATION:
                if not session.lines.exists():
                    price.add_package(session, package=studio.package, by=studio.coordinator, now=self.now)
                session.preschedule(by=studio.coordinator, now=self.now)
            case workflow.PRE_SCHEDULED:
                session.confirm(by=studio.coordinator, now=self.now, deposit=self.deposit())
            case workflow.CONFIRMED:
                self.equip()
                self.now = max(self.now, session.changes_deadline + timedelta(seconds=1))
                session.assign(by=studio.coordinator, now=self.now)
            case workflow.ASSIGNED:
                self.now = max(self.now, session.ends_at)
                session.attend(by=session.assignments.filter(released_at=None).first().staff, now=self.now)
            case workflow.ATTENDED:
                session.take(by=studio.editor, now=self.now)
            case workflow.IN_EDITING:
                session.ready(by=studio.editor, now=self.now)
            case workflow.READY:
                session.complete(by=studio.coordinator, now=self.now)
            case final:
                raise AssertionError(f"no way on from {final}")

    def deposit(self, amount: Decimal | str | None = None) -> Deposit:
        self.session.refresh_from_db()
        amount = self.session.deposit_amount if amount is None else Decimal(amount)
        return Deposit(amount=amount, method=PaymentMethod.TRANSFER, document_number="BI-1")

    def equip(self) -> "Walk":
        """A photographer, and a room for a studio session, unless they are there."""
        studio, session = self.studio, self.session
        if not session.assignments.filter(released_at=None).exists():
            people.assign_photographer(
                session,
                photographer_id=studio.photographer.pk,
                coverage=session.span,
                by=studio.coordinator,
                now=self.now,
            )
        if not session.is_external and session.room_id is None:
            people.give_room(session, room_id=studio.room.pk, by=studio.coordinator, now=self.now)
        session.refresh_from_db()
        return self
