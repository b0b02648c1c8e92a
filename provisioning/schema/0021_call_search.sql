-- depends: 0020_fault_desk

-- What the fault desk finds calls by (care/search). What each index costs a call is in docs/search.md; times, trunks,
-- causes and parts of numbers are found by reading the calls of a time, by cdrs_setup.

CREATE INDEX cdrs_line ON cdrs (line, setup_at) WHERE line <> '';

-- Only its hash is kept, a third of the bytes: Call-IDs are long, random, and asked for whole.
CREATE INDEX cdrs_sip_call_id ON cdrs USING hash (sip_call_id);

-- What the called party saw, where that is not the caller's own number; and a number that led elsewhere. Both are rare.
CREATE INDEX cdrs_presentation_number ON cdrs (presentation_number, setup_at)
    WHERE leg = 0 AND presentation_number <> network_number;

CREATE INDEX cdrs_ddi ON cdrs (ddi, setup_at) WHERE ddi <> '' AND ddi <> destination;

-- Bad sound alone, in the words of care/search/bad_sound.py.
CREATE INDEX call_media_bad ON call_media (ended_at) WHERE
    (packets = 0 AND packets_sent >= 200) OR (lost >= 10 AND lost * 100 >= 3 * (packets + lost)) OR jitter_us >= 50000;
