-- Actions over time: what they fired for and counted, and jobs that collect events.

-- What an action remembers under one keyed hash. `entries` are 24 bytes each: when the event happened (milliseconds since 1970,
-- big-endian), and the id of its job. `forgotten` is the newest time for which there was no room.
CREATE TABLE windows (
    window     BLOB PRIMARY KEY CHECK (length(window) = 16),
    connection TEXT NOT NULL,
    clinic     TEXT,
    entries    BLOB NOT NULL CHECK (length(entries) % 24 = 0),
    forgotten  INTEGER
) STRICT, WITHOUT ROWID;

-- How many events a job collects; 0: it is for one event.
ALTER TABLE jobs ADD COLUMN collected INTEGER NOT NULL DEFAULT 0 CHECK (collected >= 0);
ALTER TABLE job_history ADD COLUMN collected INTEGER NOT NULL DEFAULT 0 CHECK (collected >= 0);

-- The events that jobs collected, in the order in which they are read: when they happened, then when they arrived. `job` is the
-- `seq` of a job, live or ended, `event` that of an event. An event stays as long as a job that collected it is live.
CREATE TABLE job_events (
    job        INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    event      INTEGER NOT NULL,
    connection TEXT NOT NULL,
    clinic     TEXT,
    PRIMARY KEY (job, time, event)
) STRICT, WITHOUT ROWID;
