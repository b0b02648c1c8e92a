-- depends: 0002_ledger

-- What calls leave behind. The shipper copies these rows from the journal; nothing else writes them.
-- No foreign keys: a record of a call is kept whatever became of its account or line.

CREATE TABLE cdrs (
    call_id              text NOT NULL,
    leg                  smallint NOT NULL,
    leg_reason           text NOT NULL,
    setup_at             timestamptz NOT NULL,
    ringing_at           timestamptz,
    answered_at          timestamptz,
    ended_at             timestamptz NOT NULL,
    network_number       text NOT NULL,
    presentation_number  text NOT NULL,
    privacy              text NOT NULL,
    dialled              text NOT NULL,
    destination          text NOT NULL,
    destination_name     text NOT NULL,
    ddi                  text NOT NULL,
    account_id           integer,
    line                 text NOT NULL,
    trunk                text NOT NULL,
    payer_account_id     integer,
    duration_ms          bigint NOT NULL,
    billed_s             integer NOT NULL,
    connect_fee_micros   bigint NOT NULL,
    usage_micros         bigint NOT NULL,
    cost_micros          bigint NOT NULL,
    rate_prefix          text NOT NULL,
    per_minute_micros    bigint,
    tariff               text NOT NULL,
    tariff_version       text NOT NULL,
    balance_after_micros bigint,
    sip_status           smallint NOT NULL,
    q850_cause           smallint NOT NULL,
    outcome              text NOT NULL,
    reason               text NOT NULL,
    ended_by             text NOT NULL,
    source_address       text NOT NULL,
    destination_address  text NOT NULL,
    sip_call_id          text NOT NULL,
    other_sip_call_id    text NOT NULL,
    user_agent           text NOT NULL,
    other_user_agent     text NOT NULL,
    post_dial_delay_ms   integer,
    is_emergency         boolean NOT NULL,
    is_recovered         boolean NOT NULL,
    routing_version      text NOT NULL,
    PRIMARY KEY (call_id, leg)
);

COMMENT ON TABLE cdrs IS 'one row a leg of an attempt; leg 0 is the caller''s, 1 and up the targets tried, in order';

COMMENT ON COLUMN cdrs.cost_micros IS 'micros of a pound: 1000000 = GBP 1.00; billed_s, connect_fee and usage are its parts';

-- Kept few: each costs CPU on every call (bench/ measures it). All follow "the latest first".
CREATE INDEX cdrs_setup ON cdrs (setup_at);

CREATE INDEX cdrs_account ON cdrs (account_id, setup_at);

CREATE INDEX cdrs_network_number ON cdrs (network_number, setup_at);

CREATE INDEX cdrs_destination ON cdrs (destination, setup_at);

-- Only diverted calls and the like are paid by somebody else, so this one stays small.
CREATE INDEX cdrs_other_payer ON cdrs (payer_account_id, setup_at) WHERE payer_account_id IS DISTINCT FROM account_id;

CREATE TRIGGER cdrs_unaltered BEFORE UPDATE ON cdrs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE emergency_calls (
    call_id        text PRIMARY KEY,
    line           text NOT NULL,
    network_number text NOT NULL,
    dialled        text NOT NULL,
    at             timestamptz NOT NULL,
    source_address text NOT NULL
);

-- Each version of trunks, routing and tariffs that was ever loaded, once, and each time that it was.
CREATE TABLE conf_versions (
    kind    text NOT NULL,
    name    text NOT NULL,
    version text NOT NULL,
    content text NOT NULL,
    PRIMARY KEY (kind, name, version)
);

CREATE TABLE conf_loads (
    kind       text NOT NULL,
    name       text NOT NULL,
    version    text NOT NULL,
    valid_from timestamptz NOT NULL,
    PRIMARY KEY (kind, name, valid_from),
    FOREIGN KEY (kind, name, version) REFERENCES conf_versions
);

CREATE TRIGGER conf_versions_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON conf_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- How far each journal is shipped. Written in the transaction of the rows themselves: that makes it exactly
-- once.
CREATE TABLE journal_marks (
    epoch text PRIMARY KEY,
    batch bigint NOT NULL,
    at    timestamptz NOT NULL DEFAULT now()
);

-- Records that the tables above cannot take, with all their bytes. Not empty means: somebody must look.
CREATE TABLE quarantine (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    epoch  text NOT NULL,
    batch  bigint NOT NULL,
    reason text NOT NULL,
    raw    bytea NOT NULL
);
