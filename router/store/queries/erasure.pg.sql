-- PostgreSQL needs explicit row locks, and reads JSON with other functions.

-- name: erasure_messages
SELECT m.id FROM messages m
WHERE m.id IN (SELECT message_id FROM ticket_messages WHERE ticket_id = :ticket_id) ORDER BY m.id
FOR UPDATE;

-- name: erasure_uploads
DELETE FROM uploads
WHERE workspace_id = (SELECT workspace_id FROM tickets WHERE id = :ticket_id) AND (id, COALESCE(user_id, '')) IN (
    SELECT json_array_elements_text(CAST(own.content AS JSON) -> 'attachments'), COALESCE(own.user_id, '')
    FROM ({erasure_files}) own);

-- name: erasure_bounces
-- A bounce that is being read has a lock; its transaction then waits for the ticket, and erases it from the queue.
DELETE FROM bounce_queue WHERE message_id IN (
    SELECT q.message_id FROM bounce_queue q JOIN ticket_messages tm ON tm.message_id = q.message_id
    WHERE tm.ticket_id = :ticket_id AND q.ticket_id = :ticket_id
    FOR UPDATE OF q SKIP LOCKED);
