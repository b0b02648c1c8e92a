-- depends: 0013_money

-- Calls whose charge was corrected afterwards. The record of a call and its usage entry stay as they are; what is in
-- force for a leg is the row of the latest run that changed it here, and else its record.

CREATE TABLE rerating_runs (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    since          timestamptz NOT NULL,
    until          timestamptz NOT NULL,
    account_id     integer REFERENCES accounts,
    tariff         text NOT NULL,
    tariff_version text NOT NULL,
    reason         text NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    legs           bigint NOT NULL DEFAULT 0,
    CHECK (until > since)
);

COMMENT ON COLUMN rerating_runs.tariff IS '"": each call by the tariff of its own record, in the version loaded last';
COMMENT ON COLUMN rerating_runs.legs IS 'charged legs that were looked at';

CREATE TABLE rerated_calls (
    run_id                bigint NOT NULL REFERENCES rerating_runs,
    call_id               text NOT NULL,
    leg                   smallint NOT NULL,
    account_id            integer NOT NULL,
    setup_at              timestamptz NOT NULL,
    old_micros            bigint NOT NULL,
    new_micros            bigint NOT NULL,
    diff_micros           bigint NOT NULL GENERATED ALWAYS AS (new_micros - old_micros) STORED,
    billed_s              integer NOT NULL,
    connect_fee_micros    bigint NOT NULL,
    usage_micros          bigint NOT NULL,
    access_charge_micros  bigint NOT NULL,
    service_charge_micros bigint NOT NULL,
    rate_prefix           text NOT NULL,
    destination_name      text NOT NULL,
    tariff                text NOT NULL,
    tariff_version        text NOT NULL,
    invoice               text NOT NULL DEFAULT '',
    PRIMARY KEY (call_id, leg, run_id)
);

COMMENT ON COLUMN rerated_calls.diff_micros IS 'positive: the account has paid that much more; the ledger has old back and new';
COMMENT ON COLUMN rerated_calls.invoice IS 'the invoice that the old charge stands on; the correction is on the next one';

CREATE INDEX rerated_calls_run ON rerated_calls (run_id);

CREATE TRIGGER rerated_calls_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON rerated_calls
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Legs that a run could not rate: they stay as they are, and somebody must look.
CREATE TABLE unratable_calls (
    run_id     bigint NOT NULL REFERENCES rerating_runs,
    call_id    text NOT NULL,
    leg        smallint NOT NULL,
    account_id integer NOT NULL,
    why        text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, call_id, leg)
);
