-- PostgreSQL needs an explicit row lock, reads JSON lists with another function, and concatenates with another function.

-- fragment: tag_names_pg
(SELECT string_agg(g.name, chr(10) ORDER BY g.name_key)
 FROM ticket_tags x JOIN tags g ON g.id = x.tag_id WHERE x.ticket_id = t.id) AS tag_names

-- name: post_to_update
SELECT {post_to_update} WHERE p.ticket_id IN (SELECT value FROM json_array_elements_text(CAST(:ids AS JSON)))
ORDER BY p.ticket_id, p.integration_id;

-- name: post_lock_ticket
-- Waits for a transaction that changes the ticket. It reads nothing else: after the wait, a statement sees the new row of
-- the ticket, but the old rows of its tags and its assignee.
SELECT t.id FROM tickets t WHERE t.id = :ticket_id FOR SHARE;

-- name: post_states
SELECT {post_state_columns}, {ticket_state}, {tag_names_pg} FROM {post_state_tables} WHERE d.id = :delivery_id;
