"""Money counts on days of the till, closed days stand, and so do receipts and commissions (D21, D27; ADR 11)."""

from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

# What was decided before there was a till counts on the studio's day of the decision.
COUNT_WHAT_IS_THERE = f"""
UPDATE payments_payment SET
    cash_day = (verified_at AT TIME ZONE '{settings.TIME_ZONE}')::date,
    void_cash_day = CASE WHEN deleted_flag THEN (deleted_at AT TIME ZONE '{settings.TIME_ZONE}')::date END
WHERE payment_status = 'Verified';
"""

CASH_DAY_IS_OPEN = """
CREATE FUNCTION atelier_cash_day_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed date;
    sets_day boolean;
    sets_void boolean;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.cash_day IS NOT NULL AND NEW.cash_day IS DISTINCT FROM OLD.cash_day)
            OR (OLD.void_cash_day IS NOT NULL AND NEW.void_cash_day IS DISTINCT FROM OLD.void_cash_day)
        THEN
            RAISE EXCEPTION 'payment % keeps its day of the till', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_never_edited';
        END IF;
    END IF;
    sets_day := NEW.payment_status = 'Verified' AND (TG_OP = 'INSERT' OR OLD.cash_day IS NULL);
    sets_void := NEW.payment_status = 'Verified' AND NEW.deleted_flag
        AND (TG_OP = 'INSERT' OR OLD.void_cash_day IS NULL);
    IF NOT (sets_day OR sets_void) THEN
        RETURN NEW;
    END IF;
    -- Shared by all who put money on a day; whoever closes the till waits for them, and they for it.
    SELECT t.closed_through INTO closed FROM payments_till t FOR SHARE;
    -- Who writes past the ledger says no day: the money counts all the same, on a day that is open.
    IF sets_day THEN
        NEW.cash_day := coalesce(NEW.cash_day, greatest(NEW.payment_date, closed + 1));
    END IF;
    IF sets_void THEN
        NEW.void_cash_day := coalesce(NEW.void_cash_day, greatest(NEW.deleted_at::date, NEW.cash_day, closed + 1));
    END IF;
    IF (sets_day AND NEW.cash_day <= closed) OR (sets_void AND NEW.void_cash_day <= closed) THEN
        RAISE EXCEPTION 'the till is closed through %', closed
            USING ERRCODE = 'check_violation', CONSTRAINT = 'cash_day_is_open';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER cash_day_is_open
    BEFORE INSERT OR UPDATE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION atelier_cash_day_is_open();

CREATE FUNCTION atelier_till_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.closed_through IS NULL AND OLD.closed_through IS NOT NULL
        OR NEW.closed_through < OLD.closed_through
    THEN
        RAISE EXCEPTION 'a closed day is not opened again'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'till_goes_forward';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER till_goes_forward
    BEFORE UPDATE OR DELETE ON payments_till
    FOR EACH ROW EXECUTE FUNCTION atelier_till_goes_forward();
"""

APPEND_ONLY = """
CREATE FUNCTION atelier_money_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % stands', TG_TABLE_NAME, OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0];
END $$;

CREATE TRIGGER closing_stands
    BEFORE UPDATE OR DELETE ON payments_cashclosing
    FOR EACH ROW EXECUTE FUNCTION atelier_money_is_append_only('closing_stands');

CREATE TRIGGER statement_stands
    BEFORE UPDATE OR DELETE ON payments_commissionstatement
    FOR EACH ROW EXECUTE FUNCTION atelier_money_is_append_only('statement_stands');

-- A receipt outlives its payment (D30): the link alone may go.
CREATE FUNCTION atelier_receipt_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
        OR (NEW.id, NEW.number, NEW.facts, NEW.issued_at, NEW.issued_by_id)
            IS DISTINCT FROM (OLD.id, OLD.number, OLD.facts, OLD.issued_at, OLD.issued_by_id)
        OR (NEW.payment_id IS NOT NULL AND NEW.payment_id IS DISTINCT FROM OLD.payment_id)
    THEN
        RAISE EXCEPTION 'receipt % stands', OLD.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'receipt_stands';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER receipt_stands
    BEFORE UPDATE OR DELETE ON payments_receipt
    FOR EACH ROW EXECUTE FUNCTION atelier_receipt_stands();

-- A line is put on one statement, once, and never taken off.
CREATE FUNCTION atelier_commission_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM sessions_app_session s WHERE s.id = OLD.session_id) THEN
            RAISE EXCEPTION 'commission % stands', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'commission_stands';
        END IF;
        RETURN NULL;
    END IF;
    IF (NEW.person_id, NEW.session_id, NEW.kind, NEW.base, NEW.rate, NEW.rate_source, NEW.amount, NEW.earned_on)
            IS DISTINCT FROM
            (OLD.person_id, OLD.session_id, OLD.kind, OLD.base, OLD.rate, OLD.rate_source, OLD.amount, OLD.earned_on)
        OR (OLD.statement_id IS NOT NULL AND NEW.statement_id IS DISTINCT FROM OLD.statement_id)
    THEN
        RAISE EXCEPTION 'commission % stands', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'commission_stands';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER commission_stands
    BEFORE UPDATE ON payments_commissionline
    FOR EACH ROW EXECUTE FUNCTION atelier_commission_stands();

-- At the end of the transaction, so that a session can go together with its lines (D30).
CREATE CONSTRAINT TRIGGER commission_stays_with_its_session
    AFTER DELETE ON payments_commissionline
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION atelier_commission_stands();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_till_receipts_commissions")]

    operations = [
        migrations.RunSQL(COUNT_WHAT_IS_THERE, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=Q(payment_status="Verified", cash_day__isnull=False)
                | ~Q(payment_status="Verified") & Q(cash_day__isnull=True),
                name="payment_counts_on_a_day_when_verified",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=Q(payment_status="Verified", deleted_flag=True, void_cash_day__isnull=False)
                | ~Q(payment_status="Verified", deleted_flag=True) & Q(void_cash_day__isnull=True),
                name="payment_is_taken_out_on_a_day_when_voided",
            ),
        ),
        migrations.RunSQL(
            CASH_DAY_IS_OPEN,
            "DROP TRIGGER cash_day_is_open ON payments_payment; DROP FUNCTION atelier_cash_day_is_open();"
            " DROP TRIGGER till_goes_forward ON payments_till; DROP FUNCTION atelier_till_goes_forward()",
        ),
        migrations.RunSQL(
            APPEND_ONLY,
            "DROP TRIGGER closing_stands ON payments_cashclosing;"
            " DROP TRIGGER statement_stands ON payments_commissionstatement;"
            " DROP FUNCTION atelier_money_is_append_only();"
            " DROP TRIGGER receipt_stands ON payments_receipt; DROP FUNCTION atelier_receipt_stands();"
            " DROP TRIGGER commission_stands ON payments_commissionline;"
            " DROP TRIGGER commission_stays_with_its_session ON payments_commissionline;"
            " DROP FUNCTION atelier_commission_stands()",
        ),
    ]
