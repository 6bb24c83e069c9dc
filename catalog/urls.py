"""The addresses of the catalogue, under ``catalogue/``."""

from django.urls import path

from catalog import views

urlpatterns = [
    path("", views.item_list, name="item-list"),
    path("items/new/", views.item_new, name="item-new"),
    path("items/<int:pk>/", views.item_edit, name="item-edit"),
    path("packages/", views.package_list, name="package-list"),
    path("packages/new/", views.package_new, name="package-new"),
    path("packages/<int:pk>/", views.package_edit, name="package-edit"),
]
