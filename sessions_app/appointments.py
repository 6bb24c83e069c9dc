"""The artists' service functions, as the requirement describes them (tattoo service; D25 to D31).

For programs: they take and return dictionaries, in the Spanish words of the requirement, and raise a ``ValueError``.
They do nothing themselves that a coordinator's form would not do: the same actions, locks and rows. Without ``by``
nobody is asked for permission, and the history names the system.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from payments import money
from payments.models import PaymentMethod
from scheduling.models import AssignmentStatus, StaffReservation
from scheduling.slots import Span, instant
from sessions_app import workflow
from sessions_app.actions import appoint
from sessions_app.actions.reach import require_reach
from sessions_app.models import Client, Session
from studio.errors import (
    InvalidInput,
    InvalidStateTransition,
    PhotographerNotAvailable,
    SessionNotFound,
)
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User

ACTIVA, COMPLETADA, EN_ESPERA, CANCELADA = "Activa", "Completada", "En espera", "Cancelada"
STATUS_OF = {
    ACTIVA: workflow.ACTIVE,
    COMPLETADA: workflow.COMPLETED,
    EN_ESPERA: workflow.WAITING,
    CANCELADA: workflow.CANCELED,
}
WORD_OF = {status: word for word, status in STATUS_OF.items()}
METHOD_OF = {
    "Efectivo": PaymentMethod.CASH.value,
    "Tarjeta": PaymentMethod.CARD.value,
    "Transferencia": PaymentMethod.TRANSFER.value,
}
CLASH = "Choque de horario"
UPDATABLE = frozenset({"start", "end", "price", "notes", "status", "artist_id", "commission_override"})


def create_session(payload: Mapping[str, Any], *, by: "User | None" = None) -> int:
    """Book an appointment, ``Activa`` at once; returns its id (tattoo service, create_session).

    ``payload``: ``client_id``, ``artist_id``, ``start``, ``end`` (datetimes; a naive one is the studio's clock),
    ``price`` (in the studio's currency; None while nobody knows it), ``notes`` (optional). Raises ``ValueError`` for
    an end that is not after the start, for an unknown client or artist, and, beginning with ``Choque de horario`` and
    naming what is in the way, when the artist is busy (D31).
    """
    with translation.override("es"):
        _refuse_unknown(payload, {"client_id", "artist_id", "start", "end", "price", "notes"})
        try:
            session = appoint.book(
                client=_client(_needed(payload, "client_id")),
                artist_id=_id(_needed(payload, "artist_id"), "artist"),
                span=_span(_needed(payload, "start"), _needed(payload, "end")),
                price=_price(payload.get("price")),
                notes=_text(payload.get("notes"), "notes"),
                by=by,
                now=timezone.now(),
            )
        except PhotographerNotAvailable as busy:
            raise _clash(busy) from busy
    return session.pk


def update_session(session_id: int, payload: Mapping[str, Any], *, by: "User | None" = None) -> None:
    """Change what the payload names and leave the rest (tattoo service, update_session).

    Keys: ``start``, ``end``, ``price``, ``notes``, ``status`` (any word but ``Completada``), ``artist_id``,
    ``commission_override`` (0 to 1; it stays until it is named again). All of it or nothing. Raises ``ValueError``
    for an appointment that is not there, an invalid status, one that is over, and a clash (D31).
    """
    with translation.override("es"):
        _refuse_unknown(payload, UPDATABLE)
        status = _status_to_enter(payload["status"]) if "status" in payload else None
        now = timezone.now()
        try:
            with appoint.together():
                session = _appointment(session_id, by=by)
                changes = _changes(session, payload)
                # What is canceled takes no more changes: first those, then the state.
                if changes:
                    session = appoint.change(session, by=by, now=now, **changes)
                if status is not None and status != session.status:
                    _enter(session, status, by=by, now=now)
        except PhotographerNotAvailable as busy:
            raise _clash(busy) from busy


def complete_session(session_id: int, payment: Mapping[str, Any], *, by: "User | None" = None) -> int:
    """Take the rest by ``payment["method"]`` and complete; returns the id of the transaction (complete_session, D27).

    ``method`` is ``Efectivo``, ``Tarjeta`` or ``Transferencia``. The commission is fixed here: the session's
    override, else the artist's rate, else one half, of the price; a price of None is 0.00. Raises ``ValueError`` for
    an appointment that is not there, is completed or canceled already, or still on hold.
    """
    with translation.override("es"):
        word = payment.get("method")
        if not isinstance(word, str) or word not in METHOD_OF:
            raise InvalidInput(
                _("Choose cash, card or transfer."),
                field="method",
                details={"method": str(word), "allowed": list(METHOD_OF)},
            )
        with appoint.together():
            method = METHOD_OF[word]
            session = _appointment(session_id, by=by).complete(by=by, method=method)
            # The settling is the last row that was written: nothing can be paid for a completed appointment.
            return session.payments.order_by("id").values_list("pk", flat=True).last()


def cancel_session(session_id: int, as_no_show: bool = False, *, by: "User | None" = None) -> None:
    """Cancel, or note that the client did not come: ``[No-show]`` in front of the notes, once (cancel_session, D29).

    An advance is kept after a no-show and owed back otherwise (D40). What is canceled already stays as it is. Raises
    ``ValueError`` for an appointment that is not there, is completed, or was canceled in the other way.
    """
    with translation.override("es"), appoint.together():
        session = _appointment(session_id, by=by)
        # To cancel what is canceled is no error of the requirement's, and changes nothing.
        if session.is_canceled and session.no_show == as_no_show:
            return
        _cancel(session, as_no_show=as_no_show, by=by, now=timezone.now())


def list_sessions(filters: Mapping[str, Any] | None = None, *, by: "User | None" = None) -> list[dict[str, Any]]:
    """Appointments by their start, the earliest first (tattoo service, list_sessions).

    ``filters``: ``from`` and ``to`` (those that start at ``from`` or later and at ``to`` or earlier), ``artist_id``,
    ``status`` (a word or a list of them). Each is a dictionary with ``id``, ``client_id``, ``artist_id``, ``start``,
    ``end`` (aware, in the studio's zone), ``status``, ``price`` (a float, or None), ``notes``. With ``by``, those
    that they may see. Raises ``ValueError`` for an unknown filter or status.
    """
    filters = filters or {}
    with translation.override("es"):
        _refuse_unknown(filters, {"from", "to", "artist_id", "status"})
        rows = Session.objects.present() if by is None else Session.objects.visible_to(by)
        rows = rows.filter(session_type=workflow.APPOINTMENT)
        current = StaffReservation.objects.exclude(assignment_status=AssignmentStatus.REASSIGNED)
        if filters.get("from") is not None:
            rows = rows.filter(starts_at__gte=_aware(filters["from"], "from"))
        if filters.get("to") is not None:
            rows = rows.filter(starts_at__lte=_aware(filters["to"], "to"))
        if filters.get("artist_id") is not None:
            mine = current.filter(staff_id=_id(filters["artist_id"], "artist_id"))
            rows = rows.filter(pk__in=mine.values("session"))
        if filters.get("status") is not None:
            rows = rows.filter(status__in=_statuses(filters["status"]))
        found = list(rows.order_by("starts_at", "id"))
        artists = dict(current.filter(session__in=found).values_list("session_id", "staff_id"))
    return [_as_dict(row, artists.get(row.pk)) for row in found]


# -- in and out --------------------------------------------------------------------------------------------------------


def _as_dict(session: Session, artist_id: int | None) -> dict[str, Any]:
    return {
        "id": session.pk,
        "client_id": session.client_id,
        "artist_id": artist_id,
        "start": session.local_start,
        "end": session.local_end,
        "status": WORD_OF[session.status],
        "price": None if session.price is None else float(session.price),
        "notes": session.special_notes,
    }


def _changes(session: Session, payload: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "start" in payload or "end" in payload:
        changes["span"] = _span(payload.get("start", session.starts_at), payload.get("end", session.ends_at))
    if "price" in payload:
        changes["price"] = _price(payload["price"])
    if "notes" in payload:
        changes["notes"] = _text(payload["notes"], "notes")
    if "artist_id" in payload:
        changes["artist_id"] = _id(payload["artist_id"], "artist")
    if "commission_override" in payload:
        rate = payload["commission_override"]
        changes["commission_override"] = None if rate is None else _decimal(rate, "commission_override")
    return changes


def _enter(session: Session, status: str, *, by: "User | None", now: datetime) -> None:
    if status == workflow.CANCELED:
        _cancel(session, as_no_show=False, by=by, now=now)
    elif status == workflow.ACTIVE:
        session.activate(by=by, now=now)
    else:
        session.hold(by=by, now=now)


def _cancel(session: Session, *, as_no_show: bool, by: "User | None", now: datetime) -> None:
    session.cancel(
        by=by,
        now=now,
        reason=_("The client did not come.") if as_no_show else _("Canceled."),
        initiator="client" if as_no_show else "company",
        no_show=as_no_show,
    )


def _status_to_enter(word: Any) -> str:
    if word == COMPLETADA:
        raise InvalidStateTransition(
            _("An appointment is completed with its payment: use complete_session."),
            details={"failed": ["complete_session"], "status": word},
        )
    return _statuses(word)[0]


def _statuses(words: Any) -> list[str]:
    asked = [words] if isinstance(words, str) else list(words) if isinstance(words, list | tuple | set) else [None]
    unknown = [str(word) for word in asked if not isinstance(word, str) or word not in STATUS_OF]
    if unknown:
        raise InvalidInput(
            _("There is no such state: %(states)s.") % {"states": ", ".join(unknown)},
            field="status",
            details={"status": unknown, "allowed": list(STATUS_OF)},
        )
    return [STATUS_OF[word] for word in asked]


def _appointment(session_id: Any, *, by: "User | None") -> Session:
    """The appointment, locked until the end of the act, for somebody who may manage it."""
    known = Session.objects.present().filter(session_type=workflow.APPOINTMENT).select_for_update(no_key=True)
    found = known.filter(pk=session_id).first() if isinstance(session_id, int) else None
    if found is None:
        raise SessionNotFound
    if by is not None:
        require_reach(found, by=by, perm=Perm.APPOINTMENT_MANAGE_OWN)
    return found


def _client(client_id: Any) -> Client:
    found = Client.objects.present().filter(pk=_id(client_id, "client")).first()
    if found is None:
        raise InvalidInput(_("There is no such client."), field="client", details={"client_id": client_id})
    return found


def _id(value: Any, field: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise InvalidInput(_("This is no id: %(value)s.") % {"value": value}, field=field)
    return value


def _span(start: Any, end: Any) -> Span:
    begins, ends = _aware(start, "start"), _aware(end, "end")
    try:
        # It compares instants: by the clock, an hour that comes twice would end before it began.
        return Span(begins, ends)
    except ValueError as backwards:
        raise InvalidInput(_("An appointment ends after it starts."), field="end") from backwards


def _aware(value: Any, field: str) -> datetime:
    if not isinstance(value, datetime):
        raise InvalidInput(_("This is no date and time: %(value)s.") % {"value": value}, field=field)
    if value.tzinfo is not None:
        return value
    try:
        return instant(value.date(), value.time())
    except ValueError as skipped:
        raise InvalidInput(_("This date and time do not exist in the studio's time zone."), field=field) from skipped


def _price(value: Any) -> Decimal | None:
    if value is None:
        return None
    price = _decimal(value, "price")
    return money.quantise(price) if abs(price) <= money.LARGEST else price


def _decimal(value: Any, field: str) -> Decimal:
    """A number as it is written, so that 0.1 is a tenth."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise InvalidInput(_("This is no number: %(value)s.") % {"value": value}, field=field)
    return number


def _needed(payload: Mapping[str, Any], key: str) -> Any:
    if payload.get(key) is None:
        raise InvalidInput(_("%(key)s is missing.") % {"key": key}, field=key)
    return payload[key]


def _refuse_unknown(payload: Mapping[str, Any], known: set[str] | frozenset[str]) -> None:
    unknown = sorted(set(payload) - known)
    if unknown:
        raise InvalidInput(
            _("There is no such field: %(fields)s.") % {"fields": ", ".join(unknown)}, details={"unknown": unknown}
        )


def _text(value: Any, field: str) -> str:
    if value is not None and not isinstance(value, str):
        raise InvalidInput(_("This is no text: %(value)s.") % {"value": value}, field=field)
    return value or ""


def _clash(busy: PhotographerNotAvailable) -> PhotographerNotAvailable:
    """D31; somebody who takes no appointments any more is in nobody's way."""
    if busy.details.get("failed") == ["gone"]:
        return busy
    return PhotographerNotAvailable(f"{CLASH}: {busy.message}", details=busy.details, field=busy.field)
