-- depends: 0007_call_media

-- What a customer switches on and off, one JSON object each, as provisioning/settings.py names it: a new service is
-- a field with a default and no migration. Names that a release does not know stay as they are when it changes others.
-- Changes of rows are noted by the triggers that both tables have.

ALTER TABLE lines ADD COLUMN settings jsonb NOT NULL DEFAULT '{}'
    CHECK (jsonb_typeof(settings) = 'object' AND octet_length(settings::text) <= 32768);

ALTER TABLE accounts ADD COLUMN settings jsonb NOT NULL DEFAULT '{}'
    CHECK (jsonb_typeof(settings) = 'object' AND octet_length(settings::text) <= 32768);

COMMENT ON COLUMN lines.settings IS 'services, bars and lists of the line; what has its default is not written';
COMMENT ON COLUMN accounts.settings IS 'bars, caps and lists of the account; what has its default is not written';
