"""The ledger in Django's admin: read only, because the ledger has one writer (D21)."""

from django.contrib import admin
from django.urls import reverse

from payments.models import (
    CashClosing,
    CommissionLine,
    CommissionStatement,
    Payment,
    Receipt,
    ReceiptSeries,
    Till,
)
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


@admin.register(Till)
class TillAdmin(ReadOnlyAdmin):
    list_display = ("id", "closed_through")


@admin.register(CashClosing)
class CashClosingAdmin(ReadOnlyAdmin):
    list_display = ("day", "first_day", "closed_by", "closed_at")
    list_select_related = ("closed_by",)
    date_hierarchy = "day"
    fields = ("first_day", "day", "expected", "counted", "notes", "closed_by", "closed_at")

    def view_on_site(self, closing: CashClosing) -> str:
        return f"{reverse('till')}?day={closing.day.isoformat()}"


@admin.register(ReceiptSeries)
class ReceiptSeriesAdmin(ReadOnlyAdmin):
    list_display = ("id", "last_number")


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "payment", "issued_at", "issued_by")
    list_select_related = ("payment", "issued_by")
    search_fields = ("number", "facts__client_name", "facts__session_code")
    date_hierarchy = "issued_at"
    fields = ("number", "payment", "facts", "issued_at", "issued_by")

    def view_on_site(self, receipt: Receipt) -> str:
        return reverse("receipt-pdf", args=[receipt.number])


@admin.register(CommissionLine)
class CommissionLineAdmin(ReadOnlyAdmin):
    list_display = ("earned_on", "person", "session", "kind", "base", "rate", "amount", "statement")
    list_filter = ("kind", "rate_source")
    list_select_related = ("person", "session__client", "statement__person")
    search_fields = ("person__full_name", "session__code")
    date_hierarchy = "earned_on"


@admin.register(CommissionStatement)
class CommissionStatementAdmin(ReadOnlyAdmin):
    list_display = ("person", "first_day", "last_day", "total", "paid_at", "paid_by")
    list_select_related = ("person", "paid_by")
    search_fields = ("person__full_name", "document_number")
