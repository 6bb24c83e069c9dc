"""A believable studio to look at: eight people and more, two rooms, a catalogue, weeks of sessions in every state.

Everything is made through the same actions that people use, each at its own moment in the past: the demo cannot hold
anything that the rules would refuse. The same day always gives the same studio.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db.models import OuterRef, Subquery

from catalog.models import Item, Package, PackageItem
from payments import earnings
from payments.models import Payment
from scheduling import hours
from scheduling.models import Room
from scheduling.opening import Interval
from scheduling.slots import Span, instant, whole_days
from sessions_app import workflow
from sessions_app.actions import (
    appoint,
    closure,
    commission,
    editing,
    hold,
    pay,
    people,
    price,
    request,
    shoot,
    time_off,
)
from sessions_app.actions.request import When
from sessions_app.effects import Deposit
from sessions_app.models import Client, Session
from studio.conf import STUDIO
from studio.models import Notice, OutgoingEmail, User
from studio.roles import Role

PASSWORD = "demo-atelier"

PEOPLE = (
    ("admin", "Gabriela Herrera", "es", (Role.ADMIN,)),
    ("carlos", "Carlos Estrada", "es", (Role.COORDINATOR,)),
    ("maria", "María Solís", "es", (Role.COORDINATOR,)),
    ("ana", "Ana Morales", "es", (Role.PHOTOGRAPHER,)),
    ("diego", "Diego Fuentes", "es", (Role.PHOTOGRAPHER,)),
    ("lucia", "Lucía Barrios", "es", (Role.PHOTOGRAPHER,)),
    ("elena", "Elena Cordón", "es", (Role.EDITOR,)),
    ("peter", "Peter Hall", "en", (Role.EDITOR,)),
    ("nico", "Nico Valdez", "es", (Role.ARTIST,)),
    ("sara", "Sara Luna", "es", (Role.ARTIST,)),
)

SHOP_CLIENTS = (
    ("Daniela Rosales", "daniela.rosales", "5555-0801"),
    ("Iván Castañeda", "ivan.castaneda", "5555-0802"),
    ("Karla Menéndez", "karla.menendez", "5555-0803"),
    ("Óscar Cifuentes", "oscar.cifuentes", "5555-0804"),
    ("Regina Batres", "regina.batres", "5555-0805"),
)
# Artist, from, to, what, price.
SITTINGS = (
    ("nico", time(10), time(13), "Manga, línea", "1800.00"),
    ("nico", time(14), time(15, 30), "Diseño pequeño", "650.00"),
    ("nico", time(16), time(18), "Retoque", None),
    ("sara", time(9, 30), time(12), "Flores, antebrazo", "1400.00"),
    ("sara", time(15), time(17, 30), "Lettering", "950.00"),
)

# Lucía is on a salary: she earns a commission only where one is agreed for the session.
RATES = {"ana": "0.150", "diego": "0.125"}

# Full name, what people call them, mailbox, language.
CLIENTS = (
    ("Familia Paz", "Paz", "paz", "es"),
    ("Sofía Ruiz", "Ruiz", "sofia.ruiz", "es"),
    ("Colegio Vista Hermosa", "Colegio Vista", "colegio.vista", "es"),
    ("Andrea Méndez", "Méndez", "andrea.mendez", "es"),
    ("Jorge López", "López", "jorge.lopez", "es"),
    ("Café Barista", "Café Barista", "cafe.barista", "es"),
    ("Emily Carter", "Carter", "emily.carter", "en"),
    ("Castillo Hermanos", "Castillo", "castillo", "es"),
    ("Paola Arriaga", "Arriaga", "paola.arriaga", "es"),
    ("Banco Centro", "Banco Centro", "banco.centro", "es"),
    ("Luisa Fernanda Gil", "Gil", "luisa.gil", "es"),
    ("Mark Jensen", "Jensen", "mark.jensen", "en"),
    ("Restaurante Altamira", "Altamira", "altamira", "es"),
    ("Valeria Quan", "Quan", "valeria.quan", "es"),
    ("Familia Ordóñez", "Ordóñez", "ordonez", "es"),
    ("Tomás Aguirre", "Aguirre", "tomas.aguirre", "es"),
)
INSTITUTIONS = {"Colegio Vista Hermosa", "Café Barista", "Castillo Hermanos", "Banco Centro", "Restaurante Altamira"}

ITEMS = (
    ("EST-1H", "Sesión de estudio 1 h", "Service", "450.00", "Hour"),
    ("EXT-4H", "Cobertura de evento 4 h", "Service", "2600.00", "Package"),
    ("FOTO-D", "Foto digital retocada", "Digital Photo", "45.00", "Unit"),
    ("FOTO-P", "Foto impresa 8 × 10", "Printed Photo", "60.00", "Unit"),
    ("ALB-20", "Álbum 20 × 20", "Album", "650.00", "Unit"),
    ("VID-3", "Video resumen 3 min", "Video", "1200.00", "Unit"),
    ("CUADRO", "Cuadro 40 × 60", "Printed Photo", "380.00", "Unit"),
)

PACKAGES = (
    ("PAQ-RET", "Retrato", "Studio", "1100.00", 4, (("EST-1H", 1), ("FOTO-D", 15))),
    ("PAQ-MAT", "Maternidad", "Studio", "2300.00", 6, (("EST-1H", 2), ("FOTO-D", 20), ("ALB-20", 1))),
    ("PAQ-PROD", "Producto", "Studio", "2250.00", 5, (("EST-1H", 2), ("FOTO-D", 30))),
    ("PAQ-EVE", "Evento 4 h", "External", "4500.00", 8, (("EXT-4H", 1), ("FOTO-D", 50))),
    ("PAQ-BODA", "Boda", "External", "8900.00", 15, (("EXT-4H", 2), ("FOTO-D", 60), ("ALB-20", 1), ("VID-3", 1))),
)

# For people, then for institutions: what it is, which package, what they want, where.
SUBJECTS = {
    ("Studio", False): (
        ("Retratos", "PAQ-RET", "Luz suave y fondo claro; dos cambios de ropa.", ""),
        ("Maternidad", "PAQ-MAT", "Luz natural, tres cambios; trae a su hija.", ""),
        ("Recién nacido", "PAQ-MAT", "Sala caliente; la mamá descansa a media sesión.", ""),
    ),
    ("Studio", True): (
        ("Catálogo", "PAQ-PROD", "Fondo blanco puro, treinta piezas, sin reflejos.", ""),
        ("Retratos de equipo", "PAQ-RET", "Fondo gris, formal; se necesita también en vertical.", ""),
    ),
    ("External", False): (
        (
            "Boda",
            "PAQ-BODA",
            "Ceremonia y recepción; los abuelos se van temprano.",
            "Finca El Pilar, Antigua Guatemala",
        ),
        (
            "Quince años",
            "PAQ-EVE",
            "El vals es a las 18:00; foto con cada padrino.",
            "Casa Santo Domingo, Antigua Guatemala",
        ),
    ),
    ("External", True): (
        ("Evento", "PAQ-EVE", "Discursos a las 17:00; logos siempre visibles.", "Hotel Las Américas, zona 13"),
        ("Aniversario", "PAQ-EVE", "Entrega de reconocimientos y foto de cada área.", "Salón Real, zona 10"),
    ),
}
OPEN, SHORT = Interval(time(8), time(20)), Interval(time(8), time(13))
SLOTS = ((time(9), time(11)), (time(11, 30), time(13)), (time(14), time(16, 30)))
TRAVEL = timedelta(minutes=45)


@dataclass
class DemoStudio:
    """Builds it all. ``now`` is the present of the person who looks at it."""

    now: datetime
    users: dict[str, User] = field(default_factory=dict)
    rooms: list[Room] = field(default_factory=list)
    packages: dict[str, Package] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    made: int = 0

    def build(self) -> None:
        self._people()
        self._catalogue()
        self._hours()
        self._client_book()
        for day in range(-24, 33):
            self._day(self.today + timedelta(days=day), day)
        self._odd_cases()
        self._shop()
        self._not_to_be_had()
        self._pay_commissions()
        self._let_the_past_rest()

    @property
    def today(self) -> date:
        return self.now.astimezone(STUDIO.zone).date()

    # -- records ----------------------------------------------------------------------------------------------------

    def _people(self) -> None:
        # One hash for all: nine slow ones would be the longest part of the first start.
        password = make_password(PASSWORD)
        for name, full_name, language, roles in PEOPLE:
            user = User.objects.create_user(
                email=f"{name}@demo.test",
                full_name=full_name,
                language=language,
                phone=f"5555-{110 + len(self.users):04d}",
            )
            user.password, user.is_staff = password, Role.ADMIN in roles
            user.save(update_fields=["password", "is_staff"])
            user.groups.set(Group.objects.filter(name__in=[role.value for role in roles]))
            self.users[name] = user
        for name, rate in RATES.items():
            User.objects.filter(pk=self.users[name].pk).update(commission_rate=Decimal(rate))

    def _catalogue(self) -> None:
        self.rooms = [
            Room.objects.create(code="A", name="Sala A", description="Ciclorama blanco, luz continua", capacity=8),
            Room.objects.create(code="B", name="Sala B", description="Luz natural", capacity=4),
        ]
        for code, name, kind, unit_price, measure in ITEMS:
            self.items[code] = Item.objects.create(
                code=code, name=name, item_type=kind, unit_price=Decimal(unit_price), unit_measure=measure
            )
        for code, name, session_type, base_price, days, content in PACKAGES:
            package = Package.objects.create(
                code=code,
                name=name,
                session_type=session_type,
                base_price=Decimal(base_price),
                estimated_editing_days=days,
            )
            for order, (item, quantity) in enumerate(content):
                PackageItem.objects.create(
                    package=package, item=self.items[item], quantity=quantity, display_order=order
                )
            self.packages[code] = package

    def _hours(self) -> None:
        """Open from Monday to Saturday; ahead a holiday on which nobody is booked, and a short day with somebody."""
        admin = self.users["admin"]
        hours.set_week({weekday: [OPEN] for weekday in range(6)}, by=admin)
        quiet = (self.today + timedelta(days=offset) for offset in (17, 21, 25, 27))
        holiday, short = next(day for day in quiet if day.weekday() < 5), self.today + timedelta(days=19)
        hours.declare(holiday, holiday, note="Feriado", by=admin, now=self.now)
        hours.declare(short, short, hours=[SHORT], note="Inventario por la tarde", by=admin, now=self.now)

    def _client_book(self) -> None:
        for number, (name, _called, address, language) in enumerate(CLIENTS):
            self.clients.append(
                Client.objects.create(
                    full_name=name,
                    email=f"{address}@example.com",
                    primary_phone=f"5555-{142 + number * 7:04d}",
                    client_type="Institutional" if name in INSTITUTIONS else "Individual",
                    language=language,
                )
            )

    # -- weeks of work ----------------------------------------------------------------------------------------------

    def _day(self, day: date, offset: int) -> None:
        """What stands in the agenda of one day: work on weekdays, more on Saturdays, today always something."""
        weekday = day.weekday()
        if offset == 0:
            self._studio_session(day, offset, slot=0, room=0, photographer="ana")
            self._studio_session(day, offset, slot=2, room=1, photographer="lucia")
            self._external_session(day, offset, time(15), time(19), ("diego",))
            return
        # On a Tuesday nothing would be waiting for an editor if Monday were quiet.
        is_quiet = weekday < 5 and offset % 2 and not (weekday == 0 and offset == -1)
        if weekday == 6 or is_quiet:
            return
        # On Saturdays Diego and Lucía are at somebody's feast.
        photographer = "ana" if weekday == 5 else ("ana", "lucia")[offset % 2]
        self._studio_session(day, offset, slot=offset % 3, room=offset % 2, photographer=photographer)
        if weekday == 5:
            self._external_session(day, offset, time(15), time(20), ("diego", "lucia"))

    def _studio_session(self, day: date, offset: int, *, slot: int, room: int, photographer: str) -> None:
        start, end = SLOTS[slot]
        story = self._request("Studio", day, start, end)
        story.crew, story.room = (photographer,), self.rooms[room]
        story.go(_target(offset, self.made))

    def _external_session(self, day: date, offset: int, start: time, end: time, crew: tuple[str, ...]) -> None:
        story = self._request("External", day, start, end)
        story.crew = crew
        story.go(_target(offset, self.made))

    def _request(self, kind: str, day: date, start: time, end: time) -> "Story":
        number = self.made % len(self.clients)
        client, called = self.clients[number], CLIENTS[number][1]
        choice = SUBJECTS[kind, client.full_name in INSTITUTIONS]
        subject, package, wants, place = choice[self.made // 3 % len(choice)]
        self.made += 1
        begins = instant(day, start)
        # Asked for weeks before the session, or in these last days for what lies far ahead.
        asked = min(begins - timedelta(days=26), self.now - timedelta(days=5 + self.made % 4, hours=self.made % 5))
        if (begins - self.now).days > 20:
            asked = self.now - timedelta(hours=3 + 7 * (self.made % 9))
        session = request.open_request(
            client=client,
            session_type=kind,
            when=When(session_date=day, start_time=start, end_time=end),
            location=place,
            event_description=f"{subject} {called}",
            special_notes=wants,
            by=self.users[("carlos", "maria")[self.made % 2]],
            now=asked,
        )
        return Story(self, session, asked, package=self.packages[package])

    # -- what does not go by the book -------------------------------------------------------------------------------

    def _odd_cases(self) -> None:
        """A deadline tonight, a payment to verify, a reopening, a refund owed, holds past their day, a client with a
        record."""
        carlos = self.users["carlos"]
        ahead = self.today + timedelta(days=10)
        tonight = self._special(ahead, time(17), time(18), "Retratos", "PAQ-RET", days_ago=5)
        tonight.go(workflow.PRE_SCHEDULED)
        waiting = self._special(ahead + timedelta(days=1), time(17), time(18, 30), "Catálogo", "PAQ-PROD", days_ago=2)
        waiting.go(workflow.PRE_SCHEDULED)
        pay.register_deposit(
            waiting.session,
            amount=Decimal("1125.00"),
            method="Transfer",
            document_number="BI-88213",
            payment_date=self.today,
            by=self.users["maria"],
            now=self.now - timedelta(hours=2),
        )
        reopened = self._special(ahead + timedelta(days=4), time(17), time(19), "Maternidad", "PAQ-MAT", days_ago=6)
        reopened.go(workflow.CONFIRMED)
        reopened.session.reopen(by=carlos, now=self.now - timedelta(hours=5), reason="Quiere agregar un cuadro.")
        price.add_item(
            reopened.session, item=self.items["CUADRO"], quantity=1, by=carlos, now=self.now - timedelta(hours=4)
        )
        refunded = self._special(ahead + timedelta(days=6), time(17), time(18), "Retratos", "PAQ-RET", days_ago=9)
        refunded.go(workflow.CONFIRMED)
        refunded.session.cancel(
            by=carlos, now=self.now - timedelta(days=1), reason="Cambia de trabajo y viaja.", initiator="client"
        )
        undecided = self._special(ahead + timedelta(days=8), time(17), time(18), "Retratos", "PAQ-RET", days_ago=9)
        undecided.go(workflow.NEGOTIATION)
        waited_for = self._special(ahead + timedelta(days=9), time(17), time(19), "Maternidad", "PAQ-MAT", days_ago=9)
        waited_for.go(workflow.NEGOTIATION)
        hold.extend(
            waited_for.session,
            until=self.today + timedelta(days=6),
            reason="Decide al volver de su viaje.",
            by=self.users["maria"],
            now=self.now - timedelta(days=1),
        )
        self._client_with_a_record(carlos)

    def _client_with_a_record(self, by: User) -> None:
        """Three cancellations of four: the next booking asks for the whole price as deposit (D24)."""
        client = Client.objects.create(
            full_name="Rodrigo Salazar", email="rodrigo@example.com", primary_phone="5555-0777", language="es"
        )
        for days in (12, 9, 6):
            session = request.open_request(
                client=client,
                session_type="Studio",
                when=When(session_date=self.today + timedelta(days=days), start_time=time(19), end_time=time(20)),
                event_description="Retratos Salazar",
                by=by,
                now=self.now - timedelta(days=days),
            )
            session.cancel(by=by, now=self.now - timedelta(days=days - 1), reason="No contesta.", initiator="client")

    def _special(self, day: date, start: time, end: time, subject: str, package: str, *, days_ago: int) -> "Story":
        number = self.made % len(self.clients)
        client, called = self.clients[number], CLIENTS[number][1]
        self.made += 1
        asked = self.now - timedelta(days=days_ago, minutes=10)
        session = request.open_request(
            client=client,
            session_type="Studio",
            when=When(session_date=day, start_time=start, end_time=end),
            event_description=f"{subject} {called}",
            room_id=self.rooms[0].pk,
            by=self.users["carlos"],
            now=asked,
        )
        # Ana is never out on a Saturday afternoon.
        return Story(self, session, asked, crew=("ana",), package=self.packages[package], pace=timedelta(minutes=2))

    # -- the artists' shop -------------------------------------------------------------------------------------------

    def _shop(self) -> None:
        """Two artists' appointments, from a week ago to a week and a half ahead, in every state."""
        User.objects.filter(pk=self.users["sara"].pk).update(
            commission_rate=Decimal("0.6"), buffer_before=10, buffer_after=15
        )
        clients = [
            Client.objects.create(full_name=name, email=f"{box}@example.com", primary_phone=phone, language="es")
            for name, box, phone in SHOP_CLIENTS
        ]
        for offset in range(-7, 11):
            day = self.today + timedelta(days=offset)
            if day.weekday() == 6:
                continue
            for number, (artist, begins, ends, title, price_) in enumerate(SITTINGS):
                turn = offset + 14 + number
                # Days are not full, and no two are alike.
                if turn % 3 == 0 and offset:
                    continue
                client = clients[turn % len(clients)]
                self._sitting(client, artist, Span(instant(day, begins), instant(day, ends)), title, price_, turn)
        carlos, ahead = self.users["carlos"], self.today + timedelta(days=9)
        appoint.book_series(
            [
                Span(instant(ahead + timedelta(weeks=week), time(19)), instant(ahead + timedelta(weeks=week), time(20)))
                for week in range(3)
            ],
            client=clients[0],
            artist_id=self.users["nico"].pk,
            price=Decimal("900.00"),
            title="Manga, repaso",
            by=carlos,
            now=self.now - timedelta(days=1),
        )

    def _not_to_be_had(self) -> None:
        """The floor of a room is laid anew, and an artist is at a convention: both at a time when they are free."""
        carlos, sara = self.users["carlos"], self.users["sara"]
        tuesday = self.today + timedelta(days=2)
        tuesday += timedelta(days=(1 - tuesday.weekday()) % 7)
        floor = whole_days(tuesday, tuesday + timedelta(days=1))
        closure.close(self.rooms[1], span=floor, by=carlos, now=self.now, notes="Cambio de piso")
        away = whole_days(self.today + timedelta(days=12), self.today + timedelta(days=14))
        time_off.block(sara, span=away, by=sara, now=self.now, notes="Convención en Antigua")

    def _sitting(self, client: Client, artist: str, span: Span, title: str, price_: str | None, turn: int) -> None:
        by, carlos = self.users[artist], self.users["carlos"]
        # The office brings the clients; an artist books again whom they know.
        is_known = Session.objects.visible_to(by).filter(client=client).exists()
        booked = min(span.start - timedelta(days=4), self.now - timedelta(hours=2 + turn % 20))
        session = appoint.book(
            client=client,
            artist_id=by.pk,
            span=span,
            price=Decimal(price_) if price_ else None,
            title=title,
            tentative=turn % 5 == 0 and span.start > self.now,
            by=by if is_known else carlos,
            now=booked,
        )
        if price_ and turn % 4 == 1:
            advance = pay.register_advance(
                session,
                amount=Decimal("300.00"),
                method="Transfer",
                document_number=f"BAM-{4100 + turn}{artist[0].upper()}",
                payment_date=booked.astimezone(STUDIO.zone).date(),
                by=carlos,
                now=booked + timedelta(minutes=5),
            )
            pay.verify(advance, by=carlos, now=booked + timedelta(minutes=20))
        if span.end > self.now:
            return
        if turn % 7 == 2:
            session.cancel(by=by, now=span.end, reason="No vino ni avisó.", initiator="client", no_show=True)
        else:
            session.complete(by=by, now=span.end, method=("Cash", "Card", "Transfer")[turn % 3])

    def _pay_commissions(self) -> None:
        """Ana has been paid until ten days ago; the rest is open."""
        ana, last_day = self.users["ana"], self.today - timedelta(days=10)
        open_lines = earnings.unpaid(ana, last_day)
        total = sum((line.amount for line in open_lines), Decimal(0))
        if total > 0:
            commission.pay_commission(
                ana,
                last_day=last_day,
                expected=total,
                method="Transfer",
                document_number="BI-88110",
                by=self.users["maria"],
                now=datetime.combine(last_day + timedelta(days=1), time(17, 40), tzinfo=STUDIO.zone),
            )

    def _let_the_past_rest(self) -> None:
        """E-mails and notices of weeks ago were sent and read then, not on the day the demo is made."""
        told = Subquery(Session.objects.filter(pk=OuterRef("about_id")).values("updated_at"))
        OutgoingEmail.objects.update(status="sent", created_at=told, sent_at=told)
        old = Session.objects.filter(updated_at__lt=self.now - timedelta(days=2)).values("pk")
        Notice.objects.filter(about_id__in=old).update(read_at=self.now, created_at=self.now - timedelta(days=2))


@dataclass
class Story:
    """One session on its way, with a clock that never passes the present."""

    demo: DemoStudio
    session: Session
    clock: datetime
    crew: tuple[str, ...] = ()
    room: Room | None = None
    package: Package | None = None
    pace: timedelta = timedelta(hours=20)
    target: str = workflow.REQUEST

    def go(self, target: str) -> None:
        """Along the path to ``target``; a canceled one is canceled from Confirmed."""
        self.target = target
        path = workflow.PATH.index(workflow.CONFIRMED if target == workflow.CANCELED else target)
        for status in workflow.PATH[1 : path + 1]:
            getattr(self, "_" + status.lower().replace(" ", "_").replace("-", "_"))()
        if target == workflow.CANCELED:
            self._cancel()

    def _tick(self, longest: timedelta | None = None) -> datetime:
        """The next moment: later than the last one, before the present."""
        step = min(longest or self.pace, max((self.demo.now - self.clock) / 3, timedelta(seconds=1)))
        self.clock = min(self.clock + step, self.demo.now)
        return self.clock

    @property
    def _office(self) -> User:
        return self.demo.users[("carlos", "maria")[self.session.pk % 2]]

    def _negotiation(self) -> None:
        self.session.negotiate(by=self._office, now=self._tick(min(self.pace, timedelta(hours=2))))
        price.add_package(
            self.session,
            package=self.package,
            by=self._office,
            now=self._tick(min(self.pace, timedelta(minutes=20))),
            take_discount=True,
        )
        if self.session.is_external and self.session.pk % 2:
            self.session.refresh_from_db()
            price.set_price(
                self.session,
                transportation_cost=STUDIO.remote_transportation_cost,
                discount=self.session.discount,
                discount_reason=self.session.discount_reason,
                deposit_percentage=self.session.deposit_percentage,
                deposit_note="",
                by=self._office,
                now=self.clock,
            )
        self._book()

    def _book(self) -> None:
        """Held from the negotiation on (D33); a few are still without anybody."""
        if self.room is not None:
            people.give_room(self.session, room_id=self.room.pk, by=self._office, now=self.clock)
        if self.target == workflow.CONFIRMED and self.session.pk % 3 == 0:
            return
        travel = TRAVEL if self.session.is_external else timedelta()
        for name in self.crew:
            people.assign_photographer(
                self.session,
                photographer_id=self.demo.users[name].pk,
                coverage=Span(self.session.starts_at - travel, self.session.ends_at + travel),
                by=self._office,
                now=self.clock,
            )
        self.session.refresh_from_db()

    def _pre_scheduled(self) -> None:
        self.session.refresh_from_db()
        self.session.preschedule(by=self._office, now=self._tick())

    def _confirmed(self) -> None:
        deposit = Deposit(
            amount=self.session.deposit_amount,
            method=("Transfer", "Card", "Cash")[self.session.pk % 3],
            document_number=f"BI-{80000 + self.session.pk * 13}",
            payment_date=self.clock.astimezone(STUDIO.zone).date(),
        )
        self.session.confirm(by=self._office, now=self._tick(), deposit=deposit)

    def _assigned(self) -> None:
        self.clock = max(self.clock, self.session.changes_deadline + timedelta(seconds=6))
        self.session.assign(by=None, now=self.clock)

    def _attended(self) -> None:
        self.clock = max(self.clock, self.session.ends_at)
        lead = self.session.assignments.get(is_lead_photographer=True).staff
        shoot.mark_attended(self.session, by=lead, now=self.clock)
        self.session.refresh_from_db()
        if self.session.pk % 3 == 0:
            shoot.write_notes(
                self.session,
                observations="Las mejores tomas son las últimas cuarenta.",
                incidents="",
                by=lead,
                now=self.clock,
            )

    def _in_editing(self) -> None:
        editor = self.demo.users[("elena", "peter")[self.session.pk % 2]]
        self.session.refresh_from_db()
        self.session.take(by=editor, now=self._tick())
        if self.session.pk % 7 == 0:
            editing.move_delivery(
                self.session,
                editing_days=self.session.estimated_editing_days + 3,
                note="Falta escoger la portada.",
                by=editor,
                now=self.clock,
            )

    def _ready_for_delivery(self) -> None:
        self.session.refresh_from_db()
        self.session.ready(by=self.session.assigned_editor, now=self._tick(timedelta(days=3)))

    def _completed(self) -> None:
        missing = self.session.total - self.session.deposit_amount
        if missing > 0:
            paid = pay.register_balance(
                self.session,
                amount=missing,
                method="Transfer",
                document_number=f"BI-{90000 + self.session.pk * 17}",
                payment_date=self.clock.astimezone(STUDIO.zone).date(),
                by=self._office,
                now=self.clock,
            )
            pay.verify(paid, by=self._office, now=self.clock)
        if self.demo.made % 4 == 0:
            commission.agree_commission(
                self.session, rate=Decimal("0.2"), by=self._office, now=self._tick(timedelta(minutes=10))
            )
        self.session.complete(by=self._office, now=self._tick())

    def _cancel(self) -> None:
        self.session.cancel(
            by=self._office, now=self._tick(), reason="El cliente pospone sin nueva fecha.", initiator="client"
        )
        for refund in Payment.objects.refunds().pending().filter(session=self.session):
            pay.pay_out(
                refund,
                method="Transfer",
                document_number=f"DEV-{self.session.pk}",
                payment_date=self.clock.astimezone(STUDIO.zone).date(),
                by=self._office,
                now=self.clock,
            )


def _target(offset: int, number: int) -> str:
    """How far a session has come, by how far its day lies behind or ahead."""
    if offset <= -12:
        return workflow.CANCELED if number % 8 == 5 else workflow.COMPLETED
    if offset <= -7:
        return workflow.COMPLETED if number % 2 else workflow.READY
    if offset <= -3:
        return workflow.IN_EDITING
    if offset < 0:
        return workflow.ATTENDED
    if offset <= 6:
        return workflow.CONFIRMED if number % 11 == 10 else workflow.ASSIGNED
    if offset <= 14:
        return workflow.CONFIRMED
    if offset <= 20:
        return (workflow.PRE_SCHEDULED, workflow.CONFIRMED, workflow.NEGOTIATION)[number % 3]
    return (workflow.NEGOTIATION, workflow.REQUEST, workflow.REQUEST)[number % 3]
