-- PostgreSQL needs explicit row locks. The two databases read JSON lists with different functions.

-- name: ticket_lock
SELECT {Ticket}
FROM tickets WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;

-- name: ticket_recipients
SELECT {TicketMessage}
FROM ticket_messages
WHERE ticket_id = :ticket_id
  AND message_id IN (SELECT value FROM json_array_elements_text(CAST(:ids AS JSON)))
ORDER BY message_id DESC, recipient LIMIT :limit;

-- name: ticket_by_ids
SELECT {Ticket}
FROM tickets
WHERE id IN (SELECT value FROM json_array_elements_text(CAST(:ids AS JSON))) AND workspace_id = :workspace_id;
