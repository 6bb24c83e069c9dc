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
from payments.models import Payment, PaymentMethod
from payments.money import Account
from sessions_app import cancellation, sentences, story, workflow
from sessions_app.actions import pay, shoot
from sessions_app.clients import risk_of
from sessions_app.consequences import Scene, advance_table, consequences, refund_table, rows_with_people
from sessions_app.forms.moves import (
    NO_SHOW,
    CancelAppointmentForm,
    CompleteForm,
    MoveForm,
    TakeForAnotherForm,
    form_of,
)
from sessions_app.models import Session
from sessions_app.models.session import LastLook
from sessions_app.views.finding import visible_session
from sessions_app.workflow import PHOTOGRAPHY, Transition
from studio.access import allows
from studio.acting import Done, act
from studio.answers import wants_json
from studio.conf import STUDIO
from studio.errors import InvalidInput, NotFound
from studio.roles import Perm, is_admin

TEMPLATES = {"confirm": "sessions_app/move_confirm.html", "cancel": "sessions_app/move_cancel.html"}
APPOINTMENT_TEMPLATES = {
    "complete": "sessions_app/appointment_complete.html",
    "cancel": "sessions_app/appointment_cancel.html",
}


@require_http_methods(["GET", "HEAD", "POST"])
def session_move(request: HttpRequest, code: str, name: str) -> HttpResponse:
    """The page of one move, and the move."""
    if name not in workflow.NAMES:
        raise NotFound
    return _answer(request, code, name)


@require_POST
def session_attend(request: HttpRequest, code: str) -> HttpResponse:
    """A photographer was there: the first mark moves the session, the next ones note who else was (D10)."""
    return _answer(request, code, "attend")


def _answer(request: HttpRequest, code: str, name: str) -> HttpResponse:
    user, now = request.user, timezone.now()
    # Whoever loses the race for a session of the queue is told so, instead of not finding it any more (D8, D11).
    is_queued = name in PHOTOGRAPHY and PHOTOGRAPHY[name].from_queue
    session = visible_session(request, code, Session.objects.known_to(user) if is_queued else None)
    transition = workflow.row_of(session.session_type, name)
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
            # The warning names other people's payments: an artist is not to read of them.
            may_compare = allows(user, Perm.PAYMENT_REGISTER)
            if payload.get("document_number") and may_compare and not values["same_document"]:
                pay.warn_of_document(payload["document_number"])
            if payload.get("no_show") and session.starts_at > now:
                raise InvalidInput(_("It has not begun: nobody can have missed it yet."), field="initiator")
            unless = taking(values["shown"]) if values.get("shown") is not None else None
            moved = session.move(transition.name, by=user, now=now, unless=unless, **payload)
        return done(moved, transition, user, now)

    return act(
        request,
        form,
        do,
        template=template_of(transition),
        context=lambda: page_of(session, transition, form, by=user, now=now),
    )


def template_of(transition: Transition) -> str:
    own = APPOINTMENT_TEMPLATES if workflow.is_of_appointments(transition) else TEMPLATES
    return own.get(transition.name, "sessions_app/move.html")


def taking(shown: Decimal) -> LastLook:
    """Refuse to take another amount than the one that the page showed: the price or a payment changed meanwhile."""

    def look(_session: Session, account: Account) -> None:
        if account.still_to_pay != shown:
            raise InvalidInput(
                _("What is left to pay has changed meanwhile: it is %(rest)s now.")
                % {"rest": sentences.money(account.still_to_pay)},
                details={"failed": ["rest_changed"], "rest": str(account.still_to_pay)},
            )

    return look


def form_for(
    request: HttpRequest, session: Session, transition: Transition, account: Account, now: datetime
) -> MoveForm:
    """The form of this move, with what is known filled in."""
    kind = form_of(transition)
    if transition.name == "take" and is_admin(request.user):
        kind = TakeForAnotherForm
    initial: dict[str, Any] = {}
    if transition.name == "confirm":
        missing = _missing(session, account)
        initial = {
            "amount": missing if missing > 0 else None,
            "payment_date": now.astimezone(STUDIO.zone).date(),
        }
    elif kind is CompleteForm:
        initial = {"method": _usual_method(session) if account.still_to_pay <= 0 else None}
    elif kind is CancelAppointmentForm and "no_show" in request.GET:
        initial = {"initiator": NO_SHOW}
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
        "nav": "appointment-board" if fresh.is_appointment else "session-list",
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
    elif transition is workflow.APPOINTMENTS["complete"]:
        context |= _about_the_settling(fresh, account, now)
    elif transition is workflow.APPOINTMENTS["cancel"]:
        context |= _about_the_advance(account, form)
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


def _about_the_settling(session: Session, account: Account, now: datetime) -> dict[str, Any]:
    """What is taken now: the price, less what was paid (D27); and where a price that is open is entered."""
    lines = [{"text": _("Price"), "amount": session.total}]
    if account.net_paid:
        lines.append({"text": _("Paid before"), "amount": -account.net_paid})
    context: dict[str, Any] = {
        "lines": lines,
        "total": account.still_to_pay,
        "total_label": _("Taken now"),
        "rest": account.still_to_pay,
    }
    if account.still_to_pay > 0:
        context["act_label"] = _("Take %(rest)s and complete") % {"rest": sentences.money(account.still_to_pay)}
    if account.remaining_balance < 0:
        context["warning"] = _("%(excess)s was paid above the price.") % {
            "excess": sentences.money(-account.remaining_balance)
        }
        context["warning_why"] = _("It is owed to the client; coordination writes it down and pays it out.")
    if session.starts_at > now:
        context["warning"] = _("It begins on %(when)s only.") % {"when": sentences.local(session.starts_at)}
        context["warning_why"] = _("Completed is for good: its time, its price and its commission stand.")
    if session.price_is_open:
        context["warning"] = _("The price is not agreed yet.")
        context["warning_why"] = _("Completed like this it is %(nothing)s, and nothing is taken.") % {
            "nothing": sentences.money(account.still_to_pay)
        }
        context["price_url"] = reverse("appointment-edit", args=[session.code])
    return context


def _usual_method(session: Session) -> str:
    """Of nothing that is taken: as the client paid before, else in cash."""
    last = Payment.objects.live().incoming().filter(session=session).order_by("-id").first()
    return last.payment_method if last is not None else PaymentMethod.CASH


def _about_the_advance(account: Account, form: MoveForm) -> dict[str, Any]:
    """What goes back and what is kept, by who cancels; and the choice, where there is an advance (D40)."""
    context: dict[str, Any] = {}
    if account.net_paid > account.pending_refunds:
        amounts = [cancellation.advance_of(account, gives_back=gives_back) for gives_back in (True, False)]
        form.fields["refund"].choices = [
            ("", _("As usual: see the table")),
            ("true", _("%(amount)s goes back") % {"amount": sentences.money(amounts[0].back)}),
            ("false", _("%(amount)s is kept") % {"amount": sentences.money(amounts[1].kept)}),
        ]
        context["advance"] = advance_table(account)
    if account.pending_in:
        context["warning"] = _("%(amount)s waits to be verified and is in none of these amounts.") % {
            "amount": sentences.money(account.pending_in)
        }
        context["warning_why"] = _("What is verified afterwards goes the way that is chosen here.")
    context["asks_refund"] = "advance" in context or bool(account.pending_in)
    return context


def act_label(transition: Transition) -> str:
    if transition is workflow.APPOINTMENTS["cancel"]:
        return pgettext("act", "Cancel the appointment")
    if transition.name == "cancel":
        return pgettext("act", "Cancel the session")
    return sentences.name_of(transition)


def done(session: Session, transition: Transition, by: Any, now: datetime) -> Done:
    """What happened, and the next sensible act of this person."""
    text = sentences.done_by(transition, no_show=session.no_show) % {
        "code": session.code,
        "payment_deadline": sentences.local(session.payment_deadline),
    }
    next_url, next_label = "", ""
    match transition.name:
        case "complete" if session.is_appointment:
            text, next_url, next_label = _settled(session, by, text)
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
            may_pay_out = allows(by, Perm.PAYMENT_REFUND)
            if refund and (may_pay_out or session.is_appointment):
                text += " " + _("%(amount)s is owed back.") % {"amount": sentences.money(refund.amount)}
            if refund and may_pay_out:
                next_url, next_label = reverse("payment-pay-out", args=[refund.pk]), _("Pay it out")
    return Done(text, session.get_absolute_url(), next_url, next_label, story.session_facts(session, by))


def _settled(session: Session, by: Any, text: str) -> tuple[str, str, str]:
    """What was taken and how, and its receipt for those who give it out."""
    taken = Payment.objects.live().filter(session=session).select_related("receipt").order_by("-id").first()
    if taken.amount == 0:
        return text, "", ""
    text += " " + _("%(amount)s was taken: %(method)s.") % {
        "amount": sentences.money(taken.amount),
        "method": str(taken.get_payment_method_display()).lower(),
    }
    if not allows(by, Perm.PAYMENT_REGISTER):
        return text, "", ""
    return text, reverse("receipt-pdf", args=[taken.receipt.number]), _("Receipt")


urlpatterns = [
    path("sessions/<str:code>/moves/<str:name>/", session_move, name="session-move"),
    path("sessions/<str:code>/attend/", session_attend, name="session-attend"),
]
