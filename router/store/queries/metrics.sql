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
