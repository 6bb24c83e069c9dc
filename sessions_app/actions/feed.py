"""Opening and closing the addresses of calendar feeds (quality, Security: unguessable and revocable)."""

from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from scheduling import booking
from scheduling.models import Room
from sessions_app import feeds
from sessions_app.models import CalendarFeed
from studio import audit
from studio.errors import AccessDenied, InvalidInput, NotFound
from studio.roles import Perm, is_admin

if TYPE_CHECKING:
    from studio.models import User

# So many open addresses a person may have: one for each calendar of theirs, and not more than they can keep in mind.
MOST_OPEN = 10
# That a feed is read is noted no oftener: a program that asks each minute does not write each minute.
NOTED_EVERY = timedelta(hours=1)


def open_feed(*, by: "User", now: datetime, room_id: int | None = None) -> tuple[CalendarFeed, str]:
    """A feed of one's own sessions, or of a room's, and the secret of its address, which is kept nowhere.

    Raises ``AccessDenied`` for whoever may not see that themselves; ``InvalidInput`` for an unknown room and beyond
    ten open feeds.
    """
    with audit.act():
        # Two at once would each count the others without the other.
        booking.lock_people([by.pk])
        room = _room(room_id)
        if not feeds.may_show(by, room=room):
            perm = Perm.SCHEDULE_BLOCK_OWN if room is None else Perm.SESSION_VIEW_ALL
            raise AccessDenied(user=by, perm=perm, obj=room)
        if feeds.live(of=by).count() >= MOST_OPEN:
            raise InvalidInput(
                _("You have %(count)d calendar addresses: revoke one that you no longer use first.")
                % {"count": MOST_OPEN},
                details={"failed": "too_many"},
            )
        token = token_urlsafe(32)
        feed = CalendarFeed.objects.create(token_hash=feeds.hash_of(token), owner=by, room=room, created_at=now)
        audit.record("feed_opened", by=by, about=feed, room=room.name if room else None)
    return feed, token


def revoke(feed_id: int, *, by: "User", now: datetime) -> CalendarFeed:
    """Close one's own feed for good; an Admin anybody's. What is closed already stays so.

    Raises ``NotFound`` for what is not there or not theirs.
    """
    with audit.act():
        feed = CalendarFeed.objects.select_for_update(of=("self",)).filter(pk=feed_id).first()
        if feed is None:
            raise NotFound
        if feed.owner_id != by.pk and not is_admin(by):
            raise NotFound(user=by, obj=feed)
        if feed.revoked_at is None:
            feed.revoked_at = now
            feed.save(update_fields=["revoked_at"])
            audit.record("feed_revoked", by=by, about=feed, owner=feed.owner.full_name)
    return feed


def note_reading(feed: CalendarFeed, *, now: datetime) -> None:
    """Keep when the feed was last read, to the hour: its owner sees which address is in use."""
    if feed.last_read_at is not None and now - feed.last_read_at < NOTED_EVERY:
        return
    stale = Q(last_read_at__isnull=True) | Q(last_read_at__lte=now - NOTED_EVERY)
    CalendarFeed.objects.filter(stale, pk=feed.pk).update(last_read_at=now)


def _room(room_id: int | None) -> Room | None:
    if room_id is None:
        return None
    room = Room.objects.filter(pk=room_id).first()
    if room is None:
        raise InvalidInput(_("There is no such room."), field="room", details={"room": room_id})
    return room
