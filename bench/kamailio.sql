-- Kamailio's own tables come from its package; here is what the whole job adds to them.

ALTER TABLE subscriber ADD COLUMN account varchar(64) NOT NULL DEFAULT '';
ALTER TABLE subscriber ADD COLUMN credit varchar(32) NOT NULL DEFAULT '';

CREATE TABLE rates (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tprefix varchar(32) NOT NULL, -- its modules know no text
    tvalue  varchar(128) NOT NULL
);

-- One row a call, and the charge with it: each started minute is charged, an answered call at least one.
ALTER TABLE acc_cdrs
    ADD COLUMN call_id varchar(255) NOT NULL DEFAULT '',
    ADD COLUMN account varchar(64) NOT NULL DEFAULT '',
    ADD COLUMN caller varchar(64) NOT NULL DEFAULT '',
    ADD COLUMN dialled varchar(64) NOT NULL DEFAULT '',
    ADD COLUMN rate_micros bigint NOT NULL DEFAULT 0,
    ADD COLUMN cost_micros bigint GENERATED ALWAYS AS
        (greatest(1, ceil(duration / 60)::bigint) * rate_micros) STORED;
