-- depends: 0003_calls

-- What the relay counted, one row a medium of a leg. The shipper copies these rows from the journal; nothing else writes
-- them. They come after the leg's row in cdrs, which does not wait for them.

CREATE TABLE call_media (
    call_id        text NOT NULL,
    leg            smallint NOT NULL,
    medium         smallint NOT NULL,
    ended_at       timestamptz NOT NULL,
    codec          text NOT NULL,
    packets        bigint NOT NULL,
    octets         bigint NOT NULL,
    lost           bigint NOT NULL,
    reordered      bigint NOT NULL,
    duplicates     bigint NOT NULL,
    jitter_us      bigint NOT NULL,
    jitter_max_us  bigint NOT NULL,
    gap_us         bigint NOT NULL,
    round_trip_us  bigint NOT NULL,
    mos            smallint NOT NULL,
    packets_sent   bigint NOT NULL,
    octets_sent    bigint NOT NULL,
    remote_address text NOT NULL,
    dropped        text NOT NULL,
    PRIMARY KEY (call_id, leg, medium)
);

COMMENT ON TABLE call_media IS 'what the end of a leg sent (packets to round_trip) and was sent; medium 0 is the first m= line';

COMMENT ON COLUMN call_media.mos IS 'hundredths by the E-model, 441 is 4.41; 0: the codec is unknown or nothing came';

CREATE TRIGGER call_media_unaltered BEFORE UPDATE ON call_media
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
