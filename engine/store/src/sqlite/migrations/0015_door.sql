-- Secrets that people gave zelo to keep. They belong to nobody's data: no connection, no clinic.
CREATE TABLE secrets (
    name   TEXT PRIMARY KEY NOT NULL,
    -- Under what wraps all keys.
    sealed BLOB NOT NULL,
    -- Milliseconds since 1970.
    at     INTEGER NOT NULL
) STRICT;
