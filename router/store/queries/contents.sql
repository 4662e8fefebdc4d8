-- name: contents_by_message
-- The parsed contents of a message.
SELECT message_id, text, quoted, html, attachments, warnings, reply_to, original_from, failed_recipients, parser
FROM message_contents WHERE message_id = :message_id;

-- name: contents_or_raw
-- The parsed contents of a message without their HTML, its size, and the first chunk of its raw data unless the contents
-- are of this parser version or a newer one. The columns of missing contents are NULL.
SELECT m.id AS message_id, m.size, c.text, c.quoted, '' AS html, c.attachments, c.warnings, c.reply_to, c.original_from,
       c.failed_recipients, c.parser, r.data
FROM messages m
LEFT JOIN message_contents c ON c.message_id = m.id
LEFT JOIN raw_chunks r ON r.message_id = m.id AND r.n = 0 AND (c.parser IS NULL OR c.parser < :parser)
WHERE m.id = :message_id;

-- name: contents_unparsed
-- Of the given messages (JSON), those that neither this parser version nor a newer one has parsed.
SELECT value AS message_id FROM json_each(:ids)
WHERE NOT EXISTS (SELECT 1 FROM message_contents c WHERE c.message_id = value AND c.parser >= :parser);

-- name: contents_lock
-- A message, locked against erasure together with its tickets.
SELECT id AS message_id FROM messages WHERE id = :message_id;

-- name: contents_upsert
-- Stores the parsed contents of a message, or replaces them.
INSERT INTO message_contents (message_id, text, quoted, html, attachments, warnings, reply_to, original_from,
                              failed_recipients, snippet, files, parser, parsed_at)
VALUES (:message_id, :text, :quoted, :html, :attachments, :warnings, :reply_to, :original_from,
        :failed_recipients, :snippet, :files, :parser, :parsed_at)
ON CONFLICT (message_id) DO UPDATE
SET text = excluded.text, quoted = excluded.quoted, html = excluded.html, attachments = excluded.attachments,
    warnings = excluded.warnings, reply_to = excluded.reply_to, original_from = excluded.original_from,
    failed_recipients = excluded.failed_recipients, snippet = excluded.snippet, files = excluded.files,
    parser = excluded.parser, parsed_at = excluded.parsed_at;

-- name: contents_raw_chunk
-- A chunk of the raw message, and the size of the whole message.
SELECT r.data, m.size FROM raw_chunks r JOIN messages m ON m.id = r.message_id
WHERE r.message_id = :message_id AND r.n = :n;

-- name: parse_attempt_begin
-- Inserts the parse attempt of a message, unless the message already has one.
INSERT INTO parse_attempts (message_id, owner, parser, started_at)
SELECT id, :owner, :parser, :started_at FROM messages WHERE id = :message_id
ON CONFLICT (message_id) DO NOTHING
RETURNING message_id;

-- name: parse_attempt_by_message
-- The parse attempt of a message.
SELECT message_id, owner, parser, started_at FROM parse_attempts WHERE message_id = :message_id;

-- name: parse_attempt_take_over
-- Makes this process the owner of a message's parse attempt.
UPDATE parse_attempts SET owner = :owner, parser = :parser, started_at = :started_at WHERE message_id = :message_id;

-- name: parse_attempt_withdraw
-- Deletes an attempt of this process that failed for a reason unrelated to the message.
DELETE FROM parse_attempts WHERE message_id = :message_id AND owner = :owner;

-- name: parse_attempt_end
-- Deletes the parse attempt of a message, in the transaction that stores the contents.
DELETE FROM parse_attempts WHERE message_id = :message_id;
