"""What lies outside the opening hours, in words. It is advice: nothing is refused for it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from scheduling import hours
from scheduling.opening import MIDNIGHT, Hours, Interval, days_of
from scheduling.slots import Span, whole_days
from studio.templatetags.atelier import clock, day


def outside_hours(span: Span, known: Hours | None = None) -> str:
    """The sentence for a time that is not wholly in the opening hours; "" when it is, or when nobody has said them.

    ``known`` saves the one query: the hours of the days of the span.
    """
    missed = hours_missed(span, known if known is not None else hours.load(*days_of(span)))
    return _("That is outside the opening hours (%(hours)s).") % {"hours": missed} if missed else ""


def hours_missed(span: Span, known: Hours) -> str:
    """The hours of the day on which the span lies outside of them, in words; "" when it does not."""
    try:
        if not known.outside(span):
            return ""
        return of_day(known, next(each for each in _days(span) if (part := _part(span, each)) and known.outside(part)))
    except OverflowError:  # the last days of the calendar, whose evenings lie beyond it elsewhere
        return ""


def outside_hours_each(spans: Sequence[Span]) -> list[str]:
    """The same for several spans, in one query for all of them."""
    days = [day for span in spans for day in days_of(span)]
    known = hours.load(min(days), max(days)) if days else Hours()
    return [outside_hours(span, known) for span in spans]


def with_warning(text: str, span: Span) -> str:
    """What was done, and that it lies outside the opening hours where it does: for the message after a booking."""
    return f"{text} {outside_hours(span)}".rstrip()


def of_day(known: Hours, on: date) -> str:
    """``Sat 28 Nov 08:00 to 13:00``, ``Fri 25 Dec closed: Christmas``."""
    note = known.notes.get(on, "")
    found = known.of(on)
    values = {"day": day(on), "hours": in_words(found), "note": note}
    if not found:
        return (_("%(day)s closed: %(note)s") if note else _("%(day)s closed")) % values
    return (_("%(day)s %(hours)s: %(note)s") if note else _("%(day)s %(hours)s")) % values


def remark(known: Hours, on: date) -> str:
    """What is not as in every week, or that it is closed: ``Closed: Christmas``, ``08:00 to 12:00: half a day``."""
    found, note = known.of(on), known.notes.get(on, "")
    if found and on not in known.exceptions:
        return ""
    values = {"hours": in_words(found) if found else pgettext("day", "Closed"), "note": note}
    return _("%(hours)s: %(note)s") % values if note else values["hours"]


def in_words(found: tuple[Interval, ...]) -> str:
    """``08:00 to 12:00, 14:00 to 18:00``; midnight at the end of the day is 24:00."""
    return ", ".join(
        _("%(start)s to %(end)s")
        % {"start": clock(each.opens), "end": "24:00" if each.closes == MIDNIGHT else clock(each.closes)}
        for each in found
    )


def _days(span: Span) -> Iterator[date]:
    first, last = days_of(span)
    return (first + timedelta(days=count) for count in range((last - first).days + 1))


def _part(span: Span, on: date) -> Span | None:
    whole = whole_days(on, on)
    start = max(each.start.astimezone(UTC) for each in (span, whole))
    end = min(each.end.astimezone(UTC) for each in (span, whole))
    return Span(start, end) if start < end else None
