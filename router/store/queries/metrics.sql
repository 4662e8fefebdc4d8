-- What the metrics read of the database, each bounded by an index or by a number of rows (emailrouter/metrics/stored.py).

-- name: metrics_queue
-- What waits: deliveries that are due at some time, parked ones, and when the oldest was accepted. From one index.
SELECT q.waiting, q.parked, d.created_at AS oldest_at
FROM (SELECT COUNT(next_attempt_at) AS waiting, COUNT(*) - COUNT(next_attempt_at) AS parked, MIN(id) AS oldest
      FROM deliveries WHERE state = 'pending') q
LEFT JOIN deliveries d ON d.id = q.oldest;

-- name: metrics_dead
-- Deliveries that gave up and were not sent again.
SELECT COUNT(*) AS dead FROM deliveries WHERE state = 'dead';

-- name: metrics_failing
-- Integrations that cannot take anything until somebody mends them.
SELECT COUNT(*) AS failing FROM integrations WHERE status = 'failing';

-- name: metrics_audit
-- The newest messages held against what must have become of them: a ticket each, and a state for each ticket event.
WITH newest AS (
    SELECT id FROM messages ORDER BY id DESC LIMIT :most
), events AS (
    SELECT DISTINCT tm.ticket_id, tm.message_id FROM ticket_messages tm JOIN newest ON newest.id = tm.message_id
)
SELECT (SELECT COUNT(*) FROM newest) AS messages,
       COUNT(DISTINCT events.message_id) AS ticketed,
       COUNT(*) AS events,
       COUNT(CASE WHEN d.state = 'delivered' THEN 1 END) AS delivered,
       COUNT(CASE WHEN d.state = 'pending' THEN 1 END) AS pending,
       COUNT(CASE WHEN d.state = 'dead' THEN 1 END) AS dead
FROM events
LEFT JOIN deliveries d ON d.ticket_id = events.ticket_id AND d.message_id = events.message_id;
