-- What tickets are found by (router/contents.py writes it, router/admin/tickets.py asks).

-- name: search_turn
-- One transaction at a time adds to what tickets are found by: it reads what is there first. SQLite's are that anyway.
SELECT 1 AS turn;

-- name: search_tickets_of
-- The tickets of a message with what they are found by so far, and what the message's header adds.
SELECT DISTINCT t.id AS ticket_id, t.workspace_id, t.number, m.from_name, m.from_address, m.subject,
       COALESCE(s.words, '') AS words
FROM ticket_messages tm
JOIN tickets t ON t.id = tm.ticket_id
JOIN messages m ON m.id = tm.message_id
LEFT JOIN ticket_search s ON s.ticket_id = t.id
WHERE tm.message_id = :message_id
ORDER BY t.id;

-- name: search_keep
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

-- name: search_tickets
-- Tickets that have the words of a question, newest first. FTS5 writes operators its own way; the words themselves are
-- letters and digits. CROSS JOIN: the index is read from its newest end, and no further than the page.
SELECT t.id, t.workspace_id, t.number, t.alias_id, t.address, t.subject, t.from_address, t.from_name, t.status,
       t.assigned_to, t.claimed_at, t.resolved_at, t.received_at, t.updated_at
FROM ticket_words w
CROSS JOIN ticket_search s ON s.place = w.rowid
CROSS JOIN tickets t ON t.id = s.ticket_id
WHERE w.ticket_words MATCH replace(replace(replace(replace(:question, '''', '"'), ' & ', ' AND '), ' | ', ' OR '), ':*', '*')
  AND w.rowid < COALESCE((SELECT place FROM ticket_search WHERE ticket_id = :before), CAST(:until AS BIGINT))
  AND t.workspace_id = :workspace_id
  AND (CAST(:status AS TEXT) IS NULL OR t.status = CAST(:status AS TEXT))
  AND (CAST(:assigned_to AS TEXT) IS NULL OR t.assigned_to = CAST(:assigned_to AS TEXT))
  AND (CAST(:alias_id AS TEXT) IS NULL OR t.alias_id = CAST(:alias_id AS TEXT))
ORDER BY w.rowid DESC LIMIT :most;

-- name: search_missing
-- The newest messages that nobody has read yet, not even a program: they cannot be found.
SELECT m.id FROM messages m
WHERE m.id > :after AND NOT EXISTS (SELECT 1 FROM message_contents c WHERE c.message_id = m.id)
ORDER BY m.id DESC LIMIT :most;
