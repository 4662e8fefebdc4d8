-- PostgreSQL searches a tsvector by a tsquery. Both are made of our words as they are: its own parser would cut them
-- again, by rules that SQLite does not have.

-- name: search_turn
-- Any number does that nobody else locks: "search" in a BIGINT.
SELECT pg_advisory_xact_lock(126879263777640);

-- name: search_tickets
-- MATERIALIZED: the index of words first, always. Left to its estimates PostgreSQL may read tickets one by one, newest
-- first, which is a little faster for a common word and a hundred times slower where the estimate is wrong.
WITH found AS MATERIALIZED (
    SELECT s.ticket_id, s.place FROM ticket_search s WHERE s.vector @@ CAST(CAST(:question AS TEXT) AS tsquery)
)
SELECT t.id, t.workspace_id, t.number, t.alias_id, t.address, t.subject, t.from_address, t.from_name, t.status,
       t.assigned_to, t.claimed_at, t.resolved_at, t.received_at, t.updated_at
FROM found
JOIN tickets t ON t.id = found.ticket_id
WHERE found.place < COALESCE((SELECT place FROM ticket_search WHERE ticket_id = :before), CAST(:until AS BIGINT))
  AND t.workspace_id = :workspace_id
  AND (CAST(:status AS TEXT) IS NULL OR t.status = CAST(:status AS TEXT))
  AND (CAST(:assigned_to AS TEXT) IS NULL OR t.assigned_to = CAST(:assigned_to AS TEXT))
  AND (CAST(:alias_id AS TEXT) IS NULL OR t.alias_id = CAST(:alias_id AS TEXT))
ORDER BY found.place DESC LIMIT :most;
