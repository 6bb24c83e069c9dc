"""What a session sells, and its price: one page, whose every act comes back to it with the new totals."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.explode import Line, package_discount
from catalog.models import Item, Package
from payments import ledger, money
from sessions_app import sentences, workflow
from sessions_app.actions import price
from sessions_app.clients import Record, record_of, risk_of
from sessions_app.forms.lines import ItemForm, LineForm, MoveLineForm, PackageForm, PriceForm, RemovePackageForm
from sessions_app.models import ReferenceType, Session, SessionDetail
from sessions_app.quotes import lines_of
from sessions_app.views.finding import visible_session
from studio.access import require
from studio.acting import Done, act, add_error, refusal_of
from studio.answers import answer_error, wants_fragment, wants_json
from studio.conf import STUDIO
from studio.errors import InvalidInput
from studio.roles import Perm, is_admin
from studio.templatetags.atelier import money as in_words

PAGE = "sessions_app/lines.html"
# Of a machine's request or a worn-out link; the lines of a page are far fewer.
LARGEST_ID = 2**63 - 1


@require_safe
def session_lines(request: HttpRequest, code: str) -> HttpResponse:
    session = _found(request, code)
    return render(request, PAGE, _page(session, request))


@require_http_methods(["GET", "HEAD", "POST"])
def session_add_package(request: HttpRequest, code: str) -> HttpResponse:
    """A GET shows what the package would bring, a POST sells it."""
    session = _found(request, code)
    if request.method != "POST":
        return _preview(request, session)
    form = PackageForm(request.POST, packages=_packages(session))

    def do(values: dict[str, Any]) -> Done:
        package = values["package"]
        lines = price.add_package(session, by=request.user, now=timezone.now(), **values)
        return _done(session, _("%(package)s is sold.") % {"package": package}, lines=[line.pk for line in lines])

    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, package_form=form))


@require_http_methods(["GET", "HEAD", "POST"])
def session_add_item(request: HttpRequest, code: str) -> HttpResponse:
    """A GET names an item, and the form comes with its usual quantity."""
    session = _found(request, code)
    if request.method != "POST":
        form = ItemForm(request.GET, items=_items()) if request.GET.get("item") else None
        usual = form.cleaned_data["item"] if form and form.is_valid() else None
        initial = {"item": usual.pk, "quantity": usual.default_quantity or 1} if usual else {}
        return render(request, PAGE, _page(session, request, item_form=ItemForm(items=_items(), initial=initial)))
    form = ItemForm(request.POST, items=_items())

    def do(values: dict[str, Any]) -> Done:
        line = price.add_item(session, by=request.user, now=timezone.now(), **values)
        text = _("%(quantity)d × %(item)s is sold.") % {"quantity": line.quantity, "item": line.item_name}
        return _done(session, text, line=line.pk)

    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, item_form=form))


@require_POST
def session_change_line(request: HttpRequest, code: str, line_id: int) -> HttpResponse:
    """One line by itself, as a machine changes it; the page saves its lines with the price."""
    session = _found(request, code)
    sent = {f"line{line_id}-{name}": request.POST[name] for name in LineForm.base_fields if name in request.POST}
    form = LineForm(sent, line_id=line_id)

    def do(values: dict[str, Any]) -> Done:
        line = price.change_line(session, line_id=_bounded(line_id), by=request.user, now=timezone.now(), **values)
        return _done(session, _("%(line)s: changed.") % {"line": line})

    return act(
        request,
        form,
        do,
        template=PAGE,
        context=lambda: _page(session, request, line_form=form, failed=form),
    )


@require_POST
def session_move_line(request: HttpRequest, code: str, line_id: int) -> HttpResponse:
    session = _found(request, code)
    form = MoveLineForm(request.POST)

    def do(values: dict[str, Any]) -> Done:
        up = values["way"] == "up"
        line = price.move_line(session, line_id=_bounded(line_id), by=request.user, now=timezone.now(), up=up)
        return _done(session, _("%(line)s: moved.") % {"line": line})

    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, failed=form))


@require_POST
def session_remove_line(request: HttpRequest, code: str, line_id: int) -> HttpResponse:
    session = _found(request, code)
    form = Form(request.POST)

    def do(values: dict[str, Any]) -> Done:
        price.remove_line(session, line_id=_bounded(line_id), by=request.user, now=timezone.now())
        return _done(session, _("The line is gone."))

    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, failed=form))


@require_POST
def session_remove_package(request: HttpRequest, code: str, package_id: int) -> HttpResponse:
    session = _found(request, code)
    form = RemovePackageForm(request.POST)

    def do(values: dict[str, Any]) -> Done:
        price.remove_package(session, package_id=_bounded(package_id), by=request.user, now=timezone.now(), **values)
        return _done(session, _("The package and all of its lines are gone."))

    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, failed=form))


@require_POST
def session_price(request: HttpRequest, code: str) -> HttpResponse:
    """Transportation, discount, deposit and the lines that were changed; with ``remote`` the usual price of a remote
    place."""
    session = _found(request, code)
    form = _price_form(request, session)

    def do(values: dict[str, Any]) -> Done:
        changed = price.set_price(session, by=request.user, now=timezone.now(), **values)
        return _done(session, _("The price is %(total)s.") % {"total": sentences.money(changed.total)})

    return act(request, form, do, template=PAGE, context=lambda: _page(session, request, price_form=form))


@require_POST
def session_price_preview(request: HttpRequest, code: str) -> HttpResponse:
    """What it would all come to: the price and the lines as they are typed, with the package and the item that are
    chosen. Nothing is written. htmx gets the totals and the errors, a machine the figures, others the page."""
    session = _found(request, code)
    form = _price_form(request, session)
    added = _added(request, session)
    foreseen = None
    if form.is_valid() and all(each.is_valid() for each in added):
        chosen = {name: value for each in added for name, value in each.cleaned_data.items()}
        try:
            foreseen = price.foresee(session, by=request.user, now=timezone.now(), **form.cleaned_data, **chosen)
        except InvalidInput as error:
            add_error(form, error)
    if wants_json(request):
        if foreseen is None:
            return answer_error(request, next(refusal_of(each) for each in (form, *added) if each.errors))
        return JsonResponse(_figures(foreseen))
    item_form = next((each for each in added if isinstance(each, ItemForm)), None)
    page = _page(session, request, price_form=form, item_form=item_form, foreseen=foreseen, added=added)
    is_fragment = wants_fragment(request)
    template = "sessions_app/lines_totals.html" if is_fragment else PAGE
    return render(
        request, template, {**page, "is_slots": is_fragment}, status=InvalidInput.status if foreseen is None else 200
    )


def _price_form(request: HttpRequest, session: Session) -> PriceForm:
    sent = request.POST.copy()
    if sent.get("remote"):
        sent["transportation_cost"] = str(STUDIO.remote_transportation_cost)
    return PriceForm(sent, session=session, lines=session.lines.all())


def _added(request: HttpRequest, session: Session) -> list[Form]:
    """The package and the item that are chosen and not sold yet."""
    forms: list[Form] = []
    if request.POST.get("package"):
        forms.append(PackageForm(request.POST, packages=_packages(session)))
    if request.POST.get("item"):
        forms.append(ItemForm(request.POST, items=_items()))
    return forms


# --- what the page shows -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SoldLine:
    line: SessionDetail
    form: LineForm
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one package, or the items that are sold on their own."""

    package_id: int | None
    name: str
    lines: list[SoldLine]
    has_discount: bool = False

    @property
    def sum(self) -> Decimal:
        return sum((sold.line.line_subtotal for sold in self.lines), money.ZERO)


@dataclass(frozen=True, slots=True)
class Preview:
    """A package as it would be sold now (D22)."""

    package: Package
    times: int
    lines: list[Line]
    price: Decimal
    saving: Decimal
    sum: Decimal = field(default=money.ZERO)


def _found(request: HttpRequest, code: str) -> Session:
    session = visible_session(request, code)
    require(request.user, Perm.SESSION_EDIT_PRE_ASSIGNED, session)
    return session


def _bounded(given: int) -> int:
    """An id that a column can hold; nothing has the largest one."""
    return min(given, LARGEST_ID)


def _packages(session: Session) -> list[Package]:
    return list(Package.objects.sellable_for(session.session_type))


def _items() -> list[Item]:
    return list(Item.objects.filter(active=True))


def _preview(request: HttpRequest, session: Session) -> HttpResponse:
    packages = _packages(session)
    if not request.GET.get("package"):
        return render(request, PAGE, _page(session, request, packages=packages))
    form = PackageForm(request.GET, packages=packages)
    if not form.is_valid():
        return render(request, PAGE, _page(session, request, packages=packages, package_form=form), status=422)
    package, times = form.cleaned_data["package"], form.cleaned_data["times"]
    if package not in packages:
        form.add_error("package", _("%(package)s is not sold for this type of session.") % {"package": package})
        return render(request, PAGE, _page(session, request, packages=packages, package_form=form), status=422)
    lines = package.lines(times)
    preview = Preview(
        package,
        times,
        lines,
        package.base_price * times,
        package_discount(package.base_price, lines, times),
        sum((line.line_subtotal for line in lines), money.ZERO),
    )
    foreseen = None
    try:
        sale = {"package": package, "times": times, "take_discount": True}
        foreseen = price.foresee(session, by=request.user, now=timezone.now(), **sale)
    except InvalidInput as error:
        add_error(form, error)
    return render(
        request,
        PAGE,
        _page(session, request, packages=packages, package_form=form, preview=preview, foreseen=foreseen),
    )


def _page(
    session: Session,
    request: HttpRequest,
    *,
    packages: list[Package] | None = None,
    package_form: PackageForm | None = None,
    item_form: ItemForm | None = None,
    price_form: PriceForm | None = None,
    line_form: LineForm | None = None,
    failed: Form | None = None,
    preview: Preview | None = None,
    foreseen: Session | None = None,
    added: Iterable[Form] = (),
) -> dict[str, Any]:
    """The page as things stand now, with the form that came back; with ``foreseen``, the totals that would be."""
    now = timezone.now()
    session = Session.objects.select_related("client", "room").get(pk=session.pk)
    account = ledger.account(session)
    record = record_of(session.client)
    blocker = workflow.edit_blocker(session.status, session.changes_deadline, now)
    is_override = blocker is not None and is_admin(request.user)
    is_open = blocker is None or is_override
    packages = _packages(session) if packages is None and is_open else packages or []
    lines = lines_of(session)
    fresh = PriceForm(session=session, lines=lines)
    price_form = price_form or PriceForm(session=session, lines=lines)
    if line_form is not None:
        price_form.lines[line_form.line_id] = line_form
    saved = _totals(session, account)
    return {
        "session": session,
        "page_title": _("Lines and price"),
        "nav": "session-list",
        "is_open": is_open,
        "is_override": is_override,
        "locked": sentences.why(blocker) if blocker else "",
        "until": _until(session, now),
        "groups": _groups(session, lines, price_form),
        "totals": saved if foreseen is None else _against(_totals(foreseen, ledger.account(foreseen)), saved),
        "is_foreseen": foreseen is not None,
        "is_wrong": any(each.errors for each in (price_form, *added)),
        "wrong": [message for each in added for messages in each.errors.values() for message in messages],
        "seen": fresh.seen(),
        "package_form": package_form or PackageForm(packages=packages, initial={"times": 1}),
        "item_form": item_form or ItemForm(items=_items() if is_open else []),
        "price_form": price_form,
        "failed": failed,
        "preview": preview,
        "remote_cost": STUDIO.remote_transportation_cost,
        "deposit_hint": "" if session.is_appointment else _deposit_hint(session, record),
        "risk": None if session.is_appointment else risk_of(session, record),
        # What was entered gives way to the first line that is sold (D39).
        "entered": session.price if session.is_appointment and not session.lines.exists() else None,
    }


def _until(session: Session, now: datetime) -> str:
    if session.status == workflow.CONFIRMED and session.changes_deadline and now <= session.changes_deadline:
        return _("The client may change it until %(deadline)s.") % {
            "deadline": sentences.local(session.changes_deadline)
        }
    return ""


def _groups(session: Session, lines: list[SessionDetail], form: PriceForm) -> list[Group]:
    """In the order in which the quote has them."""

    def origin(line: SessionDetail) -> tuple[int | None, str]:
        is_package = line.reference_type == ReferenceType.PACKAGE
        return (line.reference_id, line.reference_name) if is_package else (None, "")

    first = {origin(line): line.pk for line in reversed(lines)}
    last = {origin(line): line.pk for line in lines}
    groups = []
    for (package_id, name), rows in groupby(lines, key=origin):
        sold = [
            SoldLine(
                line,
                form.lines.get(line.pk) or LineForm.of(line),
                is_first=first[origin(line)] == line.pk,
                is_last=last[origin(line)] == line.pk,
            )
            for line in rows
        ]
        # The discount is a figure of the session's: the reason says whether it came with this package.
        groups.append(Group(package_id, name, sold, bool(name) and name in session.discount_reason))
    return groups


def _figures(session: Session) -> dict[str, str]:
    """For a machine."""
    account = ledger.account(session)
    figures = {
        "subtotal": session.subtotal,
        "transportation_cost": session.transportation_cost,
        "discount": session.discount,
        "total": session.total,
        "deposit": _deposit(session),
        "paid": account.net_paid,
        "balance": account.still_to_pay,
        "owed_to_the_client": account.refund_owed,
    }
    return {name: str(amount) for name, amount in figures.items()}


def _against(rows: list[dict[str, Any]], saved: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The totals that would be, each with what it is now where that is another amount."""
    was = {row["name"]: row["amount"] for row in saved}
    for row in rows:
        before = was.get(row["name"], money.ZERO)
        if before != row["amount"]:
            row["note"] = _("Now %(amount)s") % {"amount": in_words(before)}
    return rows


def _deposit(session: Session) -> Decimal:
    if _deposit_is_fixed(session):
        return session.deposit_amount
    return money.deposit_amount(session.total, session.deposit_percentage)


def _totals(session: Session, account: money.Account) -> list[dict[str, Any]]:
    """The figures under each other; lines without an amount are left out, but never the total."""
    rows: list[dict[str, Any]] = [{"name": "subtotal", "label": _("Subtotal"), "amount": session.subtotal}]
    if session.transportation_cost:
        rows.append({"name": "transportation", "label": _("Transportation"), "amount": session.transportation_cost})
    if session.discount:
        rows.append(
            {
                "name": "discount",
                "label": _("Discount"),
                "amount": -session.discount,
                "note": session.discount_reason,
            }
        )
    rows.append({"name": "total", "label": _("Total"), "amount": session.total, "kind": "sum"})
    if not session.is_appointment:
        rows.append(_deposit_row(session))
    if account.net_paid:
        rows.append({"name": "paid", "label": _("Paid"), "amount": account.net_paid})
        rows.append({"name": "balance", "label": _("Balance"), "amount": account.still_to_pay})
    if account.refund_owed:
        rows.append({"name": "owed", "label": _("Owed to the client"), "amount": account.refund_owed, "kind": "bad"})
    return rows


def _deposit_row(session: Session) -> dict[str, Any]:
    if _deposit_is_fixed(session):
        label, note = _("Deposit"), _("Fixed when it was quoted.")
    else:
        label = _("Deposit %(percentage)d %%") % {"percentage": session.deposit_percentage}
        note = _("As it would be asked for now.")
    return {"name": "deposit", "label": label, "amount": _deposit(session), "note": note}


def _deposit_is_fixed(session: Session) -> bool:
    """While it is negotiated, what was fixed before it was reopened says nothing any more (D13)."""
    return session.deposit_amount is not None and session.status not in (workflow.REQUEST, workflow.NEGOTIATION)


def _deposit_hint(session: Session, record: Record) -> str:
    if _deposit_is_fixed(session):
        return _("The deposit was fixed when the session was quoted; reopen the negotiation for another one.")
    if record.is_high_risk:
        return _("The client canceled %(canceled)d of %(all)d sessions: less than 100 %% needs a note.") % {
            "canceled": record.cancellations,
            "all": record.sessions,
        }
    return ""


def _done(session: Session, text: str, **facts: Any) -> Done:
    url = reverse("session-lines", args=[session.code])
    return Done(text, url, session.get_absolute_url(), _("To the session"), facts)


urlpatterns = [
    path("sessions/<str:code>/lines/", session_lines, name="session-lines"),
    path("sessions/<str:code>/lines/packages/", session_add_package, name="session-add-package"),
    path("sessions/<str:code>/lines/items/", session_add_item, name="session-add-item"),
    path("sessions/<str:code>/lines/<int:line_id>/", session_change_line, name="session-change-line"),
    path("sessions/<str:code>/lines/<int:line_id>/move/", session_move_line, name="session-move-line"),
    path("sessions/<str:code>/lines/<int:line_id>/remove/", session_remove_line, name="session-remove-line"),
    path(
        "sessions/<str:code>/lines/packages/<int:package_id>/remove/",
        session_remove_package,
        name="session-remove-package",
    ),
    path("sessions/<str:code>/price/", session_price, name="session-price"),
    path("sessions/<str:code>/price/preview/", session_price_preview, name="session-price-preview"),
]
