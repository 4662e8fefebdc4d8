-- PostgreSQL joins differently.

-- name: ticket_page_by_tag
-- OFFSET 0 makes PostgreSQL run the subquery for each ticket of the tag.
SELECT {Ticket:t}
FROM ticket_tags tagged CROSS JOIN LATERAL (
    SELECT {Ticket:t} FROM tickets t WHERE t.id = tagged.ticket_id AND {ticket_conditions} OFFSET 0
) AS t
WHERE {tagged_tickets}
ORDER BY tagged.tag_id DESC, tagged.ticket_id DESC LIMIT :limit;
