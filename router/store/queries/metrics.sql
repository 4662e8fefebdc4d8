-- The metrics that are read from the database, each bounded by an index or a row limit
-- (emailrouter/metrics/database_metrics.py).

-- name: metrics_queue
-- The pending deliveries: scheduled, parked, and the age of the oldest. Reads one index only.
SELECT q.waiting, q.parked, d.created_at AS oldest_at
FROM (SELECT COUNT(next_attempt_at) AS waiting, COUNT(*) - COUNT(next_attempt_at) AS parked, MIN(id) AS oldest
      FROM deliveries WHERE state = 'pending') q
LEFT JOIN deliveries d ON d.id = q.oldest;

-- name: metrics_dead
-- Deliveries that failed permanently and were not replayed.
SELECT COUNT(*) AS dead FROM deliveries WHERE state = 'dead';

-- name: metrics_failing
-- Failing integrations.
SELECT COUNT(*) AS failing FROM integrations WHERE status = 'failing';
