-- depends: 0007_call_media

-- What happens to calls to a number, as its customer wrote it. `text` is the TOML as written, `plan` the same as the
-- exchange reads it; both are written together, and `version` counts how often. A number with a plan leads to it; its
-- line stays the one that owns it, pays and presents it.

CREATE TABLE plans (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id integer NOT NULL REFERENCES accounts,
    name       text NOT NULL CHECK (name ~ '^[a-z0-9_-]{1,40}$'),
    key        text NOT NULL GENERATED ALWAYS AS (account_id::text || '/' || name) STORED,
    text       text NOT NULL,
    plan       jsonb NOT NULL,
    version    integer NOT NULL DEFAULT 1 CHECK (version > 0),
    changed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account_id, name)
);

COMMENT ON COLUMN plans.key IS 'what the change table calls it';

ALTER TABLE numbers ADD COLUMN plan_id integer REFERENCES plans;

CREATE INDEX numbers_plan ON numbers (plan_id) WHERE plan_id IS NOT NULL;

-- A plan is one of the account whose line owns the number: whoever writes, calls never lead to another customer.
CREATE FUNCTION refuse_foreign_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM plans p JOIN lines l USING (account_id) WHERE p.id = new.plan_id AND l.user_part = new.line)
    THEN
        RAISE EXCEPTION 'the plan of % is not of the account of its line', new.e164
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN new;
END
$$;

CREATE TRIGGER numbers_own_plan BEFORE INSERT OR UPDATE ON numbers
    FOR EACH ROW WHEN (new.plan_id IS NOT NULL) EXECUTE FUNCTION refuse_foreign_plan();

ALTER TABLE changes DROP CONSTRAINT changes_entity_check;

ALTER TABLE changes ADD CONSTRAINT changes_entity_check
    CHECK (entity IN ('account', 'line', 'number', 'credit', 'plan'));

CREATE TRIGGER plans_noted_new AFTER INSERT ON plans
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('plan', 'key');

CREATE TRIGGER plans_noted_changed AFTER UPDATE ON plans
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('plan', 'key');

CREATE TRIGGER plans_noted_gone AFTER DELETE ON plans
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_old_rows('plan', 'key');

CREATE TRIGGER plans_no_truncate BEFORE TRUNCATE ON plans
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate();

CREATE TRIGGER plans_key_stays BEFORE UPDATE ON plans
    FOR EACH ROW WHEN (old.account_id <> new.account_id OR old.name <> new.name) EXECUTE FUNCTION refuse_new_key();
