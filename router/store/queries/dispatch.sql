-- The outbox as the dispatcher works it off (router/dispatch/outbox.py).

-- name: dispatch_ready_integrations
-- Integrations with something to do that nobody holds: due deliveries, or a failing one's probe. What lies beyond
-- `latest_plausible` was written by a clock that was wrong. A pending delivery without a next attempt is parked; one that an
-- accept parked while its integration healed is still so on an active one.
SELECT i.id FROM integrations i
WHERE (i.lease_until <= :now OR i.lease_until > :latest_plausible) AND (
    (i.status = 'active' AND (i.paced_at <= :max_paced_at OR i.paced_at > :max_plausible_paced_at) AND (
        EXISTS (SELECT 1 FROM deliveries d
                WHERE d.integration_id = i.id AND d.state = 'pending' AND d.next_attempt_at <= :now)
        OR EXISTS (SELECT 1 FROM deliveries d
                   WHERE d.integration_id = i.id AND d.state = 'pending' AND d.next_attempt_at IS NULL)))
    OR (i.status = 'failing' AND (i.probe_at <= :now OR i.probe_at > :latest_plausible) AND EXISTS (
        SELECT 1 FROM deliveries d WHERE d.integration_id = i.id AND d.state = 'pending')))
ORDER BY i.paced_at, i.id LIMIT :limit;

-- name: dispatch_take_lease
-- Takes an integration that nobody holds, or holds on to it: one process at a time sends to a webhook.
UPDATE integrations SET lease_owner = :owner, lease_until = :until
WHERE id = :id AND (lease_until <= :now OR lease_until > :latest_plausible OR lease_owner = :owner)
RETURNING id, workspace_id, type, name, sealed_settings, hint, status, last_error, failing_since, probe_at,
          probe_interval, paced_at, lease_until, created_at;

-- name: dispatch_current_integration
-- What an integration is now, for the outcome of what it was.
SELECT sealed_settings, status FROM integrations WHERE id = :id;

-- name: dispatch_release_lease
-- Lets an integration go, unless another process has taken it over.
UPDATE integrations SET lease_owner = '', lease_until = 0 WHERE id = :id AND lease_owner = :owner;

-- name: dispatch_set_pace
-- Remembers when the last message went out, for whoever sends the next one.
UPDATE integrations SET paced_at = :paced_at WHERE id = :id;

-- name: dispatch_lease_owners
-- Who holds integrations now: a process that finds a dead one of its own host frees what that one held.
SELECT DISTINCT lease_owner FROM integrations WHERE lease_owner <> '';

-- name: dispatch_release_owner
-- Frees what a process held that is known to be dead.
UPDATE integrations SET lease_owner = '', lease_until = 0 WHERE lease_owner = :owner;

-- name: dispatch_release_owner_deliveries
-- What a dead process was sending is due at once: its outcome was never written.
UPDATE deliveries SET next_attempt_at = :now
WHERE state = 'pending' AND claims > 0 AND next_attempt_at > :now AND integration_id IN (
    SELECT id FROM integrations WHERE lease_owner = :owner)
  AND EXISTS (SELECT 1 FROM attempts a WHERE a.delivery_id = deliveries.id AND a.outcome = 'open');

-- name: dispatch_repair_times
-- A next attempt further ahead than any schedule puts it was computed by a clock that was wrong.
UPDATE deliveries SET next_attempt_at = :now WHERE state = 'pending' AND next_attempt_at > :latest_plausible;

-- name: dispatch_due_deliveries
-- The oldest due deliveries of an integration.
SELECT id, workspace_id, ticket_id, message_id, integration_id, event, state, attempts, claims, next_attempt_at,
       expires_at, parked_at, delivered_at, via, last_error, created_at
FROM deliveries
WHERE integration_id = :integration_id AND state = 'pending' AND next_attempt_at <= :now
ORDER BY next_attempt_at, id LIMIT :limit;

-- name: dispatch_digest_threshold
-- Whether more than so many are due for an integration.
SELECT id FROM deliveries
WHERE integration_id = :integration_id AND state = 'pending' AND next_attempt_at <= :now
ORDER BY next_attempt_at, id LIMIT 1 OFFSET :after;

-- name: dispatch_probe_delivery
-- The oldest delivery that waits for a failing integration, parked or not. By the index of what is pending: the
-- integration may have any number of delivered ones before it.
SELECT id, workspace_id, ticket_id, message_id, integration_id, event, state, attempts, claims, next_attempt_at,
       expires_at, parked_at, delivered_at, via, last_error, created_at
FROM deliveries
WHERE state = 'pending' AND id = COALESCE(
    (SELECT id FROM deliveries
     WHERE integration_id = :integration_id AND state = 'pending' AND next_attempt_at IS NULL
     ORDER BY next_attempt_at, id LIMIT 1),
    (SELECT id FROM deliveries
     WHERE integration_id = :integration_id AND state = 'pending'
     ORDER BY next_attempt_at, id LIMIT 1));

-- name: dispatch_begin_attempt
-- Counts the attempt before it is made; until its outcome comes the delivery waits for the end of the lease.
UPDATE deliveries SET attempts = attempts + 1, claims = claims + 1,
                      next_attempt_at = CASE WHEN parked_at IS NULL THEN CAST(:until AS BIGINT) END
WHERE id = :id AND state = 'pending' RETURNING attempts;

-- name: dispatch_insert_attempt
-- The attempt, written before the request.
INSERT INTO attempts (delivery_id, n, started_at) VALUES (:delivery_id, :n, :started_at);

-- name: dispatch_record_attempt
-- The attempt's outcome, written after the answer.
UPDATE attempts SET finished_at = :finished_at, outcome = :outcome, status = :status, latency = :latency,
                    answer = :answer
WHERE delivery_id = :delivery_id AND n = :n;

-- name: dispatch_mark_lost
-- An earlier attempt whose process died before it wrote the outcome: whether it arrived is not known.
UPDATE attempts SET finished_at = :now, outcome = 'lost' WHERE delivery_id = :delivery_id AND outcome = 'open';

-- name: dispatch_mark_delivered
-- Done.
UPDATE deliveries SET state = 'delivered', delivered_at = :now, via = :via, next_attempt_at = NULL, parked_at = NULL,
                      claims = 0, last_error = ''
WHERE id = :id AND state = 'pending';

-- name: dispatch_reschedule
-- To be tried again, at a time and in a form.
UPDATE deliveries SET next_attempt_at = CASE WHEN parked_at IS NULL THEN CAST(:next_attempt_at AS BIGINT) END,
                      via = :via, claims = 0, last_error = :reason
WHERE id = :id AND state = 'pending';

-- name: dispatch_mark_dead
-- Given up: kept, shown, can be replayed.
UPDATE deliveries SET state = 'dead', next_attempt_at = NULL, parked_at = NULL, last_error = :reason
WHERE id = :id AND state = 'pending';

-- name: dispatch_park
-- All that waits for an integration that cannot take it: no next attempt, and its age stands still.
UPDATE deliveries SET parked_at = :now, next_attempt_at = NULL, claims = 0
WHERE integration_id = :integration_id AND state = 'pending' AND parked_at IS NULL;

-- name: dispatch_unpark
-- What waited goes on where it stood. What is parked has no next attempt: so the index finds it among all that is pending.
UPDATE deliveries SET next_attempt_at = :now, expires_at = expires_at + (CAST(:now AS BIGINT) - parked_at),
                      parked_at = NULL
WHERE integration_id = :integration_id AND state = 'pending' AND next_attempt_at IS NULL AND parked_at IS NOT NULL;

-- name: dispatch_mark_failing
-- The integration cannot take anything until a person or its far side mends it; from time to time one is tried.
UPDATE integrations SET status = 'failing', last_error = :reason, failing_since = COALESCE(failing_since, :now),
                        probe_interval = :probe_interval, probe_at = :probe_at
WHERE id = :id;

-- name: dispatch_mark_active
-- The integration takes messages again.
UPDATE integrations SET status = 'active', last_error = '', failing_since = NULL, probe_at = NULL, probe_interval = 0
WHERE id = :id;

-- name: dispatch_set_last_error
-- The last reason why a message did not arrive, for whoever looks at an integration that is not failing yet.
UPDATE integrations SET last_error = :reason WHERE id = :id AND last_error <> :reason;

-- name: dispatch_fail_orphans
-- Integrations can be removed in the moment a mail for them is committed: what is owed to nobody is dead, and shown.
UPDATE deliveries SET state = 'dead', next_attempt_at = NULL, parked_at = NULL, last_error = :reason
WHERE state = 'pending' AND integration_id NOT IN (SELECT id FROM integrations);

-- name: dispatch_notification
-- What a ticket event is told with.
SELECT d.id AS delivery_id, d.event, t.id AS ticket_id, t.number, t.address, t.status, t.subject AS ticket_subject,
       m.id AS message_id, m.subject, m.from_name, m.from_address, m.received_at, m.automatic, m.protocol
FROM deliveries d
JOIN tickets t ON t.id = d.ticket_id
JOIN messages m ON m.id = d.message_id
WHERE d.id = :delivery_id;

-- name: dispatch_notifications_by_ticket
-- The same for the latest messages of a ticket, whether or not a delivery tells of them; newest first.
SELECT DISTINCT CASE WHEN tm.joined_by = '' THEN 'opened' ELSE 'replied' END AS event, t.id AS ticket_id, t.number,
       t.address, t.status, m.id AS message_id, m.subject, m.from_name, m.from_address, m.received_at, m.automatic,
       m.protocol
FROM ticket_messages tm
JOIN tickets t ON t.id = tm.ticket_id
JOIN messages m ON m.id = tm.message_id
WHERE tm.ticket_id = :ticket_id AND t.workspace_id = :workspace_id
ORDER BY m.id DESC LIMIT :limit;
