-- PostgreSQL needs an explicit row lock, and concatenates with another function.

-- fragment: tag_names_pg
(SELECT string_agg(g.name, ', ' ORDER BY g.name_key)
 FROM ticket_tags x JOIN tags g ON g.id = x.tag_id WHERE x.ticket_id = t.id) AS tag_names

-- name: post_states
-- FOR SHARE waits for a transaction that changes the ticket: after it, the transaction either sees the change, or the
-- change sees the post.
SELECT t.id AS ticket_id, {ticket_state}, {tag_names_pg} FROM tickets t LEFT JOIN users u ON u.id = t.assigned_to
WHERE t.id = :ticket_id FOR SHARE OF t;
