-- PostgreSQL needs explicit row locks. Tickets are locked before their messages, as in the erasure, to avoid deadlocks.
-- The two databases read JSON lists with different functions.

-- name: contents_unparsed
SELECT asked.id AS message_id FROM json_array_elements_text(CAST(:ids AS JSON)) AS asked (id)
WHERE NOT EXISTS (
    SELECT 1 FROM message_contents c WHERE c.message_id = asked.id AND c.parser >= CAST(:parser AS BIGINT)
);

-- name: contents_or_raw
SELECT m.id AS message_id, m.size, c.text, c.quoted, '' AS html, c.attachments, c.warnings, c.reply_to, c.original_from,
       c.failed_recipients, c.parser, r.data
FROM unnest(CAST(:message_id AS TEXT[]), CAST(:parser AS BIGINT[])) AS wanted (message_id, parser)
JOIN messages m ON m.id = wanted.message_id
LEFT JOIN message_contents c ON c.message_id = m.id
LEFT JOIN raw_chunks r ON r.message_id = m.id AND r.n = 0 AND (c.parser IS NULL OR c.parser < wanted.parser);

-- name: contents_lock
-- The condition on `locked` makes PostgreSQL lock the tickets first.
WITH locked AS MATERIALIZED (
    SELECT t.id FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id
    WHERE tm.message_id = ANY (CAST(:message_id AS TEXT[])) ORDER BY t.id
    FOR KEY SHARE OF t
)
SELECT m.id AS message_id FROM messages m
WHERE m.id = ANY (CAST(:message_id AS TEXT[])) AND (SELECT count(*) FROM locked) >= 0
ORDER BY m.id
FOR KEY SHARE OF m;

-- name: parse_attempt_begin
INSERT INTO parse_attempts (message_id, owner, parser, started_at)
SELECT m.id, begun.owner, begun.parser, begun.started_at
FROM unnest(CAST(:message_id AS TEXT[]), CAST(:owner AS TEXT[]), CAST(:parser AS BIGINT[]),
            CAST(:started_at AS BIGINT[])) AS begun (message_id, owner, parser, started_at)
JOIN messages m ON m.id = begun.message_id
ORDER BY m.id
FOR KEY SHARE OF m
ON CONFLICT (message_id) DO NOTHING
RETURNING message_id;
