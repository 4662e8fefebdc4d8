-- PostgreSQL needs explicit row locks. The two databases read JSON lists with different functions.

-- name: ticket_lock
SELECT {Ticket}
FROM tickets WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;

-- name: ticket_lock_by_ids
SELECT {Ticket}
FROM tickets WHERE id = ANY ({listed_ids}) AND workspace_id = :workspace_id ORDER BY id
FOR UPDATE;

-- name: ticket_event_by_ids
SELECT {TicketEvent}, '' AS actor_name
FROM ticket_events WHERE id = ANY ({listed_ids}) AND workspace_id = :workspace_id;

-- name: ticket_recipients
SELECT {TicketMessage}
FROM ticket_messages
WHERE ticket_id = :ticket_id
  AND message_id = ANY ({listed_ids})
ORDER BY message_id DESC, recipient LIMIT :limit;

-- name: ticket_by_ids
SELECT {Ticket}
FROM tickets
WHERE id = ANY ({listed_ids}) AND workspace_id = :workspace_id;

-- name: ticket_next_sequence
UPDATE tickets SET last_sequence = last_sequence + 1
WHERE id = ANY ({listed_ids})
RETURNING id, last_sequence;
