"""Django's admin, for Admins only and showing only what is the studio's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from studio.errors import AccessDenied
from studio.roles import is_admin

OURS = frozenset({"studio", "catalog", "scheduling", "payments", "sessions_app"})


class AtelierAdminSite(admin.AdminSite):
    """The default admin site. What libraries register (queues, groups, attempts) is noise here and
    left out: groups are decided by the matrix, and the queue's log is in our own tables.
    """

    site_header = _("Atelier: all records")
    site_title = _("Atelier")
    index_title = _("All records")
    enable_nav_sidebar = True

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        ours = [model for model in models if model._meta.app_label in OURS]
        if ours:
            super().register(ours, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return is_admin(request.user)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """One door for everybody: ours. Whoever is signed in and no Admin is refused, and that is
        audited.
        """
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
        raise AccessDenied(user=request.user, perm="system.settings")

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        from studio.accounts.views import SignOut

        return SignOut.as_view()(request)
