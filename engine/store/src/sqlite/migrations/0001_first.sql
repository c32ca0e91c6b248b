-- The first schema.
--
-- Times are milliseconds since 1970 (UTC). Ids and keyed hashes are 16 bytes. What can identify or describe a person
-- stands in `sealed` columns only, under the key that `key_id` names; what is searched for stands as a keyed hash.
-- Every row names its connection and clinic, so that a clinic's rows can be found, shown to it alone, and deleted.

-- Facts about the store itself.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One data key per owner and purpose, wrapped by the key derived from the master key. Erasing empties `wrapped`.
CREATE TABLE seal_keys (
    key_id       INTEGER PRIMARY KEY,
    connection   TEXT NOT NULL,
    clinic       TEXT,
    owner_kind   TEXT NOT NULL CHECK (owner_kind IN ('subject', 'clinic', 'connection')),
    owner_hash   BLOB NOT NULL CHECK (length(owner_hash) = 16),
    purpose      TEXT NOT NULL,
    wrapped      BLOB,
    created_at   INTEGER NOT NULL,
    destroyed_at INTEGER,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
) STRICT;

-- The hash comes first, because that is what a batch of arrivals asks by.
CREATE UNIQUE INDEX seal_keys_owner ON seal_keys (owner_hash, purpose, owner_kind, connection);

-- What came in: everything about an event but its content.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    event_id    BLOB NOT NULL UNIQUE CHECK (length(event_id) = 16),
    delivery    BLOB NOT NULL UNIQUE CHECK (length(delivery) = 16),
    connection  TEXT NOT NULL,
    clinic      TEXT,
    source      TEXT NOT NULL,
    type        TEXT NOT NULL,
    entity      BLOB CHECK (length(entity) = 16),
    entity_type TEXT,
    time        INTEGER NOT NULL,
    received    INTEGER NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('accepted', 'stale', 'quarantined'))
) STRICT;

-- The content: `part_id` is 256 times the event's `seq`, plus the number of the part, so no index is needed to find it.
-- Part 0 is the payload as it came, with the provider's ids; further parts are for further subjects.
CREATE TABLE event_parts (
    part_id    INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    clinic     TEXT,
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    sealed     BLOB NOT NULL
) STRICT;

-- The newest time of each entity: what makes an event stale.
CREATE TABLE entities (
    entity     BLOB PRIMARY KEY CHECK (length(entity) = 16),
    connection TEXT NOT NULL,
    clinic     TEXT,
    kind       TEXT NOT NULL,
    newest     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is remembered about things. `written` rises with every write: last written first is its reverse.
CREATE TABLE records (
    written    INTEGER PRIMARY KEY,
    record     BLOB NOT NULL UNIQUE CHECK (length(record) = 16),
    connection TEXT NOT NULL,
    clinic     TEXT,
    kind       TEXT NOT NULL,
    time       INTEGER NOT NULL,
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    sealed     BLOB NOT NULL
) STRICT;

CREATE INDEX records_kind ON records (kind, written);

-- What is remembered under a job key. `done_anchor` counts only where `done` is 1, and may be null then too.
CREATE TABLE job_keys (
    job_key     BLOB PRIMARY KEY CHECK (length(job_key) = 16),
    connection  TEXT NOT NULL,
    clinic      TEXT,
    live        BLOB CHECK (length(live) = 16),
    newest      INTEGER NOT NULL,
    done        INTEGER NOT NULL CHECK (done IN (0, 1)),
    done_anchor INTEGER,
    CHECK (done = 1 OR done_anchor IS NULL)
) STRICT, WITHOUT ROWID;

-- Jobs that may still run, and nothing else: narrow and short-lived, so that claiming stays fast. `seq` is counted
-- over `jobs` and `job_history` together and is kept when a job moves there. `lookups`, `attention`, `reason` and
-- `cancel` are JSON without any value of an event.
CREATE TABLE jobs (
    seq           INTEGER PRIMARY KEY,
    job_id        BLOB NOT NULL UNIQUE CHECK (length(job_id) = 16),
    event_id      BLOB NOT NULL CHECK (length(event_id) = 16),
    key_id        INTEGER NOT NULL,
    connection    TEXT NOT NULL,
    clinic        TEXT,
    entity        BLOB CHECK (length(entity) = 16),
    automation    TEXT NOT NULL,
    rule          TEXT NOT NULL,
    action        TEXT NOT NULL,
    rule_digest   TEXT NOT NULL,
    job_key       BLOB CHECK (length(job_key) = 16),
    lookups       TEXT,
    anchor        INTEGER,
    reference     INTEGER NOT NULL,
    due           INTEGER NOT NULL,
    expires       INTEGER,
    run_at        INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('scheduled', 'ready', 'running')),
    attempt       INTEGER NOT NULL CHECK (attempt >= 0),
    lease         INTEGER NOT NULL CHECK (lease >= 0),
    lease_expires INTEGER,
    attention     TEXT,
    reason        TEXT,
    cancel        TEXT,
    again         INTEGER NOT NULL CHECK (again IN (0, 1)),
    CHECK ((state = 'running') = (lease_expires IS NOT NULL)),
    CHECK (state = 'running' OR (cancel IS NULL AND again = 0)),
    CHECK (state <> 'running' OR (lease > 0 AND attempt > 0))
) STRICT;

-- One index per question: what is to be claimed, what comes due, whose lease ran out, what needs a person.
CREATE INDEX jobs_ready ON jobs (run_at, job_id) WHERE state = 'ready';
CREATE INDEX jobs_scheduled ON jobs (run_at) WHERE state = 'scheduled';
CREATE INDEX jobs_leased ON jobs (lease_expires) WHERE state = 'running';
CREATE INDEX jobs_attention ON jobs (seq) WHERE attention IS NOT NULL;

-- Which live jobs read a record: those are looked at again when it changes. An index over `jobs.lookups`, so it names
-- no connection of its own; without a foreign key, since the check would need a second index.
CREATE TABLE job_lookups (
    record BLOB NOT NULL CHECK (length(record) = 16),
    job    INTEGER NOT NULL,
    PRIMARY KEY (record, job)
) STRICT, WITHOUT ROWID;

-- Jobs that ended.
CREATE TABLE job_history (
    seq         INTEGER PRIMARY KEY,
    job_id      BLOB NOT NULL UNIQUE CHECK (length(job_id) = 16),
    event_id    BLOB NOT NULL CHECK (length(event_id) = 16),
    key_id      INTEGER NOT NULL,
    connection  TEXT NOT NULL,
    clinic      TEXT,
    entity      BLOB CHECK (length(entity) = 16),
    automation  TEXT NOT NULL,
    rule        TEXT NOT NULL,
    action      TEXT NOT NULL,
    rule_digest TEXT NOT NULL,
    job_key     BLOB CHECK (length(job_key) = 16),
    lookups     TEXT,
    anchor      INTEGER,
    reference   INTEGER NOT NULL,
    due         INTEGER NOT NULL,
    expires     INTEGER,
    run_at      INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('done', 'dead', 'cancelled', 'skipped', 'unknown')),
    attempt     INTEGER NOT NULL,
    lease       INTEGER NOT NULL,
    attention   TEXT,
    reason      TEXT,
    cancel      TEXT,
    ended       INTEGER NOT NULL,
    summary     BLOB
) STRICT;

CREATE INDEX job_history_trouble ON job_history (state, seq) WHERE state IN ('dead', 'unknown');

-- What the attempts of a job asked for and got: entry 0 is the frozen invocation.
CREATE TABLE journal (
    entry_id   INTEGER PRIMARY KEY,
    job_id     BLOB NOT NULL CHECK (length(job_id) = 16),
    seq        INTEGER NOT NULL CHECK (seq >= 0),
    connection TEXT NOT NULL,
    clinic     TEXT,
    kind       TEXT NOT NULL,
    at         INTEGER NOT NULL,
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    sealed     BLOB NOT NULL,
    UNIQUE (job_id, seq)
) STRICT;

-- What plugins said in attempts that said something: summary, output and log lines, sealed.
CREATE TABLE attempts (
    attempt_id INTEGER PRIMARY KEY,
    job_id     BLOB NOT NULL CHECK (length(job_id) = 16),
    attempt    INTEGER NOT NULL CHECK (attempt >= 0),
    connection TEXT NOT NULL,
    clinic     TEXT,
    at         INTEGER NOT NULL,
    state      TEXT NOT NULL,
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    sealed     BLOB NOT NULL
) STRICT;

CREATE INDEX attempts_job ON attempts (job_id, attempt_id);

-- Messages in the outbox channels. One effect of one job is one message, ever.
CREATE TABLE messages (
    seq        INTEGER PRIMARY KEY,
    job_id     BLOB NOT NULL CHECK (length(job_id) = 16),
    effect     INTEGER NOT NULL CHECK (effect >= 0),
    connection TEXT NOT NULL,
    clinic     TEXT,
    channel    TEXT NOT NULL,
    recipient  BLOB NOT NULL CHECK (length(recipient) = 16),
    at         INTEGER NOT NULL,
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    sealed     BLOB NOT NULL,
    UNIQUE (job_id, effect)
) STRICT;

CREATE INDEX messages_recipient ON messages (recipient, at);

-- What plugins keep for themselves between runs.
CREATE TABLE state (
    state_id   INTEGER PRIMARY KEY,
    slot       BLOB NOT NULL UNIQUE CHECK (length(slot) = 16),
    connection TEXT NOT NULL,
    clinic     TEXT,
    updated    INTEGER NOT NULL,
    key_id     INTEGER NOT NULL REFERENCES seal_keys (key_id),
    sealed     BLOB NOT NULL
) STRICT;

-- Rules that were switched on.
CREATE TABLE automations (
    automation TEXT PRIMARY KEY,
    rule       TEXT NOT NULL,
    connection TEXT NOT NULL,
    clinic     TEXT,
    settings   TEXT NOT NULL,
    enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    origin     TEXT NOT NULL,
    changed    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What lets people and programs in: SHA-256 of the secrets only.
CREATE TABLE credentials (
    hash    BLOB PRIMARY KEY CHECK (length(hash) = 32),
    kind    TEXT NOT NULL CHECK (kind IN ('token', 'session', 'link')),
    role    TEXT NOT NULL,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER
) STRICT, WITHOUT ROWID;
