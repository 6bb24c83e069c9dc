"""The leaf package and Django's admin as Atelier configures it."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class StudioConfig(AppConfig):
    name = "studio"
    verbose_name = _("Studio")
    default = True

    def ready(self) -> None:
        from studio import health_views, logs, navigation, outbox
        from studio.accounts import mail

        mail.register()
        navigation.register_badge("outbox-list", lambda user: outbox.given_up())
        navigation.register_badge("health", health_views.badge)
        logs.follow_tasks()
        post_migrate.connect(after_migrate, sender=self, dispatch_uid="studio.after_migrate")


class AtelierAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site as its default one."""

    default = False
    default_site = "studio.admin_site.AtelierAdminSite"


def after_migrate(using: str = DEFAULT_DB_ALIAS, **_signal: Any) -> None:
    """Bring what lies in tables, but is decided by code, up to date: roles and the schedule."""
    from django.contrib.contenttypes.models import ContentType

    from studio.access import forget_permissions
    from studio.jobs import ensure_schedule
    from studio.roles import sync_roles

    forget_permissions()
    ContentType.objects.clear_cache()
    tables = set(connections[using].introspection.table_names())
    if {"auth_group", "auth_permission", "django_content_type"} <= tables:
        sync_roles(using=using)
    if using == DEFAULT_DB_ALIAS and "django_q_schedule" in tables:
        ensure_schedule()
