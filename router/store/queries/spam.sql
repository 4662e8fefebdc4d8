-- Tickets held as spam, and their deliveries (router/store/spam_marks.py). The tickets are locked first.

-- name: spam_mark_tickets
-- Marks tickets as spam that are not spam yet, and reserves the sequence of the event.
UPDATE tickets SET spam = 1, spam_reason = :reason, spam_at = :now, updated_at = :now, last_sequence = last_sequence + 1
WHERE id = :ticket_id AND spam = 0
RETURNING id AS ticket_id, workspace_id, last_sequence;

-- name: spam_release_tickets
-- Releases tickets from spam, and reserves the sequence of the event.
UPDATE tickets SET spam = 0, spam_reason = '', spam_at = NULL, updated_at = :now, last_sequence = last_sequence + 1
WHERE id = :ticket_id AND spam = 1
RETURNING id AS ticket_id, workspace_id, last_sequence;

-- name: spam_hold_deliveries
-- Holds the pending messages of tickets. A message that is being sent counts as delivered if its attempt succeeds. The
-- updates of posts, replies and posts about replies go on.
UPDATE deliveries SET state = 'spam', next_attempt_at = NULL, parked_at = NULL, awaiting = NULL, claims = 0
WHERE ticket_id = :ticket_id AND state = 'pending' AND event IN ('opened', 'replied');

-- fragment: has_integration
-- Whether the integration of a delivery still exists.
EXISTS (SELECT 1 FROM integrations i WHERE i.id = deliveries.integration_id)

-- name: spam_release_deliveries
-- Makes the held deliveries of tickets due, with the time to retry of new ones. A failing integration is claimed as for
-- parked deliveries. One whose integration was deleted meanwhile fails.
UPDATE deliveries SET
    state = CASE WHEN {has_integration} THEN 'pending' ELSE 'dead' END,
    next_attempt_at = CASE WHEN {has_integration} THEN CAST(:now AS BIGINT) END,
    last_error = CASE WHEN {has_integration} THEN last_error ELSE CAST(:removed AS TEXT) END,
    expires_at = :expires_at, released = 1
WHERE ticket_id = :ticket_id AND state = 'spam'
RETURNING integration_id;
