-- PostgreSQL needs explicit row locks, and reads JSON with other functions. With SKIP LOCKED, rows that another transaction has locked are left out.

-- name: retention_lock_ticket
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND t.status = 'resolved' AND t.resolved_at < :horizon
FOR UPDATE SKIP LOCKED;

-- name: retention_lock_spam_ticket
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND t.spam = 1 AND t.spam_at < :horizon
FOR UPDATE SKIP LOCKED;

-- name: retention_lock_deliveries
SELECT d.id, d.state, d.event FROM deliveries d WHERE d.ticket_id = :ticket_id ORDER BY d.id
FOR UPDATE SKIP LOCKED;

-- name: retention_uploads
DELETE FROM uploads WHERE id IN (
    SELECT id FROM uploads
    WHERE created_at < :horizon AND id NOT IN (
        SELECT json_array_elements_text(CAST(queued.draft AS JSON) -> 'attachments')
        FROM ({retention_queued_replies}) queued)
    ORDER BY created_at LIMIT :limit);
