-- Answers that users send from their mail program (router/checks/own_answers.py). Each statement is executed for one row
-- after the other: such mail is rare.

-- name: own_answer_author
-- A user who can answer tickets of a workspace, by email address.
SELECT id, workspace_id, email FROM users
WHERE email = :email AND workspace_id = :workspace_id AND role IN ('admin', 'agent') AND disabled_at IS NULL;

-- name: own_answer_mark
-- Marks a message as sent by a user.
UPDATE messages SET direction = 'outbound', user_id = :user_id WHERE id = :message_id;

-- name: own_answer_unlink
-- Stores that a message is posted nowhere, and that its sender is no stranger.
UPDATE ticket_messages SET integration_id = NULL, new_sender = 0
WHERE ticket_id = :ticket_id AND message_id = :message_id;

-- name: own_answer_drop_delivery
-- Deletes the post of a message, unless it is being sent or was sent.
DELETE FROM deliveries
WHERE ticket_id = :ticket_id AND message_id = :message_id AND event = 'replied' AND target = 'integration'
  AND state = 'pending' AND claims = 0;

-- name: own_answer_remember_id
-- Stores the Message-ID of a message, so that answers to it join its ticket.
INSERT INTO sent_message_ids (rfc_message_id, thread_key, ticket_id)
SELECT DISTINCT rfc_message_id, thread_key, ticket_id FROM ticket_messages
WHERE ticket_id = :ticket_id AND message_id = :message_id AND rfc_message_id <> ''
ON CONFLICT DO NOTHING;

-- name: own_answer_assign
-- Assigns an unassigned ticket to the author. Returns the sequence of the event.
UPDATE tickets SET assigned_to = :user_id, claimed_at = :now, updated_at = :now, last_sequence = last_sequence + 1
WHERE id = :ticket_id AND assigned_to IS NULL
RETURNING id AS ticket_id, last_sequence;

-- name: own_answer_wait
-- Makes a ticket wait for the customer, unless it waits already or is resolved. Returns the sequence of the event.
UPDATE tickets SET status = 'waiting', updated_at = :now, last_sequence = last_sequence + 1
WHERE id = :ticket_id AND status IN ('open', 'in_progress')
RETURNING id AS ticket_id, last_sequence;

-- name: own_answer_reopen
-- Reopens a ticket. Returns the sequence of the event.
UPDATE tickets SET status = 'open', resolved_at = NULL, updated_at = :now, last_sequence = last_sequence + 1,
                   assigned_to = {known_assignee},
                   claimed_at = CASE WHEN {known_assignee} IS NOT NULL THEN claimed_at END
WHERE id = :ticket_id AND status <> 'open'
RETURNING id AS ticket_id, last_sequence;
