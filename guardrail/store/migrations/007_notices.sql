-- The outbox of notifications. "due" is when a message may be claimed: NULL for notices that follow another one (their
-- "message" is its id), and for those of which nothing is owed.

CREATE TABLE notices (
    seq      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    at       TEXT NOT NULL,
    channel  TEXT NOT NULL,
    state    TEXT NOT NULL,
    due      TEXT,
    message  TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX notices_by_due ON notices (channel, due, seq) WHERE due IS NOT NULL;
CREATE INDEX notices_by_message ON notices (message, seq) WHERE message <> '';
CREATE INDEX notices_by_state ON notices (channel, state, at);
