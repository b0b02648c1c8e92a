-- depends: 0007_call_media

-- What calls have cost an account on a day and in a month of Europe/London: what spending caps are held against when a
-- switch starts. Sums of the ledger's usage rows, kept by the database itself as the balances are, because adding up a
-- month of calls for every checkpoint would take longer than the time between two.

CREATE TABLE account_spends (
    kind       text NOT NULL CHECK (kind IN ('day', 'month')),
    since      date NOT NULL,
    account_id integer NOT NULL,
    micros     bigint NOT NULL,
    PRIMARY KEY (kind, since, account_id)
) WITH (fillfactor = 50); -- as account_balances: every shipment updates rows here

COMMENT ON COLUMN account_spends.since IS 'the day, or the first day of the month';

INSERT INTO account_spends (kind, since, account_id, micros)
SELECT kinds.kind, date_trunc(kinds.kind, l.at AT TIME ZONE 'Europe/London')::date, l.account_id, -sum(l.amount_micros)
FROM ledger l CROSS JOIN (VALUES ('day'), ('month')) AS kinds (kind)
WHERE l.kind = 'usage'
  AND l.at >= (date_trunc('month', now() AT TIME ZONE 'Europe/London') - interval '1 month') AT TIME ZONE 'Europe/London'
GROUP BY 1, 2, 3;

CREATE FUNCTION note_spends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO account_spends AS s (kind, since, account_id, micros)
    SELECT kinds.kind, date_trunc(kinds.kind, p.at AT TIME ZONE 'Europe/London')::date, p.account_id,
           -sum(p.amount_micros)
    FROM posted p CROSS JOIN (VALUES ('day'), ('month')) AS kinds (kind)
    WHERE p.kind = 'usage'
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3 -- two writers that lock rows in one order never wait for each other
    ON CONFLICT (kind, since, account_id) DO UPDATE SET micros = s.micros + excluded.micros;
    -- Two months of days are enough to look back; the ledger has all of them.
    DELETE FROM account_spends WHERE kind = 'day' AND since < (now() AT TIME ZONE 'Europe/London')::date - 62;
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_spends AFTER INSERT ON ledger
    REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION note_spends();

CREATE TRIGGER account_spends_kept BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON account_spends
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_direct_write();

-- What the exchange raised an alarm for, and what an operator cleared (rule 'cleared'). The shipper copies these rows
-- from the journal; nothing else writes them.
CREATE TABLE alarms (
    id         text PRIMARY KEY,
    account_id integer NOT NULL,
    rule       text NOT NULL,
    at         timestamptz NOT NULL,
    words      text NOT NULL,
    bar_until  timestamptz
);

COMMENT ON COLUMN alarms.bar_until IS 'the account was barred from calls abroad and to high-cost destinations until then';

CREATE INDEX alarms_at ON alarms (at);

CREATE TRIGGER alarms_unaltered BEFORE UPDATE ON alarms
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
