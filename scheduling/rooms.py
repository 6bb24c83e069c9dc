"""What an Admin does to rooms (permissions: room.*).

Rooms are taken out of use, never deleted: reservations name them.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.models import Room, RoomReservation, RoomStatus
from studio import audit
from studio.access import require
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm

if TYPE_CHECKING:
    from studio.models import User


def coming(room: Room, *, now: datetime) -> QuerySet[RoomReservation]:
    """What holds the room from now on, first things first."""
    return RoomReservation.objects.holding().filter(room=room, during__endswith__gt=now).order_by("during", "id")


def add_room(*, by: "User", **values: Any) -> Room:
    """A new room. Raises ``InvalidInput`` when its code is taken."""
    with audit.act():
        require(by, Perm.ROOM_CREATE)
        room = Room(**values)
        _save(room)
    return room


def change_room(room: Room, *, by: "User", now: datetime, despite_reservations: bool = False, **values: Any) -> Room:
    """Other words, or another status.

    A room that is held from now on leaves use only when that is said in as many words: the sessions keep it until
    somebody gives them another one. Raises ``InvalidInput`` with their number otherwise.
    """
    with audit.act():
        require(by, Perm.ROOM_EDIT)
        locked = Room.objects.select_for_update().filter(pk=room.pk).first()
        if locked is None:
            raise NotFound
        status = values.get("status", locked.status)
        leaves_use = locked.status == RoomStatus.ACTIVE and status != RoomStatus.ACTIVE
        if leaves_use:
            require(by, Perm.ROOM_DELETE)
        held = coming(locked, now=now).count() if leaves_use else 0
        if held and not despite_reservations:
            raise InvalidInput(
                ngettext(
                    "%(n)d coming session holds this room. Move it first, or say that it stays there for now.",
                    "%(n)d coming sessions hold this room. Move them first, or say that they stay there for now.",
                    held,
                )
                % {"n": held},
                field="despite_reservations",
                details={"failed": ["room_is_held"], "reservations": held},
            )
        for name, value in values.items():
            setattr(locked, name, value)
        _save(locked)
        if leaves_use:
            audit.record("room_out_of_use", by=by, about=locked, status=status, reservations=held)
    return locked


def _save(room: Room) -> None:
    room.clean()
    try:
        with transaction.atomic():
            room.save()
    except IntegrityError as taken:
        if "room_code_unique" not in str(taken):
            raise
        raise InvalidInput(_("Another room has this code."), field="code") from taken
