"""What stands in a cell, as people in Guatemala and elsewhere write it. Each raises ``BadCell`` with a sentence."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from payments.money import ZERO
from scheduling.slots import instant
from sessions_app import workflow
from sessions_app.forms.listing import EARLIEST, LATEST
from sessions_app.importing.reading import plain
from studio.fields import AmountField

NO_SHOW = "No-show"
# Theirs, as ``plain`` writes them, to where an appointment comes in.
STATES = {
    "": workflow.ACTIVE,
    **dict.fromkeys(
        ("activa", "activo", "confirmada", "confirmado", "programada", "agendada", "pendiente"), workflow.ACTIVE
    ),
    **dict.fromkeys(("active", "confirmed", "scheduled", "booked"), workflow.ACTIVE),
    **dict.fromkeys(("en espera", "espera", "tentativa", "on hold", "waiting", "tentative"), workflow.WAITING),
    **dict.fromkeys(
        ("completada", "completado", "realizada", "terminada", "hecha", "completed", "done"), workflow.COMPLETED
    ),
    **dict.fromkeys(("cancelada", "cancelado", "anulada", "canceled", "cancelled"), workflow.CANCELED),
    **dict.fromkeys(("no se presento", "no asistio", "no llego", "no show", "noshow"), NO_SHOW),
}
CLIENT_TYPES = {
    "": "Individual",
    **dict.fromkeys(("individual", "persona", "particular"), "Individual"),
    **dict.fromkeys(("institutional", "institucional", "empresa", "institucion", "company"), "Institutional"),
}
LANGUAGES = {
    "": "",
    **dict.fromkeys(("es", "espanol", "spanish", "castellano"), "es"),
    **dict.fromkeys(("en", "ingles", "english"), "en"),
}

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})")
_TIME = re.compile(r"(\d{1,2})(?:\s*[:.h]\s*(\d{2}))?(?::\d{2}(?:\.\d+)?)?\s*h?\s*(am|pm)?")
_HOURS = re.compile(
    r"(\d{1,2})(?:[.,](\d{1,2}))?\s*h(?:oras?|ours?|rs?)?\s*(?:(\d{1,2})\s*(?:m|min|minutos|minutes)?)?"
)
_MINUTES = re.compile(r"(\d{1,4})\s*(?:m|min|mins|minutos|minutes)?")

PRICE = AmountField(required=False, min_value=ZERO)


class BadCell(Exception):
    """``reason`` says what is wrong with what stands in the column."""

    def __init__(self, column: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.value = value
        self.reason = reason


def day_and_time(text: str, column: str = "date") -> tuple[date, time | None]:
    """31/12/2026 or 2026-12-31, and the time where it stands behind."""
    text = text.strip()
    found = _ISO.match(text) or _DAY_FIRST.match(text)
    if found is None:
        raise BadCell(column, text, _("This is no date such as 31/12/2026 or 2026-12-31."))
    parts = [int(part) for part in found.groups()]
    year, month, day = parts if found.re is _ISO else parts[::-1]
    if found.re is _DAY_FIRST and len(found[3]) == 2:
        year += 2000
    try:
        when = date(year, month, day)
    except ValueError:
        raise BadCell(column, text, _("There is no such day. The day comes first: 31/12/2026.")) from None
    if not EARLIEST <= when <= LATEST:
        raise BadCell(column, text, _("This day lies too far away."))
    rest = text[found.end() :].lstrip("T, ").strip()
    return when, clock_time(rest, column) if rest else None


def clock_time(text: str, column: str) -> time:
    """14:00, 14:00:00, 14h, 2:00 pm, 2:00 p. m."""
    tidy = re.sub(r"\s*([ap])\.?\s*m\.?$", r" \1m", text.strip().casefold())
    found = _TIME.fullmatch(tidy)
    if found:
        hour, minute = int(found[1]), int(found[2] or 0)
        if found[3]:
            hour = hour % 12 + (12 if found[3] == "pm" else 0) if 1 <= hour <= 12 else 99
        if hour <= 23 and minute <= 59:
            return time(hour, minute)
    raise BadCell(column, text, _("This is no time such as 14:00."))


def length(text: str) -> timedelta:
    """90, 90 min, 1:30, 1.5 h, 2 h 30."""
    tidy = text.strip().casefold()
    minutes = 0
    if found := re.fullmatch(r"(\d{1,2}):(\d{2})(?::\d{2})?", tidy):
        minutes = int(found[1]) * 60 + int(found[2])
    elif found := _HOURS.fullmatch(tidy):
        part = int(Decimal(f"0.{found[2]}") * 60) if found[2] else int(found[3] or 0)
        minutes = int(found[1]) * 60 + part
    elif found := _MINUTES.fullmatch(tidy):
        minutes = int(found[1])
    if not minutes:
        raise BadCell("duration", text, _("This is no length such as 90, 1:30 or 1.5 h."))
    return timedelta(minutes=minutes)


def price(text: str) -> Decimal | None:
    """1,250.00, 1.250,00, Q 1250; nothing is a price that is not agreed yet (D39)."""
    try:
        return PRICE.clean(text)
    except ValidationError as wrong:
        raise BadCell("price", text, " ".join(wrong.messages)) from wrong


def state(text: str) -> str:
    found = STATES.get(plain(text))
    if found is None:
        raise BadCell(
            "status", text, _("There is no such state: write Active, Completed, On hold, Canceled or No-show.")
        )
    return found


def client_type(text: str) -> str:
    found = CLIENT_TYPES.get(plain(text))
    if found is None:
        raise BadCell("client_type", text, _("Write individual or institutional."))
    return found


def language(text: str) -> str:
    found = LANGUAGES.get(plain(text))
    if found is None:
        raise BadCell("language", text, _("Write Spanish or English."))
    return found


def at_most(text: str, longest: int, column: str) -> str:
    if len(text) > longest:
        raise BadCell(column, text, _("At most %(longest)d characters.") % {"longest": longest})
    return text


def instant_of(day: date, at: time, column: str) -> datetime:
    try:
        return instant(day, at)
    except (ValueError, OverflowError):
        raise BadCell(
            column, f"{day} {at:%H:%M}", _("This date and time do not exist in the studio's time zone.")
        ) from None
