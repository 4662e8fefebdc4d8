-- SQLite's transactions are one at a time from their first moment; PostgreSQL has to be told what to hold. What another
-- transaction holds is passed over: it may be a reply, a replay, or another process that erases; the next sweep comes.

-- name: retention_lock_ticket
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND t.status = 'resolved' AND t.resolved_at < :horizon
FOR UPDATE SKIP LOCKED;

-- name: retention_lock_deliveries
SELECT d.id, d.state FROM deliveries d WHERE d.ticket_id = :ticket_id ORDER BY d.id
FOR UPDATE SKIP LOCKED;
