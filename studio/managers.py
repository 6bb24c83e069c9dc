"""How people are created and found."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import BaseUserManager
from django.db import models

from studio.roles import Role


class UserQuerySet(models.QuerySet):
    """Questions about people that more than one place asks."""

    def active(self) -> UserQuerySet:
        return self.filter(is_active=True)

    def in_role(self, *roles: Role) -> UserQuerySet:
        """People who hold one of these roles, each once; a superuser counts as Admin, as in `roles_of`."""
        holds = models.Q(
            models.Exists(
                self.model.groups.through.objects.filter(
                    user_id=models.OuterRef("pk"), group__name__in=[role.value for role in roles]
                )
            )
        )
        if Role.ADMIN in roles:
            holds |= models.Q(is_superuser=True)
        return self.filter(holds)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):
    """People sign in with their e-mail; there is no user name."""

    use_in_migrations = False

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """E-mail addresses are compared, and therefore kept, in lower case."""
        return (email or "").strip().lower()

    def get_by_natural_key(self, username: str | None) -> Any:
        return self.get(email=self.normalize_email(username))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Any:
        """A person with this e-mail; without a password they cannot sign in until they set one."""
        email = self.normalize_email(email)
        if not email:
            raise ValueError("A person needs an e-mail address.")
        fields.setdefault("full_name", email.partition("@")[0])
        person = self.model(email=email, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> Any:
        """For `manage.py createsuperuser`: counts as Admin in every question."""
        fields.setdefault("is_staff", True)
        fields.setdefault("is_superuser", True)
        return self.create_user(email, password, **fields)
