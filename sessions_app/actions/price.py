"""Lines and price: the one writer of lines and totals (business rules 5.2, 6; D22, D23, D32).

``foresee`` tells what they would come to. It goes through the functions through which the writers go, on rows that are
never saved, so that what is shown before and what is written cannot differ.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Max
from django.utils.translation import gettext as _

from catalog.explode import Line, package_discount
from catalog.models import Item, Package
from payments import ledger, money
from sessions_app import sentences, workflow
from sessions_app.actions.reach import locked_for, require_editable, require_reach, touch
from sessions_app.clients import record_of
from sessions_app.deadlines import estimated_delivery_date
from sessions_app.models import ReferenceType, Session, SessionDetail
from studio import audit
from studio.conf import STUDIO
from studio.errors import ImmutableSession, InvalidInput
from studio.roles import Perm, is_admin

if TYPE_CHECKING:
    from studio.models import User

LARGEST_TOTAL = Decimal("9999999999.99")
LARGEST_QUANTITY = 100_000
# From here on the days are the editor's, or nobody's any more (business rules 10.3).
EDITING_IS_PROMISED = frozenset({workflow.IN_EDITING, workflow.READY, *workflow.FINAL})


@dataclass(frozen=True, slots=True)
class LineChange:
    """Another quantity or another description of one line; None stays as it is."""

    line_id: int
    quantity: int | None = None
    description_override: str | None = None


def add_package(
    session: Session, *, package: Package, by: "User", now: datetime, times: int = 1, take_discount: bool = False
) -> list[SessionDetail]:
    """Sell a package: one line for each of its items, at today's prices (business rules 6.1).

    ``take_discount`` adds what the package price saves to the discount (D22). Raises ``InvalidInput`` for a package
    that is inactive, empty or made for another type of session; ``ImmutableSession`` by state.
    """
    with audit.act():
        session = _open(session, by=by, now=now, what="add_package")
        lines = _sell_package(session, package, times, take_discount)
        written = _write(session, lines, package.name, by)
        _reprice(session, by=by, now=now)
    return written


def add_item(session: Session, *, item: Item, quantity: int, by: "User", now: datetime) -> SessionDetail:
    """Sell one item on its own (business rules 6.2). Raises ``InvalidInput``, ``ImmutableSession``."""
    with audit.act():
        session = _open(session, by=by, now=now, what="add_item")
        line = _write(session, [_sell_item(item, quantity)], "", by)[0]
        _reprice(session, by=by, now=now)
    return line


def change_line(
    session: Session,
    *,
    line_id: int,
    by: "User",
    now: datetime,
    quantity: int | None = None,
    description_override: str | None = None,
) -> SessionDetail:
    """Another quantity, another description for this session; the price at the time of sale stays."""
    with audit.act():
        session = _open(session, by=by, now=now, what="change_line")
        lines = list(session.lines.all())
        line = _change_lines(lines, [LineChange(line_id, quantity, description_override)])[0]
        line.save(update_fields=["quantity", "line_subtotal", "description_override"])
        _reprice(session, by=by, now=now)
    return line


def move_line(session: Session, *, line_id: int, by: "User", now: datetime, up: bool) -> SessionDetail:
    """One place up or down among the lines of the same package, or among the items sold on their own.

    The first one stays when it should go up, the last one when it should go down.
    """
    with audit.act():
        session = _open(session, by=by, now=now, what="move_line")
        moving = _line(session, line_id)
        lines = list(session.lines.order_by("display_order", "pk"))
        near = [line for line in lines if _sold_with(line) == _sold_with(moving)]
        at = near.index(moving)
        target = at - 1 if up else at + 1
        if 0 <= target < len(near):
            here, there = lines.index(moving), lines.index(near[target])
            lines[here], lines[there] = lines[there], lines[here]
            for position, line in enumerate(lines, start=1):
                line.display_order = position
            SessionDetail.objects.bulk_update(lines, ["display_order"])
            touch(session, by=by, now=now)
    return moving


def _sold_with(line: SessionDetail) -> int | None:
    return line.reference_id if line.reference_type == ReferenceType.PACKAGE else None


def remove_line(session: Session, *, line_id: int, by: "User", now: datetime) -> None:
    with audit.act():
        session = _open(session, by=by, now=now, what="remove_line")
        _line(session, line_id).delete()
        _leave_open_without_lines(session)
        _reprice(session, by=by, now=now)


def remove_package(
    session: Session, *, package_id: int, by: "User", now: datetime, drop_discount: bool = False
) -> None:
    """Take every line of a package out again; with ``drop_discount`` the session's discount goes too."""
    with audit.act():
        session = _open(session, by=by, now=now, what="remove_package")
        lines = session.lines.filter(reference_type=ReferenceType.PACKAGE, reference_id=package_id)
        if not lines.exists():
            raise InvalidInput(_("This package is not in the session."), field="package")
        lines.delete()
        if drop_discount:
            session.discount, session.discount_reason = money.ZERO, ""
        _leave_open_without_lines(session)
        _reprice(session, by=by, now=now)


def set_price(
    session: Session,
    *,
    by: "User",
    now: datetime,
    transportation_cost: Decimal | None = None,
    discount: Decimal | None = None,
    discount_reason: str | None = None,
    deposit_percentage: int | None = None,
    deposit_note: str | None = None,
    lines: Iterable[LineChange] = (),
) -> Session:
    """Transportation (external sessions only, D23), discount with its reason, deposit percentage (D24), and changed
    lines, in one act. What is None stays as it is. Asking a high-risk client for less than the whole is audited.

    The deposit amount itself is fixed when the session becomes Pre-scheduled (D32). Raises ``InvalidInput`` beside the
    field, ``ImmutableSession``.
    """
    with audit.act():
        session = _open(session, by=by, now=now, what="set_price")
        changed = _change_lines(list(session.lines.all()), lines)
        if changed:
            SessionDetail.objects.bulk_update(changed, ["quantity", "line_subtotal", "description_override"])
        before = session.deposit_percentage, session.deposit_note
        _take_price(
            session,
            transportation_cost=transportation_cost,
            discount=discount,
            discount_reason=discount_reason,
            deposit_percentage=deposit_percentage,
            deposit_note=deposit_note,
        )
        _reprice(session, by=by, now=now)
        trusted = (session.deposit_percentage, session.deposit_note)
        if session.deposit_percentage < 100 and trusted != before and record_of(session.client).is_high_risk:
            percentage, note = trusted
            audit.record("deposit_lowered", by=by, about=session, percentage=percentage, note=note)
    return session


def foresee(
    session: Session,
    *,
    by: "User",
    now: datetime,
    package: Package | None = None,
    times: int = 1,
    take_discount: bool = False,
    item: Item | None = None,
    quantity: int = 1,
    lines: Iterable[LineChange] = (),
    **values: Any,
) -> Session:
    """The session as it would be after selling the package and the item and then ``set_price`` with ``lines`` and
    ``values``: an instance for reading, nothing is locked or written.

    Raises what those acts would raise.
    """
    session = Session.objects.select_related("client", "room").get(pk=session.pk)
    require_reach(session, by=by, perm=Perm.SESSION_EDIT_PRE_ASSIGNED)
    blocker = workflow.edit_blocker(session.status, session.changes_deadline, now)
    if blocker is not None and not is_admin(by):
        raise sentences.error_of(blocker, session=session.code, current=session.status)
    sold: list[SessionDetail | Line] = list(session.lines.all())
    _change_lines(sold, lines)
    if package is not None:
        sold += _sell_package(session, package, times, take_discount)
    if item is not None:
        sold.append(_sell_item(item, quantity))
    _take_price(session, **values)
    _reckon(session, sold)
    return session


# --- In memory: the writers and ``foresee`` alike --------------------------------------------------


def _sell_package(session: Session, package: Package, times: int, take_discount: bool) -> list[Line]:
    """The lines of the package; its saving goes to the session's discount when it is taken (D22)."""
    _refuse_quantity(times, "times")
    if not package.active or not package.fits(session.session_type):
        raise InvalidInput(
            _("%(package)s is not sold for this type of session.") % {"package": package.name},
            field="package",
            details={"package": package.code, "session_type": session.session_type},
        )
    try:
        lines = package.lines(times)
    except ValueError as empty:
        raise InvalidInput(_("%(package)s has no items.") % {"package": package.name}, field="package") from empty
    saving = package_discount(package.base_price, lines, times) if take_discount else money.ZERO
    if saving > 0:
        session.discount += saving
        session.discount_reason = session.discount_reason or _("Package price: %(package)s") % {"package": package.name}
    return lines


def entered(price: Decimal | None) -> dict[str, Any]:
    """The columns of a price that is entered as it is; None is open (D39). Raises ``InvalidInput``."""
    if price is None:
        return {"price_is_open": True, "subtotal": money.ZERO, "total": money.ZERO}
    if not money.is_exact(price) or not 0 <= price <= LARGEST_TOTAL:
        raise InvalidInput(
            _("A price is zero or more, with at most two decimal places."),
            field="price",
            details={"price": str(price)},
        )
    return {"price_is_open": False, "subtotal": price, "total": price}


def enter_price(session: Session, price: Decimal | None, *, by: "User | None") -> None:
    """Enter the price of an appointment, one figure; with lines it follows from them (D39). The caller saves.

    Below what was paid, the difference is owed back (D32). Raises ``InvalidInput``, and ``ImmutableSession`` for a
    price that is left open although money was paid towards it.
    """
    if price == session.price:
        return
    if session.lines.exists():
        raise InvalidInput(_("The price follows from the lines: change them."), field="price")
    if price is None:
        _refuse_paid_towards(session)
    before = session.price
    session.discount, session.discount_reason = money.ZERO, ""
    for name, value in entered(price).items():
        setattr(session, name, value)
    audit.record("price_changed", by=by, about=session, before=str(before), after=str(price))


def _refuse_paid_towards(session: Session) -> None:
    state = ledger.account(session)
    if state.total_paid or state.pending_in:
        raise ImmutableSession(
            _("Money was paid towards this price: it cannot be left open any more."),
            field="price",
            details={"failed": ["paid_towards_it"]},
        )


def _leave_open_without_lines(session: Session) -> None:
    """With its last line an appointment loses its price: what was entered before the first one is gone (D39)."""
    if not session.is_appointment or session.lines.exists():
        return
    _refuse_paid_towards(session)
    session.discount, session.discount_reason = money.ZERO, ""
    for name, value in entered(None).items():
        setattr(session, name, value)


def _sell_item(item: Item, quantity: int) -> Line:
    _refuse_quantity(quantity, "quantity")
    if not item.active:
        raise InvalidInput(_("%(item)s is not sold any more.") % {"item": item.name}, field="item")
    return item.line(quantity)


def _change_lines(lines: list[SessionDetail], changes: Iterable[LineChange]) -> list[SessionDetail]:
    """The changed ones. The price at the time of sale stays. Raises ``InvalidInput`` for a line that is gone."""
    by_id = {line.pk: line for line in lines}
    changed = []
    for change in changes:
        line = by_id.get(change.line_id)
        if line is None:
            raise _line_is_gone(change.line_id)
        if change.quantity is not None:
            _refuse_quantity(change.quantity, "quantity")
            line.quantity = change.quantity
            line.line_subtotal = line.unit_price * change.quantity
        if change.description_override is not None:
            line.description_override = change.description_override.strip()
        changed.append(line)
    return changed


def _take_price(
    session: Session,
    *,
    transportation_cost: Decimal | None = None,
    discount: Decimal | None = None,
    discount_reason: str | None = None,
    deposit_percentage: int | None = None,
    deposit_note: str | None = None,
) -> None:
    """What is given is taken over; the rules hold for what is taken over and what stays together."""
    transportation_cost = session.transportation_cost if transportation_cost is None else transportation_cost
    discount = session.discount if discount is None else discount
    discount_reason = (session.discount_reason if discount_reason is None else discount_reason).strip()
    deposit_percentage = session.deposit_percentage if deposit_percentage is None else deposit_percentage
    deposit_note = (session.deposit_note if deposit_note is None else deposit_note).strip()
    if transportation_cost and not session.is_external:
        raise InvalidInput(_("Transportation is for external sessions."), field="transportation_cost")
    for name, amount in (("transportation_cost", transportation_cost), ("discount", discount)):
        if not money.is_exact(amount) or amount < 0:
            raise InvalidInput(_("An amount of zero or more, with at most two decimals."), field=name)
    if discount > 0 and not discount_reason:
        raise InvalidInput(_("Say why there is a discount."), field="discount_reason")
    if not 0 <= deposit_percentage <= 100:
        raise InvalidInput(_("A percentage lies from 0 to 100."), field="deposit_percentage")
    _refuse_silent_trust(session, deposit_percentage, deposit_note)
    session.transportation_cost = transportation_cost
    session.discount = discount
    session.discount_reason = discount_reason if discount else ""
    session.deposit_percentage = deposit_percentage
    session.deposit_note = deposit_note


def _reckon(session: Session, lines: Iterable[SessionDetail | Line]) -> None:
    """Bring subtotal, total and a deposit that is still asked for in line with the lines; refuse what a state cannot
    carry."""
    lines = list(lines)
    if session.is_appointment and not lines:
        # One figure, entered as it is (D39): there is nothing to take a discount from.
        if session.discount:
            raise InvalidInput(
                _("This price was entered as one figure: change it on the page of the appointment."), field="discount"
            )
        return
    session.subtotal = sum((line.line_subtotal for line in lines), money.ZERO)
    try:
        session.total = money.total(session.subtotal, session.transportation_cost, session.discount)
    except ValueError as wrong:
        raise InvalidInput(
            _("The discount is larger than the price."),
            field="discount",
            details={"subtotal": str(session.subtotal), "discount": str(session.discount)},
        ) from wrong
    if session.total > LARGEST_TOTAL or session.subtotal > LARGEST_TOTAL:
        raise InvalidInput(_("This is more than a session can cost."), details={"total": str(session.total)})
    if session.is_appointment:
        # Nobody quotes it, and nothing is edited afterwards.
        session.price_is_open = False
        return
    is_quoted = session.status not in (workflow.REQUEST, workflow.NEGOTIATION, workflow.CANCELED)
    if is_quoted and (not lines or session.total <= 0):
        raise InvalidInput(
            _("A session that has been quoted keeps at least one line and a total above zero."),
            details={"failed": ["no_lines" if not lines else "total_is_zero"]},
        )
    if session.status == workflow.PRE_SCHEDULED:
        # The deposit stays as it was quoted (D32), but nobody is asked for more than the whole.
        session.deposit_amount = min(session.deposit_amount, session.total)


# --- In the database -------------------------------------------------------------------------------


def _open(session: Session, *, by: "User", now: datetime, what: str) -> Session:
    locked = locked_for(session, by=by, perm=Perm.SESSION_EDIT_PRE_ASSIGNED)
    require_editable(locked, by=by, now=now, what=what)
    return locked


def _write(session: Session, lines: list[Line], origin: str, by: "User") -> list[SessionDetail]:
    """Packages first, the lines of one together, then the items sold on their own: the order on every page and paper.

    The later lines make room.
    """
    written = [
        SessionDetail(
            session=session,
            line_type=line.line_type,
            reference_type=line.reference_type,
            reference_id=line.reference_id,
            reference_name=origin,
            item_code=line.item_code,
            item_name=line.item_name,
            item_description=line.item_description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            line_subtotal=line.line_subtotal,
            added_by=by,
        )
        for line in lines
    ]
    present = list(session.lines.order_by("display_order", "pk"))
    at = _place_for(written[0], present)
    before = {line.pk: line.display_order for line in present}
    for position, line in enumerate([*present[:at], *written, *present[at:]], start=1):
        line.display_order = position
    moved = [line for line in present if line.display_order != before[line.pk]]
    if moved:
        SessionDetail.objects.bulk_update(moved, ["display_order"])
    return SessionDetail.objects.bulk_create(written)


def _place_for(new: SessionDetail, present: list[SessionDetail]) -> int:
    package = _sold_with(new)
    if package is None:
        return len(present)
    own = [at for at, line in enumerate(present, start=1) if _sold_with(line) == package]
    packages = [at for at, line in enumerate(present, start=1) if _sold_with(line) is not None]
    return max(own or packages, default=0)


def _reprice(session: Session, *, by: "User", now: datetime) -> None:
    """Bring totals and editing days in line with the lines that are in the database, and save the session."""
    lines = list(session.lines.all())
    _reckon(session, lines)
    days = _editing_days(lines)
    if days != session.estimated_editing_days and session.status not in EDITING_IS_PROMISED:
        session.estimated_editing_days = days
        if session.estimated_delivery_date is not None:
            session.estimated_delivery_date = estimated_delivery_date(session.session_date, days)
    touch(session, by=by, now=now)


def _editing_days(lines: list[SessionDetail]) -> int:
    """The largest of the packages', else the default (D22)."""
    packages = {line.reference_id for line in lines if line.reference_type == ReferenceType.PACKAGE}
    longest = Package.objects.filter(pk__in=packages).aggregate(longest=Max("estimated_editing_days"))["longest"]
    return longest or STUDIO.default_editing_days


def _line(session: Session, line_id: int) -> SessionDetail:
    line = session.lines.filter(pk=line_id).first()
    if line is None:
        raise _line_is_gone(line_id)
    return line


def _line_is_gone(line_id: int) -> InvalidInput:
    return InvalidInput(_("This line is not in the session any more."), details={"line": line_id})


def _refuse_silent_trust(session: Session, percentage: int, note: str) -> None:
    """Asking a high-risk client for less than the whole needs a note that says why (D24); what was so may stay."""
    if percentage == 100 or note or (percentage, note) == (session.deposit_percentage, session.deposit_note):
        return
    record = record_of(session.client)
    if record.is_high_risk:
        raise InvalidInput(
            _("%(client)s canceled %(canceled)d of %(all)d sessions: say why less than 100%% is asked for.")
            % {"client": session.client.full_name, "canceled": record.cancellations, "all": record.sessions},
            field="deposit_note",
            details={"failed": ["note_missing"], "cancellations": record.cancellations, "sessions": record.sessions},
        )


def _refuse_quantity(quantity: int, field: str) -> None:
    if not 1 <= quantity <= LARGEST_QUANTITY:
        raise InvalidInput(
            _("A quantity is a whole number from 1 to %(largest)d.") % {"largest": LARGEST_QUANTITY}, field=field
        )
