"""The one way in which a page acts: bind a form, call one action, say what happened, redirect.

A form that breaks a rule comes back with what was typed, the sentence beside its field and the code's status; for a
machine (JSON) the same error is ``{"code", "message", "details"}``, and a success ``{"ok": true, "message", "url",
...}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from studio.answers import answer_error, wants_json
from studio.errors import AccessDenied, InvalidInput, NotFound, SessionNotFound, StudioError
from studio.say import tell


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, where to go, and the next sensible act. ``facts`` are for machines."""

    text: str | Promise
    url: str
    next_url: str = ""
    next_label: str | Promise = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def act(
    request: HttpRequest,
    form: BaseForm,
    do: Callable[[dict[str, Any]], Done],
    *,
    template: str,
    context: Callable[[], Mapping[str, Any]] | Mapping[str, Any],
) -> HttpResponse:
    """Answer a GET with the form, and a POST by doing it.

    ``do`` gets the cleaned values, calls one action and returns what to say. ``context`` is asked after the action has
    failed, so that the page shows what is true then.
    """
    if request.method != "POST":
        return _page(request, form, template, context, 200)
    if not form.is_valid():
        if wants_json(request):
            return answer_error(request, refusal_of(form))
        return _page(request, form, template, context, InvalidInput.status)
    try:
        done = do(form.cleaned_data)
    except (AccessDenied, SessionNotFound, NotFound):
        raise
    except StudioError as error:
        if wants_json(request):
            return answer_error(request, error)
        add_error(form, error)
        return _page(request, form, template, context, error.status)
    return finish(request, done)


def finish(request: HttpRequest, done: Done) -> HttpResponse:
    """Say what happened and go on."""
    if wants_json(request):
        return JsonResponse({"ok": True, "message": str(done.text), "url": done.url, **done.facts})
    tell(request, done.text, next_url=done.next_url, next_label=done.next_label)
    return redirect(done.url)


def add_error(form: BaseForm, error: StudioError) -> None:
    """The sentence beside the field that it concerns, or above the form."""
    named = error.field if error.field in form.fields and not form.fields[error.field].widget.is_hidden else None
    form.add_error(named, error.message)


def refusal_of(form: BaseForm) -> InvalidInput:
    """The errors of a form as one error for a machine."""
    fields = {name: [str(message) for message in messages] for name, messages in form.errors.items()}
    first = next(iter(fields.items()))
    label = "" if first[0] == "__all__" else f"{form.fields[first[0]].label or first[0]}: "
    return InvalidInput(
        f"{label}{first[1][0]}" if first[1] else _("Check what you have typed."), details={"fields": fields}
    )


def back(request: HttpRequest, default: str) -> str:
    """Where the person came from, when that is a page of ours (``next``), else ``default``."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts=None, require_https=request.is_secure())
    return target if safe and target.startswith("/") else default


def _page(
    request: HttpRequest,
    form: BaseForm,
    template: str,
    context: Callable[[], Mapping[str, Any]] | Mapping[str, Any],
    status: int,
) -> HttpResponse:
    values = context() if callable(context) else context
    return render(request, template, {"form": form, **values}, status=status)
