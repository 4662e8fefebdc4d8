-- SQLite's transactions are one at a time from their first moment; PostgreSQL has to be told what to hold. Tickets before
-- their messages, as where they are erased: so the two never wait for each other.

-- name: contents_hold_tickets
SELECT t.id FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id
WHERE tm.message_id = :message_id ORDER BY t.id
FOR KEY SHARE OF t;

-- name: contents_hold
SELECT id FROM messages WHERE id = :message_id
FOR KEY SHARE;
