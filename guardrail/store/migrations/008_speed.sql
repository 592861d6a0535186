-- Pages of what somebody holds, and of what is due, come from the index alone, whatever else is asked for.

DROP INDEX reviews_by_claim;
CREATE INDEX reviews_by_claim ON reviews (tenant, claimed_by, state, tier, rank, at, seq, tool, requester, due)
    WHERE claimed_by IS NOT NULL;

DROP INDEX reviews_by_due;
CREATE INDEX reviews_by_due ON reviews (tenant, state, tier, due, rank, at) WHERE due IS NOT NULL;

-- What the log says about one subject.

CREATE INDEX audit_log_by_subject ON audit_log (tenant, subject, shard, number);
