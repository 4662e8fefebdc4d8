-- The messages that show the current state of tickets, and their updates (router/store/post_updates.py).

-- fragment: ticket_state
-- What a post shows of a ticket `t` with its assignee `u` (router/dispatch/ticket_state.py).
{choices:t}, t.spam, t.spam_reason, u.name AS assignee_name, u.email AS assignee_email

-- fragment: tag_names
-- The names of the tags of a ticket `t`, separated by line feeds, or NULL.
(SELECT group_concat(sorted.name, char(10)) FROM (
    SELECT g.name FROM ticket_tags x JOIN tags g ON g.id = x.tag_id WHERE x.ticket_id = t.id ORDER BY g.name_key
) AS sorted) AS tag_names

-- fragment: post_to_update
-- What an update needs of a post, and its tables.
p.ticket_id, p.integration_id, p.max_age, o.workspace_id, o.message_id, i.status AS integration_status
FROM posts p
JOIN deliveries o ON o.id = p.delivery_id
JOIN integrations i ON i.id = p.integration_id

-- name: post_to_update
-- The posts of the given tickets (JSON) at existing integrations. The order avoids deadlocks.
SELECT {post_to_update} WHERE p.ticket_id IN (SELECT value FROM json_each(:ids))
ORDER BY p.ticket_id, p.integration_id;

-- fragment: is_claimed
-- A queued update that is being sent.
deliveries.state = 'pending' AND deliveries.claims > 0

-- name: post_queue_update
-- Queues the update of a post. An update that waits for a retry, or that failed permanently, is due again; one that is
-- due keeps its time, so that frequent changes do not delay it. A claimed update stays claimed: its outcome is recorded
-- for the changed state.
INSERT INTO deliveries {rows:Delivery}
ON CONFLICT (ticket_id, integration_id) WHERE event = 'updated' AND state <> 'delivered' DO UPDATE
SET state = 'pending', expires_at = excluded.expires_at, via = '',
    next_attempt_at = CASE WHEN {is_claimed} THEN deliveries.next_attempt_at
                           WHEN deliveries.state = 'pending' AND deliveries.next_attempt_at < excluded.next_attempt_at
                           THEN deliveries.next_attempt_at ELSE excluded.next_attempt_at END,
    parked_at = CASE WHEN {is_claimed} THEN deliveries.parked_at ELSE excluded.parked_at END,
    claims = CASE WHEN {is_claimed} THEN 1 ELSE 0 END;

-- name: post_hasten_update
-- Makes the update of a post due that waits for a retry: a new message about the ticket can end the reason.
UPDATE deliveries SET next_attempt_at = :now
WHERE ticket_id = :ticket_id AND integration_id = :integration_id AND event = 'updated' AND state = 'pending'
  AND claims = 0 AND next_attempt_at > :now;

-- name: post_lock_tickets
-- Locks tickets until the end of the transaction: no other transaction changes what their posts show. Returns those
-- that another transaction has locked.
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND FALSE;

-- fragment: post_state_columns
-- What is read for the outcome of a delivery `d` of the ticket `t`, and the post `p` of the ticket at the integration.
-- `changed_at` is the time of the newest change, without the time for which its update was parked: the update expires
-- `max_age` after it.
d.id AS delivery_id, d.expires_at, p.rendered_hash, d.expires_at - COALESCE(p.max_age, 0) AS changed_at, {check_results}

-- fragment: post_state_tables
-- The tables of `post_state_columns`.
deliveries d
JOIN tickets t ON t.id = d.ticket_id
LEFT JOIN users u ON u.id = t.assigned_to
LEFT JOIN posts p ON p.ticket_id = d.ticket_id AND p.integration_id = d.integration_id
LEFT JOIN message_checks c ON c.message_id = d.message_id

-- name: post_states
-- The current state of the ticket of a delivery and its post. The transaction has locked the ticket and the integration
-- in earlier statements.
SELECT {post_state_columns}, {ticket_state}, {tag_names} FROM {post_state_tables} WHERE d.id = :delivery_id;

-- name: post_insert
-- Makes a message the post of its ticket, instead of an earlier message that accepts no replies.
INSERT INTO posts {rows:ticket_id TEXT, integration_id TEXT, delivery_id TEXT, ref TEXT, rendered_hash TEXT,
                   max_age BIGINT}
ON CONFLICT (ticket_id, integration_id) DO UPDATE
SET delivery_id = excluded.delivery_id, ref = excluded.ref, rendered_hash = excluded.rendered_hash,
    max_age = excluded.max_age;

-- name: post_set_rendered
-- Stores what a post shows now, or a value that is no hash if this is unknown.
UPDATE posts SET rendered_hash = :rendered_hash WHERE ticket_id = :ticket_id AND integration_id = :integration_id;

-- name: post_delete
-- Deletes a post whose message no longer exists.
DELETE FROM posts WHERE ticket_id = :ticket_id AND integration_id = :integration_id;

-- name: post_delete_by_integration
-- Deletes the first posts of an integration that is being deleted.
DELETE FROM posts WHERE integration_id = :integration_id AND ticket_id IN (
    SELECT ticket_id FROM posts WHERE integration_id = :integration_id LIMIT :limit);

-- name: post_delete_update
-- Deletes an update that has nothing to send, with its attempts.
DELETE FROM deliveries WHERE id = :id AND event = 'updated' AND state = 'pending';
