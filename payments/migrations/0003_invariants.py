"""The ledger's truth in the database: entries do not change, and never exceed what they are for (business rules 5.3, D21)."""

from django.db import migrations

ENTRIES_STAND = """
CREATE FUNCTION atelier_payment_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM sessions_app_session s WHERE s.id = OLD.session_id) THEN
            RAISE EXCEPTION 'payment % is never deleted, only voided', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_never_deleted';
        END IF;
        RETURN NULL;
    END IF;
    IF (NEW.session_id, NEW.payment_type, NEW.amount, NEW.registered_at)
            IS DISTINCT FROM (OLD.session_id, OLD.payment_type, OLD.amount, OLD.registered_at)
        OR (OLD.payment_status <> 'Pending' AND NEW.payment_status <> OLD.payment_status)
        OR (OLD.payment_status <> 'Pending'
            AND (NEW.payment_method, NEW.document_number, NEW.payment_date)
                IS DISTINCT FROM (OLD.payment_method, OLD.document_number, OLD.payment_date))
        OR (OLD.deleted_flag AND NOT NEW.deleted_flag)
    THEN
        RAISE EXCEPTION 'payment % is never edited', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_never_edited';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER payment_is_never_edited
    BEFORE UPDATE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION atelier_payment_stands();

-- At the end of the transaction, so that a session can go together with its payments (D30).
CREATE CONSTRAINT TRIGGER payment_is_never_deleted
    AFTER DELETE ON payments_payment
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION atelier_payment_stands();
"""

# The lock makes the sum true: two entries for one session wait for each other even where nobody locked the session.
ENTRIES_FIT = """
CREATE FUNCTION atelier_payment_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    session_total numeric;
    session_status text;
    paid numeric;
    waiting numeric;
    refunded numeric;
    promised numeric;
BEGIN
    SELECT s.total, s.status INTO session_total, session_status
        FROM sessions_app_session s WHERE s.id = NEW.session_id FOR NO KEY UPDATE;
    SELECT coalesce(sum(p.amount) FILTER (WHERE p.payment_type <> 'Refund' AND p.payment_status = 'Verified'), 0),
           coalesce(sum(p.amount) FILTER (WHERE p.payment_type <> 'Refund' AND p.payment_status = 'Pending'), 0),
           coalesce(sum(p.amount) FILTER (WHERE p.payment_type = 'Refund' AND p.payment_status = 'Verified'), 0),
           coalesce(sum(p.amount) FILTER (WHERE p.payment_type = 'Refund' AND p.payment_status = 'Pending'), 0)
        INTO paid, waiting, refunded, promised
        FROM payments_payment p WHERE p.session_id = NEW.session_id AND NOT p.deleted_flag;
    IF NEW.payment_type = 'Refund' THEN
        IF NEW.amount + refunded + promised > paid THEN
            RAISE EXCEPTION 'refunds of session % would exceed what was paid', NEW.session_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_within_paid';
        END IF;
    ELSIF session_status = 'Canceled' THEN
        RAISE EXCEPTION 'session % is canceled', NEW.session_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_for_a_live_session';
    ELSIF NEW.amount + paid + waiting - refunded > session_total THEN
        RAISE EXCEPTION 'payments of session % would exceed its total', NEW.session_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_within_total';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER payment_fits
    BEFORE INSERT ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION atelier_payment_fits();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_initial"), ("sessions_app", "0001_initial")]

    operations = [
        migrations.RunSQL(
            ENTRIES_STAND,
            "DROP TRIGGER payment_is_never_edited ON payments_payment;"
            " DROP TRIGGER payment_is_never_deleted ON payments_payment;"
            " DROP FUNCTION atelier_payment_stands()",
        ),
        migrations.RunSQL(
            ENTRIES_FIT, "DROP TRIGGER payment_fits ON payments_payment; DROP FUNCTION atelier_payment_fits()"
        ),
    ]
