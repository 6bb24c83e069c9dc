"""Calendar feeds: the page where one opens and revokes them, and the feed itself, which is read without signing in."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sessions_app import feeds
from sessions_app.actions import feed as actions
from sessions_app.forms.feed import FeedForm
from sessions_app.models import CalendarFeed
from sessions_app.views.finding import LARGEST_ID
from studio.access import allows, require
from studio.acting import Done, add_error, finish, refusal_of
from studio.answers import answer_error, wants_json
from studio.conf import STUDIO
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm, is_admin

ROWS = 50
# Programs look every hour or so; whoever presses "refresh" sees what is so after this.
KEPT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Opened:
    """A new feed's address, in the one answer that ever shows it."""

    name: str
    address: str
    subscribe: str
    """The same for the calendar program of the device (webcal)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One open feed as it is read. ``owner`` is empty for one's own."""

    pk: int
    name: str
    owner: str
    created_at: datetime
    last_read_at: datetime | None
    """About: the hour, as it is not noted more often."""


@require_http_methods(["GET", "HEAD", "POST"])
def feed_list(request: HttpRequest) -> HttpResponse:
    """What a feed is, one's open feeds, everybody's for an Admin, and the form for another one.

    A new address is in the answer to the form itself: whatever comes after a redirect would have to keep the secret.
    """
    require(request.user, Perm.SCHEDULE_BLOCK_OWN)
    with_rooms = allows(request.user, Perm.SESSION_VIEW_ALL)
    if request.method != "POST":
        return _page(request, FeedForm(with_rooms=with_rooms, initial={"room": request.GET.get("room")}))
    form = FeedForm(request.POST, with_rooms=with_rooms)
    if not form.is_valid():
        if wants_json(request):
            return answer_error(request, refusal_of(form))
        return _page(request, form, status=InvalidInput.status)
    try:
        feed, token = actions.open_feed(by=request.user, now=timezone.now(), room_id=form.room_id())
    except InvalidInput as error:
        if wants_json(request):
            return answer_error(request, error)
        add_error(form, error)
        return _page(request, form, status=error.status)
    opened = _opened(request, feed, token)
    if wants_json(request):
        facts = {"ok": True, "message": _("The address is shown once."), "url": reverse("feed-list")}
        response: HttpResponse = JsonResponse({**facts, "feed": feed.pk, "address": opened.address})
    else:
        response = _page(request, FeedForm(with_rooms=with_rooms), opened)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def feed_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    if pk > LARGEST_ID:
        raise NotFound
    feed = actions.revoke(pk, by=request.user, now=timezone.now())
    text = _("Revoked: the address of %(what)s leads nowhere any more.") % {"what": name_of(feed)}
    return finish(request, Done(text, reverse("feed-list")))


@require_safe
def calendar_feed(request: HttpRequest, token: str) -> HttpResponse:
    """The file for whoever has the address; the one 404 for an address that was revoked, or never was."""
    feed = feeds.find(token)
    if feed is None:
        raise NotFound
    now = timezone.now()
    content = feeds.file(feed, site=request.build_absolute_uri("/"), now=now)
    actions.note_reading(feed, now=now)
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {
        "Content-Type": "text/calendar; charset=utf-8",
        "ETag": etag,
        "Cache-Control": f"private, max-age={KEPT_SECONDS}",
        "Content-Disposition": 'inline; filename="atelier.ics"',
        "Content-Language": feed.owner.language or STUDIO.language,
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return get_conditional_response(request, etag=etag, response=HttpResponse(content, headers=headers))


def name_of(feed: CalendarFeed) -> str:
    """What it shows, for its owner."""
    return feed.room.name if feed.room is not None else _("My own sessions and time off")


def _page(request: HttpRequest, form: FeedForm, opened: Opened | None = None, status: int = 200) -> HttpResponse:
    sees_all = is_admin(request.user)
    rows = feeds.live(of=None if sees_all else request.user)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "page_title": _("Calendar on your phone"),
        "form": form,
        "opened": opened,
        "page": page,
        "rows": [_row(each, request) for each in page],
        "most": actions.MOST_OPEN,
    }
    return render(request, "sessions_app/feeds.html", context, status=status)


def _row(feed: CalendarFeed, request: HttpRequest) -> Row:
    is_own = feed.owner_id == request.user.pk
    name = name_of(feed) if is_own or feed.room is not None else _("Own sessions and time off")
    read = feed.last_read_at
    if read is not None:
        read = read.astimezone(STUDIO.zone).replace(minute=0, second=0, microsecond=0)
    return Row(feed.pk, name, "" if is_own else feed.owner.full_name, feed.created_at, read)


def _opened(request: HttpRequest, feed: CalendarFeed, token: str) -> Opened:
    address = request.build_absolute_uri(reverse("calendar-feed", args=[token]))
    return Opened(name_of(feed), address, f"webcal://{address.partition('://')[2]}")


urlpatterns = [
    path("feeds/", feed_list, name="feed-list"),
    path("feeds/<int:pk>/revoke/", feed_revoke, name="feed-revoke"),
    path("feeds/<str:token>.ics", calendar_feed, name="calendar-feed"),
]
