-- The two databases read JSON lists with different functions.

-- name: overview_mails
SELECT one.n - 1 AS n, count(*) FILTER (WHERE m.found) AS scanned,
    {if alone: count(*) FILTER (WHERE m.found) - (SELECT count(*) FROM (
        SELECT 1 FROM replies r
        WHERE r.workspace_id = :workspace_id AND r.state <> 'canceled'
          AND r.id >= 'rpl_' || (min(one.span ->> 0)) AND r.id < 'rpl_' || (min(one.span ->> 1)) LIMIT :limit) AS sent)}
    {if not alone: count(*) FILTER (WHERE m.workspace_id = :workspace_id AND m.protocol <> '')} AS mails
FROM json_array_elements(CAST(:spans AS JSON)) WITH ORDINALITY AS one (span, n)
LEFT JOIN LATERAL (
    SELECT TRUE AS found {if not alone: , r.workspace_id, r.protocol} FROM messages r
    WHERE r.id >= 'msg_' || (one.span ->> 0) AND r.id < 'msg_' || (one.span ->> 1) LIMIT :limit) AS m ON TRUE
GROUP BY one.n;

-- name: overview_tickets
SELECT one.n - 1 AS n, (
    SELECT count(*) FROM (
        SELECT 1 FROM tickets t
        WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.id >= 'ticket_' || (one.span ->> 0)
          AND t.id < 'ticket_' || (one.span ->> 1) LIMIT :limit) AS found) AS tickets
FROM json_array_elements(CAST(:spans AS JSON)) WITH ORDINALITY AS one (span, n);

-- name: overview_dead
SELECT one.n - 1 AS n, (
    SELECT count(*) FROM (
        SELECT 1 FROM deliveries d
        WHERE d.workspace_id = :workspace_id AND d.state = 'dead' AND d.event <> 'updated' AND d.id >= 'dlv_' || (one.span ->> 0)
          AND d.id < 'dlv_' || (one.span ->> 1) LIMIT :limit) AS found) AS dead
FROM json_array_elements(CAST(:spans AS JSON)) WITH ORDINALITY AS one (span, n);

-- name: overview_resolved
SELECT one.n - 1 AS n, (
    SELECT count(*) FROM (
        SELECT 1 FROM tickets t
        WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.status = 'resolved'
          AND t.resolved_at >= CAST(one.span ->> 0 AS BIGINT) AND t.resolved_at < CAST(one.span ->> 1 AS BIGINT)
        LIMIT :limit) AS found) AS resolved
FROM json_array_elements(CAST(:spans AS JSON)) WITH ORDINALITY AS one (span, n);

-- fragment: postgres_sample
SELECT t.id, t.received_at, t.claimed_at, t.resolved_at
FROM tickets t
WHERE t.workspace_id = :workspace_id AND t.id >= :since AND NOT t.spam <> 0
  AND t.number IN (SELECT CAST(one AS BIGINT) FROM json_array_elements_text(CAST(:numbers AS JSON)) AS one)

-- name: overview_ticket_times
SELECT s.received_at, s.claimed_at, s.resolved_at,
       (SELECT MIN(e.at) FROM ticket_events e
        WHERE e.ticket_id = s.id AND e.type IN ('ticket.claimed', 'ticket.assigned')) AS first_claimed_at
FROM ({postgres_sample}) AS s;

-- name: overview_delivery_times
SELECT d.created_at, d.delivered_at
FROM ({postgres_sample}) AS s CROSS JOIN deliveries d
WHERE d.ticket_id = s.id AND d.event IN ('opened', 'replied') AND d.state = 'delivered' LIMIT :limit;
