"""Who may do what: the permission matrix as data, kept in step with Django's groups.

The matrix is the one of the permission rules, row by row. It is read from memory: once a person's
roles are known, no question about a role's permission needs the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.apps import apps as installed
from django.db import DEFAULT_DB_ALIAS
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy


class Role(StrEnum):
    """What a person is in the studio. The values are the names of the groups."""

    ADMIN = "Admin"
    COORDINATOR = "Coordinator"
    PHOTOGRAPHER = "Photographer"
    ARTIST = "Artist"
    EDITOR = "Editor"

    @property
    def label(self) -> Promise:
        return ROLE_LABELS[self]


ROLE_LABELS: dict[Role, Promise] = {
    Role.ADMIN: pgettext_lazy("role", "Admin"),
    Role.COORDINATOR: pgettext_lazy("role", "Coordinator"),
    Role.PHOTOGRAPHER: pgettext_lazy("role", "Photographer"),
    Role.ARTIST: pgettext_lazy("role", "Artist"),
    Role.EDITOR: pgettext_lazy("role", "Editor"),
}


class Perm(StrEnum):
    """Every permission. The values are the codenames of Django's permissions, dots included."""

    SESSION_CREATE = "session.create"
    SESSION_VIEW_OWN = "session.view.own"
    SESSION_VIEW_ALL = "session.view.all"
    SESSION_EDIT_PRE_ASSIGNED = "session.edit.pre-assigned"
    SESSION_EDIT_ALL = "session.edit.all"
    SESSION_DELETE = "session.delete"
    SESSION_ASSIGN_RESOURCES = "session.assign-resources"
    SESSION_CANCEL = "session.cancel"
    SESSION_MARK_ATTENDED = "session.mark-attended"
    SESSION_MARK_READY = "session.mark-ready"
    APPOINTMENT_MANAGE_OWN = "appointment.manage.own"
    SCHEDULE_BLOCK_OWN = "schedule.block.own"
    CLIENT_CREATE = "client.create"
    CLIENT_VIEW = "client.view"
    CLIENT_EDIT = "client.edit"
    CLIENT_DELETE = "client.delete"
    ITEM_CREATE = "item.create"
    ITEM_EDIT = "item.edit"
    ITEM_DELETE = "item.delete"
    PACKAGE_CREATE = "package.create"
    PACKAGE_EDIT = "package.edit"
    PACKAGE_DELETE = "package.delete"
    ROOM_CREATE = "room.create"
    ROOM_EDIT = "room.edit"
    ROOM_DELETE = "room.delete"
    PAYMENT_REGISTER = "payment.register"
    PAYMENT_VERIFY = "payment.verify"
    PAYMENT_REFUND = "payment.refund"
    USER_CREATE = "user.create"
    USER_VIEW = "user.view"
    USER_EDIT = "user.edit"
    USER_DELETE = "user.delete"
    USER_ASSIGN_ROLE = "user.assign-role"
    REPORT_SESSION = "report.session"
    REPORT_FINANCIAL = "report.financial"
    REPORT_PERFORMANCE = "report.performance"
    SYSTEM_SETTINGS = "system.settings"
    SYSTEM_AUDIT_LOG = "system.audit-log"


_A = frozenset({Role.ADMIN})
_AC = _A | {Role.COORDINATOR}
_EVERYONE = frozenset(Role)

MATRIX: dict[Perm, frozenset[Role]] = {
    Perm.SESSION_CREATE: _AC,
    Perm.SESSION_VIEW_OWN: _EVERYONE,
    Perm.SESSION_VIEW_ALL: _AC,
    Perm.SESSION_EDIT_PRE_ASSIGNED: _AC,
    Perm.SESSION_EDIT_ALL: _A,
    Perm.SESSION_DELETE: _A,
    Perm.SESSION_ASSIGN_RESOURCES: _AC,
    Perm.SESSION_CANCEL: _AC,
    Perm.SESSION_MARK_ATTENDED: _AC | {Role.PHOTOGRAPHER},
    Perm.SESSION_MARK_READY: _AC | {Role.EDITOR},
    Perm.APPOINTMENT_MANAGE_OWN: _AC | {Role.ARTIST},
    Perm.SCHEDULE_BLOCK_OWN: _AC | {Role.PHOTOGRAPHER, Role.ARTIST},
    Perm.CLIENT_CREATE: _AC,
    Perm.CLIENT_VIEW: _AC,
    Perm.CLIENT_EDIT: _AC,
    Perm.CLIENT_DELETE: _A,
    Perm.ITEM_CREATE: _A,
    Perm.ITEM_EDIT: _A,
    Perm.ITEM_DELETE: _A,
    Perm.PACKAGE_CREATE: _A,
    Perm.PACKAGE_EDIT: _A,
    Perm.PACKAGE_DELETE: _A,
    Perm.ROOM_CREATE: _A,
    Perm.ROOM_EDIT: _A,
    Perm.ROOM_DELETE: _A,
    Perm.PAYMENT_REGISTER: _AC,
    Perm.PAYMENT_VERIFY: _AC,
    Perm.PAYMENT_REFUND: _AC,
    Perm.USER_CREATE: _A,
    Perm.USER_VIEW: _A,
    Perm.USER_EDIT: _A,
    Perm.USER_DELETE: _A,
    Perm.USER_ASSIGN_ROLE: _A,
    Perm.REPORT_SESSION: _AC,
    Perm.REPORT_FINANCIAL: _AC,
    Perm.REPORT_PERFORMANCE: _AC,
    Perm.SYSTEM_SETTINGS: _A,
    Perm.SYSTEM_AUDIT_LOG: _A,
}

# The model that carries a permission, by the first word of its codename. Strings: this package is
# the leaf and imports none of them. Codenames are only unique within a content type.
MODEL_OF: dict[str, str] = {
    "session": "sessions_app.session",
    "appointment": "sessions_app.session",
    "report": "sessions_app.session",
    "client": "sessions_app.client",
    "schedule": "scheduling.staffreservation",
    "room": "scheduling.room",
    "item": "catalog.item",
    "package": "catalog.package",
    "payment": "payments.payment",
    "user": "studio.user",
    "system": "studio.auditevent",
}


def model_of(perm: Perm | str) -> str:
    """The `app_label.model` on whose content type the permission lies."""
    return MODEL_OF[str(perm).partition(".")[0]]


def roles_of(user: Any) -> frozenset[Role]:
    """The roles that `user` holds, asked of the database once for each instance.

    Nobody signed in and nobody inactive has a role; a superuser counts as Admin. Groups that are no
    roles are ignored.
    """
    if user is None or not getattr(user, "is_authenticated", False) or not user.is_active:
        return frozenset()
    known: frozenset[Role] | None = user.__dict__.get("_roles")
    if known is None:
        names = {group.name for group in user.groups.all()}
        if user.is_superuser:
            names.add(Role.ADMIN)
        known = frozenset(role for role in Role if role in names)
        user.__dict__["_roles"] = known
    return known


def forget_roles(user: Any) -> None:
    """Have the roles of this instance read again: they were just changed."""
    user.__dict__.pop("_roles", None)
    user.__dict__.pop("_prefetched_objects_cache", None)
    for cached in ("_perm_cache", "_group_perm_cache", "_user_perm_cache"):
        user.__dict__.pop(cached, None)


def is_admin(user: Any) -> bool:
    """Whether `user` is an Admin: may do anything, and each override is audited (D15)."""
    return Role.ADMIN in roles_of(user)


def holds(roles: Iterable[Role], perm: Perm | str) -> bool:
    """Whether one of these roles gives `perm`."""
    return not MATRIX[Perm(perm)].isdisjoint(roles)


def sync_roles(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """Make the groups and their permissions what the matrix says. Idempotent.

    Grants of the matrix's permissions that are no longer in it are taken back; other groups and
    Django's own permissions on other groups are left alone. Permissions whose model is not
    installed (yet) are left out, so that this package can stand alone.
    """
    from django.contrib.auth.models import Group, Permission
    from django.contrib.contenttypes.models import ContentType

    types: dict[str, ContentType] = {}
    for label in sorted(set(MODEL_OF.values())):
        try:
            model = installed.get_model(label)
        except LookupError:
            continue
        types[label] = ContentType.objects.db_manager(using).get_for_model(model, for_concrete_model=False)

    wanted = {(types[model_of(perm)].pk, perm.value): perm for perm in MATRIX if model_of(perm) in types}
    manager = Permission.objects.using(using)
    present = {
        (permission.content_type_id, permission.codename): permission
        for permission in manager.filter(codename__in=[perm.value for perm in MATRIX])
    }
    manager.bulk_create(
        (
            Permission(content_type_id=type_id, codename=codename, name=f"Atelier: {codename}")
            for type_id, codename in wanted
            if (type_id, codename) not in present
        ),
        ignore_conflicts=True,
    )
    present = {
        (permission.content_type_id, permission.codename): permission
        for permission in manager.filter(codename__in=[perm.value for perm in MATRIX])
    }
    # The same word on another content type is somebody else's, or a leftover; it is not ours to
    # keep.
    ours = {key: permission for key, permission in present.items() if key in wanted}

    for role in Role:
        group, _created = Group.objects.using(using).get_or_create(name=role.value)
        should = {ours[key].pk for key, perm in wanted.items() if role in MATRIX[perm]}
        has = set(group.permissions.values_list("pk", flat=True))
        if should - has:
            group.permissions.add(*(should - has))
        if has - should:
            group.permissions.remove(*(has - should))
