-- Calls that were drawn to be judged, alarms of the watch, and small texts that something keeps under a key, each
-- changed by comparing its revision.

CREATE TABLE draws (
    seq       INTEGER PRIMARY KEY,
    batch     TEXT NOT NULL,
    record_id TEXT NOT NULL,
    call_id   TEXT NOT NULL,
    body      TEXT NOT NULL,
    UNIQUE (batch, record_id, call_id)
);
CREATE INDEX draws_by_record ON draws (record_id, seq);

CREATE TABLE alarms (
    seq      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    standing INTEGER NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX alarms_standing ON alarms (standing, seq);

CREATE TABLE states (
    key      TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    text     TEXT NOT NULL
);
