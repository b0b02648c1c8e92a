-- depends: 0013_money

-- Where an account stands that has not paid. A row without a rung is one that stood somewhere before.
CREATE TABLE arrears (
    account_id   integer PRIMARY KEY REFERENCES accounts,
    episode      integer NOT NULL DEFAULT 1, -- how often it was in arrears: mails of each are new ones
    rung         text NOT NULL DEFAULT '' CHECK (rung IN (
        '', 'reminder', 'warning', 'premium_and_international', 'outgoing', 'suspended', 'ceased')),
    since        date,
    notice_for   text NOT NULL DEFAULT '',
    effective_on date,
    notice_key   text NOT NULL DEFAULT '',
    minimum_micros bigint NOT NULL DEFAULT 0,
    CHECK ((rung = '') = (since IS NULL)),
    CHECK ((notice_for = '') = (effective_on IS NULL)),
    CHECK ((notice_for = '') = (notice_key = ''))
);

COMMENT ON COLUMN arrears.notice_for IS 'the restriction that the customer was warned of, for effective_on';
COMMENT ON COLUMN arrears.notice_key IS 'the mail or letter that warned of it: before it has left there is no restriction';
COMMENT ON COLUMN arrears.minimum_micros IS 'as the ladder says: a payment that leaves less lifts the restriction';

-- Everything that was done about it, and what was owed then.
CREATE TABLE arrears_history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id integer NOT NULL REFERENCES accounts,
    at         timestamptz NOT NULL DEFAULT now(),
    day        date NOT NULL,
    what       text NOT NULL,
    overdue_micros bigint NOT NULL,
    note       text NOT NULL DEFAULT ''
);

CREATE INDEX arrears_history_account ON arrears_history (account_id, id);

CREATE TRIGGER arrears_history_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON arrears_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a customer without an e-mail address is written: somebody prints it and says when it was posted.
CREATE TABLE arrears_letters (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key        text NOT NULL UNIQUE,
    account_id integer NOT NULL REFERENCES accounts,
    subject    text NOT NULL,
    body       text NOT NULL,
    written_on date NOT NULL,
    posted_on  date
);

CREATE INDEX arrears_letters_waiting ON arrears_letters (id) WHERE posted_on IS NULL;

-- Why the ladder stands still: somebody looks at it, or the customer pays by instalments.
CREATE TABLE arrears_holds (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id integer NOT NULL REFERENCES accounts,
    is_plan    boolean NOT NULL,
    reason     text NOT NULL CHECK (reason IN ('difficulty', 'dispute', 'other')),
    note       text NOT NULL DEFAULT '',
    since      date NOT NULL,
    until      date NOT NULL, -- included
    is_for_all boolean NOT NULL, -- or for the invoices of arrears_held_invoices
    ended_on   date,
    ended_by   text NOT NULL DEFAULT '',
    CHECK ((ended_on IS NULL) = (ended_by = '')),
    CHECK (until >= since)
);

CREATE INDEX arrears_holds_live ON arrears_holds (account_id) WHERE ended_on IS NULL;
CREATE UNIQUE INDEX arrears_holds_one_plan ON arrears_holds (account_id) WHERE ended_on IS NULL AND is_plan;

CREATE TABLE arrears_held_invoices (
    hold_id    bigint NOT NULL REFERENCES arrears_holds,
    invoice_id bigint NOT NULL REFERENCES invoices,
    PRIMARY KEY (hold_id, invoice_id)
);

CREATE TABLE arrears_instalments (
    hold_id  bigint NOT NULL REFERENCES arrears_holds,
    position smallint NOT NULL,
    due_on   date NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros > 0 AND amount_micros % 10000 = 0),
    PRIMARY KEY (hold_id, position)
);

-- What an invoice that is paid late has cost: the sum of its rows of the ledger. Settled: nothing more will come.
CREATE TABLE arrears_interest (
    invoice_id      bigint PRIMARY KEY REFERENCES invoices,
    through         date NOT NULL,
    interest_micros bigint NOT NULL DEFAULT 0 CHECK (interest_micros >= 0 AND interest_micros % 10000 = 0),
    fixed_micros    bigint NOT NULL DEFAULT 0 CHECK (fixed_micros >= 0 AND fixed_micros % 10000 = 0),
    postings        integer NOT NULL DEFAULT 0,
    is_settled      boolean NOT NULL
);
