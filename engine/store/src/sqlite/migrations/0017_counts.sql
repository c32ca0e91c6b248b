-- How much came to be, by the hour, and so by the day of whoever asks, without going through the rows themselves: events by when they arrived
-- and their status, jobs by when and how they ended, messages, documents. What is deleted later was there all the same. `clinic` is empty
-- where it is of none; `what` is one word, or two.
CREATE TABLE counts (
    hour       INTEGER NOT NULL,
    connection TEXT NOT NULL,
    clinic     TEXT NOT NULL,
    what       TEXT NOT NULL,
    n          INTEGER NOT NULL CHECK (n > 0),
    PRIMARY KEY (hour, connection, clinic, what)
) STRICT, WITHOUT ROWID;

INSERT INTO counts (hour, connection, clinic, what, n)
    SELECT received / 3600000, connection, coalesce(clinic, ''), 'event ' || status, count(*) FROM events GROUP BY 1, 2, 3, 4;
INSERT INTO counts (hour, connection, clinic, what, n)
    SELECT ended / 3600000, connection, coalesce(clinic, ''), 'job ' || state, count(*) FROM job_history GROUP BY 1, 2, 3, 4;
INSERT INTO counts (hour, connection, clinic, what, n)
    SELECT at / 3600000, connection, coalesce(clinic, ''), 'message', count(*) FROM messages GROUP BY 1, 2, 3, 4;
INSERT INTO counts (hour, connection, clinic, what, n)
    SELECT at / 3600000, connection, coalesce(clinic, ''), 'document', count(*) FROM documents GROUP BY 1, 2, 3, 4;
