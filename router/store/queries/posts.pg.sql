-- PostgreSQL needs explicit row locks, reads JSON lists and concatenates with other functions, and executes a statement
-- once for many integration workers, with arrays as parameters.

-- fragment: tag_names_pg
(SELECT string_agg(g.name, chr(10) ORDER BY g.name_key)
 FROM ticket_tags x JOIN tags g ON g.id = x.tag_id WHERE x.ticket_id = t.id) AS tag_names

-- name: post_to_update
SELECT {post_to_update} WHERE p.ticket_id = ANY ({listed_ids})
ORDER BY p.ticket_id, p.integration_id;

-- name: post_lock_tickets
-- SKIP LOCKED: a locked ticket must not delay the others of a group. It reads nothing else: a change that was committed
-- after the start of a statement is visible only to the next one.
WITH locked AS MATERIALIZED (
    SELECT id FROM tickets WHERE id = ANY (CAST(:ticket_id AS TEXT[])) FOR SHARE SKIP LOCKED
)
SELECT t.id FROM tickets t WHERE t.id = ANY (CAST(:ticket_id AS TEXT[])) AND t.id NOT IN (SELECT id FROM locked);

-- name: post_states
SELECT {post_state_columns}, {ticket_state}, {tag_names_pg} FROM {post_state_tables}
WHERE d.id = ANY (CAST(:delivery_id AS TEXT[]));
