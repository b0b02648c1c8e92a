-- depends: 0001_accounts_lines_numbers

-- Money. A row of the ledger is a fact and never changes; the sum of an
-- account's rows is its balance, always. account_balances holds that sum, kept by the database itself and by
-- nobody else.

CREATE TABLE account_balances (
    account_id     integer PRIMARY KEY REFERENCES accounts,
    balance_micros bigint NOT NULL DEFAULT 0,
    credit_seq     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50); -- every shipment updates rows here: room for heap-only updates keeps the index still

COMMENT ON COLUMN account_balances.credit_seq IS 'the credit_seq of the last row that people moved; dense from 1';

CREATE TABLE ledger (
    id              bigint GENERATED ALWAYS AS IDENTITY,
    account_id      integer NOT NULL, -- checked by ledger_post for a whole statement at once, not by a foreign key per row
    kind            text NOT NULL CHECK (kind IN ('top_up', 'adjustment', 'usage')),
    amount_micros   bigint NOT NULL CHECK (amount_micros BETWEEN -1000000000000000 AND 1000000000000000), -- a billion
    at              timestamptz NOT NULL DEFAULT now(),
    call_id         text,
    leg             smallint,
    credit_seq      bigint,
    memo            text,
    idempotency_key text,
    PRIMARY KEY (account_id, id),
    CHECK ((kind = 'usage') = (credit_seq IS NULL)),
    CHECK ((kind = 'usage') = (call_id IS NOT NULL AND leg IS NOT NULL)),
    CHECK (kind <> 'usage' OR amount_micros <= 0),
    CHECK (kind <> 'top_up' OR amount_micros > 0)
);

CREATE UNIQUE INDEX ledger_usage ON ledger (call_id, leg) WHERE kind = 'usage';

CREATE UNIQUE INDEX ledger_credit ON ledger (account_id, credit_seq) WHERE kind <> 'usage';

CREATE UNIQUE INDEX ledger_idempotency ON ledger (idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE FUNCTION open_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO account_balances (account_id) SELECT id FROM opened;
    RETURN NULL;
END
$$;

CREATE TRIGGER accounts_open_balances AFTER INSERT ON accounts
    REFERENCING NEW TABLE AS opened FOR EACH STATEMENT EXECUTE FUNCTION open_balances();

-- Once per statement, whatever its number of rows: adds the sums, and refuses the statement if an account
-- does not exist or a credit_seq is not the next one of its account.
CREATE FUNCTION ledger_post() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unposted bigint;
BEGIN
    WITH totals AS (
        SELECT account_id, sum(amount_micros)::bigint AS amount, count(credit_seq) AS credits,
               min(credit_seq) AS first_credit, max(credit_seq) AS last_credit
        FROM posted GROUP BY account_id
    ), applied AS (
        UPDATE account_balances AS b
        SET balance_micros = b.balance_micros + t.amount, credit_seq = b.credit_seq + t.credits
        FROM totals AS t
        WHERE b.account_id = t.account_id
          AND (t.credits = 0
               OR (t.first_credit = b.credit_seq + 1 AND t.last_credit = b.credit_seq + t.credits))
        RETURNING b.account_id
    )
    SELECT (SELECT count(*) FROM totals) - (SELECT count(*) FROM applied) INTO unposted;
    IF unposted > 0 THEN
        RAISE EXCEPTION 'ledger rows of an unknown account, or a credit_seq that is not the next one'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_post AFTER INSERT ON ledger
    REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION ledger_post();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is not allowed: its rows are facts, a mistake is corrected by another row',
        TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_direct_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% is kept by the ledger: insert a ledger row instead', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER account_balances_kept BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON account_balances
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_direct_write();
