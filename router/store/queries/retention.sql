-- Retention and maintenance (router/dispatch/retention.py, maintenance.py): the number of changed rows is limited.

-- name: maintenance_claim
-- Claims a maintenance task for an interval. A stored time in the future comes from a wrong clock and is replaced.
INSERT INTO installation (name, value) VALUES (:name, CAST(CAST(:now AS BIGINT) AS TEXT))
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE CAST(installation.value AS BIGINT) NOT BETWEEN CAST(:after AS BIGINT) AND CAST(:now AS BIGINT);

-- name: retention_raw_chunks
-- The oldest raw chunks, except those of replies that are still to be sent, and whether the parsed contents of the message are stored (`readable`).
SELECT r.message_id, r.n, m.received_at,
       CASE WHEN c.message_id IS NULL THEN 0 ELSE 1 END AS readable
FROM raw_chunks r
JOIN messages m ON m.id = r.message_id
LEFT JOIN message_contents c ON c.message_id = r.message_id
WHERE r.message_id > :after AND NOT (m.direction = 'outbound' AND EXISTS (
    SELECT 1 FROM replies p JOIN reply_recipients rr ON rr.reply_id = p.id JOIN deliveries d ON d.id = rr.delivery_id
    WHERE p.message_id = m.id AND d.state = 'pending'))
ORDER BY r.message_id, r.n LIMIT :limit;

-- name: retention_raw_chunks_by_ticket
-- The first raw chunks of a ticket's messages.
SELECT r.message_id, r.n FROM raw_chunks r
WHERE r.message_id IN (SELECT message_id FROM ticket_messages WHERE ticket_id = :ticket_id)
ORDER BY r.message_id, r.n LIMIT :limit;

-- name: retention_erase_chunks
-- Erases the first chunks of a message; the whole message then counts as erased.
DELETE FROM raw_chunks WHERE message_id = :message_id AND n <= :last;

-- name: retention_tickets
-- Tickets resolved before the horizon, in the order of their resolution.
SELECT t.id, t.resolved_at FROM tickets t
WHERE t.status = 'resolved' AND t.resolved_at < :horizon
  AND (t.resolved_at > :after_at OR (t.resolved_at = :after_at AND t.id > :after_id))
ORDER BY t.resolved_at, t.id LIMIT :limit;

-- name: retention_workspaces
-- All workspaces.
SELECT id FROM workspaces ORDER BY id;

-- name: retention_spam_tickets
-- Tickets of a workspace that are held as spam since before the horizon. Only those before the id `until` can be.
SELECT t.id FROM tickets t
WHERE t.workspace_id = :workspace_id AND t.spam = 1 AND t.id > :after AND t.id < :until AND t.spam_at < :horizon
ORDER BY t.id LIMIT :limit;

-- name: retention_lock_spam_ticket
-- A ticket that is still held as spam and old enough, locked.
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND t.spam = 1 AND t.spam_at < :horizon;

-- name: retention_lock_ticket
-- A ticket that is still resolved and old enough, locked.
SELECT t.id FROM tickets t WHERE t.id = :ticket_id AND t.status = 'resolved' AND t.resolved_at < :horizon;

-- name: retention_lock_deliveries
-- The deliveries of a ticket, locked, without those that another transaction has locked.
SELECT d.id, d.state, d.event FROM deliveries d WHERE d.ticket_id = :ticket_id ORDER BY d.id;

-- name: retention_count_deliveries
-- The number of deliveries of a ticket.
SELECT count(*) AS deliveries FROM deliveries WHERE ticket_id = :ticket_id;

-- name: retention_fingerprints
-- Deletes expired fingerprints.
DELETE FROM fingerprints WHERE (alias_key, fingerprint) IN (
    SELECT alias_key, fingerprint FROM fingerprints WHERE accepted_at < :horizon ORDER BY accepted_at LIMIT :limit);

-- name: retention_rate_windows
-- Deletes expired rate limit windows.
DELETE FROM rate_windows WHERE (scope, window_start) IN (
    SELECT scope, window_start FROM rate_windows WHERE window_start < :horizon ORDER BY window_start LIMIT :limit);

-- name: retention_sessions
-- Deletes expired sessions.
DELETE FROM sessions WHERE hash IN (
    SELECT hash FROM sessions WHERE expires_at < :horizon ORDER BY expires_at LIMIT :limit);

-- name: retention_drafts
-- Deletes old drafts.
DELETE FROM drafts WHERE (user_id, ticket_id, kind) IN (
    SELECT user_id, ticket_id, kind FROM drafts WHERE saved_at < :horizon ORDER BY saved_at LIMIT :limit);

-- fragment: retention_queued_replies
-- The replies that can still be canceled, in workspaces with old uploads. Their files are needed for the draft then.
SELECT r.draft FROM replies r
WHERE r.workspace_id IN (SELECT workspace_id FROM uploads WHERE created_at < :horizon)
  AND r.state = 'queued' AND r.state <> 'sent'

-- name: retention_uploads
-- Deletes old files that were uploaded for replies, except those of queued replies.
DELETE FROM uploads WHERE id IN (
    SELECT id FROM uploads
    WHERE created_at < :horizon AND id NOT IN (
        SELECT file.value FROM ({retention_queued_replies}) queued, json_each(queued.draft, '$.attachments') file)
    ORDER BY created_at LIMIT :limit);

-- name: retention_acknowledgements
-- Deletes the times of old acknowledgements.
DELETE FROM acknowledgements WHERE (workspace_id, address_key) IN (
    SELECT workspace_id, address_key FROM acknowledgements WHERE sent_at < :horizon ORDER BY workspace_id, sent_at LIMIT :limit);

-- name: retention_idempotent_requests
-- Deletes expired idempotency keys.
DELETE FROM idempotent_requests WHERE (scope, key) IN (
    SELECT scope, key FROM idempotent_requests WHERE at < :horizon ORDER BY at LIMIT :limit);
