"""How an error is told: as JSON, as an htmx fragment or as a page, from one place."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from studio.errors import StudioError


def wants_json(request: HttpRequest) -> bool:
    """Whether the reader is a machine: prefers JSON, or sent JSON and does not ask for a page."""
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return True
    asks_for_a_page = "text/html" in request.headers.get("Accept", "")
    return request.content_type == "application/json" and not asks_for_a_page


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks, and is going to put the answer into a page that is already there."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"


def answer_error(request: HttpRequest, error: StudioError, status: int | None = None) -> HttpResponse:
    """The answer to `error`, with its status, in the form that the reader can take."""
    status = status or error.status
    if wants_json(request):
        response: HttpResponse = JsonResponse(error.as_dict(), status=status)
    elif wants_fragment(request):
        response = render(request, "errors/fragment.html", _facts(error, status), status=status)
        response["HX-Retarget"] = "#messages"
        response["HX-Reswap"] = "innerHTML"
        # What the page would have taken out of a whole answer (hx-select) is not in this one.
        response["HX-Reselect"] = ".say"
    else:
        response = render(request, "errors/studio_error.html", _facts(error, status), status=status)
    patch_vary_headers(response, ["Accept", "HX-Request"])
    return response


def _facts(error: StudioError, status: int) -> dict[str, object]:
    return {
        "error": error,
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "status": status,
    }
