-- depends: 0019_rerating

-- What happened to registrations, logins that failed among them. The shipper copies these rows from the journal; nothing
-- else writes them. Renewals that change nothing leave no row, so that a line's history stays short enough to read.

CREATE TABLE registration_events (
    id         text PRIMARY KEY,
    at         timestamptz NOT NULL,
    event      text NOT NULL,
    line       text NOT NULL,
    account_id integer,
    reason     text NOT NULL,
    source     text NOT NULL,
    transport  text NOT NULL,
    contact    text NOT NULL,
    via        text NOT NULL,
    user_agent text NOT NULL,
    expires_s  integer NOT NULL,
    claimed    text NOT NULL,
    count      integer NOT NULL
);

COMMENT ON COLUMN registration_events.line IS 'empty for a stranger who was refused; `claimed` is the name that he gave';

CREATE INDEX registration_events_line ON registration_events (line, at);

CREATE INDEX registration_events_at ON registration_events (at);

CREATE TRIGGER registration_events_unaltered BEFORE UPDATE ON registration_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- How the sound of a leg went over time, packed (media/course.py); empty where nobody counted it.
ALTER TABLE call_media ADD COLUMN course bytea NOT NULL DEFAULT '';
