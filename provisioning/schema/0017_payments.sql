-- depends: 0013_money 0008_settings

-- Money that comes in and goes out again. A payment is credited once: its row in payments changes from pending to
-- received under the account's lock, and the ledger's key is the row's id.

-- What a customer has been asked to pay at a provider's page; nothing has been paid yet.
CREATE TABLE payment_requests (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    integer NOT NULL REFERENCES accounts,
    provider      text NOT NULL,
    reference     text NOT NULL, -- the provider's id of the page or order
    amount_micros bigint NOT NULL CHECK (amount_micros >= 0 AND amount_micros % 10000 = 0), -- 0: only a mandate
    quoted        text NOT NULL DEFAULT '',
    url           text NOT NULL,
    made_at       timestamptz NOT NULL DEFAULT now(),
    looked_at     timestamptz NOT NULL DEFAULT now(),
    done_at       timestamptz, -- paid, given up or too old: nobody looks at it any more
    UNIQUE (provider, reference)
);

CREATE INDEX payment_requests_open ON payment_requests (looked_at) WHERE done_at IS NULL;

-- What may be taken from without the customer being there: a card, or a Direct Debit mandate. Never its number.
CREATE TABLE payment_methods (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id integer NOT NULL REFERENCES accounts,
    provider   text NOT NULL,
    customer   text NOT NULL DEFAULT '', -- the provider's id of the customer
    reference  text NOT NULL,            -- the provider's id of the card or mandate
    state      text NOT NULL CHECK (state IN ('pending', 'active', 'ended')),
    label      text NOT NULL DEFAULT '', -- what the customer recognises it by
    made_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, reference)
);

CREATE INDEX payment_methods_account ON payment_methods (account_id);

-- Verified news from providers, stored before anything is done about it. Only what says where to look: the provider
-- is asked for the rest, and nobody's personal data lies here.
CREATE TABLE payment_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider    text NOT NULL,
    event       text NOT NULL, -- the provider's id of the event
    kind        text NOT NULL,
    subject     text NOT NULL CHECK (subject IN ('payment', 'method', 'nothing')),
    reference   text NOT NULL,
    detail      jsonb NOT NULL DEFAULT '{}',
    heard_at    timestamptz NOT NULL DEFAULT now(),
    applied_at  timestamptz,
    tries       integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    problem     text NOT NULL DEFAULT '',
    set_aside_at timestamptz, -- nobody tries any more: a person looks
    UNIQUE (provider, event)
);

CREATE INDEX payment_events_waiting ON payment_events (next_try_at) WHERE applied_at IS NULL AND set_aside_at IS NULL;

-- Money that went back: a refund that we make, one made at the provider, or what a bank took back.
CREATE TABLE payment_returns (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id    bigint NOT NULL REFERENCES payments,
    kind          text NOT NULL CHECK (kind IN ('refund', 'chargeback', 'failure')),
    amount_micros bigint NOT NULL CHECK (amount_micros > 0 AND amount_micros % 10000 = 0),
    vat_micros    bigint NOT NULL DEFAULT 0 CHECK (vat_micros >= 0), -- posted apart, on an account without VAT
    state         text NOT NULL CHECK (state IN ('reserved', 'cleared', 'done', 'given_back')),
    provider      text NOT NULL,
    reference     text, -- the provider's id of it; NULL until it is known
    ledger_seq    bigint NOT NULL, -- the credit_seq of its last row: the exchange has to have seen it
    reason        text NOT NULL DEFAULT '',
    by            text NOT NULL DEFAULT '',
    problem       text NOT NULL DEFAULT '',
    made_at       timestamptz NOT NULL DEFAULT now(),
    tried_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, reference)
);

COMMENT ON COLUMN payment_returns.state IS
    'reserved: off the ledger, so that it cannot be spent; cleared: the exchange says that no call holds it, the '
    'provider may be asked; done; given_back: refused, undone, or won back';

CREATE INDEX payment_returns_payment ON payment_returns (payment_id);
CREATE INDEX payment_returns_open ON payment_returns (tried_at) WHERE state IN ('reserved', 'cleared');

-- Direct Debit: what was announced to the customer, and what became of it.
CREATE TABLE collections (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    integer NOT NULL REFERENCES accounts,
    invoice_id    bigint REFERENCES invoices, -- NULL: a top-up
    method_id     bigint NOT NULL REFERENCES payment_methods,
    amount_micros bigint NOT NULL CHECK (amount_micros > 0 AND amount_micros % 10000 = 0),
    noticed_on    date NOT NULL,
    charge_on     date NOT NULL,
    state         text NOT NULL CHECK (state IN ('noticed', 'asked', 'collected', 'failed', 'stopped')),
    presented     integer NOT NULL DEFAULT 0,
    reference     text NOT NULL DEFAULT '', -- the provider's payment
    failed_on     date,
    problem       text NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX collections_once ON collections (invoice_id) WHERE state IN ('noticed', 'asked');

CREATE INDEX collections_open ON collections (charge_on) WHERE state IN ('noticed', 'asked');

-- Lines of bank statements. The hash is of the line and of which of equal lines it is: no line counts twice.
CREATE TABLE statement_lines (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash          bytea NOT NULL UNIQUE,
    file          text NOT NULL,
    line          integer NOT NULL,
    booked_on     date NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros > 0 AND amount_micros % 10000 = 0),
    payer         text NOT NULL,
    text          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('unmatched', 'matched', 'ignored')),
    suggested     text NOT NULL DEFAULT '', -- numbers of invoices that it may be for, for a person
    payment_id    bigint UNIQUE REFERENCES payments,
    decided_by    text NOT NULL DEFAULT '',
    imported_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'matched') = (payment_id IS NOT NULL))
);

CREATE INDEX statement_lines_open ON statement_lines (booked_on) WHERE state = 'unmatched';

-- Who has been told that the credit is low: once for each fall.
CREATE TABLE low_balances (
    account_id      integer PRIMARY KEY REFERENCES accounts,
    told_at         timestamptz NOT NULL,
    balance_micros  bigint NOT NULL,
    ledger_id       bigint NOT NULL, -- the last row in that balance
    times           bigint NOT NULL DEFAULT 1
);

-- Looked for every few seconds: those who have such a setting are few.
CREATE INDEX accounts_low_balance ON accounts (id) WHERE settings ? 'low_balance_micros';
CREATE INDEX accounts_auto_top_up ON accounts (id) WHERE settings ? 'auto_top_up_micros';

-- Top-ups that nobody asked for at that moment. The number of a day is counted here.
CREATE TABLE auto_top_ups (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    integer NOT NULL REFERENCES accounts,
    on_day        date NOT NULL,
    number        integer NOT NULL CHECK (number > 0),
    amount_micros bigint NOT NULL CHECK (amount_micros > 0),
    method_id     bigint REFERENCES payment_methods, -- NULL: the operator's own command
    state         text NOT NULL CHECK (state IN ('begun', 'asked', 'done', 'failed')),
    reference     text NOT NULL DEFAULT '',
    problem       text NOT NULL DEFAULT '',
    made_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account_id, on_day, number)
);

CREATE UNIQUE INDEX auto_top_ups_open ON auto_top_ups (account_id) WHERE state IN ('begun', 'asked');

-- What somebody was found good for, before he may pay later; and by whose word without.
CREATE TABLE credit_checks (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   integer NOT NULL REFERENCES accounts,
    result       text NOT NULL CHECK (result IN ('positive', 'negative', 'override')),
    limit_micros bigint NOT NULL CHECK (limit_micros >= 0), -- up to what
    source       text NOT NULL,                             -- the agency and its reference, or the reason
    by           text NOT NULL DEFAULT '',
    checked_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX credit_checks_account ON credit_checks (account_id, id);

CREATE TRIGGER credit_checks_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_checks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
