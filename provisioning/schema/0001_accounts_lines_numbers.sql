-- Accounts, the lines that register, the numbers that ring them. The service functions check the rules of
-- form; the constraints here are the last word on what must never be stored at all.

CREATE TABLE accounts (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                text NOT NULL,
    kind                text NOT NULL CHECK (kind IN ('prepaid', 'postpaid')),
    vat                 text NOT NULL CHECK (vat IN ('inc_vat', 'ex_vat')),
    tariff              text NOT NULL,
    credit_limit_micros bigint NOT NULL CHECK (credit_limit_micros >= 0),
    is_suspended        boolean NOT NULL DEFAULT false,
    calls_max           integer NOT NULL DEFAULT 0 CHECK (calls_max >= 0),
    created_at          timestamptz NOT NULL DEFAULT now(),
    CHECK (kind = 'postpaid' OR credit_limit_micros = 0)
);

-- Names are looked up as people type them, so they may not differ by case alone.
CREATE UNIQUE INDEX accounts_name ON accounts (lower(name));

COMMENT ON COLUMN accounts.calls_max IS 'calls at once; 0 = the configured limit';

CREATE TABLE lines (
    user_part         text PRIMARY KEY,
    account_id        integer NOT NULL REFERENCES accounts,
    realm             text NOT NULL,
    ha1_md5           text NOT NULL,
    ha1_sha256        text NOT NULL,
    digest            text NOT NULL CHECK (digest IN ('md5', 'both', 'sha256')),
    cli               text NOT NULL,
    emergency_number  text NOT NULL,
    emergency_address text NOT NULL,
    withholds_cli     boolean NOT NULL,
    calls_max         integer NOT NULL CHECK (calls_max >= 0),
    created_at        timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX lines_account ON lines (account_id);

CREATE TABLE numbers (
    e164        text PRIMARY KEY CHECK (e164 ~ '^\+[1-9][0-9]{6,14}$'),
    line        text NOT NULL REFERENCES lines,
    assigned_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX numbers_line ON numbers (line);
