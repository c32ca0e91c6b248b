-- What people decide about jobs.

-- One row for each decision: by whom, when, and how the job stood before. It goes with its job.
CREATE TABLE job_decisions (
    decision_id INTEGER PRIMARY KEY,
    job_id      BLOB NOT NULL CHECK (length(job_id) = 16),
    connection  TEXT NOT NULL,
    clinic      TEXT,
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    decision    TEXT NOT NULL CHECK (decision IN ('revived', 'done', 'given_up', 'cancelled')),
    was         TEXT NOT NULL,
    reason      TEXT,
    -- The step with which it came back.
    came_with   BLOB CHECK (length(came_with) = 16)
) STRICT;

CREATE INDEX job_decisions_job ON job_decisions (job_id, decision_id);

-- Whether what an ended job did was erased with the data of a person: nobody can tell then what another run would do twice.
ALTER TABLE job_history ADD COLUMN stripped INTEGER NOT NULL DEFAULT 0 CHECK (stripped IN (0, 1));

-- Jobs that ended because a step did come back with it.
CREATE INDEX job_history_steps ON job_history (event_id) WHERE state = 'cancelled' AND needs IS NOT NULL;

-- Whether the newest word under the key of an unknown job asked for the same, and was skipped because of it.
CREATE INDEX job_history_skipped ON job_history (job_key) WHERE state = 'skipped' AND job_key IS NOT NULL;
