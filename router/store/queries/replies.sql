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

-- name: reply_received_mails
-- The newest mails that a ticket received, newest first, with a row for each recipient.
SELECT m.id AS message_id, m.rfc_message_id, m.from_address, m.from_name, m.subject, m.received_at, m.automatic,
       tm.sequence, tm.new_sender, tm.recipient, tm.tag
FROM ticket_messages tm JOIN messages m ON m.id = tm.message_id
WHERE tm.ticket_id = :ticket_id AND m.direction = 'inbound' AND m.kind IN ('mail', 'form')
ORDER BY tm.message_id DESC, tm.recipient LIMIT :limit;

-- name: reply_newest
-- The newest reply of people to a ticket, or of those whose author is not `other_than`. A canceled one has no message.
SELECT tm.message_id, tm.sequence
FROM replies r JOIN ticket_messages tm ON tm.ticket_id = r.ticket_id AND tm.message_id = r.message_id
WHERE r.ticket_id = :ticket_id AND r.kind = 'reply'
  {if other_than: AND COALESCE(r.user_id, r.actor_id, '') <> :other_than}
ORDER BY r.id DESC LIMIT 1;

-- name: reply_message_sequence
-- The sequence of a message in a ticket.
SELECT sequence FROM ticket_messages WHERE ticket_id = :ticket_id AND message_id = :message_id LIMIT 1;

-- name: reply_conversation_ids
-- The newest Message-IDs of the mails of a ticket, newest first.
SELECT tm.rfc_message_id
FROM ticket_messages tm JOIN messages m ON m.id = tm.message_id
WHERE tm.ticket_id = :ticket_id AND tm.rfc_message_id <> '' AND m.kind IN ('mail', 'form')
ORDER BY tm.message_id DESC LIMIT :limit;

-- name: reply_domain
-- A domain of a workspace.
SELECT {Domain} FROM domains WHERE workspace_id = :workspace_id AND name = :name;

-- fragment: reply_columns
-- A reply `r`, and what is shown of its ticket, message and author. The lease of an attempt is no next attempt.
{TicketReply:r}, t.number AS ticket_number, COALESCE(m.subject, '') AS subject,
COALESCE(NULLIF(u.name, ''), u.email, k.name, '') AS author_name,
(SELECT min(d.next_attempt_at) FROM reply_recipients p JOIN deliveries d ON d.id = p.delivery_id
 WHERE p.reply_id = r.id AND p.state <> 'sending' AND d.state = 'pending') AS next_attempt_at

-- fragment: reply_tables
-- The tables of reply_columns.
replies r JOIN tickets t ON t.id = r.ticket_id
LEFT JOIN messages m ON m.id = r.message_id
LEFT JOIN users u ON u.id = r.user_id
LEFT JOIN api_keys k ON k.id = r.actor_id

-- name: reply_by_id
-- One reply of a workspace.
SELECT {reply_columns} FROM {reply_tables} WHERE r.id = :id AND r.workspace_id = :workspace_id;

-- name: reply_page
-- The replies of a ticket, or else of a workspace, newest first. Few replies have another state than `sent`.
SELECT {reply_columns} FROM {reply_tables}
WHERE r.id < :before
  {if ticket_id: AND r.ticket_id = :ticket_id AND COALESCE(r.workspace_id, '') = :workspace_id}
  {if not ticket_id: AND r.workspace_id = :workspace_id}
  {if state, ticket_id: AND COALESCE(r.state, '') = :state}
  {if state, not ticket_id, state = sent: AND COALESCE(r.state, '') = :state}
  {if state, not ticket_id, not state = sent: AND r.state = :state AND r.state <> 'sent'}
ORDER BY r.id DESC LIMIT :limit;

-- name: replies_by_messages
-- The replies whose content is one of the given messages (JSON).
SELECT {reply_columns} FROM {reply_tables} WHERE r.message_id IN (SELECT value FROM json_each(:ids));

-- name: reply_recipients_of
-- The recipients of the given replies (JSON).
SELECT {ReplyRecipient} FROM reply_recipients WHERE reply_id IN (SELECT value FROM json_each(:ids));

-- name: reply_attempts
-- The newest attempts to submit the message of a reply, newest first.
SELECT {Attempt:a}, p.address
FROM deliveries d JOIN attempts a ON a.delivery_id = d.id
LEFT JOIN reply_recipients p ON p.delivery_id = d.id
WHERE d.ticket_id = :ticket_id AND d.message_id = :message_id AND d.target = 'smarthost'
ORDER BY a.started_at DESC, a.delivery_id DESC, a.n DESC LIMIT :limit;

-- name: reply_cancel
-- Cancels a reply that is queued. Returns its id, or nothing if it has another state. Its text is then in a draft only.
UPDATE replies SET state = 'canceled', last_error = '', draft = '{}' WHERE id = :id AND state = 'queued' RETURNING id;

-- name: reply_cancel_recipients
-- Cancels all recipients of a reply.
UPDATE reply_recipients SET state = 'canceled', at = :now WHERE reply_id = :reply_id;

-- name: reply_delete_deliveries
-- Deletes the deliveries of a reply, except those with an attempt.
DELETE FROM deliveries
WHERE ticket_id = :ticket_id AND message_id = :message_id AND target = 'smarthost' AND state = 'pending'
  AND attempts = 0 AND claims = 0;

-- name: reply_delete_link
-- Removes the message of a reply from its ticket.
DELETE FROM ticket_messages WHERE ticket_id = :ticket_id AND message_id = :message_id;

-- name: reply_recipients_lock
-- The recipients of a reply, locked.
SELECT {ReplyRecipient} FROM reply_recipients WHERE reply_id = :reply_id ORDER BY delivery_id;

-- name: reply_delivery_repeat
-- Sends the mail to a recipient again, although it failed or was handed over.
UPDATE deliveries
SET state = 'pending', next_attempt_at = :now, expires_at = :expires_at, integration_id = :smarthost_id,
    parked_at = NULL, claims = 0, delivered_at = NULL, last_error = ''
WHERE id = :id;

-- name: reply_delivery_due
-- Makes the next attempt of a delivery due, unless it is parked or an attempt is running.
UPDATE deliveries SET next_attempt_at = :now
WHERE id = :id AND state = 'pending' AND parked_at IS NULL AND claims = 0;

-- name: reply_recipient_queue
-- Queues the mail to a recipient again.
UPDATE reply_recipients SET state = 'queued', code = NULL, text = '', at = NULL
WHERE reply_id = :reply_id AND address_key = :address_key;

-- name: reply_recipient_replace
-- Gives up a recipient whom another address replaces.
UPDATE reply_recipients SET state = 'canceled', text = :text, at = :now
WHERE reply_id = :reply_id AND address_key = :address_key;

-- name: reply_set_state
-- Sets the state of a reply.
UPDATE replies SET state = :state, last_error = '' WHERE id = :id;
