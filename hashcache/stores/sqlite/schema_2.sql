-- Step 2. Whoever made a file by step 1 may still be using it: tables are added, none is changed.

-- What processes tell each other (core/notice.py), for those who listen, and these, while they live (notices.py).
-- Numbers are never given twice. Instants of both are of the machine's monotonic clock.
CREATE TABLE notices (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    channel TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    origin  TEXT    NOT NULL,
    body    BLOB    NOT NULL
);
CREATE TABLE listeners (
    origin  TEXT    NOT NULL PRIMARY KEY,
    channel TEXT    NOT NULL,
    heard   INTEGER NOT NULL
) WITHOUT ROWID;

-- What else is in the ledger, each kept for a while: sums of minutes (counted from 1970), the last batch of each
-- process, how often keys were hit (16 bytes stand for each), and the processes that live (JSON).
CREATE TABLE minutes (
    book    TEXT    NOT NULL,
    minute  INTEGER NOT NULL,
    counter TEXT    NOT NULL,
    total   INTEGER NOT NULL,
    PRIMARY KEY (book, minute, counter)
);
CREATE INDEX minutes_by_age ON minutes (minute);
CREATE TABLE batches (
    book   TEXT    NOT NULL,
    sender TEXT    NOT NULL,
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (book, sender)
);
CREATE INDEX batches_by_age ON batches (at);
CREATE TABLE hits (
    book  TEXT    NOT NULL,
    key   BLOB    NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (book, key)
);
CREATE TABLE processes (
    book   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    until  INTEGER NOT NULL,
    record BLOB    NOT NULL,
    PRIMARY KEY (book, name)
) WITHOUT ROWID;
