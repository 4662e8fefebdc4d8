-- PostgreSQL needs an explicit row lock, and concatenates with another function.

-- fragment: tag_names_pg
(SELECT string_agg(g.name, ', ' ORDER BY g.name_key)
 FROM ticket_tags x JOIN tags g ON g.id = x.tag_id WHERE x.ticket_id = t.id) AS tag_names

-- name: post_lock_ticket
-- Waits for a transaction that changes the ticket. It reads nothing else: after the wait, a statement sees the new row of
-- the ticket, but the old rows of its tags and its assignee.
SELECT t.id FROM tickets t WHERE t.id = :ticket_id FOR SHARE;

-- name: post_states
SELECT {post_state_columns}, {ticket_state}, {tag_names_pg} FROM {post_state_tables} WHERE d.id = :delivery_id;
