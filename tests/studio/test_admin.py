"""Django's admin: for Admins only, what is decided by rules read only, no noise."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from studio import audit
from studio.admin import ReadOnlyAdmin, StudioModelAdmin
from studio.admin_site import OURS, AtelierAdminSite
from studio.models import AuditEvent, JobRun, Notice, OutgoingEmail, User
from studio.roles import Role
from tests.factories.studio import NoticeFactory, make_user

pytestmark = pytest.mark.django_db

OF_THE_LEAF = [User, AuditEvent, Notice, OutgoingEmail, JobRun]


@pytest.fixture
def office(client):
    client.force_login(make_user(Role.ADMIN))
    return client


def _email(**values):
    return OutgoingEmail.objects.create(
        key=f"k{OutgoingEmail.objects.count()}",
        kind="confirmation_email",
        to="a@client.example",
        language="es",
        **values,
    )


def test_our_site_is_the_default_one():
    assert isinstance(admin.site, AtelierAdminSite) or type(admin.site._wrapped) is AtelierAdminSite


@pytest.mark.parametrize("role", [None, *[role for role in Role if role is not Role.ADMIN]])
def test_other_roles_are_refused_whatever_their_flags(client, role):
    person = make_user(*([role] if role else []), is_staff=True)
    client.force_login(person)
    for address in (reverse("admin:index"), reverse("admin:studio_user_changelist")):
        assert client.get(address, follow=True).status_code == 403
    assert AuditEvent.objects.filter(event="denied", actor_id=person.pk).count() == 2


def test_strangers_are_asked_to_sign_in_at_our_door(client):
    answer = client.get(reverse("admin:index"), follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0].startswith(reverse("login"))


def test_only_what_is_the_studios_is_shown():
    registered = set(admin.site._registry)
    assert {model._meta.app_label for model in registered} <= OURS
    assert set(OF_THE_LEAF) <= registered


def test_every_admin_of_ours_asks_for_the_role():
    assert all(isinstance(each, StudioModelAdmin) for each in admin.site._registry.values())


@pytest.mark.parametrize("model", OF_THE_LEAF)
def test_pages_open_and_search(office, model):
    person = make_user(Role.EDITOR)
    audit.record("large_payment", by=person, about=person, amount="1")
    NoticeFactory(recipient=person)
    _email()
    JobRun.objects.create(job="x", local_date="2026-11-21", due_at="2026-11-21T06:00:00Z")
    name = model._meta.model_name
    assert office.get(reverse("admin:index")).status_code == 200
    assert office.get(reverse(f"admin:studio_{name}_changelist"), {"q": "x"}).status_code == 200
    assert office.get(reverse(f"admin:studio_{name}_changelist")).status_code == 200
    row = model.objects.first()
    assert office.get(reverse(f"admin:studio_{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", [AuditEvent, Notice, OutgoingEmail, JobRun])
def test_records_are_read_only(office, model):
    assert isinstance(admin.site._registry[model], ReadOnlyAdmin)
    name = model._meta.model_name
    assert office.get(reverse(f"admin:studio_{name}_add")).status_code == 403
    assert office.post(reverse(f"admin:studio_{name}_delete", args=[1]), {"post": "yes"}).status_code in {302, 403}


def test_row_cannot_be_changed_by_sending_the_form(office):
    row = _email()
    office.post(reverse("admin:studio_outgoingemail_change", args=[row.pk]), {"to": "b@client.example"})
    row.refresh_from_db()
    assert row.to == "a@client.example"


def test_roles_and_sign_in_are_not_changed_here(office):
    person = make_user(Role.EDITOR, full_name="Eva")
    office.post(
        reverse("admin:studio_user_change", args=[person.pk]),
        {
            "full_name": "Eva Two",
            "phone": "",
            "language": "",
            "commission_rate": "",
            "email": "other@studio.example",
            "is_active": "",
            "is_superuser": "on",
            "groups": ["1"],
        },
    )
    person = User.objects.get(pk=person.pk)
    assert person.full_name == "Eva Two"
    assert person.email != "other@studio.example"
    assert person.is_active
    assert not person.is_superuser
    assert person.roles == {Role.EDITOR}
    assert office.get(reverse("admin:studio_user_add")).status_code == 403
    assert office.get(reverse("admin:studio_user_delete", args=[person.pk])).status_code == 403


def test_resending_takes_only_what_was_given_up_or_dropped(office):
    dead, dropped, waiting = _email(status="dead", attempts=8), _email(status="dropped"), _email()
    rows = [dead, dropped, waiting]
    answer = office.post(
        reverse("admin:studio_outgoingemail_changelist"),
        {"action": "resend", "_selected_action": [row.pk for row in rows]},
    )
    assert answer.status_code == 302
    assert [OutgoingEmail.objects.get(pk=row.pk).status for row in rows] == ["waiting"] * 3
    assert OutgoingEmail.objects.get(pk=dead.pk).attempts == 0
    assert AuditEvent.objects.filter(event="email_resent").count() == 2
