-- The checks of senders (router/checks). The queue is small: a row is deleted when its message is checked.

-- fragment: is_free
-- No process is checking the message. Times after `latest_plausible` come from a wrong clock.
(lease_until <= :now OR lease_until > :latest_plausible)

-- name: check_queue_due
-- The oldest queued messages that no process is checking: new ones, or those to be checked again.
SELECT message_id FROM check_queue WHERE recheck = :recheck AND {is_free} ORDER BY message_id LIMIT :limit;

-- name: check_queue_claim
-- Claims a queued message, unless another process has claimed it since.
UPDATE check_queue SET claims = claims + 1, lease_owner = :owner, lease_until = :until
WHERE message_id = :message_id AND {is_free}
RETURNING message_id, claims, recheck;

-- name: check_queue_delete
-- Deletes a message from the queue, unless another process has claimed it.
DELETE FROM check_queue WHERE message_id = :message_id AND lease_owner = :owner;

-- name: check_queue_return
-- Makes a claimed message available again, without counting the claim.
UPDATE check_queue SET claims = claims - 1, lease_owner = '', lease_until = :due_at
WHERE message_id = :message_id AND lease_owner = :owner;

-- name: check_queue_add
-- Queues another check of a message. Returns no row if one is queued already.
INSERT INTO check_queue (message_id, recheck) VALUES (:message_id, 1) ON CONFLICT (message_id) DO NOTHING RETURNING message_id;

-- name: check_queue_owners
-- The processes that are checking messages, including those whose time is over.
SELECT DISTINCT lease_owner FROM check_queue WHERE lease_owner <> '';

-- name: check_queue_release_owner
-- Makes the messages of a dead process available again.
UPDATE check_queue SET lease_owner = '', lease_until = 0 WHERE lease_owner = :owner;

-- name: check_messages
-- The given messages (JSON), with the first chunk of the raw message, and whether the domains of all its recipients receive
-- their mail through another host. The data of a message that was erased is NULL.
SELECT {Message:m}, r.data, (
    SELECT COALESCE(MIN(CASE WHEN d.mx_managed = 'upstream' THEN 1 ELSE 0 END), 0) FROM ticket_messages tm
    LEFT JOIN aliases a ON a.id = tm.alias_id
    LEFT JOIN domains d ON d.id = a.domain_id
    WHERE tm.message_id = m.id) AS is_upstream
FROM messages m
LEFT JOIN raw_chunks r ON r.message_id = m.id AND r.n = 0
WHERE m.id IN (SELECT value FROM json_each(:ids));

-- name: check_recipients
-- The recipients of the given messages (JSON).
SELECT DISTINCT message_id, recipient FROM ticket_messages
WHERE message_id IN (SELECT value FROM json_each(:ids)) ORDER BY message_id, recipient;

-- name: check_lock_tickets
-- The tickets of a message, locked, with the policies in effect for them, whether the message was checked before, and
-- whether the ticket was posted or is being posted.
SELECT tm.message_id, t.id AS ticket_id, tm.joined_by, t.spam, t.status, t.assigned_to, w.check_policy AS workspace_policy,
       t.workspace_id, m.from_address, m.automatic, m.received_at,
       COALESCE(a.check_policy, '{}') AS alias_policy, CASE WHEN c.message_id IS NULL THEN 0 ELSE 1 END AS is_checked,
       CASE WHEN EXISTS (
           SELECT 1 FROM deliveries d
           WHERE d.ticket_id = t.id AND (d.state = 'delivered' OR d.claims > 0) AND d.event <> 'updated'
             AND d.target = 'integration'
       ) THEN 1 ELSE 0 END AS is_posted
FROM (SELECT DISTINCT message_id, ticket_id, joined_by FROM ticket_messages WHERE message_id = :message_id) tm
JOIN tickets t ON t.id = tm.ticket_id
JOIN messages m ON m.id = tm.message_id
JOIN workspaces w ON w.id = t.workspace_id
LEFT JOIN aliases a ON a.id = t.alias_id
LEFT JOIN message_checks c ON c.message_id = tm.message_id;

-- name: check_store
-- Stores the results of a message, unless it was erased, or replaces them by those of a later check.
INSERT INTO message_checks (message_id, state, checked_at, rechecked, results, relay_results, spam, facts)
SELECT id, :state, :checked_at, :rechecked, :results, :relay_results, :spam, :facts
FROM messages WHERE id = :message_id
ON CONFLICT (message_id) DO UPDATE
SET state = excluded.state, checked_at = excluded.checked_at, rechecked = 1, results = excluded.results,
    relay_results = excluded.relay_results, spam = excluded.spam, facts = excluded.facts;

-- name: check_warn
-- Stores the warning about a message in a ticket.
UPDATE ticket_messages SET warning = :warning WHERE ticket_id = :ticket_id AND message_id = :message_id;

-- name: check_flag
-- Marks a ticket as one that contains a message with a warning.
UPDATE tickets SET flagged = 1, updated_at = :now WHERE id = :ticket_id AND flagged = 0;

-- name: check_free_deliveries
-- Makes the deliveries due that wait for the checks of a message. One that is being sent, or parked, keeps its time.
UPDATE deliveries
SET awaiting = NULL, next_attempt_at = CASE WHEN parked_at IS NULL AND claims = 0 THEN CAST(:now AS BIGINT)
                                       ELSE next_attempt_at END
WHERE ticket_id = :ticket_id AND message_id = :message_id AND state = 'pending' AND awaiting = 'checks'
RETURNING ticket_id, integration_id;
