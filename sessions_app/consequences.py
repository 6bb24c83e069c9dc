"""What a move is going to do, told before the click (screens, Everywhere). Reads the same table as the writer.

Each effect of ``sessions_app.effects`` has its sentence here, computed by the same pure functions that the effect will
use; a test compares the names.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments import commissions, money
from payments.money import Account
from payments.refunds import Percentages
from scheduling.models import AssignmentStatus, StaffReservation
from sessions_app import cancellation, deadlines, sentences, workflow
from sessions_app.effects import NO_SHOW
from studio.conf import STUDIO
from studio.models import OutgoingEmail
from studio.roles import Role, is_admin
from studio.templatetags.atelier import clock, day, long_day, short_date

if TYPE_CHECKING:
    from sessions_app.models import Session
    from sessions_app.workflow import Transition
    from studio.models import User


@dataclass(frozen=True, slots=True)
class Consequence:
    """One thing that will happen, for ``components/effects.html``."""

    icon: str
    text: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is known before the act."""

    session: "Session"
    account: Account
    by: "User"
    now: datetime
    on_it: list[StaffReservation] = field(default_factory=list)
    """The photographers, or the artist, who are on it, with their people."""

    @property
    def holding(self) -> list[StaffReservation]:
        return [row for row in self.on_it if row.released_at is None]


Teller = Callable[[Scene], Consequence | None]


def consequences(transition: "Transition", scene: Scene) -> list[Consequence]:
    """What the row of the table sets, frees and tells, in its order."""
    names = (*transition.prepare, *transition.effects, *transition.tells)
    told = [TELLERS[name](scene) for name in names]
    if transition.name == "reopen":
        told.append(_keeps_what_it_holds(scene))
    if is_override(transition, scene.by):
        told.append(Consequence("journal-text", _("You do it as an Admin: that is written to the audit log.")))
    return [each for each in told if each is not None]


def _silent(scene: Scene) -> Consequence | None:
    """Nothing that a person has to know before."""
    return None


def _payment_deadline(scene: Scene) -> Consequence:
    deadline = deadlines.payment_deadline(scene.now)
    return Consequence(
        "hourglass-split",
        _("The client has until %(deadline)s for the deposit.") % {"deadline": sentences.local(deadline)},
        _("Unpaid by then, it is canceled by the system; a reminder goes out the day before."),
    )


def _deposit_is_fixed(scene: Scene) -> Consequence:
    session = scene.session
    due = money.deposit_amount(session.total, session.deposit_percentage)
    missing = due - scene.account.net_paid
    paid = ""
    if scene.account.net_paid > 0:
        paid = _("%(paid)s is paid already; %(missing)s is missing.") % {
            "paid": sentences.money(scene.account.net_paid),
            "missing": sentences.money(max(money.ZERO, missing)),
        }
    return Consequence(
        "cash",
        _("The deposit is fixed: %(due)s, which is %(percentage)s %% of %(total)s.")
        % {
            "due": sentences.money(due),
            "percentage": session.deposit_percentage,
            "total": sentences.money(session.total),
        },
        paid,
    )


def _quote_is_kept(scene: Scene) -> Consequence:
    return Consequence(
        "file-earmark-text",
        _("The quote is kept as it is given, to be printed and compared later."),
        _("The same quote again does not make a new version."),
    )


def _changes_deadline(scene: Scene) -> Consequence:
    deadline = deadlines.changes_deadline(scene.session.session_date)
    if deadline < scene.now:
        return Consequence(
            "pencil",
            _("There is no time left for changes: the deadline was %(deadline)s.")
            % {"deadline": sentences.local(deadline)},
            _("It may be assigned at once."),
        )
    return Consequence(
        "pencil",
        _("Changes are possible until %(deadline)s.") % {"deadline": sentences.local(deadline)},
        _("Until then it can be reopened, and the client gets %(percentage)s %% back when canceling.")
        % {"percentage": STUDIO.refund_within_deadline},
    )


def _commissions(scene: Scene) -> Consequence | None:
    if scene.session.is_appointment:
        return _artists_commission(scene)
    rates = [
        (row.staff, commissions.rate_of(scene.session.commission_override, row.staff.commission_rate))
        for row in scene.on_it
    ]
    told = [
        _("%(name)s %(amount)s")
        % {"name": person.full_name, "amount": sentences.money(commissions.commission(scene.session.total, rate.value))}
        for person, rate in rates
        if rate is not None
    ]
    if not told:
        return None
    return Consequence("percent", _("Commissions are fixed: %(commissions)s.") % {"commissions": ", ".join(told)})


def _artists_commission(scene: Scene) -> Consequence | None:
    expected = expected_commission(scene.session, scene.on_it)
    if expected is None:
        return None
    return Consequence(
        "percent",
        _("The commission is fixed: %(name)s %(amount)s.")
        % {"name": expected.person.full_name, "amount": sentences.money(expected.amount)},
        expected.origin,
    )


def _kept_deadline(scene: Scene) -> Consequence | None:
    kept = scene.session.changes_deadline or scene.session.kept_changes_deadline
    if kept is None:
        return None
    return Consequence(
        "shield-check",
        _("A refund still goes by the changes deadline that it has: %(deadline)s.")
        % {"deadline": sentences.local(kept)},
    )


def _hold_begins(scene: Scene) -> Consequence | None:
    session = scene.session
    until = deadlines.hold_deadline(scene.now, session.starts_at)
    if until is None or not (scene.holding or session.room_id):
        return None
    return Consequence("hourglass-split", _("What it holds is held until %(when)s.") % {"when": sentences.local(until)})


def _deadlines_end(scene: Scene) -> Consequence | None:
    ending = scene.session.payment_deadline or scene.session.changes_deadline
    if ending is None:
        return None
    return Consequence(
        "hourglass",
        _("The present deadline, %(deadline)s, no longer applies.") % {"deadline": sentences.local(ending)},
        _("Pre-scheduling it again gives a new one."),
    )


def _delivery_date(scene: Scene) -> Consequence:
    session = scene.session
    promised = deadlines.estimated_delivery_date(session.session_date, session.estimated_editing_days)
    return Consequence(
        "calendar-check",
        _("Delivery is promised for %(day)s.") % {"day": long_day(promised)},
        _("%(days)s days after the session.") % {"days": session.estimated_editing_days},
    )


def _attendance(scene: Scene) -> Consequence | None:
    if not any(row.staff_id == scene.by.pk for row in scene.on_it):
        return None
    return Consequence("person-check", _("Your own attendance is noted with the time."))


def _editor(scene: Scene) -> Consequence:
    return Consequence("person-workspace", _("Whoever takes it is its editor from now on."))


def _canceling_is_final(scene: Scene) -> Consequence:
    if scene.session.is_appointment:
        return Consequence("x-octagon", _("It is over for good: a canceled appointment is not taken up again."))
    return Consequence("x-octagon", _("It is over for good: a canceled session is not opened again."))


def _refund_is_owed(scene: Scene) -> Consequence | None:
    if scene.account.net_paid - scene.account.pending_refunds <= 0:
        return Consequence("cash", _("Nothing is owed back: no payment was verified."))
    return Consequence(
        "cash",
        _("The refund is written down as owed until it is paid out."),
        _("How much depends on who cancels; see the table."),
    )


def _price_is_settled(scene: Scene) -> Consequence | None:
    if not scene.session.price_is_open:
        return None
    return Consequence(
        "tag",
        _("The price was never agreed: it becomes %(nothing)s.") % {"nothing": sentences.money(money.ZERO)},
        _("Enter the price first if money is taken."),
    )


def _rest_is_taken(scene: Scene) -> Consequence:
    rest = scene.account.still_to_pay
    if rest <= 0:
        return Consequence(
            "cash",
            _("Nothing is left to pay."),
            _("A payment of %(nothing)s says who settled it, and when.") % {"nothing": sentences.money(money.ZERO)},
        )
    return Consequence(
        "cash",
        _("%(rest)s is taken now and counts at once.") % {"rest": sentences.money(rest)},
        _("It gets a receipt and stands in the till of today."),
    )


def _no_show_is_noted(scene: Scene) -> Consequence:
    return Consequence(
        "person-x",
        _("If the client did not come, that counts in their history."),
        _("%(mark)s is put in front of the notes.") % {"mark": NO_SHOW},
    )


def _advance_is_settled(scene: Scene) -> Consequence:
    paid = scene.account.net_paid - scene.account.pending_refunds
    if paid <= 0:
        return Consequence("cash", _("Nothing is owed back: no payment was verified."))
    return Consequence(
        "cash",
        _("The %(paid)s that was paid goes back or is kept, as you choose; both are written down.")
        % {"paid": sentences.money(paid)},
        _("What goes back is owed until it is paid out."),
    )


def _artist_is_told(scene: Scene) -> Consequence | None:
    names = _names(_told(scene.on_it, scene))
    return Consequence("bell", _("Told on their dashboard: %(names)s.") % {"names": names}) if names else None


def _time_is_free(scene: Scene) -> Consequence | None:
    names = [f"{row.staff.full_name} ({hours_of(row)})" for row in scene.holding]
    if scene.session.room_id:
        names.append(scene.session.room.name)
    if not names:
        return None
    return Consequence("unlock", _("Free again: %(names)s.") % {"names": ", ".join(names)})


def _photographers_are_told(scene: Scene) -> Consequence | None:
    names = _names(_told(scene.on_it, scene))
    return Consequence("bell", _("Told on their dashboard: %(names)s.") % {"names": names}) if names else None


def _freed_are_told(scene: Scene) -> Consequence | None:
    names = _names(_told(scene.holding, scene))
    return Consequence("bell", _("Told that they are free: %(names)s.") % {"names": names}) if names else None


def _editors_are_told(scene: Scene) -> Consequence:
    editors = get_user_model().objects.active().in_role(Role.EDITOR).exclude(pk=scene.by.pk).count()
    return Consequence("bell", _("All editors are told that it waits for one of them (%(n)s).") % {"n": editors})


def _told(rows: Iterable[StaffReservation], scene: Scene) -> list[StaffReservation]:
    """Nobody is told of what they do themselves."""
    return [row for row in rows if row.staff.is_active and row.staff_id != scene.by.pk]


def _named_editor_is_told(scene: Scene) -> Consequence | None:
    if not is_admin(scene.by):
        return None
    return Consequence("bell", _("Somebody else whom you make its editor is told on their dashboard."))


def _coordination_is_told(scene: Scene) -> Consequence:
    return Consequence("bell", _("Coordination is told on the dashboard."))


def _mail(what: str) -> Teller:
    def tell(scene: Scene) -> Consequence:
        client = scene.session.client
        return Consequence(
            "envelope",
            _("The client is told by e-mail: %(address)s.") % {"address": client.email},
            str(sentences_of_mail()[what]),
        )

    return tell


def _waiting_mail_is_dropped(scene: Scene) -> Consequence | None:
    waiting = OutgoingEmail.objects.filter(
        about_type=scene.session._meta.label_lower, about_id=scene.session.pk, status=OutgoingEmail.Status.WAITING
    ).count()
    if not waiting:
        return None
    return Consequence("envelope-x", _("E-mails about it that wait to be sent are dropped: %(n)s.") % {"n": waiting})


def _keeps_what_it_holds(scene: Scene) -> Consequence | None:
    names = [row.staff.full_name for row in scene.holding]
    if scene.session.room_id:
        names.append(scene.session.room.name)
    if not names:
        return None
    return Consequence("lock", _("Stay held: %(names)s.") % {"names": ", ".join(names)})


def sentences_of_mail() -> dict[str, str]:
    """What each e-mail says, in a few words."""
    return {
        "confirmation_email": _("Confirmation, with place, time and balance"),
        "material_ready_email": _("The material is ready"),
        "cancellation_email": _("Cancellation, with the refund and its reason"),
        "payment_reminder_email": _("Reminder of the deposit"),
        "delivery_date_email": _("New delivery date"),
    }


TELLERS: dict[str, Teller] = {
    # The page has fields for it, which say more than a sentence.
    "record_deposit": _silent,
    "lock_editor": _silent,
    "set_payment_deadline": _payment_deadline,
    "clear_payment_deadline": _silent,
    "set_deposit_amount": _deposit_is_fixed,
    "keep_quote": _quote_is_kept,
    "set_changes_deadline": _changes_deadline,
    # Said together with the changes deadline.
    "keep_refund_terms": _silent,
    "keep_changes_deadline": _kept_deadline,
    "clear_deadlines": _deadlines_end,
    "begin_hold": _hold_begins,
    # What the session says instead is told by the other effects.
    "end_hold": _silent,
    "set_delivery_date": _delivery_date,
    "note_attendance": _attendance,
    "set_editor": _editor,
    "note_cancellation": _canceling_is_final,
    "owe_refund": _refund_is_owed,
    "fix_commissions": _commissions,
    "release_time": _time_is_free,
    "settle_price": _price_is_settled,
    "take_rest": _rest_is_taken,
    "note_no_show": _no_show_is_noted,
    "settle_advance": _advance_is_settled,
    "tell_of_appointment": _artist_is_told,
    "tell_photographers": _photographers_are_told,
    "tell_editors": _editors_are_told,
    "tell_editor": _named_editor_is_told,
    "tell_coordinators_ready": _coordination_is_told,
    "tell_freed": _freed_are_told,
    "mail_confirmation": _mail("confirmation_email"),
    "mail_material_ready": _mail("material_ready_email"),
    "mail_cancellation": _mail("cancellation_email"),
    "drop_mail": _waiting_mail_is_dropped,
    "drop_notices": _silent,
    "drop_untrue_notices": _silent,
}


def hours_of(row: StaffReservation) -> str:
    """A coverage in words: "Sat 28 Nov 13:15 to 17:00"."""
    return _("%(day)s %(start)s to %(end)s") % {
        "day": day(row.starts_at),
        "start": clock(row.starts_at),
        "end": clock(row.ends_at),
    }


def _names(rows: Iterable[StaffReservation]) -> str:
    return ", ".join(row.staff.full_name for row in rows)


# -- what an artist earns ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expected:
    """What completing the appointment would earn its artist, and where the figure comes from (D27)."""

    person: "User"
    base: Decimal
    rate: Decimal
    amount: Decimal
    origin: str


def expected_commission(session: "Session", on_it: Iterable[StaffReservation]) -> Expected | None:
    """By the rate that holds now; one half for an artist without one. None for an appointment without its artist."""
    person = next((row.staff for row in on_it), None)
    if person is None:
        return None
    rate = commissions.rate_of(session.commission_override, person.commission_rate, default=commissions.DEFAULT_RATE)
    amount = commissions.commission(session.total, rate.value)
    return Expected(person, session.total, rate.value, amount, origin_in_words(session.total, rate.value, rate.source))


def origin_in_words(base: Decimal, rate: Decimal, source: str) -> str:
    """``40 % of Q 1,000.00: the artist's own rate.``"""
    words = {
        commissions.SESSION: _("%(rate)s %% of %(base)s: agreed for this appointment."),
        commissions.PERSON: _("%(rate)s %% of %(base)s: the artist's own rate."),
        commissions.DEFAULT: _("%(rate)s %% of %(base)s: the usual half, as the artist has no rate of their own."),
    }
    return words[source] % {"rate": f"{(rate * 100).normalize():f}", "base": sentences.money(base)}


# -- what canceling pays back ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RefundCell:
    """What one way of canceling pays back during one column, and the rule that says so."""

    amount: Decimal
    rule: str
    when: str
    """The words over the column."""


@dataclass(frozen=True, slots=True)
class RefundRow:
    """One way of canceling, as the table shows it."""

    initiator: str
    who: str
    base: Decimal
    cells: list[RefundCell]

    @property
    def today(self) -> Decimal:
        return self.cells[0].amount

    @property
    def rules(self) -> list[str]:
        """Each rule once, in the order of the columns."""
        return list(dict.fromkeys(cell.rule for cell in self.cells))


@dataclass(frozen=True, slots=True)
class AdvanceRow:
    """What becomes of an appointment's advance when this one cancels and nobody chooses otherwise (D40)."""

    who: str
    back: Decimal
    kept: Decimal


def advance_table(account: Account) -> list[AdvanceRow]:
    """Each way of canceling an appointment, with its default."""
    ways = [(str(sentences.INITIATORS["client"]), False), (str(NOT_COMING), True)]
    ways += [(str(sentences.INITIATORS[name]), False) for name in ("company", "force_majeure")]
    rows = []
    for who, no_show in ways:
        gives_back = workflow.refunds_by_default(no_show=no_show)
        advance = cancellation.advance_of(account, gives_back=gives_back)
        rows.append(AdvanceRow(who, advance.back, advance.kept))
    return rows


NOT_COMING = gettext_lazy("The client did not come")


@dataclass(frozen=True, slots=True)
class RefundTable:
    rows: list[RefundRow]
    columns: list[str]
    notes: list[str]
    """When it is the same, and what else it depends on."""

    @property
    def shown(self) -> list[RefundRow]:
        """The rows for reading: the studio and force majeure as one where they come to the same."""
        client, company, force_majeure = self.rows
        if company.cells != force_majeure.cells:
            return self.rows
        return [client, replace(company, initiator="", who=_("The studio or force majeure"))]


def refund_table(session: "Session", account: Account, *, now: datetime) -> RefundTable:
    """What each way of canceling pays back, today, tomorrow and after the deadlines ahead (D14, D18)."""
    terms = cancellation.terms_of(session)
    seen = cancellation.preview(session, account, now=now)
    columns = [_("Today") if at == 0 else _from_when(each.at) for at, each in enumerate(seen.columns)]
    rows = [
        RefundRow(
            initiator=initiator,
            who=str(sentences.INITIATORS[initiator]),
            base=seen.columns[0].refunds[initiator].base,
            cells=[
                RefundCell(refund.amount, _rule(refund, terms), when)
                for when, refund in zip(columns, (each.refunds[initiator] for each in seen.columns), strict=True)
            ],
        )
        for initiator in seen.columns[0].refunds
    ]
    return RefundTable(rows, columns, _refund_notes(session, seen))


def _from_when(at: datetime) -> str:
    return _("From %(day)s") % {"day": short_date(at)}


def _rule(refund: cancellation.Refund, terms: Percentages) -> str:
    percentage = percentage_of(refund.reason, terms)
    rule = sentences.refund_rule(refund.reason)
    if percentage is None:
        return rule
    return _("%(percentage)s %% of %(base)s: %(rule)s") % {
        "percentage": percentage,
        "base": sentences.money(refund.base),
        "rule": rule,
    }


def _refund_notes(session: "Session", seen: cancellation.Preview) -> list[str]:
    notes = [_when_it_is_the_same(seen)]
    last = seen.columns[-1].refunds["client"]
    if seen.once_assigned is not None and seen.once_assigned.amount != last.amount:
        notes.append(
            _("As soon as it is assigned, a client who cancels gets %(amount)s back.")
            % {"amount": sentences.money(seen.once_assigned.amount)}
        )
    if cancellation.counts_as_confirmed(session):
        notes.append(_("It was confirmed before it was reopened: that counts, with the changes deadline that it had."))
    if session.refund_terms and percentage_of(last.reason, cancellation.terms_of(session)) is not None:
        notes.append(_("By the percentages that were in force when it was confirmed."))
    return notes


def _when_it_is_the_same(seen: cancellation.Preview) -> str:
    deadline = {"deadline": sentences.local(seen.next_deadline)}
    if not seen.columns[0].holds_tomorrow:
        tomorrow = next(each for each in seen.columns if each.holds_tomorrow)
        return _("Tomorrow it is what stands under “%(column)s”.") % {"column": _from_when(tomorrow.at)}
    if len(seen.columns) > 1:
        until = seen.columns[1].at - timedelta(seconds=1)
        return _("The same tomorrow, and until %(deadline)s.") % {"deadline": sentences.local(until)}
    if seen.next_deadline is not None:
        return _("The same tomorrow, and after the deadline of %(deadline)s.") % deadline
    return _("The same tomorrow and later.")


def percentage_of(reason: str, rates: Percentages) -> int | None:
    """The percentage for a reason of ``calculate_refund``; None where no percentage is applied."""
    return {
        "Within changes deadline": rates.within_deadline,
        "After changes deadline": rates.after_deadline,
        "Company cannot fulfill": rates.force_majeure,
        "Client cancellation after assignment": rates.client_after_assigned,
    }.get(reason.split(" - ")[0])


def rows_with_people(session: "Session") -> list[StaffReservation]:
    """The photographers who are on the session, the lead first. Asked once and kept, as ``for_board`` keeps them."""
    if not hasattr(session, "current_assignments"):
        current = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED).select_related("staff")
        session.current_assignments = list(current.order_by("-is_lead_photographer", "during", "id"))
    return session.current_assignments


def is_override(transition: "Transition", by: "User") -> bool:
    """Only an Admin's override lets this person do it, and it is audited (D15)."""
    return is_admin(by) and Role.ADMIN not in transition.roles


def is_forward(transition: "Transition", status: str) -> bool:
    """Towards its end, not back and not out."""
    path = workflow.APPOINTMENT_STATES[:3] if status in workflow.APPOINTMENT_STATES else workflow.PATH
    return transition.target in path and status in path and path.index(transition.target) > path.index(status)
