-- The messages that show the current state of tickets, and their updates (router/store/post_updates.py).

-- fragment: ticket_state
-- What a post shows of a ticket `t` with its assignee `u` (router/dispatch/ticket_state.py).
{choices:t}, u.name AS assignee_name, u.email AS assignee_email

-- fragment: tag_names
-- The names of the tags of a ticket `t`, or NULL.
(SELECT group_concat(sorted.name, ', ') FROM (
    SELECT g.name FROM ticket_tags x JOIN tags g ON g.id = x.tag_id WHERE x.ticket_id = t.id ORDER BY g.name_key
) AS sorted) AS tag_names

-- name: post_to_update
-- The posts of a ticket at existing integrations.
SELECT p.ticket_id, p.integration_id, p.max_age, o.workspace_id, o.message_id, i.status AS integration_status
FROM posts p
JOIN deliveries o ON o.id = p.delivery_id
JOIN integrations i ON i.id = p.integration_id
WHERE p.ticket_id = :ticket_id;

-- name: post_queue_update
-- Queues the update of a post, or revives one that failed permanently. A pending update stays as it is.
INSERT INTO deliveries {values:Delivery}
ON CONFLICT (ticket_id, integration_id) WHERE event = 'updated' AND state <> 'delivered' DO UPDATE
SET state = 'pending', next_attempt_at = excluded.next_attempt_at, expires_at = excluded.expires_at,
    parked_at = excluded.parked_at, claims = 0, via = ''
WHERE deliveries.state = 'dead';

-- name: post_states
-- The current state of a ticket, which no other transaction changes before the end of this one.
SELECT t.id AS ticket_id, {ticket_state}, {tag_names} FROM tickets t LEFT JOIN users u ON u.id = t.assigned_to
WHERE t.id = :ticket_id;

-- name: post_insert
-- Makes a message the post of its ticket, instead of an earlier message that accepts no replies.
INSERT INTO posts {rows:ticket_id TEXT, integration_id TEXT, delivery_id TEXT, ref TEXT, rendered_hash TEXT,
                   max_age BIGINT}
ON CONFLICT (ticket_id, integration_id) DO UPDATE
SET delivery_id = excluded.delivery_id, ref = excluded.ref, rendered_hash = excluded.rendered_hash,
    max_age = excluded.max_age;

-- name: post_set_rendered
-- Stores what a post shows now.
UPDATE posts SET rendered_hash = :rendered_hash WHERE ticket_id = :ticket_id AND integration_id = :integration_id;

-- name: post_delete
-- Deletes a post whose message no longer exists.
DELETE FROM posts WHERE ticket_id = :ticket_id AND integration_id = :integration_id;

-- name: post_delete_by_integration
-- Deletes the posts of an integration that is being deleted.
DELETE FROM posts WHERE integration_id = :integration_id;

-- name: post_delete_update
-- Deletes an update that has nothing to send, with its attempts.
DELETE FROM deliveries WHERE id = :id AND event = 'updated' AND state = 'pending';
