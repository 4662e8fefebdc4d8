-- fragment: stored_checks
-- The stored checks of the messages `m`, and whether each waits for a check (`is_queued`).
SELECT m.id AS message_id, CASE WHEN q.message_id IS NULL THEN 0 ELSE 1 END AS is_queued,
       c.state, c.checked_at, c.rechecked, c.results, c.relay_results, c.spam, c.facts
FROM messages m
LEFT JOIN check_queue q ON q.message_id = m.id
LEFT JOIN message_checks c ON c.message_id = m.id

-- name: sender_checks_by_messages
-- The stored checks of the given messages (JSON).
{stored_checks} WHERE m.id IN (SELECT value FROM json_each(:ids));

-- name: sender_checks_has_original
-- Returns a row if the original of a message is stored.
SELECT r.message_id FROM raw_chunks r WHERE r.message_id = :message_id AND r.n = 0;

-- name: sender_checks_mark_old
-- Stores that an old message needs no first check.
INSERT INTO message_checks (message_id, state, checked_at, results) VALUES (:message_id, 'skipped', :now, '[]')
ON CONFLICT (message_id) DO NOTHING;

-- name: sender_checks_spam_tickets
-- The tickets of a message that are held as spam.
SELECT t.id AS ticket_id, t.spam_reason, t.spam_at FROM tickets t
WHERE t.id IN (SELECT tm.ticket_id FROM ticket_messages tm WHERE tm.message_id = :message_id) AND t.spam = 1
ORDER BY t.id;
