"""Every address of the site. The packages' own addresses are included by string (layers)."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
