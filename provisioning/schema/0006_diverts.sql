-- depends: 0005_customer_trunks

-- Where calls to a line go when it does not take them. One condition has its destinations in their order. A line
-- with any divert to voicemail has a mailbox; what is in it is on disk, not here.

CREATE TABLE diverts (
    line        text NOT NULL REFERENCES lines ON DELETE CASCADE,
    condition   text NOT NULL CHECK (condition IN ('all', 'busy', 'no_reply', 'unreachable')),
    position    smallint NOT NULL DEFAULT 0 CHECK (position >= 0),
    kind        text NOT NULL CHECK (kind IN ('voicemail')),
    destination text NOT NULL DEFAULT '' CHECK (kind <> 'voicemail' OR destination = ''),
    ring_s      smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (line, condition, position),
    CHECK (CASE condition WHEN 'no_reply' THEN ring_s BETWEEN 5 AND 120 ELSE ring_s = 0 END)
);

COMMENT ON COLUMN diverts.ring_s IS 'no_reply: how long the line rings before the call goes on';
COMMENT ON COLUMN diverts.destination IS 'what of its kind, where there is more than one';

CREATE TRIGGER diverts_noted_new AFTER INSERT ON diverts
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('line', 'line');

CREATE TRIGGER diverts_noted_gone AFTER DELETE ON diverts
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_old_rows('line', 'line');

CREATE TRIGGER diverts_stay BEFORE UPDATE ON diverts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_update();

CREATE TRIGGER diverts_no_truncate BEFORE TRUNCATE ON diverts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate();
