-- Kamailio's own tables come from its package; here is what the whole job adds to them.

ALTER TABLE subscriber ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE subscriber ADD COLUMN credit text NOT NULL DEFAULT '';

CREATE TABLE rates (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tprefix text NOT NULL,
    tvalue  text NOT NULL
);

-- One row a call, and the charge with it: each started minute is charged, an answered call at least one.
ALTER TABLE acc_cdrs
    ADD COLUMN call_id text NOT NULL DEFAULT '',
    ADD COLUMN account text NOT NULL DEFAULT '',
    ADD COLUMN caller text NOT NULL DEFAULT '',
    ADD COLUMN dialled text NOT NULL DEFAULT '',
    ADD COLUMN rate_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN cost_micros bigint GENERATED ALWAYS AS
        (greatest(1, ceil(duration / 60)::bigint) * rate_micros) STORED;
