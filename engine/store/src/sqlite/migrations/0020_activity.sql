-- What people look for among events and jobs.

-- Which events speak of a thing. An index over `events`, merged behind it as `deliveries` is: see `recent.rs`.
CREATE TABLE entity_events (
    entity BLOB NOT NULL CHECK (length(entity) = 16),
    event  INTEGER NOT NULL,
    PRIMARY KEY (entity, event)
) STRICT, WITHOUT ROWID;

INSERT INTO entity_events (entity, event) SELECT entity, seq FROM events WHERE entity IS NOT NULL ORDER BY entity, seq;

-- Each holds its table's own order behind its column, so a page of what is rare is found without reading what is not. Most events are
-- accepted and most jobs are done: these need no index.
CREATE INDEX events_type ON events (type);
CREATE INDEX events_status ON events (status) WHERE status <> 'accepted';
CREATE INDEX job_history_event ON job_history (event_id);
CREATE INDEX job_history_rule ON job_history (rule);
CREATE INDEX job_history_undone ON job_history (state) WHERE state <> 'done';
