-- The events of replies, and what follows from them (router/replies/events.py). Each statement is executed for one row
-- after the other, in the order of the tickets, so that transactions do not deadlock.

-- name: reply_event_reserve
-- Reserves the sequences of events of a ticket; locks it until the commit.
UPDATE tickets SET last_sequence = last_sequence + :wanted WHERE id = :ticket_id
RETURNING id AS ticket_id, workspace_id, last_sequence;

-- name: reply_event_lock_ticket
-- The status of a ticket, locked until the commit.
SELECT id AS ticket_id, status FROM tickets WHERE id = :ticket_id;

-- name: reply_event_reopen
-- Reopens a ticket, and unassigns it if the assignee was deleted. The oldest unanswered message stays unanswered.
UPDATE tickets SET status = 'open', resolved_at = NULL, updated_at = :now, assigned_to = {known_assignee},
                   claimed_at = CASE WHEN {known_assignee} IS NOT NULL THEN claimed_at END
WHERE id = :ticket_id AND status <> 'open';

-- name: reply_event_integration
-- The integration that is told of the replies of a ticket: that of its alias, or the default one at a catch-all.
SELECT t.id AS ticket_id, t.workspace_id, i.id AS integration_id, i.status
FROM tickets t
JOIN workspaces w ON w.id = t.workspace_id
LEFT JOIN aliases a ON a.id = t.alias_id
JOIN integrations i ON i.id = CASE WHEN t.alias_id IS NULL THEN w.default_integration_id ELSE a.integration_id END
WHERE t.id = :ticket_id;

-- name: reply_event_insert_post
-- Queues a post about a reply.
INSERT INTO deliveries {rows:Delivery};
