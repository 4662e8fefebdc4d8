-- SQLite's transactions are one at a time from their first moment; PostgreSQL has to be told what to hold.

-- name: erasure_messages
SELECT m.id FROM messages m
WHERE m.id IN (SELECT message_id FROM ticket_messages WHERE ticket_id = :ticket_id) ORDER BY m.id
FOR UPDATE;
