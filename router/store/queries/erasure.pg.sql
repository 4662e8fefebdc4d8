-- PostgreSQL needs explicit row locks.

-- name: erasure_messages
SELECT m.id FROM messages m
WHERE m.id IN (SELECT message_id FROM ticket_messages WHERE ticket_id = :ticket_id) ORDER BY m.id
FOR UPDATE;
