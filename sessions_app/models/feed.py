"""Addresses under which a calendar program reads what takes place, without signing in."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class CalendarFeed(models.Model):
    """What its ``owner`` may see, at an address that nobody can guess: their own sessions, or those of one ``room``.

    Only a hash of the address's secret is kept: the address is shown once, and whoever reads the database or a copy of
    it cannot open it. A feed shows nothing any more once it is revoked, or its owner may not see that themselves.
    """

    token_hash = models.CharField(_("hash of the secret"), max_length=64, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="feeds", verbose_name=_("owner")
    )
    room = models.ForeignKey(
        "scheduling.Room",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="feeds",
        verbose_name=_("room"),
    )
    created_at = models.DateTimeField(_("created"))
    last_read_at = models.DateTimeField(_("last read"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("calendar feed")
        verbose_name_plural = _("calendar feeds")
        default_permissions = ()
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.room or self.owner)
