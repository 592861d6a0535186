-- The outbox of notifications. "due" is when a message may be claimed: NULL for notices that follow another one (their
-- "message" is its id), and for those of which nothing is owed.

CREATE TABLE notices (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       text COLLATE "C" NOT NULL UNIQUE,
    at       text COLLATE "C" NOT NULL,
    channel  text COLLATE "C" NOT NULL,
    state    text COLLATE "C" NOT NULL,
    due      text COLLATE "C",
    message  text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    body     text NOT NULL
);
CREATE INDEX notices_by_due ON notices (channel, due, seq) WHERE due IS NOT NULL;
CREATE INDEX notices_by_message ON notices (message, seq) WHERE message <> '';
CREATE INDEX notices_by_state ON notices (channel, state, at);
