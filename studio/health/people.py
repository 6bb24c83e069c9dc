"""Who can sign in, and what they may."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db.models import Q
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from studio.health.look import Look, Verdict, bad, ok, warn
from studio.health.words import some
from studio.models import User
from studio.roles import MATRIX, Role, model_of

# Of the demo studio, which this package may not import (layers).
DEMO_PASSWORD = "sessions_app.demo.PASSWORD"
DEMO_DOMAIN = "@demo.test"
# Each password takes a moment to try.
TRIED = 5

Grant = tuple[str, str]  # a role's name, and a permission with its model: "payments.payment payment.verify"


def roles(look: Look) -> Verdict:
    """The groups in the database may what the permission matrix says."""
    wanted, held = _wanted(), _held()
    problems = [_("%(role)s lacks %(perm)s") % _in_words(grant) for grant in sorted(wanted - held)]
    problems += [_("%(role)s has %(perm)s") % _in_words(grant) for grant in sorted(held - wanted)]
    if problems:
        says = ngettext(
            "%(n)s permission differs from the matrix: %(names)s.",
            "%(n)s permissions differ from the matrix: %(names)s.",
            len(problems),
        )
        return bad(says % {"n": len(problems), "names": some(problems)}, "manage.py migrate")
    return ok(_("%(roles)s roles hold %(n)s permissions, as the matrix says.") % {"roles": len(Role), "n": len(wanted)})


def _wanted() -> set[Grant]:
    return {
        (role.value, f"{model_of(perm)} {perm.value}")
        for perm, holders in MATRIX.items()
        if apps.is_installed(model_of(perm).split(".")[0])
        for role in holders
    }


def _held() -> set[Grant]:
    """One query. A group that is not there holds nothing."""
    rows = Group.objects.filter(name__in=[role.value for role in Role], permissions__isnull=False).values_list(
        "name", "permissions__content_type__app_label", "permissions__content_type__model", "permissions__codename"
    )
    return {(name, f"{app_label}.{model} {codename}") for name, app_label, model, codename in rows}


def _in_words(grant: Grant) -> dict[str, str]:
    return {"role": grant[0], "perm": grant[1].split()[1]}


def admins(look: Look) -> Verdict:
    """Somebody can sign in who may do everything."""
    able = User.objects.active().exclude(Q(password="") | Q(password__startswith="!"))
    admin = Q(is_superuser=True) | Q(pk__in=User.objects.in_role(Role.ADMIN).values("pk"))
    count = able.filter(admin).count()
    if not count:
        return bad(
            _("No Admin can sign in: nobody is one, or is active and has a password."), "manage.py createsuperuser"
        )
    says = ngettext("%(n)s Admin can sign in.", "%(n)s Admins can sign in.", count)
    return ok(says % {"n": count})


def demo_passwords(look: Look) -> Iterator[Verdict]:
    """The demo's passwords are printed in the manual; where the studio works, nobody may sign in with them."""
    if settings.DEMO:
        yield ok(_("The demo's passwords are known to everybody: keep it on this machine."))
        return
    people = User.objects.active().filter(email__endswith=DEMO_DOMAIN).order_by("pk")[: TRIED + 1]
    if not people:
        yield ok(_("Nobody signs in with an account of the demo."))
        return
    password = import_string(DEMO_PASSWORD)
    weak = [person.email for person in people[:TRIED] if person.check_password(password)]
    told = {"names": some(person.email for person in people)}
    if weak:
        yield bad(
            _("Everybody knows the passwords of %(names)s.") % {"names": some(weak)},
            _("This is a demo's database: begin with an empty one, or deactivate these people under Staff."),
        )
    else:
        yield warn(
            _("There are accounts of the demo: %(names)s.") % told,
            _("Deactivate them under Staff, unless they are somebody's."),
        )
