-- PostgreSQL joins differently, needs explicit row locks, and reads JSON lists with another function.

-- name: ticket_page_by_tag
-- OFFSET 0 makes PostgreSQL run the subquery for each ticket of the tag.
SELECT {Ticket:t}
FROM ticket_tags tagged CROSS JOIN LATERAL (
    SELECT {Ticket:t} FROM tickets t WHERE t.id = tagged.ticket_id AND {ticket_conditions} OFFSET 0
) AS t
WHERE {tagged_tickets}
ORDER BY {tagged_order} LIMIT :limit;

-- name: ticket_previews
WITH listed AS (SELECT unnest({listed_ids}) AS id)
{ticket_previews};

-- name: ticket_read_set
INSERT INTO ticket_reads (user_id, ticket_id, sequence)
SELECT u.id, t.id, CAST(:sequence AS BIGINT) FROM users u, tickets t
WHERE u.id = :user_id AND t.id = :ticket_id AND t.workspace_id = u.workspace_id
FOR KEY SHARE OF u, t
ON CONFLICT (user_id, ticket_id) DO UPDATE SET sequence = excluded.sequence;
