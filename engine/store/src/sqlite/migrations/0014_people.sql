-- The people who sign in with a password, and the clinics that a credential is for.

-- A list of [connection, clinic]; null: all, and what is of none.
ALTER TABLE credentials ADD COLUMN clinics TEXT;
-- Of a session: whose it is, and how that person stood when it began. It is good as long as they stand so.
ALTER TABLE credentials ADD COLUMN person TEXT;
ALTER TABLE credentials ADD COLUMN person_version INTEGER;

CREATE TABLE people (
    name      TEXT PRIMARY KEY,
    role      TEXT NOT NULL,
    -- As in `credentials`.
    clinics   TEXT,
    -- Argon2id, in the PHC string format.
    password  TEXT NOT NULL,
    -- The secret of their codes (RFC 6238), sealed; null: they need none.
    key_id    INTEGER REFERENCES seal_keys (key_id),
    secret    BLOB,
    -- The last period whose code was used: no code is good twice.
    code_step INTEGER NOT NULL DEFAULT 0,
    created   INTEGER NOT NULL,
    -- Rises with every change.
    version   INTEGER NOT NULL,
    CHECK ((key_id IS NULL) = (secret IS NULL))
) STRICT, WITHOUT ROWID;
