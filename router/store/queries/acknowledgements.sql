-- Acknowledgements of new tickets (router/dispatch/acknowledgements.py).

-- name: acknowledgement_due
-- The queued tickets whose messages are checked, oldest first, and those that have waited too long. CROSS JOIN keeps
-- SQLite from reading all tickets.
SELECT q.ticket_id, q.message_id, q.queued_at, t.workspace_id
FROM acknowledgement_queue q CROSS JOIN tickets t
WHERE t.id = q.ticket_id AND (CAST(:has_checks AS BIGINT) = 0 OR q.queued_at < :overdue
   OR EXISTS (SELECT 1 FROM message_checks c WHERE c.message_id = q.message_id))
ORDER BY q.queued_at, q.ticket_id LIMIT :limit;

-- name: acknowledgement_facts
-- What decides about an acknowledgement, beside the ticket, its message and the alias.
SELECT EXISTS (SELECT 1 FROM replies r WHERE r.ticket_id = :ticket_id) AS is_answered,
       EXISTS (SELECT 1 FROM ticket_messages tm
               WHERE tm.ticket_id = :ticket_id AND tm.message_id = :message_id AND tm.warning <> '') AS has_warning;

-- name: acknowledgement_checks
-- The results of the checks of a message.
SELECT state, checked_at, rechecked, results, relay_results, spam, facts
FROM message_checks WHERE message_id = :message_id;

-- name: acknowledgement_domain
-- An active domain of the installation.
SELECT id FROM domains WHERE name = :name AND status = 'active' LIMIT 1;

-- name: acknowledgement_count
-- The acknowledgements of a workspace since a time, up to :limit.
SELECT count(*) AS acknowledgements FROM (
    SELECT 1 FROM acknowledgements WHERE workspace_id = :workspace_id AND sent_at > :since LIMIT :limit) AS counted;

-- name: acknowledgement_record
-- Records an acknowledgement, unless the sender got one since a time.
INSERT INTO acknowledgements (workspace_id, address_key, sent_at) VALUES (:workspace_id, :address_key, :now)
ON CONFLICT (workspace_id, address_key) DO UPDATE SET sent_at = excluded.sent_at
WHERE acknowledgements.sent_at <= :since;

-- name: acknowledgement_dequeue
-- Removes a ticket from the queue.
DELETE FROM acknowledgement_queue WHERE ticket_id = :ticket_id;
