"""Time: the machines agree on it, and on the studio's zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from studio.conf import STUDIO
from studio.health.look import Look, Verdict, bad, in_words, ok, warn
from studio.templatetags.atelier import clock as time_of_day
from studio.templatetags.atelier import long_day

AHEAD, TOO_FAR_AHEAD = 2, 30
HALF_A_YEAR = timedelta(days=182)
SOON = timedelta(days=30)


def clocks(look: Look) -> Verdict:
    """This machine's clock against the database's: deadlines are reckoned by both."""
    off = abs(look.server.ahead_seconds)
    says = _("The clocks of this machine and of the database differ by %(n)s s.") % {"n": f"{off:.1f}"}
    advice = _("Let both follow a time server (timedatectl, chrony). Deadlines and jobs go by these clocks.")
    if off >= TOO_FAR_AHEAD:
        return bad(says, advice)
    if off >= AHEAD:
        return warn(says, advice)
    return ok(says)


def zone(look: Look) -> Verdict:
    """The studio's zone is known here and to the database, with the same rules."""
    name = STUDIO.time_zone
    try:
        ours = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return bad(_("The zone %(zone)s is not known here.") % {"zone": name}, _update())
    instants = [look.now, look.now + HALF_A_YEAR]
    here = [instant.astimezone(ours).utcoffset() for instant in instants]
    try:
        there = _offsets_of_the_database(name, instants)
    except DatabaseError as error:
        return bad(
            _("The database does not know the zone %(zone)s: %(error)s") % {"zone": name, "error": in_words(error)},
            _update(),
        )
    if here != there:
        told = {"zone": name, "here": _offsets(here), "there": _offsets(there)}
        return bad(
            _("In %(zone)s, now and in half a year, it is %(here)s here and %(there)s in the database.") % told,
            _update(),
        )
    told = {"zone": name, "offset": _offset(here[0]), "time": time_of_day(look.now)}
    change = next_change(look.now, ours)
    if change is None:
        return ok(_("It is %(time)s in %(zone)s (%(offset)s), and no change of the clocks is near.") % told)
    at, by = change
    told |= {"day": long_day(at), "at": time_of_day(at), "n": abs(int(by.total_seconds() / 60))}
    if by > timedelta():
        says = _("It is %(time)s in %(zone)s (%(offset)s). On %(day)s clocks go forward by %(n)s min, to %(at)s.")
    else:
        says = _("It is %(time)s in %(zone)s (%(offset)s). On %(day)s clocks go back by %(n)s min, to %(at)s.")
    return ok(says % told)


def next_change(now: datetime, zone: ZoneInfo) -> tuple[datetime, timedelta] | None:
    """The first instant of the next 30 days from which on the offset is another, to the minute, and by how much."""

    def offset(minutes: int) -> timedelta:
        return (start + timedelta(minutes=minutes)).astimezone(zone).utcoffset() or timedelta()

    start = now.replace(second=0, microsecond=0)
    day = 24 * 60
    for begin in range(0, SOON.days * day, day):
        before = offset(begin)
        if offset(begin + day) != before:
            low, high = begin, begin + day
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            return start + timedelta(minutes=high), offset(high) - before
    return None


def _offsets_of_the_database(name: str, instants: list[datetime]) -> list[timedelta]:
    """Raises DatabaseError for a zone that it does not know."""
    # An error in there must not spoil the transaction that may be around this one.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT at AT TIME ZONE %s - at AT TIME ZONE 'UTC' FROM unnest(%s::timestamptz[]) AS at ORDER BY at",
            [name, instants],
        )
        return [offset for (offset,) in cursor.fetchall()]


def _offset(offset: timedelta | None) -> str:
    minutes = int((offset or timedelta()).total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _offsets(offsets: list[timedelta | None]) -> str:
    return ", ".join(map(_offset, offsets))


def _update() -> str:
    return _(
        "Mend STUDIO_TIME_ZONE, or bring the time zone data of this machine and of PostgreSQL up to date (tzdata)."
    )
