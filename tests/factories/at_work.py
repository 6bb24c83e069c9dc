"""A studio at work today: a session of each kind that matters to who sees what, built once for a module."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from payments.models import Payment
from scheduling.models import RoomReservation, StaffReservation
from scheduling.slots import Span, whole_days
from sessions_app import workflow
from sessions_app.actions import appoint, closure, feed, pay, price, time_off
from sessions_app.importing import acts as imports
from sessions_app.models import Client, Import, Session
from studio.conf import STUDIO
from studio.models import OutgoingEmail, User
from studio.roles import Role
from tests.factories.domain import ClientFactory, ItemFactory, PackageFactory, Studio, Walk, person

# Nothing else in the studio says these, so that each of them in a page is a leak of the record that has it.
SECRETS = {
    "second phone": "5511-7788",
    "delivery address": "Calzada Escondida 19",
    "notes": "Owes his brother-in-law",
}


@dataclass
class AtWork:
    """``own`` are the people who are on the sessions, ``other`` the ones of the same role who are on none."""

    studio: Studio
    own: dict[str, User]
    sessions: dict[str, Session]
    payments: dict[str, Payment]
    stranger: Client
    tattooed: Client
    """The client of the artist's appointments, and of nothing else."""
    foreign: Session
    line_id: int
    package_id: int
    catalogue: dict[str, int] = field(default_factory=dict)

    def kwargs(self, route: str, session: Session, /, **given: Any) -> dict[str, Any]:
        """What the address of a route needs, about this session."""
        assignment = session.assignments.filter(released_at=None).order_by("pk").first()
        detail = session.lines.order_by("pk").first()
        known = {
            "code": session.code,
            "assignment_id": assignment.pk if assignment else 0,
            "line_id": detail.pk if detail else 0,
            "package_id": self.package_id,
            "payment_id": self.payments["refund" if route == "payment-pay-out" else "pending"].pk,
            "name": "cancel",
            "number": 1,
            "kind": "confirmation_email",
            "language": "es",
            "uidb64": "MQ",
            "token": "forged",
        } | given
        if route in PK_OF:
            known["pk"] = self.catalogue[PK_OF[route]]
        return {each: known[each] for each in PARAMETERS[route]}

    def url(self, route: str, session: Session, /, **given: Any) -> str:
        return reverse(route, kwargs=self.kwargs(route, session, **given))


def build() -> AtWork:
    """Seven weeks ago the bookings began; the shoots were three weeks ago, and what is ahead is a month away."""
    today = timezone.now().astimezone(STUDIO.zone).date()
    package = PackageFactory(
        content=[(ItemFactory(unit_price=Decimal("917.31")), 1), (ItemFactory(unit_price=Decimal("5.43")), 20)],
        base_price=Decimal("1011.77"),
    )
    studio = Studio(today=today - timedelta(days=49), package=package, client=_client("Ximena Quetzal"))
    sessions = {"editing": _priced(studio, day=20).to(workflow.IN_EDITING).session}
    sessions["queue"] = _priced(studio, day=21).to(workflow.ATTENDED).session
    sessions["assigned"] = _priced(studio, day=22).to(workflow.ASSIGNED).session
    sessions["ready"] = _priced(studio, day=23).to(workflow.READY).session
    sessions |= _ahead(studio, today)
    artist, tattooed = person(Role.ARTIST), _client("Paulina Ceiba")
    sessions |= _appointments(studio, today, artist, tattooed)
    stranger = _client("Wenceslao Zompopo")
    foreign = _request(studio, 81, today, stranger)
    room = studio.room
    work = AtWork(
        studio=studio,
        own={
            "photographer": studio.photographer,
            "editor": studio.editor,
            "other_photographer": person(Role.PHOTOGRAPHER),
            "other_editor": person(Role.EDITOR),
            "artist": artist,
            "other_artist": person(Role.ARTIST),
            "coordinator": studio.coordinator,
            "admin": studio.admin,
            "no_role": person(),
        },
        sessions=sessions,
        payments={
            "pending": Payment.objects.live().incoming().pending().filter(session=sessions["prescheduled"]).get(),
            "refund": Payment.objects.refunds().pending().get(),
        },
        stranger=stranger,
        tattooed=tattooed,
        foreign=foreign,
        line_id=sessions["negotiation"].lines.first().pk,
        package_id=package.pk,
        catalogue={
            "client": studio.client.pk,
            "item": package.content.first().item_id,
            "mail": OutgoingEmail.objects.order_by("pk").first().pk,
            "notice": studio.coordinator.notices.order_by("pk").first().pk,
            "package": package.pk,
            "room": room.pk,
            "staff": studio.editor.pk,
            "import": _import(studio).pk,
            "time off": _time_off(studio, today).pk,
            "closure": _closure(studio, today).pk,
            "feed": feed.open_feed(by=studio.coordinator, now=timezone.now())[0].pk,
        },
    )
    with connection.cursor() as cursor:  # what waits for the end of the transaction is checked now
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    return work


def _appointments(studio: Studio, today: date, artist: User, client: Client) -> dict[str, Session]:
    """One that is active, with an advance, and one on hold."""
    now = timezone.now()
    found = {}
    for place, kind in enumerate(("appointment", "held")):
        day = today + timedelta(days=40 + place)
        start = whole_days(day, day).start + timedelta(hours=11)
        found[kind] = appoint.book(
            client=client,
            artist_id=artist.pk,
            span=Span(start, start + timedelta(hours=2)),
            price=Decimal("888.13"),
            title="Koi carp",
            tentative=kind == "held",
            by=studio.coordinator,
            now=now,
        )
    deposit = {"method": "Transfer", "document_number": "BI-9", "payment_date": today}
    advance = pay.register_advance(
        found["appointment"], amount=Decimal("211.17"), by=studio.coordinator, now=now, **deposit
    )
    pay.verify(advance, by=studio.coordinator, now=now)
    return found


def _time_off(studio: Studio, today: date) -> StaffReservation:
    """The coordinator's, far ahead."""
    days = whole_days(today + timedelta(days=300), today + timedelta(days=301))
    return time_off.block(studio.coordinator, span=days, by=studio.coordinator, now=timezone.now())


def _closure(studio: Studio, today: date) -> RoomReservation:
    days = whole_days(today + timedelta(days=300), today + timedelta(days=301))
    return closure.close(studio.room, span=days, by=studio.coordinator, now=timezone.now())


def _import(studio: Studio) -> Import:
    raw = b"Name,E-mail,Phone\nYolanda Xitumul,yolanda@example.test,5555-7733\n"
    now = timezone.now()
    return imports.upload(kind="Clients", file_name="clients.csv", raw=raw, by=studio.coordinator, now=now)


def _client(name: str) -> Client:
    return ClientFactory(
        full_name=name,
        client_type="Institutional",
        secondary_phone=SECRETS["second phone"],
        delivery_address=SECRETS["delivery address"],
        notes=SECRETS["notes"],
    )


def _priced(studio: Studio, *, day: int) -> Walk:
    """A session with prices that no catalogue shows."""
    walk = studio.walk(workflow.NEGOTIATION, when=studio.when(days=day))
    _price(studio, walk)
    return walk.equip()


def _price(studio: Studio, walk: Walk) -> None:
    price.add_package(walk.session, package=studio.package, by=studio.coordinator, now=walk.now)
    price.set_price(
        walk.session,
        transportation_cost=Decimal("0.00"),
        discount=Decimal("123.45"),
        discount_reason="A friend",
        deposit_percentage=50,
        deposit_note="",
        by=studio.coordinator,
        now=walk.now,
    )


def _ahead(studio: Studio, today: date) -> dict[str, Session]:
    """What the office still works on: nothing of it has been shot."""
    found = {}
    for place, state in enumerate(
        (workflow.REQUEST, workflow.NEGOTIATION, workflow.PRE_SCHEDULED, workflow.CONFIRMED, workflow.CANCELED)
    ):
        walk = Walk(studio, _request(studio, 75 + place, today, studio.client), timezone.now())
        if state != workflow.REQUEST:
            walk.to(workflow.NEGOTIATION)
            _price(studio, walk)
            walk.equip()
        if state == workflow.CANCELED:
            walk.to(workflow.CONFIRMED)
        walk.to(state)
        if state == workflow.PRE_SCHEDULED:
            deposit = {"method": "Transfer", "document_number": "BI-7", "payment_date": today}
            pay.register_deposit(walk.session, amount=Decimal("400.07"), by=studio.coordinator, now=walk.now, **deposit)
        found[KEYS[state]] = Session.objects.get(pk=walk.session.pk)
    return found


def _request(studio: Studio, day: int, today: date, client: Client) -> Session:
    return studio.request(when=studio.when(days=day), client=client)


KEYS = {
    workflow.REQUEST: "request",
    workflow.NEGOTIATION: "negotiation",
    workflow.PRE_SCHEDULED: "prescheduled",
    workflow.CONFIRMED: "confirmed",
    workflow.CANCELED: "canceled",
}
PK_OF = {
    "client-page": "client",
    "client-edit": "client",
    "client-delete": "client",
    "client-statement": "client",
    "commission-pay": "staff",
    "commission-person": "staff",
    "item-edit": "item",
    "outbox-page": "mail",
    "outbox-html": "mail",
    "outbox-resend": "mail",
    "outbox-set-aside": "mail",
    "notice-open": "notice",
    "package-edit": "package",
    "room-edit": "room",
    "staff-edit": "staff",
    "staff-invite": "staff",
    "staff-delete": "staff",
    "time-off-end": "time off",
    "closure-end": "closure",
    "feed-revoke": "feed",
    "import-map": "import",
    "import-check": "import",
    "import-run": "import",
    "import-discard": "import",
}


def patterns() -> dict[str, tuple[str, ...]]:
    """Every named address of the project with the names of its parameters; Django's admin is one rule elsewhere."""
    found: dict[str, tuple[str, ...]] = {}

    def walk(entries: list[Any], inherited: tuple[str, ...]) -> None:
        for entry in entries:
            names = (*inherited, *entry.pattern.converters)
            if isinstance(entry, URLPattern):
                found[entry.name or str(entry.pattern)] = names
            elif entry.namespace != "admin":
                walk(entry.url_patterns, names)

    walk(get_resolver().url_patterns, ())
    return found


PARAMETERS = patterns()


@contextmanager
def in_one_transaction(blocker: Any) -> Iterator[AtWork]:
    """The records for a whole module of tests, undone at its end."""
    with blocker.unblock():
        block = transaction.atomic()
        block._from_testcase = True  # as Django's own test case says: not somebody's transaction
        block.__enter__()
        try:
            yield build()
        finally:
            transaction.set_rollback(True)
            block.__exit__(None, None, None)


@contextmanager
def tried() -> Iterator[None]:
    """Whatever is done inside is undone at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# Signing in, a denial and its log leave rows of their own, whatever the page does.
BESIDE = {"studio.auditevent", "sessions.session", "admin.logentry", "axes.accessattempt", "axes.accesslog"}


def row_counts() -> dict[str, int]:
    """How many rows each table has, but for those beside the records."""
    models = [model for model in apps.get_models() if model._meta.label_lower not in BESIDE and model._meta.managed]
    union = " UNION ALL ".join(f"SELECT '{m._meta.label_lower}', count(*) FROM {m._meta.db_table}" for m in models)
    with connection.cursor() as cursor:
        cursor.execute(union)
        return dict(cursor.fetchall())
