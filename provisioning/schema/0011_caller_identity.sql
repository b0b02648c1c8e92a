-- depends: 0007_call_media

-- What was decided about a call, and who really called where a line has asked for that.

ALTER TABLE cdrs ADD COLUMN decisions text NOT NULL DEFAULT '';

COMMENT ON COLUMN cdrs.decisions IS 'short words of what was decided about the call, separated by "; "';

-- Calls marked as malicious, or to watched lines (PECR 2003 reg. 15). The shipper copies these rows from the journal.
-- The caller may have withheld the number: who reads it stands in trace_readings, before he reads it.
CREATE TABLE traced_calls (
    call_id             text NOT NULL,
    line                text NOT NULL,
    marked_at           timestamptz NOT NULL,
    marked_by           text NOT NULL,
    called_at           timestamptz NOT NULL,
    network_number      text NOT NULL,
    presentation_number text NOT NULL,
    is_withheld         boolean NOT NULL,
    caller_line         text NOT NULL,
    trunk               text NOT NULL,
    source_address      text NOT NULL,
    identity_headers    text NOT NULL,
    PRIMARY KEY (call_id, line)
);

CREATE INDEX traced_calls_line ON traced_calls (line, called_at);

CREATE TRIGGER traced_calls_unaltered BEFORE UPDATE ON traced_calls
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE trace_readings (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    reader  text NOT NULL CHECK (reader <> ''),
    reason  text NOT NULL CHECK (reason <> ''),
    call_id text NOT NULL,
    line    text NOT NULL
);

COMMENT ON COLUMN trace_readings.call_id IS 'what was shown; "" for the list, which has no numbers';

CREATE TRIGGER trace_readings_unaltered BEFORE UPDATE OR DELETE OR TRUNCATE ON trace_readings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
