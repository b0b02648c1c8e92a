-- depends: 0013_money

-- Mails of billing, written in the transaction of what they tell. billing's process sends them.
CREATE TABLE mails (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key         text NOT NULL UNIQUE,
    recipient   text NOT NULL,
    subject     text NOT NULL,
    body        text NOT NULL,
    queued_at   timestamptz NOT NULL DEFAULT now(),
    tries       integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    sent_at     timestamptz,
    gave_up_at  timestamptz,
    last_answer text NOT NULL DEFAULT '',
    CHECK (sent_at IS NULL OR gave_up_at IS NULL)
);

COMMENT ON COLUMN mails.key IS 'what it tells, once: "invoice/INV000123"';

CREATE INDEX mails_waiting ON mails (next_try_at) WHERE sent_at IS NULL AND gave_up_at IS NULL;

CREATE TABLE mail_attachments (
    mail_id        bigint NOT NULL REFERENCES mails ON DELETE CASCADE,
    position       smallint NOT NULL,
    name           text NOT NULL,
    media_type     text NOT NULL,
    content        bytea,
    invoice_number text REFERENCES invoices (number),
    is_large_print boolean NOT NULL DEFAULT false,
    PRIMARY KEY (mail_id, position),
    CHECK ((content IS NULL) <> (invoice_number IS NULL))
);

COMMENT ON COLUMN mail_attachments.invoice_number IS 'its PDF is made when the mail is sent: it is always the same';

-- Which document a row of the ledger stands on. A row that is here is on paper, and is never billed again.
CREATE TABLE invoiced (
    account_id integer NOT NULL,
    ledger_id  bigint NOT NULL,
    invoice_id bigint NOT NULL REFERENCES invoices,
    PRIMARY KEY (account_id, ledger_id) -- no foreign key: rows of the ledger never go, and a month has many
);

CREATE INDEX invoiced_invoice ON invoiced (invoice_id);

CREATE TRIGGER invoiced_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON invoiced
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

INSERT INTO invoice_series (name) VALUES ('invoice'), ('payment_invoice'), ('credit_note');
