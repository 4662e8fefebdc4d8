-- The states of smarthosts (router/replies/smarthosts.py).

-- name: smarthost_save
-- Inserts a smarthost, or resets it if `is_changed` or if its URL differs. Returns it if it was reset or inserted.
INSERT INTO smarthosts (id, url) VALUES (:id, :url)
ON CONFLICT (id) DO UPDATE
SET url = excluded.url, status = 'active', last_error = '', failing_since = NULL, probe_at = NULL, probe_interval = 0,
    rejects_token_sender = 0
WHERE smarthosts.url <> excluded.url OR :is_changed = 1
RETURNING id;

-- name: smarthost_insert_missing
-- Inserts a smarthost that has no row.
INSERT INTO smarthosts (id, url) VALUES (:id, :url) ON CONFLICT (id) DO NOTHING;

-- name: smarthost_delete
-- Deletes a smarthost.
DELETE FROM smarthosts WHERE id = :id;

-- name: smarthost_list
-- All smarthosts.
SELECT {Smarthost} FROM smarthosts ORDER BY id;

-- name: smarthost_probe_now
-- Makes a failing smarthost be probed at once.
UPDATE smarthosts SET probe_at = :now WHERE id = :id AND status = 'failing';

-- fragment: set_unparked
-- A parked delivery that is due now. Its expiry moves by the parked time.
next_attempt_at = :now, expires_at = expires_at + (CAST(:now AS BIGINT) - parked_at), parked_at = NULL, last_error = ''

-- name: smarthost_unpark
-- Makes up to `limit` parked deliveries of a smarthost due, the oldest first. COALESCE makes the outer query use the
-- primary key.
UPDATE deliveries SET {set_unparked}
WHERE COALESCE(state, '') = 'pending' AND parked_at IS NOT NULL AND id IN (
    SELECT d.id FROM deliveries d
    WHERE d.integration_id = :id AND d.state = 'pending' AND d.target = 'smarthost' AND d.parked_at IS NOT NULL
    ORDER BY d.id LIMIT :limit);

-- fragment: moved
-- Pending deliveries of the smarthost `from_id` that are not being sent. A `domain` other than '' limits them to its mail.
SELECT d.id FROM deliveries d JOIN messages m ON m.id = d.message_id
WHERE d.integration_id = :from_id AND d.state = 'pending' AND d.event <> 'updated' AND d.claims = 0
  AND (CAST(:domain AS TEXT) = '' OR lower(m.from_address) LIKE '%@' || CAST(:domain AS TEXT))

-- name: smarthost_move_parked
-- Moves parked deliveries to another smarthost; they are due now.
UPDATE deliveries SET integration_id = :to_id, {set_unparked}
WHERE COALESCE(state, '') = 'pending' AND parked_at IS NOT NULL AND claims = 0
  AND id IN ({moved} AND d.parked_at IS NOT NULL);

-- name: smarthost_move_waiting
-- Moves the other deliveries to another smarthost.
UPDATE deliveries SET integration_id = :to_id
WHERE COALESCE(state, '') = 'pending' AND parked_at IS NULL AND claims = 0 AND id IN ({moved} AND d.parked_at IS NULL);
