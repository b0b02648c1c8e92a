-- depends: 0023_staff

-- Complaints (GC C4): from the day on which they were received until they are closed. What was said and done is never
-- altered; records go as a whole, and only those of complaints that are closed (conf/complaints.toml says how long after).

CREATE TABLE complaints (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference       text NOT NULL UNIQUE CHECK (reference ~ '^C-[2-9A-HJKMNP-TV-Z]{5}$'),
    opened_at       timestamptz NOT NULL,
    opened_by       text NOT NULL CHECK (opened_by <> ''),
    received_at     timestamptz NOT NULL CHECK (received_at <= opened_at),
    account_id      integer REFERENCES accounts,
    fault_id        bigint REFERENCES faults,
    reporter        text NOT NULL,
    contact         text NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('phone', 'email', 'letter', 'web', 'in-person')),
    words           text NOT NULL CHECK (words <> ''),
    state           text NOT NULL CHECK (state IN ('open', 'outcome-told', 'deadlock', 'closed')),
    acknowledged_at timestamptz CHECK (acknowledged_at >= received_at),
    outcome_at      timestamptz CHECK (outcome_at >= received_at),
    deadlock_at     timestamptz CHECK (deadlock_at >= received_at),
    letter_on       date,
    letter_way      text CHECK (letter_way IN ('mail', 'post')),
    closed_at       timestamptz,
    ending          text NOT NULL DEFAULT '' CHECK (ending IN ('', 'resolved', 'withdrawn', 'letter-sent', 'final')),
    CHECK ((letter_on IS NULL) = (letter_way IS NULL)),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((state = 'closed') = (ending <> ''))
);

COMMENT ON COLUMN complaints.received_at IS 'when it reached the provider: every time limit runs from here';
COMMENT ON COLUMN complaints.opened_at IS 'when somebody put it on record';
COMMENT ON COLUMN complaints.letter_on IS 'London''s day of the letter about alternative dispute resolution';

CREATE INDEX complaints_open ON complaints (received_at) WHERE state <> 'closed';
CREATE INDEX complaints_account ON complaints (account_id, received_at);
CREATE INDEX complaints_closed ON complaints (closed_at) WHERE state = 'closed';

CREATE TABLE complaint_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    complaint_id bigint NOT NULL REFERENCES complaints ON DELETE CASCADE,
    at           timestamptz NOT NULL,
    staff        text NOT NULL CHECK (staff <> ''),
    event        text NOT NULL,
    value        text NOT NULL,
    words        text NOT NULL
);

COMMENT ON COLUMN complaint_events.value IS 'how a letter went, how it ended, when it was done if not at that moment';

CREATE INDEX complaint_events_complaint ON complaint_events (complaint_id);

CREATE TRIGGER complaint_events_unaltered BEFORE UPDATE OR TRUNCATE ON complaint_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER complaints_not_truncated BEFORE TRUNCATE ON complaints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_loss_of_complaint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'closed' THEN
        RAISE EXCEPTION 'complaint % is not closed', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;

CREATE TRIGGER complaints_kept BEFORE DELETE ON complaints
    FOR EACH ROW EXECUTE FUNCTION refuse_loss_of_complaint();

-- A cascade comes when the complaint itself has gone; whoever deletes an event alone finds it there.
CREATE FUNCTION refuse_loss_of_complaint_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM complaints WHERE id = OLD.complaint_id) THEN
        RAISE EXCEPTION 'DELETE of % is not allowed: its rows are facts', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;

CREATE TRIGGER complaint_events_kept BEFORE DELETE ON complaint_events
    FOR EACH ROW EXECUTE FUNCTION refuse_loss_of_complaint_event();
