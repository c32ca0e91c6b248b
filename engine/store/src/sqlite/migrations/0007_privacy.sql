-- Patients' data: whom a key is about, how people are found, who saw what, and what they consented to.

-- The random names of the people whose data stand under a key: one, or several where the data are of all of them together. They
-- stay when a key is destroyed, and lead nowhere then.
ALTER TABLE seal_keys ADD COLUMN about BLOB CHECK (length(about) % 16 = 0);

-- The keys of a person: an index over `seal_keys.about`.
CREATE TABLE seal_about (
    pseudonym BLOB NOT NULL CHECK (length(pseudonym) = 16),
    key_id    INTEGER NOT NULL REFERENCES seal_keys (key_id),
    PRIMARY KEY (pseudonym, key_id)
) STRICT, WITHOUT ROWID;

UPDATE seal_keys SET about = randomblob(16) WHERE owner_kind = 'subject';
INSERT INTO seal_about (pseudonym, key_id) SELECT about, key_id FROM seal_keys WHERE about IS NOT NULL;

-- What else people are known by: keyed hashes of CPF, phone and e-mail address, the same in every connection, each with the key of
-- the person as a connection names them.
CREATE TABLE identities (
    identity   BLOB NOT NULL CHECK (length(identity) = 16),
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    kind       TEXT NOT NULL CHECK (kind IN ('cpf', 'phone', 'email')),
    connection TEXT NOT NULL,
    clinic     TEXT,
    seen       INTEGER NOT NULL,
    PRIMARY KEY (identity, key_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX identities_key ON identities (key_id);

-- Who is erased must be found without reading everything. Journals and reports are found by their jobs.
CREATE INDEX event_parts_key ON event_parts (key_id);
CREATE INDEX records_key ON records (key_id);
CREATE INDEX jobs_key ON jobs (key_id);
CREATE INDEX jobs_event ON jobs (event_id);
CREATE INDEX job_history_key ON job_history (key_id);
CREATE INDEX messages_key ON messages (key_id);
CREATE INDEX documents_key ON documents (key_id);
CREATE INDEX state_key ON state (key_id);

-- What came of which action, `rule/action`: how long it is kept may depend on that, and its job may go first.
ALTER TABLE messages ADD COLUMN action TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN action TEXT NOT NULL DEFAULT '';
ALTER TABLE state ADD COLUMN action TEXT NOT NULL DEFAULT '';
UPDATE messages SET action = coalesce((SELECT rule || '/' || action FROM job_history h WHERE h.job_id = messages.job_id),
    (SELECT rule || '/' || action FROM jobs j WHERE j.job_id = messages.job_id), '');
UPDATE documents SET action = coalesce((SELECT rule || '/' || action FROM job_history h WHERE h.job_id = documents.job_id),
    (SELECT rule || '/' || action FROM jobs j WHERE j.job_id = documents.job_id), '');

-- What is old must be found without reading everything.
CREATE INDEX events_received ON events (received);
CREATE INDEX job_history_ended ON job_history (ended);
CREATE INDEX messages_at ON messages (at);
CREATE INDEX documents_at ON documents (at);
CREATE INDEX job_events_event ON job_events (event);

-- Whose data a job has beside those of its own key: one that collects events of several people stands under their clinic's. Of
-- whom it was `shown` a record only, nobody asks for a consent.
CREATE TABLE job_about (
    key_id INTEGER NOT NULL REFERENCES seal_keys (key_id),
    job_id BLOB NOT NULL CHECK (length(job_id) = 16),
    shown  INTEGER NOT NULL DEFAULT 0 CHECK (shown IN (0, 1)),
    PRIMARY KEY (key_id, job_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_about_job ON job_about (job_id);

-- The same of an event that such a job emitted.
CREATE TABLE event_about (
    key_id   INTEGER NOT NULL REFERENCES seal_keys (key_id),
    event_id BLOB NOT NULL CHECK (length(event_id) = 16),
    PRIMARY KEY (key_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_about_event ON event_about (event_id);

-- The same of a record that such a job wrote.
CREATE TABLE record_about (
    record BLOB NOT NULL CHECK (length(record) = 16),
    key_id INTEGER NOT NULL REFERENCES seal_keys (key_id),
    PRIMARY KEY (record, key_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX record_about_key ON record_about (key_id);

-- Whose data came into a value that an action keeps, beside who wrote it last: it goes with any of them.
CREATE TABLE state_about (
    slot   BLOB NOT NULL CHECK (length(slot) = 16),
    key_id INTEGER NOT NULL REFERENCES seal_keys (key_id),
    PRIMARY KEY (slot, key_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX state_about_key ON state_about (key_id);

-- The audit log. Each entry is chained to the one before it by `hash`: see zelo_core::audit. `about` holds pseudonyms, `detail` is a JSON
-- object without a value of anybody's. Rows are only ever added; the oldest go, behind a signed head.
CREATE TABLE audit_log (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    connection TEXT,
    clinic     TEXT,
    about      BLOB CHECK (length(about) % 16 = 0),
    actor      TEXT NOT NULL,
    job_id     BLOB CHECK (length(job_id) = 16),
    detail     TEXT NOT NULL,
    hash       BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX audit_log_about ON audit_log (about) WHERE about IS NOT NULL;

-- The entries that are about several people, by each of them: an index over `audit_log.about`.
CREATE TABLE audit_several (
    pseudonym BLOB NOT NULL CHECK (length(pseudonym) = 16),
    seq       INTEGER NOT NULL,
    PRIMARY KEY (pseudonym, seq)
) STRICT, WITHOUT ROWID;

-- The heads of the chain that were signed, and whether each was exported.
CREATE TABLE audit_heads (
    seq       INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    hash      BLOB NOT NULL CHECK (length(hash) = 32),
    key       BLOB NOT NULL CHECK (length(key) = 32),
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    exported  INTEGER NOT NULL DEFAULT 0 CHECK (exported IN (0, 1))
) STRICT;

CREATE INDEX audit_heads_unexported ON audit_heads (seq) WHERE exported = 0;

-- What was refused before there was a chain has no place in it; no version with this table was ever released.
DROP TABLE audit;

-- The last word on a consent. `who` is the keyed hash of a person or of what else they are known by, so that a withdrawal by one
-- phone holds for that phone wherever it is known from.
CREATE TABLE consents (
    who        BLOB NOT NULL CHECK (length(who) = 16),
    topic      TEXT NOT NULL,
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    connection TEXT NOT NULL,
    clinic     TEXT,
    given      INTEGER NOT NULL CHECK (given IN (0, 1)),
    at         INTEGER NOT NULL,
    event_id   BLOB CHECK (length(event_id) = 16),
    PRIMARY KEY (who, topic)
) STRICT, WITHOUT ROWID;

CREATE INDEX consents_key ON consents (key_id);

-- People whose data must not go: a lawsuit, an inspection. Why stands sealed.
CREATE TABLE holds (
    pseudonym BLOB PRIMARY KEY CHECK (length(pseudonym) = 16),
    key_id    INTEGER NOT NULL REFERENCES seal_keys (key_id),
    at        INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    sealed    BLOB NOT NULL
) STRICT, WITHOUT ROWID;
