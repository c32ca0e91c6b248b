-- Actions that come after others, documents, counters, events of plugins.

-- What led to an event that a plugin emitted: JSON of ids, no value of any event.
ALTER TABLE events ADD COLUMN cause TEXT;

-- The steps that a job needs, as JSON of action names and job ids. A job waits while one of them is not done: until then it is
-- not in the index of what comes due.
ALTER TABLE jobs ADD COLUMN needs TEXT;
ALTER TABLE jobs ADD COLUMN waits INTEGER NOT NULL DEFAULT 0 CHECK (waits IN (0, 1));
ALTER TABLE job_history ADD COLUMN needs TEXT;

DROP INDEX jobs_scheduled;
CREATE INDEX jobs_scheduled ON jobs (run_at) WHERE state = 'scheduled' AND waits = 0;

-- Which live jobs need a job: those are looked at when it ends. An index over `jobs.needs`, like `job_lookups`.
CREATE TABLE job_needs (
    needed BLOB NOT NULL CHECK (length(needed) = 16),
    job    INTEGER NOT NULL,
    PRIMARY KEY (needed, job)
) STRICT, WITHOUT ROWID;

-- What plugins made. One effect of one job is one document, ever. `sealed` is its name, type and text, `content` its bytes.
CREATE TABLE documents (
    seq        INTEGER PRIMARY KEY,
    job_id     BLOB NOT NULL CHECK (length(job_id) = 16),
    effect     INTEGER NOT NULL CHECK (effect >= 0),
    connection TEXT NOT NULL,
    clinic     TEXT,
    at         INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    sealed     BLOB NOT NULL,
    content    BLOB NOT NULL,
    UNIQUE (job_id, effect)
) STRICT;

-- Counters of actions. A number says nothing about anybody, and must outlive whoever was given one: it is not sealed.
CREATE TABLE counters (
    slot       BLOB PRIMARY KEY CHECK (length(slot) = 16),
    connection TEXT NOT NULL,
    clinic     TEXT,
    value      INTEGER NOT NULL CHECK (value > 0),
    updated    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
