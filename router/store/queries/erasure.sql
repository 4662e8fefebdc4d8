-- Erases a ticket (router/store/erasure.py).

-- name: erasure_messages
-- The messages of a ticket, locked: if two tickets with a common message are erased concurrently, the second
-- transaction erases the message.
SELECT m.id FROM messages m
WHERE m.id IN (SELECT message_id FROM ticket_messages WHERE ticket_id = :ticket_id) ORDER BY m.id;

-- name: erasure_preview
-- What the erasure of a ticket erases, and the number of its messages that also belong to another ticket.
SELECT (SELECT count(*) FROM ticket_events e WHERE e.ticket_id = :ticket_id AND e.type = 'ticket.note_added')
     - (SELECT count(*) FROM ticket_events e WHERE e.ticket_id = :ticket_id AND e.type = 'ticket.note_removed') AS notes,
       (SELECT count(*) FROM deliveries d WHERE d.ticket_id = :ticket_id) AS deliveries,
       count(CASE WHEN own.is_shared = 0 THEN 1 END) AS messages,
       count(CASE WHEN own.is_shared = 1 THEN 1 END) AS kept_messages,
       COALESCE(sum(CASE WHEN own.is_shared = 0 THEN own.size END), 0) AS size
FROM (
    SELECT m.size, CASE WHEN EXISTS (
        SELECT 1 FROM ticket_messages o WHERE o.message_id = m.id AND o.ticket_id <> :ticket_id) THEN 1 ELSE 0
    END AS is_shared
    FROM messages m WHERE m.id IN (SELECT message_id FROM ticket_messages WHERE ticket_id = :ticket_id)
) AS own;

-- fragment: erasure_files
-- The files of the drafts and the queued replies of a ticket, with their users.
SELECT r.user_id, r.draft AS content FROM replies r WHERE r.ticket_id = :ticket_id AND r.state = 'queued'
UNION ALL
SELECT d.user_id, '{"attachments": ' || d.attachments || '}' FROM drafts d WHERE d.ticket_id = :ticket_id

-- name: erasure_uploads
-- Erases the files that were uploaded for replies to a ticket that are not sent yet.
DELETE FROM uploads
WHERE workspace_id = (SELECT workspace_id FROM tickets WHERE id = :ticket_id) AND (id, COALESCE(user_id, '')) IN (
    SELECT file.value, COALESCE(own.user_id, '')
    FROM ({erasure_files}) own, json_each(own.content, '$.attachments') file);

-- name: erasure_bounces
-- Erases the bounces of a ticket that are still to be read.
DELETE FROM bounce_queue WHERE ticket_id = :ticket_id AND message_id IN (
    SELECT tm.message_id FROM ticket_messages tm WHERE tm.ticket_id = :ticket_id);

-- name: erasure_ticket
-- Erases a ticket with the rows that refer to it by a foreign key. The foreign keys delete deliveries before their
-- attempts, the order in which the outbox locks them.
DELETE FROM tickets WHERE id = :ticket_id;

-- name: erasure_message
-- Erases a message, unless another ticket also contains it.
DELETE FROM messages
WHERE id = :message_id AND NOT EXISTS (SELECT 1 FROM ticket_messages WHERE message_id = :message_id);

-- name: erasure_decrement_aliases
-- Decrements the number of aliases of a message that another ticket still contains.
UPDATE messages SET aliases = aliases - 1 WHERE id = :message_id;
