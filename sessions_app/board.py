"""What waits for the office: the rows of its home, in a fixed number of queries however many sessions there are.

Each row says when, what, why, and the act that answers it. Nothing here decides: the acts do.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DecimalField,
    Exists,
    F,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from payments.models import Payment, PaymentMethod, PaymentStatus, PaymentType
from scheduling import hours
from scheduling.models import AssignmentStatus, Room, RoomStatus, StaffReservation
from sessions_app import deadlines, holds, sentences, workflow
from sessions_app.models import Session
from sessions_app.opening_words import remark
from sessions_app.states import Status
from studio.conf import STUDIO
from studio.models import OutgoingEmail
from studio.roles import Role
from studio.templatetags.atelier import ago, clock, day, moment, money, state_class
from studio.timeline import DayPicture, Lane, Taken, draw

# Of each kind; the lists behind the links show the rest.
SHOWN = 20
# Confirmed sessions are shown so many days before their changes deadline passes.
LOOK_AHEAD_DAYS = 2
BAR_WIDTH = 64
ZERO = Decimal("0.00")
AMOUNT = DecimalField(max_digits=14, decimal_places=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One row of "Waiting for you"; the names are those that ``components/todo_row.html`` reads."""

    rank: int
    kind: str
    at: datetime
    when: str
    tone: str
    title: str
    title_url: str
    text: str
    why: str = ""
    url: str = ""
    label: str = ""
    post: bool = False


LATE, TODAY, SOON, LATER = range(4)
# Among what is equally urgent: what ends by itself, then money, then what coordination decides.
ORDER = ("deposit", "verify", "refund", "resources", "overpaid", "unsettled", "deliver", "hold", "request")
TONES = {LATE: "late", TODAY: "late", SOON: "soon", LATER: ""}


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment, and the studio's days around it."""

    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(STUDIO.zone).date()

    def end_of(self, days: int) -> datetime:
        """The last second of the day so many days from now."""
        return deadlines.end_of_day(self.today + timedelta(days=days))

    def rank(self, at: datetime) -> int:
        """How urgent something is that has to be done by ``at``."""
        if at < self.now:
            return LATE
        ahead = (at.astimezone(STUDIO.zone).date() - self.today).days
        return TODAY if ahead <= 0 else SOON if ahead == 1 else LATER

    def word(self, value: datetime | date) -> str:
        """Today, tomorrow, yesterday, or the day."""
        when = value.astimezone(STUDIO.zone).date() if isinstance(value, datetime) else value
        near = {-1: _("Yesterday"), 0: _("Today"), 1: _("Tomorrow")}
        return near.get((when - self.today).days) or day(when)


# -- waiting for the office --------------------------------------------------------------------------------------------

COLUMNS = (
    "kind",
    "code",
    "event_description",
    "client__full_name",
    "at",
    "starts_at",
    "session_type",
    "net",
    "asked",
    "other",
    "has_people",
    "has_room",
    "reminded_at",
    "people",
    "room__name",
)


def waiting(*, now: datetime, with_money: bool) -> list[Waiting]:
    """Everything that waits for coordination, the most urgent first: two queries."""
    clock_ = Clock(now)
    rows = [row for found in _waiting_sessions(clock_) for row in _session_row(found, clock_, with_money)]
    if with_money:
        rows += [_payment_row(payment, clock_) for payment in _waiting_payments()]
    return sorted(rows, key=lambda row: (row.rank, ORDER.index(row.kind), row.at))


def _waiting_sessions(clock_: Clock) -> Iterator[dict[str, Any]]:
    sessions = Session.objects.present()
    unpaid = (
        _facts(sessions.filter(status=Status.PRE_SCHEDULED), "deposit", F("payment_deadline"), F("deposit_amount"))
        .filter(Q(payment_deadline__lte=clock_.end_of(1)) | Q(net__gte=F("deposit_amount")))
        .order_by("payment_deadline")
    )
    soon = sessions.filter(status=Status.CONFIRMED, changes_deadline__lte=clock_.end_of(LOOK_AHEAD_DAYS))
    unequipped = (
        _facts(soon, "resources", F("changes_deadline"), F("total"))
        .filter(Q(changes_deadline__lt=clock_.now) | Q(has_people=False) | Q(has_room=False))
        .order_by("changes_deadline")
    )
    ready = _facts(sessions.filter(status=Status.READY), "deliver", F("updated_at"), F("total")).order_by("updated_at")
    # One whose hold has expired is asked about that.
    requests = _facts(
        sessions.filter(Q(held_until=None) | Q(held_until__gt=clock_.now), status=Status.REQUEST),
        "request",
        F("created_at"),
        F("total"),
    ).order_by("created_at")
    let_go = sessions.filter(status__in=holds.HOLDING, held_until__lte=clock_.now)
    expired = _facts(let_go, "hold", F("held_until"), F("total")).order_by("held_until")
    overpaid = (
        _facts(sessions.filter(status__in=workflow.UNDER_WAY), "overpaid", F("updated_at"), F("total"))
        .filter(net__gt=F("total") + F("other"))
        .order_by("updated_at")
    )
    over = sessions.filter(session_type=workflow.APPOINTMENT, ends_at__lt=clock_.end_of(-1))
    unsettled = _facts(
        over.filter(status__in=(Status.WAITING, Status.ACTIVE)), "unsettled", F("ends_at"), F("total")
    ).order_by("-ends_at")
    found = (unpaid, unequipped, ready, requests, overpaid, unsettled, expired)
    parts = [part.values(*COLUMNS)[:SHOWN] for part in found]
    yield from parts[0].union(*parts[1:], all=True)


def _facts(sessions: QuerySet, kind: str, at: F, asked: F) -> QuerySet:
    """The figures that a row may need: what is paid net, asked, and pending beside it."""
    live = StaffReservation.objects.holding().filter(session=OuterRef("pk"))
    counted = Subquery(live.order_by().values("session").annotate(n=Count("pk")).values("n"))
    reminders = OutgoingEmail.objects.filter(
        about_type=Session._meta.label_lower,
        about_id=OuterRef("pk"),
        kind="payment_reminder_email",
        status=OutgoingEmail.Status.SENT,
    )
    # Pending refunds belong to what was overpaid, pending payments to a deposit that is still missing.
    beside = Q(payment_type=PaymentType.REFUND) if kind == "overpaid" else ~Q(payment_type=PaymentType.REFUND)
    return sessions.annotate(
        kind=Value(kind),
        at=at,
        net=net_paid(),
        asked=Coalesce(asked, Value(ZERO), output_field=AMOUNT),
        other=_sum(Payment.objects.live().filter(beside, payment_status=PaymentStatus.PENDING)),
        has_people=Exists(live.exclude(assignment_status=AssignmentStatus.REASSIGNED)),
        has_room=Case(
            When(session_type=workflow.STUDIO_SESSION, room__isnull=True, then=Value(False)), default=Value(True)
        ),
        reminded_at=(
            Subquery(reminders.order_by("-sent_at").values("sent_at")[:1])
            if kind == "deposit"
            else Value(None, output_field=DateTimeField())
        ),
        people=Coalesce(counted, 0) if kind == "hold" else Value(0),
    )


def net_paid() -> Coalesce:
    """Of each session: verified payments less verified refunds (D18)."""
    signed = Case(When(payment_type=PaymentType.REFUND, then=-F("amount")), default=F("amount"), output_field=AMOUNT)
    return _sum(Payment.objects.live().filter(payment_status=PaymentStatus.VERIFIED), signed)


def _sum(payments: QuerySet, amount: Any = "amount") -> Coalesce:
    of_session = payments.filter(session=OuterRef("pk")).order_by().values("session")
    return Coalesce(Subquery(of_session.annotate(sum=Sum(amount)).values("sum")), Value(ZERO), output_field=AMOUNT)


def _session_row(found: dict[str, Any], clock_: Clock, with_money: bool) -> Iterable[Waiting]:
    build = {
        "deposit": _deposit_row,
        "resources": _resources_row,
        "deliver": _delivery_row,
        "request": _request_row,
        "overpaid": _overpaid_row,
        "unsettled": _unsettled_row,
        "hold": _hold_row,
    }[found["kind"]]
    if found["kind"] == "overpaid" and not with_money:
        return
    yield Waiting(
        title=found["event_description"] or found["client__full_name"],
        title_url=reverse("session-page", args=[found["code"]]),
        kind=found["kind"],
        at=found["at"],
        **build(found, clock_, with_money),
    )


def _deposit_row(found: dict[str, Any], clock_: Clock, with_money: bool) -> dict[str, Any]:
    """A deadline of today or tomorrow, one that passed, or a deposit that is in and only has to be confirmed."""
    code, deadline, missing = found["code"], found["at"], found["asked"] - found["net"]
    rank = clock_.rank(deadline)
    row = {
        "rank": rank,
        "when": f"{clock_.word(deadline)} {clock(deadline)}" if rank in (TODAY, SOON) else clock_.word(deadline),
        "tone": TONES[rank],
    }
    if missing <= 0 and rank == LATE:
        return row | {
            "text": _("paid, but not confirmed in time"),
            "why": _("Reopen the negotiation: pre-scheduled again, it has a new deadline."),
            "url": reverse("session-move", args=[code, "reopen"]),
            "label": _("Reopen"),
        }
    if missing <= 0:
        return row | {
            "text": _("the deposit is in"),
            "why": _("It can be confirmed."),
            "url": reverse("session-move", args=[code, "confirm"]),
            "label": _("Confirm"),
        }
    amount = {"amount": money(missing)}
    if found["other"] >= missing:
        text = _("deposit of %(amount)s not verified yet") % amount if with_money else _("deposit not verified yet")
        return row | {"text": text, "why": _expiry(found, rank), "url": found_url(found), "label": _("Open")}
    return row | {
        "text": _("deposit of %(amount)s unpaid") % amount if with_money else _("deposit unpaid"),
        "why": _expiry(found, rank),
        "url": reverse("session-deposit", args=[code]),
        "label": _("Register payment"),
    }


def found_url(found: dict[str, Any]) -> str:
    return reverse("session-page", args=[found["code"]])


def _expiry(found: dict[str, Any], rank: int) -> str:
    told = {
        LATE: _("The deadline has passed; it cancels itself in the coming night."),
        TODAY: _("It cancels itself tonight."),
        SOON: _("It cancels itself tomorrow night."),
    }
    parts = [told[rank]]
    if found["reminded_at"]:
        parts.append(_("Reminded on %(when)s.") % {"when": moment(found["reminded_at"])})
    return " ".join(parts)


def _resources_row(found: dict[str, Any], clock_: Clock, with_money: bool) -> dict[str, Any]:
    """Confirmed, and nobody or no room for it; or everything there and only to be assigned."""
    code, deadline = found["code"], found["at"]
    passed = deadline < clock_.now
    rank = LATE if passed else clock_.rank(deadline)
    row = {"rank": rank, "when": clock_.word(deadline), "tone": TONES[rank]}
    if found["has_people"] and found["has_room"]:
        return row | {
            "text": _("people and room are there"),
            "why": _("The changes deadline passed on %(when)s; it can be assigned.") % {"when": moment(deadline)},
            "url": reverse("session-move", args=[code, "assign"]),
            "label": _("Assign"),
        }
    if found["has_people"]:
        text, label = _("confirmed without room"), _("Find a room")
    elif found["has_room"]:
        text, label = _("confirmed without photographer"), _("Find people")
    else:
        text, label = _("confirmed without photographer and room"), _("Find people and room")
    shoot = {"when": moment(deadline), "day": day(found["starts_at"])}
    if passed:
        why = _("The changes deadline passed on %(when)s; the shoot is on %(day)s.") % shoot
    else:
        why = _("The changes deadline passes on %(when)s; the shoot is on %(day)s.") % shoot
    return row | {"text": text, "why": why, "url": reverse("session-people", args=[code]), "label": label}


def _delivery_row(found: dict[str, Any], clock_: Clock, with_money: bool) -> dict[str, Any]:
    missing = found["asked"] - found["net"]
    why = ""
    if with_money:
        why = (
            _("Balance still to be paid: %(amount)s.") % {"amount": money(missing)}
            if missing > 0
            else _("Paid in full.")
        )
    return {
        "rank": LATER,
        "when": clock_.word(found["at"]),
        "tone": "",
        "text": _("ready to deliver"),
        "why": why,
        "url": reverse("session-move", args=[found["code"], "complete"]),
        "label": _("Deliver"),
    }


def _request_row(found: dict[str, Any], clock_: Clock, with_money: bool) -> dict[str, Any]:
    """The longer a request waits, the more it presses: clients ask elsewhere."""
    days = (clock_.today - found["at"].astimezone(STUDIO.zone).date()).days
    rank = TODAY if days >= 3 else SOON if days >= 1 else LATER
    age = (
        _("Asked today.")
        if days == 0
        else ngettext("Unanswered for %(days)d day.", "Unanswered for %(days)d days.", days) % {"days": days}
    )
    return {
        "rank": rank,
        "when": clock_.word(found["at"]),
        "tone": TONES[rank] if days else "",
        "text": _("new request for %(day)s") % {"day": day(found["starts_at"])},
        "why": f"{age} {found['client__full_name']}.",
        "url": found_url(found),
        "label": _("Answer"),
    }


def _overpaid_row(found: dict[str, Any], clock_: Clock, with_money: bool) -> dict[str, Any]:
    excess = found["net"] - found["asked"] - found["other"]
    return {
        "rank": SOON,
        "when": clock_.word(found["at"]),
        "tone": "soon",
        "text": _("paid %(amount)s above the total") % {"amount": money(excess)},
        "why": _("The total is now below what was paid. Write down what goes back to the client."),
        "url": reverse("session-owe", args=[found["code"]]),
        "label": _("Settle"),
        "post": True,
    }


def _hold_row(found: dict[str, Any], clock_: Clock, with_money: bool) -> dict[str, Any]:
    """What is held for a client who has not decided, past its day: somebody else may be waiting for it (D33)."""
    people = ngettext("%(n)d person", "%(n)d people", found["people"]) % {"n": found["people"]}
    names = [people if found["people"] else "", found["room__name"] or ""]
    return {
        "rank": TODAY,
        "when": clock_.word(found["at"]),
        "tone": "soon",
        "text": _("the hold expired on %(when)s") % {"when": moment(found["at"])},
        "why": _("Held for %(client)s on %(day)s: %(names)s.")
        % {
            "client": found["client__full_name"],
            "day": day(found["starts_at"]),
            "names": ", ".join(name for name in names if name),
        },
        "url": f"{reverse('hold-release')}?{urlencode({'code': found['code'], 'next': reverse('home')})}",
        "label": _("Release…"),
    }


def _unsettled_row(found: dict[str, Any], clock_: Clock, with_money: bool) -> dict[str, Any]:
    """An appointment whose day is over, and nobody has said whether the client came and paid."""
    return {
        "rank": LATER,
        "when": clock_.word(found["at"]),
        "tone": "",
        "text": _("appointment over, but not completed"),
        "why": _("Complete it, or say that the client did not come: %(client)s.")
        % {"client": found["client__full_name"]},
        "url": found_url(found),
        "label": _("Open"),
    }


PAYMENT_COLUMNS = (
    "id",
    "payment_type",
    "payment_method",
    "amount",
    "document_number",
    "registered_at",
    "registered_by__full_name",
    "session__code",
    "session__event_description",
    "session__client__full_name",
    "session__status",
    "session__refund_reason",
)


def _waiting_payments() -> QuerySet:
    pending = Payment.objects.pending().filter(session__deleted_at__isnull=True).order_by("registered_at", "id")
    incoming, refunds = (rows.values(*PAYMENT_COLUMNS)[:SHOWN] for rows in (pending.incoming(), pending.refunds()))
    return incoming.union(refunds, all=True)


def _payment_row(payment: dict[str, Any], clock_: Clock) -> Waiting:
    registered = payment["registered_at"]
    is_old = registered < clock_.now - timedelta(days=1)
    is_refund = payment["payment_type"] == PaymentType.REFUND
    figures = {
        "amount": money(payment["amount"]),
        "method": PaymentMethod(payment["payment_method"]).label if payment["payment_method"] else "",
        "document": payment["document_number"],
        "who": payment["registered_by__full_name"] or _("the system"),
        "ago": ago(registered, clock_.now),
        "day": day(registered),
    }
    if is_refund:
        text = _("refund of %(amount)s to pay out") % figures
        why = sentences.refund_rule(payment["session__refund_reason"]) if payment["session__refund_reason"] else ""
        why = " ".join(part for part in (why, _("Owed since %(day)s.") % figures) if part)
        name, label = "payment-pay-out", _("Pay out")
    else:
        text = _("%(method)s to verify: %(amount)s") % figures
        why = (
            _("Document %(document)s, registered by %(who)s %(ago)s.") % figures
            if figures["document"]
            else _("Registered by %(who)s %(ago)s.") % figures
        )
        name, label = "payment-verify", _("Verify")
    return Waiting(
        rank=SOON if is_old else LATER,
        kind="refund" if is_refund else "verify",
        at=registered,
        when=clock_.word(registered),
        tone="soon" if is_old else "",
        title=payment["session__event_description"] or payment["session__client__full_name"],
        title_url=reverse("session-page", args=[payment["session__code"]]),
        text=text,
        why=why,
        url=reverse(name, args=[payment["id"]]),
        label=label,
        post=not is_refund,
    )


# -- the days ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Agenda:
    day: date
    label: str
    picture: DayPicture
    is_empty: bool
    # Closed, or other hours than in every week, and why.
    hours: str = ""

    @property
    def calendar_url(self) -> str:
        return f"{reverse('calendar')}?{urlencode({'view': 'day', 'date': self.day.isoformat()})}"


HELD = frozenset({Status.REQUEST, Status.NEGOTIATION, Status.PRE_SCHEDULED, Status.WAITING})


def agenda(*, now: datetime, days: int = 2) -> list[Agenda]:
    """Today and the days after it, by room and person: two queries, and one for the opening hours."""
    clock_ = Clock(now)
    start = datetime.combine(clock_.today, time.min, tzinfo=STUDIO.zone)
    end = datetime.combine(clock_.today + timedelta(days=days), time.min, tzinfo=STUDIO.zone)
    rooms = Room.objects.annotate(taken=_held_between("reservations", start, end)).filter(
        Q(status=RoomStatus.ACTIVE) | Q(taken__isnull=False)
    )
    people = (
        get_user_model()
        .objects.annotate(taken=_held_between("reservations", start, end))
        .filter(Q(is_active=True, groups__name__in=[Role.PHOTOGRAPHER, Role.ARTIST]) | Q(taken__isnull=False))
        .distinct()
    )
    lanes = [
        *_lanes(rooms, "name", pgettext("room", "Closed"), says_why=True),
        *by_first_name(_lanes(people, "full_name", pgettext("reservation", "Time off"))),
    ]
    known = hours.load(clock_.today, clock_.today + timedelta(days=days))
    shown = []
    for offset in range(days):
        on = clock_.today + timedelta(days=offset)
        picture = draw(lanes, day=on, zone=STUDIO.zone, now=now)
        is_empty = not any(lane.blocks for lane in picture.lanes)
        shown.append(Agenda(on, clock_.word(on), picture, is_empty, remark(known, on)))
    return shown


def _held_between(relation: str, start: datetime, end: datetime) -> FilteredRelation:
    return FilteredRelation(
        relation,
        condition=Q(**{f"{relation}__released_at__isnull": True, f"{relation}__during__overlap": (start, end)}),
    )


def _lanes(resources: QuerySet, name: str, off: str, *, says_why: bool = False) -> list[Lane]:
    """``off`` is what a reservation without a session is called. Why somebody is off is theirs to say."""
    rows = resources.order_by(name, "pk", "taken__during").values_list(
        "pk",
        name,
        "taken__during",
        "taken__session__code",
        "taken__session__status",
        "taken__session__event_description",
        "taken__session__client__full_name",
        "taken__session__starts_at",
        "taken__session__session_type",
        "taken__notes",
    )
    lanes: dict[int, Lane] = {}
    for pk, label, during, code, status, description, client, starts_at, kind, notes in rows:
        lane = lanes.setdefault(pk, Lane(label, []))
        if during is not None:
            title = (description or client) if code else f"{off}: {notes}" if notes and says_why else off
            if code and during.lower < starts_at:
                if kind == workflow.APPOINTMENT:
                    title = _("%(title)s (preparation included)") % {"title": title}
                else:
                    title = _("%(title)s (travel included)") % {"title": title}
            css = f"{state_class(status)}{' held' if status in HELD else ''}" if code else "off"
            url = reverse("session-page", args=[code]) if code else ""
            lane.taken.append(Taken(during.lower, during.upper, title, css, url))
    return list(lanes.values())


def by_first_name(lanes: list[Lane]) -> list[Lane]:
    """A lane is narrow: people go by their first name, unless two share it."""
    first = Counter(lane.label.split(maxsplit=1)[0] for lane in lanes)
    return [Lane(name, lane.taken) if first[name := lane.label.split(maxsplit=1)[0]] == 1 else lane for lane in lanes]


# -- under way ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stage:
    status: str
    label: str
    count: int
    money: Decimal | None
    bar: int
    url: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    stages: list[Stage]
    money: Decimal | None
    count: int


def pipeline(*, with_money: bool) -> Pipeline:
    """How many sessions are in each state on the way, and what they are worth: one query."""
    found = {
        row["status"]: row
        for row in Session.objects.active().order_by().values("status").annotate(n=Count("pk"), sum=Sum("total"))
    }
    most = max((row["n"] for row in found.values()), default=0)
    stages = []
    for status in Status:
        # A studio without artists is not shown the states of appointments.
        is_absent = status in (Status.WAITING, Status.ACTIVE) and status.value not in found
        if status in workflow.FINAL or is_absent:
            continue
        row = found.get(status.value, {"n": 0, "sum": ZERO})
        stages.append(
            Stage(
                status.value,
                status.label,
                row["n"],
                row["sum"] if with_money else None,
                max(round(BAR_WIDTH * row["n"] / most), 2) if row["n"] else 0,
                f"{reverse('session-list')}?{urlencode({'state': status.value})}",
            )
        )
    return Pipeline(
        stages,
        sum((row["sum"] for row in found.values()), ZERO) if with_money else None,
        sum(row["n"] for row in found.values()),
    )
