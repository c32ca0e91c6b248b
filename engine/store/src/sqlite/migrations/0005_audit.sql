-- What has to be answered for. Rows are only ever added.

-- One row for each doing of a plugin that was refused. It says who asked for what kind of thing and when, in the clear; what exactly was
-- asked for, and why it was refused, stands sealed in the journal of the job, at `entry`.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('refused')),
    connection TEXT NOT NULL,
    clinic     TEXT,
    job_id     BLOB NOT NULL CHECK (length(job_id) = 16),
    entry      INTEGER NOT NULL CHECK (entry >= 0),
    rule       TEXT NOT NULL,
    action     TEXT NOT NULL,
    effect     TEXT NOT NULL
) STRICT;
