-- PostgreSQL needs explicit row locks. With SKIP LOCKED, rows that another transaction has locked are left out.

-- name: retention_lock_ticket
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND t.status = 'resolved' AND t.resolved_at < :horizon
FOR UPDATE SKIP LOCKED;

-- name: retention_lock_spam_ticket
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND t.spam = 1 AND t.spam_at < :horizon
FOR UPDATE SKIP LOCKED;

-- name: retention_lock_deliveries
SELECT d.id, d.state, d.event FROM deliveries d WHERE d.ticket_id = :ticket_id ORDER BY d.id
FOR UPDATE SKIP LOCKED;
