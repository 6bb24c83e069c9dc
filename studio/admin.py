"""The leaf's records in Django's admin, and the bases for those of the other packages.

Rules are not bypassed here: what has an action with rules (roles, status, payments) is read only.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from studio import jobs, mail_faults, outbox
from studio.health import words
from studio.models import AuditEvent, JobRun, Notice, OutgoingEmail, User
from studio.roles import Role, is_admin


class StudioModelAdmin(admin.ModelAdmin):
    """May what the Admin role may: everything, and nobody else anything. Not by Django's own
    permissions.
    """

    list_per_page = 50
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_admin(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_admin(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_admin(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_admin(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_admin(request.user)


class ReadOnlyAdmin(StudioModelAdmin):
    """Looked at, searched, never changed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class _InlinePermissions:
    """For inlines: the same question as StudioModelAdmin's."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_admin(request.user)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_admin(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_admin(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_admin(request.user)


class StudioInline(_InlinePermissions, admin.TabularInline):
    """Rows of another table on the page of the one they belong to."""

    extra = 0


class ReadOnlyInline(StudioInline):
    """The same, only to be looked at."""

    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def pretty(value: Any) -> SafeString:
    """JSON as a person can read it."""
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True))


@admin.register(User)
class UserAdmin(StudioModelAdmin):
    """People. Roles, the e-mail and whether somebody may sign in are changed on the staff page,
    which audits them.
    """

    list_display = ("full_name", "email", "phone", "roles_held", "is_active", "last_login")
    list_filter = ("is_active", "groups")
    search_fields = ("full_name", "email", "phone")
    fields = (
        "full_name",
        "email",
        "phone",
        "commission_rate",
        "language",
        "roles_held",
        "is_active",
        "is_superuser",
        "last_login",
        "date_joined",
        "staff_page",
    )
    readonly_fields = (
        "email",
        "roles_held",
        "is_active",
        "is_superuser",
        "last_login",
        "date_joined",
        "staff_page",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description=_("roles"))
    def roles_held(self, person: User) -> str:
        names = {group.name for group in person.groups.all()}
        return ", ".join(str(role.label) for role in Role if role.value in names) or "-"

    @admin.display(description=_("account"))
    def staff_page(self, person: User) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("staff-edit", kwargs={"pk": person.pk}),
            _("Change roles, e-mail or sign-in"),
        )


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "event", "actor_name", "object_type", "object_label")
    list_filter = ("event", "object_type")
    search_fields = ("actor_name", "object_label", "object_id")
    date_hierarchy = "at"
    fields = (
        "at",
        "event",
        "actor_name",
        "actor_id",
        "object_type",
        "object_id",
        "object_label",
        "details_read",
    )

    @admin.display(description=_("details"))
    def details_read(self, event: AuditEvent) -> SafeString:
        return pretty(event.details)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "recipient", "kind", "said", "read_at")
    list_filter = ("kind",)
    search_fields = ("recipient__full_name", "recipient__email", "key")
    list_select_related = ("recipient",)
    fields = ("recipient", "kind", "said", "url", "key", "created_at", "read_at")

    @admin.display(description=_("text"))
    def said(self, notice: Notice) -> str:
        return notice.text


@admin.register(OutgoingEmail)
class OutgoingEmailAdmin(ReadOnlyAdmin):
    """The outbox as records. What was given up or dropped can be sent again; the page of an e-mail shows it."""

    list_display = ("created_at", "kind", "to", "status", "attempts", "sent_at", "error_read")
    list_filter = ("status", "kind")
    search_fields = ("to__istartswith", "key__startswith")
    date_hierarchy = "created_at"
    actions = ("resend",)
    fields = (
        "kind",
        "to",
        "language",
        "status",
        "attempts",
        "next_try_at",
        "claimed_at",
        "sent_at",
        "error_read",
        "about_type",
        "about_id",
        "key",
        "created_at",
        "page",
        "tries_read",
        "facts_read",
    )

    @admin.display(description=_("last error"))
    def error_read(self, row: OutgoingEmail) -> str:
        return mail_faults.in_words(row.last_error) or "-"

    @admin.display(description=_("as it reads"))
    def page(self, row: OutgoingEmail) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("outbox-page", args=[row.pk]), _("Open the e-mail"))

    @admin.display(description=_("tries"))
    def tries_read(self, row: OutgoingEmail) -> SafeString:
        return pretty(row.tries)

    @admin.display(description=_("facts"))
    def facts_read(self, row: OutgoingEmail) -> SafeString:
        return pretty(row.context)

    @admin.action(description=_("Send again (given up or dropped)"), permissions=["view"])
    def resend(self, request: HttpRequest, rows: QuerySet[OutgoingEmail]) -> None:
        count = outbox.send_again(rows, by=request.user, now=timezone.now())
        if count:
            self.message_user(
                request,
                ngettext(
                    "%(count)d e-mail will be sent again.",
                    "%(count)d e-mails will be sent again.",
                    count,
                )
                % {"count": count},
                messages.SUCCESS,
            )
        else:
            self.message_user(
                request,
                _("None of these was given up or dropped: nothing is sent again."),
                messages.WARNING,
            )


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """The jobs' log. Whether all is well is on the page Health, with the same reports in words."""

    list_display = ("label", "local_date", "started_at", "took", "by_hand", "done", "skipped", "failed", "outcome")
    list_filter = ("job", "by_hand")
    date_hierarchy = "due_at"
    fields = (
        "label",
        "job",
        "local_date",
        "by_hand",
        "due_at",
        "queued_at",
        "started_at",
        "finished_at",
        "took",
        "attempts",
        "done",
        "skipped",
        "failed",
        "outcome",
        "report_read",
    )

    @admin.display(description=_("job"), ordering="job")
    def label(self, run: JobRun) -> str:
        return jobs.label(run.job)

    @admin.display(description=_("took"))
    def took(self, run: JobRun) -> str:
        return words.took(run.took) or "-"

    @admin.display(description=_("outcome"))
    def outcome(self, run: JobRun) -> str:
        """How it ended, in a word or with the error that ended it."""
        error = run.report.get("error") if isinstance(run.report, dict) else None
        if error:
            return str(error)
        if run.finished_at is None:
            return gettext("not ended")
        return gettext("ended")

    @admin.display(description=_("report"))
    def report_read(self, run: JobRun) -> SafeString:
        return pretty(run.report)
