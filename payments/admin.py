"""The ledger in Django's admin: read only, because the ledger has one writer (D21)."""

from django.contrib import admin

from payments.models import Payment
from studio.admin import ReadOnlyAdmin


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = (
        "registered_at",
        "session",
        "payment_type",
        "amount",
        "payment_status",
        "payment_method",
        "document_number",
        "deleted_flag",
    )
    list_filter = ("payment_type", "payment_status", "payment_method", "deleted_flag")
    list_select_related = ("session__client",)
    search_fields = ("session__code", "session__client__full_name", "document_number")
    date_hierarchy = "payment_date"
    fields = (
        "session",
        "payment_type",
        "amount",
        "payment_status",
        "payment_method",
        "document_number",
        "payment_date",
        "notes",
        "registered_at",
        "registered_by",
        "verified_at",
        "verified_by",
        "deleted_flag",
        "deleted_at",
        "deleted_by",
        "deleted_reason",
    )

    def view_on_site(self, payment: Payment) -> str:
        return payment.session.get_absolute_url()
