"""The SQL that makes rows of an agenda (``writing``).

Each session has a number ``n`` from 1 on, and a ``turn`` by which the small things differ.
"""

AGENDA = """
CREATE TEMPORARY TABLE seed_agenda (n integer, day date, starts integer, ends integer, session_type text, status text,
    canceled_from text, package integer, room integer, lead integer, second integer, travel integer, editor integer,
    client integer, turn integer)
"""

SOLD = """
CREATE TEMPORARY TABLE seed_sold (package integer, place integer, package_id bigint, package_name text, item_code text,
    item_name text, quantity integer, unit_price numeric(12, 2))
"""

CLIENTS = """
INSERT INTO sessions_app_client (id, full_name, email, primary_phone, secondary_phone, delivery_address, client_type,
    language, notes, active, created_at)
SELECT %(clients)s + k, (%(first_names)s::text[])[1 + mod(k, cardinality(%(first_names)s::text[]))] || ' '
        || (%(surnames)s::text[])[1 + mod(k / 3, cardinality(%(surnames)s::text[]))],
    'client' || (%(clients_before)s + k) || '@' || %(domain)s, lpad(mod(k * 7919, 100000000)::text, 8, '5'), '', '',
    CASE WHEN mod(k, 9) = 0 THEN 'Institutional' ELSE 'Individual' END,
    CASE WHEN mod(k, 6) = 0 THEN 'en' ELSE 'es' END, '', true, %(as_of)s - k * interval '1 hour'
FROM generate_series(1, %(client_count)s) k
"""

# Everything about a session that more than one table tells, each moment later than the one before.
STORY = """
CREATE TEMPORARY TABLE seed_story AS
WITH placed AS (
    SELECT a.*, %(sessions)s + a.n AS id,
        (a.day + make_interval(mins => a.starts)) AT TIME ZONE %(zone)s AS starts_at,
        (a.day + make_interval(mins => a.ends)) AT TIME ZONE %(zone)s AS ends_at,
        -- How far along the path of a shoot; of an appointment nothing.
        CASE WHEN a.session_type <> 'Appointment'
            THEN array_position(%(path)s::text[], coalesce(nullif(a.canceled_from, ''), a.status)) END AS reached,
        (%(coordinators)s::bigint[])[1 + mod(a.turn, cardinality(%(coordinators)s::bigint[]))] AS coordinator_id,
        (%(photographers)s::bigint[])[1 + a.lead] AS lead_id,
        (%(photographers)s::bigint[])[1 + a.second] AS second_id,
        (%(editors)s::bigint[])[1 + a.editor] AS editor_id,
        (%(rooms)s::bigint[])[1 + a.room] AS room_id,
        CASE WHEN mod(a.turn, 3) = 0 THEN 'Cash' WHEN mod(a.turn, 3) = 1 THEN 'Card' ELSE 'Transfer' END AS method
    FROM seed_agenda a WHERE a.n BETWEEN %(first)s AND %(last)s
), asked AS (
    SELECT placed.*, session_type = 'Appointment' AS is_appointment, CASE
        WHEN status = ANY(%(negotiated)s) THEN %(as_of)s - make_interval(days => mod(turn, 10), hours => 14)
        WHEN status = 'Pre-scheduled' THEN %(as_of)s
            - make_interval(days => 1 + mod(turn, greatest(least(%(payment_days)s, 4), 1)), hours => 14)
        ELSE least(starts_at - make_interval(days => 20 + mod(turn, 40)), %(as_of)s - interval '6 days 14 hours')
        END AS asked_at
    FROM placed
), quoted AS (
    SELECT asked.*, asked_at + interval '2 hours' AS negotiated_at, asked_at + interval '1 day' AS prescheduled_at,
        asked_at + interval '2 days' AS confirmed_at
    FROM asked
), dated AS (
    SELECT quoted.*, change.ends AS changes_deadline, pay.ends AS payment_deadline,
        least(hold.ends, starts_at) AS hold_deadline,
        greatest(change.ends + interval '6 seconds', confirmed_at + interval '1 minute') AS assigned_at
    FROM quoted
    JOIN seed_day change ON change.day = quoted.day - %(changes_days)s
    JOIN seed_day pay ON pay.day = (prescheduled_at AT TIME ZONE %(zone)s)::date + %(payment_days)s
    JOIN seed_day hold ON hold.day = (asked_at AT TIME ZONE %(zone)s)::date + %(hold_days)s
), shot AS (
    SELECT dated.*, greatest(ends_at, assigned_at + interval '1 minute') AS attended_at FROM dated
), finished AS (
    SELECT shot.*, attended_at + interval '1 day' AS taken_at,
        least(attended_at + interval '3 days', %(as_of)s) AS ready_at,
        CASE WHEN is_appointment THEN ends_at ELSE attended_at + interval '7 days' END AS completed_at,
        CASE canceled_from WHEN 'Request' THEN asked_at + interval '1 day'
            WHEN 'Pre-scheduled' THEN least(payment_deadline + interval '1 second', %(as_of)s)
            WHEN 'Confirmed' THEN confirmed_at + interval '3 days'
            WHEN 'Assigned' THEN assigned_at + interval '1 day'
            WHEN 'Active' THEN least(starts_at, %(as_of)s) END AS canceled_at
    FROM shot
), priced AS (
    SELECT finished.*, status = 'Waiting' AS price_is_open, coalesce(CASE
            WHEN status = 'Waiting' THEN 0
            WHEN is_appointment THEN 300 + 50 * mod(turn, 30)
            WHEN reached > 1 THEN package.subtotal END, 0)::numeric(12, 2) AS subtotal,
        CASE WHEN finished.session_type = 'External' AND reached > 1 AND mod(turn, 2) = 0 THEN %(way)s ELSE 0 END
            ::numeric(12, 2) AS transportation_cost,
        CASE WHEN NOT is_appointment AND reached > 1 AND mod(turn, 10) = 3 THEN round(package.subtotal / 10, 2) ELSE 0
            END::numeric(12, 2) AS discount,
        days.estimated_editing_days AS editing_days
    FROM finished
    JOIN (SELECT package, sum(quantity * unit_price) AS subtotal, min(package_id) AS package_id
        FROM seed_sold GROUP BY package) package ON package.package = finished.package
    JOIN catalog_package days ON days.id = package.package_id
), totalled AS (
    SELECT priced.*, subtotal + transportation_cost - discount AS total FROM priced
), paid AS (
    SELECT totalled.*, CASE WHEN reached >= 3 THEN round(total * %(deposit_percent)s / 100, 2) END AS deposit_amount
    FROM totalled
)
SELECT paid.*, round(CASE canceled_from WHEN 'Confirmed' THEN deposit_amount * %(in_time_percent)s / 100
        WHEN 'Assigned' THEN deposit_amount * %(settled_percent)s / 100 ELSE 0 END, 2) AS refund
FROM paid
"""

SESSIONS = """
INSERT INTO sessions_app_session (id, code, client_id, session_type, status, starts_at, ends_at, location, room_id,
    event_description, special_notes, assigned_editor_id, subtotal, transportation_cost, discount, discount_reason,
    total, price_is_open, deposit_percentage, deposit_note, deposit_amount, refund_terms, estimated_editing_days,
    estimated_delivery_date, payment_deadline, changes_deadline, held_until, hold_reason, reported_incidents,
    photographer_observations, editor_observations, canceled_at, cancellation_reason, canceled_by_initiator, no_show,
    refund_reason, kept_amount, created_at, created_by_id, updated_at, updated_by_id)
SELECT id, 'S-' || extract(year FROM asked_at AT TIME ZONE %(zone)s) || '-' || lpad((%(codes)s + n)::text,
        greatest(4, length((%(codes)s + n)::text)), '0'),
    %(clients)s + 1 + client, session_type, status, starts_at, ends_at,
    CASE WHEN session_type = 'External' THEN (%(places)s::text[])[1 + mod(turn, cardinality(%(places)s::text[]))]
        ELSE '' END,
    room_id, CASE WHEN is_appointment THEN 'Tatuaje' ELSE (%(titles)s::text[])[1 + package] END || ' '
        || (%(surnames)s::text[])[1 + mod((1 + client) / 3, cardinality(%(surnames)s::text[]))], '',
    editor_id, subtotal, transportation_cost, discount, CASE WHEN discount > 0 THEN 'Cliente frecuente' ELSE '' END,
    total, price_is_open, CASE WHEN is_appointment THEN 0 ELSE %(deposit_percent)s END, '', deposit_amount,
    CASE WHEN reached >= 4 THEN %(terms)s END, editing_days,
    CASE WHEN reached >= 5 THEN day + editing_days END,
    CASE WHEN status = 'Pre-scheduled' THEN payment_deadline END, CASE WHEN reached >= 4 THEN changes_deadline END,
    CASE WHEN status = ANY(%(negotiated)s) AND lead_id IS NOT NULL THEN hold_deadline END, '', '',
    CASE WHEN status = ANY(%(with_photos)s) AND NOT is_appointment AND mod(turn, 4) = 0
        THEN 'Las mejores tomas son las últimas cuarenta.' ELSE '' END,
    '', CASE WHEN status = 'Canceled' THEN canceled_at END,
    CASE WHEN status <> 'Canceled' THEN '' WHEN canceled_from = 'Pre-scheduled' THEN %(unpaid)s
        WHEN is_appointment AND mod(turn, 20) = 0 THEN 'No llegó.' ELSE 'El cliente cambió de planes.' END,
    CASE WHEN status <> 'Canceled' THEN '' WHEN canceled_from = 'Pre-scheduled' THEN 'system' ELSE 'client' END,
    is_appointment AND status = 'Canceled' AND mod(turn, 20) = 0,
    CASE WHEN status <> 'Canceled' OR is_appointment THEN '' WHEN canceled_from = 'Confirmed' THEN %(in_time_reason)s
        WHEN canceled_from = 'Assigned' THEN %(settled_reason)s ELSE 'No payments made' END,
    CASE WHEN status = 'Canceled' THEN CASE WHEN reached >= 4 THEN deposit_amount - refund ELSE 0 END END,
    asked_at, coordinator_id, asked_at, coordinator_id
FROM seed_story ORDER BY id
"""

LINES = """
INSERT INTO sessions_app_sessiondetail (session_id, line_type, reference_type, reference_id, reference_name, item_code,
    item_name, item_description, quantity, unit_price, line_subtotal, description_override, display_order, added_by_id)
SELECT s.id, 'Item', 'Package', l.package_id, l.package_name, l.item_code, l.item_name, '', l.quantity, l.unit_price,
    l.quantity * l.unit_price, '', l.place, s.coordinator_id
FROM seed_story s JOIN seed_sold l ON l.package = s.package WHERE s.reached > 1 ORDER BY s.id, l.place
"""

HISTORY = """
INSERT INTO sessions_app_statushistory (session_id, previous_status, new_status, reason, changed_at, changed_by_id)
SELECT s.id, step.previous, step.new, step.reason, step.at, step.by FROM seed_story s CROSS JOIN LATERAL (VALUES
    (1, NULL, 'Request', '', s.asked_at, s.coordinator_id, s.reached >= 1),
    (2, 'Request', 'Negotiation', '', s.negotiated_at, s.coordinator_id, s.reached >= 2),
    (3, 'Negotiation', 'Pre-scheduled', '', s.prescheduled_at, s.coordinator_id, s.reached >= 3),
    (4, 'Pre-scheduled', 'Confirmed', '', s.confirmed_at, s.coordinator_id, s.reached >= 4),
    (5, 'Confirmed', 'Assigned', '', s.assigned_at, NULL, s.reached >= 5),
    (6, 'Assigned', 'Attended', '', s.attended_at, s.lead_id, s.reached >= 6),
    (7, 'Attended', 'In Editing', '', s.taken_at, s.editor_id, s.reached >= 7),
    (8, 'In Editing', 'Ready for Delivery', '', s.ready_at, s.editor_id, s.reached >= 8),
    (9, 'Ready for Delivery', 'Completed', '', s.completed_at, s.coordinator_id, s.reached >= 9),
    (1, NULL, CASE s.status WHEN 'Waiting' THEN 'Waiting' ELSE 'Active' END, '', s.asked_at, s.lead_id,
        s.is_appointment),
    (2, 'Active', 'Completed', '', s.completed_at, s.lead_id, s.is_appointment AND s.status = 'Completed'),
    (10, s.canceled_from, 'Canceled', CASE s.canceled_from WHEN 'Pre-scheduled' THEN %(unpaid)s
        ELSE 'El cliente cambió de planes.' END, s.canceled_at,
        CASE WHEN s.canceled_from <> 'Pre-scheduled' THEN s.coordinator_id END, s.status = 'Canceled')
) step(place, previous, new, reason, at, by, is_so)
WHERE step.is_so ORDER BY s.id, step.place
"""

PAYMENTS = """
INSERT INTO payments_payment (session_id, payment_type, amount, payment_status, payment_method, document_number,
    payment_date, notes, registered_by_id, registered_at, verified_by_id, verified_at, cash_day, deleted_flag,
    deleted_reason)
SELECT s.id, pay.type, pay.amount, CASE WHEN pay.is_in THEN 'Verified' ELSE 'Pending' END,
    CASE WHEN pay.is_in OR pay.type <> 'Refund' THEN s.method ELSE '' END,
    CASE WHEN pay.is_in OR pay.type <> 'Refund' THEN left(pay.type, 1) || '-' || s.n ELSE '' END,
    (pay.at AT TIME ZONE %(zone)s)::date, '', pay.by, pay.at, CASE WHEN pay.is_in THEN pay.by END,
    CASE WHEN pay.is_in THEN pay.at END, CASE WHEN pay.is_in THEN (pay.at AT TIME ZONE %(zone)s)::date END, false, ''
FROM seed_story s CROSS JOIN LATERAL (VALUES
    (1, 'Deposit', s.deposit_amount, s.confirmed_at, true, s.coordinator_id, s.reached >= 4),
    (1, 'Deposit', s.deposit_amount, s.prescheduled_at + interval '1 hour', false, s.coordinator_id,
        s.status = 'Pre-scheduled' AND mod(s.turn, 4) = 0),
    -- One in twenty is delivered before the rest is paid (D37).
    (2, 'Balance', s.total - s.deposit_amount, s.completed_at, true, s.coordinator_id,
        s.reached = 9 AND mod(s.turn, 20) <> 0),
    (2, 'Balance', s.total, s.completed_at, true, s.lead_id, s.is_appointment AND s.status = 'Completed'),
    (3, 'Refund', s.refund, s.canceled_at, s.canceled_at < %(as_of)s - interval '10 days', s.coordinator_id,
        s.refund > 0)
) pay(place, type, amount, at, is_in, by, is_so)
WHERE pay.is_so AND pay.amount > 0 ORDER BY s.id, pay.place
"""

COMMISSIONS = """
INSERT INTO payments_commissionline (person_id, session_id, kind, base, rate, rate_source, amount, reason, earned_on,
    created_at, created_by_id)
SELECT lead_id, id, 'Earned', total, %(usual_rate)s, 'Default', round(total * %(usual_rate)s, 2), '', day,
    completed_at, lead_id
FROM seed_story WHERE is_appointment AND status = 'Completed' ORDER BY id
"""

ROOMS = """
INSERT INTO scheduling_roomreservation (room_id, session_id, during, released_at, created_at, created_by_id, notes)
SELECT room_id, id, tstzrange(starts_at, ends_at + make_interval(mins => %(turnaround)s)),
    CASE status WHEN 'Canceled' THEN canceled_at WHEN 'Completed' THEN completed_at END, asked_at, coordinator_id, ''
FROM seed_story WHERE room_id IS NOT NULL ORDER BY id
"""

# The time of a completed appointment stays held (D34).
PEOPLE = """
INSERT INTO scheduling_staffreservation (staff_id, session_id, during, released_at, created_at, created_by_id, notes,
    is_lead_photographer, assignment_status, attended_at)
SELECT crew.staff_id, s.id, tstzrange(s.starts_at - make_interval(mins => s.travel),
        s.ends_at + make_interval(mins => s.travel)),
    CASE WHEN s.status = 'Canceled' THEN s.canceled_at
        WHEN s.status = 'Completed' AND NOT s.is_appointment THEN s.completed_at END,
    s.asked_at, s.coordinator_id, '', crew.leads, 'Assigned',
    CASE WHEN crew.leads AND s.status = ANY(%(with_photos)s) AND NOT s.is_appointment THEN s.attended_at END
FROM seed_story s CROSS JOIN LATERAL (VALUES (s.lead_id, true), (s.second_id, false)) crew(staff_id, leads)
WHERE crew.staff_id IS NOT NULL ORDER BY s.id, crew.leads DESC
"""

GRANTS = """
INSERT INTO sessions_app_sessionuserobjectpermission (content_object_id, user_id, permission_id)
SELECT s.id, due.user_id, permission_id FROM seed_story s CROSS JOIN LATERAL (VALUES
    (s.lead_id, CASE WHEN s.is_appointment THEN %(grants_of_artists)s ELSE %(grants_of_photographers)s END::bigint[]),
    (s.second_id, %(grants_of_photographers)s::bigint[]),
    (s.editor_id, %(grants_of_editors)s::bigint[])
) due(user_id, permissions) CROSS JOIN unnest(due.permissions) permission_id
WHERE due.user_id IS NOT NULL ORDER BY s.id
"""

# Of what is still under way; what is over was given before there were versions.
QUOTES = """
INSERT INTO sessions_app_quoteversion (session_id, number, content, total, made_at, made_by_id)
SELECT s.id, 1, jsonb_build_object('lines', (
        SELECT jsonb_agg(jsonb_build_object('line', l.id, 'code', l.item_code, 'name', l.item_name,
            'package', l.reference_name, 'description', l.item_description, 'quantity', l.quantity,
            'unit_price', l.unit_price::text, 'amount', l.line_subtotal::numeric(14, 2)::text)
            ORDER BY l.display_order)
        FROM sessions_app_sessiondetail l WHERE l.session_id = s.id),
    'subtotal', s.subtotal::text, 'transportation', s.transportation_cost::text, 'discount', s.discount::text,
    'discount_reason', CASE WHEN s.discount > 0 THEN 'Cliente frecuente' ELSE '' END, 'total', s.total::text,
    'deposit_percentage', %(deposit_percent)s::int, 'deposit', s.deposit_amount::text,
    'starts_at', to_char(s.starts_at, 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
    'ends_at', to_char(s.ends_at, 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
    'place', CASE WHEN s.session_type = 'External'
        THEN (%(places)s::text[])[1 + mod(s.turn, cardinality(%(places)s::text[]))] ELSE '' END),
    s.total, s.prescheduled_at, s.coordinator_id
FROM seed_story s WHERE s.reached >= 3 AND NOT s.status = ANY(%(final)s) ORDER BY s.id
"""

# What is older was cleared away.
MAIL = """
INSERT INTO studio_outgoingemail (key, kind, "to", language, context, about_type, about_id, status, attempts,
    next_try_at, sent_at, last_error, created_at)
SELECT due.kind || ':' || h.session_id || ':' || h.id, due.kind, c.email, c.language, '{}', 'sessions_app.session',
    h.session_id, 'sent', 1, h.changed_at, h.changed_at, '', h.changed_at
FROM seed_story s JOIN sessions_app_statushistory h ON h.session_id = s.id
JOIN (VALUES ('Confirmed', 'confirmation_email'), ('Ready for Delivery', 'material_ready_email'),
    ('Canceled', 'cancellation_email')) due(status, kind) ON due.status = h.new_status
JOIN sessions_app_client c ON c.id = %(clients)s + 1 + s.client
WHERE NOT s.is_appointment AND h.changed_at > %(as_of)s - %(mail_is_kept)s ORDER BY h.id
"""

BATCH = (
    STORY,
    "ANALYZE seed_story",
    SESSIONS,
    LINES,
    HISTORY,
    PAYMENTS,
    COMMISSIONS,
    ROOMS,
    PEOPLE,
    GRANTS,
    QUOTES,
    MAIL,
    "DROP TABLE seed_story",
)

BLOCKED = """
INSERT INTO {table} ({resource}, during, created_at, created_by_id, notes{more})
SELECT whose, tstzrange(starts, ends), %(at)s, %(by)s, {note}
FROM unnest(%(whose)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) blocked(whose, starts, ends)
"""
TIME_OFF = BLOCKED.format(
    table="scheduling_staffreservation",
    resource="staff_id",
    more=", is_lead_photographer, assignment_status",
    note="'Vacaciones', false, 'Assigned'",
)
CLOSURES = BLOCKED.format(table="scheduling_roomreservation", resource="room_id", more="", note="'Mantenimiento'")
