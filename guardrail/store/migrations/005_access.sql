-- Accounts, sessions, tokens, one-time links. "expires" is when a row may be forgotten; '' for never.

CREATE TABLE access (
    kind     TEXT NOT NULL,
    id       TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    owner    TEXT NOT NULL,
    expires  TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX access_by_owner ON access (kind, tenant, owner, id);
CREATE INDEX access_by_expiry ON access (expires) WHERE expires <> '';
