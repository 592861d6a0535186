-- An entry of the audit log is chained by the statement that changes what it tells of: "previous" is where the chain ended
-- before its last entry.

ALTER TABLE audit_heads ADD COLUMN previous text NOT NULL DEFAULT '';
