-- The statements of the accept transaction (router/accept). SQLite executes each statement once for each row.

-- name: accept_current_integrations
-- The current integration of an alias. If `alias_id` is NULL, the default integration of the workspace.
SELECT w.id AS workspace_id, a.id AS alias_id, i.id AS integration_id, i.status AS integration_status,
       w.check_policy AS workspace_policy, a.check_policy AS alias_policy
FROM workspaces w
LEFT JOIN aliases a ON a.workspace_id = w.id AND a.id = :alias_id
LEFT JOIN integrations i ON i.id = CASE WHEN CAST(:alias_id AS TEXT) IS NULL THEN w.default_integration_id
                                        ELSE a.integration_id END
WHERE w.id = :workspace_id;

-- name: accept_claim_fingerprint
-- Claims a fingerprint. Returns no row if the fingerprint was accepted at or after `horizon`.
INSERT INTO fingerprints (alias_key, fingerprint, message_id, accepted_at)
VALUES (:alias_key, :fingerprint, :message_id, :accepted_at)
ON CONFLICT (alias_key, fingerprint) DO UPDATE
SET message_id = excluded.message_id, accepted_at = excluded.accepted_at, repeats = 0
WHERE fingerprints.accepted_at < :horizon
RETURNING alias_key, fingerprint;

-- name: accept_count_repeats
-- Adds to the repeats of a fingerprint; returns the id of the message that was accepted first.
UPDATE fingerprints SET repeats = repeats + :repeats
WHERE alias_key = :alias_key AND fingerprint = :fingerprint
RETURNING alias_key, fingerprint, message_id;

-- name: accept_ticket_candidates
-- The newest tickets at an alias that contain a Message-ID. Each index lookup starts below the previous ticket id,
-- because one ticket can contain a Message-ID any number of times.
WITH RECURSIVE newest (ticket_id, n) AS (
    SELECT MAX(ticket_id), 1 FROM ticket_messages
    WHERE rfc_message_id = :rfc_message_id AND thread_key = :thread_key AND rfc_message_id <> ''
    UNION ALL
    SELECT (SELECT MAX(tm.ticket_id) FROM ticket_messages tm
            WHERE tm.rfc_message_id = :rfc_message_id AND tm.thread_key = :thread_key AND tm.rfc_message_id <> ''
              AND tm.ticket_id < newest.ticket_id),
           newest.n + 1
    FROM newest WHERE newest.ticket_id IS NOT NULL AND newest.n < :max_tickets
)
SELECT :thread_key AS thread_key, :rfc_message_id AS rfc_message_id, ticket_id FROM newest WHERE ticket_id IS NOT NULL;

-- name: accept_find_numbered
-- The ticket of an alias with a number that a token names.
SELECT CAST(:thread_key AS TEXT) AS thread_key, CAST(:identity AS TEXT) AS identity, id AS ticket_id FROM tickets
WHERE workspace_id = :workspace_id AND number = :number AND COALESCE(alias_id, workspace_id || ' ' || address) = :thread_key;

-- name: accept_find_assigned
-- The ticket of a reply by a Message-ID that a smarthost has assigned.
SELECT :thread_key AS thread_key, :identity AS identity, MIN(ticket_id) AS ticket_id FROM sent_message_ids
WHERE rfc_message_id = :rfc_message_id AND thread_key = :thread_key
GROUP BY rfc_message_id;

-- name: accept_find_replies
-- The ticket of a reply by its own Message-ID. Received messages may have copied it, and prove nothing: they come after the
-- reply, and only the first ones are read.
SELECT :thread_key AS thread_key, :identity AS identity, tm.ticket_id
FROM (SELECT ticket_id, message_id FROM ticket_messages
      WHERE rfc_message_id = :rfc_message_id AND thread_key = :thread_key AND rfc_message_id <> ''
      ORDER BY ticket_id LIMIT 100) tm
JOIN messages m ON m.id = tm.message_id
WHERE m.direction = 'outbound';

-- name: accept_find_participants
-- Returns a row if an address takes part in a ticket: as a participant, as the first sender (`from_address`), or as the
-- address of the alias that received the first message (`address`).
SELECT ticket_id, address FROM ticket_participants WHERE ticket_id = :ticket_id AND address = :address
UNION ALL
SELECT id, CAST(:address AS TEXT) FROM tickets
WHERE id = :ticket_id AND :address IN (from_address, address) AND :address <> '';

-- name: accept_insert_participant
-- Inserts a participant of a ticket. accept_join_ticket has locked the joined tickets, so accept transactions
-- cannot deadlock here.
INSERT INTO ticket_participants {rows:ticket_id TEXT, address TEXT} ON CONFLICT (ticket_id, address) DO NOTHING;

-- name: accept_insert_message
-- Inserts a message.
INSERT INTO messages {rows:Message - direction, kind, user_id + aliases BIGINT, repeated BIGINT};

-- name: accept_insert_chunk
-- Inserts a chunk of the raw message.
INSERT INTO raw_chunks {rows:message_id TEXT, n BIGINT, data BYTEA};

-- name: accept_reserve_numbers
-- Reserves ticket numbers; locks the workspace until the commit.
UPDATE workspaces SET last_ticket_number = last_ticket_number + :wanted WHERE id = :workspace_id
RETURNING id AS workspace_id, last_ticket_number;

-- name: accept_insert_ticket
-- Inserts a ticket.
INSERT INTO tickets
{rows:Ticket - status, assigned_to, claimed_at, resolved_at, priority, unanswered_since, spam, spam_reason, spam_at, flagged,
 first_replied_at + last_sequence BIGINT};

-- name: accept_join_ticket
-- Sets the update time of a ticket that messages have joined, and reserves a sequence for each of them. `replied_at` is
-- the time of the first one that a person wrote, or NULL. Returns the status before the ticket is reopened, and whether
-- it is spam.
UPDATE tickets SET updated_at = :received_at, last_sequence = last_sequence + :messages,
                   automatic = CASE WHEN :replied_at IS NULL THEN automatic ELSE '' END,
                   unanswered_since = CASE WHEN :replied_at IS NOT NULL AND status IN ('waiting', 'resolved')
                                      THEN :replied_at ELSE unanswered_since END
WHERE id = :ticket_id
RETURNING id AS ticket_id, last_sequence, status, spam;

-- fragment: known_assignee
-- The assignee of a ticket, or NULL if they were deleted: their resolved tickets keep the id.
(SELECT u.id FROM users u WHERE u.id = tickets.assigned_to)

-- name: accept_reopen_ticket
-- Reopens a ticket for a person's reply, and unassigns it if the assignee was deleted. Returns the ticket
-- if it was not open, with the sequence of the event.
UPDATE tickets SET status = 'open', resolved_at = NULL, last_sequence = last_sequence + 1,
                   assigned_to = {known_assignee},
                   claimed_at = CASE WHEN {known_assignee} IS NOT NULL THEN claimed_at END
WHERE id = :ticket_id AND status <> 'open'
RETURNING id AS ticket_id, workspace_id, last_sequence;

-- name: accept_insert_recipient
-- Links a recipient of a message to a ticket.
INSERT INTO ticket_messages {rows:TicketMessage - warning, new_sender + rfc_message_id TEXT, thread_key TEXT, integration_id TEXT}
ON CONFLICT (ticket_id, message_id, recipient) DO NOTHING;

-- name: accept_mark_new_sender
-- Marks a message of a sender who was no participant of the ticket. Ordinary messages need no value for the column.
UPDATE ticket_messages SET new_sender = 1 WHERE ticket_id = :ticket_id AND message_id = :message_id;

-- name: accept_queue_check
-- Queues the checks of the sender of a message.
INSERT INTO check_queue {rows:message_id TEXT};

-- name: accept_queue_acknowledgement
-- Queues the acknowledgement of a new ticket.
INSERT INTO acknowledgement_queue {rows:ticket_id TEXT, message_id TEXT, queued_at BIGINT};

-- name: accept_insert_delivery
-- Inserts a delivery: pending, parked, or held as spam with its ticket.
INSERT INTO deliveries {rows:Delivery - attempts, claims, delivered_at, via, last_error, released, target};
