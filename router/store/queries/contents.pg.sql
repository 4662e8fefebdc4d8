-- PostgreSQL needs explicit row locks. Tickets are locked before their messages, as in the erasure, to avoid deadlocks.
-- The two databases read JSON lists with different functions.

-- name: contents_unparsed
SELECT asked.id AS message_id FROM json_array_elements_text(CAST(:ids AS JSON)) AS asked (id)
WHERE NOT EXISTS (
    SELECT 1 FROM message_contents c WHERE c.message_id = asked.id AND c.parser >= CAST(:parser AS BIGINT)
);

-- name: contents_lock_tickets
SELECT t.id FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id
WHERE tm.message_id = :message_id ORDER BY t.id
FOR KEY SHARE OF t;

-- name: contents_lock_message
SELECT id FROM messages WHERE id = :message_id
FOR KEY SHARE;

-- name: parse_attempt_begin
INSERT INTO parse_attempts (message_id, owner, parser, started_at)
SELECT id, CAST(:owner AS TEXT), CAST(:parser AS BIGINT), CAST(:started_at AS BIGINT)
FROM messages WHERE id = :message_id
FOR KEY SHARE
ON CONFLICT (message_id) DO NOTHING;
