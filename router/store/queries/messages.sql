-- name: message_by_id
-- One message of a workspace.
SELECT {Message:m}
FROM messages m WHERE m.id = :id AND m.workspace_id = :workspace_id;

-- name: message_page_by_ticket
-- The latest messages of a ticket before an id, newest first. The subquery reads only the primary key.
SELECT {Message:m}
FROM messages m
WHERE m.id IN (
    SELECT message_id FROM (
        SELECT DISTINCT message_id FROM ticket_messages WHERE ticket_id = :ticket_id AND message_id < :before
        ORDER BY message_id DESC LIMIT :limit
    ) AS latest
)
ORDER BY m.id DESC;

-- name: message_bounce_events
-- What a bounce reported about the recipients of a reply.
SELECT at, type, detail FROM ticket_events
WHERE ticket_id = :ticket_id AND actor_type = 'mail' AND actor_id = :message_id AND type LIKE 'reply.%'
ORDER BY sequence LIMIT :limit;

-- name: message_recipients
-- The recipients of a message and their tickets.
SELECT {TicketMessage}
FROM ticket_messages WHERE message_id = :message_id ORDER BY ticket_id, recipient LIMIT :limit;

-- name: message_checks
-- The results of the sender checks of a message.
SELECT state, checked_at, rechecked, results, relay_results, spam, facts
FROM message_checks WHERE message_id = :message_id;

-- name: message_attempts
-- The attempts of all deliveries of a message except updates of posts, newest first.
SELECT {Attempt:a}, d.integration_id, d.ticket_id
FROM ticket_messages tm
JOIN deliveries d ON d.ticket_id = tm.ticket_id AND d.message_id = tm.message_id AND d.event <> 'updated'
JOIN attempts a ON a.delivery_id = d.id
WHERE tm.message_id = :message_id
GROUP BY {Attempt:a}, d.integration_id, d.ticket_id
ORDER BY a.started_at DESC, a.delivery_id, a.n LIMIT :limit;

-- name: message_deliveries
-- The deliveries of a message except updates of posts.
SELECT DISTINCT {Delivery:d}
FROM ticket_messages tm
JOIN deliveries d ON d.ticket_id = tm.ticket_id AND d.message_id = tm.message_id AND d.event <> 'updated'
WHERE tm.message_id = :message_id
ORDER BY d.id LIMIT :limit;

-- name: message_by_rfc_id
-- Messages with the given Message-ID (senders may reuse one), newest first. The condition `<> ''` matches the partial
-- index.
SELECT {Message:m}
FROM messages m
WHERE m.id IN (SELECT message_id FROM ticket_messages WHERE rfc_message_id = :rfc_message_id AND rfc_message_id <> '')
  AND m.workspace_id = :workspace_id
ORDER BY m.id DESC LIMIT :limit;

-- name: reachability_messages
-- Where the newest messages of all workspaces came from, newest first.
SELECT peer, protocol, rfc_message_id, received_by, received_at FROM messages
WHERE direction = 'inbound' ORDER BY id DESC LIMIT :limit;

-- name: reachability_own_messages
-- Where the first messages of the newest tickets of a workspace came from, newest first.
SELECT m.peer, m.protocol, m.rfc_message_id, m.received_by, m.received_at
FROM (SELECT id FROM tickets WHERE workspace_id = :workspace_id ORDER BY number DESC LIMIT :limit) AS newest
JOIN ticket_messages tm ON tm.ticket_id = newest.id AND tm.sequence = 1
JOIN messages m ON m.id = tm.message_id
ORDER BY m.id DESC;

-- name: reachability_is_relayed
-- 1 if every active domain of the workspace, of at least one, gets its mail from another relay, else 0.
SELECT CASE WHEN count(*) > 0 AND count(*) = sum(CASE WHEN mx_managed = 'upstream' THEN 1 ELSE 0 END)
       THEN 1 ELSE 0 END AS relayed
FROM domains WHERE workspace_id = :workspace_id AND status = 'active';
