-- Secrets that people gave zelo to keep. They belong to nobody's data: no connection, no clinic.
CREATE TABLE secrets (
    name   TEXT PRIMARY KEY NOT NULL,
    -- Under what wraps all keys.
    sealed BLOB NOT NULL,
    -- Milliseconds since 1970.
    at     INTEGER NOT NULL
) STRICT;

-- Deliveries that were refused. Few are kept of each connection, and none for long.
CREATE TABLE refused (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    trace      BLOB NOT NULL UNIQUE,
    connection TEXT NOT NULL,
    clinic     TEXT,
    at         INTEGER NOT NULL,
    code       TEXT NOT NULL,
    -- The rule that it broke, and nothing of what it contained.
    why        TEXT NOT NULL,
    count      INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    -- Address, path and headers, under what wraps all keys.
    sealed     BLOB NOT NULL,
    -- The same of the body; NULL: it is not kept.
    body       BLOB
) STRICT;

CREATE INDEX refused_by_connection ON refused (connection, seq);
