"""May this person? Role grant or object grant, asked in one place.

Roles answer from memory (`studio.roles.MATRIX`); object grants lie in guardian's table beside the
object they are about. What a permission reaches is decided here and nowhere else (permissions,
Object level).
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model
from guardian.shortcuts import assign_perm, remove_perm
from guardian.utils import get_user_obj_perms_model

from studio.errors import AccessDenied
from studio.roles import MATRIX, Perm, Role, model_of, roles_of

# These reach only the objects that one is on, also for a role that holds them.
OWN: frozenset[Perm] = frozenset(
    {
        Perm.SESSION_VIEW_OWN,
        Perm.SESSION_MARK_ATTENDED,
        Perm.SESSION_MARK_READY,
        Perm.APPOINTMENT_MANAGE_OWN,
    }
)

# The permission that lifts this limit.
WIDER: dict[Perm, Perm] = {
    Perm.SESSION_VIEW_OWN: Perm.SESSION_VIEW_ALL,
    Perm.SESSION_MARK_ATTENDED: Perm.SESSION_EDIT_ALL,
    Perm.SESSION_MARK_READY: Perm.SESSION_EDIT_ALL,
    Perm.APPOINTMENT_MANAGE_OWN: Perm.SESSION_VIEW_ALL,
}

# Ids of permissions, by the database they are in: a process meets several in tests.
_permission_ids: dict[tuple[str, str], int] = {}


def allows(user: Any, perm: Perm | str, obj: Model | None = None) -> bool:
    """Whether `user` may do `perm`, on `obj` when it is given.

    Without an object: whether one of the person's roles holds the permission. With an object: for a
    permission of OWN, a role must hold it and the person be on the object, or a role must hold the
    wider one; for any other, a role or a grant on the object suffices. Admins may always (D15);
    people who are inactive or not signed in never.
    """
    perm = Perm(perm)
    if user is None or not getattr(user, "is_authenticated", False) or not user.is_active:
        return False
    roles = roles_of(user)
    if Role.ADMIN in roles:
        return True
    by_role = not MATRIX[perm].isdisjoint(roles)
    if obj is None:
        return by_role
    if perm in OWN:
        if not by_role:
            return False
        return not MATRIX[WIDER[perm]].isdisjoint(roles) or is_granted(user, perm, obj)
    return by_role or is_granted(user, perm, obj)


def require(user: Any, perm: Perm | str, obj: Model | None = None) -> None:
    """Go on only when `allows`.

    Raises AccessDenied, which carries who was denied what for the audit log.
    """
    if not allows(user, perm, obj):
        raise AccessDenied(user=user, perm=Perm(perm).value, obj=obj, details={"permission": Perm(perm).value})


def grant(user: Any, perm: Perm | str, obj: Model) -> None:
    """Give `user` the permission on this object. Idempotent."""
    assign_perm(_permission(perm, obj), user, obj)


def revoke(user: Any, perm: Perm | str, obj: Model) -> None:
    """Take the permission on this object back. Idempotent."""
    remove_perm(_permission(perm, obj), user, obj)


def is_granted(user: Any, perm: Perm | str, obj: Model) -> bool:
    """Whether there is an object grant, whatever the roles. One query, by primary keys."""
    if obj.pk is None or model_of(perm) != obj._meta.label_lower:
        return False
    using = obj._state.db or DEFAULT_DB_ALIAS
    table = get_user_obj_perms_model(obj)
    rows = table.objects.using(using).filter(user_id=user.pk, permission_id=permission_id(perm, using=using))
    if table.objects.is_generic():
        rows = rows.filter(object_pk=str(obj.pk))
    else:
        rows = rows.filter(content_object_id=obj.pk)
    return rows.exists()


def permission_id(perm: Perm | str, *, using: str = DEFAULT_DB_ALIAS) -> int:
    """The primary key of the permission, looked up with its content type, once for each database."""
    perm = Perm(perm)
    key = (str(connections[using].settings_dict["NAME"]), perm.value)
    known = _permission_ids.get(key)
    if known is None:
        app_label, model = model_of(perm).split(".")
        content_type = ContentType.objects.db_manager(using).get_by_natural_key(app_label, model)
        known = (
            Permission.objects.using(using)
            .values_list("pk", flat=True)
            .get(content_type=content_type, codename=perm.value)
        )
        _permission_ids[key] = known
    return known


def forget_permissions(**_signal: Any) -> None:
    """Look the ids up anew: the tables may just have been migrated or emptied."""
    _permission_ids.clear()


def _permission(perm: Perm | str, obj: Model) -> Permission:
    """The permission as guardian wants it, without asking the database for what is known."""
    perm = Perm(perm)
    if model_of(perm) != obj._meta.label_lower:
        raise ValueError(f"{perm} is a permission on {model_of(perm)}, not on {obj._meta.label_lower}.")
    using = obj._state.db or DEFAULT_DB_ALIAS
    content_type = ContentType.objects.db_manager(using).get_for_model(obj, for_concrete_model=False)
    permission = Permission(pk=permission_id(perm, using=using), codename=perm.value, content_type=content_type)
    permission._state.adding = False
    permission._state.db = using
    return permission
