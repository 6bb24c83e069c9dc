"""Addresses about accounts. Names without a namespace: settings and templates use them as they are."""

from __future__ import annotations

from django.urls import path

from studio.accounts import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="login"),
    path("sign-out/", views.SignOut.as_view(), name="logout"),
    path("language/", views.set_language, name="set-language"),
    path("no-role/", views.no_role, name="no-role"),
    path("password/", views.ChangePassword.as_view(), name="password-change"),
    path("set-password/<uidb64>/<token>/", views.SetPassword.as_view(), name="set-password"),
    path("staff/", views.staff_list, name="staff-list"),
    path("staff/new/", views.staff_new, name="staff-new"),
    path("staff/<int:pk>/", views.staff_edit, name="staff-edit"),
    path("staff/<int:pk>/invite/", views.staff_invite, name="staff-invite"),
    path("staff/<int:pk>/delete/", views.staff_delete, name="staff-delete"),
]
