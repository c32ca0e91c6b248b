-- Jobs that a replay made: that it did is the first that a person decided about them.

-- SQLite cannot change a CHECK: the table is made anew, with one word more.
CREATE TABLE decisions_anew (
    decision_id INTEGER PRIMARY KEY,
    job_id      BLOB NOT NULL CHECK (length(job_id) = 16),
    connection  TEXT NOT NULL,
    clinic      TEXT,
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    decision    TEXT NOT NULL CHECK (decision IN ('revived', 'done', 'given_up', 'cancelled', 'replayed')),
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

-- When the last of the deleted jobs of a rule had ended: of an event from before, nobody can tell whether it had one.
CREATE TABLE jobs_forgotten (
    rule  TEXT PRIMARY KEY,
    ended INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
