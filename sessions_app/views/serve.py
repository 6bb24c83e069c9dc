""" "Can we serve this client?": the question in the address, the answer, and one click to a session (screens)."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sessions_app import sentences, serving
from sessions_app import terms as reckoning
from sessions_app.actions import serve
from sessions_app.clients import Record
from sessions_app.feasibility import Answer, answer
from sessions_app.forms.serve import Question, TakeForm, WishForm, opened, sealed
from sessions_app.models import Session
from sessions_app.opening_words import with_warning
from sessions_app.views.requests import clients_to_choose_from
from studio.access import require
from studio.acting import Done, act
from studio.conf import STUDIO
from studio.roles import Perm
from studio.templatetags.atelier import moment

TEMPLATE = "sessions_app/serve.html"
DURATIONS = ("30 min", "1 h", "1 h 30 min", "2 h", "3 h", "4 h", "6 h", "8 h", "12 h")
WISHES = ("last_day", "packages", "people", "room")


@require_safe
def feasibility(request: HttpRequest) -> HttpResponse:
    """The form, and the answer once a date is known. ``?client=3`` says for whom."""
    _require(request)
    context = _context(request, TakeForm())
    wrong = context["wish_form"].is_bound and context["wish_form"].errors
    return render(request, TEMPLATE, context, status=422 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def feasibility_hold(request: HttpRequest) -> HttpResponse:
    """The request with its room and people held, in one act."""

    def do(form: TakeForm) -> Done:
        session = _take(request, form, serve.hold)
        if session.held_until is None:
            text = _("%(code)s is written down.") % {"code": session.code}
        else:
            text = _("%(code)s is written down, and what it needs is held until %(when)s.") % {
                "code": session.code,
                "when": moment(session.held_until),
            }
        if session.total:
            next_url = reverse("session-move", args=[session.code, "negotiate"])
            next_label = sentences.MOVES["negotiate"]
        else:
            next_url, next_label = reverse("session-lines", args=[session.code]), _("Say what is sold")
        text = with_warning(text, session.span)
        return Done(text, session.get_absolute_url(), next_url, next_label, {"session": session.code})

    return _taking(request, do)


@require_http_methods(["GET", "HEAD", "POST"])
def feasibility_quote(request: HttpRequest) -> HttpResponse:
    """The same, in negotiation at once, with the lines of what is sold."""

    def do(form: TakeForm) -> Done:
        session = _take(request, form, serve.quote)
        text = _("%(code)s is in negotiation, and what it needs is held.") % {"code": session.code}
        return Done(
            with_warning(text, session.span),
            reverse("session-lines", args=[session.code]),
            session.get_absolute_url(),
            _("Open the session"),
            {"session": session.code},
        )

    return _taking(request, do)


def _require(request: HttpRequest) -> None:
    """Whoever writes requests down and may know what is in the way of one."""
    require(request.user, Perm.SESSION_VIEW_ALL)
    require(request.user, Perm.SESSION_CREATE)


def _take(request: HttpRequest, form: TakeForm, do: Callable[..., Session]) -> Session:
    values = form.cleaned_data
    return do(
        opened(values["offer"]),
        client=values["client"] or form.new_client(),
        event_description=values["event_description"],
        by=request.user,
        now=timezone.now(),
    )


def _taking(request: HttpRequest, do: Callable[[TakeForm], Done]) -> HttpResponse:
    """Do it, or show the page again with what is wrong; its address, opened later, is the question's."""
    _require(request)
    if request.method != "POST":
        asked = request.GET.urlencode()
        return redirect(f"{reverse('feasibility')}{'?' if asked else ''}{asked}")
    if "find" in request.POST:
        # Enter in a field, or the button beside it: who fits what was typed.
        form = TakeForm(initial=request.POST.dict())
        return render(request, TEMPLATE, _context(request, form))
    form = TakeForm(request.POST)
    return act(request, form, lambda _values: do(form), template=TEMPLATE, context=lambda: _context(request, form))


def _context(request: HttpRequest, form: TakeForm) -> dict[str, Any]:
    now = timezone.now()
    today = now.astimezone(STUDIO.zone).date()
    asked = bool(request.GET.get("first_day"))
    wish_form = WishForm(_with_defaults(request) if asked else None, today=today, initial=request.GET.dict())
    sent = request.POST if request.method == "POST" else request.GET
    clients = clients_to_choose_from(sent)
    context = {
        "page_title": _("Can we serve this client?"),
        "nav": "feasibility",
        "form": form,
        "wish_form": wish_form,
        "asked": request.GET.urlencode(),
        "asked_for": request.GET.get("client", ""),
        "clients": clients,
        "searched": sent.get("client_search", "").strip(),
        "has_new_client": any(sent.get(name) for name in ("full_name", "primary_phone", "email")),
        "durations": DURATIONS,
        "has_wishes": any(request.GET.get(name) for name in WISHES),
    }
    if asked and wish_form.is_valid():
        chosen = next((option for option in clients if option.is_chosen), None)
        record = chosen.record if chosen is not None else None
        context |= _answered(answer(wish_form.wish(), now=now), wish_form, record=record)
    return context


def _with_defaults(request: HttpRequest) -> Any:
    """What the address leaves out is as the empty form has it: a link may say the day alone."""
    asked = request.GET.copy()
    for name in ("session_type", "duration", "photographers"):
        if name not in asked:
            field = WishForm.base_fields[name]
            asked[name] = field.prepare_value(field.initial) if hasattr(field, "to_python") else field.initial
    return asked


def _answered(given: Answer, wish_form: WishForm, *, record: Record | None) -> dict[str, Any]:
    """The answer in words, and what its best offer comes to."""
    price = reckoning.price_of(wish_form.package_ids(), transportation_cost=wish_form.transportation_cost())
    question = Question(given.wish, wish_form.package_ids(), wish_form.transportation_cost())
    every = [*given.offers, *(each.offer for each in given.alternatives)]
    comes_to = {}
    if every:
        desk = reckoning.desk(until=max(offer.day for offer in every), now=given.now)
        percentage = record.deposit_percentage if record is not None else None
        comes_to = {
            id(offer): reckoning.terms(
                offer.span.start, price=price, desk=desk, now=given.now, deposit_percentage=percentage
            )
            for offer in every
        }
    best = comes_to.get(id(given.best))
    tokens = [sealed(offer, question) for offer in every]
    mine, others = tokens[: len(given.offers)], tokens[len(given.offers) :]
    late = [comes_to[id(each.offer)].days_late for each in given.alternatives]
    return {
        "answer": given,
        "verdict": serving.verdict(given, best if given.offers else None),
        "offers": serving.offers(given, mine),
        "more_offers": given.offers_in_all - len(given.offers),
        "alternatives": serving.alternatives(given, others, late),
        "people": serving.people(given),
        "rooms": serving.rooms(given),
        "terms": best,
        "best": given.best,
        "best_when": serving.in_words(given.best) if given.best else "",
        "best_whom": serving.with_whom(given.best) if given.best else "",
        "is_risky": record is not None and record.is_high_risk,
        "sells": bool(question.package_ids),
    }


urlpatterns = [
    path("serve/", feasibility, name="feasibility"),
    path("serve/hold/", feasibility_hold, name="feasibility-hold"),
    path("serve/quote/", feasibility_quote, name="feasibility-quote"),
]
