-- What events are found by is merged into its tables behind them, in order: see `recent.rs`.
--
-- `events` as before, but for `delivery`, which was unique, and for `keys`: the keys of its parts, each the number of the part in one byte and
-- the key in eight, the lowest first; null for events from before, which `key_parts` has, and where somebody was erased.

CREATE TABLE events_new (
    seq         INTEGER PRIMARY KEY,
    event_id    BLOB NOT NULL UNIQUE CHECK (length(event_id) = 16),
    delivery    BLOB NOT NULL CHECK (length(delivery) = 16),
    connection  TEXT NOT NULL,
    clinic      TEXT,
    source      TEXT NOT NULL,
    type        TEXT NOT NULL,
    entity      BLOB CHECK (length(entity) = 16),
    entity_type TEXT,
    time        INTEGER NOT NULL,
    received    INTEGER NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('accepted', 'stale', 'quarantined')),
    cause       TEXT,
    keys        BLOB CHECK (length(keys) % 9 = 0)
) STRICT;

INSERT INTO events_new (seq, event_id, delivery, connection, clinic, source, type, entity, entity_type, time, received, status, cause)
    SELECT seq, event_id, delivery, connection, clinic, source, type, entity, entity_type, time, received, status, cause FROM events ORDER BY seq;
DROP TABLE events;
ALTER TABLE events_new RENAME TO events;
CREATE INDEX events_received ON events (received);

-- Which event a delivery became. An index over `events`, so it names no connection of its own.
CREATE TABLE deliveries (
    delivery BLOB PRIMARY KEY CHECK (length(delivery) = 16),
    event    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO deliveries (delivery, event) SELECT delivery, seq FROM events ORDER BY delivery;

-- What stands under a key. An index over `event_parts`.
CREATE TABLE key_parts (
    key_id  INTEGER NOT NULL,
    part_id INTEGER NOT NULL,
    PRIMARY KEY (key_id, part_id)
) STRICT, WITHOUT ROWID;

INSERT INTO key_parts (key_id, part_id) SELECT key_id, part_id FROM event_parts ORDER BY key_id, part_id;
DROP INDEX event_parts_key;

-- Up to which event these and `entities` have everything.
INSERT INTO meta (name, value) SELECT 'merged', CAST(CAST(coalesce(max(seq), 0) AS TEXT) AS BLOB) FROM events;
