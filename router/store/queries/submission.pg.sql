-- PostgreSQL needs explicit row locks.

-- name: submission_lock_tickets
-- NO KEY UPDATE: inserting rows that refer to the ticket locks it FOR KEY SHARE.
SELECT id FROM tickets WHERE id = :ticket_id FOR NO KEY UPDATE;

-- name: submission_lock_free_tickets
SELECT id FROM tickets WHERE id = :ticket_id FOR NO KEY UPDATE SKIP LOCKED;

-- name: submission_lock_smarthost
SELECT {Smarthost} FROM smarthosts WHERE id = :id FOR UPDATE;

-- name: submission_lock_delivery
SELECT id, attempts, state, expires_at, parked_at, {was_rejected} FROM deliveries
WHERE id = :delivery_id FOR NO KEY UPDATE;
