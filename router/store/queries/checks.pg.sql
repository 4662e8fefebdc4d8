-- PostgreSQL needs explicit row locks, executes a statement once for many rows, and reads JSON lists with other functions.

-- name: check_queue_claim
WITH wanted AS (
    SELECT * FROM unnest(CAST(:message_id AS TEXT[]), CAST(:owner AS TEXT[]), CAST(:until AS BIGINT[]),
                         CAST(:now AS BIGINT[]), CAST(:latest_plausible AS BIGINT[]))
                  AS wanted (message_id, owner, until, now, latest_plausible)
), locked AS MATERIALIZED (
    SELECT q.message_id, wanted.owner, wanted.until FROM wanted JOIN check_queue q ON q.message_id = wanted.message_id
    WHERE q.lease_until <= wanted.now OR q.lease_until > wanted.latest_plausible
    FOR UPDATE OF q SKIP LOCKED
)
UPDATE check_queue q SET claims = q.claims + 1, lease_owner = locked.owner, lease_until = locked.until
FROM locked WHERE q.message_id = locked.message_id
RETURNING q.message_id, q.claims, q.recheck;

-- name: check_messages
SELECT {Message:m}, r.data, (
    SELECT COALESCE(MIN(CASE WHEN d.mx_managed = 'upstream' THEN 1 ELSE 0 END), 0) FROM ticket_messages tm
    LEFT JOIN aliases a ON a.id = tm.alias_id
    LEFT JOIN domains d ON d.id = a.domain_id
    WHERE tm.message_id = m.id) AS is_upstream
FROM json_array_elements_text(CAST(:ids AS JSON)) AS asked (id)
JOIN messages m ON m.id = asked.id
LEFT JOIN raw_chunks r ON r.message_id = m.id AND r.n = 0;

-- name: check_recipients
SELECT DISTINCT message_id, recipient FROM ticket_messages
WHERE message_id IN (SELECT json_array_elements_text(CAST(:ids AS JSON))) ORDER BY message_id, recipient;

-- name: check_lock_tickets
SELECT tm.message_id, t.id AS ticket_id, tm.joined_by, t.spam, t.status, t.assigned_to, w.check_policy AS workspace_policy,
       t.workspace_id, m.from_address, m.automatic, m.received_at,
       COALESCE(a.check_policy, '{}') AS alias_policy, CASE WHEN c.message_id IS NULL THEN 0 ELSE 1 END AS is_checked,
       CASE WHEN EXISTS (
           SELECT 1 FROM deliveries d
           WHERE d.ticket_id = t.id AND (d.state = 'delivered' OR d.claims > 0) AND d.event <> 'updated'
             AND d.target = 'integration'
       ) THEN 1 ELSE 0 END AS is_posted
FROM (SELECT DISTINCT message_id, ticket_id, joined_by FROM ticket_messages
      WHERE message_id = ANY (CAST(:message_id AS TEXT[]))) tm
JOIN tickets t ON t.id = tm.ticket_id
JOIN messages m ON m.id = tm.message_id
JOIN workspaces w ON w.id = t.workspace_id
LEFT JOIN aliases a ON a.id = t.alias_id
LEFT JOIN message_checks c ON c.message_id = tm.message_id
ORDER BY t.id
FOR NO KEY UPDATE OF t;
