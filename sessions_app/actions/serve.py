"""From the answer to a client on the phone to their session, in one act (business rules 1.3, 3, 6.1; D22, D23, D33).

What was offered is asked for again here: whoever was quicker is named by the refusal, and nothing is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from catalog.models import Package
from payments import money
from scheduling.slots import Span
from sessions_app.actions import price, request
from sessions_app.actions.request import At
from sessions_app.models import Client, Session
from studio import audit
from studio.errors import InvalidInput

if TYPE_CHECKING:
    from studio.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the client takes: a time, who comes for which coverage (the first one leads), where, and what is sold.

    ``packages`` are sold once each, with what they save; ``transportation_cost`` in the studio's currency.
    """

    session_type: str
    span: Span
    people: tuple[tuple[int, Span], ...] = ()
    room_id: int | None = None
    location: str = ""
    packages: tuple[int, ...] = ()
    transportation_cost: Decimal = money.ZERO


def hold(
    chosen: Chosen,
    *,
    client: Client,
    by: "User",
    now: datetime,
    event_description: str = "",
    special_notes: str = "",
) -> Session:
    """A request that holds its room and people, with the lines of what was asked about.

    ``client`` is of the book, or new and not saved yet. Raises as ``request.open_request`` and ``price.add_package``.
    """
    with audit.act():
        open_for = request.open_request if client.pk else request.open_for_new_client
        session = open_for(
            client=client,
            session_type=chosen.session_type,
            when=At(chosen.span),
            location=chosen.location,
            event_description=event_description,
            special_notes=special_notes,
            room_id=chosen.room_id,
            photographer_ids=tuple(pk for pk, _coverage in chosen.people),
            coverages=dict(chosen.people),
            by=by,
            now=now,
        )
        for package in _packages(chosen.packages):
            price.add_package(session, package=package, by=by, now=now, take_discount=True)
        if chosen.transportation_cost:
            price.set_price(session, by=by, now=now, transportation_cost=chosen.transportation_cost)
        session.refresh_from_db()
    return session


def quote(chosen: Chosen, *, by: "User", now: datetime, **whose: Any) -> Session:
    """The same, in negotiation at once; ``whose`` is what ``hold`` takes besides.

    Raises ``InvalidInput`` where nothing is sold that could be quoted.
    """
    with audit.act():
        if not chosen.packages:
            raise InvalidInput(_("Choose what is sold: a quote needs a package."), field="packages")
        session = hold(chosen, by=by, now=now, **whose)
        session.negotiate(by=by, now=now)
    return session


def _packages(ids: Sequence[int]) -> list[Package]:
    found = Package.objects.in_bulk(ids)
    if len(found) < len(set(ids)):
        raise InvalidInput(_("This package is not sold any more."), field="packages")
    return [found[pk] for pk in dict.fromkeys(ids)]
