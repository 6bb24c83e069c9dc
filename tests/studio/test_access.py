"""May this person: role grants, object grants, and both together (permissions, Object level)."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group

from studio.access import OWN, WIDER, allows, grant, is_granted, permission_id, require, revoke
from studio.errors import AccessDenied
from studio.roles import MATRIX, Perm, Role
from tests.factories.domain import Studio
from tests.factories.studio import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("perm", list(Perm))
def test_role_grant_without_an_object_is_the_matrix(role, perm):
    assert allows(make_user(role), perm) == (role in MATRIX[perm])


@pytest.mark.parametrize("perm", list(Perm))
def test_nobody_without_a_role_may_anything(perm):
    assert not allows(make_user(), perm)
    assert not allows(AnonymousUser(), perm)
    assert not allows(None, perm)
    assert not allows(make_user(Role.ADMIN, is_active=False), perm)


def test_own_permissions_each_have_a_wider_one():
    assert set(WIDER) == set(OWN)


def test_unknown_permission_is_an_error_of_the_program():
    with pytest.raises(ValueError):
        allows(make_user(Role.ADMIN), "session.fly")


def test_object_grant_gives_what_the_role_does_not():
    person, other = make_user(Role.COORDINATOR), make_user()
    assert not allows(person, Perm.USER_VIEW, other)
    grant(person, Perm.USER_VIEW, other)
    assert allows(person, Perm.USER_VIEW, other)
    assert not allows(person, Perm.USER_VIEW)
    assert not allows(person, Perm.USER_VIEW, make_user())
    assert not allows(person, Perm.USER_EDIT, other)


def test_grant_and_revoke_twice_change_nothing_more():
    person, other = make_user(Role.EDITOR), make_user()
    grant(person, Perm.USER_VIEW, other)
    grant(person, Perm.USER_VIEW, other)
    assert is_granted(person, Perm.USER_VIEW, other)
    revoke(person, Perm.USER_VIEW, other)
    revoke(person, Perm.USER_VIEW, other)
    assert not is_granted(person, Perm.USER_VIEW, other)
    assert not allows(person, Perm.USER_VIEW, other)


def test_grant_of_an_inactive_person_gives_nothing():
    person, other = make_user(Role.EDITOR), make_user()
    grant(person, Perm.USER_VIEW, other)
    person.is_active = False
    assert not allows(person, Perm.USER_VIEW, other)


def test_grant_on_the_wrong_kind_of_object_is_an_error_of_the_program():
    with pytest.raises(ValueError):
        grant(make_user(Role.EDITOR), Perm.SESSION_VIEW_OWN, make_user())


def test_asking_costs_one_query_for_the_roles_and_one_for_each_object(django_assert_num_queries):
    person, other = make_user(Role.EDITOR), make_user()
    permission_id(Perm.USER_VIEW)
    person = type(person).objects.get(pk=person.pk)
    with django_assert_num_queries(1):
        allows(person, Perm.SESSION_VIEW_OWN)
        allows(person, Perm.SESSION_CANCEL)
        allows(person, Perm.USER_VIEW)
    with django_assert_num_queries(1):
        allows(person, Perm.USER_VIEW, other)


def test_a_role_needs_no_query_for_an_object(django_assert_num_queries):
    admin, other = make_user(Role.ADMIN), make_user()
    allows(admin, Perm.USER_VIEW)
    with django_assert_num_queries(0):
        assert allows(admin, Perm.USER_VIEW, other)
        assert allows(admin, Perm.USER_DELETE, other)


def test_a_role_that_was_taken_away_is_gone_for_the_next_request():
    person = make_user(Role.COORDINATOR)
    person.groups.remove(Group.objects.get(name=Role.COORDINATOR))
    assert not allows(type(person).objects.get(pk=person.pk), Perm.SESSION_CREATE)


def test_require_says_who_was_denied_what():
    person, other = make_user(Role.EDITOR), make_user()
    with pytest.raises(AccessDenied) as denied:
        require(person, Perm.USER_EDIT, other)
    assert denied.value.user == person
    assert denied.value.perm == "user.edit"
    assert denied.value.obj == other
    assert denied.value.status == 403
    assert denied.value.as_dict()["details"] == {"permission": "user.edit"}
    require(make_user(Role.ADMIN), Perm.USER_EDIT, other)


# --- On a session -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows() -> list[tuple]:
    """Each own permission x role x (on the session or not) -> whether it is allowed."""
    table = []
    for perm in sorted(OWN):
        for role in Role:
            by_role, wider = role in MATRIX[perm], role in MATRIX[WIDER[perm]]
            table.append((perm, role, False, role is Role.ADMIN or (by_role and wider)))
            table.append((perm, role, True, role is Role.ADMIN or by_role))
    return table


def test_own_permissions_reach_only_the_sessions_one_is_on(rows):
    session, other = Studio().request(), Studio().request()
    for perm, role, is_on_it, expected in rows:
        person = make_user(role)
        if is_on_it:
            grant(person, perm, session)
        assert allows(person, perm, session) == expected, (perm, role, is_on_it)
        by_role = role in MATRIX[perm] and role in MATRIX[WIDER[perm]]
        assert allows(person, perm, other) == (role is Role.ADMIN or by_role), (perm, role)


def test_taking_back_is_as_complete_as_giving():
    session, photographer = Studio().request(), make_user(Role.PHOTOGRAPHER)
    for perm in (Perm.SESSION_VIEW_OWN, Perm.SESSION_MARK_ATTENDED):
        grant(photographer, perm, session)
        assert allows(photographer, perm, session)
        revoke(photographer, perm, session)
        assert not allows(photographer, perm, session)
        assert not photographer.has_perm(f"sessions_app.{perm}", session)


def test_grant_without_the_role_gives_nothing_of_ones_own():
    session, person = Studio().request(), make_user(Role.EDITOR)
    grant(person, Perm.SESSION_VIEW_OWN, session)
    person.groups.clear()
    assert not allows(type(person).objects.get(pk=person.pk), Perm.SESSION_VIEW_OWN, session)


def test_asking_about_a_session_costs_one_query(django_assert_num_queries):
    session, photographer = Studio().request(), make_user(Role.PHOTOGRAPHER)
    grant(photographer, Perm.SESSION_VIEW_OWN, session)
    allows(photographer, Perm.SESSION_VIEW_OWN)
    with django_assert_num_queries(1):
        assert allows(photographer, Perm.SESSION_VIEW_OWN, session)
