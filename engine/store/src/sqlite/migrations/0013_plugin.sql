-- The plugin that a job began with, which it runs to its end; null while nothing of it has begun. A job that had begun before gets it with its
-- next attempt.
ALTER TABLE jobs ADD COLUMN plugin TEXT;
ALTER TABLE job_history ADD COLUMN plugin TEXT;

-- How many live jobs there are of each kind.
CREATE INDEX jobs_live ON jobs (rule, action, plugin, state);
