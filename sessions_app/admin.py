"""Clients, sessions, their lines, history and grants in Django's admin.

No rule is bypassed here: status, time, place, price, people and history are only looked at; they are changed on the
session's own page, by the acts that know the rules. What is left to write are words, and writing them is audited as any
edit by an Admin (D15).
"""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models import Payment
from scheduling.models import StaffReservation
from sessions_app.actions import book
from sessions_app.models import (
    CalendarFeed,
    Client,
    Import,
    QuoteVersion,
    Session,
    SessionDetail,
    SessionUserObjectPermission,
    StatusHistory,
)
from studio import audit
from studio.admin import ReadOnlyAdmin, ReadOnlyInline, StudioModelAdmin


@admin.register(Client)
class ClientAdmin(StudioModelAdmin):
    """Deleting is on the client's own page, which shows what it does (D30)."""

    list_display = ("full_name", "email", "primary_phone", "client_type", "active", "deleted_at")
    list_filter = ("active", "client_type", ("deleted_at", admin.EmptyFieldListFilter))
    search_fields = ("full_name", "email", "primary_phone", "secondary_phone")
    fields = (
        "full_name",
        "email",
        "primary_phone",
        "secondary_phone",
        "delivery_address",
        "client_type",
        "language",
        "notes",
        "active",
        "created_at",
        "deleted_at",
        "deleted_by",
    )
    readonly_fields = ("created_at", "deleted_at", "deleted_by")

    def view_on_site(self, client: Client) -> str:
        return client.get_absolute_url()

    def has_change_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        # What is deleted stays as it was.
        return super().has_change_permission(request, obj) and (obj is None or obj.deleted_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Client, form: ModelForm, change: bool) -> None:
        if change:
            # As the model has tidied it, not as it was typed.
            book.change_client(obj, by=request.user, **{name: getattr(obj, name) for name in form.cleaned_data})
        else:
            book.add_client(obj, by=request.user)


class Lines(ReadOnlyInline):
    model = SessionDetail
    fields = ("item_code", "item_name", "reference_name", "quantity", "unit_price", "line_subtotal")


class Assignments(ReadOnlyInline):
    model = StaffReservation
    fields = ("staff", "during", "is_lead_photographer", "assignment_status", "attended_at", "released_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffReservation]:
        return super().get_queryset(request).select_related("staff", "session__client")


class Payments(ReadOnlyInline):
    model = Payment
    fields = ("payment_type", "amount", "payment_status", "payment_method", "document_number", "payment_date")


class History(ReadOnlyInline):
    model = StatusHistory
    fields = ("previous_status", "new_status", "reason", "changed_at", "changed_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StatusHistory]:
        return super().get_queryset(request).select_related("changed_by", "session__client")


WORDS = (
    "event_description",
    "special_notes",
    "reported_incidents",
    "photographer_observations",
    "editor_observations",
)


@admin.register(Session)
class SessionAdmin(StudioModelAdmin):
    list_display = ("code", "client", "event_description", "session_type", "status", "starts_at", "total")
    list_filter = ("status", "session_type", "room", ("deleted_at", admin.EmptyFieldListFilter))
    list_select_related = ("client",)
    search_fields = ("code", "event_description", "client__full_name", "client__email", "client__primary_phone")
    date_hierarchy = "starts_at"
    inlines = (Lines, Assignments, Payments, History)
    fieldsets = (
        (None, {"fields": ("code", "client", "session_type", "status", "starts_at", "ends_at", "location", "room")}),
        (_("words"), {"fields": WORDS}),
        (
            _("price"),
            {
                "fields": (
                    "subtotal",
                    "transportation_cost",
                    "discount",
                    "discount_reason",
                    "total",
                    "deposit_percentage",
                    "deposit_note",
                    "deposit_amount",
                    "price_is_open",
                    "commission_override",
                )
            },
        ),
        (
            _("deadlines and delivery"),
            {
                "fields": (
                    "held_until",
                    "hold_reason",
                    "payment_deadline",
                    "changes_deadline",
                    "kept_changes_deadline",
                    "assigned_editor",
                    "estimated_editing_days",
                    "estimated_delivery_date",
                )
            },
        ),
        (
            _("cancellation"),
            {
                "fields": (
                    "canceled_at",
                    "canceled_by_initiator",
                    "no_show",
                    "cancellation_reason",
                    "refund_reason",
                    "kept_amount",
                )
            },
        ),
        (
            _("record"),
            {"fields": ("created_at", "created_by", "updated_at", "updated_by", "deleted_at")},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Session | None = None) -> tuple[str, ...]:
        """Everything but the words: also a column that is added later."""
        return tuple(name for _title, options in self.fieldsets for name in options["fields"] if name not in WORDS)

    def view_on_site(self, session: Session) -> str:
        return session.get_absolute_url()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Session, form: ModelForm, change: bool) -> None:
        """Only the words are written, whatever was sent."""
        changed = [name for name in form.changed_data if name in WORDS]
        if not changed:
            return
        obj.updated_at, obj.updated_by = timezone.now(), request.user
        with audit.act():
            obj.save(update_fields=[*changed, "updated_at", "updated_by"])
            audit.record("admin_override", by=request.user, about=obj, act="admin", fields=changed, status=obj.status)


class OfSession(ReadOnlyAdmin):
    list_select_related = ("session__client",)

    def view_on_site(self, record: Any) -> str:
        return record.session.get_absolute_url()


@admin.register(SessionDetail)
class SessionDetailAdmin(OfSession):
    list_display = ("session", "item_code", "item_name", "quantity", "unit_price", "line_subtotal")
    list_filter = ("reference_type",)
    search_fields = ("session__code", "item_code", "item_name", "reference_name")
    fields = (
        "session",
        "item_code",
        "item_name",
        "item_description",
        "description_override",
        "reference_type",
        "reference_name",
        "quantity",
        "unit_price",
        "line_subtotal",
        "display_order",
        "added_by",
    )


@admin.register(StatusHistory)
class StatusHistoryAdmin(OfSession):
    list_display = ("changed_at", "session", "previous_status", "new_status", "changed_by", "reason")
    list_filter = ("new_status",)
    list_select_related = ("session__client", "changed_by")
    search_fields = ("session__code", "session__client__full_name", "reason", "changed_by__full_name")
    date_hierarchy = "changed_at"
    fields = ("session", "previous_status", "new_status", "reason", "changed_at", "changed_by")


@admin.register(QuoteVersion)
class QuoteVersionAdmin(OfSession):
    list_display = ("made_at", "session", "number", "total", "made_by")
    list_select_related = ("session__client", "made_by")
    search_fields = ("session__code", "session__client__full_name")
    date_hierarchy = "made_at"
    fields = ("session", "number", "total", "content", "made_at", "made_by")


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    """The text of a file that is not written yet is looked at on its own page."""

    list_display = ("uploaded_at", "file_name", "kind", "rows", "state", "uploaded_by")
    list_filter = ("kind", "state")
    list_select_related = ("uploaded_by",)
    search_fields = ("file_name", "uploaded_by__full_name")
    date_hierarchy = "uploaded_at"
    fields = (
        "kind",
        "file_name",
        "delimiter",
        "mapping",
        "state",
        "rows",
        "done",
        "report",
        "uploaded_at",
        "uploaded_by",
        "started_at",
        "beat_at",
        "finished_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Import]:
        return super().get_queryset(request).defer("text")

    def view_on_site(self, found: Import) -> str:
        return found.get_absolute_url()


@admin.register(CalendarFeed)
class CalendarFeedAdmin(ReadOnlyAdmin):
    """Revoked on the page of the feeds, which says what that does. Of the secret not even the hash is shown."""

    list_display = ("created_at", "owner", "room", "last_read_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "room")
    list_select_related = ("owner", "room")
    search_fields = ("owner__full_name", "owner__email", "room__name")
    date_hierarchy = "created_at"
    fields = ("owner", "room", "created_at", "last_read_at", "revoked_at")

    def view_on_site(self, feed: CalendarFeed) -> str:
        return reverse("feed-list")


@admin.register(SessionUserObjectPermission)
class GrantAdmin(ReadOnlyAdmin):
    """Who may see and do what on which session: the consequence of assignments, for looking things up."""

    list_display = ("user", "permission_name", "content_object")
    list_select_related = ("user", "permission", "content_object__client")
    search_fields = ("user__full_name", "user__email", "content_object__code")
    fields = ("user", "permission_name", "content_object")

    def view_on_site(self, grant: SessionUserObjectPermission) -> str:
        return grant.content_object.get_absolute_url()

    @admin.display(description=_("permission"), ordering="permission__codename")
    def permission_name(self, grant: SessionUserObjectPermission) -> str:
        return grant.permission.codename
