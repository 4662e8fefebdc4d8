-- The loss audit (router/admin/installation/loss_audit.py).

-- name: loss_audit_totals
-- Counts the newest received messages with their tickets and deliveries; an event is a message in a ticket. Without a loss,
-- accepted = events + repeated, and queued + duplicated = delivered + pending + dead + spam.
WITH newest AS (
    SELECT id, aliases, repeated FROM messages WHERE direction = 'inbound' ORDER BY id DESC LIMIT :max_examined
), events AS (
    SELECT tm.message_id, tm.ticket_id, MAX(tm.integration_id) AS integration_id
    FROM ticket_messages tm JOIN newest ON newest.id = tm.message_id GROUP BY tm.message_id, tm.ticket_id
)
SELECT (SELECT COUNT(*) FROM newest) AS messages,
       (SELECT CAST(COALESCE(SUM(aliases), 0) AS BIGINT) FROM newest) AS accepted,
       (SELECT CAST(COALESCE(SUM(repeated), 0) AS BIGINT) FROM newest) AS repeated,
       (SELECT COUNT(*) FROM events) AS events,
       (SELECT COUNT(*) FROM events WHERE integration_id IS NOT NULL) AS queued,
       COUNT(DISTINCT events.message_id) AS ticketed,
       COUNT(CASE WHEN d.state = 'delivered' THEN 1 END) AS delivered,
       COUNT(CASE WHEN d.state = 'pending' THEN 1 END) AS pending,
       COUNT(CASE WHEN d.state = 'dead' THEN 1 END) AS dead,
       COUNT(CASE WHEN d.state = 'spam' THEN 1 END) AS spam,
       COUNT(CASE WHEN d.id IS NULL AND events.integration_id IS NOT NULL THEN 1 END) AS undelivered,
       COUNT(*) - (SELECT COUNT(*) FROM events) AS duplicated
FROM events
LEFT JOIN deliveries d ON d.ticket_id = events.ticket_id AND d.message_id = events.message_id
    AND d.event IN ('opened', 'replied');

-- name: loss_audit_mismatched_messages
-- Messages with a wrong number of tickets, or without a delivery that they must have.
SELECT n.id FROM (SELECT id, aliases, repeated FROM messages ORDER BY id DESC LIMIT :max_examined) n
WHERE n.aliases - n.repeated <> (
        SELECT COUNT(DISTINCT tm.ticket_id) FROM ticket_messages tm WHERE tm.message_id = n.id)
   OR EXISTS (
        SELECT 1 FROM ticket_messages tm WHERE tm.message_id = n.id AND tm.integration_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM deliveries d
            WHERE d.ticket_id = tm.ticket_id AND d.message_id = tm.message_id AND d.event IN ('opened', 'replied')))
ORDER BY n.id LIMIT :limit;

-- name: loss_audit_damaged_messages
-- Messages with missing bytes, unless retention has begun to erase the message.
SELECT n.id FROM (SELECT id, size FROM messages ORDER BY id DESC LIMIT :max_examined) n
LEFT JOIN raw_chunks first ON first.message_id = n.id AND first.n = 0
WHERE (first.message_id IS NULL AND NOT EXISTS (SELECT 1 FROM message_contents c WHERE c.message_id = n.id))
   OR (first.message_id IS NOT NULL
       AND n.size <> (SELECT SUM(length(r.data)) FROM raw_chunks r WHERE r.message_id = n.id))
ORDER BY n.id LIMIT :limit;

-- fragment: is_stuck
-- No worker will send a pending post.
((d.next_attempt_at IS NULL AND d.parked_at IS NULL)
 OR NOT EXISTS (SELECT 1 FROM integrations i WHERE i.id = d.integration_id)) AND d.target <> 'smarthost'

-- name: loss_audit_stuck_deliveries
-- Pending deliveries that no worker will send. COALESCE keeps SQLite from reading the primary key for the order.
SELECT id FROM (
    SELECT d.id FROM deliveries d WHERE d.state = 'pending' AND d.event <> 'updated' AND {is_stuck}
    UNION ALL
    SELECT d.id FROM deliveries d WHERE d.state = 'pending' AND d.event = 'updated' AND {is_stuck}
    UNION ALL
    SELECT d.id FROM deliveries d WHERE d.state = 'pending' AND d.target = 'smarthost'
      AND ((d.next_attempt_at IS NULL AND d.parked_at IS NULL)
           OR NOT EXISTS (SELECT 1 FROM smarthosts s WHERE s.id = d.integration_id))
) AS stuck
ORDER BY COALESCE(id, '') LIMIT :limit;

-- name: loss_audit_mismatched_replies
-- The newest replies with a recipient whose state is not that of its delivery.
SELECT DISTINCT r.id
FROM (SELECT id FROM replies ORDER BY id DESC LIMIT :max_examined) r
JOIN reply_recipients rr ON rr.reply_id = r.id
LEFT JOIN deliveries d ON d.id = rr.delivery_id AND d.target = 'smarthost'
WHERE rr.state <> 'canceled' AND COALESCE(d.state, '') <> CASE
    WHEN rr.state IN ('queued', 'sending', 'retrying') THEN 'pending'
    WHEN rr.state = 'failed' THEN 'dead' ELSE 'delivered' END
ORDER BY r.id LIMIT :limit;

-- name: loss_audit_empty_tickets
-- Tickets without a message.
SELECT t.id FROM (SELECT id FROM tickets ORDER BY id DESC LIMIT :max_examined) t
WHERE NOT EXISTS (SELECT 1 FROM ticket_messages tm WHERE tm.ticket_id = t.id)
ORDER BY t.id LIMIT :limit;

-- name: loss_audit_repeats
-- The sum of the repeats of all stored fingerprints.
SELECT CAST(COALESCE(SUM(repeats), 0) AS BIGINT) AS repeats FROM fingerprints;
