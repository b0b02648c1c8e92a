-- depends: 0008_settings

-- Diverts to anywhere, with conditions of their own. The rows of one condition that apply to a call (its source, the
-- number that was called, the time) are where it goes, in their order; each destination is rung for its own time.

ALTER TABLE diverts
    DROP CONSTRAINT diverts_condition_check,
    DROP CONSTRAINT diverts_kind_check,
    DROP CONSTRAINT diverts_check,
    DROP CONSTRAINT diverts_check1,
    ADD COLUMN answer_s smallint NOT NULL DEFAULT 0,
    ADD COLUMN sources text[] NOT NULL DEFAULT '{}',
    ADD COLUMN ddis text[] NOT NULL DEFAULT '{}',
    ADD COLUMN time_set text NOT NULL DEFAULT '',
    ADD COLUMN is_enabled boolean NOT NULL DEFAULT true;

ALTER TABLE diverts
    ADD CONSTRAINT diverts_known_condition
        CHECK (condition IN ('all', 'busy', 'no_reply', 'unreachable', 'declined')),
    ADD CONSTRAINT diverts_known_kind CHECK (kind IN ('voicemail', 'number', 'line', 'plan', 'announcement')),
    ADD CONSTRAINT diverts_has_destination
        CHECK ((kind = 'voicemail') = (destination = '') AND length(destination) <= 64),
    ADD CONSTRAINT diverts_number_is_e164 CHECK (kind <> 'number' OR destination ~ '^\+[1-9][0-9]{6,14}$'),
    ADD CONSTRAINT diverts_ring_s
        CHECK (CASE condition WHEN 'no_reply' THEN ring_s BETWEEN 5 AND 120 ELSE ring_s = 0 END),
    ADD CONSTRAINT diverts_answer_s CHECK (answer_s = 0 OR answer_s BETWEEN 5 AND 120),
    ADD CONSTRAINT diverts_few_patterns CHECK (cardinality(sources) <= 20 AND cardinality(ddis) <= 20),
    ADD CONSTRAINT diverts_time_set CHECK (time_set ~ '^([a-z0-9][a-z0-9_-]{0,31})?$');

COMMENT ON COLUMN diverts.answer_s IS 'how long this destination is rung before the next one; 0: as long as a call may ring';
COMMENT ON COLUMN diverts.sources IS 'callers: E.164, a beginning with a star, or withheld; none at all is everybody';
COMMENT ON COLUMN diverts.ddis IS 'numbers called, E.164; none at all is every one, and the line by its name';
COMMENT ON COLUMN diverts.time_set IS 'a name of conf/time-sets.toml; none is always';
