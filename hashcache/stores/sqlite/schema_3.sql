-- Step 3. The accounts (ports/accounts.py) of each environment; what the records hold tells stores/records.py.

-- What lies at a key (16 bytes stand for it): the attempt that is on record, or how often it was tried in vain; due
-- when nobody runs it any more, or when that does not count any longer.
CREATE TABLE attempts (
    book   TEXT    NOT NULL,
    key    BLOB    NOT NULL,
    due    INTEGER NOT NULL,
    record BLOB    NOT NULL,
    PRIMARY KEY (book, key)
) WITHOUT ROWID;

-- Attempts that were booked as unknown: settled later, they are booked anew.
CREATE TABLE lapsed (
    book   TEXT    NOT NULL,
    token  TEXT    NOT NULL,
    booked INTEGER NOT NULL,
    record BLOB    NOT NULL,
    PRIMARY KEY (book, token)
) WITHOUT ROWID;

-- The breakers of providers that are not as good as new.
CREATE TABLE circuits (
    book     TEXT NOT NULL,
    provider TEXT NOT NULL,
    record   BLOB NOT NULL,
    PRIMARY KEY (book, provider)
) WITHOUT ROWID;

-- What was drawn on each window of each budget, in micro-dollars, and when the window ends.
CREATE TABLE windows (
    book  TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    drawn INTEGER NOT NULL,
    ends  INTEGER NOT NULL,
    PRIMARY KEY (book, name)
) WITHOUT ROWID;

-- The books of money (core/spend.py): lines of days (counted from 1970), which are kept for 400 days, and of all days.
CREATE TABLE days (
    book  TEXT    NOT NULL,
    day   INTEGER NOT NULL,
    line  TEXT    NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (book, day, line)
) WITHOUT ROWID;
CREATE TABLE totals (
    book  TEXT    NOT NULL,
    line  TEXT    NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (book, line)
) WITHOUT ROWID;
