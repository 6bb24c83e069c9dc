"""Lengths, sizes and lists as the checks say them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import islice

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

NAMED = 6


def length(span: timedelta) -> str:
    """A length of time by its largest unit: "40 s", "12 min", "5 h", "3 days"."""
    total = max(span.total_seconds(), 0)
    if total < 90:
        return _("%(n)s s") % {"n": int(total)}
    if total < 90 * 60:
        return _("%(n)s min") % {"n": int(total // 60)}
    if total < 48 * 3600:
        return _("%(n)s h") % {"n": int(total // 3600)}
    days = int(total // 86400)
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": days}


def took(span: timedelta | None) -> str:
    """How long something ran: "0.4 s", "2 min 10 s"; empty when it has not ended."""
    if span is None:
        return ""
    total = span.total_seconds()
    if total < 60:
        return _("%(n)s s") % {"n": f"{total:.1f}" if total < 10 else f"{total:.0f}"}
    return _("%(m)s min %(s)s s") % {"m": int(total // 60), "s": int(total % 60)}


def size(count: int) -> str:
    """Bytes, by their largest unit: "120 kB", "640 MB", "12.3 GB"."""
    if count < 1024**2:
        return f"{count / 1024:.0f} kB"
    if count < 1024**3:
        return f"{count / 1024**2:.0f} MB"
    return f"{count / 1024**3:.1f} GB"


def some(names: Iterable[str], most: int = NAMED) -> str:
    """The first names. How many there are is said beside them."""
    first = list(islice(names, most + 1))
    return ", ".join(first[:most]) + (" …" if len(first) > most else "")
