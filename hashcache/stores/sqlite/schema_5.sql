-- Step 5. Who has signed in (ports/sessions.py), by the digest of a secret, in each environment; the record is JSON.
CREATE TABLE sessions (
    book   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    until  INTEGER NOT NULL,
    record BLOB    NOT NULL,
    PRIMARY KEY (book, name)
) WITHOUT ROWID;
