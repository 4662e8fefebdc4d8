-- Replies to customers (router/replies, router/admin/replies).

-- name: reply_touch_ticket
-- Sets the update time of a ticket, and reserves the sequence of a reply.
UPDATE tickets SET updated_at = :at, last_sequence = last_sequence + 1 WHERE id = :ticket_id
RETURNING last_sequence;

-- name: reply_insert_message
-- Inserts the message of a reply.
INSERT INTO messages {rows:Message + aliases BIGINT, repeated BIGINT};

-- name: reply_insert_link
-- Links the message of a reply to its ticket.
INSERT INTO ticket_messages
{rows:TicketMessage - warning, new_sender + rfc_message_id TEXT, thread_key TEXT, integration_id TEXT};

-- name: reply_insert
-- Inserts a reply.
INSERT INTO replies {rows:TicketReply};

-- name: reply_insert_recipient
-- Inserts a recipient of a reply.
INSERT INTO reply_recipients {rows:ReplyRecipient};

-- name: reply_insert_delivery
-- Inserts the delivery of a recipient.
INSERT INTO deliveries {rows:Delivery};
