-- Erasing a ticket, for an admin and for retention alike (router/store/erasure.py).

-- name: erasure_messages
-- The messages of a ticket, held until the transaction ends: of two tickets that share one, the last to go takes it.
SELECT m.id FROM messages m
WHERE m.id IN (SELECT message_id FROM ticket_messages WHERE ticket_id = :ticket_id) ORDER BY m.id;

-- name: erasure_attempts
-- The attempts of a ticket's deliveries, before these: in the order in which the deliverer writes to them, so that the two
-- never wait for each other.
DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE ticket_id = :ticket_id);

-- name: erasure_ticket
-- Erases a ticket with its links, events and deliveries.
DELETE FROM tickets WHERE id = :ticket_id;

-- name: erasure_message
-- Erases a message with its octets, unless another ticket has it too.
DELETE FROM messages
WHERE id = :message_id AND NOT EXISTS (SELECT 1 FROM ticket_messages WHERE message_id = :message_id);

-- name: erasure_decrement_aliases
-- A message that another ticket still has was accepted for one alias that nobody can find any more.
UPDATE messages SET aliases = aliases - 1 WHERE id = :message_id;
