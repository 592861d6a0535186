-- Everything that a store keeps, in a schema of its own. A body is the value's JSON in ASCII; the other columns serve
-- lists only, and hold texts in the form that guardrail.store.postgres_texts gives them: no NUL, no lone surrogate, and
-- short enough for an index. They compare byte by byte (COLLATE "C"), whatever language the server speaks.

CREATE TABLE records (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text COLLATE "C" NOT NULL UNIQUE,
    at        text COLLATE "C" NOT NULL,
    thread_id text COLLATE "C" NOT NULL,
    step_id   text COLLATE "C" NOT NULL,
    model     text COLLATE "C" NOT NULL,
    route     text COLLATE "C" NOT NULL,
    body      text NOT NULL
);
CREATE INDEX records_by_time ON records (at, seq);
CREATE INDEX records_by_thread ON records (thread_id, at, seq);

CREATE TABLE labels (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id text COLLATE "C" NOT NULL REFERENCES records (id),
    digest    text COLLATE "C" NOT NULL,
    body      text NOT NULL,
    UNIQUE (record_id, digest)
);

-- "wakes" is the next deadline of one that nobody has decided. "rank" is minus the priority: the least comes first, so
-- that one comparison of (rank, at, seq) goes on where a page ended.
CREATE TABLE reviews (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    at         text COLLATE "C" NOT NULL,
    thread_id  text COLLATE "C" NOT NULL,
    record_id  text COLLATE "C" NOT NULL,
    tenant     text COLLATE "C" NOT NULL,
    state      text COLLATE "C" NOT NULL,
    tier       text COLLATE "C" NOT NULL,
    tool       text COLLATE "C" NOT NULL,
    requester  text COLLATE "C" NOT NULL,
    claimed_by text COLLATE "C",
    due        text COLLATE "C",
    wakes      text COLLATE "C",
    rank       bigint NOT NULL,
    revision   bigint NOT NULL,
    body       text NOT NULL
);
CREATE INDEX reviews_by_time ON reviews (at, seq);
CREATE INDEX reviews_by_thread ON reviews (thread_id, at, seq);
CREATE INDEX reviews_by_record ON reviews (record_id, at, seq);
CREATE INDEX reviews_by_state ON reviews (state, at, seq);
-- What is filtered by besides stands in the indices, so that a page does not read rows that are not on it.
CREATE INDEX reviews_in_order ON reviews (tenant, state, tier, rank, at, seq) INCLUDE (due);
CREATE INDEX reviews_by_tool ON reviews (tenant, tool, state, tier, rank, at, seq) INCLUDE (due, requester);
CREATE INDEX reviews_by_requester ON reviews (tenant, requester, state, tier, rank, at, seq) INCLUDE (due, tool);
CREATE INDEX reviews_by_claim ON reviews (tenant, claimed_by, state, tier, rank, at, seq) WHERE claimed_by IS NOT NULL;
CREATE INDEX reviews_by_due ON reviews (tenant, state, due) WHERE due IS NOT NULL;
CREATE INDEX reviews_by_wake ON reviews (wakes, seq) WHERE wakes IS NOT NULL;

-- The ledger. Token counts are NULL where they are not known. Threads of any length are found by "thread_id", models are
-- told apart by the whole text.
CREATE TABLE spendings (
    seq               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at                text COLLATE "C" NOT NULL,
    thread_id         text COLLATE "C" NOT NULL,
    model             text COLLATE "C" NOT NULL,
    requests          bigint NOT NULL,
    prompt_tokens     bigint,
    completion_tokens bigint,
    seconds           double precision NOT NULL
);
CREATE INDEX spendings_by_time ON spendings (at);
CREATE INDEX spendings_by_thread ON spendings (thread_id, at);

CREATE TABLE draws (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch     text COLLATE "C" NOT NULL,
    record_id text COLLATE "C" NOT NULL,
    call_id   text COLLATE "C" NOT NULL,
    body      text NOT NULL,
    UNIQUE (batch, record_id, call_id)
);
CREATE INDEX draws_by_record ON draws (record_id, seq);

CREATE TABLE alarms (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       text COLLATE "C" NOT NULL UNIQUE,
    standing boolean NOT NULL,
    body     text NOT NULL
);
CREATE INDEX alarms_standing ON alarms (standing, seq);

CREATE TABLE states (
    key      text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    text     text NOT NULL
);

-- The audit log, and where each of its chains ends: whoever adds an entry has that row locked until the end of its
-- transaction, so that writers of one chain follow each other and those of other chains do not wait.
CREATE TABLE audit_log (
    tenant   text COLLATE "C" NOT NULL,
    shard    integer NOT NULL,
    number   bigint NOT NULL,
    at       text NOT NULL,
    by       text NOT NULL,
    what     text NOT NULL,
    subject  text NOT NULL,
    body     text NOT NULL,
    previous text NOT NULL,
    hash     text NOT NULL,
    PRIMARY KEY (tenant, shard, number)
);

CREATE TABLE audit_heads (
    tenant text COLLATE "C" NOT NULL,
    shard  integer NOT NULL,
    number bigint NOT NULL,
    hash   text NOT NULL,
    PRIMARY KEY (tenant, shard)
) WITH (fillfactor = 50);

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is never changed, and nothing is deleted from it';
END
$$;
CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
