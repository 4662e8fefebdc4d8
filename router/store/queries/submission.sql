-- The mail that waits for a smarthost (router/dispatch/submission_*.py). The lease of a delivery is its
-- `next_attempt_at`, and the number of its attempt is the fencing token: only the newest attempt changes it. The
-- transactions lock tickets, smarthosts, deliveries, then attempts.

-- fragment: waiting_at
-- Pending deliveries at the smarthost `s`, of the index of pending messages.
SELECT d.id FROM deliveries d WHERE d.integration_id = s.id AND d.state = 'pending' AND d.event <> 'updated'

-- name: submission_ready
-- The smarthosts with work: due mail, parked mail at an active one, or a probe that is due. A time of a probe after
-- `latest_plausible` comes from a wrong clock.
SELECT {Smarthost:s} FROM smarthosts s
WHERE ({waiting_at} AND d.next_attempt_at <= :now {first}) IS NOT NULL
   OR (s.status = 'active' AND ({waiting_at} AND d.next_attempt_at IS NULL {first}) IS NOT NULL)
   OR (s.status = 'failing' AND (s.probe_at <= :now OR s.probe_at > :latest_plausible)
       AND ({waiting_at} AND d.next_attempt_at IS NULL {first}) IS NOT NULL)
ORDER BY s.id;

-- name: submission_park
-- Parks up to `limit` due deliveries of a failing smarthost. Parked time does not count towards their expiry.
UPDATE deliveries SET parked_at = :now, next_attempt_at = NULL, claims = 0, last_error = :reason
WHERE COALESCE(state, '') = 'pending' AND parked_at IS NULL AND next_attempt_at <= :now AND id IN (
    SELECT d.id FROM deliveries d
    WHERE d.integration_id = :smarthost_id AND d.state = 'pending' AND d.event <> 'updated' AND d.next_attempt_at <= :now
    ORDER BY d.next_attempt_at, d.id LIMIT :limit)
RETURNING id;

-- name: submission_explain
-- Stores why a reply waits.
UPDATE replies SET last_error = :reason
WHERE id = (SELECT rr.reply_id FROM reply_recipients rr WHERE rr.delivery_id = :delivery_id) AND last_error <> :reason;

-- name: submission_due
-- The first due deliveries of an active smarthost.
SELECT d.id, d.workspace_id, d.ticket_id, d.integration_id, d.attempts, d.claims FROM deliveries d
WHERE d.integration_id = :smarthost_id AND d.state = 'pending' AND d.event <> 'updated' AND d.next_attempt_at <= :now
ORDER BY d.next_attempt_at, d.id LIMIT :limit;

-- name: submission_probe
-- Of the oldest parked deliveries of a smarthost, the one that was tried least: the mail of one sender may be rejected.
SELECT id, workspace_id, ticket_id, integration_id, attempts, claims FROM (
    SELECT d.id, d.workspace_id, d.ticket_id, d.integration_id, d.attempts, d.claims FROM deliveries d
    WHERE d.integration_id = :smarthost_id AND d.state = 'pending' AND d.target = 'smarthost' AND d.parked_at IS NOT NULL
    ORDER BY d.id LIMIT :limit) AS oldest
ORDER BY attempts, id LIMIT 1;

-- name: submission_begin_probe
-- Reserves the probe of a failing smarthost. If its process ends without an outcome, the next one is at `next_probe_at`.
UPDATE smarthosts SET probe_at = :next_probe_at
WHERE id = :smarthost_id AND status = 'failing' AND (probe_at <= :now OR probe_at > :latest_plausible)
RETURNING id;

-- name: submission_sent_count
-- How many mails of a workspace were sent since a time, at most `limit`, and when the first one of these was.
SELECT COUNT(*) AS sent, MIN(newest.delivered_at) AS first_at, CAST(:workspace_id AS TEXT) AS workspace_id FROM (
    SELECT d.delivered_at FROM deliveries d
    WHERE d.workspace_id = :workspace_id AND d.state = 'delivered' AND d.target = 'smarthost' AND d.delivered_at > :since
    ORDER BY d.delivered_at DESC LIMIT :limit) AS newest;

-- name: submission_postpone
-- Postpones the mail of a workspace among the first due deliveries of a smarthost.
UPDATE deliveries SET next_attempt_at = :until, last_error = :reason
WHERE COALESCE(state, '') = 'pending' AND parked_at IS NULL AND next_attempt_at <= :now AND id IN (
    SELECT first_due.id FROM (
        SELECT d.id, d.workspace_id FROM deliveries d
        WHERE d.integration_id = :smarthost_id AND d.state = 'pending' AND d.event <> 'updated'
          AND d.next_attempt_at <= :now
        ORDER BY d.next_attempt_at, d.id LIMIT :limit) AS first_due
    WHERE first_due.workspace_id = :workspace_id)
RETURNING id;

-- name: submission_lock_tickets
-- Locks a ticket until the commit: other transactions then do not change the states of its replies.
SELECT id FROM tickets WHERE id = :ticket_id;

-- name: submission_lock_free_tickets
-- Locks a ticket until the commit, unless another transaction has locked it.
SELECT id FROM tickets WHERE id = :ticket_id;

-- name: submission_begin
-- Takes the lease of a delivery that is due or parked, and counts its attempt. It is due again when the lease ends.
UPDATE deliveries SET attempts = attempts + 1, claims = claims + 1, next_attempt_at = CAST(:until AS BIGINT),
                      expires_at = expires_at + COALESCE(CAST(:now AS BIGINT) - parked_at, 0), parked_at = NULL
WHERE id = :id AND COALESCE(state, '') = 'pending' AND (parked_at IS NOT NULL OR next_attempt_at <= :now)
RETURNING id, attempts;

-- name: submission_insert_attempt
-- Inserts an attempt, before the connection to the smarthost.
INSERT INTO attempts {values:delivery_id TEXT, n BIGINT, started_at BIGINT, owner TEXT};

-- name: submission_read
-- What is sent by a delivery, and the state of its reply. `answered` is 1 if a person wrote to the ticket after the
-- reply. A delivery whose reply was removed has no row.
SELECT d.id AS delivery_id, d.integration_id AS smarthost_id, d.workspace_id, d.ticket_id, d.message_id,
       rr.reply_id, rr.address, rr.address_key, rr.token, rr.state AS recipient_state,
       r.kind, r.state AS reply_state, r.ticket_status, r.actor_type, r.actor_id, r.user_id, r.draft,
       r.created_at, r.send_at,
       m.from_address, m.size, t.status, t.resolved_at, s.url, s.rejects_token_sender,
       CASE WHEN EXISTS (
           SELECT 1 FROM ticket_messages tm JOIN messages later ON later.id = tm.message_id
           WHERE tm.ticket_id = d.ticket_id AND tm.message_id > d.message_id AND later.direction = 'inbound'
             AND later.kind = 'mail' AND later.automatic = '') THEN 1 ELSE 0 END AS answered
FROM deliveries d
JOIN reply_recipients rr ON rr.delivery_id = d.id
JOIN replies r ON r.id = rr.reply_id
JOIN messages m ON m.id = d.message_id
JOIN tickets t ON t.id = d.ticket_id
LEFT JOIN smarthosts s ON s.id = d.integration_id
WHERE d.id = :delivery_id;

-- name: submission_domain
-- A domain of a workspace by its name.
SELECT id, workspace_id, name, mx_managed FROM domains WHERE workspace_id = :workspace_id AND name = :name;

-- name: submission_set_status
-- Gives a locked ticket the status of its reply.
UPDATE tickets SET status = :status, resolved_at = :resolved_at, updated_at = :now WHERE id = :ticket_id;

-- name: submission_delete_upload
-- Deletes a file that was sent with a reply, with its chunks.
DELETE FROM uploads WHERE id = :id AND workspace_id = :workspace_id;

-- name: submission_set_recipient
-- Sets the state of a recipient; a bounce that came earlier stays.
UPDATE reply_recipients SET state = :state, code = :code, text = :text, at = :at
WHERE delivery_id = :delivery_id AND state NOT IN ('bounced', 'canceled');

-- name: submission_begin_recipient
-- Marks a recipient as being sent to; a bounce that came after a lost answer stays.
UPDATE reply_recipients SET state = 'sending' WHERE delivery_id = :delivery_id AND state NOT IN ('bounced', 'canceled');

-- name: submission_recipients
-- The states of the recipients of a reply.
SELECT reply_id, state FROM reply_recipients WHERE reply_id = :reply_id;

-- name: submission_set_reply
-- Sets the state of a reply, and when its first recipient was handed over.
UPDATE replies SET state = :state, last_error = COALESCE(CAST(:last_error AS TEXT), last_error),
                   sent_at = COALESCE(sent_at, CAST(:sent_at AS BIGINT))
WHERE id = :reply_id;

-- name: submission_first_reply
-- Stores when the first reply to a ticket was handed over.
UPDATE tickets SET first_replied_at = :now WHERE id = :ticket_id AND first_replied_at IS NULL;

-- name: submission_insert_id
-- Stores a Message-ID that the smarthost has assigned to the message of a ticket.
INSERT INTO sent_message_ids (rfc_message_id, thread_key, ticket_id)
SELECT DISTINCT CAST(:rfc_message_id AS TEXT), tm.thread_key, tm.ticket_id FROM ticket_messages tm
WHERE tm.ticket_id = :ticket_id AND tm.message_id = :message_id
ON CONFLICT (rfc_message_id, thread_key, ticket_id) DO NOTHING;

-- name: submission_renew
-- Extends the lease of an attempt, and never shortens it: a renewal may come after the final dot. Returns no row if
-- another attempt was begun, or if the delivery has ended.
UPDATE deliveries
SET next_attempt_at = CASE WHEN next_attempt_at > CAST(:until AS BIGINT) THEN next_attempt_at ELSE CAST(:until AS BIGINT) END
WHERE id = :delivery_id AND attempts = :n AND COALESCE(state, '') = 'pending' AND parked_at IS NULL
RETURNING id;

-- name: submission_set_final_dot
-- Stores that the data of an attempt is about to be ended.
UPDATE attempts SET final_dot_at = :now WHERE delivery_id = :delivery_id AND n = :n;

-- name: submission_lock_smarthost
-- Locks a smarthost until the commit.
SELECT {Smarthost} FROM smarthosts WHERE id = :id;

-- fragment: was_rejected
-- Whether an earlier attempt of a delivery has made its smarthost fail.
CASE WHEN EXISTS (SELECT 1 FROM attempts a WHERE a.delivery_id = deliveries.id AND a.outcome = 'parked')
    THEN 1 ELSE 0 END AS was_rejected

-- name: submission_lock_delivery
-- Locks a delivery until the commit.
SELECT id, attempts, state, expires_at, parked_at, {was_rejected} FROM deliveries WHERE id = :delivery_id;

-- name: submission_reschedule
-- Schedules the next attempt of a delivery.
UPDATE deliveries SET next_attempt_at = :next_attempt_at, parked_at = NULL, claims = 0, last_error = :reason
WHERE id = :id AND state = 'pending';

-- name: submission_move
-- Queues a delivery for the smarthost that its domain has now.
UPDATE deliveries SET integration_id = :smarthost_id, next_attempt_at = :now, claims = 0 WHERE id = :id AND state = 'pending';

-- name: submission_mark_sent
-- Marks a delivery as handed over, also one that was failed meanwhile.
UPDATE deliveries SET state = 'delivered', delivered_at = :now, next_attempt_at = NULL, parked_at = NULL, claims = 0,
                      last_error = ''
WHERE id = :id AND state IN ('pending', 'dead');

-- name: submission_mark_failing
-- Marks a smarthost as failing.
UPDATE smarthosts SET status = 'failing', last_error = :reason, failing_since = COALESCE(failing_since, :now),
                      probe_interval = :probe_interval, probe_at = :probe_at
WHERE id = :id;

-- name: submission_mark_active
-- Marks a smarthost as active. `rejects_token_sender` is 1 or 0, or NULL for no change.
UPDATE smarthosts SET status = 'active', last_error = '', failing_since = NULL, probe_at = NULL, probe_interval = 0,
                      rejects_token_sender = COALESCE(CAST(:rejects_token_sender AS BIGINT), rejects_token_sender)
WHERE id = :id;

-- name: submission_set_last_error
-- Stores the last error of an active smarthost.
UPDATE smarthosts SET last_error = :reason WHERE id = :id AND last_error <> :reason;

-- name: submission_open_attempts
-- The deliveries that processes are sending, with the newest attempt of each.
SELECT d.id AS delivery_id, d.attempts AS n, a.owner FROM deliveries d
JOIN attempts a ON a.delivery_id = d.id AND a.n = d.attempts
WHERE d.state = 'pending' AND d.target = 'smarthost' AND a.outcome = 'open' AND a.owner <> '';

-- name: submission_release
-- Makes the delivery of a dead process due.
UPDATE deliveries SET next_attempt_at = :now
WHERE id = :delivery_id AND attempts = :n AND COALESCE(state, '') = 'pending' AND parked_at IS NULL;

-- name: submission_adopt
-- Queues the mail for smarthosts that no longer exist for that of the installation.
UPDATE deliveries SET integration_id = 'installation'
WHERE COALESCE(state, '') = 'pending' AND id IN (
    SELECT d.id FROM deliveries d
    WHERE d.state = 'pending' AND d.target = 'smarthost' AND d.integration_id NOT IN (SELECT s.id FROM smarthosts s));

-- name: submission_content
-- The chunks of the content of a message, in order.
SELECT data FROM raw_chunks WHERE message_id = :message_id ORDER BY n;
