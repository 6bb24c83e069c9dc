"""Every address of the site. The packages' own addresses are included by string (layers)."""

from django.contrib import admin
from django.urls import include, path

from studio import health_views, views

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("health/", health_views.health_page, name="health"),
    path("admin/", admin.site.urls),
    path("", include("studio.accounts.urls")),
    path("notices/", views.notice_list, name="notice-list"),
    path("notices/read/", views.notice_read, name="notice-read"),
    path("notices/<int:pk>/open/", views.notice_open, name="notice-open"),
    path("outbox/", include("studio.mail_views")),
    path("catalogue/", include("catalog.urls")),
    path("rooms/", include("scheduling.urls")),
    path("", include("sessions_app.urls")),
]

handler400 = "studio.views.bad_request"
handler403 = "studio.views.permission_denied"
handler404 = "studio.views.page_not_found"
handler500 = "studio.views.server_error"
