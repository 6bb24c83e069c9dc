"""What the machine says to people: names of moves, and the sentence for every condition that failed."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from sessions_app import workflow
from sessions_app.states import Status
from studio import errors
from studio.conf import STUDIO
from studio.templatetags.atelier import day, moment

if TYPE_CHECKING:
    from sessions_app.models import Session
    from sessions_app.workflow import Blocker, Facts, Transition
    from studio.models import User

MOVES = {
    "negotiate": pgettext_lazy("move", "Start negotiation"),
    "preschedule": pgettext_lazy("move", "Pre-schedule"),
    "confirm": pgettext_lazy("move", "Confirm"),
    "reopen": pgettext_lazy("move", "Reopen negotiation"),
    "assign": pgettext_lazy("move", "Assign"),
    "attend": pgettext_lazy("move", "Mark as attended"),
    "take": pgettext_lazy("move", "Take for editing"),
    "ready": pgettext_lazy("move", "Mark as ready"),
    "complete": pgettext_lazy("move", "Deliver and complete"),
    "cancel": pgettext_lazy("move", "Cancel…"),
    "activate": pgettext_lazy("move", "Confirm the appointment"),
    "hold": pgettext_lazy("move", "Put on hold"),
}
# What reads differently for an appointment, where both machines have a row of that name.
APPOINTMENT_MOVES = {"complete": pgettext_lazy("move", "Complete and take payment")}

DONE = {
    "negotiate": gettext_lazy("%(code)s is in negotiation."),
    "preschedule": gettext_lazy(
        "%(code)s is pre-scheduled: the client has until %(payment_deadline)s for the deposit."
    ),
    "confirm": gettext_lazy("%(code)s is confirmed, and the client is told by e-mail."),
    "reopen": gettext_lazy("%(code)s is in negotiation again; its room and people stay held."),
    "assign": gettext_lazy("%(code)s is assigned, and its photographers are told."),
    "attend": gettext_lazy("%(code)s is marked as attended; the editors are told."),
    "take": gettext_lazy("%(code)s is in editing."),
    "ready": gettext_lazy("%(code)s is ready: the client is told by e-mail, and coordination on the dashboard."),
    "complete": gettext_lazy("%(code)s is delivered and completed."),
    "cancel": gettext_lazy("%(code)s is canceled, its time is free, and the client is told by e-mail."),
    "activate": gettext_lazy("%(code)s is confirmed."),
    "hold": gettext_lazy("%(code)s is on hold; its time stays held."),
}
APPOINTMENT_DONE = {
    "complete": gettext_lazy("%(code)s is completed."),
    "cancel": gettext_lazy("%(code)s is canceled, and its time is free."),
}
NO_SHOW_DONE = gettext_lazy("%(code)s is canceled: the client did not come. Its time is free.")

INITIATORS = {
    "client": gettext_lazy("The client"),
    "company": gettext_lazy("The studio"),
    "force_majeure": gettext_lazy("Force majeure"),
    "system": gettext_lazy("The system"),
}

# The reasons of business rules 4.2 are codes for machines; these are their sentences for people.
REFUND_RULES = {
    "No payments made": gettext_lazy("Nothing was paid."),
    "Cancellation before confirmation": gettext_lazy("Canceled before it was confirmed: no refund."),
    "Within changes deadline": gettext_lazy("Within the changes deadline."),
    "After changes deadline": gettext_lazy("After the changes deadline."),
    "Company cannot fulfill": gettext_lazy("The studio cannot do it."),
    "Client cancellation after assignment": gettext_lazy("The client cancels when it was already assigned."),
    "Service already provided": gettext_lazy("The shoot has been done: no refund."),
    # Of an appointment, whose advance goes back or is kept by choice (D40).
    "Advance paid back": gettext_lazy("The advance goes back."),
    "Advance kept": gettext_lazy("The advance is kept."),
}

# What the system writes as the reason of its own moves (business rules 9.1), likewise.
SYSTEM_REASONS = {
    "Payment deadline expired - no deposit received": gettext_lazy("The payment deadline passed without a deposit."),
}


def name_of(row: "Transition") -> str:
    """What the move is called on its button."""
    own = APPOINTMENT_MOVES if workflow.is_of_appointments(row) else {}
    return str(own.get(row.name) or MOVES[row.name])


def done_by(row: "Transition", *, no_show: bool = False) -> str:
    """What is said afterwards; with names for what the move has set."""
    if not workflow.is_of_appointments(row):
        return str(DONE[row.name])
    return str(NO_SHOW_DONE if no_show else APPOINTMENT_DONE.get(row.name) or DONE[row.name])


def reason_in_words(reason: str) -> str:
    """A reason as people read it: their own words as they are, the system's in the reader's language."""
    return str(SYSTEM_REASONS.get(reason, reason))


def refund_rule(reason: str) -> str:
    """The sentence for a reason of ``calculate_refund``; the percentage is shown beside it as an amount."""
    return str(REFUND_RULES.get(reason.split(" - ")[0], reason))


def local(when: str | datetime | None) -> str:
    """A moment in the studio's zone, for a sentence: "21 Nov 23:59", as everywhere on the pages."""
    if not when:
        return "-"
    value = datetime.fromisoformat(when) if isinstance(when, str) else when
    return moment(value)


def local_day(iso_day: str) -> str:
    return day(datetime.fromisoformat(iso_day))


def money(amount: str | Decimal) -> str:
    """``Q 1,250.00``, with a space that does not break."""
    return f"{STUDIO.currency}\N{NO-BREAK SPACE}{Decimal(amount):,.2f}"


def why(blocker: "Blocker") -> str:
    """The sentence that a coordinator understands, for one condition that does not hold (D8)."""
    details = blocker.details
    missing = details.get("missing")
    match blocker.failed:
        case "client_inactive":
            return _("The client is not active.")
        case "starts_in_the_past":
            return _("The session would start in the past (%(day)s).") % {"day": local_day(details["session_date"])}
        case "no_type":
            return _("The session has no type yet.")
        case "no_lines":
            return _("Nothing is sold yet: add a package or an item.")
        case "total_is_zero":
            return _("The total is zero.")
        case "overpaid":
            return _("The client has paid %(excess)s more than the total: refund it first.") % {
                "excess": money(details["excess"])
            }
        case "payment_deadline_passed":
            return _("The payment deadline passed: %(deadline)s. Reopen the negotiation to give a new one.") % {
                "deadline": local(details["payment_deadline"])
            }
        case "deposit_missing":
            return _("The verified payments do not cover the deposit: %(missing)s of %(due)s is missing.") % {
                "missing": money(details["missing"]),
                "due": money(details["deposit_amount"]),
            }
        case "changes_deadline_passed":
            return _("The deadline for changes passed: %(deadline)s.") % {
                "deadline": local(details["changes_deadline"])
            }
        case "changes_deadline_not_passed":
            return _("Possible once the deadline for changes has passed: %(deadline)s.") % {
                "deadline": local(details["changes_deadline"])
            }
        case "resources_missing":
            names = {"photographer": _("a photographer"), "room": _("a room")}
            return _("Missing: %(what)s.") % {"what": ", ".join(names[each] for each in missing)}
        case "session_date_not_come":
            return _("Possible from the day of the session on: %(day)s.") % {"day": local_day(details["session_date"])}
        case "taken_by_another_editor":
            return _("Another editor has taken it.")
        case "not_an_editor":
            return _("Choose somebody who is an editor.")
        case "editor_at_limit":
            return ngettext(
                "%(editing)d session is in editing already, and the limit is %(limit)d.",
                "%(editing)d sessions are in editing already, and the limit is %(limit)d.",
                details["editing"],
            ) % {"editing": details["editing"], "limit": details["limit"]}
        case "not_paid_in_full":
            return _("It is not paid in full: %(missing)s is missing.") % {"missing": money(missing)}
        case "no_reason":
            return _("Say why.")
        case "unknown_initiator":
            return _("Say who cancels: the client, the studio or force majeure.")
        case "payments_pending":
            return _("%(pending)s waits to be verified: verify or reject it first, so that the rest is known.") % {
                "pending": money(details["pending"])
            }
        case "unknown_method":
            return _("Choose cash, card or transfer.")
        case "no_show_of_another":
            return _("Only the client can fail to come: choose the client as the one who cancels.")
        case "no_refund_note":
            return _("Say why it is done otherwise than usual with the advance.")
        case "state_is_fixed":
            return _("A session that is %(state)s cannot be changed any more.") % {
                "state": str(Status(details["status"]).label).lower()
            }
    return blocker.failed


FIELDS = {
    "no_reason": "reason",
    "unknown_initiator": "initiator",
    "not_an_editor": "editor",
    "unknown_method": "method",
    "no_show_of_another": "initiator",
    "no_refund_note": "refund_note",
    "starts_in_the_past": "session_date",
    "deposit_missing": "amount",
}


def error_of(blocker: "Blocker", **details: Any) -> errors.StudioError:
    """The typed error of one blocker, with its sentence and its machine-readable condition."""
    return errors.BY_CODE[blocker.code](
        why(blocker),
        details={**blocker.details, **details, "failed": details.get("failed", [blocker.failed])},
        field=FIELDS.get(blocker.failed),
    )


def refusal(session: "Session", transition: "Transition", found: "list[Blocker]", facts: "Facts") -> errors.StudioError:
    """The first condition speaks; ``details.failed`` names them all (D8)."""
    return error_of(
        found[0],
        session=session.code,
        transition=transition.name,
        current=session.status,
        target=transition.target,
        failed=[blocker.failed for blocker in found],
    )


def wrong_state(session: "Session", transition: "Transition", by: "User | None") -> errors.StudioError:
    """The table has no such row from the present state: what it is, and what could be done instead."""
    possible = [row.name for row in workflow.transitions_from(session.status) if session.may(row.name, by)]
    current, target = Status(session.status), Status(transition.target)
    if transition.name == "take" and session.assigned_editor_id:
        message, failed = _("Another editor has taken it."), "taken_by_another_editor"
    elif current == target:
        message, failed = _("It is %(state)s already.") % {"state": str(current.label).lower()}, "wrong_state"
    else:
        message = _("Cannot go from %(current)s to %(target)s.") % {"current": current.label, "target": target.label}
        failed = "wrong_state"
    return errors.InvalidStateTransition(
        message,
        details={
            "session": session.code,
            "transition": transition.name,
            "current": current.value,
            "target": target.value,
            "allowed": possible,
            "failed": [failed],
        },
    )
