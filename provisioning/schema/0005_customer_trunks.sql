-- depends: 0004_changes

-- A line may be a customer's PBX: calls to its numbers name the dialled number, and it may be known by its
-- addresses instead of registering. Everything else (who pays, limits, numbers) is as for any line.

ALTER TABLE lines
    ADD COLUMN kind text NOT NULL DEFAULT 'phone' CHECK (kind IN ('phone', 'trunk')),
    ADD COLUMN calls_per_second_max integer NOT NULL DEFAULT 0 CHECK (calls_per_second_max >= 0);

COMMENT ON COLUMN lines.calls_per_second_max IS 'calls that it may begin in a second; 0 = no limit';

-- Calls go to the addresses in their order. Who calls from one is that line without a password, so an address
-- has one owner: over UDP host and port, over a connection, which may come from any port, the host.
CREATE TABLE line_addresses (
    line      text NOT NULL REFERENCES lines ON DELETE CASCADE,
    position  smallint NOT NULL CHECK (position >= 0),
    transport text NOT NULL CHECK (transport IN ('udp', 'tcp', 'tls')),
    host      inet NOT NULL CHECK (masklen(host) = CASE family(host) WHEN 4 THEN 32 ELSE 128 END),
    port      integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    PRIMARY KEY (line, position)
);

CREATE UNIQUE INDEX line_addresses_datagram ON line_addresses (host, port) WHERE transport = 'udp';
CREATE UNIQUE INDEX line_addresses_connection ON line_addresses (host) WHERE transport <> 'udp';

CREATE TRIGGER line_addresses_noted_new AFTER INSERT ON line_addresses
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_new_rows('line', 'line');

CREATE TRIGGER line_addresses_noted_gone AFTER DELETE ON line_addresses
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_old_rows('line', 'line');

-- A row that moves to another line would have to tell of two lines; rows are replaced, never changed.
CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % cannot change: delete them and insert others', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER line_addresses_stay BEFORE UPDATE ON line_addresses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_update();

CREATE TRIGGER line_addresses_no_truncate BEFORE TRUNCATE ON line_addresses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate();
