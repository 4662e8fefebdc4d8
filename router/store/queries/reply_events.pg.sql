-- PostgreSQL needs explicit row locks.

-- name: reply_event_lock_ticket
SELECT id AS ticket_id, status FROM tickets WHERE id = :ticket_id FOR NO KEY UPDATE;
