-- One query a name. "records", "reviews", "find_reviews", "spent", "draws", "alarms" and "audit_entries" take the
-- conditions named after them, as many as are asked for.

-- name: add_record
INSERT INTO records (id, at, thread_id, step_id, model, route, body)
VALUES (:id, :at, :thread_id, :step_id, :model, :route, :body)
ON CONFLICT (id) DO NOTHING;

-- name: record_by_id
SELECT id, body FROM records WHERE id = :id;

-- name: record_by_prefix
SELECT id, body FROM records WHERE id >= :prefix AND id < :end ORDER BY id LIMIT 2;

-- name: records
SELECT id, body FROM records WHERE {conditions} ORDER BY at DESC, seq DESC LIMIT :limit;

-- name: records.thread_id
thread_id = :thread_id

-- name: records.before
(at, seq) < (SELECT at, seq FROM records WHERE id = :before)

-- name: add_label
INSERT INTO labels (record_id, body) VALUES (:record_id, :body)
ON CONFLICT (record_id, body) DO NOTHING;

-- name: labels
SELECT body FROM labels WHERE record_id = :record_id ORDER BY seq;

-- name: add_review
INSERT INTO reviews (
    id, at, thread_id, record_id, tenant, state, tier, tool, requester, claimed_by, due, wakes, rank, revision,
    body
) VALUES (
    :id, :at, :thread_id, :record_id, :tenant, :state, :tier, :tool, :requester, :claimed_by, :due, :wakes, :rank,
    :revision, :body
)
ON CONFLICT (id) DO NOTHING;

-- name: review_by_id
SELECT id, body FROM reviews WHERE id = :id;

-- name: review_by_prefix
SELECT id, body FROM reviews WHERE id >= :prefix AND id < :end ORDER BY id LIMIT 2;

-- name: reviews
SELECT id, body FROM reviews WHERE {conditions} ORDER BY at, seq LIMIT :limit;

-- name: reviews.states
state IN (SELECT value FROM json_each(:states))

-- name: reviews.thread_id
thread_id = :thread_id

-- name: reviews.record_id
record_id = :record_id

-- name: compare_and_set
UPDATE reviews SET
    state = :state, tier = :tier, tool = :tool, requester = :requester, claimed_by = :claimed_by, due = :due,
    wakes = :wakes, rank = :rank, revision = :revision, body = :body
WHERE id = :id AND revision = :revision - 1;

-- name: add_spending
INSERT INTO spendings (at, thread_id, model, requests, prompt_tokens, completion_tokens, seconds)
VALUES (:at, :thread_id, :model, :requests, :prompt_tokens, :completion_tokens, :seconds);

-- name: spent
SELECT
    model,
    sum(requests),
    CASE WHEN max(requests > 0 AND prompt_tokens IS NULL) = 0 THEN sum(prompt_tokens) END,
    CASE WHEN max(requests > 0 AND completion_tokens IS NULL) = 0 THEN sum(completion_tokens) END,
    sum(seconds)
FROM spendings WHERE {conditions} GROUP BY model;

-- name: spent.thread_id
thread_id = :thread_id

-- name: spent.since
at >= :since

-- name: labelled
SELECT seq, record_id, body FROM labels WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: add_draw
INSERT INTO draws (batch, record_id, call_id, body) VALUES (:batch, :record_id, :call_id, :body)
ON CONFLICT (batch, record_id, call_id) DO NOTHING;

-- name: draws
SELECT seq, body FROM draws WHERE {conditions} AND seq > :after ORDER BY seq LIMIT :limit;

-- name: draws.record_id
record_id = :record_id

-- name: raise_alarm
INSERT INTO alarms (id, standing, body) VALUES (:id, :standing, :body)
ON CONFLICT (id) DO NOTHING;

-- name: alarms
SELECT body FROM alarms WHERE {conditions} ORDER BY seq;

-- name: alarms.standing
standing = :standing

-- name: alarm_by_id
SELECT body FROM alarms WHERE id = :id;

-- name: clear_alarm
UPDATE alarms SET standing = 0, body = :body WHERE id = :id AND standing = 1;

-- name: state
SELECT revision, text FROM states WHERE key = :key;

-- name: first_state
INSERT INTO states (key, revision, text) VALUES (:key, 1, :text)
ON CONFLICT (key) DO NOTHING;

-- name: next_state
UPDATE states SET revision = revision + 1, text = :text WHERE key = :key AND revision = :revision;


-- name: review_before
SELECT body FROM reviews WHERE id = :id AND revision = :revision - 1;

-- name: find_reviews
SELECT reviews.id, reviews.body, found.rank, found.at, found.seq
FROM ({branches} ORDER BY rank, at, seq LIMIT :limit) AS found JOIN reviews ON reviews.seq = found.seq
ORDER BY found.rank, found.at, found.seq LIMIT :limit;

-- name: find_reviews.branch
SELECT rank, at, seq FROM reviews INDEXED BY {index} WHERE {conditions}

-- name: find_reviews.state
state = :state{state}

-- name: find_reviews.tier
tier = :tier{tier}

-- name: find_reviews.tenant
tenant = :tenant

-- name: find_reviews.states
state IN (SELECT value FROM json_each(:states))

-- name: find_reviews.tiers
tier IN (SELECT value FROM json_each(:tiers))

-- name: find_reviews.tool
tool = :tool

-- name: find_reviews.thread_id
thread_id = :thread_id

-- name: find_reviews.record_id
record_id = :record_id

-- name: find_reviews.requester
requester = :requester

-- name: find_reviews.claimed_by
claimed_by = :claimed_by

-- name: find_reviews.due_before
due < :due_before

-- name: find_reviews.after
(rank, at, seq) > (:rank, :at, :seq)

-- name: due_reviews
SELECT id, body FROM reviews INDEXED BY reviews_by_wakes WHERE wakes <= :before ORDER BY wakes, seq LIMIT :limit;

-- name: count_due
SELECT states.value, tiers.value, (
    SELECT count(*) FROM (
        SELECT 1 FROM reviews INDEXED BY reviews_by_due
        WHERE tenant = :tenant AND state = states.value AND tier = tiers.value AND due < :due_before LIMIT :few + 1
    )
) AS due
FROM json_each(:states) AS states, json_each(:tiers) AS tiers WHERE due <= :few;

-- name: audit_end
SELECT number, hash FROM audit_log WHERE tenant = :tenant AND shard = :shard ORDER BY number DESC LIMIT 1;

-- name: audit_add
INSERT INTO audit_log (tenant, shard, number, at, by, what, subject, body, previous, hash)
VALUES (:tenant, :shard, :number, :at, :by, :what, :subject, :body, :previous, :hash);

-- name: audit_entries
SELECT tenant, shard, number, at, by, what, subject, body, previous, hash FROM audit_log
WHERE {conditions} ORDER BY tenant, shard, number LIMIT :limit;

-- name: audit_entries.tenant
tenant = :tenant

-- name: audit_entries.shard
shard = :shard

-- name: audit_entries.subject
unlikely(subject = :subject)

-- name: audit_entries.after
number > :after

-- name: audit_tenants
SELECT tenant FROM audit_log UNION SELECT tenant FROM reviews;

-- name: kept_reviews
SELECT id, at, thread_id, record_id, tenant, state, tier, tool, requester, claimed_by, due, rank, revision, wakes,
    body
FROM reviews WHERE tenant = :tenant;

-- name: every_review
SELECT id, body FROM reviews;

-- name: correct_columns
UPDATE reviews SET
    tenant = :tenant, tool = :tool, requester = :requester, claimed_by = :claimed_by, due = :due, wakes = :wakes
WHERE id = :id;

-- name: kept_labels
SELECT record_id, body FROM labels ORDER BY seq;

-- name: kept_draws
SELECT batch, record_id, call_id, body FROM draws ORDER BY batch, seq;

-- name: kept_alarms
SELECT id, standing, body FROM alarms;

-- name: drawn_in_batch
SELECT body FROM draws WHERE batch = :batch ORDER BY seq;

-- name: change_mark
WITH RECURSIVE
    tenants (tenant) AS (
        SELECT min(tenant) FROM audit_log
        UNION ALL
        SELECT (SELECT min(tenant) FROM audit_log WHERE tenant > tenants.tenant) FROM tenants WHERE tenant IS NOT NULL
    ),
    shards (shard) AS (SELECT 0 UNION ALL SELECT shard + 1 FROM shards WHERE shard + 1 < :shards)
SELECT coalesce(sum((
    SELECT max(number) FROM audit_log WHERE audit_log.tenant = tenants.tenant AND audit_log.shard = shards.shard
)), 0) FROM tenants, shards;

-- name: prunable_reviews
SELECT seq, id, body FROM reviews
WHERE at < :before AND state IN ('done', 'expired', 'superseded') AND seq > :after
    AND seq < (SELECT max(seq) FROM reviews)
ORDER BY seq LIMIT :limit;

-- name: delete_review
DELETE FROM reviews WHERE seq = :seq;

-- name: prunable_records
SELECT seq, id FROM records
WHERE at < :before AND seq > :after AND seq < (SELECT max(seq) FROM records)
    AND NOT EXISTS (SELECT 1 FROM reviews WHERE reviews.record_id = records.id)
    AND NOT EXISTS (SELECT 1 FROM draws WHERE draws.record_id = records.id)
    AND NOT EXISTS (
        SELECT 1 FROM labels WHERE labels.record_id = records.id AND labels.seq = (SELECT max(seq) FROM labels)
    )
ORDER BY seq LIMIT :limit;

-- name: delete_labels
DELETE FROM labels WHERE record_id = :record_id;

-- name: delete_uses
DELETE FROM states WHERE key > 'ran/' || :record_id || '/' AND key < 'ran/' || :record_id || '0';

-- name: delete_record
DELETE FROM records WHERE id = :record_id;

-- name: count_records
SELECT count(*) FROM records;

-- name: count_labels
SELECT count(*) FROM labels;

-- name: count_reviews
SELECT count(*) FROM reviews;

-- name: count_draws
SELECT count(*) FROM draws;

-- name: count_alarms
SELECT count(*) FROM alarms;

-- name: count_states
SELECT count(*) FROM states;

-- name: count_spendings
SELECT count(*) FROM spendings;

-- name: count_audit_log
SELECT count(*) FROM audit_log;

-- name: add_notice
INSERT INTO notices (id, at, channel, state, due, message, revision, body)
VALUES (:id, :at, :channel, :state, :due, :message, :revision, :body)
ON CONFLICT (id) DO NOTHING;

-- name: first_notice
SELECT body FROM notices WHERE channel = :channel AND due <= :now ORDER BY due, seq LIMIT 1;

-- name: fresh_notices
SELECT body FROM notices WHERE channel = :channel AND due <= :now AND message = '' ORDER BY due, seq LIMIT :most;

-- name: message_notices
SELECT body FROM notices WHERE message = :message AND message <> '' AND state = 'owed' ORDER BY seq;

-- name: settle_notice
UPDATE notices SET state = :state, due = :due, message = :message, revision = :revision, body = :body
WHERE id = :id AND revision = :revision - 1;

-- name: notices
SELECT body FROM notices WHERE {conditions} ORDER BY seq LIMIT :limit;

-- name: notices.channel
channel = :channel

-- name: notices.state
state = :state

-- name: notices.after
seq > (SELECT seq FROM notices WHERE id = :after)

-- name: tally_notices
SELECT channel, state, count(*), min(at) FROM notices GROUP BY channel, state ORDER BY channel, state;

-- name: due_notices
SELECT count(*) FROM (
    SELECT 1 FROM notices WHERE channel = :channel AND due <= :now AND message = '' LIMIT :limit
);

-- name: forget_notices
DELETE FROM notices WHERE seq IN (SELECT seq FROM notices WHERE at < :before AND state <> 'owed' LIMIT :limit);

-- name: count_notices
SELECT count(*) FROM notices;

-- name: add_sealed
INSERT INTO sealed (review_id, slot, at, body) VALUES (:review_id, :slot, :at, :body)
ON CONFLICT (review_id, slot) DO NOTHING;

-- name: sealed
SELECT body FROM sealed WHERE review_id = :review_id ORDER BY slot;

-- name: delete_sealed
DELETE FROM sealed WHERE at < :before AND NOT EXISTS (SELECT 1 FROM reviews WHERE reviews.id = sealed.review_id);

-- name: count_sealed
SELECT count(*) FROM sealed;

-- name: access
SELECT kind, id, tenant, owner, expires, revision, body FROM access WHERE kind = :kind AND id = :id;

-- name: accesses
SELECT kind, id, tenant, owner, expires, revision, body FROM access WHERE {conditions} ORDER BY id LIMIT :limit;

-- name: accesses.kind
kind = :kind

-- name: accesses.tenant
tenant = :tenant

-- name: accesses.owner
owner = :owner

-- name: accesses.after
id > :after

-- name: first_access
INSERT INTO access (kind, id, tenant, owner, expires, revision, body)
VALUES (:kind, :id, :tenant, :owner, :expires, 1, :body) ON CONFLICT (kind, id) DO NOTHING;

-- name: next_access
UPDATE access SET tenant = :tenant, owner = :owner, expires = :expires, revision = :revision, body = :body
WHERE kind = :kind AND id = :id AND revision = :revision - 1;

-- name: forget_access
DELETE FROM access WHERE expires <> '' AND expires < :before;

-- name: drop_access
DELETE FROM access WHERE kind = :kind AND id = :id;

-- name: count_access
SELECT count(*) FROM access;
