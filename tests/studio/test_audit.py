"""The audit log: append only, and every denial exactly once (permissions, Logged)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from studio import audit
from studio.access import require
from studio.errors import AccessDenied, InvalidStateTransition, NotFound
from studio.models import AuditEvent, User
from studio.roles import Perm, Role
from tests.factories.studio import make_user

pytestmark = pytest.mark.django_db


def _denials() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(event="denied").order_by("pk"))


def test_line_says_who_what_about_what():
    admin, person = make_user(Role.ADMIN), make_user()
    line = audit.record(
        "large_payment",
        by=admin,
        about=person,
        amount=Decimal("12000.50"),
        at=datetime(2026, 11, 21, 9, tzinfo=UTC),
        roles={Role.EDITOR},
    )
    line.refresh_from_db()
    assert (line.actor_id, line.actor_name) == (admin.pk, admin.full_name)
    assert (line.object_type, line.object_id) == ("studio.user", str(person.pk))
    assert line.object_label == person.full_name
    assert line.details == {
        "amount": "12000.50",
        "at": "2026-11-21T09:00:00+00:00",
        "roles": ["Editor"],
    }


def test_system_has_no_actor():
    line = audit.record("session_canceled", by=None)
    assert (line.actor_id, line.actor_name) == (None, "")


@pytest.mark.parametrize("change", ["update", "delete", "save"])
def test_log_refuses_to_be_changed(change):
    line = audit.record("denied", by=None)
    with pytest.raises(DatabaseError, match="append only"), transaction.atomic():
        if change == "update":
            AuditEvent.objects.filter(pk=line.pk).update(event="nothing")
        elif change == "delete":
            AuditEvent.objects.filter(pk=line.pk).delete()
        else:
            line.event = "nothing"
            line.save()
    assert AuditEvent.objects.get(pk=line.pk).event == "denied"


def test_log_outlives_the_person():
    person = make_user()
    audit.record("denied", by=person)
    name = person.full_name
    person.delete()
    assert AuditEvent.objects.get().actor_name == name


def test_denial_is_written_after_the_rollback_and_goes_on():
    editor, other = make_user(Role.EDITOR), make_user()
    with pytest.raises(AccessDenied) as denied, audit.act():
        other.full_name = "Changed"
        other.save()
        require(editor, Perm.USER_EDIT, other)
    assert denied.value.recorded
    assert User.objects.get(pk=other.pk).full_name != "Changed"
    [line] = _denials()
    assert line.actor_id == editor.pk
    assert line.object_id == str(other.pk)
    assert line.details == {"permission": "user.edit", "code": "PERMISSION_DENIED"}


def test_denial_in_nested_acts_is_written_once():
    editor = make_user(Role.EDITOR)
    with pytest.raises(AccessDenied), audit.act(), audit.act(), audit.act():
        require(editor, Perm.USER_EDIT)
    assert len(_denials()) == 1


def test_denial_that_is_caught_on_its_way_is_written_too():
    editor = make_user(Role.EDITOR)
    with audit.act():
        for _each in range(2):
            try:
                with audit.act():
                    require(editor, Perm.USER_EDIT)
            except AccessDenied:
                pass
        audit.record("role_changed", by=editor)
    assert len(_denials()) == 2
    assert AuditEvent.objects.filter(event="role_changed").count() == 1


def test_something_hidden_is_a_denial_when_it_says_for_whom():
    editor, other = make_user(Role.EDITOR), make_user()
    with pytest.raises(NotFound), audit.act():
        raise NotFound(user=editor, perm=Perm.SESSION_VIEW_OWN, obj=other)
    with pytest.raises(NotFound), audit.act():
        raise NotFound()
    [line] = _denials()
    assert line.details["code"] == "NOT_FOUND"


def test_other_errors_are_no_denials():
    with pytest.raises(InvalidStateTransition), audit.act():
        raise InvalidStateTransition()
    assert _denials() == []


def test_act_that_ends_well_leaves_its_lines():
    with audit.act():
        audit.record("refund_paid", by=None)
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_denial_survives_the_rollback_in_a_real_transaction():
    editor = make_user(Role.EDITOR)
    with pytest.raises(AccessDenied), audit.act(), audit.act():
        audit.record("role_changed", by=editor)
        require(editor, Perm.USER_EDIT)
    assert [line.event for line in AuditEvent.objects.all()] == ["denied"]


@pytest.mark.django_db(transaction=True)
def test_denial_inside_a_foreign_transaction_is_left_to_whoever_sees_it_outside():
    editor = make_user(Role.EDITOR)
    with pytest.raises(AccessDenied) as denied, transaction.atomic(), audit.act():
        require(editor, Perm.USER_EDIT)
    assert not denied.value.recorded
    assert _denials() == []
    audit.record_denial(denied.value)
    audit.record_denial(denied.value)
    assert len(_denials()) == 1
