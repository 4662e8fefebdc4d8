-- The overview of a workspace (router/admin/installation). Ids sort by time, so a span of time is a range of ids.
-- `spans` (JSON) has the first id and the first id after each span, without prefix. Most counts stop at `limit` rows.
-- Updates of posts are not counted. Tickets are not counted while they are held as spam, but their messages are. The
-- indexes by assignee and by number do not contain `spam`: NOT keeps SQLite from using another index.

-- name: overview_mails
-- Counts the received messages of each span, and the rows that were read: messages have no index by workspace. If the
-- workspace is the only one, the messages themselves are not read: its replies are subtracted.
SELECT one.key AS n,
    {if not alone: (SELECT COALESCE(SUM(CASE WHEN found.workspace_id = :workspace_id AND found.protocol <> '' THEN 1 ELSE 0 END), 0) FROM (
        SELECT m.workspace_id, m.protocol FROM messages m
        WHERE m.id >= 'msg_' || json_extract(one.value, '$[0]') AND m.id < 'msg_' || json_extract(one.value, '$[1]')
        LIMIT :limit) AS found) AS mails,}
    {if alone: (SELECT count(*) FROM (
        SELECT 1 FROM messages m
        WHERE m.id >= 'msg_' || json_extract(one.value, '$[0]') AND m.id < 'msg_' || json_extract(one.value, '$[1]')
        LIMIT :limit) AS found) - (SELECT count(*) FROM (
        SELECT 1 FROM replies r
        WHERE r.workspace_id = :workspace_id AND r.state <> 'canceled'
          AND r.id >= 'rpl_' || json_extract(one.value, '$[0]') AND r.id < 'rpl_' || json_extract(one.value, '$[1]')
        LIMIT :limit) AS sent) AS mails,}
    (SELECT count(*) FROM (
        SELECT 1 FROM messages m
        WHERE m.id >= 'msg_' || json_extract(one.value, '$[0]') AND m.id < 'msg_' || json_extract(one.value, '$[1]')
        LIMIT :limit) AS found) AS scanned
FROM json_each(:spans) AS one;

-- name: overview_tickets
-- The number of tickets opened in each span.
SELECT one.key AS n, (
    SELECT count(*) FROM (
        SELECT 1 FROM tickets t
        WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.id >= 'ticket_' || json_extract(one.value, '$[0]')
          AND t.id < 'ticket_' || json_extract(one.value, '$[1]')
        LIMIT :limit) AS found) AS tickets
FROM json_each(:spans) AS one;

-- name: overview_dead
-- Counts dead deliveries by span of creation. The condition on state matches the partial index.
SELECT one.key AS n, (
    SELECT count(*) FROM (
        SELECT 1 FROM deliveries d
        WHERE d.workspace_id = :workspace_id AND d.state = 'dead' AND d.event <> 'updated'
          AND d.id >= 'dlv_' || json_extract(one.value, '$[0]') AND d.id < 'dlv_' || json_extract(one.value, '$[1]')
        LIMIT :limit) AS found) AS dead
FROM json_each(:spans) AS one;

-- name: overview_resolved
-- Counts the tickets that were resolved in each span, of times in microseconds.
SELECT one.key AS n, (
    SELECT count(*) FROM (
        SELECT 1 FROM tickets t
        WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.status = 'resolved'
          AND t.resolved_at >= json_extract(one.value, '$[0]') AND t.resolved_at < json_extract(one.value, '$[1]')
        LIMIT :limit) AS found) AS resolved
FROM json_each(:spans) AS one;

-- name: overview_resolved_by_person
-- Counts the newest resolved tickets by their assignee.
SELECT found.assigned_to AS user_id, count(*) AS resolved
FROM (SELECT t.assigned_to FROM tickets t
      WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.status = 'resolved' AND t.resolved_at >= :since
      ORDER BY t.resolved_at DESC LIMIT :limit) AS found
GROUP BY found.assigned_to;

-- name: overview_new_by_alias
-- Counts the tickets of each alias that were opened since an id, newest aliases first.
SELECT a.id, (SELECT count(*) FROM ({union TICKET_STATUS:
    SELECT * FROM (SELECT 1 AS found FROM tickets t WHERE t.alias_id = a.id AND t.spam = 0 AND t.status = @ AND t.id >= :since
                   LIMIT :limit) AS of_status}) AS found) AS new
FROM aliases a WHERE a.workspace_id = :workspace_id
ORDER BY a.id DESC LIMIT :max_aliases;

-- name: overview_people
-- Counts the unresolved tickets of each user.
SELECT u.id, u.name, u.email, CASE WHEN u.role <> 'viewer' AND u.disabled_at IS NULL THEN 1 ELSE 0 END AS is_active,
    (SELECT count(*) FROM (
        SELECT 1 FROM tickets t WHERE t.workspace_id = :workspace_id AND t.assigned_to = u.id AND t.status = 'open'
          AND NOT t.spam <> 0
        UNION ALL
        SELECT 1 FROM tickets t WHERE t.workspace_id = :workspace_id AND t.assigned_to = u.id AND t.status = 'in_progress'
          AND NOT t.spam <> 0
        UNION ALL
        SELECT 1 FROM tickets t WHERE t.workspace_id = :workspace_id AND t.assigned_to = u.id AND t.status = 'waiting'
          AND NOT t.spam <> 0
        LIMIT :limit) AS found) AS open
FROM users u WHERE u.workspace_id = :workspace_id
ORDER BY u.id DESC LIMIT :max_people;

-- name: overview_status
-- Counts the tickets in each status except resolved, and the unassigned tickets among them. ORDER BY selects the index
-- of unassigned tickets.
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM tickets t WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.status = 'open'
                           LIMIT :limit) AS a) AS open,
    (SELECT count(*) FROM (SELECT 1 FROM tickets t WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.status = 'in_progress'
                           LIMIT :limit) AS b) AS in_progress,
    (SELECT count(*) FROM (SELECT 1 FROM tickets t WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.status = 'waiting'
                           LIMIT :limit) AS c) AS waiting,
    (SELECT count(*) FROM (SELECT 1 FROM tickets t WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.assigned_to IS NULL
                             AND t.status <> 'resolved' ORDER BY t.id LIMIT :limit) AS d) AS unassigned;

-- name: overview_aliases
-- Counts the unresolved tickets of each alias and status, newest aliases first.
SELECT a.id, a.local_part, d.name AS domain,
    (SELECT count(*) FROM (SELECT 1 FROM tickets t WHERE t.alias_id = a.id AND t.spam = 0 AND t.status = 'open'
                           LIMIT :limit) AS o) AS open,
    (SELECT count(*) FROM (SELECT 1 FROM tickets t WHERE t.alias_id = a.id AND t.spam = 0 AND t.status = 'in_progress'
                           LIMIT :limit) AS p) AS in_progress,
    (SELECT count(*) FROM (SELECT 1 FROM tickets t WHERE t.alias_id = a.id AND t.spam = 0 AND t.status = 'waiting'
                           LIMIT :limit) AS w) AS waiting
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.workspace_id = :workspace_id
ORDER BY a.id DESC LIMIT :max_aliases;

-- fragment: sampled_tickets
-- The tickets with the given numbers (JSON) that were opened since an id and are not spam.
SELECT t.id, t.received_at, t.claimed_at, t.resolved_at
FROM json_each(:numbers) AS one CROSS JOIN tickets t
WHERE t.workspace_id = :workspace_id AND t.number = one.value AND t.id >= :since AND NOT t.spam <> 0

-- name: overview_ticket_times
-- The times of receipt, assignment and resolution of the tickets of a sample.
SELECT s.received_at, s.claimed_at, s.resolved_at,
       (SELECT MIN(e.at) FROM ticket_events e
        WHERE e.ticket_id = s.id AND e.type IN ('ticket.claimed', 'ticket.assigned')) AS first_claimed_at
FROM ({sampled_tickets}) AS s;

-- name: overview_delivery_times
-- The times of queueing and delivery of the messages of the tickets of a sample.
SELECT d.created_at, d.delivered_at
FROM ({sampled_tickets}) AS s CROSS JOIN deliveries d
WHERE d.ticket_id = s.id AND d.event IN ('opened', 'replied') AND d.state = 'delivered' LIMIT :limit;

-- name: overview_numbers
-- The number of the newest ticket, and that of the oldest one since an id that is not spam.
SELECT (SELECT MAX(number) FROM tickets WHERE workspace_id = :workspace_id) AS newest,
       (SELECT t.number FROM tickets t WHERE t.workspace_id = :workspace_id AND t.spam = 0 AND t.id >= :since
        ORDER BY t.id LIMIT 1) AS oldest;

-- name: overview_spam
-- The number of tickets that are held as spam. ORDER BY selects the smallest index.
SELECT count(*) AS spam FROM (SELECT 1 FROM tickets t WHERE t.workspace_id = :workspace_id AND t.spam = 1
                              ORDER BY t.id LIMIT :limit) AS found;

-- name: health_queue
-- Counts the scheduled and the parked deliveries, with the creation times of the oldest pending one and of the oldest
-- scheduled one. Uses the index of pending deliveries.
SELECT q.waiting, q.parked, d.created_at AS oldest_at, s.created_at AS oldest_scheduled_at
FROM (SELECT COUNT(p.next_attempt_at) AS waiting, COUNT(*) - COUNT(p.next_attempt_at) AS parked, MIN(p.id) AS oldest,
             MIN(CASE WHEN p.next_attempt_at IS NOT NULL THEN p.id END) AS oldest_scheduled
      FROM deliveries p
      WHERE p.state = 'pending' AND p.event <> 'updated'
        AND p.integration_id IN (SELECT i.id FROM integrations i WHERE i.workspace_id = :workspace_id)) q
LEFT JOIN deliveries d ON d.id = q.oldest
LEFT JOIN deliveries s ON s.id = q.oldest_scheduled;

-- name: health_dead
-- The number of dead deliveries of a workspace.
SELECT COUNT(*) AS dead FROM deliveries
WHERE workspace_id = :workspace_id AND state = 'dead' AND event <> 'updated';

-- name: health_integrations
-- Integrations that are failing, or had an error after their last success.
SELECT {Integration}
FROM integrations
WHERE workspace_id = :workspace_id AND (status = 'failing' OR last_error <> '')
ORDER BY status DESC, id DESC LIMIT :limit;

-- name: health_domains
-- Domains with missing records, also those for sending, and unverified domains.
SELECT {Domain}
FROM domains
WHERE workspace_id = :workspace_id AND (misses > 0 OR sending = 'failing' OR status = 'pending_verification')
ORDER BY misses DESC, id DESC LIMIT :limit;

-- name: health_deliverer
-- When a deliver process last claimed a shared maintenance task.
SELECT MAX(CAST(value AS BIGINT)) AS seen_at FROM installation WHERE name IN ('maintenance.retention', 'maintenance.domain_alerts');

-- fragment: problem_replies
-- The newest replies of a workspace that failed, and those that bounced, up to `scanned` of each.
SELECT * FROM (SELECT f.id, f.ticket_id FROM replies f
               WHERE f.workspace_id = :workspace_id AND f.state = 'failed' AND f.state <> 'sent' AND f.kind = 'reply'
               ORDER BY f.id DESC LIMIT :scanned) AS failed
UNION ALL
SELECT * FROM (SELECT b.id, b.ticket_id FROM replies b
               WHERE b.workspace_id = :workspace_id AND b.state = 'bounced' AND b.state <> 'sent' AND b.kind = 'reply'
               ORDER BY b.id DESC LIMIT :scanned) AS bounced

-- fragment: failing_smarthost
-- A failing smarthost of a domain of the workspace, or that of the installation if a domain of the workspace uses it.
s.status = 'failing' AND EXISTS (
    SELECT 1 FROM domains d WHERE d.workspace_id = :workspace_id AND d.sending <> 'off'
      AND s.id = CASE WHEN d.encrypted_smarthost = '' THEN 'installation' ELSE d.id END)

-- name: attention_counts
-- Counts the problems that need attention, up to `limit` of each kind. The conditions on state match partial indexes.
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM integrations i JOIN deliveries f ON f.integration_id = i.id
                           WHERE i.workspace_id = :workspace_id AND f.state = 'dead' AND f.event <> 'updated'
                           LIMIT :limit) AS a) AS failed,
    (SELECT count(*) FROM (SELECT 1 FROM integrations i JOIN deliveries p ON p.integration_id = i.id
                           WHERE i.workspace_id = :workspace_id AND i.status = 'failing' AND p.state = 'pending'
                             AND p.next_attempt_at IS NULL AND p.event <> 'updated' LIMIT :limit) AS b) AS parked,
    (SELECT count(*) FROM (SELECT 1 FROM integrations i WHERE i.workspace_id = :workspace_id
                             AND i.status = 'failing' LIMIT :limit) AS c) AS failing,
    (SELECT count(*) FROM (SELECT 1 FROM domains d WHERE d.workspace_id = :workspace_id
                             AND d.status = 'pending_verification' LIMIT :limit) AS d) AS unverified,
    (SELECT count(*) FROM (SELECT 1 FROM domains d WHERE d.workspace_id = :workspace_id
                             AND d.status = 'active' AND (d.misses > 0 OR d.sending = 'failing')
                           LIMIT :limit) AS e) AS missing,
    (SELECT count(*) FROM (SELECT 1 FROM ({problem_replies}) AS r CROSS JOIN tickets t
                           WHERE t.id = r.ticket_id AND t.status <> 'resolved' LIMIT :limit) AS g) AS failed_replies,
    (SELECT count(*) FROM (SELECT 1 FROM smarthosts s WHERE {failing_smarthost} LIMIT :limit) AS h) AS smarthosts;

-- name: attention_replies
-- The newest of the replies that `failed_replies` counts: their tickets are not resolved.
SELECT {reply_columns} FROM {reply_tables}
WHERE r.id IN (SELECT id FROM ({problem_replies}) AS problems) AND t.status <> 'resolved'
ORDER BY r.id DESC LIMIT :limit;

-- name: attention_smarthosts
-- The failing smarthosts that send mail of the workspace.
SELECT {Smarthost:s} FROM smarthosts s WHERE {failing_smarthost} ORDER BY s.id LIMIT :limit;

-- name: attention_failed
-- The dead deliveries of existing integrations among the newest `scanned` dead posts, newest first.
SELECT {Delivery:f}
FROM (SELECT * FROM deliveries d
      WHERE d.workspace_id = :workspace_id AND d.state = 'dead' AND d.event <> 'updated' AND d.target = 'integration'
      ORDER BY d.id DESC LIMIT :scanned) AS f
WHERE EXISTS (SELECT 1 FROM integrations i WHERE i.id = f.integration_id)
ORDER BY f.id DESC LIMIT :limit;

-- name: attention_held
-- `scanned` parked deliveries of failing integrations, the oldest of these first.
SELECT {Delivery:h}
FROM (SELECT p.* FROM integrations i JOIN deliveries p ON p.integration_id = i.id
      WHERE i.workspace_id = :workspace_id AND i.status = 'failing' AND p.state = 'pending'
        AND p.next_attempt_at IS NULL AND p.event <> 'updated' LIMIT :scanned) AS h
ORDER BY h.id LIMIT :limit;

-- name: attention_parked
-- Counts the parked deliveries of each failing integration, up to `limit`.
SELECT i.id, (SELECT count(*) FROM (SELECT 1 FROM deliveries p WHERE p.integration_id = i.id AND p.state = 'pending'
                                      AND p.next_attempt_at IS NULL AND p.event <> 'updated'
                                    LIMIT :limit) AS a) AS parked
FROM integrations i WHERE i.workspace_id = :workspace_id AND i.status = 'failing'
ORDER BY i.id DESC LIMIT :integrations;
