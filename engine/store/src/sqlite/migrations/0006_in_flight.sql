-- What begins on somebody else's machine.

-- Whether a request of the job has begun whose answer is not known: then its end is not known either, whatever ends it.
ALTER TABLE jobs ADD COLUMN in_flight INTEGER NOT NULL DEFAULT 0 CHECK (in_flight IN (0, 1));
