"""Lines and price: the one writer of lines and totals (business rules 5.2, 6; D22, D23, D32)."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Max
from django.utils.translation import gettext as _

from catalog.explode import Line, package_discount
from catalog.models import Item, Package
from payments import ledger, money
from sessions_app import workflow
from sessions_app.actions.reach import locked_for, require_editable, touch
from sessions_app.clients import record_of
from sessions_app.deadlines import estimated_delivery_date
from sessions_app.models import ReferenceType, Session, SessionDetail
from studio import audit
from studio.conf import STUDIO
from studio.errors import ImmutableSession, InvalidInput
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User

LARGEST_TOTAL = Decimal("9999999999.99")
LARGEST_QUANTITY = 100_000
# From here on the days are the editor's, or nobody's any more (business rules 10.3).
EDITING_IS_PROMISED = frozenset({workflow.IN_EDITING, workflow.READY, *workflow.FINAL})


def add_package(
    session: Session, *, package: Package, by: "User", now: datetime, times: int = 1, take_discount: bool = False
) -> list[SessionDetail]:
    """Sell a package: one line for each of its items, at today's prices (business rules 6.1).

    ``take_discount`` adds what the package price saves to the discount (D22). Raises ``InvalidInput`` for a package
    that is inactive, empty or made for another type of session; ``ImmutableSession`` by state.
    """
    with audit.act():
        session = _open(session, by=by, now=now, what="add_package")
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
        written = _write(session, lines, package.name, by)
        if take_discount:
            saving = package_discount(package.base_price, lines, times)
            if saving > 0:
                session.discount += saving
                session.discount_reason = session.discount_reason or _("Package price: %(package)s") % {
                    "package": package.name
                }
        _reprice(session, by=by, now=now)
    return written


def add_item(session: Session, *, item: Item, quantity: int, by: "User", now: datetime) -> SessionDetail:
    """Sell one item on its own (business rules 6.2). Raises ``InvalidInput``, ``ImmutableSession``."""
    with audit.act():
        session = _open(session, by=by, now=now, what="add_item")
        _refuse_quantity(quantity, "quantity")
        if not item.active:
            raise InvalidInput(_("%(item)s is not sold any more.") % {"item": item.name}, field="item")
        line = _write(session, [item.line(quantity)], "", by)[0]
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
        line = _line(session, line_id)
        if quantity is not None:
            _refuse_quantity(quantity, "quantity")
            line.quantity = quantity
            line.line_subtotal = line.unit_price * quantity
        if description_override is not None:
            line.description_override = description_override.strip()
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
        _reprice(session, by=by, now=now)


def set_price(
    session: Session,
    *,
    transportation_cost: Decimal,
    discount: Decimal,
    discount_reason: str,
    deposit_percentage: int,
    deposit_note: str,
    by: "User",
    now: datetime,
) -> Session:
    """Transportation (external sessions only, D23), discount with its reason, deposit percentage (D24).

    The deposit amount itself is fixed when the session becomes Pre-scheduled (D32). Raises ``InvalidInput`` beside the
    field, ``ImmutableSession``.
    """
    with audit.act():
        session = _open(session, by=by, now=now, what="set_price")
        if transportation_cost and not session.is_external:
            raise InvalidInput(_("Transportation is for external sessions."), field="transportation_cost")
        for name, amount in (("transportation_cost", transportation_cost), ("discount", discount)):
            if not amount.is_finite() or amount < 0 or amount != money.quantise(amount):
                raise InvalidInput(_("An amount of zero or more, with at most two decimals."), field=name)
        if discount > 0 and not discount_reason.strip():
            raise InvalidInput(_("Say why there is a discount."), field="discount_reason")
        if not 0 <= deposit_percentage <= 100:
            raise InvalidInput(_("A percentage lies from 0 to 100."), field="deposit_percentage")
        _refuse_silent_trust(session, deposit_percentage, deposit_note.strip())
        session.transportation_cost = transportation_cost
        session.discount = discount
        session.discount_reason = discount_reason.strip() if discount else ""
        session.deposit_percentage = deposit_percentage
        session.deposit_note = deposit_note.strip()
        _reprice(session, by=by, now=now)
    return session


def _open(session: Session, *, by: "User", now: datetime, what: str) -> Session:
    locked = locked_for(session, by=by, perm=Perm.SESSION_EDIT_PRE_ASSIGNED)
    require_editable(locked, by=by, now=now, what=what)
    return locked


def _write(session: Session, lines: list[Line], origin: str, by: "User") -> list[SessionDetail]:
    last = session.lines.aggregate(last=Max("display_order"))["last"] or 0
    return SessionDetail.objects.bulk_create(
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
            display_order=last + position,
            added_by=by,
        )
        for position, line in enumerate(lines, start=1)
    )


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
    state = ledger.account(session)
    if price is None and (state.total_paid or state.pending_in):
        raise ImmutableSession(
            _("Money was paid towards this price: it cannot be left open any more."),
            field="price",
            details={"failed": ["paid_towards_it"]},
        )
    before = session.price
    for name, value in entered(price).items():
        setattr(session, name, value)
    audit.record("price_changed", by=by, about=session, before=str(before), after=str(price))


def _reprice(session: Session, *, by: "User", now: datetime) -> None:
    """Bring subtotal, total and editing days in line with the lines, and refuse what a state cannot carry."""
    lines = list(session.lines.all())
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
        touch(session, by=by, now=now)
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
        raise InvalidInput(_("This line is not in the session any more."), details={"line": line_id})
    return line


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
