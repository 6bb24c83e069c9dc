"""People and what they are told, for the tests of every package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import factory
from django.contrib.auth.models import Group
from factory.django import DjangoModelFactory

from studio.models import Notice, User
from studio.roles import Role, forget_roles

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory):
    """A person who can sign in with PASSWORD. `roles` are the groups they are in."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    full_name = factory.Sequence(lambda n: f"Person {n}")
    email = factory.Sequence(lambda n: f"person{n}@studio.example")
    password = factory.django.Password(PASSWORD)

    @factory.post_generation
    def roles(self, create: bool, extracted: Iterable[Role] | None, **_kwargs: Any) -> None:
        if not create or not extracted:
            return
        self.groups.set(Group.objects.filter(name__in=[role.value for role in extracted]))
        if Role.ADMIN in extracted and not self.is_staff:
            self.is_staff = True
            self.save(update_fields=["is_staff"])
        forget_roles(self)


def make_user(*roles: Role, **fields: Any) -> User:
    """A person with these roles: `make_user(Role.COORDINATOR)`."""
    return UserFactory(roles=roles, **fields)


class NoticeFactory(DjangoModelFactory):
    class Meta:
        model = Notice

    recipient = factory.SubFactory(UserFactory)
    kind = "material_ready"
    params = factory.LazyFunction(lambda: {"title": "Ana and Luis"})
