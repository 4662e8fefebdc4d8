-- PostgreSQL needs explicit row locks. The two databases read JSON lists with different functions.

-- name: ticket_lock
SELECT id, workspace_id, number, alias_id, address, subject, from_address, from_name, status, assigned_to, claimed_at,
       resolved_at, received_at, updated_at
FROM tickets WHERE id = :id AND workspace_id = :workspace_id
FOR UPDATE;

-- name: ticket_recipients
SELECT ticket_id, message_id, recipient, alias_id, tag, joined_by, created_at
FROM ticket_messages
WHERE ticket_id = :ticket_id
  AND message_id IN (SELECT value FROM json_array_elements_text(CAST(:ids AS JSON)))
ORDER BY message_id DESC, recipient LIMIT :limit;

-- name: ticket_by_ids
SELECT id, workspace_id, number, alias_id, address, subject, from_address, from_name, status, assigned_to, claimed_at,
       resolved_at, received_at, updated_at
FROM tickets
WHERE id IN (SELECT value FROM json_array_elements_text(CAST(:ids AS JSON))) AND workspace_id = :workspace_id;
