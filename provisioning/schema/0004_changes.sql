-- depends: 0003_calls

-- What changed, for the running exchange: per account, line, number and account's credit
-- the sequence number of its latest change. Writers queue for one lock before they take a number and hold it
-- until they commit, so numbers become visible in their order: a reader that has seen 7 will never meet a 6
-- later. Rows are updated in place, so the table stays as small as the books are; what is gone keeps its row,
-- which then says "gone".

CREATE SEQUENCE change_seq;

CREATE TABLE changes (
    entity text NOT NULL CHECK (entity IN ('account', 'line', 'number', 'credit')),
    key    text NOT NULL,
    seq    bigint NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entity, key)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX changes_seq ON changes (seq);

CREATE FUNCTION note_changes(changed_entity text, changed_keys text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(changed_keys) = 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7164200001); -- any constant: it only has to be the same everywhere
    INSERT INTO changes (entity, key, seq)
    SELECT changed_entity, key, nextval('change_seq') FROM unnest(changed_keys) AS key
    ON CONFLICT (entity, key) DO UPDATE SET seq = excluded.seq, at = excluded.at;
    NOTIFY offhook_changes;
END
$$;

-- Arguments of the trigger: the entity, and the column that is its key.
CREATE FUNCTION note_new_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed_keys text[];
BEGIN
    EXECUTE format('SELECT coalesce(array_agg(DISTINCT %I::text), ''{}'') FROM new_rows', TG_ARGV[1])
        INTO changed_keys;
    PERFORM note_changes(TG_ARGV[0], changed_keys);
    RETURN NULL;
END
$$;

CREATE FUNCTION note_old_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed_keys text[];
BEGIN
    EXECUTE format('SELECT coalesce(array_agg(DISTINCT %I::text), ''{}'') FROM old_rows', TG_ARGV[1])
        INTO changed_keys;
    PERFORM note_changes(TG_ARGV[0], changed_keys);
    RETURN NULL;
END
$$;

CREATE FUNCTION note_credits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_changes('credit', array_agg(DISTINCT account_id::text)) FROM new_rows WHERE kind <> 'usage'
        HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER accounts_noted_new AFTER INSERT ON accounts
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('account', 'id');

CREATE TRIGGER accounts_noted_changed AFTER UPDATE ON accounts
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('account', 'id');

CREATE TRIGGER lines_noted_new AFTER INSERT ON lines
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('line', 'user_part');

CREATE TRIGGER lines_noted_changed AFTER UPDATE ON lines
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('line', 'user_part');

CREATE TRIGGER lines_noted_gone AFTER DELETE ON lines
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_old_rows('line', 'user_part');

CREATE TRIGGER numbers_noted_new AFTER INSERT ON numbers
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('number', 'e164');

CREATE TRIGGER numbers_noted_changed AFTER UPDATE ON numbers
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('number', 'e164');

CREATE TRIGGER numbers_noted_gone AFTER DELETE ON numbers
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_old_rows('number', 'e164');

CREATE TRIGGER ledger_noted AFTER INSERT ON ledger
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_credits();

-- A key that changes would leave the old one standing in the exchange's memory; TRUNCATE would leave
-- everything.
CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of % is not allowed: the exchange would not hear of it; use DELETE', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER accounts_no_truncate BEFORE TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate();

CREATE TRIGGER lines_no_truncate BEFORE TRUNCATE ON lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate();

CREATE TRIGGER numbers_no_truncate BEFORE TRUNCATE ON numbers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate();

CREATE FUNCTION refuse_new_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the key of a row of % cannot change: delete the row and insert another', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER lines_key_stays BEFORE UPDATE ON lines
    FOR EACH ROW WHEN (old.user_part <> new.user_part) EXECUTE FUNCTION refuse_new_key();

CREATE TRIGGER numbers_key_stays BEFORE UPDATE ON numbers
    FOR EACH ROW WHEN (old.e164 <> new.e164) EXECUTE FUNCTION refuse_new_key();
