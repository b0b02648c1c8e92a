-- depends: 0012_safety

-- What every part of billing stands on: kinds of movements, who is written to, invoices, payments, and which payment
-- has paid which invoice. Rows of invoices are facts; what is wrong with one is corrected by a credit note.

ALTER TABLE cdrs
    ADD COLUMN access_charge_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN service_charge_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN bundled_s integer NOT NULL DEFAULT 0,
    ADD COLUMN bundles text NOT NULL DEFAULT '',
    ADD COLUMN buy_micros bigint,
    ADD COLUMN buy_prefix text NOT NULL DEFAULT '',
    ADD COLUMN deck text NOT NULL DEFAULT '',
    ADD COLUMN deck_version text NOT NULL DEFAULT '';

COMMENT ON COLUMN cdrs.cost_micros IS
    'micros of a pound: 1000000 = GBP 1.00; connect_fee, usage, access_charge and service_charge are its parts';
COMMENT ON COLUMN cdrs.buy_micros IS 'what the carrier of this leg takes for it, ex VAT; NULL where no deck says it';

ALTER TABLE ledger DROP CONSTRAINT ledger_kind_check;
ALTER TABLE ledger ADD CONSTRAINT ledger_kind_check CHECK (kind IN (
    'usage',         -- a call or message, from the journal
    'top_up',        -- credit that an operator gave; there is no payment behind it
    'adjustment',
    'payment',       -- money that came in: a row of payments
    'refund',        -- money that went back to the customer, negative
    'chargeback',    -- money that the bank took back, negative
    'subscription',  -- a period of a product, negative; a part given back, positive
    'fee',           -- anything charged once: a set-up, a return date, an early end
    'bundle',        -- the price of a bundle that was bought once
    'interest',      -- on an overdue invoice, and the fixed sum of the Late Payment Act
    'vat',           -- the VAT of an invoice, on an account whose prices are without
    'rounding',      -- what an invoice's whole pennies left over, so that a paid account returns to zero
    'credit_note',   -- what a credit note gives back
    'compensation',  -- for an outage, a missed date
    'rerating'       -- usage corrected afterwards: the old charge back, and the new one
));

-- Who an account is, on paper and by law. An account without a row can call; it cannot be sent an invoice.
CREATE TABLE customers (
    account_id      integer PRIMARY KEY REFERENCES accounts,
    kind            text NOT NULL DEFAULT 'consumer' CHECK (kind IN ('consumer', 'small_business', 'business')),
    company         text NOT NULL DEFAULT '',
    contact         text NOT NULL DEFAULT '',
    address         text[] NOT NULL DEFAULT '{}',
    email           text NOT NULL DEFAULT '',
    vat_number      text NOT NULL DEFAULT '',
    wants_large_print      boolean NOT NULL DEFAULT false,
    wants_itemised         boolean NOT NULL DEFAULT true,
    wants_payment_invoices boolean NOT NULL DEFAULT true,
    purchase_order  text NOT NULL DEFAULT '',
    since           date NOT NULL DEFAULT (now() AT TIME ZONE 'Europe/London')::date
);

COMMENT ON COLUMN customers.kind IS 'small_business: up to ten people, with the consumer''s right to an ombudsman (GC C4)';
COMMENT ON COLUMN customers.wants_payment_invoices IS 'a VAT invoice for each payment, unless they asked for none';

-- The next number of each series. Taken under its row's lock in the transaction of the document: no gaps.
CREATE TABLE invoice_series (
    name text PRIMARY KEY,
    next bigint NOT NULL DEFAULT 1 CHECK (next > 0)
);

CREATE TABLE invoice_runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    period_from date NOT NULL,
    period_to   date NOT NULL, -- the first day that is not of it
    policy      jsonb NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (period_from, period_to),
    CHECK (period_to > period_from)
);

CREATE TABLE invoices (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number       text NOT NULL UNIQUE,
    kind         text NOT NULL CHECK (kind IN ('invoice', 'payment_invoice', 'credit_note')),
    account_id   integer NOT NULL REFERENCES accounts,
    run_id       bigint REFERENCES invoice_runs,
    payment_id   bigint,
    corrects     text REFERENCES invoices (number),
    issued_on    date NOT NULL,
    tax_point    date NOT NULL,
    due_on       date,
    period_from  date,
    period_to    date,
    net_micros   bigint NOT NULL CHECK (net_micros % 10000 = 0),
    vat_micros   bigint NOT NULL CHECK (vat_micros % 10000 = 0),
    total_micros bigint NOT NULL CHECK (total_micros = net_micros + vat_micros),
    document     jsonb NOT NULL,
    UNIQUE (run_id, account_id),
    UNIQUE (payment_id),
    CHECK ((kind = 'credit_note') = (corrects IS NOT NULL)),
    CHECK ((kind = 'payment_invoice') = (payment_id IS NOT NULL))
);

COMMENT ON COLUMN invoices.document IS 'all that is on paper: the same document comes of it whenever it is asked for';
COMMENT ON COLUMN invoices.total_micros IS 'whole pennies, as net and VAT; a credit note''s are positive: what is given back';

CREATE INDEX invoices_account ON invoices (account_id, issued_on);

CREATE TRIGGER invoices_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON invoices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE payments (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    integer NOT NULL REFERENCES accounts,
    method        text NOT NULL CHECK (method IN ('card', 'paypal', 'direct_debit', 'bank_transfer', 'cheque', 'cash')),
    provider      text NOT NULL, -- who knows of it: stripe, gocardless, paypal, statement, desk
    reference     text NOT NULL, -- its id there
    amount_micros bigint NOT NULL CHECK (amount_micros > 0 AND amount_micros % 10000 = 0),
    returned_micros bigint NOT NULL DEFAULT 0 CHECK (returned_micros BETWEEN 0 AND amount_micros),
    state         text NOT NULL CHECK (state IN ('pending', 'received', 'failed', 'cancelled')),
    quoted        text NOT NULL DEFAULT '',
    made_at       timestamptz NOT NULL DEFAULT now(),
    received_at   timestamptz,
    UNIQUE (provider, reference),
    CHECK ((state = 'received') = (received_at IS NOT NULL))
);

COMMENT ON COLUMN payments.quoted IS 'the invoice number that the payer named, if any';
COMMENT ON COLUMN payments.returned_micros IS 'refunded or charged back since; each time is a row of the ledger';

CREATE INDEX payments_account ON payments (account_id, made_at);

ALTER TABLE invoices ADD FOREIGN KEY (payment_id) REFERENCES payments;

-- Which money has paid which invoice: a payment's, or a credit note's.
CREATE TABLE allocations (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id     bigint NOT NULL REFERENCES invoices,
    payment_id     bigint REFERENCES payments,
    credit_note_id bigint REFERENCES invoices,
    amount_micros  bigint NOT NULL CHECK (amount_micros <> 0), -- negative: a payment was taken back
    at             timestamptz NOT NULL DEFAULT now(),
    CHECK ((payment_id IS NULL) <> (credit_note_id IS NULL))
);

CREATE INDEX allocations_invoice ON allocations (invoice_id);
CREATE INDEX allocations_payment ON allocations (payment_id);

CREATE TRIGGER allocations_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON allocations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
