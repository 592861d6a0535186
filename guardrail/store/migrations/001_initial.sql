-- Records, the labels people attach to them, and reviews. A body is the value's JSON; the other columns
-- serve lists only. Rows are never deleted, so that seq grows with time and breaks ties of "at".
-- There is no foreign key from reviews to records: a call that nothing assessed is reviewed too.

CREATE TABLE records (
    seq       INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    at        TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    step_id   TEXT NOT NULL,
    model     TEXT NOT NULL,
    route     TEXT NOT NULL,
    body      TEXT NOT NULL
);
CREATE INDEX records_by_time ON records (at, seq);
CREATE INDEX records_by_thread ON records (thread_id, at, seq);

CREATE TABLE labels (
    seq       INTEGER PRIMARY KEY,
    record_id TEXT NOT NULL REFERENCES records (id),
    body      TEXT NOT NULL,
    UNIQUE (record_id, body)
);

CREATE TABLE reviews (
    seq       INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    at        TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    record_id TEXT NOT NULL,
    state     TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    body      TEXT NOT NULL
);
CREATE INDEX reviews_by_state ON reviews (state, at, seq);
CREATE INDEX reviews_by_thread ON reviews (thread_id, at, seq);
CREATE INDEX reviews_by_record ON reviews (record_id, at, seq);
