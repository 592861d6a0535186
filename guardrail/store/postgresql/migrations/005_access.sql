-- Accounts, sessions, tokens, one-time links. "expires" is when a row may be forgotten; '' for never.

CREATE TABLE access (
    kind     text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    tenant   text COLLATE "C" NOT NULL,
    owner    text COLLATE "C" NOT NULL,
    expires  text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    body     text NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX access_by_owner ON access (kind, tenant, owner, id);
CREATE INDEX access_by_expiry ON access (expires) WHERE expires <> '';
