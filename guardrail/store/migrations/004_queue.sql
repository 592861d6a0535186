-- What lists of reviews are filtered and ordered by, and the audit log. The log is append-only: its triggers refuse
-- everything but the next entry of a chain. "rank" is minus the priority: the least comes first, so that one comparison
-- of (rank, at, seq) goes on where a page ended. What JSON says is right, these columns only find it.

ALTER TABLE reviews ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN tier TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN tool TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN requester TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN claimed_by TEXT;
ALTER TABLE reviews ADD COLUMN due TEXT;
ALTER TABLE reviews ADD COLUMN wakes TEXT;
ALTER TABLE reviews ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;

UPDATE reviews SET
    tenant = coalesce(json_extract(body, '$.tenant'), ''),
    tier = coalesce(json_extract(body, '$.tier'), ''),
    tool = coalesce(json_extract(body, '$.call.name'), ''),
    requester = coalesce(json_extract(body, '$.requester'), ''),
    claimed_by = json_extract(body, '$.claim.by'),
    rank = -coalesce(json_extract(body, '$.priority'), 0)
WHERE json_valid(body);

CREATE INDEX reviews_in_order ON reviews (tenant, state, tier, rank, at, seq, due);
CREATE INDEX reviews_by_tool ON reviews (tenant, tool, state, tier, rank, at, seq, due);
CREATE INDEX reviews_by_requester ON reviews (tenant, requester, state, tier, rank, at, seq, due);
CREATE INDEX reviews_by_requester_and_tool ON reviews (tenant, requester, tool, state, tier, rank, at, seq, due);
CREATE INDEX reviews_by_claim ON reviews (tenant, claimed_by, state, tier, rank, at, seq, tool, due)
    WHERE claimed_by IS NOT NULL;
CREATE INDEX reviews_by_due ON reviews (tenant, state, due) WHERE due IS NOT NULL;
CREATE INDEX reviews_by_wakes ON reviews (wakes, seq) WHERE wakes IS NOT NULL;

CREATE TABLE audit_log (
    tenant   TEXT NOT NULL,
    shard    INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    at       TEXT NOT NULL,
    by       TEXT NOT NULL,
    what     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    body     TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL,
    PRIMARY KEY (tenant, shard, number)
) WITHOUT ROWID;

CREATE TRIGGER audit_log_next BEFORE INSERT ON audit_log
WHEN NEW.number <> 1 + coalesce(
    (SELECT max(number) FROM audit_log WHERE tenant = NEW.tenant AND shard = NEW.shard), 0
)
BEGIN
    SELECT RAISE(ABORT, 'the audit log takes only the next entry of a chain');
END;

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is never changed');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'nothing is deleted from the audit log');
END;
