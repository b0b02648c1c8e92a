-- depends: 0022_faults

-- Who may log in to the portal. Passwords are argon2id; nothing here is of use to whoever reads it.
CREATE TABLE staff (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._-]{1,39}$'),
    password_hash text NOT NULL,
    role          text NOT NULL CHECK (role IN ('support', 'engineer', 'admin')),
    is_disabled   boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now()
);

-- A session that has ended has no row. The browser's token is not in here, only its SHA-256.
CREATE TABLE staff_sessions (
    token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    staff_id     integer NOT NULL REFERENCES staff ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    address      text NOT NULL
);

CREATE INDEX staff_sessions_staff ON staff_sessions (staff_id, created_at);

-- From where somebody has logged in of late: failures from elsewhere do not keep him out there.
CREATE TABLE staff_addresses (
    staff_id integer NOT NULL REFERENCES staff ON DELETE CASCADE,
    source   text NOT NULL,
    last_at  timestamptz NOT NULL,
    PRIMARY KEY (staff_id, source)
);
