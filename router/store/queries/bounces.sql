-- Bounces of our own mail (router/accept/bounces.py, router/dispatch/bounce_transaction.py). Each statement is executed for
-- one row after the other: bounces are rare.

-- name: bounce_find_reply
-- The reply with a Message-ID that a bounce returns. Received messages may have copied it: only the first are read.
SELECT t.workspace_id, tm.rfc_message_id, tm.ticket_id, r.id AS reply_id
FROM (SELECT ticket_id, message_id, rfc_message_id FROM ticket_messages
      WHERE rfc_message_id = :rfc_message_id AND rfc_message_id <> ''
      ORDER BY rfc_message_id, thread_key, ticket_id LIMIT 100) tm
JOIN tickets t ON t.id = tm.ticket_id
JOIN replies r ON r.message_id = tm.message_id;

-- name: bounce_find_assigned
-- The ticket of a reply by a Message-ID that a smarthost has assigned.
SELECT t.workspace_id, s.rfc_message_id, s.ticket_id
FROM (SELECT rfc_message_id, ticket_id FROM sent_message_ids
      WHERE rfc_message_id = :rfc_message_id ORDER BY rfc_message_id, thread_key, ticket_id LIMIT 100) s
JOIN tickets t ON t.id = s.ticket_id;

-- name: bounce_find_ticket
-- The ticket with a number that an anchor names.
SELECT workspace_id, number, id AS ticket_id FROM tickets WHERE workspace_id = :workspace_id AND number = :number;

-- name: bounce_mark_message
-- Marks a message as a bounce. Ordinary messages need no value for the column.
UPDATE messages SET kind = 'bounce' WHERE id = :message_id;

-- name: bounce_queue_insert
-- Queues a bounce for reading.
INSERT INTO bounce_queue (message_id, ticket_id, reply_id, address_key)
VALUES (:message_id, :ticket_id, :reply_id, :address_key);

-- name: bounce_count
-- Counts a bounce of a reply, unless the limit is reached. Returns no row then.
INSERT INTO reply_bounces (reply_id, message_id)
SELECT r.id, :message_id FROM replies r
WHERE r.id = :reply_id AND (SELECT COUNT(*) FROM reply_bounces b WHERE b.reply_id = r.id) < :max_bounces
RETURNING message_id;

-- fragment: is_bounce_free
-- No process is reading the bounce. Times after `latest_plausible` come from a wrong clock.
(lease_until <= :now OR lease_until > :latest_plausible)

-- name: bounce_queue_due
-- The oldest bounces that no process is reading.
SELECT message_id FROM bounce_queue WHERE {is_bounce_free} ORDER BY message_id LIMIT :limit;

-- name: bounce_queue_claim
-- Claims a bounce, unless another process has claimed it since.
UPDATE bounce_queue SET claims = claims + 1, lease_owner = :owner, lease_until = :until
WHERE message_id = :message_id AND {is_bounce_free}
RETURNING message_id, ticket_id, reply_id, address_key, claims;

-- name: bounce_queue_delete
-- Removes a bounce from the queue, unless another process has claimed it.
DELETE FROM bounce_queue WHERE message_id = :message_id AND lease_owner = :owner RETURNING message_id;

-- name: bounce_queue_return
-- Makes a claimed bounce available again, without counting the claim.
UPDATE bounce_queue SET claims = claims - 1, lease_owner = '', lease_until = 0
WHERE message_id = :message_id AND lease_owner = :owner;

-- name: bounce_queue_owners
-- The processes that are reading bounces, including those whose time is over.
SELECT DISTINCT lease_owner FROM bounce_queue WHERE lease_owner <> '';

-- name: bounce_queue_release_owner
-- Makes the bounces of a dead process available again.
UPDATE bounce_queue SET lease_owner = '', lease_until = 0 WHERE lease_owner = :owner;

-- name: bounce_message
-- A message of any workspace.
SELECT {Message} FROM messages WHERE id = :message_id;

-- fragment: bounce_target
-- A recipient of the reply `r`.
rr.reply_id, r.message_id, rr.address, rr.address_key, rr.state, rr.delivery_id, r.kind

-- name: bounce_reply_recipients
-- The recipients of a reply.
SELECT {bounce_target} FROM reply_recipients rr JOIN replies r ON r.id = rr.reply_id
WHERE rr.reply_id = :reply_id ORDER BY rr.address_key;

-- name: bounce_ticket_recipients
-- The newest reply of a ticket to an address.
SELECT {bounce_target} FROM replies r
JOIN reply_recipients rr ON rr.reply_id = r.id AND rr.address_key = :address_key
WHERE r.ticket_id = :ticket_id AND rr.state <> 'canceled' ORDER BY r.id DESC LIMIT 1;

-- name: bounce_set_recipient
-- Stores what was reported about a recipient.
UPDATE reply_recipients SET state = :state, code = :code, text = :text, at = :now
WHERE reply_id = :reply_id AND address_key = :address_key;

-- name: bounce_end_delivery
-- Ends the delivery of a recipient whose bounce shows that the smarthost has accepted the mail, although its answer was lost.
UPDATE deliveries SET state = 'delivered', delivered_at = :now, next_attempt_at = NULL, parked_at = NULL, claims = 0,
                      last_error = ''
WHERE id = :delivery_id AND state = 'pending';

-- name: bounce_reply_states
-- The states of the recipients of a reply.
SELECT reply_id, state FROM reply_recipients WHERE reply_id = :reply_id;

-- name: bounce_set_reply
-- Stores the state of a reply, and the last error of its recipients.
UPDATE replies SET state = :state, last_error = :last_error WHERE id = :reply_id;

-- name: bounce_mark_automatic
-- Marks a message as automatic whose report its header does not announce.
UPDATE messages SET automatic = 'bounce' WHERE id = :message_id AND automatic = '';

-- name: bounce_make_mail
-- Makes a message an ordinary one, which is posted.
UPDATE messages SET kind = 'mail' WHERE id = :message_id;

-- name: bounce_uncount
-- Removes a message from the bounces of a reply, which does not count towards their limit.
DELETE FROM reply_bounces WHERE reply_id = :reply_id AND message_id = :message_id;

-- name: bounce_link_integration
-- Stores to which integration a message is posted.
UPDATE ticket_messages SET integration_id = :integration_id WHERE ticket_id = :ticket_id AND message_id = :message_id;
