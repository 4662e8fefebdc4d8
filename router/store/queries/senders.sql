-- Senders of tickets (router/admin/tickets/senders.py).

-- fragment: is_sender
-- A ticket `t` of a sender that is not spam. PostgreSQL and SQLite fold non-ASCII letters differently, so both sides are folded here.
t.workspace_id = :workspace_id AND t.spam = 0 AND lower(t.from_address) = lower(CAST(:address AS TEXT))

-- name: sender_tickets
-- The newest tickets of a sender.
SELECT {Ticket:t} FROM tickets t WHERE {is_sender} ORDER BY t.id DESC LIMIT :limit;

-- name: sender_counts
-- The number of the newest tickets of a sender, up to :limit, with each status.
SELECT newest.status, count(*) AS tickets
FROM (SELECT t.status FROM tickets t WHERE {is_sender} ORDER BY t.id DESC LIMIT :limit) AS newest
GROUP BY newest.status;

-- name: sender_first_ticket
-- When the first ticket of a sender arrived.
SELECT t.received_at FROM tickets t WHERE {is_sender} ORDER BY t.id LIMIT 1;

-- name: sender_last_messages
-- When the newest message of a sender arrived in each of the given tickets (JSON), among the newest :limit messages of
-- the ticket.
SELECT t.id, (SELECT max(m.received_at) FROM (
        SELECT x.message_id FROM ticket_messages x WHERE x.ticket_id = t.id ORDER BY x.message_id DESC LIMIT :limit
    ) AS newest JOIN messages m ON m.id = newest.message_id
    WHERE lower(m.from_address) = lower(CAST(:address AS TEXT))) AS received_at
FROM tickets t WHERE t.id IN (SELECT value FROM json_each(:ids));
