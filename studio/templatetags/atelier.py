"""What templates use to write money, times and states in the studio's manner, and to keep a list's filter.

Filters take `None` and "" and give "" back, so that `{{ x|money|default:"—" }}` reads as it should.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from crispy_forms.utils import TEMPLATE_PACK
from django import template
from django.forms import BoundField
from django.http import QueryDict
from django.template import Context
from django.template.loader import get_template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, mark_safe
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django.utils.translation import get_language, gettext, ngettext

from studio.conf import STUDIO

register = template.Library()

NBSP = "\u00a0"
MINUS = "\u2212"

# Django's own short formats put the year first or the month in figures; a studio's day reads like this.
# By language: a day of this year, of another year, the same in full.
_DAY = {"es": ("D j M", "D j M Y"), "en": ("D j M", "D j M Y")}
_DATE = {"es": ("j M", "j M Y"), "en": ("j M", "j M Y")}
_LONG_DAY = {
    "es": (r"l j \d\e F", r"l j \d\e F \d\e Y"),
    "en": ("l j F", "l j F Y"),
}


# --- Money --------------------------------------------------------------------------------


@register.filter
def figures(amount: Any) -> str:
    """An amount without the currency: "1,250.00". Always with a comma and two decimals, in every language."""
    value = _decimal(amount)
    if value is None:
        return ""
    sign = MINUS if value < 0 else ""
    return f"{sign}{abs(value):,.2f}"


@register.filter
def money(amount: Any) -> str:
    """An amount with the studio's currency: "Q 1,250.00", unbreakable."""
    value = _decimal(amount)
    if value is None:
        return ""
    sign = MINUS if value < 0 else ""
    return f"{sign}{STUDIO.currency}{NBSP}{abs(value):,.2f}"


@register.filter
def round_money(amount: Any) -> str:
    """As `money`, without cents, for overviews: "Q 138,700"."""
    value = _decimal(amount)
    if value is None:
        return ""
    whole = value.quantize(Decimal("1"), rounding=ROUND_HALF_UP)
    sign = MINUS if whole < 0 else ""
    return f"{sign}{STUDIO.currency}{NBSP}{abs(whole):,}"


def _decimal(amount: Any) -> Decimal | None:
    if amount is None or amount == "" or isinstance(amount, bool):
        return None
    try:
        value = Decimal(str(amount))
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    value = value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return abs(value) if value == 0 else value


# --- Times --------------------------------------------------------------------------------


@register.filter
def clock(value: Any) -> str:
    """The time of day in the studio's zone: "14:00"."""
    local = _local(value)
    return f"{local:%H:%M}" if isinstance(local, datetime | time) else ""


@register.filter
def day(value: Any) -> str:
    """A day, short: "sáb 28 nov". The year is said when it is not this one."""
    return _written(value, _DAY)


@register.filter
def short_date(value: Any) -> str:
    """A day without the weekday: "28 nov"."""
    return _written(value, _DATE)


@register.filter
def long_day(value: Any) -> str:
    """A day in full: "sábado 28 de noviembre"."""
    return _written(value, _LONG_DAY)


@register.filter
def moment(value: Any) -> str:
    """A day and a time, short: "28 nov 14:00"."""
    local = _local(value)
    if not isinstance(local, datetime):
        return ""
    return f"{short_date(value)} {clock(value)}".replace(" ", NBSP)


@register.filter
def iso(value: Any) -> str:
    """For `datetime` of `<time>`: the moment in the studio's zone, as machines write it."""
    local = _local(value)
    if isinstance(local, datetime):
        return local.isoformat(timespec="minutes")
    return local.isoformat() if isinstance(local, date) else ""


@register.filter
def duration(value: Any) -> str:
    """A length of time: "2 h 30 min". Takes a timedelta, or a number of minutes."""
    if value is None or value == "":
        return ""
    try:
        minutes = round(value.total_seconds() / 60 if isinstance(value, timedelta) else float(value))
    except (TypeError, ValueError, OverflowError):
        return ""
    hours, rest = divmod(abs(minutes), 60)
    parts = []
    if hours:
        parts.append(f"{hours}{NBSP}h")
    if rest or not hours:
        parts.append(f"{rest}{NBSP}min")
    return (MINUS if minutes < 0 else "") + " ".join(parts)


@register.filter
def ago(value: Any, now: datetime | None = None) -> str:
    """How far a moment lies from now: "2 h ago", "in 3 days"; beyond a week, the day itself."""
    if isinstance(value, datetime):
        then = value if timezone.is_aware(value) else timezone.make_aware(value, STUDIO.zone)
    else:
        return day(value)
    at = now or timezone.now()
    seconds = (at - then).total_seconds()
    is_past, seconds = seconds >= 0, abs(seconds)
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    days = abs((timezone.localdate(at, STUDIO.zone) - timezone.localdate(then, STUDIO.zone)).days)
    if minutes < 1:
        return gettext("just now") if is_past else gettext("now")
    if minutes < 60:
        text = gettext("%(n)s min ago") if is_past else gettext("in %(n)s min")
        return text % {"n": minutes}
    if hours < 24:
        text = gettext("%(n)s h ago") if is_past else gettext("in %(n)s h")
        return text % {"n": hours}
    if days <= 7:
        if is_past:
            text = ngettext("%(n)s day ago", "%(n)s days ago", days)
        else:
            text = ngettext("in %(n)s day", "in %(n)s days", days)
        return text % {"n": days}
    return day(value)


def _local(value: Any) -> datetime | date | time | None:
    """Aware moments as the studio's clock shows them; dates and times of day as they are."""
    if isinstance(value, datetime):
        return value.astimezone(STUDIO.zone) if timezone.is_aware(value) else value
    if isinstance(value, date | time):
        return value
    return None


def _written(value: Any, patterns: Mapping[str, tuple[str, str]]) -> str:
    local = _local(value)
    if not isinstance(local, date):
        return ""
    language = (get_language() or STUDIO.language).split("-")[0]
    this_year, other_year = patterns.get(language, patterns["en"])
    is_this_year = local.year == timezone.localdate(timezone=STUDIO.zone).year
    text = date_format(local, this_year if is_this_year else other_year)
    # Spanish writes days and months small; Django's abbreviations do not.
    return text.lower() if language == "es" else text


# --- States and icons ---------------------------------------------------------------------

# Values of every machine and record to the class that colours them.
STATE_CLASSES: dict[str, str] = {
    "Request": "s-request",
    "Negotiation": "s-negotiation",
    "Pre-scheduled": "s-prescheduled",
    "Confirmed": "s-confirmed",
    "Assigned": "s-assigned",
    "Attended": "s-attended",
    "In Editing": "s-editing",
    "Ready for Delivery": "s-ready",
    "Completed": "s-completed",
    "Canceled": "s-canceled",
    "En espera": "s-waiting",
    "Activa": "s-active",
    "Completada": "s-completed",
    "Cancelada": "s-canceled",
}


@register.filter
def state_class(value: Any) -> str:
    """The class that colours a state; an unknown one gets a class of its own name and the neutral colour."""
    text = str(getattr(value, "value", value) or "")
    return STATE_CLASSES.get(text) or f"s-{slugify(text)}"


@register.simple_tag
def state(value: Any, label: Any = "") -> SafeString:
    """A state as a tinted word: `{% state session.status session.get_status_display %}`."""
    text = label or getattr(value, "label", None) or value
    return format_html('<span class="state {}">{}</span>', state_class(value), text)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A Bootstrap icon. Decoration unless it has a label: `{% icon "bell" %}`."""
    safe_name = slugify(name)
    if label:
        return format_html('<i class="bi bi-{}" role="img" aria-label="{}"></i>', safe_name, label)
    return format_html('<i class="bi bi-{}" aria-hidden="true"></i>', safe_name)


# --- Links --------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def query_with(context: Context, **changes: Any) -> str:
    """The page's query string with these changes: `?{% query_with page=2 %}`; None or "" takes a key out.

    Starts with "?". Any change but one of the page goes back to the first page.
    """
    request = context.get("request")
    query = request.GET.copy() if request is not None else QueryDict(mutable=True)
    if "page" not in changes:
        query.pop("page", None)
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        elif isinstance(value, list | tuple):
            query.setlist(key, [str(each) for each in value])
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def sort_link(context: Context, key: str, label: Any, default: str = "") -> SafeString:
    """A heading that sorts: `{% sort_link "date" _("Date") %}` writes `?sort=date`, then `?sort=-date`.

    `default` is the order of a page without `sort`. Inside a `<th>`; see also `aria_sort`.
    """
    now = _sort_now(context, default)
    wanted = f"-{key}" if now == key else key
    mark = {key: icon("arrow-up-short"), f"-{key}": icon("arrow-down-short")}.get(now, "")
    return format_html('<a href="{}">{}{}</a>', query_with(context, sort=wanted), label, mark)


@register.simple_tag(takes_context=True)
def aria_sort(context: Context, key: str, default: str = "") -> SafeString:
    """The attribute for the heading of `sort_link`: `<th {% aria_sort "date" %}>`."""
    now = _sort_now(context, default)
    if now == key:
        return mark_safe('aria-sort="ascending"')
    if now == f"-{key}":
        return mark_safe('aria-sort="descending"')
    return mark_safe("")


def _sort_now(context: Context, default: str) -> str:
    request = context.get("request")
    return (request.GET.get("sort", "") if request is not None else "") or default


@register.simple_tag
def phone_link(number: Any, name: Any = "") -> SafeString:
    """A number that a thumb can call: `{% phone_link client.primary_phone %}`. With a name, both are shown."""
    text = str(number or "").strip()
    dialled = re.sub(r"[^\d+]", "", text)
    shown = f"{name} · {text}" if name and text else (name or text)
    if not dialled:
        return format_html("{}", shown)
    return format_html('<a href="tel:{}">{}</a>', dialled, shown)


@register.simple_tag
def map_link(place: Any, label: Any = "") -> SafeString:
    """A place that opens in the phone's map: `{% map_link session.location %}`."""
    text = str(place or "").strip()
    if not text:
        return mark_safe("")
    address = f"https://www.google.com/maps/search/?api=1&query={quote(text, safe='')}"
    return format_html('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', address, label or text)


# --- Blocks -------------------------------------------------------------------------------


@register.simple_block_tag(takes_context=True)
def sheet(
    context: Context,
    content: str,
    title: Any = "",
    count: Any = None,
    note: Any = "",
    more_url: str = "",
    more_label: Any = "",
    badge: Any = "",
    flush: bool = False,
    kind: str = "",
    id: str = "",
) -> SafeString:
    """A sheet with a heading: `{% sheet title=_("Today") %} ... {% endsheet %}`; see `components/sheet.html`."""
    return get_template("components/sheet.html").render(
        {
            "content": content,
            "title": title,
            "count": count,
            "note": note,
            "more_url": more_url,
            "more_label": more_label,
            "badge": badge,
            "flush": flush,
            "kind": kind,
            "id": id,
        }
    )


@register.simple_tag(takes_context=True)
def field(context: Context, bound: BoundField, kind: str = "", css: str = "") -> SafeString:
    """One form field by crispy: `{% field form.amount "money" %}` puts the currency in front.

    `kind` may also be any short text to stand behind the input, such as "min" or "%". `css` goes on the
    wrapper (for the grid of `.fields`: half, third, quarter, two-thirds, keep).
    """
    is_money = kind == "money"
    values = {
        "field": bound,
        "form_show_labels": True,
        "form_show_errors": True,
        "error_text_inline": False,
        "help_text_inline": False,
        "wrapper_class": f"{css} input-money".strip() if is_money else css,
        "crispy_prepended_text": STUDIO.currency if is_money else "",
        "crispy_appended_text": "" if is_money else kind,
    }
    name = "layout/prepended_appended_text.html" if kind else "field.html"
    with context.push(**values):
        found = context.template.engine.get_template(f"{TEMPLATE_PACK}/{name}")
        return found.render(context)
