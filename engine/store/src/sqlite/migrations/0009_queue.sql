-- Who runs beside whom, and in whose turn.

-- How a job stands to those beside it: `order_key` tells those that run one after another from others, `group_key` those that are limited
-- together.
ALTER TABLE jobs ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('high', 'normal', 'low'));
ALTER TABLE jobs ADD COLUMN order_key BLOB CHECK (length(order_key) = 16);
ALTER TABLE jobs ADD COLUMN group_key BLOB CHECK (length(group_key) = 16);
ALTER TABLE job_history ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('high', 'normal', 'low'));
ALTER TABLE job_history ADD COLUMN order_key BLOB CHECK (length(order_key) = 16);
ALTER TABLE job_history ADD COLUMN group_key BLOB CHECK (length(group_key) = 16);

-- The place of a ready job in the line, where every clinic has its turn; and the scope that had no room for it, while it is parked.
ALTER TABLE jobs ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN parked TEXT CHECK (parked IS NULL OR state = 'ready');

-- What is to be claimed next; who is parked by what; who comes first, and who has begun, among those that run one after another.
DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (turn) WHERE state = 'ready' AND parked IS NULL;
CREATE INDEX jobs_parked ON jobs (parked, turn) WHERE parked IS NOT NULL;
CREATE INDEX jobs_order ON jobs (order_key, turn) WHERE order_key IS NOT NULL AND state = 'ready';
CREATE INDEX jobs_begun ON jobs (order_key) WHERE order_key IS NOT NULL AND attempt > 0;

-- What people have put a halt to, and why: `all`, `rule:NAME` or `plugin:NAME`.
CREATE TABLE halts (
    scope  TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    reason TEXT
) STRICT, WITHOUT ROWID;
