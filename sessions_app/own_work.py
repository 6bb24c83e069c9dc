"""What photographers and editors have before them: the rows of their homes, in a fixed number of queries.

Only what the matrix lets them see goes in: of the client the name and the way to reach them, of the lines what and how
many; never a price (permissions, object level).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Q, Value, When
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduling.models import StaffReservation
from sessions_app import sentences, workflow
from sessions_app.actions.shoot import NOTES_OPEN
from sessions_app.board import Clock
from sessions_app.models import Session, SessionDetail
from sessions_app.models.session import LONGEST
from sessions_app.states import Status
from sessions_app.story import Move
from studio.conf import STUDIO

if TYPE_CHECKING:
    from studio.models import User

WEEK_DAYS = 7
# A shoot that is not delivered yet stays on the photographer's home for so long.
STILL_OPEN_DAYS = 14
SHOWN = 100


# -- photographers -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Shoot:
    """One session as its photographer needs it."""

    code: str
    title: str
    status: str
    status_label: str
    url: str
    day: date
    day_word: str
    starts_at: datetime
    ends_at: datetime
    place: str
    is_external: bool
    is_canceled: bool
    leave_at: datetime | None
    back_at: datetime | None
    wishes: str
    client_name: str
    client_phone: str
    client_email: str
    team: str
    others: str
    moves: list[Move]
    included: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shoots:
    next: Shoot | None
    week: list[tuple[str, list[Shoot]]]
    still_open: list[Shoot]


def shoots_of(user: "User", *, now: datetime) -> Shoots:
    """The next session, those of the coming week by day, and what was shot and is not delivered: three queries."""
    clock = Clock(now)
    since = now - timedelta(days=STILL_OPEN_DAYS)
    # The start says no more, and has an index.
    recent = Q(ends_at__gte=since, starts_at__gte=since - LONGEST) | Q(status=Status.ASSIGNED)
    found = (
        Session.objects.present()
        .photographed_by(user)
        .filter(session_type__in=workflow.SHOOTS)
        .exclude(status=Status.COMPLETED)
        .filter(recent)
        .for_board()
        .order_by("starts_at", "id")[:SHOWN]
    )
    ahead, still_open = [], []
    for session in found:
        shoot = _shoot(session, user, clock)
        if session.ends_at > now:
            ahead.append(shoot)
        elif session.status in NOTES_OPEN:
            still_open.append(shoot)
    following = next((shoot for shoot in ahead if not shoot.is_canceled), None)
    if following is not None:
        following.included = _included(following.code)
    until = clock.today + timedelta(days=WEEK_DAYS)
    week = [shoot for shoot in ahead if shoot is not following and shoot.day <= until]
    by_day = [(word, list(shoots)) for word, shoots in groupby(week, key=lambda shoot: shoot.day_word)]
    return Shoots(following, by_day, sorted(still_open, key=lambda shoot: shoot.starts_at, reverse=True))


def _included(code: str) -> list[tuple[int, str]]:
    lines = SessionDetail.objects.filter(session__code=code).order_by("display_order", "id")
    return list(lines.values_list("quantity", "item_name"))


def _shoot(session: Session, user: "User", clock: Clock) -> Shoot:
    mine = next(row for row in session.current_assignments if row.staff_id == user.pk)
    travels = mine.during.lower < session.starts_at
    returns = mine.during.upper > session.ends_at
    others = [row.staff.short_name for row in session.current_assignments if row.staff_id != user.pk]
    return Shoot(
        code=session.code,
        title=session.title,
        status=session.status,
        status_label=session.get_status_display(),
        url=session.get_absolute_url(),
        day=session.session_date,
        day_word=clock.word(session.session_date),
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        place=session.place,
        is_external=session.is_external,
        is_canceled=session.is_canceled,
        leave_at=mine.during.lower if travels else None,
        back_at=mine.during.upper if returns else None,
        wishes=session.special_notes,
        client_name=session.client.full_name,
        client_phone=session.client.primary_phone,
        client_email=session.client.email,
        team=_team(session.current_assignments, user),
        others=", ".join(others),
        moves=_shoot_moves(session, mine, clock),
    )


def _team(assignments: Iterable[StaffReservation], user: "User") -> str:
    names = []
    for row in assignments:
        name = _("You") if row.staff_id == user.pk else row.staff.full_name
        names.append(_("%(name)s (lead)") % {"name": name} if row.is_lead_photographer else name)
    return ", ".join(names)


def _shoot_moves(session: Session, mine: StaffReservation, clock: Clock) -> list[Move]:
    if session.is_canceled:
        return []
    moves = []
    if mine.attended_at is None:
        moves.append(
            Move(
                name=f"attend-{session.code}",
                label=str(sentences.MOVES["attend"]),
                url=reverse("session-attend", args=[session.code]),
                reason=_why_not_attended(session, clock),
                method="post",
                kind="primary",
            )
        )
    open_for_notes = session.status in NOTES_OPEN
    moves.append(
        Move(
            name=f"notes-{session.code}",
            label=_("Observations or incident"),
            url=reverse("session-notes", args=[session.code]),
            reason="" if open_for_notes else _("Observations are written from Assigned until the delivery."),
        )
    )
    return moves


def _why_not_attended(session: Session, clock: Clock) -> str:
    """The reason of the table's own guard, or the state that is in the way; the first mark moves the session (D10)."""
    if session.status in workflow.BEFORE_ASSIGNED:
        return _("Possible from the day of the session on, once it is assigned.")
    if session.status != Status.ASSIGNED:
        return ""
    facts = _facts(session, clock)
    return " ".join(sentences.why(each) for each in workflow.blockers(workflow.PHOTOGRAPHY["attend"], facts))


def _facts(session: Session, clock: Clock, **known: Any) -> workflow.Facts:
    """As far as the guards of ``attend`` and ``take`` look, without asking the database again."""
    return workflow.Facts(
        now=clock.now,
        today=clock.today,
        session_type=session.session_type,
        starts_at=session.starts_at,
        session_date=session.session_date,
        has_editor=session.assigned_editor_id is not None,
        **known,
    )


# -- editors -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One session as its editor needs it."""

    code: str
    title: str
    url: str
    delivery: date
    when: str
    tone: str
    left: str
    shot: str
    incidents: str
    moves: list[Move]


@dataclass(frozen=True, slots=True)
class Desk:
    mine: list[Edit]
    queue: list[Edit]
    load: int
    limit: int
    bar: int


def desk_of(user: "User", *, now: datetime, by_admin: bool) -> Desk:
    """What the editor has in hand, and the queue by promised delivery: one query."""
    clock = Clock(now)
    own = Q(assigned_editor=user, status=Status.IN_EDITING)
    waiting = Q(assigned_editor__isnull=True, status=Status.ATTENDED)
    found = list(
        Session.objects.present()
        .filter(own | waiting)
        .select_related("client")
        .order_by(Case(When(own, then=Value(0)), default=Value(1)), "estimated_delivery_date", "id")[:SHOWN]
    )
    mine = [session for session in found if session.status == Status.IN_EDITING]
    load, limit = len(mine), STUDIO.max_concurrent_editing_sessions
    # The load is the same for every row, and so is the guard's answer to it.
    known = {"editor_load": load, "editor_limit": limit, "by_admin": by_admin}
    return Desk(
        mine=[_edit(session, clock, _own_moves(session)) for session in mine],
        queue=[
            _edit(session, clock, [_take(session, clock, known)])
            for session in found
            if session.status == Status.ATTENDED
        ],
        load=load,
        limit=limit,
        bar=min(64, round(64 * load / limit)) if limit else 0,
    )


def _edit(session: Session, clock: Clock, moves: list[Move]) -> Edit:
    delivery = session.estimated_delivery_date
    days = (delivery - clock.today).days
    if days < 0:
        left = ngettext("%(days)d day late", "%(days)d days late", -days) % {"days": -days}
    elif days == 0:
        left = _("due today")
    else:
        left = ngettext("%(days)d day left", "%(days)d days left", days) % {"days": days}
    return Edit(
        code=session.code,
        title=session.title,
        url=session.get_absolute_url(),
        delivery=delivery,
        when=clock.word(delivery),
        tone="late" if days <= 0 else "soon" if days <= 1 else "",
        left=left,
        shot=clock.word(session.session_date),
        incidents=session.reported_incidents,
        moves=moves,
    )


def _take(session: Session, clock: Clock, known: dict[str, Any]) -> Move:
    found = workflow.blockers(workflow.PHOTOGRAPHY["take"], _facts(session, clock, **known))
    return Move(
        name=f"take-{session.code}",
        label=str(sentences.MOVES["take"]),
        url=reverse("session-move", args=[session.code, "take"]),
        reason=" ".join(sentences.why(each) for each in found),
        method="post",
    )


def _own_moves(session: Session) -> list[Move]:
    return [
        Move(
            name=f"ready-{session.code}",
            label=str(sentences.MOVES["ready"]),
            url=reverse("session-move", args=[session.code, "ready"]),
        ),
        Move(
            name=f"delivery-{session.code}",
            label=_("Delivery date"),
            url=reverse("session-delivery", args=[session.code]),
        ),
        Move(
            name=f"observe-{session.code}",
            label=_("Observations"),
            url=reverse("session-observe", args=[session.code]),
        ),
    ]
