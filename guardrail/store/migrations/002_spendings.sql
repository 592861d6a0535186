-- The ledger: what the guard has spent, an entry for each answer it paid for. Token counts are NULL where they are
-- not known. Both indices hold everything that a sum takes, so that sums never touch the table.

CREATE TABLE spendings (
    seq               INTEGER PRIMARY KEY,
    at                TEXT NOT NULL,
    thread_id         TEXT NOT NULL,
    model             TEXT NOT NULL,
    requests          INTEGER NOT NULL,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    seconds           REAL NOT NULL
);
CREATE INDEX spendings_by_time ON spendings (at, model, requests, prompt_tokens, completion_tokens, seconds);
CREATE INDEX spendings_by_thread
    ON spendings (thread_id, at, model, requests, prompt_tokens, completion_tokens, seconds);
