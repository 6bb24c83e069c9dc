"""What a file may hold, and by which headings it is recognised, in Spanish and in English."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sessions_app.importing.reading import plain
from sessions_app.models import ImportKind


@dataclass(frozen=True, slots=True)
class Column:
    """``headings`` are compared as ``reading.plain`` writes them."""

    name: str
    label: str | Promise
    headings: tuple[str, ...]
    is_needed: bool = False
    hint: str | Promise = ""


_NAME = ("nombre", "nombre completo", "cliente", "nombre del cliente", "full name", "name", "client", "client name")
_EMAIL = ("correo", "correo electronico", "e mail", "email", "mail", "correo del cliente", "client email")
_PHONE = ("telefono", "telefono principal", "celular", "tel", "movil", "phone", "mobile", "primary phone")
_NOTES = ("notas", "nota", "observaciones", "comentarios", "notes", "note", "comments")

CLIENTS = (
    Column("full_name", _("Full name"), _NAME, is_needed=True),
    Column("email", _("E-mail"), _EMAIL, is_needed=True, hint=_("Who is in the book already is known by it.")),
    Column("primary_phone", _("Phone"), _PHONE, is_needed=True),
    Column(
        "secondary_phone",
        _("Second phone"),
        ("telefono 2", "segundo telefono", "otro telefono", "telefono secundario", "phone 2", "second phone"),
    ),
    Column(
        "delivery_address",
        _("Delivery address"),
        ("direccion", "direccion de entrega", "domicilio", "address", "delivery address"),
    ),
    Column(
        "client_type",
        _("Type"),
        ("tipo", "tipo de cliente", "type", "client type"),
        hint=_("Individual or institutional; left out, individual."),
    ),
    Column("language", _("Language of e-mails"), ("idioma", "lengua", "language"), hint=_("Spanish or English.")),
    Column("notes", _("Notes"), _NOTES),
)

APPOINTMENTS = (
    Column(
        "date",
        _("Date"),
        (
            "fecha",
            "dia",
            "fecha y hora",
            "fecha inicio",
            "inicio",
            "date",
            "day",
            "start date",
            "date and time",
            "start",
        ),
        is_needed=True,
        hint=_("31/12/2026 or 2026-12-31, the day first; the time may stand behind it."),
    ),
    Column("start", _("Starts"), ("hora", "hora inicio", "hora de inicio", "desde", "time", "start time", "from")),
    Column("end", _("Ends"), ("hora fin", "hora de fin", "fin", "hasta", "termina", "end", "end time", "to", "until")),
    Column(
        "duration",
        _("Lasts"),
        ("duracion", "minutos", "duracion minutos", "duration", "minutes", "length", "lasts"),
        hint=_("Minutes, 1:30 or 1.5 h; instead of the end."),
    ),
    Column(
        "artist",
        _("Artist"),
        ("artista", "tatuador", "tatuadora", "profesional", "artist", "tattooist", "staff"),
        is_needed=True,
        hint=_("Their full name or e-mail, as on the staff page."),
    ),
    Column("client_email", _("Client's e-mail"), _EMAIL),
    Column("client_name", _("Client's name"), _NAME),
    Column("client_phone", _("Client's phone"), _PHONE),
    Column(
        "title",
        _("What it is"),
        (
            "titulo",
            "que es",
            "servicio",
            "descripcion",
            "trabajo",
            "tatuaje",
            "title",
            "service",
            "description",
            "what",
        ),
    ),
    Column(
        "price",
        _("Price"),
        ("precio", "valor", "monto", "total", "importe", "price", "amount", "cost"),
        hint=_("1,250.00 or 1.250,00; left out, it is not agreed yet."),
    ),
    Column(
        "status",
        _("State"),
        ("estado", "estatus", "situacion", "status", "state"),
        hint=_("Active, Completed, On hold, Canceled, No-show; left out, active."),
    ),
    Column("notes", _("Notes"), _NOTES),
)

OF = {ImportKind.CLIENTS.value: CLIENTS, ImportKind.APPOINTMENTS.value: APPOINTMENTS}


def guessed(kind: str, head: Iterable[str]) -> dict[str, int]:
    """Our columns by the place of theirs: the whole heading first, then one that begins with a word of ours.

    Each of theirs is used once.
    """
    theirs = [plain(heading) for heading in head]
    found: dict[str, int] = {}
    for is_same in (lambda ours, heading: heading == ours, lambda ours, heading: heading.startswith(f"{ours} ")):
        for column in OF[kind]:
            if column.name in found:
                continue
            places = (
                place
                for ours in column.headings
                for place, heading in enumerate(theirs)
                if place not in found.values() and is_same(ours, heading)
            )
            if (place := next(places, None)) is not None:
                found[column.name] = place
    return found


def missing(kind: str, mapping: Mapping[str, int]) -> list[str]:
    """The names of the columns without which a file of this kind says nothing."""
    lacking = [column.name for column in OF[kind] if column.is_needed and column.name not in mapping]
    if kind == ImportKind.APPOINTMENTS:
        if "end" not in mapping and "duration" not in mapping:
            lacking.append("end")
        if "client_email" not in mapping and "client_name" not in mapping:
            lacking.append("client_email")
    return lacking
