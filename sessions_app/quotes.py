"""What a client is offered, kept each time it is given, and what changed from one time to the next (D13, D32).

``content`` is what a version holds: text and numbers only, amounts as text with two places. ``changes`` is pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from payments import money
from sessions_app import workflow
from sessions_app.models.detail import SessionDetail
from sessions_app.models.quote import QuoteVersion
from studio.templatetags.atelier import moment
from studio.templatetags.atelier import money as written

if TYPE_CHECKING:
    from sessions_app.models import Session
    from studio.models import User

Content = Mapping[str, Any]


def content_of(session: "Session", lines: Iterable[SessionDetail]) -> dict[str, Any]:
    """What the client is offered as things stand. While it is negotiated, the deposit is what would be asked for now,
    whatever was fixed before it was reopened."""
    deposit = session.deposit_amount
    if deposit is None or session.status in (workflow.REQUEST, workflow.NEGOTIATION):
        deposit = money.deposit_amount(session.total, session.deposit_percentage)
    return {
        "lines": [
            {
                "line": line.pk,
                "code": line.item_code,
                "name": line.item_name,
                "package": line.reference_name,
                "description": line.description,
                "quantity": line.quantity,
                "unit_price": str(line.unit_price),
                "amount": str(line.line_subtotal),
            }
            for line in lines
        ],
        "subtotal": str(session.subtotal),
        "transportation": str(session.transportation_cost),
        "discount": str(session.discount),
        "discount_reason": session.discount_reason,
        "total": str(session.total),
        "deposit_percentage": session.deposit_percentage,
        "deposit": str(deposit),
        "starts_at": session.starts_at.isoformat(),
        "ends_at": session.ends_at.isoformat(),
        "place": session.location,
    }


def lines_of(session: "Session") -> list[SessionDetail]:
    """Its lines from the database, never from an earlier look."""
    return list(SessionDetail.objects.filter(session=session).order_by("display_order", "pk"))


def keep(session: "Session", *, by: "User | None", now: datetime) -> QuoteVersion | None:
    """Write what is offered as the next version; None when it is what was given last. Wants the session's lock."""
    content = content_of(session, lines_of(session))
    last = QuoteVersion.objects.filter(session=session).order_by("-number").first()
    if last is not None and is_same(last.content, content):
        return None
    return QuoteVersion.objects.create(
        session=session,
        number=last.number + 1 if last else 1,
        content=content,
        total=session.total,
        made_at=now,
        made_by=by,
    )


# --- Pure -----------------------------------------------------------------------------------


def is_same(before: Content, after: Content) -> bool:
    """Whether the client would read the same. A line that was taken out and sold again is the same line."""
    return _as_read(before) == _as_read(after)


def _as_read(content: Content) -> dict[str, Any]:
    lines = [{key: value for key, value in line.items() if key != "line"} for line in content["lines"]]
    moments = {key: datetime.fromisoformat(content[key]) for key in ("starts_at", "ends_at")}
    return {**content, **moments, "lines": lines}


def changes(before: Content, after: Content) -> list[str]:
    """What changed, a sentence each: the lines first, then the price, then the day. Empty when nothing did."""
    pairs, gone, new = _paired(before["lines"], after["lines"])
    said = [_("Taken out: %(quantity)d × %(name)s.") % line for line in gone]
    said += [_("Added: %(quantity)d × %(name)s for %(price)s.") % _line(line) for line in new]
    for old, line in pairs:
        said += _line_changes(old, line)
    order = [old["line"] for old, _line_now in sorted(pairs, key=lambda pair: before["lines"].index(pair[0]))]
    if order != [old["line"] for old, _line_now in sorted(pairs, key=lambda pair: after["lines"].index(pair[1]))]:
        said.append(_("The lines are in another order."))
    return said + _price_changes(before, after) + _place_changes(before, after)


def _paired(before: list[Content], after: list[Content]) -> tuple[list[tuple[Content, Content]], list, list]:
    """Each line with the one it was: the same row, else one of the same article that is left over."""
    left = list(before)
    pairs: list[tuple[Content, Content]] = []
    rest = []
    for line in after:
        same = next((old for old in left if old["line"] == line["line"]), None)
        if same is None:
            rest.append(line)
        else:
            left.remove(same)
            pairs.append((same, line))
    new = []
    for line in rest:
        alike = next((old for old in left if _article(old) == _article(line)), None)
        if alike is None:
            new.append(line)
        else:
            left.remove(alike)
            pairs.append((alike, line))
    return pairs, left, new


def _article(line: Content) -> tuple[str, str, str]:
    return line["code"], line["name"], line["package"]


def _line(line: Content) -> dict[str, Any]:
    return {"quantity": line["quantity"], "name": line["name"], "price": written(line["unit_price"])}


def _line_changes(old: Content, line: Content) -> list[str]:
    said = []
    if old["quantity"] != line["quantity"]:
        said.append(
            _("%(name)s: %(now)d instead of %(before)d.")
            % {"name": line["name"], "now": line["quantity"], "before": old["quantity"]}
        )
    if Decimal(old["unit_price"]) != Decimal(line["unit_price"]):
        said.append(
            _("%(name)s: %(now)s each instead of %(before)s.")
            % {"name": line["name"], "now": written(line["unit_price"]), "before": written(old["unit_price"])}
        )
    if old["description"] != line["description"]:
        said.append(_("%(name)s: another description.") % {"name": line["name"]})
    return said


def _price_changes(before: Content, after: Content) -> list[str]:
    said = []
    sentences = {
        "transportation": _("Transportation: %(now)s instead of %(before)s."),
        "discount": _("Discount: %(now)s instead of %(before)s."),
        "total": _("Total: %(now)s instead of %(before)s."),
        "deposit": _("Deposit: %(now)s instead of %(before)s."),
    }
    for name, sentence in sentences.items():
        if Decimal(before[name]) != Decimal(after[name]):
            said.append(sentence % {"now": written(after[name]), "before": written(before[name])})
    if before["discount_reason"] != after["discount_reason"] and Decimal(after["discount"]):
        said.append(_("Reason of the discount: %(reason)s.") % {"reason": after["discount_reason"]})
    if before["deposit_percentage"] != after["deposit_percentage"]:
        said.append(
            _("The deposit is %(now)d %% instead of %(before)d %%.")
            % {"now": after["deposit_percentage"], "before": before["deposit_percentage"]}
        )
    return said


def _place_changes(before: Content, after: Content) -> list[str]:
    said = []
    was, now = _as_read(before), _as_read(after)
    if was["starts_at"] != now["starts_at"]:
        said.append(
            _("Starts %(now)s instead of %(before)s.")
            % {"now": moment(now["starts_at"]), "before": moment(was["starts_at"])}
        )
    if was["ends_at"] != now["ends_at"]:
        said.append(
            _("Ends %(now)s instead of %(before)s.") % {"now": moment(now["ends_at"]), "before": moment(was["ends_at"])}
        )
    if before["place"] != after["place"]:
        said.append(_("Place: %(place)s.") % {"place": after["place"] or _("at the studio")})
    return said


@dataclass(frozen=True, slots=True)
class Given:
    """A version with what changed against the one before."""

    version: QuoteVersion
    changes: list[str]


def history(versions: list[QuoteVersion]) -> list[Given]:
    """The newest first. ``versions`` in their order."""
    given = []
    for at, version in enumerate(versions):
        before = versions[at - 1] if at else None
        given.append(Given(version, changes(before.content, version.content) if before else []))
    return given[::-1]
