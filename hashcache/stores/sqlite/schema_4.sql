-- Step 4. The outbox (ports/outbox.py) of each environment: letters as they are sealed (core/letter.py), in whose hands
-- each is and until when (due), and when its time is over.
CREATE TABLE outbox (
    name    TEXT    NOT NULL PRIMARY KEY,
    book    TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    holder  TEXT    NOT NULL,
    due     INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    sealed  BLOB    NOT NULL
) WITHOUT ROWID;
CREATE INDEX outbox_by_due ON outbox (book, due);
CREATE INDEX outbox_by_tenant ON outbox (book, tenant);
CREATE INDEX outbox_by_expiry ON outbox (expires);
