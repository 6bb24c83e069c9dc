"""How it is set up: safe settings, translations, collected files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from studio import catalogues
from studio.health.look import Look, Verdict, bad, ok, warn
from studio.health.words import some

HERE_ONLY = {"127.0.0.1", "localhost", "[::1]"}
LONG_KEY, SHORT_KEY = 50, 32
FEW_LETTERS = 8
A_MONTH = 30 * 24 * 3600
# Of Django's own list: the secret key, DEBUG, the hosts, secure cookies, the redirect, HSTS.
SAID = {f"security.W{number:03}" for number in (4, 8, 9, 10, 11, 12, 16, 18, 20, 25)}


def debugging(look: Look) -> Verdict:
    if settings.DEBUG:
        return bad(
            _("DEBUG is on: errors show the program's insides, passwords among them, to whoever causes one."),
            _("Unset DEBUG and start web and worker again."),
        )
    return ok(_("DEBUG is off."))


def secret(look: Look) -> Verdict:
    """The key signs sessions, invitations and tasks."""
    key = settings.SECRET_KEY
    told = {"n": len(key)}
    advice = _('Set SECRET_KEY to a random text: python3 -c "import secrets; print(secrets.token_urlsafe(48))"')
    if len(key) < SHORT_KEY or len(set(key)) < FEW_LETTERS or key.startswith("django-insecure"):
        return bad(_("SECRET_KEY can be guessed: it has %(n)s letters, or few different ones.") % told, advice)
    if len(key) < LONG_KEY:
        return warn(_("SECRET_KEY has %(n)s letters only.") % told, advice)
    return ok(_("SECRET_KEY has %(n)s letters.") % told)


def hosts(look: Look) -> Verdict:
    """Under which names the site answers."""
    allowed = list(settings.ALLOWED_HOSTS)
    names = some(allowed)
    advice = _("Set ALLOWED_HOSTS to the site's names, separated by commas.")
    if "*" in allowed:
        return bad(_("The site answers under any name (ALLOWED_HOSTS has *)."), advice)
    others = set(allowed) - HERE_ONLY
    if settings.DEMO or settings.LOCAL:
        return ok(_("The site is for this machine: %(names)s.") % {"names": names})
    if not others:
        return warn(_("The site answers on this machine only: %(names)s.") % {"names": names}, advice)
    return ok(_("The site answers as %(names)s.") % {"names": some(sorted(others))})


def transport(look: Look) -> Iterator[Verdict]:
    """https only, and whatever else Django asks of a site that others reach."""
    if settings.DEMO or settings.LOCAL:
        yield ok(_("Plain http, on this machine only."))
        return
    loose = []
    if not settings.SESSION_COOKIE_SECURE:
        loose.append("SESSION_COOKIE_SECURE")
    if not settings.CSRF_COOKIE_SECURE:
        loose.append("CSRF_COOKIE_SECURE")
    if not settings.SECURE_SSL_REDIRECT:
        loose.append("SECURE_SSL_REDIRECT")
    if settings.SECURE_HSTS_SECONDS < A_MONTH:
        loose.append("SECURE_HSTS_SECONDS")
    cookies = [name for name in loose if name.endswith("_COOKIE_SECURE")]
    if cookies:
        yield bad(
            _("Sign-ins may travel in plain text: %(names)s.") % {"names": some(cookies)},
            _("Unset DEBUG and use https."),
        )
    elif loose:
        yield warn(
            _("Browsers are not held to https: %(names)s.") % {"names": some(loose)},
            _("Leave these to their defaults, unless the proxy in front does it."),
        )
    else:
        yield ok(_("https only."))
    more = [
        found
        for found in checks.run_checks(tags=[checks.Tags.security], include_deployment_checks=True)
        if not found.is_silenced() and found.id not in SAID
    ]
    if more:
        says = ngettext(
            "Django has %(n)s objection to these settings: %(names)s.",
            "Django has %(n)s objections to these settings: %(names)s.",
            len(more),
        )
        yield warn(says % {"n": len(more), "names": some(found.id for found in more)}, "manage.py check --deploy")


def translations(look: Look) -> Verdict:
    """Django reads the compiled catalogues only."""
    languages = []
    for place in settings.LOCALE_PATHS:
        for source in catalogues.catalogues(Path(place)):
            language = source.parent.parent.name
            made = catalogues.compiled(source)
            if not made.exists() or not _messages(made):
                return bad(
                    _("The translation into %(language)s is not compiled.") % {"language": language},
                    "manage.py compile_translations",
                )
            languages.append(language)
    return ok(_("Translations are compiled: %(names)s.") % {"names": some(languages)})


def _messages(compiled: Path) -> int:
    """How many there are, besides the heading: it stands in the file's third word."""
    head = compiled.read_bytes()[:12]
    order = "<" if head[:4] == b"\xde\x12\x04\x95" else ">"
    return struct.unpack(f"{order}I", head[8:])[0] - 1 if len(head) == 12 else 0


def static_files(look: Look) -> Verdict:
    """Where they have to be collected, they are, and are those of this program."""
    if not settings.STATIC_ROOT:
        return ok(_("Styles and scripts are served from the source."))
    collected = Path(settings.STATIC_ROOT)
    stale = []
    for source in sorted((settings.BASE_DIR / "static" / "atelier").rglob("*")):
        if not source.is_file():
            continue
        name = source.relative_to(settings.BASE_DIR / "static").as_posix()
        copy = collected / name
        if not copy.is_file() or copy.read_bytes() != source.read_bytes() or not _is_served(name):
            stale.append(name)
    if stale:
        says = ngettext(
            "%(n)s file of the pages is missing or old: %(names)s.",
            "%(n)s files of the pages are missing or old: %(names)s.",
            len(stale),
        )
        return bad(
            says % {"n": len(stale), "names": some(stale)},
            _("manage.py collectstatic, then start the web process again."),
        )
    return ok(_("Styles and scripts are collected."))


def _is_served(name: str) -> bool:
    """Whether the storage has an address for it: without one, pages that name it fail."""
    try:
        staticfiles_storage.url(name)
    except ValueError:
        return False
    return True
