from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SessionsConfig(AppConfig):
    name = "sessions_app"
    verbose_name = _("Sessions")

    def ready(self) -> None:
        from payments.models import Payment
        from sessions_app import jobs, mail, notices
        from studio import navigation, outbox
        from studio.jobs import register_reasons
        from studio.notices import register_reach

        register_reasons(jobs.REASONS)
        for kind in mail.STATES_OF:
            outbox.register(kind, still_true=mail.still_true, refresh=mail.refreshed, page=mail.page_of)
        for kind in ("confirmation_email", "cancellation_email"):
            outbox.register(kind, attach=mail.calendar_file)
        outbox.register_finder(mail.find)
        register_reach("sessions_app.session", notices.open_to)
        # What waits for somebody: payments to verify and refunds to pay out.
        navigation.register_badge(
            "payment-list", lambda user: Payment.objects.pending().filter(session__deleted_at__isnull=True)
        )
