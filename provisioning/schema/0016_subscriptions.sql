-- depends: 0013_money

-- What is sold by the month, to whom it is sold on which terms, how far it is charged, how it ends, what was told about
-- it, and what is given back for an outage.

CREATE TABLE products (
    id                   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                 text NOT NULL,
    title                text NOT NULL,
    family               text NOT NULL DEFAULT '',
    terms                jsonb NOT NULL,
    setup_inc_vat_micros bigint CHECK (setup_inc_vat_micros >= 0 AND setup_inc_vat_micros % 10000 = 0),
    setup_ex_vat_micros  bigint CHECK (setup_ex_vat_micros >= 0 AND setup_ex_vat_micros % 10000 = 0),
    is_withdrawn         boolean NOT NULL DEFAULT false,
    created_at           timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX products_name ON products (lower(name));

COMMENT ON COLUMN products.title IS 'as customers read it on invoices and in notices';
COMMENT ON COLUMN products.family IS 'what is compared with what when somebody is told of the best tariffs';
COMMENT ON COLUMN products.terms IS 'billing/subscriptions/terms.py; what is sold keeps its own copy';
COMMENT ON COLUMN products.is_withdrawn IS 'not sold any more; what was sold goes on';

CREATE TABLE product_prices (
    product_id     integer NOT NULL REFERENCES products,
    from_day       date NOT NULL,
    inc_vat_micros bigint CHECK (inc_vat_micros >= 0 AND inc_vat_micros % 10000 = 0),
    ex_vat_micros  bigint CHECK (ex_vat_micros >= 0 AND ex_vat_micros % 10000 = 0),
    PRIMARY KEY (product_id, from_day),
    CHECK (inc_vat_micros IS NOT NULL OR ex_vat_micros IS NOT NULL)
);

COMMENT ON TABLE product_prices IS 'of one, for a whole billing period, in whole pennies: for what is sold from then on';

CREATE TABLE subscriptions (
    id                integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id        integer NOT NULL REFERENCES accounts,
    product_id        integer NOT NULL REFERENCES products,
    label             text NOT NULL DEFAULT '',
    setup_micros      bigint NOT NULL DEFAULT 0 CHECK (setup_micros >= 0),
    customer_kind     text NOT NULL CHECK (customer_kind IN ('consumer', 'small_business', 'business')),
    terms             jsonb NOT NULL,
    sold_on           date NOT NULL,
    starts_on         date NOT NULL,
    provided_on       date,
    told_on           date,
    is_at_distance    boolean NOT NULL DEFAULT true,
    wants_early_start boolean NOT NULL DEFAULT false,
    term_ends_on      date NOT NULL,
    charged_until     date NOT NULL,
    unpaid_since      date,
    state             text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'ended', 'cancelled')),
    closed_on         date,
    order_key         text UNIQUE,
    CHECK (starts_on >= sold_on AND term_ends_on >= starts_on),
    CHECK ((state = 'active') = (closed_on IS NULL))
);

CREATE INDEX subscriptions_account ON subscriptions (account_id);
CREATE INDEX subscriptions_due ON subscriptions (charged_until) WHERE state = 'active';

COMMENT ON COLUMN subscriptions.label IS 'what it is for: a line, a number, a site';
COMMENT ON COLUMN subscriptions.customer_kind IS 'at the sale: rights do not change when a customer becomes something else';
COMMENT ON COLUMN subscriptions.told_on IS 'when they were told of the right to cancel; NULL: not yet';
COMMENT ON COLUMN subscriptions.wants_early_start IS 'their express request to begin before the right to cancel ends';
COMMENT ON COLUMN subscriptions.term_ends_on IS 'the first day after the minimum term';
COMMENT ON COLUMN subscriptions.charged_until IS 'every period that ends by then is charged';
COMMENT ON COLUMN subscriptions.unpaid_since IS 'waits for credit since the period that begins then';

-- From that day on: which product, how many, at which price. Those of the future may be replaced, those of the past are
-- what was charged.
CREATE TABLE subscription_steps (
    subscription_id integer NOT NULL REFERENCES subscriptions,
    from_day        date NOT NULL,
    product_id      integer NOT NULL REFERENCES products,
    quantity        integer NOT NULL CHECK (quantity BETWEEN 1 AND 100000),
    price_micros    bigint NOT NULL CHECK (price_micros >= 0),
    included        jsonb NOT NULL DEFAULT '[]',
    origin          text NOT NULL CHECK (origin IN ('sale', 'change', 'announced')),
    PRIMARY KEY (subscription_id, from_day)
);

COMMENT ON COLUMN subscription_steps.included IS 'the bundles that a period of the product brings';
COMMENT ON COLUMN subscription_steps.origin IS 'sale: stated, with its date, when it was sold; announced: with notice, later';

CREATE TABLE subscription_charges (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id integer NOT NULL REFERENCES subscriptions,
    account_id      integer NOT NULL,
    what            text NOT NULL CHECK (what IN ('period', 'correction', 'setup', 'early_termination')),
    period_from     date NOT NULL,
    period_to       date NOT NULL, -- the first day that is not of it
    amount_micros   bigint NOT NULL, -- positive: charged
    words           text NOT NULL,
    pieces          jsonb NOT NULL,
    ledger_id       bigint,
    CHECK (period_to >= period_from),
    CHECK ((amount_micros = 0) = (ledger_id IS NULL))
);

CREATE INDEX subscription_charges_of ON subscription_charges (subscription_id, period_from);
CREATE UNIQUE INDEX subscription_charges_once ON subscription_charges (subscription_id, period_from)
    WHERE what = 'period';
CREATE INDEX subscription_charges_ledger ON subscription_charges (ledger_id);

COMMENT ON COLUMN subscription_charges.pieces IS 'the days, products, quantities and prices that make the amount';

CREATE TRIGGER subscription_charges_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON subscription_charges
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The bundles that were granted: for a period, or for the rest of one from a change on.
CREATE TABLE subscription_bundles (
    subscription_id integer NOT NULL REFERENCES subscriptions,
    period_from     date NOT NULL,
    period_to       date NOT NULL,
    bundle          text NOT NULL,
    bundle_id       bigint NOT NULL, -- no foreign key: whoever keeps the bundles may forget old ones
    PRIMARY KEY (subscription_id, period_from, bundle)
);

-- What is not written ends nothing: it has neither a written_on nor a ceases_on.
CREATE TABLE subscription_endings (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id integer NOT NULL REFERENCES subscriptions,
    reason          text NOT NULL CHECK (reason IN ('notice', 'right_to_exit', 'provider', 'breach')),
    asked_on        date NOT NULL,
    asked_by        text NOT NULL,
    wanted_on       date,
    written_on      date,
    evidence        text,
    ceases_on       date,
    quote           jsonb,
    state           text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'effective', 'done', 'withdrawn')),
    CHECK ((written_on IS NULL) = (evidence IS NULL) AND (written_on IS NULL) = (ceases_on IS NULL)),
    CHECK (state NOT IN ('effective', 'done') OR ceases_on IS NOT NULL)
);

CREATE UNIQUE INDEX subscription_endings_open ON subscription_endings (subscription_id)
    WHERE state IN ('asked', 'effective');

COMMENT ON COLUMN subscription_endings.asked_by IS 'phone, email, letter or portal, and the username that was quoted';
COMMENT ON COLUMN subscription_endings.evidence IS 'where the e-mail or letter is kept';
COMMENT ON COLUMN subscription_endings.quote IS 'what they were told it would cost, with the computation';

CREATE TABLE subscription_cancellations (
    subscription_id integer PRIMARY KEY REFERENCES subscriptions,
    told_us_on      date NOT NULL,
    told_us_by      text NOT NULL,
    due_micros      bigint NOT NULL,
    returned_micros bigint NOT NULL,
    computation     text[] NOT NULL
);

-- Changes of contracts that were told with notice.
CREATE TABLE subscription_changes (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id integer NOT NULL REFERENCES subscriptions,
    announced_on    date NOT NULL,
    effective_on    date NOT NULL,
    words           text NOT NULL,
    is_detrimental  boolean NOT NULL,
    exit_until      date,
    is_price        boolean NOT NULL,
    CHECK (is_detrimental = (exit_until IS NOT NULL))
);

CREATE INDEX subscription_changes_of ON subscription_changes (subscription_id, effective_on);

COMMENT ON COLUMN subscription_changes.exit_until IS 'the last day on which they may leave without paying for it';

-- A new minimum term that the customer has agreed to.
CREATE TABLE subscription_renewals (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id integer NOT NULL REFERENCES subscriptions,
    agreed_on       date NOT NULL,
    starts_on       date NOT NULL,
    months          integer NOT NULL CHECK (months BETWEEN 1 AND 36),
    consent         text NOT NULL
);

CREATE INDEX subscription_renewals_of ON subscription_renewals (subscription_id);

CREATE TABLE subscription_notices (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id integer NOT NULL REFERENCES subscriptions,
    kind            text NOT NULL CHECK (kind IN ('end_of_contract', 'best_tariff', 'price_change', 'contract_change',
                                                  'ending')),
    about           text NOT NULL,
    sent_on         date NOT NULL,
    way             text NOT NULL CHECK (way IN ('mail', 'post')),
    address         text NOT NULL,
    subject         text NOT NULL,
    body            text NOT NULL,
    posted_on       date,
    UNIQUE (subscription_id, kind, about)
);

COMMENT ON COLUMN subscription_notices.about IS 'the day that it tells of, or the id of the change: one notice of each';
COMMENT ON COLUMN subscription_notices.way IS 'post: the customer has no e-mail address; somebody prints it';

-- A service was down. What it is proposed to give back is decided by a person.
CREATE TABLE outages (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    reported_at timestamptz,
    words       text NOT NULL,
    is_total    boolean NOT NULL DEFAULT true,
    made_by     text NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (ends_at > starts_at)
);

COMMENT ON COLUMN outages.reported_at IS 'when it was reported to us, for the automatic compensation scheme; NULL: at its start';
COMMENT ON COLUMN outages.is_total IS 'a total loss of service, as the automatic compensation scheme wants it';

CREATE TABLE outage_credits (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    outage_id       bigint REFERENCES outages,
    subscription_id integer NOT NULL REFERENCES subscriptions,
    kind            text NOT NULL CHECK (kind IN ('downtime', 'delayed_repair', 'missed_appointment', 'delayed_start')),
    about           text NOT NULL,
    starts_at       timestamptz,
    ends_at         timestamptz,
    amount_micros   bigint NOT NULL CHECK (amount_micros > 0),
    computation     text[] NOT NULL,
    state           text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'approved', 'declined')),
    decided_by      text,
    decided_on      date,
    reason          text NOT NULL DEFAULT '',
    ledger_id       bigint,
    UNIQUE (subscription_id, kind, about),
    CHECK ((kind IN ('downtime', 'delayed_repair')) = (outage_id IS NOT NULL)),
    CHECK ((state = 'proposed') = (decided_by IS NULL)),
    CHECK ((state = 'approved') = (ledger_id IS NOT NULL))
);

CREATE INDEX outage_credits_outage ON outage_credits (outage_id);

COMMENT ON COLUMN outage_credits.about IS 'the outage, or the day of the appointment or start: each gives one of a kind';
