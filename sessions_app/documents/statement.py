"""A client's statement on paper."""

from datetime import date, datetime

from django.utils import translation
from django.utils.translation import gettext as _

from sessions_app.models import Client
from sessions_app.statements import Statement, statement
from studio.conf import STUDIO
from studio.pdf import Document, full_day
from studio.templatetags.atelier import figures, money


def of_client(client: Client, *, first_day: date | None, last_day: date | None, now: datetime) -> bytes:
    """The PDF of the statement, in the client's language."""
    language = client.language or STUDIO.language
    with translation.override(language):
        return _written(statement(client, first_day=first_day, last_day=last_day), language, now).build()


def _written(account: Statement, language: str, now: datetime) -> Document:
    document = Document(_("Statement"), language, made_at=now, reference=account.client.full_name)
    document.facts(
        [
            (_("Client"), account.client.full_name),
            (_("From"), full_day(account.first_day) if account.first_day else ""),
            (_("Until"), full_day(account.last_day) if account.last_day else ""),
        ]
    )
    document.heading(_("Sessions, as they stand today"))
    document.table(
        [_("Session"), _("To pay"), _("Paid"), _("Paid back"), _("Balance")],
        [
            (
                (line.session.title, f"{line.session.code} · {line.session.get_status_display()}"),
                figures(line.charged),
                figures(line.account.total_paid),
                figures(line.account.total_refunded),
                figures(line.balance),
            )
            for line in account.sessions
        ],
        align="lrrrr",
        totals=[
            *([(_("Owed to the client"), money(account.refund_owed))] if account.refund_owed else []),
            *([(_("Waiting to be verified"), money(account.pending))] if account.pending else []),
            (_("Balance"), money(account.balance)),
        ],
    )
    document.heading(_("Movements"))
    document.table(
        [_("Date"), _("What"), _("To pay"), _("Paid"), _("Balance")],
        [
            (
                each.day.isoformat(),
                (each.text, " · ".join(filter(None, (each.session.code, each.document)))),
                figures(each.charge) if each.charge else "",
                figures(each.paid) if each.paid else "",
                figures(each.balance),
            )
            for each in account.movements
        ],
        align="llrrr",
        totals=[(_("Balance before"), money(account.opening)), (_("Balance after"), money(account.closing))],
    )
    document.paragraph(
        _("Above zero the client has still to pay; below zero it is the client's. Prices are those of today."),
        muted=True,
    )
    return document
