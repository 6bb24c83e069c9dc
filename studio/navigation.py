"""Where one can go, as data: who sees which entry, and in what order on a phone.

The base template renders what `links_for` gives; it never tests for a role (style, 8). An entry whose
address does not exist (yet) is left out, so that the shell works with any set of packages. Upper layers
add figures to entries with `register_badge` when they are loaded (architecture, Layers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Value
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from studio.access import allows
from studio.roles import Perm, Role, roles_of


@dataclass(frozen=True)
class Entry:
    """One place to go.

    Seen by everybody who is signed in, unless it says otherwise: `any_role` asks for a role at all, `roles` for one of
    these, `perms` for one of these permissions, `admin_only` for the role Admin. `phone` is its rank in the bottom
    navigation.
    """

    url_name: str
    label: str | Promise
    icon: str
    phone: int
    perms: tuple[Perm, ...] = ()
    roles: tuple[Role, ...] = ()
    any_role: bool = False
    admin_only: bool = False

    def is_for(self, user: Any) -> bool:
        if self.admin_only:
            return Role.ADMIN in roles_of(user)
        if self.any_role:
            return bool(roles_of(user))
        if self.roles:
            return not roles_of(user).isdisjoint(self.roles)
        return not self.perms or any(allows(user, perm) for perm in self.perms)


@dataclass(frozen=True)
class Link:
    """An entry as one person sees it. `count` is a figure that asks for attention, or 0."""

    name: str
    label: str | Promise
    icon: str
    url: str
    phone: int
    count: int = 0


ENTRIES: tuple[Entry, ...] = (
    Entry("home", _("Home"), "house", 1),
    Entry("calendar", _("Calendar"), "calendar3", 2, perms=(Perm.SESSION_VIEW_OWN, Perm.SESSION_VIEW_ALL)),
    Entry(
        "session-list",
        _("Sessions"),
        "camera",
        2,
        perms=(Perm.SESSION_VIEW_OWN, Perm.SESSION_VIEW_ALL),
    ),
    Entry("appointment-board", _("Appointments"), "calendar2-week", 5, perms=(Perm.APPOINTMENT_MANAGE_OWN,)),
    Entry("client-list", _("Clients"), "people", 3, perms=(Perm.CLIENT_VIEW,)),
    Entry("payment-list", _("Money"), "cash-coin", 4, perms=(Perm.PAYMENT_REGISTER,)),
    Entry("own-commission", _("Earnings"), "percent", 4, roles=(Role.PHOTOGRAPHER, Role.ARTIST)),
    Entry("report-money", _("Reports"), "bar-chart", 6, perms=(Perm.REPORT_FINANCIAL,)),
    Entry("item-list", _("Catalogue"), "tags", 6, any_role=True),
    Entry("room-list", _("Rooms"), "door-open", 7, any_role=True),
    Entry("time-off", _("Time off"), "cup-hot", 7, perms=(Perm.SCHEDULE_BLOCK_OWN,)),
    Entry("staff-list", _("Staff"), "person-badge", 8, perms=(Perm.USER_VIEW,)),
    Entry("notice-list", _("Notices"), "bell", 5, any_role=True),
    Entry("outbox-list", _("E-mails"), "envelope", 9, admin_only=True),
    Entry("health", _("Health"), "heart-pulse", 9, admin_only=True),
    Entry("admin:index", _("Administration"), "gear", 10, admin_only=True),
)

# What stands in the bar at the top as the main act. The first one that the person may do is shown.
PRIMARY: tuple[Entry, ...] = (
    Entry("feasibility", _("Can we serve?"), "lightning-charge", 0, perms=(Perm.SESSION_CREATE,)),
    Entry("session-new", _("New request"), "plus-lg", 0, perms=(Perm.SESSION_CREATE,)),
)

# So many fit beside each other on a phone of 360 px; with more, the last place opens the rest.
PHONE_PLACES = 5

# A figure, or the rows that are to be counted.
Figure = int | QuerySet
_badges: dict[str, Callable[[Any], Figure]] = {}


def register_badge(url_name: str, figure: Callable[[Any], Figure]) -> None:
    """Show `figure(user)` beside the entry of this name, when it is not 0.

    Called on each full page for those who see the entry: one cheap query at the most. Rows are counted in one query
    with those of the other entries.
    """
    _badges[url_name] = figure


def links_for(
    user: Any, entries: Iterable[Entry] = ENTRIES, *, figures: Mapping[str, Figure] | None = None
) -> list[Link]:
    """The entries that this person sees, with their addresses and figures. `figures` are already known ones."""
    addresses = {entry: address(entry.url_name) for entry in entries}
    seen = [entry for entry, url in addresses.items() if url and entry.is_for(user)]
    known = dict(figures or {})
    for name in (entry.url_name for entry in seen):
        if name in _badges and name not in known:
            known[name] = _badges[name](user)
    counts = _counted({entry.url_name: known.get(entry.url_name, 0) for entry in seen})
    return [
        Link(entry.url_name, entry.label, entry.icon, addresses[entry], entry.phone, counts[entry.url_name])
        for entry in seen
    ]


def _counted(figures: Mapping[str, Figure]) -> dict[str, int]:
    """The rows counted, all of them in one query."""
    counts = {name: 0 if isinstance(each, QuerySet) else each for name, each in figures.items()}
    parts = [
        each.order_by().values(of=Value(name)).annotate(rows=Count("pk")).values_list("of", "rows")
        for name, each in figures.items()
        if isinstance(each, QuerySet)
    ]
    if parts:
        counts.update(parts[0].union(*parts[1:], all=True))
    return counts


def for_phone(links: Iterable[Link]) -> tuple[list[Link], list[Link]]:
    """The links of the bottom navigation, and those behind its last place (`More`)."""
    ranked = sorted(links, key=lambda link: link.phone)
    if len(ranked) <= PHONE_PLACES:
        return ranked, []
    return ranked[: PHONE_PLACES - 1], ranked[PHONE_PLACES - 1 :]


def current(links: Iterable[Link], path: str) -> str:
    """The name of the link under which `path` lies: the longest one that it begins with, by whole segments."""
    best, length = "", 0
    for link in links:
        base = link.url if link.url.endswith("/") else f"{link.url}/"
        # Everything lies under "/"; only the page itself is the home.
        is_here = path == link.url or (base != "/" and path.startswith(base))
        if is_here and len(link.url) > length:
            best, length = link.name, len(link.url)
    return best


def address(url_name: str) -> str:
    """The address of a named page, or "" when there is no such page."""
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return ""
