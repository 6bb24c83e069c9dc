"""Rooms and reservations in Django's admin. Who and what is taken when is only looked at here."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from scheduling import rooms
from scheduling.models import OpeningException, OpeningHours, Reservation, Room, RoomReservation, StaffReservation
from studio import navigation
from studio.admin import ReadOnlyAdmin, StudioModelAdmin


@admin.register(Room)
class RoomAdmin(StudioModelAdmin):
    """The status is changed on the site's own page, which shows who holds the room."""

    list_display = ("code", "name", "capacity", "status")
    list_filter = ("status",)
    search_fields = ("code", "name", "description")
    fields = ("code", "name", "description", "capacity", "status")
    readonly_fields = ("status",)

    def view_on_site(self, room: Room) -> str:
        return room.get_absolute_url()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Room, form: ModelForm, change: bool) -> None:
        if change:
            rooms.change_room(obj, by=request.user, now=timezone.now(), **form.cleaned_data)
        else:
            obj.pk = rooms.add_room(by=request.user, **form.cleaned_data).pk


class ReservationAdmin(ReadOnlyAdmin):
    """Live while nothing is written under "released"."""

    date_hierarchy = "created_at"

    def view_on_site(self, reservation: Any) -> str | None:
        return reservation.session.get_absolute_url() if reservation.session_id else None

    @admin.display(description=_("starts"), ordering="during")
    def starts(self, reservation: Reservation) -> Any:
        return reservation.starts_at

    @admin.display(description=_("ends"))
    def ends(self, reservation: Reservation) -> Any:
        return reservation.ends_at


@admin.register(RoomReservation)
class RoomReservationAdmin(ReservationAdmin):
    list_display = ("room", "session", "starts", "ends", "released_at")
    list_filter = ("room", ("released_at", admin.EmptyFieldListFilter))
    list_select_related = ("room", "session__client")
    search_fields = ("room__name", "room__code", "session__code", "session__event_description")
    fields = ("room", "session", "starts", "ends", "released_at", "notes", "created_at", "created_by")


@admin.register(StaffReservation)
class StaffReservationAdmin(ReservationAdmin):
    list_display = (
        "staff",
        "session",
        "starts",
        "ends",
        "assignment_status",
        "is_lead_photographer",
        "attended_at",
        "released_at",
    )
    list_filter = ("assignment_status", ("released_at", admin.EmptyFieldListFilter))
    list_select_related = ("staff", "session__client")
    search_fields = ("staff__full_name", "staff__email", "session__code", "session__event_description")
    fields = (*list_display, "notes", "created_at", "created_by")


class OpeningAdmin(ReadOnlyAdmin):
    """Written on the site's own page, which says what is booked outside of them."""

    def view_on_site(self, row: Any) -> str | None:
        return navigation.address("opening-hours") or None


@admin.register(OpeningHours)
class OpeningHoursAdmin(OpeningAdmin):
    list_display = ("weekday", "opens", "closes")
    list_filter = ("weekday",)
    fields = list_display


@admin.register(OpeningException)
class OpeningExceptionAdmin(OpeningAdmin):
    date_hierarchy = "day"
    list_display = ("day", "opens", "closes", "note")
    search_fields = ("note",)
    fields = list_display
