"""What must not be, and constraints cannot say: looked for each night (business rules 9.4).

Each check is one question to the whole database, in SQL: it looks at the tables as they are, and not through the code
that wrote them. One statement sees what was committed together, so that acts under way at the same moment raise no
alarm. No check reads the tables more than once from beginning to end.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.models import PaymentStatus, PaymentType
from scheduling.models import AssignmentStatus
from sessions_app import deadlines, holds, workflow
from sessions_app.actions.people import LONGEST_WAY
from sessions_app.states import Status
from studio import notices
from studio.access import permission_id
from studio.conf import STUDIO
from studio.jobs import NAMED
from studio.navigation import address
from studio.roles import Perm, Role
from studio.templatetags.atelier import money

logger = logging.getLogger(__name__)

# A question that takes longer is given up and reported, so that the others are still asked.
LONGEST_LOOK = timedelta(minutes=2)
# Two acts may wait for each other and for a job that began before them: their moments may cross by as much.
CLOCKS_CROSS = timedelta(hours=1)
# A worker sends within seconds; a claim as old belongs to nobody, and is taken over after minutes.
CLAIMS_LAST = timedelta(hours=1)
# The e-mails of ten thousand sessions go out within hours.
MAIL_WAITS = timedelta(hours=6)
# The worker drops what is no longer true when it comes to it.
UNTRUE_MAIL_WAITS = timedelta(hours=1)
# E-mails may be cleared away after that.
MAIL_IS_KEPT = timedelta(days=30)
JOBS_LAST = timedelta(days=1)

OURS = ("studio", "catalog", "scheduling", "payments", "sessions_app")
TRIGGERS = (
    "session_status_has_history",
    "history_is_never_changed",
    "history_stays_with_its_session",
    "payment_is_never_edited",
    "payment_is_never_deleted",
    "payment_fits",
    "cash_day_is_open",
    "till_goes_forward",
    "closing_stands",
    "receipt_stands",
    "commission_stands",
    "commission_stays_with_its_session",
    "statement_stands",
    "quote_stands",
    "quote_stays_with_its_session",
    "studio_audit_append_only",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``sql`` finds what is wrong: the column ``code`` names it, the others are the parameters of ``says``."""

    finds: str | Promise
    """What is looked for, as a heading."""
    says: str | Promise
    """What is wrong with one of them."""
    advice: str | Promise
    """What to do about it."""
    sql: str
    params: Callable[[], Mapping[str, Any]] = dict
    """What ``sql`` needs besides ``_common``; may ask the database."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one check: how many, and the first of them."""

    count: int
    codes: list[str]
    facts: list[dict[str, str]]


def validate(now: datetime, *, dry_run: bool = False) -> dict[str, Any]:
    """Ask every check, log what was found and alert the Admins (business rules 9.4).

    ``failed`` counts what was found and the checks that broke. In the report ``found`` names what was found by check,
    ``facts`` says what is wrong with each, ``counts`` how many there are when not all are named, ``errors`` why a
    check broke, ``seconds`` how long each took.
    """
    found: dict[str, Found] = {}
    errors: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for name, check in CHECKS.items():
        began = monotonic()
        try:
            found[name] = look(check, now)
        except Exception as error:
            if not connection.in_atomic_block and not connection.is_usable():
                # The database has gone away: no fault of this check, and the next ones would say the same.
                connection.close()
                raise
            logger.exception("the integrity check %s broke", name)
            errors[name] = f"{type(error).__name__}: {error}"[:200]
        seconds[name] = round(monotonic() - began, 3)
    issues = {name: each for name, each in found.items() if each.count}
    report: dict[str, Any] = {
        "checks": len(CHECKS),
        "found": {name: each.codes for name, each in issues.items()},
        "facts": {name: each.facts for name, each in issues.items()},
        "counts": {name: each.count for name, each in issues.items() if each.count > len(each.codes)},
        "errors": errors,
        "seconds": seconds,
    }
    count = sum(each.count for each in issues.values()) + len(errors)
    if not dry_run:
        for name, each in issues.items():
            logger.error("integrity: %s: %s found: %s", name, each.count, ", ".join(each.codes))
        _alert(count, now)
    return {
        "done": len(found),
        "skipped": 0,
        "failed": count,
        "report": report,
        "plan": [f"{finding.code}: {finding.text}" for part in in_words(report) for finding in part.findings],
    }


def look(check: Check, now: datetime) -> Found:
    """Ask one check. Changes nothing."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        set_timeout = "SELECT set_config('statement_timeout', %s, true)"
        cursor.execute(set_timeout, [f"{LONGEST_LOOK // timedelta(milliseconds=1)}ms"])
        cursor.execute(
            f"SELECT count(*) OVER (), found.* FROM ({check.sql}) found ORDER BY code LIMIT {NAMED}",
            _common(now) | dict(check.params()),
        )
        names = [column.name for column in cursor.description][1:]
        rows = cursor.fetchall()
        # The transaction may be a part of another one.
        cursor.execute(set_timeout, [before])
    facts = [{name: _neutral(value) for name, value in zip(names, row[1:], strict=True)} for row in rows]
    return Found(rows[0][0] if rows else 0, [fact["code"] for fact in facts], facts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, for reading."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one check came to, for reading. ``error`` says why it could not be asked."""

    name: str
    finds: str
    advice: str
    count: int
    findings: list[Finding]
    error: str


def in_words(report: Mapping[str, Any]) -> list[Part]:
    """What a run found, in the active language, in the order of the checks. Never fails on an older report."""
    counts, errors = report.get("counts", {}), report.get("errors", {})
    parts = []
    for name in [*CHECKS, *(set(report.get("found", {})) - set(CHECKS))]:
        check, codes = CHECKS.get(name), report.get("found", {}).get(name, [])
        if not codes and name not in errors:
            continue
        facts = report.get("facts", {}).get(name) or [{"code": code} for code in codes]
        parts.append(
            Part(
                name=name,
                finds=str(check.finds) if check else name,
                advice=str(check.advice) if check else "",
                count=counts.get(name, len(codes)),
                findings=[Finding(str(fact.get("code", "")), _sentence(check, fact)) for fact in facts],
                error=errors.get(name, ""),
            )
        )
    return parts


def _sentence(check: Check | None, fact: Mapping[str, str]) -> str:
    try:
        return str(check.says) % _Readable(fact) if check else ""
    except (TypeError, ValueError, KeyError):
        return ""


class _Readable(dict):
    """The parameters of a sentence: states as people call them, a missing one as a dash."""

    def __init__(self, fact: Mapping[str, str]) -> None:
        labels = {status.value: str(status.label) for status in Status}
        super().__init__((name, labels.get(value, value)) for name, value in fact.items())

    def __missing__(self, name: str) -> str:
        return "-"


def _alert(count: int, now: datetime) -> None:
    """Tell the Admins once a day, also when the same goes on; yesterday's alert that nobody has read says no more."""
    with transaction.atomic():
        notices.drop_kind("integrity_issue")
        if count:
            admins = get_user_model().objects.active().in_role(Role.ADMIN)
            today = now.astimezone(STUDIO.zone).date()
            # The page of health shows the last run in words, and what to do.
            url = address("health")
            notices.notify(admins, "integrity_issue", key=f"integrity:{today}", url=url, count=count)


def _neutral(value: Any) -> str:
    """A value as it reads in every language; instants by the studio's clock."""
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(STUDIO.zone):%Y-%m-%d %H:%M:%S}"
    return "-" if value is None else str(value)


def _common(now: datetime) -> dict[str, Any]:
    """The words that the questions share."""
    return {
        "now": now,
        "zone": STUDIO.time_zone,
        "final": sorted(workflow.FINAL),
        "from_assigned_on": sorted(workflow.FROM_ASSIGNED_ON),
        "appointment": workflow.APPOINTMENT,
        "active": workflow.ACTIVE,
        "waiting": workflow.WAITING,
        "completed": workflow.COMPLETED,
        "from_confirmed_on": [workflow.CONFIRMED, *sorted(workflow.FROM_ASSIGNED_ON)],
        "request": workflow.REQUEST,
        "prescheduled": workflow.PRE_SCHEDULED,
        "confirmed": workflow.CONFIRMED,
        "ready": workflow.READY,
        "canceled": workflow.CANCELED,
        "reassigned": AssignmentStatus.REASSIGNED.value,
        "refund": PaymentType.REFUND.value,
        "verified": PaymentStatus.VERIFIED.value,
        "pending": PaymentStatus.PENDING.value,
    }


def _guards() -> dict[str, Any]:
    models = [model for model in apps.get_models() if model._meta.app_label in OURS and model._meta.managed]
    constraints = {constraint.name for model in models for constraint in model._meta.constraints}
    return {
        "constraints": sorted(constraints),
        "triggers": list(TRIGGERS),
        "tables": sorted(model._meta.db_table for model in models),
    }


def _permissions() -> dict[str, Any]:
    """What a grant on a session gives to whom (``memberships.grants_due``; permissions, object level)."""
    view = permission_id(Perm.SESSION_VIEW_OWN)
    return {
        "of_photographers": [view, permission_id(Perm.SESSION_MARK_ATTENDED)],
        "of_artists": [view, permission_id(Perm.APPOINTMENT_MANAGE_OWN)],
        "of_editors": [view, permission_id(Perm.SESSION_MARK_READY)],
    }


def _edges() -> dict[str, Any]:
    """Every step that the table of transitions knows, as "from > to"."""
    table = [*workflow.PHOTOGRAPHY.values(), *workflow.APPOINTMENTS.values()]
    return {"edges": [f"{source} > {row.target}" for row in table for source in row.sources]}


def _odd_deadlines() -> dict[str, Any]:
    """The deadlines that are not the last second of a local day (D1): PostgreSQL does not know which one that is where
    the clocks change at midnight. They are few, however many the sessions.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payment_deadline FROM sessions_app_session WHERE payment_deadline IS NOT NULL"
            " UNION SELECT changes_deadline FROM sessions_app_session WHERE changes_deadline IS NOT NULL"
            " UNION SELECT kept_changes_deadline FROM sessions_app_session WHERE kept_changes_deadline IS NOT NULL"
        )
        known = [row[0] for row in cursor.fetchall()]
    # In UTC: to Python, an hour that comes twice equals no instant of another zone.
    odd = [each for each in known if each != deadlines.end_of_day(each.astimezone(STUDIO.zone).date()).astimezone(UTC)]
    return {"odd": odd}


# Where each session's money stands, as ``payments.money.account`` reckons it (business rules 5.3).
BOOKS = """
    SELECT p.session_id,
        coalesce(sum(p.amount) FILTER (WHERE p.payment_type <> %(refund)s AND p.payment_status = %(verified)s), 0)
            AS paid,
        coalesce(sum(p.amount) FILTER (WHERE p.payment_type = %(refund)s AND p.payment_status = %(verified)s), 0)
            AS refunded,
        coalesce(sum(p.amount) FILTER (WHERE p.payment_type = %(refund)s AND p.payment_status = %(pending)s), 0)
            AS promised
    FROM payments_payment p WHERE NOT p.deleted_flag GROUP BY p.session_id
"""


def _overlap(table: str, resource: str, name: str) -> str:
    """Live reservations of one resource that share a moment: those that begin before an earlier one has ended.

    One pass finds who they are, the few pairs are then looked up.
    """
    return f"""
        SELECT coalesce(mine.code, '#' || b.id) AS code, coalesce(theirs.code, '#' || a.id) AS other, {name} AS taken,
            greatest(lower(a.during), lower(b.during)) AS begins, least(upper(a.during), upper(b.during)) AS ends
        FROM (
            SELECT r.*, max(upper(r.during)) OVER (
                PARTITION BY r.{resource} ORDER BY lower(r.during), r.id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until
            FROM {table} r WHERE r.released_at IS NULL
        ) b
        JOIN {table} a ON a.{resource} = b.{resource} AND a.released_at IS NULL AND a.during && b.during
            AND (lower(a.during), a.id) < (lower(b.during), b.id)
        LEFT JOIN sessions_app_session mine ON mine.id = b.session_id
        LEFT JOIN sessions_app_session theirs ON theirs.id = a.session_id
        JOIN {"studio_user" if resource == "staff_id" else "scheduling_room"} what ON what.id = b.{resource}
        WHERE b.busy_until > lower(b.during)
    """


_OPEN_AND_REPORT = _("Find out in the history and the audit log who wrote it, and put the record right with care.")
_MEND_PEOPLE = _("Open the session and give the photographer or the room again: that writes the reservation anew.")

CHECKS: dict[str, Check] = {
    # -- money
    "totals_differ_from_lines": Check(
        finds=_("Totals that differ from their lines"),
        says=_("The lines add up to %(lines)s, the subtotal is %(subtotal)s."),
        advice=_("Open the lines of the session and save one of them again: that reckons the total anew."),
        sql="""
            SELECT s.code, s.subtotal, coalesce(sold.lines, 0) AS lines FROM sessions_app_session s
            LEFT JOIN (
                SELECT session_id, sum(line_subtotal) AS lines FROM sessions_app_sessiondetail GROUP BY session_id
            ) sold ON sold.session_id = s.id
            -- The price of an appointment without lines is entered as it is (D39).
            WHERE s.deleted_at IS NULL AND s.subtotal <> coalesce(sold.lines, 0)
                AND NOT (s.session_type = %(appointment)s AND sold.lines IS NULL)
        """,
    ),
    "paid_above_total": Check(
        finds=_("Payments above the total"),
        # A refund that is owed already is in hand (D32).
        says=_("%(net)s was paid of %(total)s; %(excess)s is owed back and not written down."),
        advice=_("Open the payments of the session and write the refund down."),
        sql=f"""
            SELECT s.code, books.paid - books.refunded AS net, s.total,
                books.paid - books.refunded - books.promised - s.total AS excess
            FROM ({BOOKS}) books JOIN sessions_app_session s ON s.id = books.session_id
            WHERE s.deleted_at IS NULL AND s.status <> %(canceled)s
                AND books.paid - books.refunded - books.promised > s.total
        """,
    ),
    "refunds_above_payments": Check(
        finds=_("Refunds above what was paid"),
        says=_("%(paid)s was paid, %(refunded)s was paid back and %(promised)s more is promised back."),
        advice=_("Void the refund that was not made, or register the payment that is missing."),
        sql=f"""
            SELECT s.code, books.paid, books.refunded, books.promised
            FROM ({BOOKS}) books JOIN sessions_app_session s ON s.id = books.session_id
            WHERE books.refunded + books.promised > books.paid
        """,
    ),
    "deposit_is_not_in": Check(
        finds=_("Confirmed sessions whose deposit is not in the books"),
        says=_("The deposit is %(deposit)s, the verified payments add up to %(paid)s."),
        advice=_("If the deposit was voided by mistake, register and verify it again; else cancel the session."),
        # What was paid, whether or not a part of it went back when the total fell (D32).
        sql=f"""
            SELECT s.code, s.deposit_amount AS deposit, coalesce(books.paid, 0) AS paid
            FROM sessions_app_session s LEFT JOIN ({BOOKS}) books ON books.session_id = s.id
            WHERE s.deleted_at IS NULL AND s.status = ANY(%(from_confirmed_on)s) AND s.session_type <> %(appointment)s
                AND coalesce(books.paid, 0) < s.deposit_amount
        """,
    ),
    "kept_differs_from_payments": Check(
        finds=_("Canceled sessions whose payments differ from what the studio keeps"),
        says=_("The studio keeps %(kept)s; after what was paid back or is promised back, the books say %(rest)s."),
        advice=_("Open the payments of the session: write down what is owed back, or void what was not paid out."),
        # What was voided since the cancellation explains that less is left; nothing explains more (D18, D19).
        sql=f"""
            SELECT s.code, s.kept_amount AS kept,
                coalesce(books.paid - books.refunded - books.promised, 0) AS rest
            FROM sessions_app_session s LEFT JOIN ({BOOKS}) books ON books.session_id = s.id
            WHERE s.deleted_at IS NULL AND s.status = %(canceled)s
                AND coalesce(books.paid - books.refunded - books.promised, 0) <> s.kept_amount
                AND coalesce(books.paid - books.refunded - books.promised, 0) NOT BETWEEN s.kept_amount - (
                    SELECT coalesce(sum(p.amount), 0) FROM payments_payment p
                    WHERE p.session_id = s.id AND p.deleted_flag AND p.deleted_at >= s.canceled_at
                        AND p.payment_type <> %(refund)s AND p.payment_status = %(verified)s
                ) AND s.kept_amount
        """,
    ),
    # -- people and rooms
    "assigned_without_photographers": Check(
        finds=_("Assigned or later, without a photographer or an artist"),
        says=_("It is %(status)s, and nobody is on it."),
        advice=_("Put somebody on the session."),
        sql="""
            SELECT s.code, s.status FROM sessions_app_session s
            WHERE s.deleted_at IS NULL AND (s.status = ANY(%(from_assigned_on)s) OR s.session_type = %(appointment)s)
                AND NOT EXISTS (
                SELECT FROM scheduling_staffreservation r
                WHERE r.session_id = s.id AND r.assignment_status <> %(reassigned)s
            )
        """,
    ),
    "rooms_overlap": Check(
        finds=_("Rooms that are taken twice"),
        says=_("%(taken)s is taken by it and by %(other)s from %(begins)s to %(ends)s."),
        advice=_("Give one of the two another room or another time."),
        sql=_overlap("scheduling_roomreservation", "room_id", "what.name"),
    ),
    "people_overlap": Check(
        finds=_("People who are at two places at once"),
        says=_("%(taken)s is on it and on %(other)s from %(begins)s to %(ends)s."),
        advice=_("Put somebody else on one of the two, or move it."),
        sql=_overlap("scheduling_staffreservation", "staff_id", "what.full_name"),
    ),
    "rooms_differ_from_sessions": Check(
        finds=_("Rooms that are held otherwise than their session says"),
        says=_(
            "%(room)s is held from %(begins)s to %(ends)s; the session is %(status)s, in %(own_room)s from"
            " %(starts_at)s to %(ends_at)s."
        ),
        advice=_MEND_PEOPLE,
        # The turnaround after a session is a day at most, and may have been another one when it was booked.
        sql="""
            SELECT s.code, room.name AS room, lower(r.during) AS begins, upper(r.during) AS ends, s.status,
                own.name AS own_room, s.starts_at, s.ends_at
            FROM scheduling_roomreservation r JOIN sessions_app_session s ON s.id = r.session_id
            JOIN scheduling_room room ON room.id = r.room_id LEFT JOIN scheduling_room own ON own.id = s.room_id
            WHERE r.released_at IS NULL AND s.deleted_at IS NULL AND (
                s.status = ANY(%(final)s) OR s.room_id IS DISTINCT FROM r.room_id
                OR lower(r.during) <> s.starts_at OR upper(r.during) < s.ends_at
                OR upper(r.during) > s.ends_at + interval '1 day'
            )
        """,
    ),
    "people_differ_from_sessions": Check(
        finds=_("People who are held otherwise than their session says"),
        says=_(
            "%(person)s is held from %(begins)s to %(ends)s; the session is %(status)s, from %(starts_at)s"
            " to %(ends_at)s."
        ),
        advice=_MEND_PEOPLE,
        sql="""
            SELECT s.code, u.full_name AS person, lower(r.during) AS begins, upper(r.during) AS ends, s.status,
                s.starts_at, s.ends_at
            FROM scheduling_staffreservation r JOIN sessions_app_session s ON s.id = r.session_id
            JOIN studio_user u ON u.id = r.staff_id
            WHERE r.released_at IS NULL AND s.deleted_at IS NULL AND (
                s.status = ANY(%(final)s) AND NOT (s.session_type = %(appointment)s AND s.status = %(completed)s)
                OR lower(r.during) >= s.ends_at OR upper(r.during) <= s.starts_at
                OR lower(r.during) < s.starts_at - %(longest_way)s OR upper(r.during) > s.ends_at + %(longest_way)s
            )
        """,
        params=lambda: {"longest_way": LONGEST_WAY},
    ),
    "rooms_are_not_held": Check(
        finds=_("Rooms that their session does not hold"),
        says=_("It is in %(room)s, which somebody else could be given for its time."),
        advice=_MEND_PEOPLE,
        # D33: once given, the room blocks.
        sql="""
            SELECT s.code, room.name AS room
            FROM sessions_app_session s JOIN scheduling_room room ON room.id = s.room_id
            WHERE s.deleted_at IS NULL AND NOT s.status = ANY(%(final)s) AND NOT EXISTS (
                SELECT FROM scheduling_roomreservation r
                WHERE r.session_id = s.id AND r.room_id = s.room_id AND r.released_at IS NULL
            )
        """,
    ),
    "people_are_not_held": Check(
        finds=_("People whom their session does not hold"),
        says=_("%(person)s is on it, and could be put on another one at its time."),
        advice=_MEND_PEOPLE,
        # D34: who is on a session under way is not free for another one.
        sql="""
            SELECT s.code, u.full_name AS person
            FROM scheduling_staffreservation r JOIN sessions_app_session s ON s.id = r.session_id
            JOIN studio_user u ON u.id = r.staff_id
            WHERE r.released_at IS NOT NULL AND r.assignment_status <> %(reassigned)s
                AND s.deleted_at IS NULL AND NOT s.status = ANY(%(final)s)
        """,
    ),
    "holds_differ_from_reservations": Check(
        finds=_("Requests and negotiations whose hold differs from what they hold"),
        says=_("It is %(status)s, held until %(until)s, and people and rooms held for it are %(holding)s."),
        advice=_("Open the session and give its room or a photographer again, or take them off: that sets it anew."),
        # D33; what has begun may hold something without an end, as nobody else wants its time.
        sql="""
            SELECT s.code, s.status, s.held_until AS until, held.holding
            FROM sessions_app_session s, LATERAL (
                SELECT (
                    SELECT count(*) FROM scheduling_staffreservation r
                    WHERE r.session_id = s.id AND r.released_at IS NULL
                ) + (
                    SELECT count(*) FROM scheduling_roomreservation r
                    WHERE r.session_id = s.id AND r.released_at IS NULL
                ) AS holding
            ) held
            WHERE s.deleted_at IS NULL AND s.status = ANY(%(in_negotiation)s) AND (
                s.held_until IS NULL AND held.holding > 0 AND s.starts_at > %(now)s
                OR s.held_until IS NOT NULL AND held.holding = 0
                OR s.held_until > s.starts_at
            )
        """,
        params=lambda: {"in_negotiation": list(holds.HOLDING)},
    ),
    "deleted_sessions_hold_time": Check(
        finds=_("Deleted sessions that still hold somebody or a room"),
        says=_("%(taken)s is held from %(begins)s to %(ends)s for a session that was deleted."),
        advice=_("Release the time in the data administration."),
        sql="""
            SELECT s.code, u.full_name AS taken, lower(r.during) AS begins, upper(r.during) AS ends
            FROM scheduling_staffreservation r JOIN sessions_app_session s ON s.id = r.session_id
            JOIN studio_user u ON u.id = r.staff_id WHERE r.released_at IS NULL AND s.deleted_at IS NOT NULL
            UNION ALL
            SELECT s.code, room.name, lower(r.during), upper(r.during)
            FROM scheduling_roomreservation r JOIN sessions_app_session s ON s.id = r.session_id
            JOIN scheduling_room room ON room.id = r.room_id WHERE r.released_at IS NULL AND s.deleted_at IS NOT NULL
        """,
    ),
    # -- who may know (permissions, object level; D34)
    "grants_are_missing": Check(
        finds=_("People who are on a session and may not see or do what is theirs"),
        says=_("%(person)s is on it and lacks %(permissions)s."),
        advice=_("Take the person off the session and put them on again."),
        sql="""
            SELECT s.code, u.full_name AS person, string_agg(DISTINCT due.codename, ', ') AS permissions
            FROM (
                SELECT r.session_id, r.staff_id AS user_id, p.id AS permission_id, p.codename
                FROM scheduling_staffreservation r JOIN sessions_app_session s ON s.id = r.session_id
                JOIN auth_permission p ON p.id = ANY(
                    CASE WHEN s.session_type = %(appointment)s THEN %(of_artists)s::bigint[]
                        ELSE %(of_photographers)s::bigint[] END)
                WHERE r.assignment_status <> %(reassigned)s
                UNION ALL
                SELECT s.id, s.assigned_editor_id, p.id, p.codename
                FROM sessions_app_session s JOIN auth_permission p ON p.id = ANY(%(of_editors)s)
                WHERE s.assigned_editor_id IS NOT NULL
            ) due
            LEFT JOIN sessions_app_sessionuserobjectpermission g ON g.content_object_id = due.session_id
                AND g.user_id = due.user_id AND g.permission_id = due.permission_id
            JOIN sessions_app_session s ON s.id = due.session_id JOIN studio_user u ON u.id = due.user_id
            WHERE g.id IS NULL GROUP BY s.code, u.id
        """,
        params=_permissions,
    ),
    "grants_are_left_over": Check(
        finds=_("People who may see or do what is no longer theirs"),
        says=_("%(person)s has %(permissions)s, and is not on it as that."),
        advice=_("Take the grant back in the data administration: the person may see what they should not."),
        sql="""
            SELECT s.code, u.full_name AS person, string_agg(p.codename, ', ' ORDER BY p.codename) AS permissions
            FROM sessions_app_sessionuserobjectpermission g
            JOIN sessions_app_session s ON s.id = g.content_object_id JOIN studio_user u ON u.id = g.user_id
            LEFT JOIN scheduling_staffreservation r ON r.session_id = g.content_object_id AND r.staff_id = g.user_id
                AND r.assignment_status <> %(reassigned)s AND g.permission_id = ANY(
                    CASE WHEN s.session_type = %(appointment)s THEN %(of_artists)s::bigint[]
                        ELSE %(of_photographers)s::bigint[] END)
            JOIN auth_permission p ON p.id = g.permission_id
            WHERE r.id IS NULL
                AND NOT (s.assigned_editor_id IS NOT DISTINCT FROM g.user_id AND g.permission_id = ANY(%(of_editors)s))
            GROUP BY s.code, u.id
        """,
        params=_permissions,
    ),
    # -- history and deadlines
    "history_is_broken": Check(
        finds=_("Histories with a gap"),
        says=_("On %(at)s it went from %(previous)s to %(new)s, but it was %(before)s."),
        advice=_OPEN_AND_REPORT,
        sql="""
            SELECT s.code, h.changed_at AS at, coalesce(h.previous_status, '-') AS previous, h.new_status AS new,
                coalesce(h.before, '-') AS before
            FROM (
                SELECT session_id, previous_status, new_status, changed_at,
                    lag(new_status) OVER (PARTITION BY session_id ORDER BY id) AS before
                FROM sessions_app_statushistory
            ) h JOIN sessions_app_session s ON s.id = h.session_id
            WHERE h.previous_status IS DISTINCT FROM h.before OR h.before IS NULL AND CASE
                WHEN s.session_type = %(appointment)s THEN h.new_status NOT IN (%(active)s, %(waiting)s)
                ELSE h.new_status <> %(request)s END
        """,
    ),
    "history_ends_elsewhere": Check(
        finds=_("Sessions that are not where their history ends"),
        says=_("It is %(status)s; its history ends with %(last)s."),
        advice=_OPEN_AND_REPORT,
        sql="""
            SELECT s.code, s.status, coalesce(h.new_status, '-') AS last FROM sessions_app_session s
            LEFT JOIN (
                SELECT session_id, max(id) AS id FROM sessions_app_statushistory GROUP BY session_id
            ) latest ON latest.session_id = s.id
            LEFT JOIN sessions_app_statushistory h ON h.id = latest.id
            WHERE h.new_status IS DISTINCT FROM s.status
        """,
    ),
    "history_goes_back_in_time": Check(
        finds=_("Histories that go back in time"),
        says=_("It became %(new)s on %(at)s, after %(before)s."),
        advice=_("Look at the clocks of the machines that run Atelier."),
        sql="""
            SELECT s.code, h.new_status AS new, h.changed_at AS at, h.before
            FROM (
                SELECT session_id, new_status, changed_at,
                    lag(changed_at) OVER (PARTITION BY session_id ORDER BY id) AS before
                FROM sessions_app_statushistory
            ) h JOIN sessions_app_session s ON s.id = h.session_id
            WHERE h.changed_at < h.before - %(clocks_cross)s
        """,
        params=lambda: {"clocks_cross": CLOCKS_CROSS},
    ),
    "moves_outside_the_table": Check(
        finds=_("Moves that no rule allows"),
        says=_("On %(at)s it went from %(previous)s to %(new)s."),
        advice=_OPEN_AND_REPORT,
        sql="""
            SELECT s.code, h.changed_at AS at, h.previous_status AS previous, h.new_status AS new
            FROM sessions_app_statushistory h JOIN sessions_app_session s ON s.id = h.session_id
            WHERE h.previous_status || ' > ' || h.new_status <> ALL(%(edges)s)
        """,
        params=_edges,
    ),
    "deadlines_inside_a_day": Check(
        finds=_("Deadlines that are not the end of a day"),
        says=_("Its deadline is %(deadline)s by the studio's clock."),
        advice=_("Was the studio's time zone changed? Reopening and confirming the session sets its deadlines anew."),
        sql="""
            SELECT s.code, d.deadline
            FROM sessions_app_session s,
                unnest(ARRAY[s.payment_deadline, s.changes_deadline, s.kept_changes_deadline]) d(deadline)
            WHERE s.deleted_at IS NULL AND NOT s.status = ANY(%(final)s) AND d.deadline = ANY(%(odd)s::timestamptz[])
        """,
        params=_odd_deadlines,
    ),
    "delivery_differs_from_editing_days": Check(
        finds=_("Delivery dates that differ from their editing days"),
        says=_("Delivery is promised for %(delivery)s; the session's day and %(days)s editing days give %(expected)s."),
        advice=_("Let the editor set the delivery date again."),
        sql="""
            SELECT s.code, s.estimated_delivery_date AS delivery, s.estimated_editing_days AS days,
                (s.starts_at AT TIME ZONE %(zone)s)::date + s.estimated_editing_days AS expected
            FROM sessions_app_session s
            WHERE s.deleted_at IS NULL AND NOT s.status = ANY(%(final)s) AND s.estimated_delivery_date IS NOT NULL
                AND s.estimated_delivery_date
                    <> (s.starts_at AT TIME ZONE %(zone)s)::date + s.estimated_editing_days
        """,
    ),
    # -- mail and jobs
    "mail_claims_left_behind": Check(
        finds=_("E-mails that a worker took and never marked"),
        says=_("An e-mail of the kind %(kind)s to %(to)s was taken on %(claimed_at)s, and nothing came of it."),
        advice=_("See that the worker runs: it takes such e-mails over after ten minutes."),
        sql="""
            SELECT coalesce(s.code, '#' || m.id) AS code, m.id AS mail, m.kind, m."to", m.claimed_at
            FROM studio_outgoingemail m
            LEFT JOIN sessions_app_session s ON s.id = m.about_id AND m.about_type = 'sessions_app.session'
            WHERE m.status = 'claimed' AND m.claimed_at < %(now)s - %(claims_last)s
        """,
        params=lambda: {"claims_last": CLAIMS_LAST},
    ),
    "mail_left_waiting": Check(
        finds=_("E-mails that should have gone long ago"),
        says=_("An e-mail of the kind %(kind)s to %(to)s should have been tried on %(next_try_at)s."),
        advice=_("See that the worker runs and that the mail server answers."),
        sql="""
            SELECT coalesce(s.code, '#' || m.id) AS code, m.id AS mail, m.kind, m."to", m.next_try_at
            FROM studio_outgoingemail m
            LEFT JOIN sessions_app_session s ON s.id = m.about_id AND m.about_type = 'sessions_app.session'
            WHERE m.status = 'waiting' AND m.next_try_at < %(now)s - %(mail_waits)s
        """,
        params=lambda: {"mail_waits": MAIL_WAITS},
    ),
    "mail_about_deleted_sessions": Check(
        finds=_("E-mails that wait, about sessions that are gone"),
        says=_("An e-mail of the kind %(kind)s to %(to)s waits, and its session was deleted."),
        advice=_("See that the worker runs: it drops such e-mails."),
        sql="""
            SELECT coalesce(s.code, '#' || m.id) AS code, m.id AS mail, m.kind, m."to" FROM studio_outgoingemail m
            LEFT JOIN sessions_app_session s ON s.id = m.about_id
            WHERE m.status IN ('waiting', 'claimed') AND m.about_type = 'sessions_app.session'
                AND m.next_try_at < %(now)s - %(untrue_mail_waits)s AND (s.id IS NULL OR s.deleted_at IS NOT NULL)
        """,
        params=lambda: {"untrue_mail_waits": UNTRUE_MAIL_WAITS},
    ),
    "reminders_of_nothing_due": Check(
        finds=_("Reminders that wait, of a deposit that nobody waits for"),
        says=_("A reminder to %(to)s waits, and the session is %(status)s."),
        advice=_("See that the worker runs: it drops such e-mails."),
        sql="""
            SELECT s.code, m.id AS mail, m."to", s.status FROM studio_outgoingemail m
            JOIN sessions_app_session s ON s.id = m.about_id AND s.deleted_at IS NULL
            WHERE m.status IN ('waiting', 'claimed') AND m.about_type = 'sessions_app.session'
                AND m.kind = 'payment_reminder_email'
                AND m.next_try_at < %(now)s - %(untrue_mail_waits)s AND s.status <> %(prescheduled)s
        """,
        params=lambda: {"untrue_mail_waits": UNTRUE_MAIL_WAITS},
    ),
    "mail_was_never_written": Check(
        finds=_("Moves whose e-mail was never written"),
        says=_("It became %(status)s on %(at)s, and the client was not written to."),
        advice=_("Tell the client in person."),
        # Each is written in the transaction of the move, under the number of its line in the history.
        sql="""
            SELECT s.code, h.new_status AS status, h.changed_at AS at
            FROM sessions_app_statushistory h
            JOIN (VALUES (%(confirmed)s, 'confirmation_email:'), (%(ready)s, 'material_ready_email:'),
                (%(canceled)s, 'cancellation_email:')) due(status, kind) ON due.status = h.new_status
            JOIN sessions_app_session s ON s.id = h.session_id
            WHERE h.changed_at > %(now)s - %(mail_is_kept)s AND s.session_type <> %(appointment)s AND NOT EXISTS (
                SELECT FROM studio_outgoingemail m WHERE m.key = due.kind || h.session_id || ':' || h.id
            )
        """,
        params=lambda: {"mail_is_kept": MAIL_IS_KEPT},
    ),
    "job_runs_unfinished": Check(
        finds=_("Runs of jobs that never ended"),
        says=_("The run that fell due on %(due_at)s has not ended."),
        advice=_("See that the worker runs, and run the job by hand: manage.py run_job."),
        sql="""
            SELECT r.job || ' ' || r.local_date AS code, r.due_at FROM studio_jobrun r
            WHERE r.finished_at IS NULL
                AND coalesce(r.started_at, r.queued_at, r.due_at) < %(now)s - %(jobs_last)s
        """,
        params=lambda: {"jobs_last": JOBS_LAST},
    ),
    # -- the database itself
    "guards_are_off": Check(
        finds=_("Constraints and triggers that are missing or switched off"),
        says=_("The database does not hold it: what it refuses could be written."),
        advice=_("Restore it as the migrations make it, after looking for what was written meanwhile."),
        sql="""
            SELECT expected.name AS code FROM unnest(%(constraints)s::text[]) expected(name)
            WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = expected.name AND c.convalidated)
                AND NOT EXISTS (
                    SELECT FROM pg_class i JOIN pg_index x ON x.indexrelid = i.oid
                    WHERE i.relname = expected.name AND x.indisvalid
                )
            UNION ALL
            SELECT expected.name FROM unnest(%(triggers)s::text[]) expected(name)
            WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = expected.name)
            UNION ALL
            SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE t.tgenabled NOT IN ('O', 'A') AND c.relname = ANY(%(tables)s)
        """,
        params=_guards,
    ),
}
