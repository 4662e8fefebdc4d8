-- The search index of tickets.

-- name: search_lock
-- Serialises changes of the search index, which read before they write.
SELECT 1 AS locked;

-- fragment: indexed_columns
-- The indexed words of a ticket `t`, and the header fields that its message `m` adds.
t.id AS ticket_id, m.id AS message_id, t.workspace_id, t.number, t.alias_id, t.spam, m.from_name, m.from_address, m.subject,
COALESCE(s.words, '') AS words

-- fragment: indexed_tables
-- The tables of `indexed_columns`.
ticket_messages tm
JOIN tickets t ON t.id = tm.ticket_id
JOIN messages m ON m.id = tm.message_id
LEFT JOIN ticket_search s ON s.ticket_id = t.id

-- fragment: is_not_queued
-- A message `m` that is not a reply that can still be canceled: no word of a canceled reply stays in the index.
NOT (m.direction = 'outbound' AND EXISTS (SELECT 1 FROM replies r WHERE r.message_id = m.id AND r.state = 'queued'))

-- name: search_tickets_by_message
-- The tickets of a message with their indexed words, and the header fields that the message adds.
SELECT DISTINCT {indexed_columns} FROM {indexed_tables} WHERE tm.message_id = :message_id AND {is_not_queued}
ORDER BY t.id, m.id;

-- name: search_upsert
-- Stores the indexed words of a ticket at its index position, or at the next free one.
INSERT INTO ticket_search (ticket_id, workspace_id, index_position, words)
VALUES (
    :ticket_id, :workspace_id,
    COALESCE(
        (SELECT taken.index_position + 1 FROM ticket_search taken
         WHERE taken.index_position >= :index_position
           AND EXISTS (SELECT 1 FROM ticket_search WHERE index_position = :index_position)
           AND NOT EXISTS (
               SELECT 1 FROM ticket_search following WHERE following.index_position = taken.index_position + 1
           )
         ORDER BY taken.index_position LIMIT 1),
        :index_position),
    :words)
ON CONFLICT (ticket_id) DO UPDATE SET words = excluded.words;

-- name: search_mark_spam
-- Replaces the first indexed word of tickets, that of the workspace, by that of its spam.
UPDATE ticket_search SET words = '_spam' || words WHERE ticket_id = :ticket_id AND substr(words, 1, 5) <> '_spam';

-- name: search_release_spam
-- The reverse of search_mark_spam.
UPDATE ticket_search SET words = substr(words, 6) WHERE ticket_id = :ticket_id AND substr(words, 1, 5) = '_spam';

-- name: search_window
-- The matching tickets in a window of index positions, newest first. Each row also contains `matches`: the number of
-- tickets in the window with the words that are looked up, up to `max_matches` + 1. With more than `max_matches`, or
-- without a matching ticket, returns one row without a ticket. `discards_matches` is set if a ticket with the words may
-- not match: because of a filter, or of `residual` words that are not looked up.
WITH matching AS MATERIALIZED (
    SELECT s.ticket_id, s.words
    FROM ticket_words w
    CROSS JOIN ticket_search s ON s.index_position = w.rowid
    WHERE w.ticket_words MATCH replace(replace(replace(replace(
            json_extract(:criteria, '$.scope') || ' & ' || json_extract(:criteria, '$.index'),
            '''', '"'), ' & ', ' AND '), ' | ', ' OR '), ':*', '*')
      AND w.rowid >= :since AND w.rowid < :until
    LIMIT :max_matches + 1
), counted AS MATERIALIZED (
    SELECT count(*) AS matches FROM matching
)
SELECT counted.matches, page.*
FROM counted LEFT JOIN (
    SELECT {Ticket:t}
    FROM (
        SELECT ticket_id FROM matching
        WHERE ticket_id < :before AND NOT EXISTS (
            SELECT 1 FROM json_each(:criteria, '$.residual') AS part
            WHERE NOT EXISTS (
                SELECT 1 FROM json_each(part.value) AS needle
                WHERE instr(' ' || matching.words || ' ', needle.value) > 0
            )
        )
        ORDER BY ticket_id DESC
        LIMIT {if discards_matches: :max_matches}{if not discards_matches: :limit}
    ) AS page_ids CROSS JOIN tickets t ON t.id = page_ids.ticket_id
    WHERE (SELECT matches FROM counted) <= :max_matches AND {ticket_conditions}
    ORDER BY t.id DESC LIMIT :limit
) AS page ON TRUE
ORDER BY page.id DESC;

-- name: search_match_tickets
-- For each given ticket (JSON) that matches a TicketFilter: whether it contains the complete words of a query, and
-- whether it contains the prefix.
SELECT s.ticket_id,
       NOT EXISTS (
           SELECT 1 FROM json_each(:criteria, '$.complete') AS part
           WHERE NOT EXISTS (
               SELECT 1 FROM json_each(part.value) AS needle WHERE instr(' ' || s.words || ' ', needle.value) > 0
           )
       ) AS complete,
       NOT EXISTS (
           SELECT 1 FROM json_each(:criteria, '$.prefix') AS part
           WHERE NOT EXISTS (
               SELECT 1 FROM json_each(part.value) AS needle WHERE instr(' ' || s.words || ' ', needle.value) > 0
           )
       ) AS prefix
FROM json_each(:ids) AS ticket
CROSS JOIN ticket_search s ON s.ticket_id = ticket.value
CROSS JOIN tickets t ON t.id = ticket.value
WHERE {ticket_conditions};

-- name: search_oldest
-- The oldest ticket of a workspace, of those that are spam or of the others.
SELECT id FROM tickets WHERE workspace_id = :workspace_id AND spam = {is_spam} ORDER BY id LIMIT 1;

-- name: search_unindexed
-- The newest messages that are not parsed yet and therefore not indexed.
SELECT m.id FROM messages m
WHERE m.id > :after AND NOT EXISTS (SELECT 1 FROM message_contents c WHERE c.message_id = m.id)
ORDER BY m.id DESC LIMIT :limit;
