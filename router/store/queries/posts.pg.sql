-- PostgreSQL needs an explicit row lock.

-- name: post_states
-- FOR SHARE waits for a transaction that changes the ticket: after it, the transaction either sees the change, or the
-- change sees the post.
SELECT t.id AS ticket_id, {ticket_state} FROM tickets t LEFT JOIN users u ON u.id = t.assigned_to
WHERE t.id = :ticket_id FOR SHARE OF t;
