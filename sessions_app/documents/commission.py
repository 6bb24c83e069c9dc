"""A statement of commission on paper, for the person whom it pays (ADR 12)."""

from decimal import Decimal

from django.utils import translation
from django.utils.translation import gettext as _

from payments.models import CommissionStatement, PaymentMethod
from payments.money import ZERO
from sessions_app.commissions import Figure, figures_of, with_origins
from studio.conf import STUDIO
from studio.pdf import Document, full_day
from studio.templatetags.atelier import figures, money


def number_of(statement: CommissionStatement) -> str:
    """What people call it: ``C-000012``."""
    return f"C-{statement.pk:06d}"


def gone_from(statement: CommissionStatement, lines: list[Figure]) -> Decimal:
    """What was paid for sessions that were deleted since, with their lines (D30); the statement stands all the same."""
    return statement.total - sum((each.line.amount for each in lines), ZERO)


def of_statement(statement: CommissionStatement) -> bytes:
    """The PDF in the language of the person paid, with what that person may see, whoever prints it.

    Wants ``person`` and ``paid_by`` at hand. The same statement gives the same bytes.
    """
    person = statement.person
    language = person.language or STUDIO.language
    lines = statement.lines.order_by("earned_on", "pk")
    with translation.override(language):
        return _written(statement, figures_of(with_origins(lines), person), language).build()


def _written(statement: CommissionStatement, lines: list[Figure], language: str) -> Document:
    document = Document(
        _("Statement of commission"), language, made_at=statement.paid_at, reference=number_of(statement)
    )
    document.facts(
        [
            (_("Paid to"), statement.person.full_name),
            (_("Earned from"), full_day(statement.first_day)),
            (_("Earned until"), full_day(statement.last_day)),
            (_("Paid"), full_day(statement.paid_at)),
            (_("Method"), str(PaymentMethod(statement.payment_method).label)),
            (_("Document number"), statement.document_number),
            (_("Paid by"), statement.paid_by.full_name),
            (_("Notes"), statement.notes),
        ]
    )
    with_price = any(line.shows_price for line in lines)
    gone = gone_from(statement, lines)
    columns = [_("Day"), _("What"), *([_("Base"), _("Rate")] if with_price else []), _("Amount")]
    document.table(
        columns,
        [
            (
                each.line.earned_on.isoformat(),
                (_what(each), each.reason or each.origin),
                *((figures(each.base), each.percent) if with_price else ()),
                figures(each.line.amount),
            )
            for each in lines
        ],
        align="ll" + ("rr" if with_price else "") + "r",
        totals=[
            *([(_("For sessions that were deleted since"), money(gone))] if gone else []),
            (_("Total"), money(statement.total)),
        ],
    )
    return document


def _what(each: Figure) -> str:
    words = " · ".join(filter(None, (each.session.code, each.title)))
    return _("Correction of %(session)s") % {"session": words} if each.is_correction else words
