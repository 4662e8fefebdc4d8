-- The two databases read JSON lists with different functions.

-- name: sender_last_messages
SELECT t.id, (SELECT max(m.received_at) FROM (
        SELECT x.message_id FROM ticket_messages x WHERE x.ticket_id = t.id ORDER BY x.message_id DESC LIMIT :limit
    ) AS newest JOIN messages m ON m.id = newest.message_id
    WHERE lower(m.from_address) = lower(CAST(:address AS TEXT))) AS received_at
FROM tickets t WHERE t.id = ANY ({listed_ids});
