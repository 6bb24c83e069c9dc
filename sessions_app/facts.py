"""What the guards need to know of a session, loaded in a fixed number of queries."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payments import ledger
from scheduling.models import AssignmentStatus
from sessions_app import workflow
from sessions_app.workflow import Facts, Transition
from studio.conf import STUDIO
from studio.roles import Role, is_admin, roles_of

if TYPE_CHECKING:
    from payments.money import Account
    from sessions_app.models import Session
    from studio.models import User


def load_facts(
    session: "Session",
    transitions: Iterable[Transition],
    *,
    by: "User | None",
    now: datetime,
    payload: dict[str, Any] | None = None,
    account: "Account | None" = None,
) -> Facts:
    """The facts about ``session`` at ``now`` for an act of ``by``: at most five queries.

    Only what the guards of ``transitions`` look at is asked of the database. ``account`` spares the ledger's query to
    whoever has asked already.
    """
    payload = payload or {}
    account = account or ledger.account(session)
    editor = payload.get("editor") or by
    guards = {guard for transition in transitions for guard in transition.guards}
    taking = workflow.editor_has_room in guards
    return Facts(
        now=now,
        today=now.astimezone(STUDIO.zone).date(),
        session_type=session.session_type,
        starts_at=session.starts_at,
        session_date=session.session_date,
        client_active=session.client.active,
        has_lines=workflow.has_lines in guards and session.lines.exists(),
        total=session.total,
        net_paid=account.net_paid,
        pending_in=account.pending_in,
        deposit_amount=session.deposit_amount,
        payment_deadline=session.payment_deadline,
        changes_deadline=session.changes_deadline,
        photographers=_photographers(session) if workflow.resources_are_there in guards else 0,
        has_room=session.room_id is not None,
        has_editor=session.assigned_editor_id is not None,
        editor_is_editor=not taking or Role.EDITOR in roles_of(editor) or is_admin(editor),
        editor_load=editing_load(session, editor) if taking else 0,
        editor_limit=STUDIO.max_concurrent_editing_sessions,
        requires_full_payment=STUDIO.require_full_payment,
        by_admin=is_admin(by),
        by_system=by is None,
        reason=str(payload.get("reason") or ""),
        initiator=str(payload.get("initiator") or ""),
        no_show=bool(payload.get("no_show")),
        method=str(payload.get("method") or ""),
        refund=payload.get("refund"),
        refund_note=str(payload.get("refund_note") or ""),
    )


def _photographers(session: "Session") -> int:
    live = session.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED)
    return live.filter(released_at__isnull=True).count()


def editing_load(session: "Session", editor: "User | None") -> int:
    """How many sessions the editor has in hand (business rules 7, ``MAX_CONCURRENT_EDITING_SESSIONS``)."""
    if editor is None:
        return 0
    others = type(session).objects.present().filter(assigned_editor=editor, status=workflow.IN_EDITING)
    return others.exclude(pk=session.pk).count()
