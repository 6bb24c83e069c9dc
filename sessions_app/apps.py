from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SessionsConfig(AppConfig):
    name = "sessions_app"
    verbose_name = _("Sessions")

    def ready(self) -> None:
        from sessions_app import mail
        from studio import outbox

        for kind in mail.STATES_OF:
            outbox.register(kind, still_true=mail.still_true)
