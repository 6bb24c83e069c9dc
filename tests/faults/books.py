"""Whether the records are whole, asked in SQL of our own: what is wrong comes back in words."""

from collections.abc import Callable
from datetime import date, datetime

from django.db import connection
from django.utils import timezone

from sessions_app.jobs import validate_integrity
from studio.jobs import EVERY_MINUTE, JOBS

DAILY = {job.name for job in JOBS if job.at is not EVERY_MINUTE}

# Each question finds rows that may not be there.
QUESTIONS = {
    "the status is not that of the last line of its history": """
        SELECT s.code FROM sessions_app_session s WHERE s.status IS DISTINCT FROM
        (SELECT h.new_status FROM sessions_app_statushistory h WHERE h.session_id = s.id ORDER BY h.id DESC LIMIT 1)""",
    "a line of the history does not go on from the one before": """
        SELECT s.code FROM (SELECT session_id, previous_status, new_status,
            lag(new_status) OVER (PARTITION BY session_id ORDER BY id) AS before FROM sessions_app_statushistory) h
        JOIN sessions_app_session s ON s.id = h.session_id
        WHERE h.before IS NOT NULL AND h.previous_status IS DISTINCT FROM h.before""",
    "canceled more than once": """
        SELECT s.code FROM sessions_app_statushistory h JOIN sessions_app_session s ON s.id = h.session_id
        WHERE h.new_status = 'Canceled' GROUP BY s.code HAVING count(*) > 1""",
    "canceled, and still holds a room": """
        SELECT s.code FROM scheduling_roomreservation r JOIN sessions_app_session s ON s.id = r.session_id
        WHERE s.status = 'Canceled' AND r.released_at IS NULL""",
    "canceled, and still holds people": """
        SELECT s.code FROM scheduling_staffreservation r JOIN sessions_app_session s ON s.id = r.session_id
        WHERE s.status = 'Canceled' AND r.released_at IS NULL""",
    "canceled, and there is not one e-mail about it": """
        SELECT s.code FROM sessions_app_session s WHERE s.status = 'Canceled' AND 1 <>
        (SELECT count(*) FROM studio_outgoingemail m WHERE m.about_type = 'sessions_app.session'
            AND m.about_id = s.id AND m.kind = 'cancellation_email')""",
    "canceled, and there is not one line about it in the audit log": """
        SELECT s.code FROM sessions_app_session s WHERE s.status = 'Canceled' AND 1 <>
        (SELECT count(*) FROM studio_auditevent a WHERE a.object_type = 'sessions_app.session'
            AND a.object_id = s.id::text AND a.event = 'session_canceled')""",
    "not canceled, and there is an e-mail that says so": """
        SELECT s.code FROM sessions_app_session s JOIN studio_outgoingemail m ON m.about_id = s.id
        WHERE m.about_type = 'sessions_app.session' AND m.kind = 'cancellation_email' AND s.status <> 'Canceled'""",
    "has a room that it does not hold": """
        SELECT s.code FROM sessions_app_session s WHERE s.room_id IS NOT NULL AND s.status <> 'Canceled'
        AND s.status <> 'Completed' AND NOT EXISTS (SELECT 1 FROM scheduling_roomreservation r
            WHERE r.session_id = s.id AND r.room_id = s.room_id AND r.released_at IS NULL)""",
    "a room is taken twice": """
        SELECT a.session_id::text || '/' || b.session_id FROM scheduling_roomreservation a
        JOIN scheduling_roomreservation b ON a.room_id = b.room_id AND a.id < b.id AND a.during && b.during
        WHERE a.released_at IS NULL AND b.released_at IS NULL""",
    "somebody is taken twice": """
        SELECT a.session_id::text || '/' || b.session_id FROM scheduling_staffreservation a
        JOIN scheduling_staffreservation b ON a.staff_id = b.staff_id AND a.id < b.id AND a.during && b.during
        WHERE a.released_at IS NULL AND b.released_at IS NULL""",
}


def wrong(now: datetime | None = None) -> dict[str, list[str]]:
    """What is wrong with the records, by our own questions and by those of the nightly check."""
    found = {}
    with connection.cursor() as cursor:
        for name, question in QUESTIONS.items():
            cursor.execute(question)
            if rows := [row[0] for row in cursor.fetchall()]:
                found[name] = rows
    checked = validate_integrity(now or timezone.now())
    if checked["failed"]:
        found["the nightly check"] = [str(checked["report"])]
    return found


def count(question: str, *values: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {question}", values)
        return cursor.fetchone()[0]


def all_sent() -> bool:
    """Whether no e-mail waits or is under way."""
    return count("studio_outgoingemail WHERE status IN ('waiting', 'claimed')") == 0


def all_ended() -> bool:
    """Whether each run of a job that was begun has come to its end."""
    return count("studio_jobrun WHERE finished_at IS NULL") == 0


def all_have_run() -> bool:
    """Whether each daily job has run to its end."""
    ended = "studio_jobrun WHERE finished_at IS NOT NULL AND NOT by_hand AND job = ANY(%s)"
    return count(ended, list(DAILY)) >= len(DAILY)


def all_have_run_on(day: date) -> Callable[[], bool]:
    """Whether each daily job has run to its end for this local day."""
    ended = "studio_jobrun WHERE finished_at IS NOT NULL AND NOT by_hand AND job = ANY(%s) AND local_date = %s"
    return lambda: count(ended, list(DAILY), day) == len(DAILY)


def both(*questions: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: all(question() for question in questions)
