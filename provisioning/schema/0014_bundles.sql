-- depends: 0013_money

-- Inclusive minutes and discounts of accounts. A row of bundles is a grant; a row of bundle_uses is what one leg of a
-- call drew from it, a fact that never changes. bundle_balances holds the sums of the uses, kept by the database itself
-- as account_balances are: granted_s = used_s + what is left, always.

CREATE TABLE bundles (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      integer NOT NULL REFERENCES accounts,
    revision        integer NOT NULL DEFAULT 1,
    name            text NOT NULL,
    granted_s       bigint NOT NULL DEFAULT 0 CHECK (granted_s >= 0),
    percent         smallint NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    groups          text[] NOT NULL DEFAULT '{}',
    prefixes        text[] NOT NULL DEFAULT '{}',
    except_prefixes text[] NOT NULL DEFAULT '{}',
    valid_from      timestamptz NOT NULL,
    expires_at      timestamptz,
    carry_until     timestamptz,
    carry_max_s     bigint NOT NULL DEFAULT 0 CHECK (carry_max_s >= 0),
    increment_s     integer NOT NULL DEFAULT 1 CHECK (increment_s > 0),
    connect_fee_micros bigint NOT NULL DEFAULT 0 CHECK (connect_fee_micros >= 0),
    priority        integer NOT NULL DEFAULT 0,
    is_fair_use     boolean NOT NULL DEFAULT false,
    destinations_max integer NOT NULL DEFAULT 0 CHECK (destinations_max >= 0),
    granted_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    memo            text NOT NULL DEFAULT '',
    idempotency_key text UNIQUE,
    CHECK ((granted_s > 0) <> (percent > 0)),
    CHECK (cardinality(groups) + cardinality(prefixes) > 0),
    CHECK (expires_at IS NULL OR expires_at > valid_from),
    CHECK ((carry_max_s = 0) = (carry_until IS NULL)),
    CHECK (carry_until IS NULL OR carry_until > expires_at)
);

COMMENT ON COLUMN bundles.revision IS 'counts the changes of the row: of two readings the greater is the later one';
COMMENT ON COLUMN bundles.carry_until IS 'what is left at expires_at, at most carry_max_s of it, lives on until then';
COMMENT ON COLUMN bundles.ended_at IS 'taken back before its time: nothing more is drawn from then on';

CREATE INDEX bundles_account ON bundles (account_id, id);

CREATE FUNCTION count_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    new.revision := old.revision + 1;
    RETURN new;
END
$$;

CREATE TRIGGER bundles_revised BEFORE UPDATE ON bundles FOR EACH ROW EXECUTE FUNCTION count_revision();

CREATE TRIGGER bundles_stay BEFORE DELETE OR TRUNCATE ON bundles
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE bundle_balances (
    bundle_id bigint PRIMARY KEY REFERENCES bundles,
    used_s    bigint NOT NULL DEFAULT 0,
    carried_s bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50); -- as account_balances: every shipment updates rows here

COMMENT ON COLUMN bundle_balances.carried_s IS 'of used_s, what was used after expires_at';

-- Of bundles that limit how many numbers may be called, those that were.
CREATE TABLE bundle_destinations (
    bundle_id bigint NOT NULL REFERENCES bundles,
    number    text NOT NULL,
    PRIMARY KEY (bundle_id, number)
);

-- No foreign key a row, as in the ledger: bundle_uses_post checks a whole statement at once.
CREATE TABLE bundle_uses (
    bundle_id  bigint NOT NULL,
    account_id integer NOT NULL,
    call_id    text NOT NULL,
    leg        smallint NOT NULL,
    seconds    bigint NOT NULL CHECK (seconds > 0),
    carried_s  bigint NOT NULL CHECK (carried_s BETWEEN 0 AND seconds),
    number     text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL,
    PRIMARY KEY (bundle_id, call_id, leg)
);

CREATE INDEX bundle_uses_call ON bundle_uses (call_id, leg);

CREATE FUNCTION open_bundle_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bundle_balances (bundle_id) SELECT id FROM opened;
    RETURN NULL;
END
$$;

CREATE TRIGGER bundles_open_balances AFTER INSERT ON bundles
    REFERENCING NEW TABLE AS opened FOR EACH STATEMENT EXECUTE FUNCTION open_bundle_balances();

-- Once per statement: adds the sums, and refuses the statement if a bundle does not exist.
CREATE FUNCTION bundle_uses_post() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unposted bigint;
BEGIN
    WITH totals AS (
        SELECT bundle_id, sum(seconds)::bigint AS seconds, sum(carried_s)::bigint AS carried_s
        FROM posted GROUP BY bundle_id
    ), applied AS (
        UPDATE bundle_balances AS b SET used_s = b.used_s + t.seconds, carried_s = b.carried_s + t.carried_s
        FROM totals AS t WHERE b.bundle_id = t.bundle_id
        RETURNING b.bundle_id
    )
    SELECT (SELECT count(*) FROM totals) - (SELECT count(*) FROM applied) INTO unposted;
    IF unposted > 0 THEN
        RAISE EXCEPTION 'uses of an unknown bundle' USING ERRCODE = 'foreign_key_violation';
    END IF;
    INSERT INTO bundle_destinations (bundle_id, number)
    SELECT DISTINCT bundle_id, number FROM posted WHERE number <> '' ORDER BY 1, 2
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER bundle_uses_post AFTER INSERT ON bundle_uses
    REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION bundle_uses_post();

CREATE TRIGGER bundle_uses_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bundle_uses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_direct_bundle_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% is kept by bundle_uses: insert a row there instead', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER bundle_balances_kept BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON bundle_balances
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_direct_bundle_write();

CREATE TRIGGER bundle_destinations_kept BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON bundle_destinations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_direct_bundle_write();

-- Grants reach a running exchange; uses come from it.
ALTER TABLE changes DROP CONSTRAINT changes_entity_check;

ALTER TABLE changes ADD CONSTRAINT changes_entity_check
    CHECK (entity IN ('account', 'line', 'number', 'credit', 'plan', 'bundle'));

CREATE TRIGGER bundles_noted_new AFTER INSERT ON bundles
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('bundle', 'id');

CREATE TRIGGER bundles_noted_changed AFTER UPDATE ON bundles
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('bundle', 'id');

CREATE TRIGGER bundles_key_stays BEFORE UPDATE ON bundles
    FOR EACH ROW WHEN (old.id <> new.id OR old.account_id <> new.account_id) EXECUTE FUNCTION refuse_new_key();
