"""A quote on paper: of a version, or as things stand."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payments.refunds import Percentages
from sessions_app.cancellation import terms_of
from sessions_app.quotes import Content
from studio.conf import STUDIO
from studio.pdf import Document, full_day
from studio.templatetags.atelier import clock, figures, money

if TYPE_CHECKING:
    from sessions_app.models import Session


def of_quote(session: "Session", content: Content, *, made_at: datetime, number: int | None = None) -> bytes:
    """The PDF in the client's language, whoever reads it. ``number`` is the version's, None for the present state.

    Asks the database for nothing: the session comes with its client.
    """
    language = session.client.language or STUDIO.language
    with translation.override(language):
        reference = session.code
        if number is not None:
            reference = _("%(code)s, version %(number)d") % {"code": session.code, "number": number}
        document = Document(_("Quote"), language, made_at=made_at, reference=reference)
        document.facts(_facts(session, content))
        document.heading(_("What is offered"))
        document.table(
            [_("What"), _("Quantity"), _("Price"), _("Amount")],
            [
                (
                    (line["name"], line["description"]),
                    str(line["quantity"]),
                    figures(line["unit_price"]),
                    figures(line["amount"]),
                )
                for line in content["lines"]
            ],
            align="lrrr",
            totals=_totals(content),
        )
        document.heading(_("Deposit"))
        document.paragraph(_deposit(session, content))
        document.heading(_("If it is canceled"))
        for sentence in refund_terms(terms_of(session)):
            document.paragraph(sentence)
        document.paragraph(
            _("A newer quote takes the place of this one. Amounts are in %(currency)s.")
            % {"currency": STUDIO.currency},
            muted=True,
        )
        return document.build()


def filename_of(session: "Session", number: int | None = None) -> str:
    return f"quote-{session.code}.pdf" if number is None else f"quote-{session.code}-v{number}.pdf"


def _facts(session: "Session", content: Content) -> list[tuple[str, str]]:
    starts_at = datetime.fromisoformat(content["starts_at"])
    ends_at = datetime.fromisoformat(content["ends_at"])
    return [
        (_("Client"), session.client.full_name),
        (_("For"), session.event_description),
        (_("Date"), full_day(starts_at)),
        (_("Hours"), f"{clock(starts_at)}–{clock(ends_at)}"),
        (_("Place"), content["place"] or _("At the studio")),
    ]


def _totals(content: Content) -> list[tuple[Any, str]]:
    rows: list[tuple[Any, str]] = [(_("Subtotal"), money(content["subtotal"]))]
    if Decimal(content["transportation"]):
        rows.append((_("Transportation"), money(content["transportation"])))
    if Decimal(content["discount"]):
        rows.append(((_("Discount"), content["discount_reason"]), money(f"-{content['discount']}")))
    return [*rows, (_("Total"), money(content["total"]))]


def _deposit(session: "Session", content: Content) -> str:
    values = {"deposit": money(content["deposit"]), "percentage": content["deposit_percentage"]}
    deadline = session.payment_deadline
    if deadline is not None:
        return _("%(deposit)s (%(percentage)d %% of the total) until %(day)s at %(time)s.") % {
            **values,
            "day": full_day(deadline),
            "time": clock(deadline),
        }
    days = STUDIO.payment_deadline_days
    return ngettext(
        "%(deposit)s (%(percentage)d %% of the total) within %(days)d day of acceptance.",
        "%(deposit)s (%(percentage)d %% of the total) within %(days)d days of acceptance.",
        days,
    ) % {**values, "days": days}


def refund_terms(terms: Percentages) -> list[str]:
    """What comes back, in words (business rules 4)."""
    days = STUDIO.changes_deadline_days
    return [
        ngettext(
            "If you cancel up to %(days)d day before the session, %(share)d %% of what you paid is given back.",
            "If you cancel up to %(days)d days before the session, %(share)d %% of what you paid is given back.",
            days,
        )
        % {"days": days, "share": terms.within_deadline},
        _("If you cancel later, %(share)d %% is given back; once photographers are assigned, %(assigned)d %%.")
        % {"share": terms.after_deadline, "assigned": terms.client_after_assigned},
        _("If the studio cannot do it, or in case of force majeure, %(share)d %% is given back.")
        % {"share": terms.force_majeure},
    ]
