-- What goes with time (router/dispatch/retention.py, janitor.py): each statement takes a few rows, found by an index.

-- name: maintenance_claim
-- One process does a chore for a while; a time in the future was written by a clock that has been set back since.
INSERT INTO installation (name, value) VALUES (:name, CAST(CAST(:now AS BIGINT) AS TEXT))
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE CAST(installation.value AS BIGINT) NOT BETWEEN CAST(:after AS BIGINT) AND CAST(:now AS BIGINT);

-- name: retention_raw_chunks
-- The oldest pieces of raw mail, with what erasing them depends on. Ids sort by time.
SELECT r.message_id, r.n, m.received_at,
       CASE WHEN c.message_id IS NULL THEN 0 ELSE 1 END AS readable
FROM raw_chunks r
JOIN messages m ON m.id = r.message_id
LEFT JOIN message_contents c ON c.message_id = r.message_id
WHERE r.message_id > :after ORDER BY r.message_id, r.n LIMIT :limit;

-- name: retention_raw_chunks_by_ticket
-- The first pieces of raw mail of a ticket's messages.
SELECT r.message_id, r.n FROM raw_chunks r
WHERE r.message_id IN (SELECT message_id FROM ticket_messages WHERE ticket_id = :ticket_id)
ORDER BY r.message_id, r.n LIMIT :limit;

-- name: retention_erase_chunks
-- A message's first pieces; what is left of it reads as erased at once.
DELETE FROM raw_chunks WHERE message_id = :message_id AND n <= :last;

-- name: retention_tickets
-- Tickets that were resolved before the horizon, oldest first.
SELECT t.id, t.resolved_at FROM tickets t
WHERE t.status = 'resolved' AND t.resolved_at < :horizon
  AND (t.resolved_at > :after_at OR (t.resolved_at = :after_at AND t.id > :after_id))
ORDER BY t.resolved_at, t.id LIMIT :limit;

-- name: retention_lock_ticket
-- A ticket that is still resolved and old, held until the transaction ends.
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND t.status = 'resolved' AND t.resolved_at < :horizon;

-- name: retention_lock_deliveries
-- Those of its deliveries that nobody is changing now, held until the transaction ends.
SELECT d.id, d.state FROM deliveries d WHERE d.ticket_id = :ticket_id ORDER BY d.id;

-- name: retention_count_deliveries
-- How many deliveries a ticket has.
SELECT count(*) AS deliveries FROM deliveries WHERE ticket_id = :ticket_id;

-- name: retention_fingerprints
-- Marks of mails that would be new mails by now.
DELETE FROM fingerprints WHERE (alias_key, fingerprint) IN (
    SELECT alias_key, fingerprint FROM fingerprints WHERE accepted_at < :horizon ORDER BY accepted_at LIMIT :limit);

-- name: retention_rate_windows
-- Windows that no limit looks at any more.
DELETE FROM rate_windows WHERE (scope, window_start) IN (
    SELECT scope, window_start FROM rate_windows WHERE window_start < :horizon ORDER BY window_start LIMIT :limit);

-- name: retention_sessions
-- Sessions that are over.
DELETE FROM sessions WHERE hash IN (
    SELECT hash FROM sessions WHERE expires_at < :horizon ORDER BY expires_at LIMIT :limit);

-- name: retention_idempotent_requests
-- Answers nobody will ask for again.
DELETE FROM idempotent_requests WHERE (scope, key) IN (
    SELECT scope, key FROM idempotent_requests WHERE at < :horizon ORDER BY at LIMIT :limit);
