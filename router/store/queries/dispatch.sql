-- The outbox (router/dispatch/outbox.py). Pending deliveries have two indexes, one for messages and one for the updates
-- of posts, so a query of both reads them one after the other.

-- fragment: is_kept
-- An integration is not being deleted: the deletion first erases its settings.
encrypted_settings <> ''

-- fragment: pending_message
-- Pending deliveries of the integration `i` that are not updates of posts.
SELECT d.id FROM deliveries d WHERE d.integration_id = i.id AND d.state = 'pending' AND d.event <> 'updated'

-- fragment: pending_update
-- Pending updates of posts of the integration `i`.
SELECT d.id FROM deliveries d WHERE d.integration_id = i.id AND d.state = 'pending' AND d.event = 'updated'

-- fragment: first
-- The first one in the index of pending deliveries. In EXISTS, PostgreSQL ignores the order, and could scan the table.
ORDER BY d.next_attempt_at, d.id LIMIT 1

-- name: dispatch_ready_integrations
-- Integrations without a valid lease and with due work. Times after `latest_plausible` come from a wrong clock. Parked
-- deliveries of an active integration count as due: an accept transaction can park one during the reactivation.
-- `types` is a list such as `,slack,teams,`; `is_listed` is 1 for the integrations of these types, 0 for the others.
SELECT i.id, i.paced_at FROM integrations i
WHERE CASE WHEN CAST(:types AS TEXT) LIKE '%,' || i.type || ',%' THEN 1 ELSE 0 END = :is_listed
  AND {is_kept}
  AND (i.lease_until <= :now OR i.lease_until > :latest_plausible) AND (
    (i.status = 'active' AND (i.paced_at <= :max_paced_at OR i.paced_at > :max_plausible_paced_at) AND (
        ({pending_message} AND d.next_attempt_at <= :now {first}) IS NOT NULL
        OR ((i.updates_after <= :now OR i.updates_after > :latest_plausible)
            AND ({pending_update} AND d.next_attempt_at <= :now {first}) IS NOT NULL)
        OR ({pending_message} AND d.next_attempt_at IS NULL {first}) IS NOT NULL
        OR ({pending_update} AND d.next_attempt_at IS NULL {first}) IS NOT NULL))
    OR (i.status = 'failing' AND (i.probe_at <= :now OR i.probe_at > :latest_plausible) AND (
        ({pending_message} {first}) IS NOT NULL OR ({pending_update} {first}) IS NOT NULL)))
ORDER BY i.paced_at, i.id LIMIT :limit;

-- fragment: can_lease
-- The lease of an integration has expired or belongs to `owner`.
(lease_until <= :now OR lease_until > :latest_plausible OR lease_owner = :owner)

-- name: dispatch_take_lease
-- Takes or extends the lease of an integration, which keeps other processes from sending to it. An integration that is
-- being deleted has no further lease.
UPDATE integrations SET lease_owner = :owner, lease_until = :until
WHERE id = :id AND {is_kept} AND {can_lease}
RETURNING {Integration};

-- name: dispatch_lock_integrations
-- Locks an integration, unless another transaction has locked it (`is_locked` is then 0) or it is deleted. Without an
-- outcome to record, locks it only if its lease can be taken. The settings and the status are compared with those at
-- the start of an attempt, the owner of the lease with this process.
SELECT id, encrypted_settings, hint, status, lease_owner, 1 AS is_locked FROM integrations
WHERE id = :id AND (:has_outcome = 1 OR ({is_kept} AND {can_lease}));

-- name: dispatch_release_lease
-- Releases the lease of an integration, unless another process has taken it.
UPDATE integrations SET lease_owner = '', lease_until = 0 WHERE id = :id AND lease_owner = :owner;

-- name: dispatch_set_pace
-- Stores the pacing state of an integration.
UPDATE integrations SET paced_at = :paced_at WHERE id = :id;

-- name: dispatch_delay_updates
-- Delays the updates of the posts of an integration.
UPDATE integrations SET updates_after = :updates_after WHERE id = :id;

-- name: dispatch_lease_owners
-- The owners of all leases, including expired leases.
SELECT DISTINCT lease_owner FROM integrations WHERE lease_owner <> '';

-- name: dispatch_release_owner
-- Releases the leases of a dead process.
UPDATE integrations SET lease_owner = '', lease_until = 0 WHERE lease_owner = :owner RETURNING id;

-- name: dispatch_release_owner_deliveries
-- Schedules an immediate attempt of the deliveries that a dead process was sending to an integration.
UPDATE deliveries SET next_attempt_at = :now
WHERE id IN (
    SELECT id FROM deliveries
    WHERE integration_id = :integration_id AND state = 'pending' AND event <> 'updated' AND next_attempt_at > :now
      AND claims > 0
    UNION ALL
    SELECT id FROM deliveries
    WHERE integration_id = :integration_id AND state = 'pending' AND event = 'updated' AND next_attempt_at > :now
      AND claims > 0)
  AND COALESCE(state, '') = 'pending' AND claims > 0 AND next_attempt_at > :now
  AND EXISTS (SELECT 1 FROM attempts a WHERE a.delivery_id = deliveries.id AND a.outcome = 'open');

-- name: dispatch_repair_times
-- Schedules an immediate attempt of the deliveries that a wrong clock delayed.
UPDATE deliveries SET next_attempt_at = :now
WHERE id IN (
    SELECT id FROM deliveries WHERE state = 'pending' AND event <> 'updated' AND next_attempt_at > :latest_plausible
    UNION ALL
    SELECT id FROM deliveries WHERE state = 'pending' AND event = 'updated' AND next_attempt_at > :latest_plausible)
  AND COALESCE(state, '') = 'pending' AND next_attempt_at > :latest_plausible;

-- fragment: is_due
-- A due delivery that is not the update of a post.
integration_id = :integration_id AND state = 'pending' AND next_attempt_at <= :now AND event <> 'updated'

-- name: dispatch_due_deliveries
-- The oldest due messages of an integration: one, or `digest_limit` if more than `digest_after` are due. Then the oldest
-- update of a post that is due at `updates_now`.
SELECT * FROM (
    SELECT {Delivery} FROM deliveries WHERE {is_due}
    ORDER BY next_attempt_at, id
    LIMIT CASE WHEN EXISTS (SELECT 1 FROM deliveries WHERE {is_due} LIMIT 1 OFFSET :digest_after)
               THEN :digest_limit ELSE 1 END
) AS others
UNION ALL
SELECT * FROM (
    SELECT {Delivery} FROM deliveries
    WHERE integration_id = :integration_id AND state = 'pending' AND event = 'updated'
      AND next_attempt_at <= :updates_now
    ORDER BY next_attempt_at, id LIMIT 1
) AS updates;

-- name: dispatch_probe_delivery
-- One pending delivery of a failing integration, preferably the oldest parked one; the update of a post only if there
-- is no other. The inner queries use the indexes of pending deliveries; COALESCE makes the outer query use the primary
-- key.
SELECT {Delivery}
FROM deliveries
WHERE COALESCE(state, '') = 'pending' AND id = COALESCE(
    (SELECT id FROM deliveries
     WHERE integration_id = :integration_id AND state = 'pending' AND next_attempt_at IS NULL AND event <> 'updated'
     ORDER BY next_attempt_at, id LIMIT 1),
    (SELECT id FROM deliveries
     WHERE integration_id = :integration_id AND state = 'pending' AND event <> 'updated'
     ORDER BY next_attempt_at, id LIMIT 1),
    (SELECT id FROM deliveries
     WHERE integration_id = :integration_id AND state = 'pending' AND event = 'updated'
     ORDER BY next_attempt_at, id LIMIT 1));

-- name: dispatch_begin_attempt
-- Counts an attempt before its request. Unless an outcome is recorded, the delivery is due again when the lease
-- expires. A parked delivery stays parked.
UPDATE deliveries SET attempts = attempts + 1, claims = claims + 1,
                      next_attempt_at = CASE WHEN parked_at IS NULL THEN CAST(:until AS BIGINT) END
WHERE id = :id AND state = 'pending' RETURNING id, attempts;

-- name: dispatch_insert_attempt
-- Inserts an attempt, before the request.
INSERT INTO attempts (delivery_id, n, started_at) VALUES (:delivery_id, :n, :started_at);

-- name: dispatch_record_attempt
-- Stores the outcome of an attempt.
UPDATE attempts SET finished_at = :finished_at, outcome = :outcome, status = :status, latency = :latency,
                    answer = :answer
WHERE delivery_id = :delivery_id AND n = :n;

-- name: dispatch_mark_lost
-- Marks the open attempts of a delivery as lost.
UPDATE attempts SET finished_at = :now, outcome = 'lost' WHERE delivery_id = :delivery_id AND outcome = 'open';

-- name: dispatch_mark_delivered
-- Marks a delivery as delivered, also if its ticket was marked as spam during the attempt.
UPDATE deliveries SET state = 'delivered', delivered_at = :now, via = :via, next_attempt_at = NULL, parked_at = NULL,
                      claims = 0, last_error = '', awaiting = NULL
WHERE id = :id AND state IN ('pending', 'spam');

-- name: dispatch_reschedule
-- Schedules the next attempt of a delivery; a parked delivery stays parked.
UPDATE deliveries SET next_attempt_at = CASE WHEN parked_at IS NULL THEN CAST(:next_attempt_at AS BIGINT) END,
                      via = :via, claims = 0, last_error = :reason
WHERE id = :id AND state = 'pending';

-- fragment: set_dead
-- Marks a delivery as failed permanently. It can still be replayed.
state = 'dead', next_attempt_at = NULL, parked_at = NULL, awaiting = NULL, last_error = :reason

-- name: dispatch_mark_dead
-- Fails a delivery.
UPDATE deliveries SET {set_dead} WHERE id = :id AND state = 'pending';

-- name: dispatch_mark_exhausted
-- Fails a delivery that was claimed too often, unless a change of its ticket restarts the count at the same time.
UPDATE deliveries SET {set_dead} WHERE id = :id AND state = 'pending' AND claims >= :max_claims;

-- name: dispatch_park
-- Parks up to `limit` pending deliveries of a failing integration: messages, then updates of posts, the first due ones
-- first. Parked time does not count towards their expiry. Here and in `dispatch_unpark`, the inner queries use the
-- indexes of pending deliveries, and COALESCE makes the outer one use the primary key.
UPDATE deliveries SET parked_at = :now, next_attempt_at = NULL, claims = 0
WHERE COALESCE(state, '') = 'pending' AND parked_at IS NULL AND id IN (
    SELECT * FROM (
        SELECT id FROM deliveries
        WHERE integration_id = :integration_id AND state = 'pending' AND event <> 'updated'
          AND next_attempt_at IS NOT NULL AND parked_at IS NULL
        ORDER BY next_attempt_at, id LIMIT :limit) AS messages
    UNION ALL
    SELECT * FROM (
        SELECT id FROM deliveries
        WHERE integration_id = :integration_id AND state = 'pending' AND event = 'updated'
          AND next_attempt_at IS NOT NULL AND parked_at IS NULL
        ORDER BY next_attempt_at, id LIMIT :limit) AS updates
    LIMIT :limit)
RETURNING integration_id;

-- name: dispatch_unpark
-- Makes up to `limit` parked deliveries due: messages, then updates of posts, the oldest first. Moves their expiry by
-- the parked time.
UPDATE deliveries SET next_attempt_at = :now, expires_at = expires_at + (CAST(:now AS BIGINT) - parked_at),
                      parked_at = NULL
WHERE COALESCE(state, '') = 'pending' AND parked_at IS NOT NULL AND id IN (
    SELECT * FROM (
        SELECT id FROM deliveries
        WHERE integration_id = :integration_id AND state = 'pending' AND event <> 'updated'
          AND next_attempt_at IS NULL AND parked_at IS NOT NULL
        ORDER BY next_attempt_at, id LIMIT :limit) AS messages
    UNION ALL
    SELECT * FROM (
        SELECT id FROM deliveries
        WHERE integration_id = :integration_id AND state = 'pending' AND event = 'updated'
          AND next_attempt_at IS NULL AND parked_at IS NOT NULL
        ORDER BY next_attempt_at, id LIMIT :limit) AS updates
    LIMIT :limit);

-- name: dispatch_mark_failing
-- Marks an integration as failing.
UPDATE integrations SET status = 'failing', last_error = :reason, failing_since = COALESCE(failing_since, :now),
                        probe_interval = :probe_interval, probe_at = :probe_at
WHERE id = :id;

-- name: dispatch_mark_active
-- Marks an integration as active, unless it is being deleted.
UPDATE integrations SET status = 'active', last_error = '', failing_since = NULL, probe_at = NULL, probe_interval = 0
WHERE id = :id AND {is_kept};

-- name: dispatch_set_last_error
-- Sets or clears the last error of an integration, unless it is being deleted.
UPDATE integrations SET last_error = :reason WHERE id = :id AND last_error <> :reason AND {is_kept};

-- fragment: removed
-- The first pending deliveries of an integration that is being deleted, or else of all deleted integrations.
SELECT id FROM deliveries
WHERE state = 'pending' AND {if integration_id: integration_id = :integration_id}
{if not integration_id: target = 'integration' AND integration_id NOT IN (SELECT id FROM integrations)}

-- name: dispatch_delete_removed_updates
-- Deletes the first updates of posts of deleted integrations.
DELETE FROM deliveries
WHERE id IN ({removed} AND event = 'updated' ORDER BY next_attempt_at, id LIMIT :limit) AND state = 'pending';

-- name: dispatch_fail_removed
-- Fails the first messages of deleted integrations. A change of a ticket may queue an update meanwhile.
UPDATE deliveries SET {set_dead}
WHERE id IN ({removed} AND event <> 'updated' ORDER BY next_attempt_at, id LIMIT :limit) AND state = 'pending';

-- name: dispatch_removed_delivery
-- A pending delivery of deleted integrations, if any. The order keeps PostgreSQL from scanning the table.
SELECT * FROM ({removed} AND event <> 'updated' ORDER BY integration_id, next_attempt_at, id LIMIT 1) AS messages
UNION ALL
SELECT * FROM ({removed} AND event = 'updated' ORDER BY integration_id, next_attempt_at, id LIMIT 1) AS updates
LIMIT 1;

-- fragment: notified_message
-- What a notification shows of a message `m` of a ticket `t` in a workspace `w`.
t.id AS ticket_id, t.number, t.address, m.id AS message_id, m.subject, m.from_name, m.from_address, m.received_at,
m.automatic, m.protocol, m.rfc_message_id, w.timezone, (
    SELECT max(n.new_sender) FROM ticket_messages n WHERE n.ticket_id = t.id AND n.message_id = m.id
) AS new_sender

-- fragment: check_results
-- What a post shows of the checks of the message of a delivery `d`, from its results `c`.
c.results AS check_results, (
    SELECT max(tm.warning) FROM ticket_messages tm WHERE tm.ticket_id = d.ticket_id AND tm.message_id = d.message_id
) AS warning

-- fragment: notification_columns
-- The delivery of a ticket notification, and the post of the ticket at the integration, whose event an update shows.
d.id AS delivery_id, CASE WHEN d.event = 'updated' THEN o.event ELSE d.event END AS event, p.ref AS post_ref,
p.rendered_hash, d.awaiting, d.created_at AS queued_at, w.name AS workspace_name,
CASE WHEN d.event = 'updated' THEN o.released ELSE d.released END AS released, {check_results}

-- fragment: notification_tables
-- The tables of `notification_columns`, `notified_message` and `ticket_state`.
deliveries d
JOIN tickets t ON t.id = d.ticket_id
JOIN messages m ON m.id = d.message_id
JOIN workspaces w ON w.id = t.workspace_id
LEFT JOIN users u ON u.id = t.assigned_to
LEFT JOIN posts p ON p.ticket_id = d.ticket_id AND p.integration_id = d.integration_id
LEFT JOIN deliveries o ON o.id = p.delivery_id
LEFT JOIN message_checks c ON c.message_id = d.message_id

-- name: dispatch_notification
-- The data of a ticket notification for a delivery.
SELECT {notification_columns}, {notified_message}, {ticket_state}, {tag_names}
FROM {notification_tables} WHERE d.id = :delivery_id;

-- name: dispatch_reply_failures
-- The recipients about whom a delivery tells: a reply to them failed or bounced in the transaction that queued it.
SELECT d.id AS delivery_id, rr.address, rr.code, rr.text
FROM deliveries d
JOIN replies r ON r.message_id = d.message_id
JOIN reply_recipients rr ON rr.reply_id = r.id
WHERE d.id = :delivery_id AND rr.at = d.created_at
ORDER BY rr.address;

-- fragment: preview_event
-- The event of a notification for a message of a ticket, and what the notification shows of its checks.
CASE WHEN tm.joined_by = '' THEN 'opened' ELSE 'replied' END AS event, NULL AS awaiting, 0 AS released,
c.results AS check_results, tm.warning

-- fragment: preview_rows
-- The latest messages of a ticket that are posted, newest first.
ticket_messages tm
JOIN tickets t ON t.id = tm.ticket_id
JOIN messages m ON m.id = tm.message_id
JOIN workspaces w ON w.id = t.workspace_id
LEFT JOIN users u ON u.id = t.assigned_to
LEFT JOIN message_checks c ON c.message_id = m.id
WHERE tm.ticket_id = :ticket_id AND t.workspace_id = :workspace_id AND m.direction = 'inbound' AND m.kind <> 'bounce'
ORDER BY m.id DESC LIMIT :limit

-- name: dispatch_notifications_by_ticket
-- The data of notifications for the latest messages of a ticket, newest first.
SELECT DISTINCT {preview_event}, {notified_message}, {ticket_state}, {tag_names} FROM {preview_rows};
