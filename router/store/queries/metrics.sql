-- The metrics that are read from the database. Each query reads a partial index or a small table. Updates of posts are
-- not counted.

-- name: metrics_queue
-- Counts the scheduled and the parked deliveries, with the creation time of the oldest pending one.
SELECT q.waiting, q.parked, d.created_at AS oldest_at
FROM (SELECT COUNT(next_attempt_at) AS waiting, COUNT(*) - COUNT(next_attempt_at) AS parked, MIN(id) AS oldest
      FROM deliveries WHERE state = 'pending' AND event <> 'updated') q
LEFT JOIN deliveries d ON d.id = q.oldest;

-- name: metrics_dead
-- The number of deliveries that failed permanently.
SELECT COUNT(*) AS dead FROM deliveries WHERE state = 'dead' AND event <> 'updated';

-- name: metrics_spam
-- The number of deliveries whose ticket is held as spam.
SELECT COUNT(*) AS spam FROM deliveries WHERE state = 'spam';

-- name: metrics_failing
-- The number of failing integrations.
SELECT COUNT(*) AS failing FROM integrations WHERE status = 'failing';

-- name: metrics_checks
-- The number of messages whose sender is not checked yet.
SELECT COUNT(*) AS unchecked FROM check_queue;
