-- depends: 0021_call_search

-- Faults that customers report, and who has looked at whose calls. What was said and done is never altered; a fault's own
-- row has, beside what was reported, where it stands now: the fold of its events (care/faults/record.py).

ALTER TABLE customers ADD COLUMN has_priority_repair boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN customers.has_priority_repair IS 'faults are repaired first, at no charge: a need on record (GC C5)';

CREATE TABLE faults (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference       text NOT NULL UNIQUE CHECK (reference ~ '^F-[2-9A-HJKMNP-TV-Z]{5}$'),
    opened_at       timestamptz NOT NULL,
    opened_by       text NOT NULL CHECK (opened_by <> ''),
    account_id      integer REFERENCES accounts,
    reporter        text NOT NULL,
    contact         text NOT NULL,
    line            text NOT NULL,
    time_code       text NOT NULL,
    cli             text NOT NULL,
    ddi             text NOT NULL,
    kind            text NOT NULL,
    words           text NOT NULL,
    priority        text NOT NULL CHECK (priority IN ('needs', 'urgent', 'normal')),
    state           text NOT NULL,
    place           text NOT NULL,
    answered_at     timestamptz,
    restored_at     timestamptz,
    closed_at       timestamptz
);

COMMENT ON COLUMN faults.time_code IS 'when, as the customer said it';
COMMENT ON COLUMN faults.place IS 'where the fault lies; empty: nobody knows yet';

CREATE INDEX faults_open ON faults (opened_at) WHERE state <> 'closed';
CREATE INDEX faults_account ON faults (account_id, opened_at);

CREATE TABLE fault_events (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fault_id bigint NOT NULL REFERENCES faults,
    at       timestamptz NOT NULL,
    staff    text NOT NULL CHECK (staff <> ''),
    event    text NOT NULL,
    value    text NOT NULL,
    words    text NOT NULL,
    about    bigint REFERENCES fault_events
);

COMMENT ON COLUMN fault_events.value IS 'a state, a place, a priority, a call''s id: what the event is of';
COMMENT ON COLUMN fault_events.about IS 'of an answer: the check that was asked for';

CREATE INDEX fault_events_fault ON fault_events (fault_id);
CREATE UNIQUE INDEX fault_events_call ON fault_events (fault_id, value) WHERE event = 'call';
CREATE UNIQUE INDEX fault_events_answer ON fault_events (about) WHERE about IS NOT NULL;

CREATE TRIGGER fault_events_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON fault_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE looks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    staff      text NOT NULL CHECK (staff <> ''),
    what       text NOT NULL CHECK (what <> ''),
    account_id integer,
    call_id    text NOT NULL,
    why        text NOT NULL
);

COMMENT ON TABLE looks IS 'who has looked at whose calls; written before anything is shown';

CREATE INDEX looks_account ON looks (account_id, id);

CREATE TRIGGER looks_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON looks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
