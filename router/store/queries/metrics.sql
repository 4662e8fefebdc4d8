-- The metrics that are read from the database. Each query reads a partial index or a small table. Updates of posts are
-- not counted.

-- fragment: is_reply
-- Whether a delivery is a reply.
CASE WHEN target = 'smarthost' THEN 1 END

-- name: metrics_queue
-- Counts the scheduled and the parked deliveries, with the creation time of the oldest pending one. Replies are counted
-- apart.
SELECT q.waiting - q.waiting_replies AS waiting, q.parked - q.parked_replies AS parked, q.waiting_replies,
       q.parked_replies, d.created_at AS oldest_at
FROM (SELECT COUNT(next_attempt_at) AS waiting, COUNT(parked_at) AS parked,
             COUNT(CASE WHEN next_attempt_at IS NOT NULL THEN {is_reply} END) AS waiting_replies,
             COUNT(CASE WHEN parked_at IS NOT NULL THEN {is_reply} END) AS parked_replies, MIN(id) AS oldest
      FROM deliveries WHERE state = 'pending' AND event <> 'updated') q
LEFT JOIN deliveries d ON d.id = q.oldest;

-- name: metrics_dead
-- The number of deliveries that failed permanently. Replies are counted apart.
SELECT COUNT(*) - COUNT({is_reply}) AS dead, COUNT({is_reply}) AS dead_replies
FROM deliveries WHERE state = 'dead' AND event <> 'updated';

-- name: metrics_smarthosts
-- The number of failing smarthosts.
SELECT COUNT(*) AS failing_smarthosts FROM smarthosts WHERE status = 'failing';

-- name: metrics_spam
-- The number of deliveries whose ticket is held as spam.
SELECT COUNT(*) AS spam FROM deliveries WHERE state = 'spam';

-- name: metrics_failing
-- The number of failing integrations.
SELECT COUNT(*) AS failing FROM integrations WHERE status = 'failing';

-- name: metrics_checks
-- The number of messages whose sender is not checked yet.
SELECT COUNT(*) AS unchecked FROM check_queue;
