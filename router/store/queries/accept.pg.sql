-- PostgreSQL executes a statement once for many rows, with arrays as parameters.

-- name: accept_current_integrations
SELECT w.id AS workspace_id, a.id AS alias_id, i.id AS integration_id, i.status AS integration_status,
       w.check_policy AS workspace_policy, a.check_policy AS alias_policy
FROM unnest(CAST(:workspace_id AS TEXT[]), CAST(:alias_id AS TEXT[])) AS wanted (workspace_id, alias_id)
JOIN workspaces w ON w.id = wanted.workspace_id
LEFT JOIN aliases a ON a.workspace_id = w.id AND a.id = wanted.alias_id
LEFT JOIN integrations i ON i.id = CASE WHEN wanted.alias_id IS NULL THEN w.default_integration_id
                                        ELSE a.integration_id END;

-- name: accept_claim_fingerprint
-- ORDER BY avoids deadlocks between transactions.
INSERT INTO fingerprints (alias_key, fingerprint, message_id, accepted_at)
SELECT alias_key, fingerprint, message_id, accepted_at
FROM unnest(CAST(:alias_key AS TEXT[]), CAST(:fingerprint AS TEXT[]), CAST(:message_id AS TEXT[]),
            CAST(:accepted_at AS BIGINT[])) AS claimed (alias_key, fingerprint, message_id, accepted_at)
ORDER BY alias_key, fingerprint
ON CONFLICT (alias_key, fingerprint) DO UPDATE
SET message_id = excluded.message_id, accepted_at = excluded.accepted_at, repeats = 0
WHERE fingerprints.accepted_at < (CAST(:horizon AS BIGINT[]))[1]
RETURNING alias_key, fingerprint;

-- name: accept_count_repeats
UPDATE fingerprints f SET repeats = f.repeats + wanted.repeats
FROM unnest(CAST(:alias_key AS TEXT[]), CAST(:fingerprint AS TEXT[]), CAST(:repeats AS BIGINT[]))
     AS wanted (alias_key, fingerprint, repeats)
WHERE f.alias_key = wanted.alias_key AND f.fingerprint = wanted.fingerprint
RETURNING f.alias_key, f.fingerprint, f.message_id;

-- name: accept_ticket_candidates
SELECT wanted.thread_key, wanted.rfc_message_id, found.ticket_id
FROM unnest(CAST(:thread_key AS TEXT[]), CAST(:rfc_message_id AS TEXT[]), CAST(:max_tickets AS BIGINT[]))
     AS wanted (thread_key, rfc_message_id, max_tickets)
CROSS JOIN LATERAL (
    WITH RECURSIVE newest (ticket_id, n) AS (
        SELECT MAX(tm.ticket_id), CAST(1 AS BIGINT) FROM ticket_messages tm
        WHERE tm.rfc_message_id = wanted.rfc_message_id AND tm.thread_key = wanted.thread_key AND tm.rfc_message_id <> ''
        UNION ALL
        SELECT (SELECT MAX(tm.ticket_id) FROM ticket_messages tm
                WHERE tm.rfc_message_id = wanted.rfc_message_id AND tm.thread_key = wanted.thread_key
                  AND tm.rfc_message_id <> '' AND tm.ticket_id < newest.ticket_id),
               newest.n + 1
        FROM newest WHERE newest.ticket_id IS NOT NULL AND newest.n < wanted.max_tickets
    )
    SELECT newest.ticket_id FROM newest WHERE newest.ticket_id IS NOT NULL
) AS found;

-- name: accept_find_assigned
SELECT wanted.thread_key, wanted.identity, MIN(s.ticket_id) AS ticket_id
FROM unnest(CAST(:thread_key AS TEXT[]), CAST(:identity AS TEXT[]), CAST(:rfc_message_id AS TEXT[]))
     AS wanted (thread_key, identity, rfc_message_id)
JOIN sent_message_ids s ON s.rfc_message_id = wanted.rfc_message_id AND s.thread_key = wanted.thread_key
GROUP BY wanted.thread_key, wanted.identity;

-- name: accept_find_replies
SELECT wanted.thread_key, wanted.identity, tm.ticket_id
FROM unnest(CAST(:thread_key AS TEXT[]), CAST(:identity AS TEXT[]), CAST(:rfc_message_id AS TEXT[]))
     AS wanted (thread_key, identity, rfc_message_id)
CROSS JOIN LATERAL (
    SELECT l.ticket_id, l.message_id FROM ticket_messages l
    WHERE l.rfc_message_id = wanted.rfc_message_id AND l.thread_key = wanted.thread_key AND l.rfc_message_id <> ''
    ORDER BY l.ticket_id LIMIT 100
) AS tm
JOIN messages m ON m.id = tm.message_id
WHERE m.direction = 'outbound';

-- name: accept_find_participants
SELECT wanted.ticket_id, wanted.address
FROM unnest(CAST(:ticket_id AS TEXT[]), CAST(:address AS TEXT[])) AS wanted (ticket_id, address)
WHERE EXISTS (SELECT 1 FROM ticket_participants p WHERE p.ticket_id = wanted.ticket_id AND p.address = wanted.address)
   OR EXISTS (SELECT 1 FROM tickets t
              WHERE t.id = wanted.ticket_id AND wanted.address IN (t.from_address, t.address) AND wanted.address <> '');

-- name: accept_reserve_numbers
-- ORDER BY avoids deadlocks between transactions. NO KEY UPDATE: inserting a message locks its workspace FOR KEY SHARE;
-- with FOR UPDATE, two accept transactions could deadlock.
WITH wanted AS (
    SELECT * FROM unnest(CAST(:workspace_id AS TEXT[]), CAST(:wanted AS BIGINT[])) AS wanted (workspace_id, n)
), locked AS (
    SELECT id FROM workspaces WHERE id IN (SELECT workspace_id FROM wanted) ORDER BY id FOR NO KEY UPDATE
)
UPDATE workspaces w SET last_ticket_number = w.last_ticket_number + wanted.n
FROM wanted JOIN locked ON locked.id = wanted.workspace_id
WHERE w.id = wanted.workspace_id
RETURNING w.id AS workspace_id, w.last_ticket_number;

-- name: accept_join_ticket
-- ORDER BY avoids deadlocks between transactions.
WITH joined AS (
    SELECT * FROM unnest(CAST(:ticket_id AS TEXT[]), CAST(:received_at AS BIGINT[]), CAST(:messages AS BIGINT[]),
                         CAST(:replied_at AS BIGINT[]))
                  AS joined (ticket_id, received_at, messages, replied_at)
), locked AS (
    SELECT id FROM tickets WHERE id IN (SELECT ticket_id FROM joined) ORDER BY id FOR NO KEY UPDATE
)
UPDATE tickets t SET updated_at = joined.received_at, last_sequence = t.last_sequence + joined.messages,
                     automatic = CASE WHEN joined.replied_at IS NULL THEN t.automatic ELSE '' END,
                     unanswered_since = CASE WHEN joined.replied_at IS NOT NULL AND t.status IN ('waiting', 'resolved')
                                        THEN joined.replied_at ELSE t.unanswered_since END
FROM joined JOIN locked ON locked.id = joined.ticket_id
WHERE t.id = joined.ticket_id
RETURNING t.id AS ticket_id, t.last_sequence, t.status, t.spam;

-- name: accept_reopen_ticket
UPDATE tickets SET status = 'open', resolved_at = NULL, last_sequence = last_sequence + 1,
                   assigned_to = {known_assignee},
                   claimed_at = CASE WHEN {known_assignee} IS NOT NULL THEN claimed_at END
WHERE id = ANY (CAST(:ticket_id AS TEXT[])) AND status <> 'open'
RETURNING id AS ticket_id, workspace_id, last_sequence;
