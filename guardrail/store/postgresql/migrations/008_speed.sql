-- An entry of the audit log is chained by the statement that changes what it tells of: "previous" is where the chain ended
-- before its last entry.

ALTER TABLE audit_heads ADD COLUMN previous text NOT NULL DEFAULT '';

-- Pages of what somebody holds, and of what is due, come from the index alone, whatever else is asked for.

DROP INDEX reviews_by_claim;
CREATE INDEX reviews_by_claim ON reviews (tenant, claimed_by, state, tier, rank, at, seq)
    INCLUDE (due, tool, requester) WHERE claimed_by IS NOT NULL;

DROP INDEX reviews_by_due;
CREATE INDEX reviews_by_due ON reviews (tenant, state, tier, due) INCLUDE (rank, at, seq) WHERE due IS NOT NULL;

-- What the log says about one subject, which may be too long for an index.

CREATE INDEX audit_log_by_subject ON audit_log (tenant, left(subject, 100), shard, number);
