"""Thousands of unpaid sessions that fall due the same night, in bulk: the same rows with the same ids each time."""

from datetime import timedelta

from django.db import connection

from tests.factories.domain import Studio, at

DUE = at("2026-03-07", "23:59:59")
NIGHT = DUE + timedelta(seconds=1)

# Each has what one that was walked there has: a line, three rows of history, people and room that are held, a reminder
# that was sent, and one notice that nobody has read.
ROWS = """
INSERT INTO sessions_app_client (id, full_name, email, primary_phone, secondary_phone, delivery_address, client_type,
    language, notes, active, created_at)
SELECT 1000000 + n, 'Client ' || n, 'due' || n || '@example.test', '5555-0142', '', '', 'Individual', '', '', true,
    %(opened)s FROM generate_series(1, %(count)s / 5 + 1) n;
INSERT INTO sessions_app_session (id, code, client_id, session_type, status, starts_at, ends_at, location, room_id,
    event_description, special_notes, subtotal, transportation_cost, discount, discount_reason, total,
    deposit_percentage, deposit_note, deposit_amount, estimated_editing_days, payment_deadline, reported_incidents,
    photographer_observations, editor_observations, cancellation_reason, canceled_by_initiator, refund_reason,
    price_is_open, no_show, hold_reason, created_at, created_by_id, updated_at, updated_by_id)
SELECT 1000000 + n, 'S-2026-B' || n, 1000000 + n / 5 + 1, 'Studio', 'Pre-scheduled',
    %(opened)s + n * interval '3 hours', %(opened)s + n * interval '3 hours' + interval '2 hours', '', %(room)s,
    'Maternity', '', 1000, 0, 0, '', 1000, 50, '', 500, 5, %(due)s, '', '', '', '', '', '', false, false, '',
    %(opened)s, %(by)s, %(opened)s, %(by)s FROM generate_series(1, %(count)s) n;
INSERT INTO sessions_app_sessiondetail (session_id, line_type, reference_type, reference_name, item_code, item_name,
    item_description, quantity, unit_price, line_subtotal, description_override, display_order)
SELECT 1000000 + n, 'Item', '', '', 'I1', 'Portrait', '', 1, 1000, 1000, '', 0 FROM generate_series(1, %(count)s) n;
INSERT INTO sessions_app_statushistory (session_id, previous_status, new_status, reason, changed_at, changed_by_id)
SELECT 1000000 + n, step.previous, step.new, '', %(opened)s, %(by)s FROM generate_series(1, %(count)s) n,
    (VALUES (1, NULL, 'Request'), (2, 'Request', 'Negotiation'), (3, 'Negotiation', 'Pre-scheduled'))
    step (place, previous, new) ORDER BY n, step.place;
INSERT INTO scheduling_roomreservation (during, created_at, created_by_id, notes, room_id, session_id)
SELECT tstzrange(starts_at, ends_at), %(opened)s, %(by)s, '', %(room)s, id FROM sessions_app_session;
INSERT INTO scheduling_staffreservation (during, created_at, created_by_id, notes, staff_id, session_id,
    is_lead_photographer, assignment_status)
SELECT tstzrange(starts_at, ends_at), %(opened)s, %(by)s, '', %(staff)s, id, true, 'Assigned'
FROM sessions_app_session;
INSERT INTO studio_outgoingemail (key, kind, "to", language, context, about_type, about_id, status, attempts,
    next_try_at, sent_at, last_error, created_at)
SELECT 'payment_reminder_email:' || id || ':x', 'payment_reminder_email', 'client@example.test', 'es', '{}',
    'sessions_app.session', id, 'sent', 1, %(opened)s, %(opened)s, '', %(opened)s FROM sessions_app_session;
INSERT INTO studio_notice (recipient_id, kind, params, url, about_type, about_id, key, created_at)
SELECT %(staff)s, 'session_assigned', '{}', '', 'sessions_app.session', id, '', %(opened)s FROM sessions_app_session;
ANALYZE;
"""


def write_due_sessions(studio: Studio, count: int) -> None:
    """`count` sessions of the studio's client and room, unpaid, due at ``DUE``. Run it again after ``clear``."""
    values = {
        "count": count,
        "opened": studio.now,
        "due": DUE,
        "room": studio.room.pk,
        "staff": studio.photographer.pk,
        "by": studio.coordinator.pk,
    }
    with connection.cursor() as cursor:
        # The deferred trigger would compare each session with history rows of its own transaction: these are data.
        cursor.execute("SET session_replication_role = replica")
        for statement in ROWS.split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = DEFAULT")


def clear() -> None:
    """Nothing of it is left, and the next rows get the same ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE sessions_app_client, studio_outgoingemail, studio_notice, studio_auditevent, studio_jobrun,"
            " django_q_ormq RESTART IDENTITY CASCADE"
        )
