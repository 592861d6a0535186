-- One query a name. "records", "reviews", "find_reviews", "spent", "draws", "alarms" and "audit_entries" take the
-- conditions named after them, as many as are asked for.

-- name: begin_moment
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: not_synced
SET LOCAL synchronous_commit = off;

-- name: in_turn
SELECT pg_advisory_xact_lock(%(room)s, %(what)s);

-- name: add_record
INSERT INTO records (id, at, thread_id, step_id, model, route, body)
VALUES (%(id)s, %(at)s, %(thread_id)s, %(step_id)s, %(model)s, %(route)s, %(body)s)
ON CONFLICT (id) DO NOTHING;

-- name: record
SELECT id, body, ARRAY(SELECT body FROM labels WHERE record_id = records.id ORDER BY seq) FROM records
WHERE id >= %(id)s AND id <= %(end)s ORDER BY id LIMIT 2;

-- name: records
SELECT id, body, ARRAY(SELECT body FROM labels WHERE record_id = records.id ORDER BY seq) FROM records
WHERE {conditions} ORDER BY at DESC, seq DESC LIMIT %(limit)s;

-- name: records.thread_id
thread_id = %(thread_id)s

-- name: records.before
(at, seq) < (SELECT at, seq FROM records WHERE id = %(before)s)

-- name: add_label
INSERT INTO labels (record_id, digest, body) VALUES (%(record_id)s, %(digest)s, %(body)s)
ON CONFLICT (record_id, digest) DO NOTHING;

-- name: labels
SELECT record_id, body FROM labels WHERE record_id = ANY(%(ids)s) ORDER BY seq;

-- name: add_review
WITH changed AS (
    INSERT INTO reviews (
        id, at, thread_id, record_id, tenant, state, tier, tool, requester, claimed_by, due, wakes, rank, revision, body
    ) VALUES (
        %(id)s, %(at)s, %(thread_id)s, %(record_id)s, %(tenant)s, %(state)s, %(tier)s, %(tool)s, %(requester)s,
        %(claimed_by)s, %(due)s, %(wakes)s, %(rank)s, %(revision)s, %(body)s
    )
    ON CONFLICT (id) DO NOTHING RETURNING seq
)
{logged};

-- name: review
SELECT id, body FROM reviews WHERE id >= %(id)s AND id <= %(end)s ORDER BY id LIMIT 2;

-- name: reviews
SELECT id, body FROM reviews WHERE {conditions} ORDER BY at, seq LIMIT %(limit)s;

-- name: reviews.states
state = ANY(%(states)s)

-- name: reviews.thread_id
thread_id = %(thread_id)s

-- name: reviews.record_id
record_id = %(record_id)s

-- name: review_before
SELECT body FROM reviews WHERE id = %(id)s AND revision = %(revision)s - 1;

-- name: compare_and_set
WITH changed AS (
    UPDATE reviews SET
        state = %(state)s, tier = %(tier)s, tool = %(tool)s, requester = %(requester)s, claimed_by = %(claimed_by)s,
        due = %(due)s, wakes = %(wakes)s, rank = %(rank)s, revision = %(revision)s, body = %(body)s
    WHERE id = %(id)s AND revision = %(revision)s - 1 RETURNING seq
)
{logged};

-- name: find_reviews
SELECT reviews.id, reviews.body, found.rank, found.at, found.seq
FROM ({branches}) AS found JOIN reviews ON reviews.seq = found.seq
ORDER BY found.rank, found.at, found.seq LIMIT %(limit)s;

-- name: find_reviews.branch
(SELECT rank, at, seq FROM reviews WHERE {conditions} ORDER BY rank, at, seq LIMIT %(limit)s)

-- name: find_reviews.few_branch
(SELECT rank, at, seq FROM (SELECT * FROM reviews WHERE {conditions} OFFSET 0) AS few ORDER BY rank, at, seq LIMIT %(limit)s)

-- name: find_reviews.state
state = %(state{state})s

-- name: find_reviews.tier
tier = %(tier{tier})s

-- name: find_reviews.tenant
tenant = %(tenant)s

-- name: find_reviews.states
state = ANY(%(states)s)

-- name: find_reviews.tiers
tier = ANY(%(tiers)s)

-- name: find_reviews.tool
tool = %(tool)s

-- name: find_reviews.thread_id
thread_id = %(thread_id)s

-- name: find_reviews.record_id
record_id = %(record_id)s

-- name: find_reviews.requester
requester = %(requester)s

-- name: find_reviews.claimed_by
claimed_by = %(claimed_by)s

-- name: find_reviews.due_before
due < %(due_before)s

-- name: find_reviews.after
(rank, at, seq) > (%(rank)s, %(at)s, %(seq)s)

-- name: count_due
SELECT states.state, tiers.tier, few.due
FROM unnest(%(states)s::text[]) AS states (state), unnest(%(tiers)s::text[]) AS tiers (tier), LATERAL (
    SELECT count(*) AS due FROM (
        SELECT 1 FROM reviews
        WHERE reviews.tenant = %(tenant)s AND reviews.state = states.state AND reviews.tier = tiers.tier
            AND reviews.due < %(due_before)s
        LIMIT %(few)s + 1
    ) AS found
) AS few
WHERE few.due <= %(few)s;

-- name: due_reviews
SELECT id, body FROM reviews WHERE wakes <= %(before)s ORDER BY wakes, seq LIMIT %(limit)s;

-- name: add_spending
INSERT INTO spendings (at, thread_id, model, requests, prompt_tokens, completion_tokens, seconds)
VALUES (
    %(at)s, %(thread_id)s, %(model)s, %(requests)s, %(prompt_tokens)s, %(completion_tokens)s, %(seconds)s
);

-- name: spent
SELECT
    model,
    sum(requests)::bigint,
    (CASE WHEN NOT bool_or(requests > 0 AND prompt_tokens IS NULL) THEN sum(prompt_tokens) END)::bigint,
    (CASE WHEN NOT bool_or(requests > 0 AND completion_tokens IS NULL) THEN sum(completion_tokens) END)::bigint,
    sum(seconds)
FROM spendings WHERE {conditions} GROUP BY model;

-- name: spent.thread_id
thread_id = %(thread_id)s

-- name: spent.since
at >= %(since)s

-- name: labelled
SELECT labels.seq, records.id, labels.body FROM labels JOIN records ON records.id = labels.record_id
WHERE labels.seq > %(after)s ORDER BY labels.seq LIMIT %(limit)s;

-- name: add_draw
INSERT INTO draws (batch, record_id, call_id, body) VALUES (%(batch)s, %(record_id)s, %(call_id)s, %(body)s)
ON CONFLICT (batch, record_id, call_id) DO NOTHING;

-- name: draws
SELECT seq, body FROM draws WHERE {conditions} AND seq > %(after)s ORDER BY seq LIMIT %(limit)s;

-- name: draws.record_id
record_id = %(record_id)s

-- name: drawn_in_batch
SELECT body FROM draws WHERE batch = %(batch)s ORDER BY seq;

-- name: raise_alarm
INSERT INTO alarms (id, standing, body) VALUES (%(id)s, %(standing)s, %(body)s)
ON CONFLICT (id) DO NOTHING;

-- name: alarms
SELECT body FROM alarms WHERE {conditions} ORDER BY seq;

-- name: alarms.standing
standing = %(standing)s

-- name: alarm_to_clear
SELECT body FROM alarms WHERE id = %(id)s FOR UPDATE;

-- name: clear_alarm
UPDATE alarms SET standing = false, body = %(body)s WHERE id = %(id)s;

-- name: state
SELECT revision, text FROM states WHERE key = %(key)s;

-- name: first_state
INSERT INTO states (key, revision, text) VALUES (%(key)s, 1, %(text)s)
ON CONFLICT (key) DO NOTHING;

-- name: next_state
UPDATE states SET revision = revision + 1, text = %(text)s WHERE key = %(key)s AND revision = %(revision)s;

-- name: audit_end
SELECT number, hash FROM audit_heads WHERE tenant = %(tenant)s AND shard = %(shard)s FOR UPDATE;

-- name: audit_append
WITH changed AS (SELECT 1)
{logged};

-- name: logged
-- An entry, if something changed. Its number and hash follow from where its chain ends, whose row stays locked from here
-- to the end of the transaction; guardrail.audit.unnumbered gives the rest of what is hashed.
, ended AS (
    INSERT INTO audit_heads AS ends (tenant, shard, number, hash)
    SELECT
        %(log_tenant)s, %(log_shard)s, 1,
        encode(sha256(%(log_start)s::bytea || '1'::bytea || %(log_middle)s::bytea || %(log_ends)s::bytea), 'hex')
    FROM changed
    ON CONFLICT (tenant, shard) DO UPDATE SET
        number = ends.number + 1, previous = ends.hash,
        hash = encode(sha256(
            %(log_start)s::bytea || convert_to((ends.number + 1)::text, 'UTF8')
            || %(log_middle)s::bytea || convert_to(ends.hash, 'UTF8') || %(log_ends)s::bytea
        ), 'hex')
    RETURNING number, previous, hash
)
INSERT INTO audit_log (tenant, shard, number, at, by, what, subject, body, previous, hash)
SELECT
    %(log_tenant)s, %(log_shard)s, number, %(log_at)s, %(log_by)s, %(log_what)s, %(log_subject)s, %(log_body)s,
    previous, hash
FROM ended RETURNING number, previous, hash

-- name: audit_begin
INSERT INTO audit_heads (tenant, shard, number, hash) VALUES (%(tenant)s, %(shard)s, 0, '')
ON CONFLICT (tenant, shard) DO NOTHING;

-- name: audit_add
WITH moved AS (
    UPDATE audit_heads SET number = %(number)s, hash = %(hash)s
    WHERE tenant = %(tenant)s AND shard = %(shard)s AND number = %(number)s - 1
)
INSERT INTO audit_log (tenant, shard, number, at, by, what, subject, body, previous, hash)
VALUES (
    %(tenant)s, %(shard)s, %(number)s, %(at)s, %(by)s, %(what)s, %(subject)s, %(body)s, %(previous)s, %(hash)s
);

-- name: audit_heads
SELECT shard, number, hash FROM audit_heads WHERE tenant = %(tenant)s AND number > 0 ORDER BY shard;

-- name: audit_entries
SELECT tenant, shard, number, at, by, what, subject, body, previous, hash FROM audit_log
WHERE {conditions} ORDER BY tenant, shard, number LIMIT %(limit)s;

-- name: audit_entries.tenant
tenant = %(tenant)s

-- name: audit_entries.shard
shard = %(shard)s

-- name: audit_entries.subject
left(subject, 100) = left(%(subject)s, 100) AND subject = %(subject)s

-- name: audit_entries.after
number > %(after)s

-- name: audit_tenants
SELECT DISTINCT tenant FROM audit_heads WHERE number > 0 UNION SELECT DISTINCT tenant FROM reviews;

-- name: change_mark
SELECT coalesce(sum(number), 0)::bigint FROM audit_heads;

-- name: kept_reviews
SELECT
    id, at, thread_id, record_id, tenant, state, tier, tool, requester, claimed_by, due, rank, revision, wakes, body
FROM reviews WHERE tenant = %(tenant)s;

-- name: kept_labels
SELECT record_id, body FROM labels ORDER BY seq;

-- name: kept_draws
SELECT batch, record_id, call_id, body FROM draws ORDER BY batch, seq;

-- name: kept_alarms
SELECT id, standing, body FROM alarms;

-- name: prunable_reviews
SELECT seq, id, body FROM reviews
WHERE at < %(before)s AND state IN ('done', 'expired', 'superseded') AND seq > %(after)s
    AND seq < (SELECT max(seq) FROM reviews)
ORDER BY seq LIMIT %(limit)s FOR UPDATE;

-- name: delete_review
DELETE FROM reviews WHERE seq = %(seq)s;

-- name: prunable_records
SELECT seq, id FROM records
WHERE at < %(before)s AND seq > %(after)s AND seq < (SELECT max(seq) FROM records)
    AND NOT EXISTS (SELECT 1 FROM reviews WHERE reviews.record_id = records.id)
    AND NOT EXISTS (SELECT 1 FROM draws WHERE draws.record_id = records.id)
    AND NOT EXISTS (
        SELECT 1 FROM labels WHERE labels.record_id = records.id AND labels.seq = (SELECT max(seq) FROM labels)
    )
ORDER BY seq LIMIT %(limit)s;

-- name: delete_labels
DELETE FROM labels WHERE record_id = ANY(%(ids)s);

-- name: delete_uses
DELETE FROM states USING unnest(%(ids)s::text[]) AS gone (id)
WHERE key > 'ran/' || gone.id || '/' AND key < 'ran/' || gone.id || '0';

-- name: delete_records
DELETE FROM records WHERE id = ANY(%(ids)s);

-- name: add_notice
INSERT INTO notices (id, at, channel, state, due, message, revision, body)
VALUES (
    %(id)s, %(at)s, %(channel)s, %(state)s, %(due)s, %(message)s, %(revision)s, %(body)s
)
ON CONFLICT (id) DO NOTHING;

-- name: first_notice
SELECT body FROM notices WHERE channel = %(channel)s AND due <= %(now)s ORDER BY due, seq LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: fresh_notices
SELECT body FROM notices WHERE channel = %(channel)s AND due <= %(now)s AND message = ''
ORDER BY due, seq LIMIT %(most)s FOR UPDATE SKIP LOCKED;

-- name: message_notices
SELECT body FROM notices WHERE message = %(message)s AND message <> '' AND state = 'owed' ORDER BY seq FOR UPDATE;

-- name: settle_notice
UPDATE notices SET
    state = %(state)s, due = %(due)s, message = %(message)s, revision = %(revision)s, body = %(body)s
WHERE id = %(id)s AND revision = %(revision)s - 1;

-- name: notices
SELECT body FROM notices WHERE {conditions} ORDER BY seq LIMIT %(limit)s;

-- name: notices.channel
channel = %(channel)s

-- name: notices.state
state = %(state)s

-- name: notices.after
seq > (SELECT seq FROM notices WHERE id = %(after)s)

-- name: tally_notices
SELECT channel, state, count(*), min(at) FROM notices GROUP BY channel, state ORDER BY channel, state;

-- name: due_notices
SELECT count(*) FROM (
    SELECT 1 FROM notices WHERE channel = %(channel)s AND due <= %(now)s AND message = '' LIMIT %(limit)s
) AS due;

-- name: forget_notices
DELETE FROM notices
WHERE seq IN (SELECT seq FROM notices WHERE at < %(before)s AND state <> 'owed' LIMIT %(limit)s FOR UPDATE SKIP LOCKED);

-- name: add_sealed
INSERT INTO sealed (review_id, slot, at, body) VALUES (%(review_id)s, %(slot)s, %(at)s, %(body)s)
ON CONFLICT (review_id, slot) DO NOTHING;

-- name: sealed
SELECT body FROM sealed WHERE review_id = %(review_id)s ORDER BY slot;

-- name: delete_sealed
DELETE FROM sealed WHERE at < %(before)s
    AND NOT EXISTS (SELECT 1 FROM reviews WHERE reviews.id = sealed.review_id);


-- name: access
SELECT kind, id, tenant, owner, expires, revision, body FROM access WHERE kind = %(kind)s AND id = %(id)s;

-- name: accesses
SELECT kind, id, tenant, owner, expires, revision, body FROM access WHERE {conditions} ORDER BY id LIMIT %(limit)s;

-- name: accesses.kind
kind = %(kind)s

-- name: accesses.tenant
tenant = %(tenant)s

-- name: accesses.owner
owner = %(owner)s

-- name: accesses.after
id > %(after)s

-- name: first_access
INSERT INTO access (kind, id, tenant, owner, expires, revision, body)
VALUES (%(kind)s, %(id)s, %(tenant)s, %(owner)s, %(expires)s, 1, %(body)s) ON CONFLICT (kind, id) DO NOTHING;

-- name: next_access
UPDATE access SET tenant = %(tenant)s, owner = %(owner)s, expires = %(expires)s, revision = %(revision)s, body = %(body)s
WHERE kind = %(kind)s AND id = %(id)s AND revision = %(revision)s - 1;

-- name: forget_access
DELETE FROM access WHERE expires <> '' AND expires < %(before)s;

-- name: drop_access
DELETE FROM access WHERE kind = %(kind)s AND id = %(id)s;
