"""Addresses for tests of the frame: those that it looks for, without the packages behind them."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("a page")


NAMES = {
    "home": "",
    "session-list": "sessions/",
    "session-new": "sessions/new/",
    "client-list": "clients/",
    "payment-list": "payments/",
    "item-list": "catalogue/",
    "room-list": "catalogue/rooms/",
    "staff-list": "staff/",
    "notice-list": "notices/",
    "search": "search/",
    "set-language": "language/",
    "password-change": "password/",
    "login": "in/",
    "logout": "out/",
}

urlpatterns = [
    *(path(address, page, name=name) for name, address in NAMES.items()),
    path("admin/", include(([path("", page, name="index")], "admin"))),
]
