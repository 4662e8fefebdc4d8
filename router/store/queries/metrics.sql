-- The metrics that are read from the database (emailrouter/metrics/database_metrics.py). Each query counts the
-- rows of a partial index, or of the small table of integrations.

-- name: metrics_queue
-- The numbers of scheduled and of parked deliveries, and the creation time of the oldest of both. The subquery reads
-- one index only.
SELECT q.waiting, q.parked, d.created_at AS oldest_at
FROM (SELECT COUNT(next_attempt_at) AS waiting, COUNT(*) - COUNT(next_attempt_at) AS parked, MIN(id) AS oldest
      FROM deliveries WHERE state = 'pending') q
LEFT JOIN deliveries d ON d.id = q.oldest;

-- name: metrics_dead
-- The number of deliveries that failed permanently and were not replayed.
SELECT COUNT(*) AS dead FROM deliveries WHERE state = 'dead';

-- name: metrics_failing
-- The number of failing integrations.
SELECT COUNT(*) AS failing FROM integrations WHERE status = 'failing';
