"""Money in and out: recorded, verified, rejected, voided, paid out; and the list of all of it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from payments import ledger, money
from payments.models import Payment, PaymentStatus, PaymentType
from sessions_app import appointment_story, sentences, story, workflow
from sessions_app.actions import pay
from sessions_app.forms.money import (
    ALL,
    OWED,
    TO_VERIFY,
    NothingToFill,
    PaymentFilter,
    PaymentForm,
    PayOutForm,
    VoidForm,
)
from sessions_app.models import Session
from sessions_app.views.finding import visible_payment, visible_session
from studio.access import allows, require
from studio.acting import Done, act, back
from studio.conf import STUDIO
from studio.csv_files import csv_response
from studio.roles import Perm

PAGE_SIZE = 50
SORTS = {
    "date": ("payment_date", "id"),
    "-date": ("-payment_date", "-id"),
    "amount": ("amount", "id"),
    "-amount": ("-amount", "-id"),
    "registered": ("registered_at", "id"),
    "-registered": ("-registered_at", "-id"),
}


# -- recorded for a session --------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def session_deposit(request: HttpRequest, code: str) -> HttpResponse:
    """Money meant as the deposit; what exceeds it becomes a balance payment (D20). An appointment's advance (D28)."""
    return _register(request, code, is_deposit=True)


@require_http_methods(["GET", "HEAD", "POST"])
def session_payment(request: HttpRequest, code: str) -> HttpResponse:
    """A balance payment; of an appointment an instalment, which needs no advance before it (D28)."""
    return _register(request, code, is_deposit=False)


def _register(request: HttpRequest, code: str, *, is_deposit: bool) -> HttpResponse:
    user, now = request.user, timezone.now()
    session = visible_session(request, code)
    require(user, Perm.PAYMENT_REGISTER, session)
    account = ledger.account(session)
    due = max(money.ZERO, (session.deposit_amount or money.ZERO) - account.net_paid - account.pending_in)
    initial = {
        # Nobody knows how much an appointment's client leaves in advance, or by instalments.
        "amount": None if session.is_appointment else (due if is_deposit else account.room_for_payment) or None,
        "payment_date": now.astimezone(STUDIO.zone).date(),
    }
    form = PaymentForm(request.POST if request.method == "POST" else None, initial=initial)
    most = sentences.money(account.room_for_payment)
    splits = is_deposit and not session.is_appointment
    if session.is_appointment and is_deposit:
        form.fields["amount"].help_text = _("Any part of the price; at most %(most)s.") % {"most": most}
    elif is_deposit:
        form.fields["amount"].help_text = _(
            "%(due)s is missing to the deposit. What you enter above it becomes a balance payment with the same "
            "document number; at most %(most)s."
        ) % {"due": sentences.money(due), "most": most}
    else:
        form.fields["amount"].help_text = _("At most %(most)s: payments that wait to be verified are counted.") % {
            "most": most
        }

    def do(values: dict[str, Any]) -> Done:
        if splits:
            written = pay.register_deposit(session, by=user, now=now, **values)
        elif is_deposit:
            written = [pay.register_advance(session, by=user, now=now, **values)]
        else:
            written = [pay.register_balance(session, by=user, now=now, **values)]
        return _registered(session, written, user)

    def context() -> dict[str, Any]:
        present = ledger.account(session)
        return {
            "session": session,
            "page_title": _register_title(session, is_deposit=is_deposit),
            "cancel_url": session.get_absolute_url(),
            "submit_reason": _closed_because(session, present),
            "figures": _figures(session, present),
            "is_deposit": splits,
            "split": _split_preview(session, form, present) if splits else None,
            "nav": "appointment-board" if session.is_appointment else "session-list",
        }

    if request.method == "POST" and splits and "preview" in request.POST:
        typed = PaymentForm(request.POST)
        typed.fields["amount"].help_text = form.fields["amount"].help_text
        form = _only_the_amount_checked(typed)
        return render(request, "payments/register.html", {"form": form, **context()})
    return act(request, form, do, template="payments/register.html", context=context)


def _register_title(session: Session, *, is_deposit: bool) -> str:
    if session.is_appointment:
        return _("Record an advance") if is_deposit else _("Record an instalment")
    return _("Record the deposit") if is_deposit else _("Record a payment")


def _figures(session: Session, account: money.Account) -> list[story.Figure]:
    of_kind = appointment_story if session.is_appointment else story
    return of_kind.figures_of(session, account)


def _only_the_amount_checked(form: PaymentForm) -> PaymentForm:
    """What was typed, without complaints about fields that one has not come to yet."""
    form.is_valid()
    for name in [name for name in form.errors if name != "amount"]:
        del form.errors[name]
    return form


def _split_preview(session: Session, form: PaymentForm, account: money.Account) -> dict[str, str]:
    """How the amount would be written down, in words, by the function that writes it (D20); or that it is too much."""
    if session.deposit_amount is None:
        return {}
    if form.is_bound:
        form.is_valid()
        amount = form.cleaned_data.get("amount")
    else:
        amount = form.initial.get("amount")
    if not amount:
        return {}
    if amount > account.room_for_payment:
        most = sentences.money(account.room_for_payment)
        return {"too_much": _("That is more than is left to pay: %(room)s.") % {"room": most}}
    split = ledger.split_of(session, amount)
    parts = {"deposit": sentences.money(split.deposit), "balance": sentences.money(split.balance)}
    if not split.balance:
        return {"words": _("Deposit %(deposit)s") % parts}
    if not split.deposit:
        return {"words": _("Balance %(balance)s") % parts}
    return {"words": _("Deposit %(deposit)s + Balance %(balance)s") % parts}


def _closed_because(session: Session, account: money.Account) -> str:
    """Why nothing can be recorded now; the ledger has the last word."""
    if session.is_canceled:
        return _("The session is canceled: no payments are taken for it.")
    if session.price_is_open:
        return _("The price is not agreed yet: enter it before money is taken.")
    if session.deposit_amount is None and not session.is_appointment:
        return _("No deposit is asked for yet: the session has to be pre-scheduled first.")
    if account.room_for_payment <= 0:
        return _("Nothing is left to pay.")
    return ""


def _registered(session: Session, written: list[Payment], user: Any) -> Done:
    parts = _("%(type)s of %(amount)s")
    named = [parts % {"type": story.kind_of(row, session), "amount": sentences.money(row.amount)} for row in written]
    text = _("Recorded, waiting to be verified: %(parts)s.") % {"parts": ", ".join(named)}
    facts = {"payments": [_facts(row) for row in written], **story.session_facts(session, user)}
    next_url, next_label = "", ""
    if allows(user, Perm.PAYMENT_VERIFY):
        next_url, next_label = f"{session.get_absolute_url()}#payments", _("Verify")
    return Done(text, session.get_absolute_url(), next_url, next_label, facts)


@require_POST
def session_owe(request: HttpRequest, code: str) -> HttpResponse:
    """Write down that what was paid above the present total goes back (D32)."""
    user, now = request.user, timezone.now()
    session = visible_session(request, code)
    require(user, Perm.PAYMENT_REFUND, session)

    def do(_values: dict[str, Any]) -> Done:
        refund = pay.owe_difference(session, by=user, now=now)
        return Done(
            _("%(amount)s is written down as owed to the client.") % {"amount": sentences.money(refund.amount)},
            session.get_absolute_url(),
            reverse("payment-pay-out", args=[refund.pk]),
            _("Pay it out"),
            {"payment": _facts(refund), **story.session_facts(session, user)},
        )

    context = {
        "session": session,
        "page_title": _("Write down what is owed"),
        "act_label": _("Write down what is owed"),
        "cancel_url": session.get_absolute_url(),
        "nav": "session-list",
    }
    form = NothingToFill(request.POST)
    return act(request, form, do, template="payments/act.html", context=context)


# -- what becomes of a payment -----------------------------------------------------------------------------------------


@require_POST
def payment_verify(request: HttpRequest, payment_id: int) -> HttpResponse:
    """The money arrived."""
    user, now = request.user, timezone.now()
    require(user, Perm.PAYMENT_VERIFY)
    payment = visible_payment(request, payment_id)
    session = payment.session

    def do(_values: dict[str, Any]) -> Done:
        verified = pay.verify(payment, by=user, now=now)
        next_url, next_label = "", ""
        if session.status == workflow.PRE_SCHEDULED and session.may("confirm", user, within_reach=True):
            account = ledger.account(session)
            if account.net_paid >= session.deposit_amount:
                next_url, next_label = story.move_url(session, "confirm"), _("Confirm the session")
        text = _("%(amount)s of %(client)s is verified.") % {
            "amount": sentences.money(verified.amount),
            "client": session.client.full_name,
        }
        owed = Payment.objects.refunds().pending().filter(session=session).order_by("-id").first()
        if session.is_canceled and owed is not None:
            text += " " + _("%(amount)s is owed back.") % {"amount": sentences.money(owed.amount)}
            if allows(user, Perm.PAYMENT_REFUND):
                next_url, next_label = reverse("payment-pay-out", args=[owed.pk]), _("Pay it out")
        return Done(
            text, back(request, session.get_absolute_url()), next_url, next_label, _both(verified, session, user)
        )

    return _decide(request, payment, NothingToFill(request.POST), do, title=_("Verify the payment"))


@require_http_methods(["GET", "HEAD", "POST"])
def payment_reject(request: HttpRequest, payment_id: int) -> HttpResponse:
    """The money never came, or the document is wrong."""
    user, now = request.user, timezone.now()
    require(user, Perm.PAYMENT_VERIFY)
    payment = visible_payment(request, payment_id)

    def do(_values: dict[str, Any]) -> Done:
        rejected = pay.reject(payment, by=user, now=now)
        text = _("%(amount)s is rejected and counts for nothing.") % {"amount": sentences.money(rejected.amount)}
        return Done(text, _home(request, payment), facts=_both(rejected, payment.session, user))

    effects = [
        {"icon": "x-circle", "text": _("It stays in the list, marked as rejected, and counts for nothing.")},
        {"icon": "arrow-repeat", "text": _("The same money can be recorded again when it does arrive.")},
    ]
    form = NothingToFill(request.POST if request.method == "POST" else None)
    return _decide(request, payment, form, do, title=_("Reject the payment"), effects=effects, kind="danger")


@require_http_methods(["GET", "HEAD", "POST"])
def payment_void(request: HttpRequest, payment_id: int) -> HttpResponse:
    """Take a wrong entry out of the books, with the reason (D21)."""
    user, now = request.user, timezone.now()
    require(user, Perm.PAYMENT_VERIFY)
    payment = visible_payment(request, payment_id)

    def do(values: dict[str, Any]) -> Done:
        voided = pay.void(payment, reason=values["reason"], by=user, now=now)
        text = _("%(amount)s is voided.") % {"amount": sentences.money(voided.amount)}
        return Done(text, _home(request, payment), facts=_both(voided, payment.session, user))

    form = VoidForm(request.POST if request.method == "POST" else None)
    return _decide(request, payment, form, do, title=_("Void the payment"), effects=_voiding(payment), kind="danger")


def _voiding(payment: Payment) -> list[dict[str, Any]]:
    """What the books say without it."""
    effects = [
        {
            "icon": "journal-x",
            "text": _("It stays in the list, struck through, with your name and the reason."),
            "why": _("Kept in the audit log."),
        }
    ]
    if payment.is_live and payment.payment_status == PaymentStatus.VERIFIED:
        session = payment.session
        sign = 1 if payment.payment_type == PaymentType.REFUND else -1
        before = ledger.account(session).net_paid
        effects.append(
            {
                "icon": "cash",
                "text": _("Paid so far goes from %(before)s to %(after)s.")
                % {"before": sentences.money(before), "after": sentences.money(before + sign * payment.amount)},
            }
        )
    return effects


@require_http_methods(["GET", "HEAD", "POST"])
def payment_pay_out(request: HttpRequest, payment_id: int) -> HttpResponse:
    """The client has been given the money back (D19)."""
    user, now = request.user, timezone.now()
    require(user, Perm.PAYMENT_REFUND)
    payment = visible_payment(request, payment_id)

    def do(values: dict[str, Any]) -> Done:
        paid = pay.pay_out(payment, by=user, now=now, **values)
        text = _("%(amount)s is paid back to %(client)s.") % {
            "amount": sentences.money(paid.amount),
            "client": payment.session.client.full_name,
        }
        return Done(text, _home(request, payment), facts=_both(paid, payment.session, user))

    form = PayOutForm(
        request.POST if request.method == "POST" else None,
        initial={"payment_date": now.astimezone(STUDIO.zone).date()},
    )
    effects = [
        {"icon": "cash", "text": _("The refund counts as paid back from now on.")},
        {"icon": "journal-text", "text": _("Kept in the audit log.")},
    ]
    return _decide(request, payment, form, do, title=_("Pay the refund out"), effects=effects)


def _decide(
    request: HttpRequest,
    payment: Payment,
    form: NothingToFill | VoidForm | PayOutForm,
    do: Any,
    *,
    title: str,
    effects: list[dict[str, Any]] | None = None,
    kind: str = "",
) -> HttpResponse:
    """The page of one act on one payment, with what the payment is."""

    def context() -> Mapping[str, Any]:
        present = Payment.objects.select_related("session__client", "registered_by").get(pk=payment.pk)
        return {
            "payment": present,
            "kind": story.kind_of(present, present.session),
            "session": present.session,
            "page_title": title,
            "act_label": title,
            "act_kind": kind,
            "effects": effects or [],
            "cancel_url": _home(request, present),
            "next": request.POST.get("next") or request.GET.get("next") or "",
            "nav": "payment-list",
        }

    return act(request, form, do, template="payments/act.html", context=context)


def _home(request: HttpRequest, payment: Payment) -> str:
    return back(request, payment.session.get_absolute_url())


def _facts(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.pk,
        "type": payment.payment_type,
        "status": payment.payment_status,
        "amount": str(payment.amount),
        "voided": payment.deleted_flag,
    }


def _both(payment: Payment, session: Session, user: Any) -> dict[str, Any]:
    return {"payment": _facts(payment), **story.session_facts(session, user)}


# -- all of it ---------------------------------------------------------------------------------------------------------


@require_safe
def payment_list(request: HttpRequest) -> HttpResponse:
    """Every payment: what waits to be verified, what is owed back, and all; as a page or as CSV."""
    require(request.user, Perm.PAYMENT_REGISTER)
    form = PaymentFilter(request.GET)
    form.is_valid()
    tab = form.cleaned_data.get("tab") or (ALL if form.is_filtered else TO_VERIFY)
    everything = Payment.objects.filter(session__deleted_at__isnull=True)
    rows = _in_tab(_filtered(everything, form.cleaned_data), tab)
    sort = request.GET.get("sort", "")
    order = SORTS.get(sort) or SORTS["-registered" if tab == ALL else "registered"]
    rows = rows.select_related("session__client", "registered_by", "verified_by", "deleted_by", "receipt").order_by(
        *order
    )
    if request.GET.get("format") == "csv":
        day = timezone.now().astimezone(STUDIO.zone).date()
        return csv_response(f"payments-{day.isoformat()}", _csv_head(), _csv_rows(rows))
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    counts = everything.pending().aggregate(
        to_verify=_count(TO_VERIFY),
        owed=_count(OWED),
    )
    context = {
        "form": form,
        "tab": tab,
        "chips": _chips(request, tab, counts),
        "page": page,
        "rows": [story.PaymentRow(row, story.payment_moves(row, by=request.user)) for row in page],
        "totals": _totals(rows),
        "is_filtered": form.is_filtered,
        "reset_url": f"{reverse('payment-list')}?tab={tab}",
        "export_url": _with(request, format="csv", tab=tab),
        "come_back": request.get_full_path(),
        "empty": _empty(tab, form.is_filtered),
    }
    return render(request, "payments/list.html", context)


def _in_tab(rows: QuerySet[Payment], tab: str) -> QuerySet[Payment]:
    if tab == TO_VERIFY:
        return rows.pending().incoming()
    if tab == OWED:
        return rows.pending().refunds()
    return rows


def _filtered(rows: QuerySet[Payment], wanted: dict[str, Any]) -> QuerySet[Payment]:
    if wanted.get("since"):
        rows = rows.filter(payment_date__gte=wanted["since"])
    if wanted.get("until"):
        rows = rows.filter(payment_date__lte=wanted["until"])
    if wanted.get("method"):
        rows = rows.filter(payment_method=wanted["method"])
    if wanted.get("kind"):
        rows = rows.filter(payment_type=wanted["kind"])
    if wanted.get("status") == "voided":
        rows = rows.filter(deleted_flag=True)
    elif wanted.get("status"):
        rows = rows.filter(deleted_flag=False, payment_status=wanted["status"])
    text = (wanted.get("q") or "").strip()
    if text:
        found = Session.objects.search(text).values("pk")
        rows = rows.filter(Q(session__in=found) | Q(document_number__icontains=text))
    return rows


def _totals(rows: QuerySet[Payment]) -> list[dict[str, Any]]:
    """What the rows that are shown add up to; voided and rejected ones count for nothing."""
    verified = Q(deleted_flag=False, payment_status=PaymentStatus.VERIFIED)
    pending = Q(deleted_flag=False, payment_status=PaymentStatus.PENDING)
    refund = Q(payment_type=PaymentType.REFUND)
    sums = rows.order_by().aggregate(
        verified=Sum("amount", filter=verified & ~refund),
        pending=Sum("amount", filter=pending & ~refund),
        paid_back=Sum("amount", filter=verified & refund),
        owed=Sum("amount", filter=pending & refund),
    )
    labels = {
        "verified": _("verified"),
        "pending": _("waiting to be verified"),
        "paid_back": _("paid back"),
        "owed": _("owed to clients"),
    }
    return [{"label": label, "amount": sums[name]} for name, label in labels.items() if sums[name]]


def _count(tab: str) -> Any:
    """Of pending ones."""
    refund = Q(payment_type=PaymentType.REFUND)
    return Count("pk", filter=refund if tab == OWED else ~refund)


def _chips(request: HttpRequest, tab: str, counts: dict[str, int]) -> list[dict[str, Any]]:
    labels = {
        TO_VERIFY: (_("To verify"), counts["to_verify"]),
        OWED: (_("Refunds owed"), counts["owed"]),
        ALL: (_("All"), None),
    }
    return [
        {"label": label, "count": count, "url": _with(request, tab=name), "is_current": name == tab}
        for name, (label, count) in labels.items()
    ]


def _with(request: HttpRequest, **changes: str) -> str:
    """The list's address with these changes, on its first page."""
    query = request.GET.copy()
    for name in ("page", "format"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = value
    return f"?{query.urlencode()}"


def _empty(tab: str, is_filtered: bool) -> dict[str, str]:
    if is_filtered:
        return {"title": _("No payment like that"), "text": _("Take a filter away, or look at all payments.")}
    if tab == TO_VERIFY:
        return {
            "title": _("Nothing to verify"),
            "text": _("Payments are recorded on the page of their session and wait here until somebody has seen them."),
        }
    if tab == OWED:
        return {"title": _("Nothing is owed"), "text": _("Refunds of canceled sessions wait here until paid out.")}
    return {"title": _("No payments yet"), "text": _("Payments are recorded on the page of their session.")}


def _csv_head() -> list[str]:
    return [
        _("Date"),
        _("Session"),
        _("Client"),
        _("Type"),
        _("Status"),
        _("Amount"),
        _("Method"),
        _("Document number"),
        _("Recorded by"),
        _("Recorded"),
        _("Decided by"),
        _("Decided"),
        _("Notes"),
        _("Reason for voiding"),
    ]


def _csv_rows(rows: QuerySet[Payment]) -> Iterator[list[Any]]:
    for row in rows.iterator(chunk_size=2000):
        yield [
            row.payment_date.isoformat(),
            row.session.code,
            row.session.client.full_name,
            row.get_payment_type_display(),
            _("Voided") if row.deleted_flag else row.get_payment_status_display(),
            row.amount,
            row.get_payment_method_display(),
            row.document_number,
            row.registered_by.full_name if row.registered_by else "",
            _stamp(row.registered_at),
            row.verified_by.full_name if row.verified_by else "",
            _stamp(row.verified_at),
            row.notes,
            row.deleted_reason,
        ]


def _stamp(moment: datetime | None) -> str:
    return moment.astimezone(STUDIO.zone).strftime("%Y-%m-%d %H:%M") if moment else ""


urlpatterns = [
    path("sessions/<str:code>/deposit/", session_deposit, name="session-deposit"),
    path("sessions/<str:code>/payment/", session_payment, name="session-payment"),
    path("sessions/<str:code>/owe/", session_owe, name="session-owe"),
    path("payments/", payment_list, name="payment-list"),
    path("payments/<int:payment_id>/verify/", payment_verify, name="payment-verify"),
    path("payments/<int:payment_id>/reject/", payment_reject, name="payment-reject"),
    path("payments/<int:payment_id>/void/", payment_void, name="payment-void"),
    path("payments/<int:payment_id>/pay-out/", payment_pay_out, name="payment-pay-out"),
]
