from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Payments")

    def ready(self) -> None:
        post_migrate.connect(_have_till_and_series, sender=self)


def _have_till_and_series(using: str, **_: Any) -> None:
    """The one row of each: what everybody locks has to be there."""
    from django.db import connections

    from payments.models import ReceiptSeries, Till

    tables = connections[using].introspection.table_names()
    for model in (Till, ReceiptSeries):
        if model._meta.db_table in tables:
            model.objects.using(using).get_or_create(pk=1)
