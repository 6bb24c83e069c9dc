"""The addresses of rooms, under ``rooms/``."""

from django.urls import path

from scheduling import views

urlpatterns = [
    path("", views.room_list, name="room-list"),
    path("new/", views.room_new, name="room-new"),
    path("<int:pk>/", views.room_edit, name="room-edit"),
]
