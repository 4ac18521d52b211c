-- Step 1. A step that was released never changes: what is new goes into the next one.
-- Instants are milliseconds since 1970. Names are physical: one file may serve several environments.

-- Sealed entries (core/envelope.py). kind repeats what the envelope says, to count by it. expires: until when the
-- row is kept, which may be longer than the entry is fresh.
CREATE TABLE entries (
    name    TEXT    NOT NULL PRIMARY KEY,
    kind    TEXT    NOT NULL,
    expires INTEGER NOT NULL,
    sealed  BLOB    NOT NULL
);
CREATE INDEX entries_by_expiry ON entries (expires);
CREATE INDEX entries_by_kind ON entries (kind, name, expires);

-- Who may buy what, and until when.
CREATE TABLE claims (
    name  TEXT    NOT NULL PRIMARY KEY,
    token TEXT    NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX claims_by_end ON claims (until);

-- What forbids a purchase that was under way when its key was forgotten to be stored.
CREATE TABLE tombstones (
    name  TEXT    NOT NULL PRIMARY KEY,
    value TEXT    NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tombstones_by_end ON tombstones (until);

-- The books, which no invalidation touches: the barrier of each environment, and its counters.
CREATE TABLE barriers (
    name   TEXT NOT NULL PRIMARY KEY,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE counters (
    book    TEXT    NOT NULL,
    counter TEXT    NOT NULL,
    total   INTEGER NOT NULL,
    PRIMARY KEY (book, counter)
) WITHOUT ROWID;
