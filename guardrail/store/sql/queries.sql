-- One query a name. "records", "reviews", "spent", "draws" and "alarms" take the conditions named after them, as many as are asked for.

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
INSERT INTO reviews (id, at, thread_id, record_id, state, revision, body)
VALUES (:id, :at, :thread_id, :record_id, :state, :revision, :body)
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
UPDATE reviews SET state = :state, revision = :revision, body = :body
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
