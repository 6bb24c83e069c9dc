"""A file of clients or appointments on its way into the books: its text, its columns, and what came of it."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ImportKind(models.TextChoices):
    CLIENTS = "Clients", _("Clients")
    APPOINTMENTS = "Appointments", _("Appointments")


class ImportState(models.TextChoices):
    UPLOADED = "Uploaded", pgettext_lazy("import", "uploaded")
    CHECKING = "Checking", pgettext_lazy("import", "being tried out")
    CHECKED = "Checked", pgettext_lazy("import", "tried out")
    RUNNING = "Running", pgettext_lazy("import", "being written")
    DONE = "Done", pgettext_lazy("import", "written")


UNDER_WAY = (ImportState.CHECKING, ImportState.RUNNING)


class Import(models.Model):
    """Kept here between its steps, so that any web process and the worker find it. Its text goes once it is written.

    ``mapping`` gives the number of the file's column by the name of ours. ``done`` of ``rows`` tells how far the work
    has come; ``beat_at`` when it was last heard of.
    """

    kind = models.CharField(_("what it holds"), max_length=15, choices=ImportKind)
    file_name = models.CharField(_("file"), max_length=200)
    text = models.TextField(_("text"), blank=True)
    delimiter = models.CharField(_("delimiter"), max_length=1)
    mapping = models.JSONField(_("columns"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=ImportState, default=ImportState.UPLOADED)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    done = models.PositiveIntegerField(_("rows done"), default=0)
    report = models.JSONField(_("report"), default=dict, blank=True)
    uploaded_at = models.DateTimeField(_("uploaded"))
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    beat_at = models.DateTimeField(_("last heard of"), null=True, blank=True)
    finished_at = models.DateTimeField(_("written"), null=True, blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        default_permissions = ()
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=ImportKind.values), name="import_kind_known"),
            models.CheckConstraint(condition=Q(state__in=ImportState.values), name="import_state_known"),
            models.CheckConstraint(condition=Q(done__lte=F("rows")), name="import_done_within_its_rows"),
            models.CheckConstraint(
                condition=Q(state=ImportState.DONE, finished_at__isnull=False, text="")
                | ~Q(state=ImportState.DONE) & Q(finished_at__isnull=True),
                name="import_text_goes_when_written",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    def get_absolute_url(self) -> str:
        return reverse("import-check", args=[self.pk])

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def is_clean(self) -> bool:
        """It was tried out, and nothing was wrong: it may be written."""
        return self.state == ImportState.CHECKED and not self.report.get("errors") and "broke" not in self.report
