"""What an Admin does to staff accounts: invite, change, deactivate, remove (permissions, user.*).

Each is audited also when it succeeds. The last Admin cannot be lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import Group
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from studio import access, audit, outbox
from studio.errors import InvalidInput
from studio.models import User
from studio.roles import Perm, Role, forget_roles


def invite(
    *,
    by: User,
    now: datetime,
    email: str,
    full_name: str,
    roles: Iterable[Role],
    base_url: str,
    phone: str = "",
    commission_rate: Decimal | None = None,
    language: str = "",
) -> User:
    """Create an account without a password and mail the person a link to set one.

    `base_url` is where the site is reached ("https://studio.example/"). Raises InvalidInput when
    the e-mail is taken.
    """
    with audit.act():
        access.require(by, Perm.USER_CREATE)
        chosen = frozenset(Role(role) for role in roles)
        if chosen:
            access.require(by, Perm.USER_ASSIGN_ROLE)
        try:
            with transaction.atomic():
                person = User.objects.create_user(
                    email,
                    full_name=full_name,
                    phone=phone,
                    commission_rate=commission_rate,
                    language=language,
                )
        except IntegrityError as taken:
            raise InvalidInput(
                _("Somebody already signs in with this e-mail."),
                field="email",
                details={"failed": "email_taken"},
            ) from taken
        audit.record(audit.USER_CREATED, by=by, about=person, email=person.email, roles=_in_order(chosen))
        _write_roles(person, chosen)
        _queue_invitation(person, by=by, now=now, base_url=base_url)
        return person


def send_link_again(person: User, *, by: User, now: datetime, base_url: str) -> None:
    """Mail the person a new link to set a password, also when the old one was forgotten."""
    with audit.act():
        access.require(by, Perm.USER_EDIT)
        if not person.is_active:
            raise InvalidInput(_("This person is inactive and cannot sign in."), details={"failed": "inactive"})
        _queue_invitation(person, by=by, now=now, base_url=base_url)
        audit.record("password_link_sent", by=by, about=person)


def change(
    person: User,
    *,
    by: User,
    email: str,
    full_name: str,
    roles: Iterable[Role],
    is_active: bool,
    phone: str = "",
    commission_rate: Decimal | None = None,
    language: str = "",
) -> User:
    """Write the person's data, roles and whether they may sign in.

    Raises InvalidInput when the e-mail is taken, or when no active Admin would be left.
    """
    with audit.act():
        access.require(by, Perm.USER_EDIT)
        # Whoever changes Admins waits here for whoever does the same: two Admins cannot remove
        # each other at the same moment.
        list(Group.objects.select_for_update().filter(name=Role.ADMIN.value))
        person = User.objects.select_for_update(of=("self",)).get(pk=person.pk)
        before = _roles_in_database(person)
        after = frozenset(Role(role) for role in roles)
        if after != before:
            access.require(by, Perm.USER_ASSIGN_ROLE)
        was_active = person.is_active
        if Role.ADMIN in before and was_active and not (Role.ADMIN in after and is_active):
            _require_another_admin(person)

        person.email = email
        person.full_name = full_name
        person.phone = phone
        person.commission_rate = commission_rate
        person.language = language
        person.is_active = is_active
        try:
            with transaction.atomic():
                person.save()
        except IntegrityError as taken:
            raise InvalidInput(
                _("Somebody already signs in with this e-mail."),
                field="email",
                details={"failed": "email_taken"},
            ) from taken
        if after != before:
            _write_roles(person, after)
            audit.record(
                audit.ROLE_CHANGED,
                by=by,
                about=person,
                added=_in_order(after - before),
                removed=_in_order(before - after),
            )
        if was_active != is_active:
            event = audit.USER_ACTIVATED if is_active else audit.USER_DEACTIVATED
            audit.record(event, by=by, about=person)
        return person


def remove(person: User, *, by: User) -> None:
    """Delete an account that was never used: one that anything refers to can only be deactivated
    (D30).
    """
    with audit.act():
        access.require(by, Perm.USER_DELETE)
        list(Group.objects.select_for_update().filter(name=Role.ADMIN.value))
        person = User.objects.select_for_update(of=("self",)).get(pk=person.pk)
        if person.pk == by.pk:
            raise InvalidInput(_("Nobody can delete their own account."), details={"failed": "own_account"})
        if in_the_way := traces_of(person):
            raise InvalidInput(
                _("%(name)s has worked with this system and can only be deactivated.") % {"name": person.full_name},
                details={"failed": "has_records", "records": in_the_way},
            )
        if Role.ADMIN in _roles_in_database(person) and person.is_active:
            _require_another_admin(person)
        audit.record(audit.USER_DELETED, by=by, about=person, email=person.email)
        person.delete()


def traces_of(person: User) -> list[str]:
    """The kinds of records that refer to the person, whatever package they are of; notices do not
    count.
    """
    kinds = []
    for relation in User._meta.related_objects:
        model = relation.related_model
        if relation.many_to_many or model._meta.label_lower in {"studio.notice"}:
            continue
        if not isinstance(relation.field, models.ForeignKey):
            continue
        if model._base_manager.filter(**{relation.field.name: person}).exists():
            kinds.append(model._meta.label_lower)
    return sorted(set(kinds))


def _write_roles(person: User, roles: frozenset[Role]) -> None:
    """Make the person's groups those of `roles`; groups that are no roles stay."""
    ours = {group.name: group for group in Group.objects.filter(name__in=[r.value for r in Role])}
    person.groups.remove(*(group for name, group in ours.items() if name not in roles))
    person.groups.add(*(ours[role.value] for role in roles))
    person.is_staff = Role.ADMIN in roles or person.is_superuser
    person.save(update_fields=["is_staff"])
    forget_roles(person)


def _roles_in_database(person: User) -> frozenset[Role]:
    """The roles as the groups say, also of somebody inactive."""
    names = set(person.groups.values_list("name", flat=True))
    return frozenset(role for role in Role if role.value in names)


def _require_another_admin(person: User) -> None:
    others = User.objects.active().exclude(pk=person.pk)
    if not others.filter(models.Q(is_superuser=True) | models.Q(groups__name=Role.ADMIN.value)).exists():
        raise InvalidInput(
            _("This is the last active Admin: somebody else has to become one first."),
            details={"failed": "last_admin"},
        )


def _queue_invitation(person: User, *, by: User, now: datetime, base_url: str) -> None:
    outbox.queue(
        "invitation_email",
        to=person.email,
        language=person.language,
        # The link itself is made when the e-mail is sent: its token does not lie in a table.
        context={
            "person_name": person.full_name,
            "invited_by": by.full_name,
            "base_url": base_url,
            "is_new": person.is_invited,
        },
        key=f"invitation:{person.pk}:{now.isoformat()}",
        about=person,
    )


def _in_order(roles: Iterable[Role]) -> list[str]:
    held = set(roles)
    return [role.value for role in Role if role in held]
