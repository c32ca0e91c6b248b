-- What will be done and when: by its time, and the time that a person gave it, in JSON (`from`, what the rules said then, and `to`).
ALTER TABLE jobs ADD COLUMN moved TEXT;
ALTER TABLE job_history ADD COLUMN moved TEXT;

-- Not those that are in the line already: they come and go too fast to be written down in one more place.
CREATE INDEX jobs_agenda ON jobs (run_at, seq, connection, clinic) WHERE state = 'scheduled' AND attention IS NULL;

-- SQLite cannot change a CHECK: the table is made anew, with one word more.
CREATE TABLE decisions_anew (
    decision_id INTEGER PRIMARY KEY,
    job_id      BLOB NOT NULL CHECK (length(job_id) = 16),
    connection  TEXT NOT NULL,
    clinic      TEXT,
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    decision    TEXT NOT NULL CHECK (decision IN ('revived', 'done', 'given_up', 'cancelled', 'replayed', 'moved')),
    was         TEXT NOT NULL,
    reason      TEXT,
    -- The step with which it came back.
    came_with   BLOB CHECK (length(came_with) = 16)
) STRICT;

INSERT INTO decisions_anew (decision_id, job_id, connection, clinic, at, actor, decision, was, reason, came_with)
    SELECT decision_id, job_id, connection, clinic, at, actor, decision, was, reason, came_with FROM job_decisions;
DROP TABLE job_decisions;
ALTER TABLE decisions_anew RENAME TO job_decisions;
CREATE INDEX job_decisions_job ON job_decisions (job_id, decision_id);
