"""A receipt on paper, from the facts that were kept when it was given (ADR 11)."""

from datetime import date
from decimal import Decimal

from django.utils import translation
from django.utils.translation import gettext as _

from payments.models import PaymentMethod, PaymentType, Receipt
from sessions_app import sentences
from studio.conf import STUDIO
from studio.pdf import Document, full_day
from studio.templatetags.atelier import clock


def of_receipt(receipt: Receipt) -> bytes:
    """The PDF, in the client's language. The same receipt gives the same bytes until its payment is voided.

    Wants ``payment`` and ``issued_by`` at hand; asks the database for nothing.
    """
    facts = receipt.facts
    language = facts.get("language") or STUDIO.language
    payment = receipt.payment
    is_void = payment is not None and payment.deleted_flag
    is_refund = facts["payment_type"] == PaymentType.REFUND
    with translation.override(language):
        title = _("Payment to the client") if is_refund else _("Receipt")
        document = Document(
            _("VOID: %(title)s") % {"title": title} if is_void else title,
            language,
            made_at=payment.deleted_at if is_void else receipt.issued_at,
            reference=str(receipt),
        )
        if is_void:
            document.heading(_("VOID"))
            document.paragraph(
                _("Voided on %(day)s at %(time)s: %(reason)s")
                % {
                    "day": full_day(payment.deleted_at),
                    "time": clock(payment.deleted_at),
                    "reason": payment.deleted_reason,
                },
                strong=True,
            )
            document.paragraph(_("This receipt is no proof of payment. Its number is not given again."), muted=True)
        amount = sentences.money(Decimal(facts["amount"]))
        document.heading(_("Paid to the client: %(amount)s") % {"amount": amount} if is_refund else amount)
        document.facts(
            [
                (_("Paid to") if is_refund else _("Received from"), facts["client_name"]),
                (_("For"), f"{facts['session_code']} · {facts['session_title']}"),
                (_("As"), str(PaymentType(facts["payment_type"]).label)),
                (_("Method"), str(PaymentMethod(facts["payment_method"]).label)),
                (_("Document number"), facts["document_number"]),
                (_("Date"), full_day(date.fromisoformat(facts["payment_date"]))),
                (_("Issued by"), receipt.issued_by.full_name if receipt.issued_by else ""),
            ]
        )
        return document.build()
