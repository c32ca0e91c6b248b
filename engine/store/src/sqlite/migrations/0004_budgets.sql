-- Message budgets: who got how many messages of late.

-- One row for each message, for as long as it can count against a budget; then it goes. `contact` is a keyed hash of connection
-- and recipient, however the address is written. The questions are "how many to this contact since then", of all actions or of
-- one, and "what is too old": the table is its own index for the first. What was sent before this schema is not counted.
CREATE TABLE sent_messages (
    contact    BLOB NOT NULL CHECK (length(contact) = 16),
    at         INTEGER NOT NULL,
    job_id     BLOB NOT NULL CHECK (length(job_id) = 16),
    effect     INTEGER NOT NULL CHECK (effect >= 0),
    connection TEXT NOT NULL,
    clinic     TEXT,
    automation TEXT NOT NULL,
    action     TEXT NOT NULL,
    PRIMARY KEY (contact, at, job_id, effect)
) STRICT, WITHOUT ROWID;

CREATE INDEX sent_messages_at ON sent_messages (at);
