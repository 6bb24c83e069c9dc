"""What models cannot say: the numbers of sessions, and that no status changes without its history (business rules 1.3)."""

from django.db import migrations

NUMBERS = "CREATE SEQUENCE sessions_app_session_code"

STATUS_HAS_HISTORY = """
CREATE FUNCTION atelier_status_has_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.status = OLD.status THEN
        RETURN NULL;
    END IF;
    IF EXISTS (
        SELECT 1 FROM sessions_app_statushistory h
        WHERE h.session_id = NEW.id
          AND h.new_status = NEW.status
          AND h.previous_status IS NOT DISTINCT FROM (CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END)
          AND h.transaction_id = txid_current()
    ) AND EXISTS (
        -- One history row cannot stand for two changes of one transaction: the story ends where the session is.
        SELECT 1 FROM sessions_app_session s
        WHERE s.id = NEW.id
          AND s.status = (
              SELECT h.new_status FROM sessions_app_statushistory h
              WHERE h.session_id = NEW.id ORDER BY h.id DESC LIMIT 1
          )
    ) OR NOT EXISTS (SELECT 1 FROM sessions_app_session s WHERE s.id = NEW.id) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'session %: the status became % without a history row', NEW.id, NEW.status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'session_status_has_history';
END $$;

CREATE CONSTRAINT TRIGGER session_status_has_history
    AFTER INSERT OR UPDATE OF status ON sessions_app_session
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION atelier_status_has_history();
"""

HISTORY_IS_APPEND_ONLY = """
CREATE FUNCTION atelier_history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT 1 FROM sessions_app_session s WHERE s.id = OLD.session_id) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the status history of session % is append only', OLD.session_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'history_is_append_only';
END $$;

CREATE TRIGGER history_is_never_changed
    BEFORE UPDATE ON sessions_app_statushistory
    FOR EACH ROW EXECUTE FUNCTION atelier_history_is_append_only();

-- At the end of the transaction, so that a session can go together with its history (D30).
CREATE CONSTRAINT TRIGGER history_stays_with_its_session
    AFTER DELETE ON sessions_app_statushistory
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION atelier_history_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0001_initial")]

    operations = [
        migrations.RunSQL(NUMBERS, "DROP SEQUENCE sessions_app_session_code"),
        migrations.RunSQL(
            STATUS_HAS_HISTORY,
            "DROP TRIGGER session_status_has_history ON sessions_app_session;"
            " DROP FUNCTION atelier_status_has_history()",
        ),
        migrations.RunSQL(
            HISTORY_IS_APPEND_ONLY,
            "DROP TRIGGER history_is_never_changed ON sessions_app_statushistory;"
            " DROP TRIGGER history_stays_with_its_session ON sessions_app_statushistory;"
            " DROP FUNCTION atelier_history_is_append_only()",
        ),
    ]
