"""The answer of feasibility as the page reads it: a verdict, who and what is free, what else, and what it comes to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.refusals import Taken
from scheduling.suggestions import Suggestion
from sessions_app import opening_words
from sessions_app.agenda import Refused
from sessions_app.alternatives import Sacrifice
from sessions_app.feasibility import MOST_DAYS, Alternative, Answer, Offer, Part
from sessions_app.terms import Terms
from studio.conf import STUDIO
from studio.templatetags.atelier import clock, day, duration, long_day, moment

# Of what stands in somebody's way.
NAMED = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: str
    title: str
    text: str
    why: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """An offer or an alternative. ``token`` is what its button sends."""

    when: str
    whom: str
    gives: str
    notes: list[str]
    token: str


@dataclass(frozen=True, slots=True)
class InTheWay:
    text: str
    url: str = ""
    # A hold that is over: it may be let go for this client.
    is_expired: bool = False


@dataclass(frozen=True, slots=True)
class Free:
    """Somebody or a room, and why (not)."""

    name: str
    is_free: bool
    text: str
    taken: list[InTheWay] = field(default_factory=list)


def verdict(given: Answer, terms: Terms | None) -> Verdict:
    """Yes, yes with a but, or no and what is missing."""
    if given.offers:
        offer = given.offers[0]
        why = _warnings(given, offer, terms)
        title = _("Yes, but see below: %(when)s") if why else _("Yes: %(when)s")
        return Verdict("partly" if why else "yes", title % {"when": in_words(offer)}, _free_in_words(given), why)
    if given.impossible is not None:
        return Verdict("no", _("Not like this"), given.impossible.message, _capped(given))
    why = [*_too_many(given), *_refusals(given), *_placeless(given), *_capped(given)]
    return Verdict("no", _missing(given), _free_in_words(given), why)


def offers(given: Answer, tokens: Sequence[str]) -> list[Row]:
    """What meets the wish: only where there is more than one time to choose from."""
    return [
        Row(in_words(offer), with_whom(offer), "", _odd(given, offer), token)
        for offer, token in zip(given.offers, tokens, strict=True)
    ]


def alternatives(given: Answer, tokens: Sequence[str], late: Sequence[int]) -> list[Row]:
    """In their order; ``late`` are the days by which each would break the usual promise of delivery."""
    return [
        Row(
            in_words(each.offer),
            with_whom(each.offer),
            gives_up(each, given),
            [*_odd(given, each.offer), *([_late(days)] if days else [])],
            token,
        )
        for each, token, days in zip(given.alternatives, tokens, late, strict=True)
    ]


def people(given: Answer) -> list[Free]:
    """Free ones in the order in which they are proposed, then the busy ones."""
    look = given.look
    if look is None:
        return []
    return [Free(each.name, True, load_of(each, look.span.start)) for each in look.free] + [
        Free(each.name, False, refused.error.message, _in_the_way(refused, given.now)) for each, refused in look.busy
    ]


def rooms(given: Answer) -> list[Free]:
    look = given.look
    if look is None:
        return []
    return [Free(each.name, True, "") for each in look.rooms] + [
        Free(each.name, False, refused.error.message, _in_the_way(refused, given.now))
        for each, refused in look.rooms_taken
    ]


# -- in words ----------------------------------------------------------------------------------------------------------


def in_words(offer: Offer) -> str:
    """``Saturday 28 November, 17:00 to 21:00``"""
    start, end = (each.astimezone(STUDIO.zone) for each in (offer.span.start, offer.span.end))
    values = {"day": _capital(long_day(start)), "start": clock(start), "end": clock(end)}
    nights = (end.date() - start.date()).days
    if nights == 1:
        return _("%(day)s, %(start)s to %(end)s of the next day") % values
    if nights > 1:
        return _("%(day)s, %(start)s to %(last)s, %(end)s") % (values | {"last": long_day(end)})
    return _("%(day)s, %(start)s to %(end)s") % values


def with_whom(offer: Offer) -> str:
    """``with Ana and Diego; Studio A``, and who comes for a part of it from when to when."""
    whole = [each.name for each in offer.people if each.is_whole]
    parts = [_part(each, offer) for each in offer.people if not each.is_whole]
    texts = [_("with %(names)s") % {"names": joined(whole)}] if whole else []
    return "; ".join([*texts, *parts, *([offer.room.name] if offer.room else [])])


def _part(part: Part, offer: Offer) -> str:
    if part.late:
        return _("%(person)s joins at %(time)s") % {
            "person": part.name,
            "time": clock((offer.span.start + part.late).astimezone(STUDIO.zone)),
        }
    return _("%(person)s leaves at %(time)s") % {
        "person": part.name,
        "time": clock((offer.span.end - part.early).astimezone(STUDIO.zone)),
    }


def gives_up(each: Alternative, given: Answer) -> str:
    """What the client gives up with it: ``2 h later; Lucía instead of Diego``."""
    sacrifice = each.sacrifice
    texts = [_days(sacrifice.days)] if sacrifice.days else []
    if sacrifice.shift:
        texts.append(_shift(sacrifice.shift))
    if each.without and sacrifice.replaced:
        wished = set(given.wish.people)
        instead = [one.name for one in each.offer.people if one.pk not in wished][: sacrifice.replaced]
        texts.append(
            _("%(new)s instead of %(old)s")
            % {"new": joined(instead), "old": joined(each.without[: sacrifice.replaced])}
        )
    if sacrifice.other_room and each.offer.room is not None:
        texts.append(_("%(room)s instead of the wished room") % {"room": each.offer.room.name})
    texts += _absent(sacrifice)
    return "; ".join(texts)


def _absent(sacrifice: Sacrifice) -> list[str]:
    texts = []
    if sacrifice.parts:
        text = ngettext(
            "one photographer for %(time)s of it", "%(n)d photographers for %(time)s of it in all", sacrifice.parts
        )
        texts.append(text % {"n": sacrifice.parts, "time": duration(sacrifice.absent)})
    if sacrifice.missing:
        text = ngettext("one photographer", "%(n)d photographers", sacrifice.missing)
        texts.append(text % {"n": sacrifice.missing})
    return texts


def _days(days: int) -> str:
    weeks, rest = divmod(abs(days), 7)
    if weeks and not rest:
        if days > 0:
            text = ngettext("a week later, the same weekday", "%(n)d weeks later, the same weekday", weeks)
        else:
            text = ngettext("a week earlier, the same weekday", "%(n)d weeks earlier, the same weekday", weeks)
        return text % {"n": weeks}
    if days > 0:
        return ngettext("one day later", "%(n)d days later", days) % {"n": days}
    return ngettext("one day earlier", "%(n)d days earlier", -days) % {"n": -days}


def _shift(shift: timedelta) -> str:
    if shift > timedelta():
        return _("%(time)s later") % {"time": duration(shift)}
    return _("%(time)s earlier") % {"time": duration(-shift)}


def load_of(each: Suggestion, when: datetime) -> str:
    """Why somebody is proposed before another: what they have in the month of ``when``, and how they get there."""
    month = date_format(when.astimezone(STUDIO.zone), "F")
    values = {"n": each.sessions, "time": duration(each.work), "month": month}
    if each.sessions:
        text = ngettext(
            "%(time)s in %(month)s, in %(n)d session", "%(time)s in %(month)s, in %(n)d sessions", each.sessions
        )
    else:
        text = _("nothing yet in %(month)s")
    texts = [text % values]
    if each.short_before is not None:
        texts.append(_("only %(time)s on the way from the session before") % {"time": duration(each.short_before)})
    if each.short_after is not None:
        texts.append(_("only %(time)s on the way to the next session") % {"time": duration(each.short_after)})
    return "; ".join(texts)


def _missing(given: Answer) -> str:
    """The one thing that stands in the way first."""
    wish, look = given.wish, given.look
    free = {each.pk for each in look.free}
    short = wish.needs - len(free)
    if short > 0:
        return ngettext(
            "Not like this: a photographer is missing", "Not like this: %(n)d photographers are missing", short
        ) % {"n": short}
    wished = [each.name for each, _refused in look.busy if each.pk in wish.people]
    if wished:
        return ngettext("Not like this: %(names)s is busy", "Not like this: %(names)s are busy", len(wished)) % {
            "names": joined(wished)
        }
    if wish.room is not None and look.rooms:
        return _("Not like this: the wished room is not free")
    return _("Not like this: no room is free")


def _free_in_words(given: Answer) -> str:
    look = given.look
    if look is None:
        return ""
    names = [each.name for each in look.free]
    if not names:
        text = _("No photographer is free.")
    else:
        text = ngettext("%(names)s is free.", "%(names)s are free.", len(names)) % {"names": joined(names)}
    if given.wish.is_external:
        return text
    places = [each.name for each in look.rooms]
    if not places:
        return text + " " + _("No room is free.")
    return (
        text
        + " "
        + ngettext("Free room: %(names)s.", "Free rooms: %(names)s.", len(places)) % {"names": joined(places)}
    )


def _too_many(given: Answer) -> list[str]:
    if given.wish.needs <= given.staff:
        return []
    return [
        ngettext("The studio has %(n)d photographer.", "The studio has %(n)d photographers.", given.staff)
        % {"n": given.staff}
    ]


def _refusals(given: Answer) -> list[str]:
    """The words of booking for those who are missing: everybody where too few are free, else the wished ones."""
    wish, look = given.wish, given.look
    too_few = len(look.free) < wish.needs
    said = [refused.error.message for each, refused in look.busy if too_few or each.pk in wish.people]
    if not wish.is_external:
        none = not look.rooms
        said += [refused.error.message for each, refused in look.rooms_taken if none or each.pk == wish.room]
    return said


def _warnings(given: Answer, offer: Offer, terms: Terms | None) -> list[str]:
    late, nobody = [], []
    if terms is not None and terms.deliverable is None:
        nobody = [_("Nobody edits at the moment: no delivery can be promised.")]
    elif terms is not None and terms.days_late:
        late = [_late(terms.days_late)]
    return [*_odd(given, offer), *late, *nobody, *_placeless(given), *_capped(given)]


def _odd(given: Answer, offer: Offer) -> list[str]:
    said = opening_words.outside_hours(offer.span, given.hours) if offer.is_outside else ""
    return [said] if said else []


def _placeless(given: Answer) -> list[str]:
    """The way there cannot be known, and nothing can be held, without a place."""
    if not given.wish.is_external or given.wish.location:
        return []
    return [_("Say the place, and the way there, before it is held.")]


def _late(days: int) -> str:
    return ngettext(
        "The editors have so much before them that the usual promise would be broken by %(n)d day.",
        "The editors have so much before them that the usual promise would be broken by %(n)d days.",
        days,
    ) % {"n": days}


def _capped(given: Answer) -> list[str]:
    if given.capped_at is None:
        return []
    return [
        _("Only the first %(n)d days were looked at, up to %(day)s: ask again from there.")
        % {"n": MOST_DAYS, "day": day(given.capped_at)}
    ]


def _in_the_way(refused: Refused, now: datetime) -> list[InTheWay]:
    return [_named(each, now) for each in refused.taken[:NAMED]]


def _named(each: Taken, now: datetime) -> InTheWay:
    text = _("%(what)s, %(when)s") % {"what": each.title or each.what(), "when": each.when()}
    if each.held_until is not None:
        held = {"taken": text, "when": moment(each.held_until)}
        if each.held_until <= now:
            text = _("%(taken)s: the hold ended on %(when)s") % held
        else:
            text = _("%(taken)s: held until %(when)s") % held
    url = reverse("session-page", args=[each.code]) if each.code else ""
    return InTheWay(text, url, each.held_until is not None and each.held_until <= now)


def joined(names: Sequence[str]) -> str:
    """``Ana, Diego and Lucía``"""
    return get_text_list(list(names), _("and"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
