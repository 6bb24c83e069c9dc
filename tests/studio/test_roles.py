"""The permission matrix as data, and the groups that are kept in step with it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission

from studio.models import User
from studio.roles import MATRIX, MODEL_OF, Perm, Role, is_admin, model_of, roles_of, sync_roles
from tests.factories.studio import make_user

# The matrix as the permission rules print it: A C P R E.
TABLE = """
session.create              xx---
session.view.own            xxxxx
session.view.all            xx---
session.edit.pre-assigned   xx---
session.edit.all            x----
session.delete              x----
session.assign-resources    xx---
session.cancel              xx---
session.mark-attended       xxx--
appointment.manage.own      xx-x-
schedule.block.own          xxxx-
session.mark-ready          xx--x
client.create               xx---
client.view                 xx---
client.edit                 xx---
client.delete               x----
item.create                 x----
item.edit                   x----
item.delete                 x----
package.create              x----
package.edit                x----
package.delete              x----
room.create                 x----
room.edit                   x----
room.delete                 x----
payment.register            xx---
payment.verify              xx---
payment.refund              xx---
user.create                 x----
user.view                   x----
user.edit                   x----
user.delete                 x----
user.assign-role            x----
report.session              xx---
report.financial            xx---
report.performance          xx---
system.settings             x----
system.audit-log            x----
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("codename", "marks"), ROWS)
def test_matrix_row(codename, marks):
    held = {role for role, mark in zip(Role, marks, strict=True) if mark == "x"}
    assert MATRIX[Perm(codename)] == held


def test_matrix_has_every_permission_and_no_other():
    assert [codename for codename, _marks in ROWS] == sorted(MATRIX, key=[codename for codename, _marks in ROWS].index)
    assert set(MATRIX) == set(Perm) == {Perm(codename) for codename, _marks in ROWS}
    assert {model_of(perm) for perm in Perm} == set(MODEL_OF.values())


def _groups() -> dict[str, set[str]]:
    return {
        group.name: set(group.permissions.values_list("codename", flat=True))
        for group in Group.objects.filter(name__in=list(Role))
    }


@pytest.mark.django_db
def test_groups_hold_what_the_matrix_says_after_migrate():
    from django.apps import apps

    installed = {model._meta.label_lower for model in apps.get_models()}
    expected = {
        role.value: {perm.value for perm, roles in MATRIX.items() if role in roles and model_of(perm) in installed}
        for role in Role
    }
    assert _groups() == expected


@pytest.mark.django_db
def test_sync_takes_back_what_is_not_in_the_matrix_and_changes_nothing_else():
    other = Group.objects.create(name="Choir")
    permission = Permission.objects.get(codename="user.delete")
    other.permissions.add(permission)
    editors = Group.objects.get(name=Role.EDITOR)
    editors.permissions.add(permission)
    before = Permission.objects.count()

    sync_roles()

    assert permission not in editors.permissions.all()
    assert permission in other.permissions.all()
    assert Permission.objects.count() == before


@pytest.mark.django_db
def test_sync_twice_writes_nothing_the_second_time(django_assert_max_num_queries):
    sync_roles()
    with django_assert_max_num_queries(30) as captured:
        sync_roles()
    assert not [query for query in captured if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


@pytest.mark.django_db
def test_has_perm_of_django_agrees_with_the_matrix():
    coordinator = make_user(Role.COORDINATOR)
    assert not coordinator.has_perm("studio.user.view")
    assert make_user(Role.ADMIN).has_perm("studio.user.view")


@pytest.mark.django_db
def test_roles_are_the_union_of_the_groups():
    person = make_user(Role.PHOTOGRAPHER, Role.EDITOR)
    assert roles_of(person) == {Role.PHOTOGRAPHER, Role.EDITOR}
    assert not is_admin(person)


@pytest.mark.django_db
def test_roles_cost_one_query_for_each_instance(django_assert_num_queries):
    person = type(make_user()).objects.get(pk=make_user(Role.EDITOR).pk)
    with django_assert_num_queries(1):
        assert roles_of(person) == {Role.EDITOR}
        assert roles_of(person) == {Role.EDITOR}


@pytest.mark.django_db
def test_nobody_signed_in_or_active_has_no_role():
    assert roles_of(AnonymousUser()) == frozenset()
    assert roles_of(None) == frozenset()
    assert roles_of(make_user(Role.ADMIN, is_active=False)) == frozenset()
    assert roles_of(make_user()) == frozenset()


@pytest.mark.django_db
def test_superuser_counts_as_admin():
    assert is_admin(make_user(is_superuser=True))
    assert not is_admin(make_user(is_superuser=True, is_active=False))


@pytest.mark.django_db
def test_superuser_is_found_among_the_admins():
    """The first Admin of an installation is one: they are told what Admins are told, and found as one."""
    first = User.objects.create_superuser("first@studio.example", "a password")
    both = make_user(Role.ADMIN, is_superuser=True)
    make_user(Role.COORDINATOR)
    assert list(User.objects.in_role(Role.ADMIN).order_by("pk")) == [first, both]
    assert list(User.objects.in_role(Role.EDITOR)) == []
