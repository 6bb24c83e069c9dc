"""Signing in, invitations, roles, deactivation (permissions, user.*; quality, Security)."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import translation

from studio import outbox
from studio.accounts import people
from studio.accounts.mail import set_password_link
from studio.accounts.views import client_address, locked_out
from studio.errors import AccessDenied, InvalidInput
from studio.models import AuditEvent, OutgoingEmail, User
from studio.roles import Role, roles_of
from tests.factories.studio import PASSWORD, NoticeFactory, make_user

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
JSON = {"Accept": "application/json"}


@pytest.fixture
def admin():
    return make_user(Role.ADMIN, full_name="Ada Admin")


@pytest.fixture
def office(client, admin):
    """A browser in which the Admin is signed in."""
    client.force_login(admin)
    return client


def _events() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("event", flat=True))


def _invite(admin, **changes):
    values = {
        "email": "New@Studio.example",
        "full_name": "Nora New",
        "roles": [Role.EDITOR],
        "base_url": "http://testserver/",
        **changes,
    }
    return people.invite(by=admin, now=NOW, **values)


# --- People -------------------------------------------------------------------------------


def test_email_is_kept_and_found_in_lower_case():
    person = User.objects.create_user("  Ana@Studio.Example ", full_name="Ana")
    assert person.email == "ana@studio.example"
    assert User.objects.get(email="ANA@studio.example") == person
    assert User.objects.get_by_natural_key("ANA@STUDIO.EXAMPLE") == person


def test_two_people_cannot_share_an_email_in_any_case():
    User.objects.create_user("ana@studio.example", full_name="Ana")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ANA@studio.example", full_name="Other")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE studio_user SET email = 'Ana@studio.example'")


@pytest.mark.parametrize(
    "values", [{"commission_rate": Decimal("1.1")}, {"commission_rate": -1}, {"full_name": ""}, {"language": "fr"}]
)
def test_database_refuses_impossible_people(values):
    person = make_user()
    with pytest.raises(DatabaseError), transaction.atomic():
        User.objects.filter(pk=person.pk).update(**values)


def test_short_name_is_the_first_word():
    assert make_user(full_name="María José Paz").short_name == "María"
    assert str(make_user(full_name="Luis Paz")) == "Luis Paz"


def test_person_without_a_password_cannot_sign_in(client):
    User.objects.create_user("ana@studio.example", full_name="Ana")
    assert not client.login(username="ana@studio.example", password="")


# --- Signing in ---------------------------------------------------------------------------


def test_sign_in_by_email_in_any_case(client):
    person = make_user(Role.EDITOR, email="ana@studio.example")
    answer = client.post(
        reverse("login"), {"username": " ANA@studio.example", "password": PASSWORD, "next": reverse("notice-list")}
    )
    assert answer["Location"] == reverse("notice-list")
    assert client.session["_auth_user_id"] == str(person.pk)


def test_sign_in_never_leads_elsewhere(client):
    make_user(email="ana@studio.example")
    answer = client.post(
        reverse("login"),
        {"username": "ana@studio.example", "password": PASSWORD, "next": "https://evil.example/"},
    )
    assert "evil" not in answer["Location"]


def test_person_without_a_role_lands_on_the_explanation(client):
    make_user(email="ana@studio.example")
    answer = client.post(reverse("login"), {"username": "ana@studio.example", "password": PASSWORD})
    assert answer["Location"] == reverse("no-role")


@pytest.mark.parametrize("who", ["wrong password", "nobody", "inactive"])
def test_failed_sign_in_tells_nothing_about_the_account(client, who):
    make_user(email="ana@studio.example", is_active=who != "inactive")
    answer = client.post(
        reverse("login"),
        {
            "username": "ana@studio.example" if who != "nobody" else "else@studio.example",
            "password": PASSWORD if who == "inactive" else "wrong",
        },
    )
    assert answer.status_code == 200
    with translation.override(answer["Content-Language"]):
        assert translation.gettext("This e-mail and password do not belong together.") in answer.text
    assert "_auth_user_id" not in client.session


def test_too_many_attempts_lock_the_door_and_say_so(client, settings):
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 3
    make_user(Role.EDITOR, email="ana@studio.example")
    attempts = [
        client.post(reverse("login"), {"username": email, "password": "wrong"})
        for email in ("ana@studio.example", "Ana@studio.example", "ANA@studio.example")
    ]
    assert attempts[-1].status_code == 429
    right = client.post(reverse("login"), {"username": "ana@studio.example", "password": PASSWORD})
    assert right.status_code == 429
    assert 'role="alert"' in right.text
    assert "ana@studio.example" in right.text
    assert int(right["Retry-After"]) > 0
    assert "_auth_user_id" not in client.session


def test_lock_is_for_the_address_that_the_proxy_saw(client, settings):
    """Else everybody comes from the proxy, and anybody may lock a colleague out."""
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 3
    settings.TRUST_PROXY_HEADERS = True
    make_user(Role.EDITOR, email="ana@studio.example")

    def answer(password: str, forwarded: str) -> int:
        told = {"username": "ana@studio.example", "password": password}
        return client.post(reverse("login"), told, headers={"X-Forwarded-For": forwarded}).status_code

    for claimed in ("198.51.100.1", "198.51.100.2", "198.51.100.3"):
        answer("wrong", f"{claimed}, 203.0.113.7")
    assert answer(PASSWORD, "198.51.100.4, 203.0.113.7") == 429
    assert answer(PASSWORD, "203.0.113.7, 192.0.2.1") == 302


@pytest.mark.parametrize(
    ("trusted", "forwarded", "remote", "address"),
    [
        (False, "203.0.113.7", "192.0.2.1", "192.0.2.1"),
        (True, "203.0.113.7", "192.0.2.1", "203.0.113.7"),
        (True, "2001:db8::7", "", "2001:db8::7"),
        (True, "", "192.0.2.1", "192.0.2.1"),
        (True, "unknown", "192.0.2.1", None),
        (False, "203.0.113.7", "", None),
    ],
)
def test_address_of_a_browser(settings, trusted, forwarded, remote, address):
    settings.TRUST_PROXY_HEADERS = trusted
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().post("/sign-in/", headers=headers, REMOTE_ADDR=remote)
    assert client_address(request) == address


def test_lock_is_told_to_machines_too():
    request = RequestFactory().post("/sign-in/", headers=JSON)
    answer = locked_out(request, None, {"username": "ana@studio.example"})
    assert answer.status_code == 429
    assert b"locked_out" in answer.content


def test_sign_out_is_a_post(client):
    client.force_login(make_user(Role.EDITOR))
    assert client.get(reverse("logout")).status_code == 405
    client.post(reverse("logout"))
    assert "_auth_user_id" not in client.session


def test_deactivated_person_is_out_at_once(client, admin):
    person = make_user(Role.EDITOR)
    client.force_login(person)
    assert client.get(reverse("notice-list")).status_code == 200
    people.change(
        person, by=admin, email=person.email, full_name=person.full_name, roles=[Role.EDITOR], is_active=False
    )
    answer = client.get(reverse("notice-list"))
    assert answer.status_code == 302
    assert reverse("login") in answer["Location"]


def test_password_change_ends_other_sign_ins(client):
    person = make_user(Role.EDITOR)
    elsewhere = Client()
    client.force_login(person)
    elsewhere.force_login(person)
    answer = client.post(
        reverse("password-change"),
        {"old_password": PASSWORD, "new_password1": "a quite new one", "new_password2": "a quite new one"},
    )
    assert answer.status_code == 302
    assert client.get(reverse("notice-list")).status_code == 200
    assert elsewhere.get(reverse("notice-list")).status_code == 302


def test_password_page_asks_for_the_old_one(client):
    client.force_login(make_user(Role.EDITOR))
    answer = client.post(
        reverse("password-change"),
        {"old_password": "wrong", "new_password1": "a quite new one", "new_password2": "a quite new one"},
    )
    assert answer.status_code == 200
    assert "invalid" in answer.text


# --- Language -----------------------------------------------------------------------------


def test_language_is_kept_with_the_person_and_in_the_browser(client):
    person = make_user(Role.EDITOR)
    client.force_login(person)
    answer = client.post(reverse("set-language"), {"language": "en", "next": reverse("notice-list")})
    assert answer["Location"] == reverse("notice-list")
    person.refresh_from_db()
    assert person.language == "en"
    client.post(reverse("logout"))
    assert client.get(reverse("login"))["Content-Language"] == "en"


def test_language_switch_goes_nowhere_else(client):
    answer = client.post(reverse("set-language"), {"language": "en", "next": "//evil.example"})
    assert "evil" not in answer["Location"]


@pytest.mark.parametrize("language", ["fr", "", "../es", "e" * 5000])
def test_unknown_language_is_refused(client, language):
    assert client.post(reverse("set-language"), {"language": language}).status_code == 422


# --- Invitation ---------------------------------------------------------------------------


def _link_in_mail() -> str:
    outbox.deliver()
    return re.search(r"http://testserver(\S+)", mail.outbox[-1].body)[1]


def _set_password(client, link: str, password: str = "a quite new one"):
    page = client.get(link, follow=True)
    address = page.redirect_chain[-1][0] if page.redirect_chain else link
    return client.post(address, {"new_password1": password, "new_password2": password})


def test_invited_person_sets_a_password_and_signs_in(client, admin):
    person = _invite(admin)
    assert not person.has_usable_password()
    assert roles_of(person) == {Role.EDITOR}
    assert _events() == ["user_created"]
    link = _link_in_mail()
    assert mail.outbox[-1].to == ["new@studio.example"]
    assert "Ada Admin" in mail.outbox[-1].body
    assert _set_password(client, link)["Location"] == reverse("login")
    assert client.login(username="new@studio.example", password="a quite new one")


def test_link_works_once(client, admin):
    _invite(admin)
    link = _link_in_mail()
    _set_password(client, link)
    answer = Client().get(link, follow=True)
    assert "new_password1" not in answer.text


def test_link_expires(client, admin, settings, monkeypatch):
    from django.contrib.auth.tokens import PasswordResetTokenGenerator

    _invite(admin)
    link = _link_in_mail()
    late = datetime.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT + 60)  # noqa: DTZ005
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: late)
    assert "new_password1" not in client.get(link, follow=True).text


def test_link_of_a_deactivated_person_is_dead(client, admin):
    person = _invite(admin)
    link = _link_in_mail()
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert "new_password1" not in client.get(link, follow=True).text


def test_weak_password_is_refused(client, admin):
    person = _invite(admin)
    _set_password(client, _link_in_mail(), "12345678")
    person.refresh_from_db()
    assert not person.has_usable_password()


@pytest.mark.parametrize("uid", ["MQ", "0", "____", "%00", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_forged_link_says_that_it_does_not_work(client, uid):
    answer = client.get(f"/set-password/{uid}/abc-def/")
    assert answer.status_code in {200, 400}
    assert "new_password1" not in answer.text


def test_token_does_not_lie_in_the_table(admin):
    _invite(admin)
    row = OutgoingEmail.objects.get()
    token = set_password_link(row)["link"].rstrip("/").rsplit("/", 1)[1]
    assert token not in str(row.context)


def test_invitation_of_somebody_deactivated_meanwhile_is_not_sent(admin):
    person = _invite(admin)
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert outbox.deliver()["dropped"] == 1
    assert mail.outbox == []


def test_invitation_that_waits_goes_to_the_address_that_was_corrected_meanwhile(admin):
    """The link opens the account: it must not reach whoever has the mistyped address."""
    person = _invite(admin, email="stranger@example.test")
    people.change(
        person, by=admin, email="nora@example.test", full_name="Nora Right", roles=[Role.EDITOR], is_active=True
    )
    outbox.deliver()
    [sent] = mail.outbox
    assert sent.to == ["nora@example.test"]
    assert "Nora Right" in sent.body
    assert OutgoingEmail.objects.get().to == "nora@example.test"


def test_new_link_can_be_sent(office, admin):
    person = make_user(Role.EDITOR)
    assert office.post(reverse("staff-invite", kwargs={"pk": person.pk})).status_code == 302
    link = _link_in_mail()
    assert "new_password1" in Client().get(link, follow=True).text
    assert "password_link_sent" in _events()


# --- Staff pages --------------------------------------------------------------------------

FORM = {"full_name": "Nora New", "email": "nora@studio.example", "roles": ["Photographer", "Editor"]}


@pytest.mark.parametrize("role", [None, *[role for role in Role if role is not Role.ADMIN]])
@pytest.mark.parametrize("name", ["staff-list", "staff-new", "staff-edit", "staff-invite", "staff-delete"])
def test_staff_pages_are_for_admins_only(client, role, name):
    person, other = make_user(*([role] if role else [])), make_user()
    client.force_login(person)
    kwargs = {"pk": other.pk} if name in {"staff-edit", "staff-invite", "staff-delete"} else {}
    ask = client.post if name in {"staff-invite", "staff-delete"} else client.get
    assert ask(reverse(name, kwargs=kwargs)).status_code == 403
    assert AuditEvent.objects.filter(event="denied", actor_id=person.pk).count() == 1


@pytest.mark.parametrize("name", ["staff-list", "staff-new"])
def test_staff_pages_ask_strangers_to_sign_in(client, name):
    answer = client.get(reverse(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("login"))


def test_actions_refuse_whoever_is_no_admin(admin):
    coordinator, person = make_user(Role.COORDINATOR), make_user()
    with pytest.raises(AccessDenied):
        _invite(coordinator)
    with pytest.raises(AccessDenied):
        people.change(person, by=coordinator, email=person.email, full_name="X", roles=[Role.ADMIN], is_active=True)
    with pytest.raises(AccessDenied):
        people.remove(person, by=coordinator)
    with pytest.raises(AccessDenied):
        people.send_link_again(person, by=coordinator, now=NOW, base_url="http://x/")
    assert roles_of(person) == frozenset()
    assert _events() == ["denied"] * 4


def test_admin_invites_through_the_page(office):
    answer = office.post(reverse("staff-new"), FORM)
    assert answer["Location"] == reverse("staff-list")
    person = User.objects.get(email="nora@studio.example")
    assert roles_of(person) == {Role.PHOTOGRAPHER, Role.EDITOR}
    assert OutgoingEmail.objects.get().to == "nora@studio.example"
    assert "nora@studio.example" in office.get(reverse("staff-list")).text


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": ""},
        {"email": "no e-mail"},
        {"full_name": " "},
        {"full_name": "x" * 101},
        {"roles": ["Emperor"]},
        {"commission_rate": "1.5"},
        {"commission_rate": "NaN"},
        {"commission_rate": "-0.1"},
        {"commission_rate": "0.12345"},
        {"language": "fr"},
        {"phone": "1" * 21},
    ],
)
def test_wrong_input_comes_back_with_what_was_typed(office, wrong):
    answer = office.post(reverse("staff-new"), {**FORM, **wrong})
    assert answer.status_code == 422
    assert "invalid" in answer.text
    [(name, value)] = wrong.items()
    if name == "email" and value:
        assert value in answer.text
    again = office.post(reverse("staff-new"), {**FORM, **wrong}, headers=JSON)
    assert again.status_code == 422
    assert name in again.json()["details"]["fields"]
    assert User.objects.count() == 1


def test_taken_email_is_told_beside_its_field(office):
    make_user(email="nora@studio.example")
    answer = office.post(reverse("staff-new"), {**FORM, "email": "NORA@studio.example"})
    assert answer.status_code == 422
    assert OutgoingEmail.objects.count() == 0


def test_role_change_is_audited_with_what_changed(office):
    person = make_user(Role.EDITOR)
    answer = office.post(
        reverse("staff-edit", kwargs={"pk": person.pk}),
        {**FORM, "roles": ["Coordinator"], "is_active": "on", "commission_rate": "0.25"},
    )
    assert answer.status_code == 302
    person = User.objects.get(pk=person.pk)
    assert roles_of(person) == {Role.COORDINATOR}
    assert person.commission_rate == Decimal("0.250")
    line = AuditEvent.objects.get(event="role_changed")
    assert line.details == {"added": ["Coordinator"], "removed": ["Editor"]}
    assert line.object_id == str(person.pk)


def test_edit_without_a_change_of_roles_is_not_audited(office):
    person = make_user(Role.EDITOR)
    office.post(reverse("staff-edit", kwargs={"pk": person.pk}), {**FORM, "roles": ["Editor"], "is_active": "on"})
    assert _events() == []


def test_deactivation_and_return_are_audited(office):
    person = make_user(Role.EDITOR)
    address = reverse("staff-edit", kwargs={"pk": person.pk})
    office.post(address, {**FORM, "roles": ["Editor"]})
    office.post(address, {**FORM, "roles": ["Editor"], "is_active": "on"})
    assert _events() == ["user_deactivated", "user_activated"]


def test_admin_role_opens_the_data_administration(admin):
    person = _invite(admin, roles=[Role.ADMIN])
    assert person.is_staff
    changed = people.change(person, by=admin, email=person.email, full_name="X", roles=[Role.EDITOR], is_active=True)
    assert not changed.is_staff


@pytest.mark.parametrize("changes", [{"roles": [Role.EDITOR]}, {"is_active": False}])
def test_last_admin_cannot_be_lost(admin, changes):
    make_user(Role.ADMIN, is_active=False)
    values = {"email": admin.email, "full_name": "A", "roles": [Role.ADMIN], "is_active": True, **changes}
    with pytest.raises(InvalidInput) as refused:
        people.change(admin, by=admin, **values)
    assert refused.value.details == {"failed": "last_admin"}
    make_user(Role.ADMIN)
    people.change(admin, by=User.objects.exclude(pk=admin.pk).active().get(), **values)


def test_account_that_was_never_used_can_be_deleted(office):
    person = make_user(Role.EDITOR)
    NoticeFactory(recipient=person)
    page = office.get(reverse("staff-edit", kwargs={"pk": person.pk}))
    assert reverse("staff-delete", kwargs={"pk": person.pk}) in page.text
    office.post(reverse("staff-delete", kwargs={"pk": person.pk}))
    assert not User.objects.filter(pk=person.pk).exists()
    assert _events() == ["user_deleted"]


def test_account_with_records_can_only_be_deactivated(office, admin):
    from django.contrib.admin.models import LogEntry

    person = make_user(Role.ADMIN)
    LogEntry.objects.create(user=person, action_flag=1, object_repr="x")
    answer = office.post(reverse("staff-delete", kwargs={"pk": person.pk}), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["details"] == {"failed": "has_records", "records": ["admin.logentry"]}
    assert User.objects.filter(pk=person.pk).exists()
    assert office.post(reverse("staff-delete", kwargs={"pk": admin.pk})).status_code == 422


@pytest.mark.parametrize("pk", [10**6, 10**30])
def test_unknown_person_is_not_found(office, pk):
    for name in ("staff-edit", "staff-invite", "staff-delete"):
        answer = office.post(f"{reverse(name, kwargs={'pk': 1}).replace('/1/', f'/{pk}/')}")
        assert answer.status_code == 404


def test_list_is_narrowed_by_its_address(office):
    editor = make_user(Role.EDITOR, full_name="Eva Editor", phone="5555 1234")
    make_user(Role.PHOTOGRAPHER, full_name="Pablo Photo")
    gone = make_user(Role.EDITOR, full_name="Gina Gone", is_active=False)
    invited = User.objects.create_user("ines@studio.example", full_name="Ines Invited")

    def names(**query):
        page = office.get(reverse("staff-list"), query)
        assert page.status_code == 200
        return {row["person"].full_name for row in page.context["people"]} - {"Ada Admin"}

    assert names() == {"Eva Editor", "Pablo Photo", "Ines Invited"}
    assert names(role="Editor") == {editor.full_name}
    assert names(q="eva 1234") == {editor.full_name}
    assert names(state="inactive") == {gone.full_name}
    assert names(state="invited") == {invited.full_name}
    assert names(state="all", role="Editor") == {editor.full_name, gone.full_name}
    assert names(q="nobody like that") == set()
    names(role="Emperor", state="x", q="y" * 500, page="-7")
    names(q="%_\\'\"", page="9" * 50)


def test_list_asks_the_same_number_of_queries_for_many(office, django_assert_max_num_queries):
    make_user(Role.EDITOR)
    office.get(reverse("staff-list"))
    with django_assert_max_num_queries(15) as few:
        office.get(reverse("staff-list"))
    for _each in range(29):
        make_user(Role.EDITOR, Role.PHOTOGRAPHER)
    with django_assert_max_num_queries(15) as many:
        office.get(reverse("staff-list"))
    assert len(few) == len(many)


@pytest.mark.parametrize("name", ["login", "password-change", "no-role", "staff-list", "staff-new"])
def test_pages_carry_no_inline_style_or_script(office, name):
    page = (Client() if name == "login" else office).get(reverse(name)).text
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)(?![^>]*json)", page)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_admins_cannot_remove_each_other_at_the_same_moment():
    one, two = make_user(Role.ADMIN), make_user(Role.ADMIN)
    start = threading.Barrier(2)
    outcomes = []

    def demote(person, by):
        try:
            start.wait()
            people.change(person, by=by, email=person.email, full_name="X", roles=[Role.EDITOR], is_active=True)
            outcomes.append("done")
        except (InvalidInput, AccessDenied):
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=demote, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "refused"]
    assert Group.objects.get(name=Role.ADMIN).user_set.count() == 1
