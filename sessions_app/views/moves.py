"""One mechanism for all moves, driven by the table: what it does before the click, its fields, the act."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_POST

from payments import ledger
from payments.models import Payment
from payments.money import Account
from sessions_app import sentences, story, workflow
from sessions_app.actions import pay, shoot
from sessions_app.clients import risk_of
from sessions_app.consequences import Scene, consequences, refund_table, rows_with_people
from sessions_app.forms.moves import FORMS, MoveForm, TakeForAnotherForm
from sessions_app.models import Session
from sessions_app.views.finding import visible_session
from sessions_app.workflow import PHOTOGRAPHY, Transition
from studio.access import allows
from studio.acting import Done, act
from studio.answers import wants_json
from studio.conf import STUDIO
from studio.errors import NotFound
from studio.roles import Perm, is_admin

TEMPLATES = {"confirm": "sessions_app/move_confirm.html", "cancel": "sessions_app/move_cancel.html"}


@require_http_methods(["GET", "HEAD", "POST"])
def session_move(request: HttpRequest, code: str, name: str) -> HttpResponse:
    """The page of one move, and the move."""
    if name not in PHOTOGRAPHY:
        raise NotFound
    return _answer(request, code, PHOTOGRAPHY[name])


@require_POST
def session_attend(request: HttpRequest, code: str) -> HttpResponse:
    """A photographer was there: the first mark moves the session, the next ones note who else was (D10)."""
    return _answer(request, code, PHOTOGRAPHY["attend"])


def _answer(request: HttpRequest, code: str, transition: Transition) -> HttpResponse:
    user, now = request.user, timezone.now()
    # Whoever loses the race for a session of the queue is told so, instead of not finding it any more (D8, D11).
    among = Session.objects.known_to(user) if transition.from_queue else None
    session = visible_session(request, code, among)
    session.require_may(transition.name, user)
    if request.method != "POST" and session.status not in transition.sources:
        raise sentences.wrong_state(session, transition, user)
    account = ledger.account(session)
    form = form_for(request, session, transition, account, now)

    if request.method != "POST" and wants_json(request):
        return JsonResponse(foreseen(page_of(session, transition, form, by=user, now=now), transition))

    def do(values: dict[str, Any]) -> Done:
        if transition.name == "attend":
            moved = shoot.mark_attended(session, by=user, now=now)
        else:
            payload = form.payload()
            if "deposit" in payload and not values["same_document"]:
                pay.warn_of_document(payload["deposit"].document_number)
            moved = session.move(transition.name, by=user, now=now, **payload)
        return done(moved, transition, user, now)

    return act(
        request,
        form,
        do,
        template=TEMPLATES.get(transition.name, "sessions_app/move.html"),
        context=lambda: page_of(session, transition, form, by=user, now=now),
    )


def form_for(
    request: HttpRequest, session: Session, transition: Transition, account: Account, now: datetime
) -> MoveForm:
    """The form of this move, with what is known filled in."""
    kind = FORMS.get(transition.name, MoveForm)
    if transition.name == "take" and is_admin(request.user):
        kind = TakeForAnotherForm
    initial: dict[str, Any] = {}
    if transition.name == "confirm":
        missing = _missing(session, account)
        initial = {
            "amount": missing if missing > 0 else None,
            "payment_date": now.astimezone(STUDIO.zone).date(),
        }
    form = kind(request.POST if request.method == "POST" else None, initial=initial)
    if transition.name == "confirm":
        form.fields["amount"].help_text = _(
            "%(missing)s is missing to the deposit. What you enter above it goes to the balance; at most %(most)s."
        ) % {
            "missing": sentences.money(max(Decimal("0.00"), _missing(session, account))),
            "most": sentences.money(account.room_for_payment),
        }
    return form


def page_of(session: Session, transition: Transition, form: MoveForm, *, by: Any, now: datetime) -> dict[str, Any]:
    """What the page shows, as things are at this moment: after a refusal they may have changed."""
    fresh = Session.objects.select_related("client", "room", "assigned_editor").get(pk=session.pk)
    label = act_label(transition)
    context: dict[str, Any] = {
        "session": fresh,
        "page_title": f"{label}: {fresh.title}",
        "move_label": label,
        "act_label": label,
        "act_kind": "danger" if transition.target == workflow.CANCELED else "",
        "cancel_url": fresh.get_absolute_url(),
        "nav": "session-list",
    }
    if fresh.status not in transition.sources:
        return context | {"act_reason": sentences.wrong_state(fresh, transition, by).message}
    account = ledger.account(fresh)
    scene = Scene(session=fresh, account=account, by=by, now=now, on_it=rows_with_people(fresh))
    facts = story.facts_of(fresh, [transition], by=by, now=now, account=account)
    context |= {
        "effects": consequences(transition, scene),
        "act_reason": story.blocked_because(fresh, transition, facts),
    }
    if transition.name == "confirm":
        context |= _about_the_deposit(fresh, account)
    elif transition.name == "cancel":
        context |= _about_the_refund(fresh, account, form, now)
    elif transition.name in ("negotiate", "preschedule") and (risk := risk_of(fresh)):
        context |= {"warning": risk.text, "warning_why": risk.why}
    elif transition.name == "complete" and account.still_to_pay > 0:
        context["warning"] = _("It is not paid in full: %(missing)s is missing.") % {
            "missing": sentences.money(account.still_to_pay)
        }
        context["warning_why"] = _("Completing does not wait for it; the balance stays open.")
    return context


def foreseen(page: dict[str, Any], transition: Transition) -> dict[str, Any]:
    """The page before the act, for a machine."""
    return {
        "move": transition.name,
        "target": transition.target,
        "possible": not page["act_reason"],
        "reason": page["act_reason"],
        "effects": [{"text": each.text, "why": each.why} for each in page["effects"]],
        "warning": page.get("warning", ""),
    }


def _missing(session: Session, account: Account) -> Decimal:
    return (session.deposit_amount or Decimal("0.00")) - account.net_paid


def _about_the_deposit(session: Session, account: Account) -> dict[str, Any]:
    """Fields for the deposit, or the payments that wait to be verified first, or neither: it is covered."""
    missing = _missing(session, account)
    waiting = list(Payment.objects.live().incoming().pending().filter(session=session)) if account.pending_in else []
    context: dict[str, Any] = {
        "figures": story.figures_of(session, account),
        "asks_deposit": missing > 0 and not waiting,
        "waiting": waiting,
        "back": story.move_url(session, "confirm"),
    }
    if missing > 0 and waiting:
        context["act_reason"] = _("Verify what is waiting first: the deposit is not covered without it.")
    return context


def _about_the_refund(session: Session, account: Account, form: MoveForm, now: datetime) -> dict[str, Any]:
    """What each way of canceling pays back, with what it is reckoned from."""
    table = refund_table(session, account, now=now)
    form.fields["initiator"].choices = [
        (row.initiator, _("%(who)s: %(amount)s back") % {"who": row.who, "amount": sentences.money(row.today)})
        for row in table.rows
    ]
    lines = [{"text": _("Verified payments"), "amount": account.total_paid}]
    if account.total_refunded:
        lines.append({"text": _("Paid back before"), "amount": -account.total_refunded})
    if account.pending_refunds:
        lines.append({"text": _("Owed back already"), "amount": -account.pending_refunds})
    if account.refund_owed > account.pending_refunds:
        excess = account.refund_owed - account.pending_refunds
        lines.append({"text": _("Paid above the total: goes back whole"), "amount": -excess})
    context: dict[str, Any] = {
        "refunds": table,
        "lines": lines,
        "total": table.rows[0].base,
        "total_label": _("Refunds are reckoned from"),
    }
    if account.pending_in:
        context["warning"] = _("%(amount)s waits to be verified and is no part of the refund.") % {
            "amount": sentences.money(account.pending_in)
        }
        context["warning_why"] = _("Verify or reject it first. What is verified afterwards is owed back whole.")
    return context


def act_label(transition: Transition) -> str:
    if transition.name == "cancel":
        return pgettext("act", "Cancel the session")
    return str(sentences.MOVES[transition.name])


def done(session: Session, transition: Transition, by: Any, now: datetime) -> Done:
    """What happened, and the next sensible act of this person."""
    text = str(sentences.DONE[transition.name]) % {
        "code": session.code,
        "payment_deadline": sentences.local(session.payment_deadline),
    }
    next_url, next_label = "", ""
    match transition.name:
        case "negotiate" | "reopen":
            next_url, next_label = reverse("session-lines", args=[session.code]), _("What is sold")
        case "preschedule":
            next_url, next_label = reverse("session-deposit", args=[session.code]), _("Record the deposit")
        case "confirm":
            next_url, next_label = reverse("session-people", args=[session.code]), _("People and room")
        case "attend":
            next_url, next_label = reverse("session-notes", args=[session.code]), _("Observations and incidents")
        case "take" if session.assigned_editor_id == by.pk:
            next_url, next_label = reverse("session-observe", args=[session.code]), _("Observations")
        case "cancel":
            refund = Payment.objects.refunds().pending().filter(session=session).order_by("-id").first()
            if refund and allows(by, Perm.PAYMENT_REFUND):
                text += " " + _("%(amount)s is owed back.") % {"amount": sentences.money(refund.amount)}
                next_url, next_label = reverse("payment-pay-out", args=[refund.pk]), _("Pay it out")
    return Done(text, session.get_absolute_url(), next_url, next_label, story.session_facts(session, by))


urlpatterns = [
    path("sessions/<str:code>/moves/<str:name>/", session_move, name="session-move"),
    path("sessions/<str:code>/attend/", session_attend, name="session-attend"),
]
