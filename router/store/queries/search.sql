-- What tickets are found by (router/contents/store.py writes it, router/search/find.py asks).

-- name: search_lock
-- One transaction at a time adds to what tickets are found by: it reads what is there first. SQLite's are that anyway.
SELECT 1 AS turn;

-- name: search_tickets_by_message
-- The tickets of a message with what they are found by so far, and what the message's header adds.
SELECT DISTINCT t.id AS ticket_id, t.workspace_id, t.number, t.alias_id, m.from_name, m.from_address,
       m.subject, COALESCE(s.words, '') AS words
FROM ticket_messages tm
JOIN tickets t ON t.id = tm.ticket_id
JOIN messages m ON m.id = tm.message_id
LEFT JOIN ticket_search s ON s.ticket_id = t.id
WHERE tm.message_id = :message_id
ORDER BY t.id;

-- name: search_upsert
-- What a ticket is found by now. Where its place is taken by one of the same moment, it gets the next that is free.
INSERT INTO ticket_search (ticket_id, workspace_id, place, words)
VALUES (
    :ticket_id, :workspace_id,
    COALESCE(
        (SELECT taken.place + 1 FROM ticket_search taken
         WHERE taken.place >= :place AND EXISTS (SELECT 1 FROM ticket_search WHERE place = :place)
           AND NOT EXISTS (SELECT 1 FROM ticket_search following WHERE following.place = taken.place + 1)
         ORDER BY taken.place LIMIT 1),
        :place),
    :words)
ON CONFLICT (ticket_id) DO UPDATE SET words = excluded.words;

-- name: search_range
-- Of the tickets that have the words of a question and their place in a stretch of places, those that a list is narrowed
-- to, newest first. Each row, and there is at least one, says how many have the words; where that is more than `max_hits`
-- there are no tickets in the answer. An alias is one of the words; what the words do not say is looked up in the tickets
-- themselves. FTS5 writes operators its own way; words are letters, digits and `_`.
WITH hits AS MATERIALIZED (
    SELECT s.ticket_id
    FROM ticket_words w
    CROSS JOIN ticket_search s ON s.place = w.rowid
    WHERE w.ticket_words MATCH replace(replace(replace(replace(
            json_extract(:criteria, '$.scope') || ' & ' || json_extract(:criteria, '$.index'),
            '''', '"'), ' & ', ' AND '), ' | ', ' OR '), ':*', '*')
      AND w.rowid >= :since AND w.rowid < :until
      AND NOT EXISTS (
        SELECT 1 FROM json_each(:criteria, '$.further') AS part
        WHERE NOT EXISTS (
            SELECT 1 FROM json_each(part.value) AS needle WHERE instr(' ' || s.words || ' ', needle.value) > 0
        )
      )
    LIMIT :max_hits + 1
), counted AS MATERIALIZED (
    SELECT count(*) AS hits FROM hits
)
SELECT counted.hits, page.*
FROM counted LEFT JOIN (
    SELECT t.id, t.workspace_id, t.number, t.alias_id, t.address, t.subject, t.from_address, t.from_name, t.status,
           t.assigned_to, t.claimed_at, t.resolved_at, t.received_at, t.updated_at
    FROM (
        SELECT ticket_id FROM hits WHERE ticket_id < :before ORDER BY ticket_id DESC
        LIMIT CASE WHEN :status IS NULL AND :assigned_to IS NULL THEN :limit ELSE :max_hits END
    ) AS those CROSS JOIN tickets t ON t.id = those.ticket_id
    WHERE (SELECT hits FROM counted) <= :max_hits AND t.workspace_id = :workspace_id
      AND (:status IS NULL OR t.status = :status)
      AND (:assigned_to IS NULL OR t.assigned_to = :assigned_to)
      AND (:alias_id IS NULL OR t.alias_id = :alias_id)
    ORDER BY t.id DESC LIMIT :limit
) AS page ON TRUE
ORDER BY page.id DESC;

-- name: search_match_tickets
-- Which of these tickets have the whole words of a question, and which the begun one: looked for in their words
-- themselves, one ticket after another.
SELECT s.ticket_id,
       NOT EXISTS (
           SELECT 1 FROM json_each(:criteria, '$.whole') AS part
           WHERE NOT EXISTS (
               SELECT 1 FROM json_each(part.value) AS needle WHERE instr(' ' || s.words || ' ', needle.value) > 0
           )
       ) AS whole,
       NOT EXISTS (
           SELECT 1 FROM json_each(:criteria, '$.begun') AS part
           WHERE NOT EXISTS (
               SELECT 1 FROM json_each(part.value) AS needle WHERE instr(' ' || s.words || ' ', needle.value) > 0
           )
       ) AS begun
FROM json_each(:ids) AS one
CROSS JOIN ticket_search s ON s.ticket_id = one.value;

-- name: search_oldest
-- The first ticket of a workspace: nothing is older.
SELECT id FROM tickets WHERE workspace_id = :workspace_id ORDER BY id LIMIT 1;

-- name: search_unindexed
-- The newest messages that nobody has read yet, not even a program: they cannot be found.
SELECT m.id FROM messages m
WHERE m.id > :after AND NOT EXISTS (SELECT 1 FROM message_contents c WHERE c.message_id = m.id)
ORDER BY m.id DESC LIMIT :limit;
