"""The home of each person: what needs them now, by what they may do."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sessions_app import artist_day, board, own_work
from studio import notices
from studio.access import allows
from studio.conf import STUDIO
from studio.roles import Perm, Role, is_admin, roles_of

NOTICES_SHOWN = 5


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The office's home, the artist's, photographer's and editor's, one under the other for who holds several roles."""
    user, now = request.user, timezone.now()
    roles = roles_of(user)
    context = {
        "greeting": greeting(now, user.short_name),
        "today": now,
        "notices": notices.lines(notices.unread(user)[:NOTICES_SHOWN], user),
        "notices_url": reverse("notice-list"),
    }
    if allows(user, Perm.SESSION_VIEW_ALL):
        with_money = allows(user, Perm.PAYMENT_REGISTER)
        context |= {
            "is_office": True,
            "waiting": board.waiting(now=now, with_money=with_money),
            "agenda": board.agenda(now=now),
            "pipeline": board.pipeline(with_money=with_money),
            "may_serve": allows(user, Perm.SESSION_CREATE),
            "first_day": now.astimezone(STUDIO.zone).date().isoformat(),
        }
    if Role.ARTIST in roles:
        context["own_day"] = artist_day.own_day(user, now=now)
    if Role.PHOTOGRAPHER in roles:
        context["shoots"] = own_work.shoots_of(user, now=now)
    if Role.EDITOR in roles:
        context["desk"] = own_work.desk_of(user, now=now, by_admin=is_admin(user))
    return render(request, "sessions_app/home.html", context)


def greeting(now: datetime, name: str) -> str:
    """Good morning until noon, good afternoon until seven, by the studio's clock."""
    hour = now.astimezone(STUDIO.zone).hour
    if 5 <= hour < 12:
        text = _("Good morning, %(name)s")
    elif 12 <= hour < 19:
        text = _("Good afternoon, %(name)s")
    else:
        text = _("Good evening, %(name)s")
    return text % {"name": name}


urlpatterns = [path("", home, name="home")]
