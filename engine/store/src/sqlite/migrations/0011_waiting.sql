-- Who waits, and for what.

-- How many had become ready before it: those that run one after another go by this, whatever becomes of their turns.
ALTER TABLE jobs ADD COLUMN came INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET came = turn;

DROP INDEX jobs_order;
CREATE INDEX jobs_order ON jobs (order_key, came) WHERE order_key IS NOT NULL AND state = 'ready';
