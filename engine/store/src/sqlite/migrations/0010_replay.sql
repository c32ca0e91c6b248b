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

-- The same of every rule, under no name: what was deleted before anybody took note.
INSERT INTO jobs_forgotten (rule, ended)
    SELECT '', max(at) FROM (SELECT max(received) AS at FROM events UNION ALL SELECT max(ended) FROM job_history) HAVING max(at) IS NOT NULL;

-- Events that had a job that was erased with a person who is not of the event, or with one of several: they get no other.
CREATE TABLE jobs_erased (
    event_id   BLOB NOT NULL CHECK (length(event_id) = 16),
    automation TEXT NOT NULL,
    action     TEXT NOT NULL,
    PRIMARY KEY (event_id, automation, action)
) STRICT, WITHOUT ROWID;
