-- The two databases read JSON lists with different functions.

-- name: overview_mails
SELECT one.n - 1 AS n, count(*) FILTER (WHERE m.found) AS scanned,
    count(*) FILTER (WHERE {if alone: m.found}{if not alone: m.workspace_id = :workspace_id}) AS mails
FROM json_array_elements(CAST(:spans AS JSON)) WITH ORDINALITY AS one (span, n)
LEFT JOIN LATERAL (
    SELECT TRUE AS found {if not alone: , r.workspace_id} FROM messages r
    WHERE r.id >= 'msg_' || (one.span ->> 0) AND r.id < 'msg_' || (one.span ->> 1) LIMIT :limit) AS m ON TRUE
GROUP BY one.n;

-- name: overview_tickets
SELECT one.n - 1 AS n, (
    SELECT count(*) FROM (
        SELECT 1 FROM tickets t
        WHERE t.workspace_id = :workspace_id AND t.id >= 'ticket_' || (one.span ->> 0)
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
        WHERE t.workspace_id = :workspace_id AND t.status = 'resolved'
          AND t.resolved_at >= CAST(one.span ->> 0 AS BIGINT) AND t.resolved_at < CAST(one.span ->> 1 AS BIGINT)
        LIMIT :limit) AS found) AS resolved
FROM json_array_elements(CAST(:spans AS JSON)) WITH ORDINALITY AS one (span, n);
