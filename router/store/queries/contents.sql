-- name: contents_of
-- What people read of a message, if a parser has been over it.
SELECT message_id, text, quoted, html, attachments, warnings, parser FROM message_contents WHERE message_id = :message_id;

-- name: contents_hold_tickets
-- The tickets of a message, none of which is erased before the transaction ends.
SELECT t.id FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id
WHERE tm.message_id = :message_id ORDER BY t.id;

-- name: contents_hold
-- A message that is not erased before the transaction ends.
SELECT id FROM messages WHERE id = :message_id;

-- name: contents_keep
-- Keeps what the parser made; two that parse at once write the same.
INSERT INTO message_contents (message_id, text, quoted, html, attachments, warnings, parser, parsed_at)
VALUES (:message_id, :text, :quoted, :html, :attachments, :warnings, :parser, :parsed_at)
ON CONFLICT (message_id) DO UPDATE
SET text = excluded.text, quoted = excluded.quoted, html = excluded.html, attachments = excluded.attachments,
    warnings = excluded.warnings, parser = excluded.parser, parsed_at = excluded.parsed_at;

-- name: contents_raw_chunk
-- One piece of the mail's octets.
SELECT data FROM raw_chunks WHERE message_id = :message_id AND n = :n;
