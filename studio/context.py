"""What every page's frame needs, for the templates. Nothing is asked of the database before it is rendered."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import get_language, get_language_info, gettext

from studio import navigation
from studio.access import allows
from studio.conf import STUDIO
from studio.navigation import Link
from studio.roles import Perm, Role, roles_of


class Shell:
    """The frame around a page: where one can go, who one is, what waits.

    Each part is computed when a template asks for it, once: a fragment that does not extend the base costs
    nothing. A whole page costs two queries, the roles and all figures at once, and an Admin's one more: the jobs' runs.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def studio(self) -> str:
        return STUDIO.name

    @property
    def currency(self) -> str:
        return STUDIO.currency

    @property
    def zone(self) -> str:
        return STUDIO.time_zone

    @cached_property
    def user(self) -> Any:
        """The person who is signed in, or None."""
        user = getattr(self._request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @cached_property
    def links(self) -> list[Link]:
        if self.user is None:
            return []
        # Here, because models can only be imported once Django is set up.
        from studio import notices

        return navigation.links_for(self.user, figures={"notice-list": notices.unread(self.user)})

    @cached_property
    def here(self) -> str:
        """The name of the current entry. A view that passes `nav` in its context has the last word."""
        return navigation.current(self.links, self._request.path)

    @cached_property
    def _on_phone(self) -> tuple[list[Link], list[Link]]:
        return navigation.for_phone(self.links)

    @property
    def phone_links(self) -> list[Link]:
        return self._on_phone[0]

    @property
    def more_links(self) -> list[Link]:
        return self._on_phone[1]

    @property
    def more_names(self) -> list[str]:
        return [link.name for link in self.more_links]

    @property
    def more_count(self) -> int:
        return sum(link.count for link in self.more_links)

    @cached_property
    def primary(self) -> Link | None:
        """The main act of this person, for the bar at the top."""
        if self.user is None:
            return None
        return next(iter(navigation.links_for(self.user, navigation.PRIMARY)), None)

    @property
    def unread(self) -> int:
        """How many notices the person has not read."""
        return next((link.count for link in self.links if link.name == "notice-list"), 0)

    @cached_property
    def role(self) -> str:
        """The person's roles in words, the highest first; says so when there are none."""
        roles = roles_of(self.user) if self.user is not None else frozenset()
        names = [str(role.label) for role in Role if role in roles]
        return ", ".join(names) or gettext("No role yet")

    @property
    def initials(self) -> str:
        words = str(self.user).split() if self.user is not None else []
        return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()

    @property
    def languages(self) -> list[dict[str, Any]]:
        """The languages of the switch, each by its own name."""
        now = (get_language() or settings.LANGUAGE_CODE).split("-")[0]
        return [
            {
                "code": code,
                "name": get_language_info(code)["name_local"].capitalize(),
                "is_current": code == now,
            }
            for code, _name in settings.LANGUAGES
        ]

    @property
    def back(self) -> str:
        """Where to return to after a form of the frame: this page, if it can be asked for again."""
        return self._request.get_full_path() if self._request.method == "GET" else ""

    @property
    def search_url(self) -> str:
        return navigation.address("search") if self.user is not None else ""

    @property
    def notices_url(self) -> str:
        """Empty for a person without a role, who may not read them yet."""
        return navigation.address("notice-list") if roles_of(self.user) else ""

    @property
    def home_url(self) -> str:
        return navigation.address("home") or "/"

    @property
    def language_url(self) -> str:
        return navigation.address("set-language")

    @property
    def feeds_url(self) -> str:
        """Empty for whoever is never put on a session for a time, and has no calendar to carry away."""
        return navigation.address("feed-list") if allows(self.user, Perm.SCHEDULE_BLOCK_OWN) else ""

    @property
    def password_url(self) -> str:
        return navigation.address("password-change")

    @property
    def sign_out_url(self) -> str:
        return navigation.address("logout")


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor: `shell` in every template."""
    return {"shell": Shell(request)}
