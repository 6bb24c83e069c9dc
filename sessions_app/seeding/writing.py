"""Write an agenda into the database: as many statements for a hundred sessions as for a hundred thousand.

The agenda is copied into a table of its own; from it come, by a few INSERT ... SELECT for each batch, the sessions with
their lines, history, payments, reservations, grants, quotes and e-mails, as the acts of people would have left them.

Constraints hold as always. The triggers are passed over: they would have every session walked from state to state in
updates of its own. What they guard is looked at before anything is committed, for all rows at once: every integrity
check (``sessions_app.integrity``), and every foreign key.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain
from random import Random
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection, models, transaction
from psycopg.types.json import Jsonb

from catalog.models import Item, Package, PackageItem
from payments import commissions
from payments.models import CommissionLine, Payment
from payments.refunds import CLIENT, Percentages, calculate_refund
from scheduling.models import Room, RoomReservation, StaffReservation
from scheduling.slots import whole_days
from sessions_app import integrity, workflow
from sessions_app.deadlines import end_of_day
from sessions_app.models import (
    Client,
    QuoteVersion,
    Session,
    SessionDetail,
    SessionUserObjectPermission,
    StatusHistory,
)
from sessions_app.seeding import statements
from sessions_app.seeding.agenda import Agenda, Planned, Size, closures, times_off
from studio.access import permission_id
from studio.conf import STUDIO
from studio.models import OutgoingEmail, User
from studio.roles import Perm, Role

AT_ONCE = 100_000
DOMAIN = "seed.test"
# What a deadline may lie before and behind the days of the agenda, by the largest settings.
MARGIN = timedelta(days=800)

WRITTEN = (
    Client,
    Session,
    SessionDetail,
    StatusHistory,
    Payment,
    CommissionLine,
    RoomReservation,
    StaffReservation,
    SessionUserObjectPermission,
    QuoteVersion,
    OutgoingEmail,
)

FIRST_NAMES = (
    "Ana Beatriz Carmen Daniela Elisa Fernanda Gabriela Helena Irene Julia Karla Lucía Marta Natalia Olga Paola"
    " Andrés Bruno Carlos Diego Esteban Felipe Gerardo Hugo Iván Jorge Kevin Luis Mario Nicolás Óscar Pablo"
)
SURNAMES = (
    "Aguilar Barrios Castillo Díaz Estrada Fuentes García Herrera Ibarra Juárez López Méndez Núñez Ordóñez Paz"
    " Quiroa Ramírez Solís Tobar Urrutia Valdez Wong Xicará Yax Zamora Cifuentes Gálvez Marroquín Recinos"
)
PLACES = ("Finca El Pilar", "Casa Santo Domingo", "Hotel Las Américas, zona 13", "Salón Real, zona 10")

ITEMS = {
    "SEED-H": ("Sesión de estudio 1 h", Decimal("450.00")),
    "SEED-C": ("Cobertura de evento 4 h", Decimal("2600.00")),
    "SEED-F": ("Foto digital", Decimal("45.00")),
    "SEED-A": ("Álbum", Decimal("650.00")),
    "SEED-V": ("Video", Decimal("1200.00")),
}
# Code, name, for which sessions, editing days, and how many of what is in it.
PACKAGES = (
    ("SEED-RET", "Retrato", "Studio", 4, {"SEED-H": 1, "SEED-F": 15}),
    ("SEED-MAT", "Maternidad", "Studio", 6, {"SEED-H": 2, "SEED-A": 1}),
    ("SEED-PRO", "Producto", "Studio", 5, {"SEED-H": 2, "SEED-F": 30}),
    ("SEED-EVE", "Evento", "External", 8, {"SEED-C": 1, "SEED-F": 50}),
    ("SEED-BOD", "Boda", "External", 15, {"SEED-C": 2, "SEED-A": 1, "SEED-V": 1}),
)


class WrongSeed(Exception):
    """What was written is not what the rules allow: nothing of it is kept."""


@dataclass
class Seed:
    """One data set under way, with the ids of whom and what it plans with."""

    agenda: Agenda
    people: dict[Role, list[int]] = field(default_factory=dict)
    rooms: list[int] = field(default_factory=list)
    packages: list[int] = field(default_factory=list)

    @property
    def size(self) -> Size:
        return self.agenda.size

    @property
    def as_of(self) -> datetime:
        """The first instant of its today: nothing was written later."""
        return whole_days(self.agenda.today, self.agenda.today).start


def seed_sessions(size: Size, *, today: date, seed: int = 1) -> dict[str, int]:
    """Write the data set, look at it, and say how many rows of what there are now. All of it or nothing.

    Raises ``WrongSeed`` with what was found when something is not as the rules want it.
    """
    with transaction.atomic():
        made = Seed(Agenda(size, today, seed, STUDIO.changes_deadline_days, Random))
        _write_people(made)
        _write_catalogue(made)
        with _triggers_passed_over(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('work_mem', '128MB', true), set_config('TimeZone', 'UTC', true)")
            first_day, last_day = _copy_agenda(cursor, made)
            _copy_days(cursor, first_day - MARGIN, last_day + MARGIN)
            _copy_packages(cursor, made)
            values = _values(cursor, made)
            cursor.execute(statements.CLIENTS, values)
            for first in range(1, size.sessions + 1, AT_ONCE):
                values |= {"first": first, "last": first + AT_ONCE - 1}
                for statement in statements.BATCH:
                    cursor.execute(statement, values)
            _write_blocked_time(cursor, made, first_day, last_day)
            cursor.execute("DROP TABLE seed_agenda, seed_day, seed_sold")
            cursor.execute("ANALYZE " + ", ".join(model._meta.db_table for model in WRITTEN))
        _refuse_what_is_wrong(made.as_of)
        return {str(model._meta.verbose_name_plural): _count(model) for model in WRITTEN}


@contextmanager
def _triggers_passed_over() -> Iterator[None]:
    """For this transaction alone; the role that may do it is a superuser, or was granted the setting."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


# --- who, what and where --------------------------------------------------------------------------


def _write_people(made: Seed) -> None:
    """Nobody can sign in as them before somebody gives them a password."""
    size, before = made.size, User.objects.filter(email__endswith=f"@{DOMAIN}").count()
    numbers = {Role.ADMIN: 1, Role.COORDINATOR: 2, Role.PHOTOGRAPHER: size.photographers, Role.EDITOR: size.editors}
    groups = {group.name: group.pk for group in Group.objects.filter(name__in=[role.value for role in Role])}
    through = User.groups.through
    first_names, surnames = FIRST_NAMES.split(), SURNAMES.split()
    number = before
    for role, many in numbers.items():
        users = []
        for _ in range(many):
            number += 1
            name = f"{first_names[number % len(first_names)]} {surnames[number * 7 % len(surnames)]}"
            users.append(User(email=f"{role.value.lower()}{number}@{DOMAIN}", full_name=name, password="!seeded"))
        made.people[role] = [user.pk for user in User.objects.bulk_create(users)]
        roles = [(pk, role) for pk in made.people[role]]
        if role == Role.PHOTOGRAPHER:
            roles += [(pk, Role.ARTIST) for pk in made.people[role][: size.artists]]
        through.objects.bulk_create(through(user_id=pk, group_id=groups[each.value]) for pk, each in roles)
    rooms = Room.objects.filter(code__startswith="SEED-").count()
    names = range(rooms + 1, rooms + 1 + size.rooms)
    made.rooms = [
        room.pk
        for room in Room.objects.bulk_create(Room(code=f"SEED-{n}", name=f"Sala {n}", capacity=8) for n in names)
    ]


def _write_catalogue(made: Seed) -> None:
    """As it was left by an earlier data set, when there is one."""
    items = {
        code: Item.objects.get_or_create(
            code=code, defaults={"name": name, "item_type": "Service", "unit_price": unit_price}
        )[0]
        for code, (name, unit_price) in ITEMS.items()
    }
    for code, name, session_type, days, content in PACKAGES:
        price = sum((ITEMS[item][1] * quantity for item, quantity in content.items()), Decimal(0))
        package, is_new = Package.objects.get_or_create(
            code=code,
            defaults={
                "name": name,
                "session_type": session_type,
                "base_price": price,
                "estimated_editing_days": days,
            },
        )
        made.packages.append(package.pk)
        if is_new:
            PackageItem.objects.bulk_create(
                PackageItem(package=package, item=items[item], quantity=quantity, display_order=order)
                for order, (item, quantity) in enumerate(content.items())
            )


# --- what the statements read ---------------------------------------------------------------------


def _copy_agenda(cursor: Any, made: Seed) -> tuple[date, date]:
    """Numbered from the earliest on; the first and the last day."""
    cursor.execute(statements.AGENDA)
    number, first_day, last_day = made.size.sessions, made.agenda.today, made.agenda.today
    with cursor.copy(f"COPY seed_agenda (n, {', '.join(Planned._fields)}) FROM STDIN") as copy:
        for planned in made.agenda.latest_first():
            copy.write_row((number, *planned))
            number -= 1
            first_day, last_day = min(first_day, planned.day), max(last_day, planned.day)
    cursor.execute("ALTER TABLE seed_agenda ADD PRIMARY KEY (n)")
    return first_day, last_day


def _copy_days(cursor: Any, first: date, last: date) -> None:
    """Where each local day begins and ends, as the deadlines reckon it, also where the clocks change at midnight."""
    cursor.execute("CREATE TEMPORARY TABLE seed_day (day date PRIMARY KEY, begins timestamptz, ends timestamptz)")
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    with cursor.copy("COPY seed_day FROM STDIN") as copy:
        for day in days:
            copy.write_row((day, whole_days(day, day).start, end_of_day(day)))
    cursor.execute("ANALYZE seed_agenda; ANALYZE seed_day")


def _copy_packages(cursor: Any, made: Seed) -> None:
    """The lines that each package is sold as (business rules 6.1)."""
    rows = [
        (place, order, pk, package.name, line.item_code, line.item_name, line.quantity, line.unit_price)
        for place, pk in enumerate(made.packages)
        for package in [Package.objects.get(pk=pk)]
        for order, line in enumerate(package.lines())
    ]
    cursor.execute(statements.SOLD)
    with cursor.copy("COPY seed_sold FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _values(cursor: Any, made: Seed) -> dict[str, Any]:
    """What the statements are told: ids that nobody else gets, the constants of the studio, the words of the states."""
    size = made.size
    before = Client.objects.filter(email__endswith=f"@{DOMAIN}").count()
    refunds = {}
    for name, status, deadline in (("in_time", workflow.CONFIRMED, made.as_of), ("settled", workflow.ASSIGNED, None)):
        amount, reason = calculate_refund(status, Decimal(100), CLIENT, deadline, made.as_of)
        refunds |= {f"{name}_percent": amount, f"{name}_reason": reason}
    return refunds | {
        "sessions": _reserve(cursor, Session._meta.db_table, size.sessions),
        "clients": _reserve(cursor, Client._meta.db_table, size.clients),
        "codes": _reserve(cursor, "", size.sessions),
        "client_count": size.clients,
        "clients_before": before,
        "domain": DOMAIN,
        "first_names": FIRST_NAMES.split(),
        "surnames": SURNAMES.split(),
        "places": list(PLACES),
        "as_of": made.as_of,
        "zone": STUDIO.time_zone,
        "language": STUDIO.language,
        "coordinators": made.people[Role.COORDINATOR],
        "photographers": made.people[Role.PHOTOGRAPHER],
        "editors": made.people[Role.EDITOR],
        "rooms": made.rooms,
        "titles": [name for _code, name, *_ in PACKAGES],
        "path": list(workflow.PATH),
        "final": sorted(workflow.FINAL),
        "with_photos": [workflow.ATTENDED, *sorted(workflow.WITH_EDITOR)],
        "from_assigned_on": sorted(workflow.FROM_ASSIGNED_ON),
        "negotiated": [workflow.REQUEST, workflow.NEGOTIATION],
        "hold_days": STUDIO.hold_days,
        "payment_days": STUDIO.payment_deadline_days,
        "changes_days": STUDIO.changes_deadline_days,
        "deposit_percent": STUDIO.default_deposit_percentage,
        "way": STUDIO.remote_transportation_cost,
        # A longer one would run into the next part of the day.
        "turnaround": min(STUDIO.room_turnaround_minutes, 60),
        "terms": Jsonb(asdict(Percentages.in_force())),
        "usual_rate": commissions.DEFAULT_RATE,
        "unpaid": "Payment deadline expired - no deposit received",
        "grants_of_photographers": [permission_id(Perm.SESSION_VIEW_OWN), permission_id(Perm.SESSION_MARK_ATTENDED)],
        "grants_of_artists": [permission_id(Perm.SESSION_VIEW_OWN), permission_id(Perm.APPOINTMENT_MANAGE_OWN)],
        "grants_of_editors": [permission_id(Perm.SESSION_VIEW_OWN), permission_id(Perm.SESSION_MARK_READY)],
        "mail_is_kept": integrity.MAIL_IS_KEPT + timedelta(days=2),
    }


def _reserve(cursor: Any, table: str, many: int) -> int:
    """The number before the first of so many; the next one who asks gets a number after them."""
    sequence = f"pg_get_serial_sequence('{table}', 'id')" if table else "'sessions_app_session_code'"
    cursor.execute(f"SELECT nextval({sequence})")
    first = cursor.fetchone()[0]
    cursor.execute(f"SELECT setval({sequence}, {first + many - 1})")
    return first - 1


def _write_blocked_time(cursor: Any, made: Seed, first: date, last: date) -> None:
    """Time off and closed rooms, in whole days, for which the agenda has planned nobody and nothing."""
    photographers, by, made_at = made.people[Role.PHOTOGRAPHER], made.people[Role.COORDINATOR][0], made.as_of
    off = [
        (photographers[each], span.start, span.end)
        for each, begins, ends in times_off(made.size.photographers, first, last)
        for span in [whole_days(begins, ends)]
    ]
    closed = [
        (made.rooms[each], span.start, span.end)
        for each, day in closures(made.size.rooms, first, last)
        for span in [whole_days(day, day)]
    ]
    for statement, rows in ((statements.TIME_OFF, off), (statements.CLOSURES, closed)):
        whose, starts, ends = zip(*rows, strict=True) if rows else ((), (), ())
        cursor.execute(
            statement, {"whose": list(whose), "starts": list(starts), "ends": list(ends), "at": made_at, "by": by}
        )


# --- looking at what was written --------------------------------------------------------------------


def _refuse_what_is_wrong(as_of: datetime) -> None:
    found = list(chain(_orphans(), _issues(as_of)))
    if found:
        raise WrongSeed("; ".join(found))


def _orphans() -> Iterator[str]:
    """Rows that refer to one that is not there: what the foreign keys would have refused."""
    with connection.cursor() as cursor:
        for model in WRITTEN:
            for key in model._meta.concrete_fields:
                if isinstance(key, models.ForeignKey):
                    cursor.execute(
                        f"SELECT count(*) FROM {model._meta.db_table} child"
                        f" LEFT JOIN {key.related_model._meta.db_table} parent ON parent.id = child.{key.column}"
                        f" WHERE child.{key.column} IS NOT NULL AND parent.id IS NULL"
                    )
                    (count,) = cursor.fetchone()
                    if count:
                        yield f"{count} of {model._meta.db_table} have a {key.column} that is not there"


def _issues(as_of: datetime) -> Iterator[str]:
    outcome = integrity.validate(as_of, dry_run=True)
    yield from outcome["plan"]
    yield from (f"{name}: {error}" for name, error in outcome["report"]["errors"].items())


def _count(model: type[models.Model]) -> int:
    return model._default_manager.count()
