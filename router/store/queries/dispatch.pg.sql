-- PostgreSQL executes a statement once for many integration workers, with arrays as parameters.

-- fragment: can_lease_wanted
-- `can_lease` for the row `wanted` and the integration `i`.
(i.lease_until <= wanted.now OR i.lease_until > wanted.latest_plausible OR i.lease_owner = wanted.owner)

-- name: dispatch_lock_integrations
-- SKIP LOCKED: a locked integration must not delay the others of a group. With `has_outcome`, the lease does not matter.
WITH wanted AS (
    SELECT * FROM unnest(CAST(:id AS TEXT[]), CAST(:owner AS TEXT[]), CAST(:now AS BIGINT[]),
                         CAST(:latest_plausible AS BIGINT[]), CAST(:has_outcome AS BIGINT[]))
                  AS wanted (id, owner, now, latest_plausible, has_outcome)
), locked AS MATERIALIZED (
    SELECT i.id, i.encrypted_settings, i.hint, i.status, i.lease_owner
    FROM wanted JOIN integrations i ON i.id = wanted.id
    WHERE wanted.has_outcome = 1 OR (i.{is_kept} AND {can_lease_wanted})
    FOR NO KEY UPDATE OF i SKIP LOCKED
)
SELECT i.id, locked.encrypted_settings, locked.hint, locked.status, locked.lease_owner,
       CASE WHEN locked.id IS NULL THEN 0 ELSE 1 END AS is_locked
FROM wanted JOIN integrations i ON i.id = wanted.id LEFT JOIN locked ON locked.id = i.id;

-- name: dispatch_take_lease
UPDATE integrations i SET lease_owner = wanted.owner, lease_until = wanted.until
FROM unnest(CAST(:id AS TEXT[]), CAST(:owner AS TEXT[]), CAST(:until AS BIGINT[]), CAST(:now AS BIGINT[]),
            CAST(:latest_plausible AS BIGINT[])) AS wanted (id, owner, until, now, latest_plausible)
WHERE i.id = wanted.id AND i.{is_kept} AND {can_lease_wanted}
RETURNING {Integration:i};

-- fragment: is_wanted_due
-- `is_due` for the row `wanted`.
integration_id = wanted.integration_id AND state = 'pending' AND next_attempt_at <= wanted.now AND event <> 'updated'

-- name: dispatch_due_deliveries
-- The order in EXISTS makes the planner, which does not know the value of OFFSET, use the index, not a bitmap of all due
-- deliveries.
SELECT due.*
FROM unnest(CAST(:integration_id AS TEXT[]), CAST(:now AS BIGINT[]), CAST(:digest_after AS BIGINT[]),
            CAST(:digest_limit AS BIGINT[]), CAST(:updates_now AS BIGINT[]))
     AS wanted (integration_id, now, digest_after, digest_limit, updates_now)
CROSS JOIN LATERAL (
    (SELECT {Delivery} FROM deliveries WHERE {is_wanted_due}
     ORDER BY next_attempt_at, id
     LIMIT CASE WHEN EXISTS (SELECT 1 FROM deliveries WHERE {is_wanted_due}
                              ORDER BY next_attempt_at, id LIMIT 1 OFFSET wanted.digest_after)
                THEN wanted.digest_limit ELSE 1 END)
    UNION ALL
    (SELECT {Delivery} FROM deliveries
     WHERE integration_id = wanted.integration_id AND state = 'pending' AND event = 'updated'
       AND next_attempt_at <= wanted.updates_now
     ORDER BY next_attempt_at, id LIMIT 1)
) AS due
ORDER BY due.next_attempt_at, due.id;

-- name: dispatch_begin_attempt
-- COALESCE keeps the planner off the indexes of pending deliveries, which it would scan whole.
UPDATE deliveries d SET attempts = d.attempts + 1, claims = d.claims + 1,
                        next_attempt_at = CASE WHEN d.parked_at IS NULL THEN begun.until END
FROM unnest(CAST(:id AS TEXT[]), CAST(:until AS BIGINT[])) AS begun (id, until)
WHERE d.id = begun.id AND COALESCE(d.state, '') = 'pending'
RETURNING d.id, d.attempts;

-- name: dispatch_notification
SELECT {notification_columns}, {notified_message}, {ticket_state}, {tag_names_pg} FROM {notification_tables}
WHERE d.id = ANY (CAST(:delivery_id AS TEXT[]));

-- name: dispatch_notifications_by_ticket
SELECT DISTINCT {preview_event}, {notified_message}, {ticket_state}, {tag_names_pg} FROM {preview_rows};
